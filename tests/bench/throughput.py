# SPDX-License-Identifier: Apache-2.0
"""Queued reads by the clock, against a reader without an operating system on the same image.

Both boot by turns, without instruction counting, and take the median of their rounds; the ratio is
the median of the turns', so that a slow spell of the host hits both.
"""

import re
import statistics
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from machine import ARCHIVE, KERNEL, RESULTS, BenchError, progress
from qemu_boot import BUILD, ROOT, Boot

# source/apps/bench/bench_disk.h
DISK_START = 1 << 20
DISK_BYTES = 64 << 20
DISK_WORD = 0x9E3779B97F4A7C15
BLOCK = 4096

# source/apps/bench/file.c: rounds, and what each reads.
COLD_FILES = 5
COLD_BYTES = 16 << 20

MAKER = ROOT / "tools/mk-pkgfs-img/mk-pkgfs-img.py"
POLLING = BUILD / "tests/bench/polling/polling.elf"
TURNS = 9  # of one reader and the other; a neighbour of the host's can spoil several in a row
TIMEOUT_SECONDS = 180
RATE = re.compile(r"bench: rate (\S+) (\d+) (\S+)")
SEQUENTIAL = "sequential-128k"


@dataclass(frozen=True)
class Throughput:
    """Medians: of each name its rate and unit, of the yardstick kB/s, and of the turns' ratios."""

    rates: dict[str, tuple[float, str]]
    polling: float
    ratios: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    def lines(self) -> list[str]:
        text = [f"  {name:48} {value:14,.0f} {unit}" for name, (value, unit) in self.rates.items()]
        text.append(f"  {'sequential-128k, polling reader without a system':48} {self.polling:14,.0f} kB/s")
        text.append(f"  ours by the polling reader's, by turns: {' '.join(f'{each:.2f}' for each in sorted(self.ratios))}")
        return text


def pattern(start: int, length: int) -> bytes:
    """Each block repeats the word that its place gives it."""
    words = (offset * DISK_WORD % (1 << 64) for offset in range(start, start + length, BLOCK))
    return b"".join(struct.pack("<Q", word) * (BLOCK // 8) for word in words)


def block_disk() -> Path:
    """The region that bench_disk.h describes. No package image: packagefsd refuses it, and is idle."""
    path = RESULTS / "throughput.img"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(DISK_START) + pattern(DISK_START, DISK_BYTES))
    return path


def file_disk() -> Path:
    """A signed package image with files to read cold, one for each round."""
    path = RESULTS / "files.img"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bench"
        folder.mkdir()
        for number in range(COLD_FILES):
            (folder / f"cold-{number}.bin").write_bytes(pattern(0, COLD_BYTES))
        command = [
            sys.executable, str(MAKER), "--tree", scratch, "--sign-with", str(BUILD / "package-trust.key"),
            "--image-version", "1", "--output", str(path),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"the image of files could not be made: {done.stderr.strip()}")
    return path


def boot(about: str, options: dict[str, str]) -> dict[str, tuple[float, str]]:
    """The medians of one boot's rounds."""
    log = RESULTS / f"{about}.log"
    with Boot(log, options) as machine:
        outcome = machine.wait(TIMEOUT_SECONDS, re.compile(rb"bench: end \S+ (ok|FAIL)[^\n]*\n"))
        complaint = machine.complaint()
    text = outcome.log.decode(errors="replace")
    if not re.search(r"bench: end \S+ ok", text):
        raise BenchError(f"{about}: no good end ({outcome.end}) {complaint}; console log: {log}")
    rounds: dict[str, list[float]] = {}
    units: dict[str, str] = {}
    for name, value, unit in RATE.findall(text):
        rounds.setdefault(name, []).append(float(value))
        units[name] = unit
    return {name: (statistics.median(values), units[name]) for name, values in rounds.items()}


def our_turn(subject: str, disk: Path, harts: int = 1) -> dict[str, tuple[float, str]]:
    """The medians of one boot that runs `subject` of source/apps/bench."""
    options = {"SMP": str(harts), "DISK": str(disk), "KERNEL": str(KERNEL), "INITRD": str(ARCHIVE)}
    return boot(subject, options | {"APPEND": f"nexus.bench={subject}"})


def measure() -> Throughput:
    disk = block_disk()
    ours: list[dict[str, tuple[float, str]]] = []
    polling: list[float] = []
    for turn in range(TURNS):
        progress(f"throughput: turn {turn + 1} of {TURNS}")
        yardstick = boot("polling", {"SMP": "1", "DISK": str(disk), "KERNEL": str(POLLING)})
        polling.append(yardstick[SEQUENTIAL][0])
        ours.append(our_turn("block-throughput", disk))
    rates = {
        name: (statistics.median(each[name][0] for each in ours), unit) for name, (_, unit) in ours[0].items()
    }
    ratios = [each[SEQUENTIAL][0] / other for each, other in zip(ours, polling)]
    return Throughput(rates, statistics.median(polling), ratios)


def sequential_ratio() -> float:
    """For the table; what it was made from goes to the progress."""
    result = measure()
    for line in result.lines():
        progress(line.strip())
    return result.ratio
