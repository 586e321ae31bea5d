# SPDX-License-Identifier: Apache-2.0
"""The rows of the benchmark's table: what is counted, its budget, and the best peer's figure.

A row is counted in one boot (`smp` harts; with `icount` False by the wall clock) that runs its subject of
source/apps/bench, by its function `count`; or `check` finds its figure by itself. Adding one is one row here.

Peers' figures were counted in the same way, on the same QEMU; docs/performance.md says how.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import checks
import throughput
from machine import BenchError, Run
from meter import EVERYTHING, KERNEL, START_COST, USER, difference, total


EMPTY = "empty"
UNIT = "instructions"
PAGES_OF_BATCH = 4096
PAGES_OF_COLD_FILE = throughput.COLD_BYTES // throughput.BLOCK
READS_OF_LAP = 32
SWITCHES_OF_ROUND = 2
WITHOUT_FIRMWARE = (KERNEL, USER)
PER_MILLE = 1000


Count = Callable[[Run, "Row"], float]


def overhead(run: Run, subject: str, parts: tuple[int, ...]) -> float:
    """What a round costs that does nothing."""
    if run.regions[subject].intervals:
        return START_COST if USER in parts else 0
    return run.regions[EMPTY].median(parts)


def rounds(parts: tuple[int, ...] = EVERYTHING, operations: int = 1, minus: str = "") -> Count:
    """Of these parts on all harts, the median round less the empty one; one round holds `operations`.

    With `minus`, less the same of another subject.
    """

    def count(run: Run, row: "Row") -> float:
        region = run.regions[row.subject]
        result = (region.median(parts) - overhead(run, row.subject, parts)) / operations
        if minus:
            result -= run.regions[minus].median(parts) - overhead(run, minus, parts)
        return result

    return count


def spans(run: Run, row: "Row") -> float:
    found = run.regions[row.subject].spans
    if not found:
        raise BenchError(f"{row.name}: no interrupt was seen")
    return statistics.median(found)


def boot(until: Literal["first_user", "mounted"]) -> Count:
    """From the kernel's first instruction, on all harts, firmware excluded."""

    def count(run: Run, row: "Row") -> float:
        begin, end = run.record.kernel_entry, getattr(run.record, until)
        if begin is None or end is None:
            raise BenchError(f"{row.name}: the boot did not come so far")
        return total(difference(end, begin), WITHOUT_FIRMWARE)

    return count


def signature(run: Run, row: "Row") -> float:
    """What packagefsd spends on the signature of its image, once in a boot."""
    begin, end = run.record.check_begin, run.record.check_end
    if begin is None or end is None:
        raise BenchError(f"{row.name}: no image was checked")
    return total(difference(end, begin), WITHOUT_FIRMWARE)


def mounted(run: Run, row: "Row") -> float:
    """The boot up to the mount without that."""
    return boot("mounted")(run, row) - signature(run, row)


def value(key: str, scale: float = 1) -> Count:
    """The median of what the subject itself reported."""

    def count(run: Run, row: "Row") -> float:
        return statistics.median(run.values[row.subject][key]) / scale

    return count


@dataclass(frozen=True)
class Row:
    name: str
    operation: str
    budget: float
    peer: int | None = None
    peer_name: str = ""
    subject: str = EMPTY
    needs: str = ""  # another subject in the same boot
    smp: int = 1
    icount: bool = True
    late: bool = False  # its subject leaves something behind that costs the others, so it comes last
    count: Count = rounds()
    disk: Callable[[], Path] | None = None  # makes the disk of its boot; None: the package image
    check: Callable[[], float] | None = None
    unit: str = UNIT
    at_least: bool = False  # the budget is a floor
    allowed: Count | None = None  # what the host allows: a budget out of its reach is not judged


# fmt: off
ROWS = [
    Row("null-call", "null system call", 50, 123, "seL4", "null-call"),
    Row("call-0", "call + reply, no payload", 300, 538, "seL4", "call-0"),
    Row("call-6", "call + reply, 6 words in registers", 300, 1886, "seL4", "call-6"),
    Row("call-two-harts", "call + reply across two harts, kernel", 1500, 4657, "seL4", "call-two-harts", smp=2,
        count=rounds((KERNEL,))),
    Row("call-64-bytes", "call + reply, 64 bytes in the message page", 500, 1886, "seL4", "call-64-bytes"),
    Row("call-handle", "call + reply passing one handle", 700, subject="call-handle"),
    Row("call-fpu", "what the FPU adds to call + reply, client", 100, 170, "seL4", "call-fpu", needs="call-0", late=True,
        count=rounds(minus="call-0")),
    Row("call-fpu-server", "the same, server", 100, 170, "seL4", "call-fpu-server", needs="call-0", late=True,
        count=rounds(minus="call-0")),
    Row("call-fpu-both", "the same, client and server both", 200, 170, "seL4", "call-fpu-both", needs="call-0", late=True,
        count=rounds(minus="call-0")),
    Row("yield", "yield between two processes, per switch", 240, 511, "seL4", "yield",
        count=rounds(operations=SWITCHES_OF_ROUND)),
    Row("signal", "signal until the waiter of another process runs", 300, 611, "seL4", "signal"),
    Row("interrupt", "device interrupt to the driver's first instruction", 350, 402, "seL4", "block-read",
        count=spans),
    Row("map", "map and touch one fresh page, of 16 MiB", 1000, 1853, "seL4", "map",
        count=rounds(operations=PAGES_OF_BATCH)),
    Row("unmap", "unmap a page that an idle hart has used, kernel", 700, 685, "seL4, 1 hart", "unmap", smp=2,
        count=rounds((KERNEL,))),
    Row("thread", "thread create + run + exit + join", 2200, 2229, "LK, one space", "thread"),
    Row("spawn", "spawn a static 64 KiB ELF to main and reap it", 100_000, 34_170, "Linux vfork", "spawn"),
    Row("block-info", "info() on virtioblkd through Cap'n Proto", 900, subject="block-info"),
    Row("block-read", "4 KiB read at virtioblkd", 2500, 10_785, "Linux lean", "block-read"),
    Row("block-read-handle", "the same, its memory object rides along", 3600, subject="block-read-handle"),
    Row("block-read-large", "128 KiB read at virtioblkd", 3500, 35_973, "Linux lean", "block-read-large"),
    Row("block-queue", "4 KiB read at virtioblkd, queued, 32 in flight", 700, 4748, "Linux lean", "block-queue",
        count=rounds(operations=READS_OF_LAP)),
    Row("block-sequential", "queued 128 KiB reads per a polling reader's", 0.9, check=throughput.sequential_ratio,
        unit="times", at_least=True),
    Row("file", "open + read 4 KiB + close through libc, cached", 6000, subject="file"),
    Row("file-cold", "cold page of a file through libc, verified", 60_000, subject="file-cold", disk=throughput.file_disk,
        count=rounds(operations=PAGES_OF_COLD_FILE)),
    Row("first-user", "kernel entry to the first user instruction", 1_000_000, 177_244, "seL4", count=boot("first_user")),
    Row("first-user-smp4", "the same with four harts, all of them", 2_000_000, smp=4, count=boot("first_user")),
    Row("mounted", "kernel entry to `pkgfs: mounted`", 10_000_000, 421_000_000, "xv6, prompt", count=mounted),
    Row("signature", "the signature of the package image, not in it", 3_000_000, count=signature),
    Row("hash-block", "hash of a block of the package image", 53_000, subject="hash-block"),
    Row("hash-block-plain", "the same on a hart without Zbb", 76_000, subject="hash-block-plain"),
    Row("hash-block-sha512", "the same by SHA-512, which is not used", 182_000, subject="hash-block-sha512"),
    Row("hash-block-sha256", "the same by SHA-256, which is not used", 273_000, subject="hash-block-sha256"),
    Row("stretch", "longest stretch with interrupts off, test programs", 20_000, check=checks.longest_stretch),
    Row("hold", "longest lock hold, test programs", 2000, check=checks.longest_hold),
    Row("memory", "RAM with which the self-tests pass", 16, unit="MiB", check=checks.least_memory),
    Row("four-pairs", "contended locks, 4 pairs on 4 harts", 0, subject="four-pairs", smp=4, icount=False,
        count=value("contended"), unit="waits"),
    Row("two-pairs", "work of 2 pairs on 2 harts against 1", 1.8, subject="pairs-ratio", smp=2, icount=False,
        count=value("pairs-per-mille", PER_MILLE), unit="times", at_least=True,
        allowed=value("host-per-mille", PER_MILLE)),
]
# fmt: on
BY_NAME = {row.name: row for row in ROWS}
