# SPDX-License-Identifier: Apache-2.0
"""Rows whose figure is not a count of instructions in one subject."""

import sys
from functools import cache
from pathlib import Path

from machine import RESULTS, TIMEOUT_SECONDS, BenchError, progress
from qemu_boot import ROOT, Boot

sys.path.insert(0, str(ROOT / "tests" / "qemu"))

import latency  # noqa: E402  (after the path)
from gate import Topology, expectation, judge  # noqa: E402

MEBIBYTES = (16, 20, 24, 28, 32, 48, 64)


def boots_with(mebibytes: int) -> bool:
    log = RESULTS / f"memory-{mebibytes}m.log"
    options = {"SMP": "4", "MEMORY": f"{mebibytes}M", "APPEND": "nexus.selftest=1 nexus.poweroff=1"}
    with Boot(log, options) as machine:
        outcome = machine.wait(TIMEOUT_SECONDS)
    return outcome.end == "exit" and outcome.status == 0 and not judge(outcome.log, expectation(Topology()))


def least_memory() -> float:
    """The least RAM in MiB with which four harts boot and every marker of the self-tests comes."""
    for mebibytes in MEBIBYTES:
        progress(f"memory: {mebibytes} MiB")
        if boots_with(mebibytes):
            return mebibytes
    raise BenchError(f"the self-tests do not pass with {MEBIBYTES[-1]} MiB; console logs: {RESULTS}")


@cache
def longest() -> tuple[int, int]:
    """Kernel instructions of the longest stretch with interrupts off, and of the longest lock hold."""
    stretch = hold = 0
    RESULTS.mkdir(parents=True, exist_ok=True)
    for number, options in enumerate(latency.SUITE):
        about = " ".join(f"{name}={Path(value).name}" for name, value in options.items())
        progress(f"latency: boot {number + 1} of {len(latency.SUITE)}: {about}")
        log = RESULTS / f"latency-{number}.log"
        found, outcome = latency.measure(log, {"APPEND": latency.SELFTEST} | options, TIMEOUT_SECONDS)
        if outcome.end != "exit" or not found.stretches or not found.holds:
            raise BenchError(f"the boot ended with {outcome.end}; console log: {log}")
        stretch, hold = max(stretch, found.stretches[0].kernel), max(hold, found.holds[0].kernel)
    return stretch, hold


def longest_stretch() -> float:
    return longest()[0]


def longest_hold() -> float:
    return longest()[1]
