#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Build the boot archive: a deterministic cpio "newc" with every file's data on a 4096-byte boundary.

    mk-initrd.py --output initrd.cpio [--strip STRIP] [--gdb-script FILE] NAME=PATH ...

Same inputs, same bytes: entries are sorted by name, inode numbers count from 1, and owner, times and
device are 0. ELF files lose their debug sections; the gdb script loads them from the originals.

newc gives data only 4-byte alignment. A member that would start elsewhere is preceded by a filler
member named `.align`, whose zero bytes bring the next member's data to a page boundary, so that the
loader can map a program from the archive instead of copying it. Any cpio reads the result.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = 4096
HEADER_SIZE = 110
REGULAR_READ_EXECUTE = 0o100555
REGULAR_READ = 0o100444
ELF_MAGIC = b"\x7fELF"
FILLER = ".align"
TRAILER = "TRAILER!!!"


def align(value: int, to: int) -> int:
    return (value + to - 1) // to * to


def member(inode: int, name: str, data: bytes, mode: int) -> bytes:
    """One archive member; its length and that of its header and name are multiples of 4."""
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name.encode()) + 1, 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    body = header.ljust(align(len(header), 4), b"\0") + data
    return body.ljust(align(len(body), 4), b"\0")


def data_offset(offset: int, name: str) -> int:
    """Where the data of a member called `name` lies when the member starts at `offset`."""
    return align(offset + HEADER_SIZE + len(name.encode()) + 1, 4)


def filler(offset: int, name: str) -> bytes:
    """The member to put at `offset` so that the data of `name` after it starts on a page."""
    if data_offset(offset, name) % PAGE == 0:
        return b""
    after_empty = data_offset(offset, FILLER)
    missing = -data_offset(after_empty, name) % PAGE
    return member(0, FILLER, bytes(missing), REGULAR_READ)


def load(path: Path, strip: str | None) -> bytes:
    data = path.read_bytes()
    if strip is None or not data.startswith(ELF_MAGIC):
        return data
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run([strip, "--strip-all", "-o", stripped.name, str(path)], check=True)
        return Path(stripped.name).read_bytes()


def gdb_quote(path: Path) -> str:
    return '"' + str(path.resolve()).replace("\\", "\\\\").replace('"', '\\"') + '"'


def main() -> int:
    parser = argparse.ArgumentParser(description="build the boot archive")
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--strip", help="strip program for ELF files")
    parser.add_argument("--gdb-script", type=Path, help="write add-symbol-file lines for the ELF files")
    parser.add_argument("files", nargs="*", metavar="NAME=PATH")
    arguments = parser.parse_args()

    members: dict[str, Path] = {}
    for word in arguments.files:
        name, separator, path = word.partition("=")
        if not separator or not name or name in members:
            parser.error(f"not NAME=PATH, or the name is taken: {word}")
        members[name] = Path(path)

    archive = b""
    symbols: list[str] = []
    for inode, (name, path) in enumerate(sorted(members.items()), start=1):
        data = load(path, arguments.strip)
        is_program = data.startswith(ELF_MAGIC)
        mode = REGULAR_READ_EXECUTE if is_program else REGULAR_READ
        archive += filler(len(archive), name)
        archive += member(inode, name, data, mode)
        if is_program:
            symbols.append(f"add-symbol-file {gdb_quote(path)}\n")
    archive += member(0, TRAILER, b"", 0)
    arguments.output.write_bytes(archive.ljust(align(len(archive), PAGE), b"\0"))
    if arguments.gdb_script is not None:
        arguments.gdb_script.write_text("".join(symbols))
    return 0


if __name__ == "__main__":
    sys.exit(main())
