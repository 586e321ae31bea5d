# SPDX-License-Identifier: Apache-2.0
"""What the report of a kernel panic must hold, and the verdict on a boot log that should have one."""

import re
from dataclasses import dataclass
from pathlib import Path

import monitor
from gate import log_lines

END = "neuron: panic end, halted"
BODY = "neuron: panic   "
HEADER = re.compile(r"neuron: panic hart=(?P<hart>[0-3]): (?P<message>.*)")
CAUSE = re.compile(r"cause=[0-9]+ \(.+\) value=0x[0-9a-f]+ sstatus=0x[0-9a-f]+")
REGISTER = re.compile(r"\b([a-z][a-z0-9]+)=([0-9a-f]{16})\b")
# x1 to x31 by their names, and the program counter.
REGISTERS = {"pc", "ra", "sp", "gp", "tp", *(f"t{n}" for n in range(7)), *(f"s{n}" for n in range(12))} | {
    f"a{n}" for n in range(8)
}
CALL = re.compile(r"#(?P<number>[0-9]+) 0x(?P<pc>[0-9a-f]+) (?P<name>\S+)\+0x[0-9a-f]+")
OVERFLOW = re.compile(
    r"kernel stack overflow hart=(?P<hart>[0-3]) pc=0x(?P<pc>[0-9a-f]+) sp=0x(?P<sp>[0-9a-f]+)"
    r" stack=0x(?P<bottom>[0-9a-f]+)\.\.0x(?P<top>[0-9a-f]+)"
)
INJECTED = "injected by neuron.fault"
INJECTOR = "fault_injection_on_tick"
RECURSION = "use_stack"
# Where a hart's kernel stack begins: at boot, or, once the hart has run a thread, at a trap (labels of trap.S).
BOTTOMS = {"kernel_boot", "kernel_secondary", "arch_trap_entry", "user_trap", "declined"}
GUARD_BYTES = 4096
HARTS = 4
# Where the kernel maps all of physical memory: docs/adr/0001.
DIRECT_MAP = 0xFFFFFFC000000000


@dataclass
class Report:
    """The first panic of a log, from its header to its end."""

    hart: int
    message: str
    body: list[str]
    calls: list[re.Match[str]]

    def names(self) -> set[str]:
        return {call["name"] for call in self.calls}


def read_report(log: bytes, reasons: list[str]) -> Report | None:
    """The report, with what is wrong with its frame added to `reasons`; None when there is none."""
    lines = log_lines(log)
    at = next((number for number, line in enumerate(lines) if HEADER.fullmatch(line)), None)
    if at is None:
        reasons.append("no panic report")
        return None
    header = HEADER.fullmatch(lines[at])
    assert header is not None
    if END not in lines[at:]:
        reasons.append(f"the report has no end: {END}")
        end = len(lines)
    else:
        end = lines.index(END, at)
        reasons += [f"after the end of the report: {line}" for line in lines[end + 1 :] if line]
    inside = lines[at + 1 : end]
    reasons += [f"in the middle of the report: {line}" for line in inside if line and not line.startswith(BODY)]
    body = [line.removeprefix(BODY).strip() for line in inside if line.startswith(BODY)]
    calls = [call for line in body if (call := CALL.fullmatch(line))]
    return Report(int(header["hart"]), header["message"], body, calls)


def judge_body(report: Report, hart: int) -> list[str]:
    """What any report must hold."""
    reasons = [] if report.hart == hart else [f"hart {report.hart} instead of {hart} panicked"]
    seen = {name for line in report.body for name, _ in REGISTER.findall(line)}
    reasons += [f"no register {name}" for name in sorted(REGISTERS - seen)]
    if [int(call["number"]) for call in report.calls] != list(range(len(report.calls))):
        reasons.append("calls that are not numbered from 0")
    if INJECTOR not in report.names():
        reasons.append(f"no call of {INJECTOR}")
    if not report.names() & BOTTOMS:
        reasons.append(f"no call of {' or '.join(sorted(BOTTOMS))}")
    return reasons


def judge_panic(log: bytes, hart: int) -> list[str]:
    """Every reason why `log` is not that of a boot in which `hart` was made to panic."""
    reasons: list[str] = []
    report = read_report(log, reasons)
    if report is None:
        return reasons
    if report.message != INJECTED:
        reasons.append(f"another panic: {report.message}")
    return reasons + judge_body(report, hart)


def judge_overflow(log: bytes, hart: int) -> list[str]:
    """Every reason why `log` is not that of a boot in which `hart` ran out of kernel stack."""
    reasons: list[str] = []
    report = read_report(log, reasons)
    if report is None:
        return reasons
    overflow = OVERFLOW.fullmatch(report.message)
    if overflow is None:
        return [*reasons, f"another panic: {report.message}"]
    if not any(CAUSE.fullmatch(line) for line in report.body):
        reasons.append("no cause of the trap")
    if int(overflow["hart"]) != hart:
        reasons.append(f"the report names hart {overflow['hart']}")
    bottom, top, sp = (int(overflow[name], 16) for name in ("bottom", "top", "sp"))
    if not bottom - GUARD_BYTES <= sp < bottom < top:
        reasons.append(f"sp {sp:#x} is not below the stack {bottom:#x}..{top:#x}")
    if report.calls and (report.calls[0]["name"] != RECURSION or report.calls[0]["pc"] != overflow["pc"]):
        reasons.append(f"the first call is {report.calls[0][0]}")
    return reasons + judge_body(report, hart)


def judge_neighbours(log: bytes, socket: Path, scratch: Path) -> list[str]:
    """Why memory beside the stack that overflowed is not intact: QEMU, which still runs, shows it.

    The guard page below is memory that nobody uses. It still holds what the machine began with, zeros;
    so nothing was written to it, nor, by a stack that grows in steps far below its size, beyond it. The
    page above the stack's top is the next hart's guard.
    """
    report = read_report(log, [])
    overflow = OVERFLOW.fullmatch(report.message) if report is not None else None
    if overflow is None:
        return ["no overflow is reported"]
    bottom, top = (int(overflow[name], 16) - DIRECT_MAP for name in ("bottom", "top"))
    pages = {"below": bottom - GUARD_BYTES}
    if int(overflow["hart"]) < HARTS - 1:
        pages["above"] = top
    reasons = []
    with monitor.Monitor(socket) as connection:
        for where, address in pages.items():
            connection.execute("pmemsave", val=address, size=GUARD_BYTES, filename=str(scratch))
            if any(scratch.read_bytes()):
                reasons.append(f"the page {where} the stack, {address:#x}, was written")
        connection.execute("pmemsave", val=bottom, size=GUARD_BYTES, filename=str(scratch))
        if not any(scratch.read_bytes()):
            reasons.append(f"the stack at {bottom:#x} was never used: the wrong memory was looked at")
    return reasons
