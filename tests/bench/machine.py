# SPDX-License-Identifier: Apache-2.0
"""Boots of the release kernel with the benchmark in its archive, counted by tools/qemu-meter."""

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import meter
from qemu_boot import BUILD, Boot

KERNEL = BUILD / "neuron-release.elf"
ARCHIVE = BUILD / "bench.cpio"
RESULTS = BUILD / "bench"
POLL_SECONDS = 0.1
TIMEOUT_SECONDS = 180

# Of the kernel: where each trap begins, and what each device interrupt comes by.
TRAP_ENTRY = "arch_trap_entry"
INTERRUPT_CLAIM = "arch_irq_claim"

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
    values: dict[str, dict[str, list[int]]]
    failures: dict[str, str]


quiet = False  # where the counts are one test among many


def progress(text: str) -> None:
    if not quiet:
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


@cache
def interrupt_span() -> str:
    """The plugin's option that counts from a trap over the PLIC claim to user space."""
    command = ["riscv64-unknown-elf-nm", str(KERNEL)]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    symbols = {fields[2]: fields[0] for fields in map(str.split, listing.splitlines()) if len(fields) == 3}
    addresses = [symbols.get(name) for name in (TRAP_ENTRY, INTERRUPT_CLAIM)]
    return f",span={addresses[0]}:{addresses[1]}" if all(addresses) else ""


def run(
    about: str,
    subjects: list[str],
    smp: int = 1,
    icount: bool = True,
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
        "APPEND": "nexus.bench=" + ",".join(subjects),
    }
    if icount:
        machine |= {"ICOUNT": "1", "METER": f"out={counts}{interrupt_span()}{meter_options}"}
    with Boot(stem.with_suffix(".log"), machine | (options or {})) as boot:
        text = follow(boot, about, len(subjects), TIMEOUT_SECONDS)
        if boot.process.returncode != 0:
            raise BenchError(f"{about}: QEMU ended: {boot.complaint()}; console log: {boot.log}")
    record = meter.read_record(counts) if icount else meter.Record()
    # One that fails before its loop has no region.
    regions = {name: found[-1] for name, found in zip(BEGIN.findall(text), record.subjects) if found}
    values: dict[str, dict[str, list[int]]] = {}
    for name, key, value in VALUE.findall(text):
        values.setdefault(name, {}).setdefault(key, []).append(int(value))
    return Run(record, regions, values, judge(text, subjects))
