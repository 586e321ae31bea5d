# SPDX-License-Identifier: Apache-2.0
"""Queued reads by the clock, against a reader without an operating system on the same image.

Both boot by turns, without instruction counting, and take the median of their rounds; the ratio is
the median of the turns', so that a slow spell of the host hits both.
"""

import re
import statistics
import struct
from dataclasses import dataclass
from pathlib import Path

from machine import ARCHIVE, KERNEL, RESULTS, BenchError, progress
from qemu_boot import BUILD, Boot

# source/apps/bench/bench_disk.h
DISK_START = 1 << 20
DISK_BYTES = 64 << 20
DISK_WORD = 0x9E3779B97F4A7C15
BLOCK = 4096

POLLING = BUILD / "tests/bench/polling/polling.elf"
TURNS = 5
TIMEOUT_SECONDS = 180
RATE = re.compile(r"bench: rate (\S+) (\d+) (\S+)")
SEQUENTIAL = "sequential-128k"


@dataclass(frozen=True)
class Throughput:
    """Medians: of each name its rate and unit, of the yardstick kB/s, and of the turns' ratios."""

    rates: dict[str, tuple[float, str]]
    polling: float
    ratio: float

    def lines(self) -> list[str]:
        text = [f"  {name:48} {value:14,.0f} {unit}" for name, (value, unit) in self.rates.items()]
        text.append(f"  {'sequential-128k, polling reader without a system':48} {self.polling:14,.0f} kB/s")
        return text


def make_disk(path: Path) -> None:
    """The region that bench_disk.h describes. No package image: packagefsd refuses it, and is idle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as disk:
        disk.write(bytes(DISK_START))
        for offset in range(DISK_START, DISK_START + DISK_BYTES, BLOCK):
            disk.write(struct.pack("<Q", offset * DISK_WORD % (1 << 64)) * (BLOCK // 8))


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


def measure() -> Throughput:
    disk = RESULTS / "throughput.img"
    make_disk(disk)
    common = {"SMP": "1", "DISK": str(disk)}
    ours: list[dict[str, tuple[float, str]]] = []
    polling: list[float] = []
    for turn in range(TURNS):
        progress(f"throughput: turn {turn + 1} of {TURNS}")
        polling.append(boot("polling", common | {"KERNEL": str(POLLING)})[SEQUENTIAL][0])
        append = {"APPEND": "nexus.bench=block-throughput", "KERNEL": str(KERNEL), "INITRD": str(ARCHIVE)}
        ours.append(boot("throughput", common | append))
    rates = {
        name: (statistics.median(each[name][0] for each in ours), unit) for name, (_, unit) in ours[0].items()
    }
    ratios = [each[SEQUENTIAL][0] / other for each, other in zip(ours, polling)]
    return Throughput(rates, statistics.median(polling), statistics.median(ratios))


def sequential_ratio() -> float:
    """For the table; what it was made from goes to the progress."""
    result = measure()
    for line in result.lines():
        progress(line.strip())
    return result.ratio
