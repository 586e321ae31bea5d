# SPDX-License-Identifier: Apache-2.0
"""Rows whose figure is not a count of instructions in one subject."""

import sys

from machine import RESULTS, TIMEOUT_SECONDS, BenchError, progress
from qemu_boot import ROOT, Boot

sys.path.insert(0, str(ROOT / "tests" / "qemu"))

from gate import Topology, expectation, judge  # noqa: E402  (after the path)

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
