#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the made seeds of the fuzz targets into tests/fuzz/corpus/TARGET/made-*: sound inputs, to mutate.

Run it by hand after changing it, from anywhere; it needs a built build/ and writes what is there anew.
The other seeds, found-*, are what long runs found: one input for each edge that no other reaches
(`./nexus fuzz TARGET minimize`). The inputs of virtio_blk are bytes of choices: that target has
only those. The images of erofs are mkfs.erofs's, of a tree with every kind of object.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "mk-pkgfs-img"))

from footer import header_make  # noqa: E402  # needs the path above

CORPUS = ROOT / "tests" / "fuzz" / "corpus"

# ---- device trees ------------------------------------------------------------------------------


def fdt_seeds() -> dict[str, bytes]:
    seeds = {}
    for source in sorted((ROOT / "tests/host/parsers/fixtures").glob("*.dts")):
        command = ["dtc", "-f", "-q", "-q", "-q", "-I", "dts", "-O", "dtb", str(source)]
        seeds[source.stem] = subprocess.run(command, capture_output=True, check=True).stdout
    seeds["virt-one-hart"] = (ROOT / "build/virt-nexus-smp1.dtb").read_bytes()
    return seeds


# ---- executables -------------------------------------------------------------------------------

PT_LOAD, PT_TLS = 1, 7
EXECUTE, WRITE, READ = 1, 2, 4


def elf(headers: list[tuple[int, int, int, int, int, int, int]], entry: int = 0x10210) -> bytes:
    """Headers are (type, flags, offset, address, bytes in the file, bytes in memory, alignment)."""
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = ident + struct.pack("<HHIQQQIHHHHHH", 2, 243, 1, entry, 64, 0, 0, 64, 56, len(headers), 0, 0, 0)
    for kind, flags, offset, address, file_bytes, memory_bytes, alignment in headers:
        head += struct.pack(
            "<IIQQQQQQ", kind, flags, offset, address, address, file_bytes, memory_bytes, alignment
        )
    return (head + bytes(0x200 - len(head)) + b"\x13\x00\x00\x00" * 64)[:0x300]


def elf_seeds() -> dict[str, bytes]:
    text = (PT_LOAD, READ | EXECUTE, 0x200, 0x10200, 0x80, 0x80, 0x1000)
    data = (PT_LOAD, READ | WRITE, 0x280, 0x12280, 0x40, 0x1800, 0x1000)
    constants = (PT_LOAD, READ, 0x2C0, 0x142C0, 0x40, 0x40, 0x1000)
    tls = (PT_TLS, READ, 0x280, 0x12280, 0x20, 0x40, 16)
    return {
        "text": elf([text]),
        "text-and-data": elf([text, data]),
        "all": elf([text, data, constants, tls]),
        "overlap": elf([text, text]),
        "writable-code": elf([(PT_LOAD, 7, 0x200, 0x10200, 0x80, 0x80, 0x1000)]),
    }


# ---- archives ----------------------------------------------------------------------------------


def cpio(entries: list[tuple[str, int, bytes]]) -> bytes:
    archive = b""
    for name, mode, data in [*entries, ("TRAILER!!!", 0, b"")]:
        fields = [1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        archive += b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        archive += bytes(-len(archive) % 4) + data
        archive += bytes(-len(archive) % 4)
    return archive


def cpio_seeds() -> dict[str, bytes]:
    return {
        "empty": cpio([]),
        "one-file": cpio([("etc/file", 0o100644, b"hello\n")]),
        "some": cpio([("etc", 0o040755, b""), ("etc/file", 0o100644, b"x" * 33), ("empty", 0o100644, b"")]),
    }


# ---- messages ----------------------------------------------------------------------------------

# The order of the roots in the target, and what each says.
MESSAGES: list[tuple[str, str, list[str]]] = [
    (
        "schemas/virtio_blk.capnp",
        "Request",
        [
            "(info=void)",
            "(read=(lba=1,count=8,memoryOffset=4096))",
            "(openQueue=(noticeBits=1))",
            "(attach=void)",
            "(detach=(slot=3))",
            "(checkQueue=void)",
        ],
    ),
    (
        "schemas/virtio_blk.capnp",
        "Response",
        ["(status=3,empty=void)", '(read=(bytesRead=512,reason="no"))', "(info=(sectors=800,sectorSize=512))"],
    ),
    (
        "schemas/package_fs.capnp",
        "Request",
        ['(open=(path="etc/motd",release=2))', "(fetch=(node=1,offset=0,length=4096))", '(stat=(path="a"))']
        + ['(list=(path="/",cookie=7))', '(readLink=(path="l"))', "(close=(node=9))"],
    ),
    (
        "schemas/package_fs.capnp",
        "Response",
        ["(report=(blocks=100,blockSize=4096))", '(list=(entries=[(name="a",node=1),(name="b",size=2)],done=true))']
        + ["(open=(node=1,size=2,mode=292,type=regular,valid=2))", '(readLink=(target="t"))'],
    ),
    (
        "schemas/uart.capnp",
        "Request",
        ['(write=(data="hello"))', '(readLine=(prompt="nx> "))', "(readBytes=(maximum=5))"]
        + ['(setCompletions=(words=["hw smp","help",""]))', "(flush=void)", "(watchInterrupt=(bits=8))"],
    ),
    (
        "schemas/uart.capnp",
        "Response",
        ["(report=(bytesIn=1))", '(readLine=(line="a",endOfFile=true))', '(readBytes=(data="b"))'],
    ),
    ("tests/host/capnp/everything.capnp", "Everything", ["()"]),
    ("tests/host/capnp/everything.capnp", "Older", ["()"]),
    ("tests/host/capnp/everything.capnp", "Newer", ["()"]),
]


def capnp_seeds() -> dict[str, bytes]:
    seeds = {}
    for number, (schema, root, texts) in enumerate(MESSAGES):
        for index, text in enumerate(texts):
            command = ["capnp", "encode", str(ROOT / schema), root]
            message = subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout
            # Without the stream framing of a message of one segment.
            seeds[f"{Path(schema).stem}-{root.lower()}-{index}"] = bytes([number]) + message[8:]
    return seeds


# ---- keys --------------------------------------------------------------------------------------


def console_seeds() -> dict[str, bytes]:
    return {
        "line": b"hw smp\r",
        "editing": b"abc def\x01\x1b[C\x1b[C\x04\x05\x17\x15\x0b\x7f\x02\x06x\r",
        "history": b"one\rtwo\r\x1b[A\x1b[A\x1b[B\x10\x0e\r",
        "completion": b"h\t\tw\thw s\t\t\rcat pkg\t",
        "unicode": "é世界𝄞".encode() + b"\x08\x1b[D\x02x\x1b[3~\r",
        "broken-unicode": b"\xc3a\xe4\xb8\xed\xa0\x80\xf5\xf0\x9d\xffok\r",
        "long": b"0123456789" * 27 + b"\x01\x05\x02\x02y\r",
        "log-line": b"ab\x00cd\x1b[D\x00\r",
        "control": b"x\x03\x0c\x04\x1b\x1b[999;5Q\x1bOA\r\n\n",
    }


# ---- signed headers ----------------------------------------------------------------------------

DEVELOPMENT_KEY_ID = bytes.fromhex("df0ee37a18163635")
SIGNED = b"\x04"  # KIND_SIGNED


def verity_seeds() -> dict[str, bytes]:
    whole = header_make(1, 70 * 4096, 4 * 4096, bytes(64), DEVELOPMENT_KEY_ID)
    return {
        "signed": SIGNED + whole,
        "signed-old": SIGNED + header_make(0, 70 * 4096, 4 * 4096, bytes(64), DEVELOPMENT_KEY_ID),
        "signed-larger-disk": SIGNED + whole + struct.pack("<Q", 76 * 4096),
        "signed-one-block": SIGNED + header_make(9, 4096, 4096, bytes(64), DEVELOPMENT_KEY_ID),
    }


TARGETS = {
    "fdt": fdt_seeds,
    "elf": elf_seeds,
    "cpio": cpio_seeds,
    "capnp": capnp_seeds,
    "console": console_seeds,
    "verity": verity_seeds,
}


def main() -> int:
    for target, make in TARGETS.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        seeds = make()
        for name, content in seeds.items():
            (folder / f"made-{name}").write_bytes(content)
        print(f"seeds: {target} made={len(seeds)} bytes={sum(map(len, seeds.values()))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
