# SPDX-License-Identifier: Apache-2.0
"""Linux as a peer: the same operations, on the same QEMU with the same options, counted by the same meter.

`Comparison` is what the table needs; `Peer` fetches, builds and boots. A subject that cannot be measured
has a reason instead of a number.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import machine
import meter
import throughput
from machine import BenchError, progress
from meter import EVERYTHING, KERNEL, START_COST, USER
from qemu_boot import Boot

from linux import guest, lean, packages, rates

EMPTY = "empty"
FIRST_USER = "first-user"
WITHOUT_FIRMWARE = (KERNEL, USER)
TIMEOUT_SECONDS = 900
# Guest seconds until the kernel's own late work is done.
SETTLE_SECONDS = 10
ARGUMENTS = "console=ttyS0 quiet panic=-1"
NOTE = re.compile(r"bench: note (.*)")


@dataclass(frozen=True)
class Subject:
    """One of tests/bench/linux/guest. It is the peer of the rows `peer_of`; the cheapest one counts."""

    name: str
    operation: str
    operations: int = 1  # of one sample
    parts: tuple[int, ...] = EVERYTHING
    smp: int = 1
    peer_of: tuple[str, ...] = ()


SUBJECTS = (
    Subject("null-call", "getppid()", peer_of=("null-call",)),
    Subject("pipe", "1 byte there and back, two pipes", peer_of=("call-0",)),
    Subject("pipe-64", "64 bytes there and back, two pipes", peer_of=("call-6", "call-64-bytes")),
    Subject("eventfd", "there and back, two eventfds", peer_of=("call-0",)),
    Subject("seqpacket-64", "64 bytes there and back, seqpacket socket", peer_of=("call-6", "call-64-bytes")),
    Subject("yield", "sched_yield(), per switch", 2, peer_of=("yield",)),
    Subject("map", "mmap and touch a fresh page, of 16 MiB", 4096, peer_of=("map",)),
    Subject("map-huge", "the same, huge pages asked for", 4096),
    Subject("unmap-idle-hart", "munmap() of a page the idle hart has used", 1, WITHOUT_FIRMWARE, 2, ("unmap",)),
    Subject("discard-idle-hart", "madvise() away, the same", 1, WITHOUT_FIRMWARE, 2, ("unmap",)),
    Subject("discard-stranger", "madvise() away, never used elsewhere", 1, WITHOUT_FIRMWARE, 2),
    Subject("thread", "pthread_create() and pthread_join()", peer_of=("thread",)),
    Subject("spawn", "vfork(), execve() of 64 KiB, wait()", peer_of=("spawn",)),
    Subject("read-4k", "4 KiB read from disk, O_DIRECT", peer_of=("block-read",)),
    Subject("read-128k", "128 KiB read from disk, O_DIRECT", peer_of=("block-read-large",)),
    Subject("read-4k-depth-32", "4 KiB read, io_uring, 32 at a time", 32, peer_of=("block-queue",)),
    Subject("open-read-close", "open(), read() 4 KiB, close(), cached", peer_of=("file",)),
)
BOOT = Subject(FIRST_USER, "kernel entry to first user instruction", 1, WITHOUT_FIRMWARE, peer_of=("first-user",))


@dataclass
class Figures:
    """By subject: instructions, or why there are none."""

    counts: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


@dataclass
class Peer:
    label: str
    notes: list[str]  # why it is this kernel and no other
    kernel: Path
    archive: Path
    disk: Path

    @staticmethod
    def prepare(is_lean: bool) -> "Peer":
        kernel = packages.fetch(progress)  # busybox comes from there in any case
        label, image = kernel.label, kernel.image()
        notes = [f"Debian {reason}" for reason in kernel.passed_over]
        if is_lean:
            image, version = lean.build(progress)
            label, notes = f"Linux {version} (lean, tests/bench/linux/lean.config)", []
        progress(f"linux: building the benchmark for {label}")
        archive = guest.make_initramfs(kernel, with_modules=not is_lean)
        return Peer(label, notes, image, archive, throughput.file_disk())

    def boot(
        self,
        about: str,
        subjects: list[str],
        settle: int,
        options: dict[str, str],
        more: str = "",
        timeout: float = TIMEOUT_SECONDS,
    ) -> str:
        machine_options = {
            "KERNEL": str(self.kernel),
            "INITRD": str(self.archive),
            "DISK": str(self.disk),
            "DTB": "qemu",
            "APPEND": f"{ARGUMENTS} nexus.settle={settle} nexus.bench={','.join(subjects)} {more}".strip(),
        }
        log = machine.RESULTS / f"{about.replace(' ', '-')}.log"
        with Boot(log, machine_options | options) as boot:
            text = machine.follow(boot, about, len(subjects), timeout).replace("\r", "")
            if boot.process.returncode != 0:
                raise BenchError(f"{about}: QEMU ended: {boot.complaint()}; console log: {boot.log}")
        for note in NOTE.findall(text):
            progress(f"{about}: {note}")
        return text

    def count_on(self, smp: int, figures: Figures) -> None:
        """One boot; every subject of this many harts."""
        about = f"linux smp{smp}"
        subjects = [subject for subject in SUBJECTS if subject.smp == smp]
        names = [EMPTY, *(subject.name for subject in subjects)]
        counts = machine.RESULTS / f"linux-smp{smp}.counts"
        counts.parent.mkdir(parents=True, exist_ok=True)
        counts.unlink(missing_ok=True)
        text = self.boot(
            about, names, SETTLE_SECONDS, {"SMP": str(smp), "ICOUNT": "1", "METER": f"out={counts}"}
        )
        record = meter.read_record(counts)
        # Every subject that begins has a region, even if it fails.
        regions = dict(zip(machine.BEGIN.findall(text), record.regions))
        failures = machine.judge(text, names)
        if EMPTY in failures:
            raise BenchError(f"{about}: {failures[EMPTY]}; console log: {machine.RESULTS}/linux-smp{smp}.log")
        for subject in subjects:
            if subject.name in failures:
                figures.failures[subject.name] = failures[subject.name]
                continue
            region = regions[subject.name]
            loop = START_COST if region.intervals else regions[EMPTY].median()
            figures.counts[subject.name] = (region.median(subject.parts) - loop) / subject.operations
        if smp == BOOT.smp:
            self.count_boot(record, figures)

    @staticmethod
    def count_boot(record: meter.Record, figures: Figures) -> None:
        """From OpenSBI's jump to busybox, process 1."""
        if record.kernel_entry is None or record.first_user is None:
            figures.failures[FIRST_USER] = "the meter saw no kernel entry or no user instruction"
            return
        between = meter.difference(record.first_user, record.kernel_entry)
        figures.counts[FIRST_USER] = float(meter.total(between, BOOT.parts))

    def counts(self) -> Figures:
        figures = Figures()
        for smp in sorted({subject.smp for subject in SUBJECTS}):
            try:
                self.count_on(smp, figures)
            except BenchError as error:
                for subject in SUBJECTS:
                    if subject.smp == smp:
                        figures.failures.setdefault(subject.name, str(error))
        return figures


class Comparison:
    """Linux's side of one run of `./nexus bench --vs-linux`."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.figures = Figures()
        self.rates: list[rates.Rate] = []
        self.no_rates = ""  # why there are none

    @staticmethod
    def prepare(is_lean: bool) -> "Comparison":
        """All that can fail for want of a network or a compiler, before anything is measured."""
        return Comparison(Peer.prepare(is_lean))

    def measure(self) -> None:
        self.figures = self.peer.counts()
        try:
            self.rates = rates.measure(self.peer)
        except BenchError as error:
            self.no_rates = str(error)

    @property
    def rates_met(self) -> bool:
        return all(each.met for each in self.rates)

    def peer_of(self, row: str) -> float | None:
        """The cheapest of Linux's ways to do what this row of our table does."""
        ways = [self.figures.counts.get(each.name) for each in (*SUBJECTS, BOOT) if row in each.peer_of]
        return min((way for way in ways if way is not None), default=None)

    def lines(self) -> list[str]:
        """The peer's own table."""
        text = [f"{self.peer.label}, in this run:"]
        text += [f"  passed over: {note}" for note in self.peer.notes]
        for subject in (*SUBJECTS, BOOT):
            if subject.name in self.figures.counts:
                value = f"{self.figures.counts[subject.name]:14,.0f} instructions"
            else:
                value = f"not measured: {self.figures.failures.get(subject.name, 'its boot failed')}"
            text.append(f"  {subject.operation:48} {value}")
        text += rates.lines(self.rates) if self.rates else []
        return text + ([f"  {'throughput':48} not measured: {self.no_rates}"] if self.no_rates else [])

    def as_json(self) -> dict[str, object]:
        return {
            "kernel": self.peer.label,
            "passed_over": self.peer.notes,
            "instructions": self.figures.counts,
            "failures": self.figures.failures,
            "throughput": [vars(each) for each in self.rates],
        }
