# SPDX-License-Identifier: Apache-2.0
"""Where the instructions of one operation go: blocks of a profile, by function, block or source line.

A block's address alone does not name its program, since all programs are linked to the same place. Its
code does: the program is the one whose file has these bytes at that address.
"""

import bisect
import re
import struct
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import machine
from meter import FIRMWARE, KERNEL, USER, Block
from qemu_boot import BUILD

TOOLS = "riscv64-unknown-elf-"
LOADED = 1  # PT_LOAD
FUNCTION_TYPES = "tTwW"
SHARE_SHOWN = 0.0005  # of the whole


@dataclass(frozen=True)
class Program:
    path: Path
    addresses: list[int]
    names: list[str]
    segments: list[tuple[int, bytes]]

    def has(self, address: int, code: bytes) -> bool:
        return any(
            base <= address and content[address - base : address - base + len(code)] == code
            for base, content in self.segments
        )

    def function(self, address: int) -> tuple[str, int]:
        """The function that holds the address, and the distance from its start."""
        index = bisect.bisect_right(self.addresses, address) - 1
        if index < 0:
            return f"0x{address:x}", 0
        return self.names[index], address - self.addresses[index]


def read_segments(path: Path) -> list[tuple[int, bytes]]:
    data = path.read_bytes()
    offset, size, count = struct.unpack_from("<Q14xHH", data, 32)
    segments = []
    for i in range(count):
        kind, _, at, address, _, length = struct.unpack_from("<IIQQQQ", data, offset + i * size)
        if kind == LOADED:
            segments.append((address, data[at : at + length]))
    return segments


@cache
def read_program(path: Path) -> Program:
    listing = subprocess.run([TOOLS + "nm", "-n", str(path)], check=True, capture_output=True, text=True)
    functions: dict[int, str] = {}
    for line in listing.stdout.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] in FUNCTION_TYPES and not fields[2].startswith((".", "$")):
            functions[int(fields[0], 16)] = fields[2]
    return Program(path, list(functions), list(functions.values()), read_segments(path))


@cache
def programs() -> list[Program]:
    """The user programs of the boot archive, and the benchmark first: it shares code with all."""
    paths = [BUILD / "source" / "apps" / "bench" / "bench"]
    script = (BUILD / "symbols.gdb").read_text()
    paths += [Path(path) for path in re.findall(r'add-symbol-file "(.*)"', script)]
    return [read_program(path) for path in paths]


def owner(block: Block) -> Program | None:
    if block.part == FIRMWARE:
        return None
    if block.part == KERNEL:
        return read_program(machine.KERNEL)
    return next((program for program in programs() if program.has(block.address, block.code)), None)


def where(block: Block) -> tuple[str, str, int]:
    """Program, function and distance from its start."""
    program = owner(block)
    if program is None:
        return ("firmware" if block.part == FIRMWARE else "user", f"0x{block.address:x}", 0)
    label = "kernel" if block.part == KERNEL else program.path.name
    return label, *program.function(block.address)


@cache
def source_line(path: Path, address: int) -> str:
    """`inner file:line` of the code at the address, the innermost inlined function first."""
    command = [TOOLS + "addr2line", "-e", str(path), "-f", "-i", f"0x{address:x}"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    chain = [f"{name} {Path(place).name}" for name, place in zip(lines[::2], lines[1::2])]
    return " < ".join(chain)


def by_function(blocks: list[Block], rounds: float) -> list[str]:
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for block in blocks:
        label, function, _ = where(block)
        sums[label, function] += block.instructions
    everything = sum(sums.values())
    lines = [f"{'instructions':>14} {'share':>6}  function"]
    for (label, function), count in sorted(sums.items(), key=lambda item: -item[1]):
        if count >= everything * SHARE_SHOWN:
            lines.append(f"{count / rounds:14.1f} {count / everything:6.1%}  {label}: {function}")
    return [*lines, f"{everything / rounds:14.1f} {1:6.1%}  in all, loop and marks included"]


def by_block(blocks: list[Block], rounds: float) -> list[str]:
    sums: dict[tuple[int, int, bytes], list[int]] = defaultdict(lambda: [0, 0])
    for block in blocks:
        entry = sums[block.part, block.address, block.code]
        entry[0] += block.instructions
        entry[1] += block.runs
    everything = sum(count for count, _ in sums.values())
    lines = [f"{'instructions':>14} {'runs':>10}  block"]
    for (part, address, code), (count, runs) in sorted(sums.items(), key=lambda item: item[0][:2]):
        if count < everything * SHARE_SHOWN:
            continue
        block = Block(part, address, count, runs, code)
        label, function, distance = where(block)
        program = owner(block)
        source = source_line(program.path, address) if program is not None else ""
        place = f"{label}: {function}+0x{distance:x}"
        lines.append(f"{count / rounds:14.1f} {runs / rounds:10.2f}  {place:48} {source}")
    return [*lines, f"{everything / rounds:14.1f} {'':>10}  in all, loop and marks included"]
