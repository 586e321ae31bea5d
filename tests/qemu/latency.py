#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Longest stretches with interrupts off, longest lock holds and the length of the boot, in instructions.

`measure` boots with the plugin of tools/qemu-latency and reads what it wrote. As a program it prints
an account by function: latency.py [--kernel ELF] [NAME=VALUE...], options of scripts/run-qemu-rv64.sh.
"""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import kills  # noqa: E402  (after the path)
from qemu_boot import BUILD, Boot, Outcome  # noqa: E402

PLUGIN = BUILD / "tools" / "qemu-latency" / "latency.so"
RELEASE_KERNEL = BUILD / "neuron-release.elf"
TOOLS = "riscv64-unknown-elf-"
# Functions of core/lock.c and core/lock_inline.h.
ACQUIRES = {"lock_acquire", "lock_wait", "lock_try", "lock_try_acquire_fast"}
RELEASES = {"lock_release", "lock_release_fast"}
ATOMIC = re.compile(r"(sc|amo\w+)\.[wd]")
INSTRUCTION = re.compile(r"\s*([0-9a-f]+):\s+(\S+)")
FUNCTIONS_SHOWN = 8
# Instructions of the release kernel.
STRETCH_BUDGET = 20000
HOLD_BUDGET = 2000
SELFTEST = "nexus.selftest=1 nexus.poweroff=1"
# As the profile attack-fuzz, and of the services that die uartd, too.
FUZZ = "fuzz,100000,20261125"
EVERY_SERVICE = "block+packages+console"
# The boots over which `./nexus bench` looks: self-tests, programs that attack, services that die.
SUITE = (
    {"SMP": "1"},
    {"SMP": "2"},
    {"SMP": "3"},
    {"SMP": "4"},
    {"SMP": "4", "VIRTIO": "legacy"},
    {"SMP": "4", "DISK": "none"},
    {"SMP": "4", "DTB": "qemu"},
    {"SMP": "4", "MEMORY": "16M"},
    {"SMP": "4", "MEMORY": "1G"},
    {"SMP": "4", "INITRD": str(BUILD / "attack.cpio"), "APPEND": "nexus.attack=all"},
    {"SMP": "4", "INITRD": str(BUILD / "attack.cpio"), "APPEND": f"nexus.attack={FUZZ}"},
    {"SMP": "4"} | kills.options(EVERY_SERVICE, 20, 5),
)


@dataclass
class Finding:
    """One stretch or hold: what it cost the kernel and how that divides among functions."""

    hart: int
    kernel: int
    firmware: int
    spin: int
    place: str
    functions: Counter[str] = field(default_factory=Counter)

    def account(self) -> str:
        parts = (f"{name} {count}" for name, count in self.functions.most_common(FUNCTIONS_SHOWN))
        return ", ".join(parts)


@dataclass
class Latency:
    """What one boot showed; both lists are longest first."""

    boot_kernel: int = 0
    boot_firmware: int = 0
    boot_functions: Counter[str] = field(default_factory=Counter)
    stretch_count: int = 0
    hold_count: int = 0
    still_held: int = 0
    stretches: list[Finding] = field(default_factory=list)
    holds: list[Finding] = field(default_factory=list)


class Symbols:
    """Functions by address."""

    def __init__(self, kernel: Path) -> None:
        lines = run_tool("nm", "-n", kernel).splitlines()
        self.symbols = [
            (int(words[0], 16), words[2])
            for words in (line.split() for line in lines)
            if len(words) == 3 and words[1] in "tT" and not words[2].startswith((".L", "$"))
        ]
        self.offset = next((address for address, _ in self.symbols), 0) & ~0xFFFFFFFF

    def name(self, address: int) -> str:
        if address < self.offset:  # before translation is on
            address += self.offset
        low, high = 0, len(self.symbols)
        while low < high:
            middle = (low + high) // 2
            if self.symbols[middle][0] <= address:
                low = middle + 1
            else:
                high = middle
        return self.symbols[low - 1][1] if low else hex(address)


def run_tool(tool: str, *arguments: object, stdin: str | None = None) -> str:
    command = [TOOLS + tool, *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout


def inlined_from(kernel: Path, addresses: list[int]) -> dict[int, set[str]]:
    """For each address, the functions that its instruction belongs to, inlined ones included."""
    answer = run_tool("addr2line", "-a", "-i", "-f", "-e", kernel, stdin="\n".join(map(hex, addresses)))
    chains: dict[int, set[str]] = {}
    lines = iter(answer.splitlines())
    chain: set[str] = set()
    for line in lines:
        if line.startswith("0x"):
            chain = chains.setdefault(int(line, 16), set())
        else:
            chain.add(line)
            next(lines)  # file and line
    return chains


def lock_sites(kernel: Path) -> str:
    """The plugin's list of the instructions that take and give locks."""
    atomics: list[int] = []
    stores: list[int] = []
    code: list[int] = []
    for line in run_tool("objdump", "-d", "--no-show-raw-insn", "-j", ".text", kernel).splitlines():
        match = INSTRUCTION.match(line)
        if match is None:
            continue
        address, mnemonic = int(match[1], 16), match[2]
        code.append(address)
        if ATOMIC.match(mnemonic):
            atomics.append(address)
        elif mnemonic in ("sw", "sd"):
            stores.append(address)
    chains = inlined_from(kernel, code)
    sites = [f"acquire {address:x}" for address in atomics if chains[address] & ACQUIRES]
    sites += [f"release {address:x}" for address in stores + atomics if chains[address] & RELEASES]
    return "\n".join(sites + lock_functions(code, chains)) + "\n"


def lock_functions(code: list[int], chains: dict[int, set[str]]) -> list[str]:
    """Runs of instructions that belong to a lock function."""
    ranges: list[str] = []
    start: int | None = None
    for address in code:
        inside = bool(chains[address] & (ACQUIRES | RELEASES))
        if inside and start is None:
            start = address
        elif not inside and start is not None:
            ranges.append(f"lock {start:x} {address:x}")
            start = None
    return ranges


def parse(text: str, symbols: Symbols) -> Latency:
    result = Latency()
    functions = result.boot_functions
    for line in text.splitlines():
        kind, *words = line.split()
        if kind in ("block", "boot-block"):
            target = functions if kind == "block" else result.boot_functions
            target[symbols.name(int(words[0], 16))] += int(words[1]) * int(words[2])
        elif kind in ("stretch", "hold"):
            hart, kernel, firmware, spin = map(int, words[:4])
            finding = Finding(hart, kernel, firmware, spin, symbols.name(int(words[4], 16)))
            functions = finding.functions
            (result.stretches if kind == "stretch" else result.holds).append(finding)
        elif kind == "boot":
            result.boot_kernel, result.boot_firmware = map(int, words)
        elif kind == "total":
            result.stretch_count, result.hold_count, result.still_held = map(int, words)
    for findings in (result.stretches, result.holds):
        findings.sort(key=lambda finding: finding.kernel, reverse=True)
    return result


def measure(
    log: Path,
    options: dict[str, str],
    timeout: float,
    kernel: Path = RELEASE_KERNEL,
) -> tuple[Latency, Outcome]:
    """Boot counting instructions; what the plugin saw, and how the boot went."""
    sites = log.with_suffix(".sites")
    sites.write_text(lock_sites(kernel))
    written = log.with_suffix(".latency")
    arguments = ("-plugin", f"{PLUGIN},out={written},sites={sites}")
    with Boot(log, {"ICOUNT": "1", "KERNEL": str(kernel)} | options, arguments) as machine:
        outcome = machine.wait(timeout)
    return parse(written.read_text(), Symbols(kernel)), outcome


def main() -> int:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    kernel = Path(options.get("KERNEL", RELEASE_KERNEL))
    log = BUILD / "latency.log"
    result, outcome = measure(log, {"SMP": "1"} | options, 600, kernel)
    print(f"boot ended: {outcome.end}, status {outcome.status}")
    print(f"to the first user instruction: {result.boot_kernel} (firmware {result.boot_firmware})")
    for name, count in result.boot_functions.most_common(20):
        print(f"    {count:>8} {name}")
    counts = f"{result.stretch_count} stretches, {result.hold_count} holds, {result.still_held} unmatched"
    print(counts)
    for title, findings in (("stretches", result.stretches), ("holds", result.holds)):
        print(title)
        for finding in findings[:25]:
            print(
                f"  {finding.kernel:>7} +{finding.firmware} firmware +{finding.spin} spinning"
                f" hart{finding.hart} {finding.place}: {finding.account()}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
