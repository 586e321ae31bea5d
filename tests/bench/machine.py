# SPDX-License-Identifier: Apache-2.0
"""Boots of the release kernel with the benchmark in its archive, counted by tools/qemu-meter."""

import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import meter
from qemu_boot import BUILD, Boot

KERNEL = BUILD / "neuron-release.elf"
ARCHIVE = BUILD / "bench.cpio"
RESULTS = BUILD / "bench"
POLL_SECONDS = 0.1
TIMEOUT_SECONDS = 600

BEGIN = re.compile(r"bench: begin (\S+)")
END = re.compile(r"bench: end (\S+) (ok|FAIL reason=(.*))")
VALUE = re.compile(r"bench: value (\S+) (\S+)=(\d+)")


class BenchError(Exception):
    """The benchmark could not be run; the text says why and what to look at."""


@dataclass
class Run:
    """One boot: by subject its region, what it said, and why it failed."""

    record: meter.Record
    regions: dict[str, meter.Region]
    values: dict[str, dict[str, int]]
    failures: dict[str, str]


def progress(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def follow(boot: Boot, about: str, count: int, timeout: float) -> str:
    """Show each subject as it begins, until QEMU has ended; return the console's text."""
    begun = 0
    while True:
        ended = boot.process.poll() is not None
        text = boot.read().decode(errors="replace")
        names = BEGIN.findall(text)
        for name in names[begun:]:
            begun += 1
            progress(f"{about}: {begun} of {count}: {name}")
        if ended:
            return text
        if "neuron: panic" in text:
            raise BenchError(f"the kernel panicked; console log: {boot.log}")
        if time.monotonic() > boot.started + timeout:
            raise BenchError(f"{about}: not done after {timeout:.0f} s; console log: {boot.log}")
        time.sleep(POLL_SECONDS)


def judge(text: str, subjects: list[str]) -> dict[str, str]:
    """Why a subject failed, for those that did."""
    ends = {match[1]: match[3] for match in END.finditer(text)}
    failures = {name: reason for name, reason in ends.items() if reason is not None}
    for name in subjects:
        if name not in ends:
            failures[name] = "it did not come to its end"
    return failures


def run(
    about: str,
    subjects: list[str],
    smp: int = 1,
    meter_options: str = "",
    options: dict[str, str] | None = None,
) -> Run:
    """Boot once and do these subjects, in this order."""
    stem = RESULTS / about.replace(" ", "-")
    counts = stem.with_suffix(".counts")
    counts.parent.mkdir(parents=True, exist_ok=True)
    counts.unlink(missing_ok=True)
    machine = {
        "KERNEL": str(KERNEL),
        "INITRD": str(ARCHIVE),
        "SMP": str(smp),
        "ICOUNT": "1",
        "METER": f"out={counts}{meter_options}",
        "APPEND": "nexus.bench=" + ",".join(subjects),
    }
    with Boot(stem.with_suffix(".log"), machine | (options or {})) as boot:
        text = follow(boot, about, len(subjects), TIMEOUT_SECONDS)
        if boot.process.returncode != 0:
            raise BenchError(f"{about}: QEMU ended: {boot.complaint()}; console log: {boot.log}")
    record = meter.read_record(counts)
    failures = judge(text, subjects)
    # Each subject that begins has one region; one that fails before its loop has none.
    measured = [name for name in BEGIN.findall(text) if name not in failures]
    if len(measured) != len(record.regions) and not failures:
        raise BenchError(f"{about}: {len(measured)} subjects, {len(record.regions)} regions in {counts}")
    values: dict[str, dict[str, int]] = {}
    for name, key, value in VALUE.findall(text):
        values.setdefault(name, {})[key] = int(value)
    return Run(record, dict(zip(measured, record.regions)), values, failures)
