# SPDX-License-Identifier: Apache-2.0
"""Mutants: copies of what a boot is made of with one cause removed each, for the counterfactuals.

A mutant changes the machine code that is tested, not the sources: no build knows of it, and no product
contains a switch for it. `Returns` makes a function return a number at once, `Faults` makes it crash,
`Without` blanks one instruction, `Yields` fixes the result of one, `Flipped` changes a byte of a file in the
boot archive, `Tree` edits the device tree.
A function, instruction, file or property that is not there is an error: a mutant cannot go stale silently.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from qemu_boot import BUILD

TOOLS = "riscv64-unknown-elf-"
KERNEL = "neuron"  # the program of this name is the kernel; others are members of the boot archive
CPIO_HEADER = 110
CPIO_NAME_SIZE_FIELD = slice(94, 102)
CPIO_FILE_SIZE_FIELD = slice(54, 62)
PROGRAM_IN_SCRIPT = re.compile(r'add-symbol-file "(?P<path>[^"]+)"')
INSTRUCTION = re.compile(r"^\s*(?P<address>[0-9a-f]+):\s+(?P<bytes>[0-9a-f]{4,8})\s+(?P<text>.*)$")
NOP = {2: b"\x01\x00", 4: b"\x13\x00\x00\x00"}
ILLEGAL = b"\x00\x00"  # defined to be: unprivileged specification, "RVC Instruction Set Listings"
RETURN = 0x00008067  # jalr x0, 0(ra)
LOAD_IMMEDIATE = 0x00000013  # addi rd, x0, imm
A0 = 10
RD_SHIFT = 7
IMMEDIATE_SHIFT = 20
IMMEDIATE_LIMIT = 2048


class MutantError(Exception):
    """What should be changed is not there."""


@dataclass(frozen=True)
class Returns:
    """The function returns `value` before it has done anything."""

    program: str
    function: str
    value: int = 0


@dataclass(frozen=True)
class Faults:
    """The function's first instruction is illegal."""

    program: str
    function: str


@dataclass(frozen=True)
class Without:
    """The function's first instruction whose text matches does nothing."""

    program: str
    function: str
    instruction: str


@dataclass(frozen=True)
class Yields:
    """The function's first instruction whose text matches has `value` as its result."""

    program: str
    function: str
    instruction: str
    value: int


@dataclass(frozen=True)
class Flipped:
    """The byte of the boot archive's file that begins the text is another."""

    file: str
    text: bytes


@dataclass(frozen=True)
class Tree:
    """`fdtput OPTIONS TREE WORDS` edits the profile's device tree."""

    options: tuple[str, ...]
    words: tuple[str, ...]


Mutation = Returns | Faults | Without | Yields | Flipped | Tree


def run_tool(tool: str, *arguments: str) -> str:
    return subprocess.run([TOOLS + tool, *arguments], capture_output=True, text=True, check=True).stdout


def program_path(name: str) -> Path:
    """The program with its symbols, from which the archive's stripped one is made."""
    if name == KERNEL:
        return BUILD / "neuron.elf"
    for match in PROGRAM_IN_SCRIPT.finditer((BUILD / "symbols.gdb").read_text()):
        if Path(match["path"]).name == name:
            return Path(match["path"])
    raise MutantError(f"the boot archive has no program {name}")


def function_address(name: str, function: str) -> int:
    for line in run_tool("nm", str(program_path(name))).splitlines():
        words = line.split()
        if words[1:] in (["t", function], ["T", function]):
            return int(words[0], 16)
    raise MutantError(f"{name} has no function {function}")


def load_immediate(register: int, value: int) -> bytes:
    if not -IMMEDIATE_LIMIT <= value < IMMEDIATE_LIMIT:
        raise MutantError(f"{value} is not an immediate of 12 bits")
    code = LOAD_IMMEDIATE | register << RD_SHIFT | (value & 0xFFF) << IMMEDIATE_SHIFT
    return code.to_bytes(4, "little")


def find_instruction(mutation: Without | Yields) -> tuple[int, bytes]:
    """Address and code of the instruction to change."""
    path = str(program_path(mutation.program))
    for line in run_tool("objdump", "-d", f"--disassemble={mutation.function}", path).splitlines():
        match = INSTRUCTION.match(line)
        if match is not None and re.search(mutation.instruction, match["text"]):
            return int(match["address"], 16), bytes.fromhex(match["bytes"])[::-1]
    raise MutantError(f"{mutation.function} has no instruction {mutation.instruction}")


def file_offset(elf: bytes, address: int) -> int:
    """Where the byte that is loaded at `address` lies in the file."""

    def number(at: int, size: int) -> int:
        return int.from_bytes(elf[at : at + size], "little")

    for index in range(number(56, 2)):
        header = number(32, 8) + index * number(54, 2)
        offset, start, size = number(header + 8, 8), number(header + 16, 8), number(header + 32, 8)
        if start <= address < start + size:
            return offset + address - start
    raise MutantError(f"no segment holds {address:#x}")


def archive_members(archive: bytes) -> dict[str, slice]:
    """Where each file's bytes lie in the boot archive (cpio newc)."""
    members: dict[str, slice] = {}
    at = 0
    while archive[at : at + 6] == b"070701":
        name_size = int(archive[at:][CPIO_NAME_SIZE_FIELD], 16)
        size = int(archive[at:][CPIO_FILE_SIZE_FIELD], 16)
        name = archive[at + CPIO_HEADER : at + CPIO_HEADER + name_size - 1].decode()
        data = (at + CPIO_HEADER + name_size + 3) & ~3
        members[name] = slice(data, data + size)
        at = (data + size + 3) & ~3
    return members


class Copies:
    """The changed copies of kernel, boot archive and device tree, made when first needed."""

    def __init__(self, stem: Path, tree: Path) -> None:
        self.stem = stem
        self.sources = {"KERNEL": BUILD / "neuron.elf", "INITRD": BUILD / "initrd.cpio", "DTB": tree}
        self.contents: dict[str, bytearray] = {}

    def content(self, option: str) -> bytearray:
        return self.contents.setdefault(option, bytearray(self.sources[option].read_bytes()))

    def patch(self, program: str, address: int, code: bytes) -> None:
        option = "KERNEL" if program == KERNEL else "INITRD"
        data = self.content(option)
        whole = slice(0, len(data)) if program == KERNEL else archive_members(bytes(data))[program]
        at = whole.start + file_offset(bytes(data[whole]), address)
        data[at : at + len(code)] = code

    def apply(self, mutation: Mutation) -> None:
        match mutation:
            case Returns(program, function, value):
                code = load_immediate(A0, value) + RETURN.to_bytes(4, "little")
                self.patch(program, function_address(program, function), code)
            case Faults(program, function):
                self.patch(program, function_address(program, function), ILLEGAL)
            case Without(program, _, _):
                address, code = find_instruction(mutation)
                self.patch(program, address, NOP[len(code)])
            case Yields(program, _, text, value):
                address, code = find_instruction(mutation)
                if len(code) != len(NOP[4]):
                    raise MutantError(f"{text} is a compressed instruction")
                register = int.from_bytes(code, "little") >> RD_SHIFT & 31
                self.patch(program, address, load_immediate(register, value))
            case Flipped(file, text):
                data = self.content("INITRD")
                place = archive_members(bytes(data))[file]
                at = bytes(data[place]).find(text)
                if at < 0:
                    raise MutantError(f"{file} does not contain {text!r}")
                data[place.start + at] ^= 1
            case Tree(options, words):
                path = self.stem.with_suffix(".dtb")
                path.write_bytes(self.content("DTB"))
                subprocess.run(["fdtput", *options, str(path), *words], check=True)
                self.contents["DTB"] = bytearray(path.read_bytes())

    def write(self) -> dict[str, str]:
        """The runner's options that boot the copies."""
        options: dict[str, str] = {}
        for option, data in self.contents.items():
            path = self.stem.with_suffix(f".{option.lower()}")
            path.write_bytes(data)
            options[option] = str(path)
        return options


def make(mutations: tuple[Mutation, ...], stem: Path, tree: Path) -> dict[str, str]:
    """Make the copies beside `stem`, a path without its suffix in use; `tree` is the device tree to edit."""
    copies = Copies(stem, tree)
    for mutation in mutations:
        copies.apply(mutation)
    return copies.write()
