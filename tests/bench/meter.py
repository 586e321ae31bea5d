# SPDX-License-Identifier: Apache-2.0
"""What tools/qemu-meter wrote in one boot: exact counts of executed instructions between marks.

A region is what lies between a begin and an end mark. Its samples are the laps of a loop, or the
intervals from a start to a stop mark; each says for every hart how much ran in each part.
"""

import statistics
from dataclasses import dataclass, field
from pathlib import Path

LAP, BEGIN, END, START, STOP, MOUNTED, RESUME, SUBJECT, CHECK_BEGIN, CHECK_END = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
FIRMWARE, KERNEL, USER = 0, 1, 2
PARTS = 3
EVERYTHING = (FIRMWARE, KERNEL, USER)
# What the start mark itself adds to an interval. A lap is compared with the empty loop instead.
START_COST = 1

Counts = tuple[int, ...]  # firmware, kernel, user of hart 0, then of hart 1, ...


@dataclass(frozen=True)
class Block:
    """A block of code in a profile: it ran `runs` times, `instructions` in all."""

    part: int
    address: int
    instructions: int
    runs: int
    code: bytes


@dataclass
class Region:
    laps: list[Counts] = field(default_factory=list)
    intervals: list[Counts] = field(default_factory=list)
    spans: list[int] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    def samples(self) -> list[Counts]:
        return self.intervals or self.laps

    def median(self, parts: tuple[int, ...] = EVERYTHING) -> float:
        """Instructions of one round in these parts, on all harts; loop and marks included."""
        samples = [total(counts, parts) for counts in self.samples()]
        if not samples:
            raise ValueError("no round was counted")
        return statistics.median(samples)


@dataclass
class Record:
    """All of one boot: the regions of each subject, in the order of the subjects."""

    subjects: list[list[Region]] = field(default_factory=list)
    kernel_entry: Counts | None = None
    first_user: Counts | None = None
    mounted: Counts | None = None
    check_begin: Counts | None = None  # of the image's signature, at the first mount
    check_end: Counts | None = None

    @property
    def regions(self) -> list[Region]:
        """All of them, in the order in which they began."""
        return [region for regions in self.subjects for region in regions]


def total(counts: Counts, parts: tuple[int, ...] = EVERYTHING) -> int:
    return sum(sum(counts[part::PARTS]) for part in parts)


def difference(later: Counts, earlier: Counts) -> Counts:
    """Harts that were first seen in between had executed nothing."""
    earlier += (0,) * (len(later) - len(earlier))
    return tuple(after - before for after, before in zip(later, earlier))


class Reader:
    def __init__(self) -> None:
        self.record = Record()
        self.region: Region | None = None
        self.last_lap: Counts | None = None
        self.start: Counts | None = None

    def mark(self, number: int, counts: Counts) -> None:
        if number == MOUNTED:
            self.record.mounted = self.record.mounted or counts
        elif number == CHECK_BEGIN:
            self.record.check_begin = self.record.check_begin or counts
        elif number == CHECK_END:
            self.record.check_end = self.record.check_end or counts
        elif number == BEGIN:
            self.region, self.last_lap, self.start = Region(), None, None
            if not self.record.subjects:
                self.record.subjects.append([])
            self.record.subjects[-1].append(self.region)
        elif number == SUBJECT:
            self.record.subjects.append([])
        elif self.region is None:
            return
        elif number == LAP:
            if self.last_lap is not None:
                self.region.laps.append(difference(counts, self.last_lap))
            self.last_lap = counts
        elif number == RESUME:
            self.last_lap = counts
        elif number == START:
            self.start = counts
        elif number == STOP and self.start is not None:
            self.region.intervals.append(difference(counts, self.start))
            self.start = None
        elif number == END:
            self.region = None

    def line(self, words: list[str]) -> None:
        record = self.record
        match words[0]:
            case "M":
                self.mark(int(words[1]), tuple(map(int, words[3:])))
            case "K":
                record.kernel_entry = tuple(map(int, words[2:]))
            case "U":
                record.first_user = tuple(map(int, words[2:]))
            case "S" if self.region is not None:
                self.region.spans.append(int(words[2]))
            case "P":
                part, instructions, runs = int(words[1]), int(words[3]), int(words[4])
                block = Block(part, int(words[2], 16), instructions, runs, bytes.fromhex(words[5]))
                record.subjects[-1][-1].blocks.append(block)


def read_record(path: Path) -> Record:
    reader = Reader()
    with path.open() as lines:
        for line in lines:
            reader.line(line.split())
    return reader.record
