# SPDX-License-Identifier: Apache-2.0
"""Throughput by the clock, Linux and Nexus by turns on the same disks: medians, and the median of the turns' ratios.

Two disks: one with blocks that both read queued (throughput.block_disk), and a signed package image with large files
that both read cold through open() and read() (throughput.file_disk), on one hart and, in another boot, on two. Linux
reads those files as it finds them; Nexus checks every block of them against the hash tree of the image. With a Linux
that has dm-verity the same image is read a third way: through it. docs/performance.md says what a round reads.
"""

import re
import statistics
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import machine
import throughput
from machine import BenchError, progress
from qemu_boot import ROOT

sys.path.append(str(ROOT / "tools" / "mk-pkgfs-img"))

import footer  # noqa: E402  (after the path)

if TYPE_CHECKING:
    from linux.peer import Peer

TURNS = 3
SETTLE_SECONDS = 3
TIMEOUT_SECONDS = 90
TRIES = 3
RATE = re.compile(r"bench: rate (\S+) ([0-9.]+) (\S+)")
KILOBYTES = {"MB/s": 1000.0, "kB/s": 1.0, "IOPS": 1.0}
# Linux's names for what both do; ours is the last word of each.
VERIFIED = "cold-file-read-dm-verity"
TWO_HARTS = "-two-harts"
SAME_AS = {VERIFIED: "cold-file-read", VERIFIED + TWO_HARTS: "cold-file-read" + TWO_HARTS}

# What is to be faster than Linux's.
TARGETS = ("random-4k-depth-32", "cold-file-read")


@dataclass(frozen=True)
class Rate:
    name: str
    unit: str
    linux: float
    ours: float
    ratio: float  # ours by Linux's

    @property
    def met(self) -> bool:
        return self.name not in TARGETS or self.ratio >= 1

    @property
    def verdict(self) -> str:
        if self.name not in TARGETS:
            return ""
        return "ok" if self.met else f"missed by {1 - self.ratio:.0%}"


def medians(text: str) -> dict[str, tuple[float, str]]:
    rounds: dict[str, list[float]] = {}
    units: dict[str, str] = {}
    for name, value, unit in RATE.findall(text):
        rounds.setdefault(name, []).append(float(value) * KILOBYTES[unit])
        units[name] = "IOPS" if unit == "IOPS" else "kB/s"
    return {name: (statistics.median(values), units[name]) for name, values in rounds.items()}


def verity_argument(image: Path) -> str:
    """What the image's footer says of its hash tree, for the guest's verity.c."""
    header = struct.unpack_from(footer.HEADER, image.read_bytes()[-footer.BLOCK_SIZE :])
    data_size, digest_size, root = header[4], header[14], header[16]
    return f"nexus.verity={data_size // footer.BLOCK_SIZE},{root[:digest_size].hex()}"


def linux_turn(
    peer: "Peer", subjects: list[str], disk: Path, more: str = "", harts: int = 1
) -> dict[str, tuple[float, str]]:
    """One boot's medians. Linux now and then waits for the disk for ever; such a boot is told of and repeated."""
    about = f"linux {subjects[0]}"
    options = {"SMP": str(harts), "DISK": str(disk)}
    for tries_left in reversed(range(TRIES)):
        try:
            text = peer.boot(about, subjects, SETTLE_SECONDS, options, more, TIMEOUT_SECONDS)
            break
        except BenchError as error:
            if tries_left == 0:
                raise
            progress(f"{error}; once more")
    for name, reason in machine.judge(text, subjects).items():
        progress(f"{about}: {name}: {reason}")
    return medians(text)


def on_two_harts(rates: dict[str, tuple[float, str]]) -> dict[str, tuple[float, str]]:
    return {f"{name}{TWO_HARTS}": value for name, value in rates.items()}


def measure(peer: "Peer") -> list[Rate]:
    blocks, files = throughput.block_disk(), throughput.file_disk()
    linux: list[dict[str, tuple[float, str]]] = []
    ours: list[dict[str, tuple[float, str]]] = []
    for turn in range(TURNS):
        progress(f"rates: turn {turn + 1} of {TURNS}")
        linux.append(
            linux_turn(peer, ["block-throughput"], blocks)
            | linux_turn(peer, ["file-throughput"], files, verity_argument(files))
            | on_two_harts(linux_turn(peer, ["file-throughput"], files, verity_argument(files), harts=2))
        )
        ours.append(
            throughput.our_turn("block-throughput", blocks)
            | throughput.our_turn("file-cold", files)
            | on_two_harts(throughput.our_turn("file-cold", files, harts=2))
        )
    found: list[Rate] = []
    for name, (_, unit) in linux[0].items():
        same = SAME_AS.get(name, name)
        pairs = [(one[name][0], two[same][0]) for one, two in zip(linux, ours) if name in one and same in two]
        if len(pairs) != TURNS:
            raise BenchError(f"{name}: not measured on both sides in each turn")
        found.append(
            Rate(
                name,
                unit,
                statistics.median(pair[0] for pair in pairs),
                statistics.median(pair[1] for pair in pairs),
                statistics.median(pair[1] / pair[0] for pair in pairs),
            )
        )
    missing = [name for name in TARGETS if name not in {each.name for each in found}]
    if missing:
        raise BenchError(f"Linux did not measure {' '.join(missing)}; console logs: {machine.RESULTS}")
    return found


def lines(rates: list[Rate]) -> list[str]:
    text = [f"  {'by the clock':36} {'Linux':>14} {'Nexus':>14} {'ratio':>7}"]
    text += [
        f"  {each.name:36} {each.linux:14,.0f} {each.ours:14,.0f} {each.ratio:7.2f}  {each.unit:4}  {each.verdict}".rstrip()
        for each in rates
    ]
    return text
