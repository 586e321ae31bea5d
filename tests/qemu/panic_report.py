# SPDX-License-Identifier: Apache-2.0
"""What the report of a kernel panic must hold, and the verdict on a boot log that should have one."""

import re
from dataclasses import dataclass
from pathlib import Path

import monitor
from gate import log_lines
from mutants import KERNEL, MutantError, program_path, run_tool

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
HARTS = 4
# struct hart_stacks (arch/riscv/stacks.h): for each hart two stacks, each above a guard page.
PAGE_BYTES = 4096
GUARDS = {"emergency stack": 0, "stack": 2 * PAGE_BYTES}
STACK_OFFSET = 3 * PAGE_BYTES
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


def stacks_of_kernel() -> tuple[int, int]:
    """Where the kernel's stacks begin, and the bytes of one hart's."""
    for line in run_tool("nm", "--print-size", str(program_path(KERNEL))).splitlines():
        words = line.split()
        if words[-1] == "arch_stacks":
            return int(words[0], 16), int(words[1], 16) // HARTS
    raise MutantError("the kernel has no arch_stacks")


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
    stacks, size = stacks_of_kernel()
    if (bottom, top) != (stacks + hart * size + STACK_OFFSET, stacks + (hart + 1) * size):
        reasons.append(f"{bottom:#x}..{top:#x} is not hart {hart}'s stack")
    if not bottom - PAGE_BYTES <= sp < bottom:
        reasons.append(f"sp {sp:#x} is not below the stack {bottom:#x}..{top:#x}")
    if report.calls and (report.calls[0]["name"] != RECURSION or report.calls[0]["pc"] != overflow["pc"]):
        reasons.append(f"the first call is {report.calls[0][0]}")
    return reasons + judge_body(report, hart)


def judge_neighbours(hart: int, socket: Path, scratch: Path) -> list[str]:
    """Why memory beside the stack that overflowed is not intact: QEMU, which still runs, shows it.

    Nobody uses a guard page. Each still holds what the machine began with, zeros; so nothing was written
    to one, nor, by a stack that grows in steps far below its size, beyond it. Where they are is in the
    kernel's symbols, and does not depend on what the report says.
    """
    stacks, size = stacks_of_kernel()
    with monitor.Monitor(socket) as connection:
        connection.execute("pmemsave", val=stacks - DIRECT_MAP, size=HARTS * size, filename=str(scratch))
    memory = scratch.read_bytes()
    reasons = []
    for owner in range(HARTS):
        for where, offset in GUARDS.items():
            at = owner * size + offset
            if any(memory[at : at + PAGE_BYTES]):
                reasons.append(f"the guard page below hart {owner}'s {where} was written")
    bottom = hart * size + STACK_OFFSET
    if not any(memory[bottom : bottom + PAGE_BYTES]):
        reasons.append(f"hart {hart}'s stack was never used to its bottom: the wrong memory was looked at")
    return reasons
