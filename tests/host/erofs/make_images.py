#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the source trees and the EROFS images that the EROFS reader's tests compare.

usage: make_images.py OUTPUT all|small

OUTPUT/tree and OUTPUT/many are source trees; OUTPUT/*.img are images of them, each made with other
options of mkfs.erofs. `small` makes only OUTPUT/small.img and OUTPUT/small-chunks.img, which hold
every kind of object in a few blocks and serve as the start of mutations.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BLOCK = 4096
TIMESTAMP = 1704067200

# Where inline tails, whole blocks and chunk borders begin and end.
SIZES = [0, 1, 2, 31, 511, 512, 513, 1500, 4000, 4032, 4064]
SIZES += [blocks * BLOCK + extra for blocks in (1, 2, 3, 16, 32) for extra in (-1, 0, 1, 77)]
SIZES += [300 * 1024 + 123]

# mkfs.erofs 1.5 cuts names of 255 bytes to 254: that length is tested on a handmade image.
# Prefixes of each other, bytes on both sides of '.', and bytes above 127: a sort order must hold.
NAMES = ["a", "a!", "aa", "ab", "a.b", "...", "..a", ".hidden", "-dash", "+plus", "~tilde"]
NAMES += ["space in name", "\u00e9t\u00e9", "\u4e16\u754c", "Z", "_", "x" * 254, "x" * 253]


def content(size: int, seed: int) -> bytes:
    """Bytes that differ from block to block and from file to file."""
    state = seed * 2654435761 % 2**32 | 1
    words = bytearray()
    while len(words) < size:
        state = (state * 1664525 + 1013904223) % 2**32
        words += state.to_bytes(4, "little")
    return bytes(words[:size])


def tree_make(root: Path) -> None:
    (root / "sizes").mkdir(parents=True)
    for size in SIZES:
        (root / "sizes" / f"size-{size}").write_bytes(content(size, size + 1))
    (root / "names").mkdir()
    for index, name in enumerate(NAMES):
        (root / "names" / name).write_bytes(content(20 + index, index))
    (root / "empty-directory").mkdir()

    deep = root
    for level in range(40):
        deep = deep / f"level{level}"
    deep.mkdir(parents=True)
    (deep / "leaf").write_text("deep leaf\n")

    links = root / "links"
    links.mkdir()
    for name, target in {
        "relative": "target",
        "absolute": "/sizes/size-513",
        "up": "../sizes/size-1",
        "above-root": "../../../../sizes/size-2",
        "to-directory": "../level0/level1",
        "to-link": "relative",
        "slashed": "../sizes//",
        "slashed-file": "target/",
        "dangling": "nowhere",
        "loop": "loop",
        "ping": "pong",
        "pong": "ping",
        "long": "./" * 400 + "target",
        "root": "/",
    }.items():
        os.symlink(target, links / name)
    (links / "target").write_text("the target\n")
    os.symlink("chain1", links / "chain0")
    for index in range(1, 41):
        os.symlink(f"chain{index + 1}", links / f"chain{index}")
    (links / "chain41").write_text("end of chain\n")

    (root / "hard").mkdir()
    (root / "hard" / "one").write_bytes(content(5000, 9))
    os.link(root / "hard" / "one", root / "hard" / "two")
    os.link(root / "hard" / "one", root / "hard" / "three")

    os.mkfifo(root / "fifo")
    os.chmod(root / "hard" / "one", 0o751)

    # Holes at the start, in the middle and at the end, and one chunk content twice.
    with (root / "sparse").open("wb") as sparse:
        sparse.truncate(40 * BLOCK + 100)
        for block in (3, 4, 5, 20, 21):
            sparse.seek(block * BLOCK)
            sparse.write(content(BLOCK, block if block != 21 else 3))


def many_make(root: Path) -> None:
    root.mkdir()
    for index in range(10000):
        (root / f"entry-{index}").touch()


def small_make(root: Path) -> None:
    (root / "dir" / "sub").mkdir(parents=True)
    (root / "dir" / "sub" / "file").write_bytes(content(700, 1))
    (root / "dir" / "two-blocks").write_bytes(content(BLOCK + 50, 2))
    (root / "dir" / "empty").touch()
    os.symlink("dir/sub/file", root / "link")
    os.symlink("/dir/../dir", root / "absolute")
    os.symlink("loop", root / "loop")
    os.link(root / "dir" / "two-blocks", root / "hard")
    os.mkfifo(root / "fifo")
    for index in range(12):
        (root / f"n{index:02}").write_text("x" * index)


def mkfs(image: Path, tree: Path, *options: str) -> None:
    environment = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    command = ["mkfs.erofs", "--quiet", "-x-1", f"-T{TIMESTAMP}", "--all-root"]
    subprocess.run(
        [*command, *options, str(image), str(tree)],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[2] not in ("all", "small"):
        print("usage: make_images.py OUTPUT all|small", file=sys.stderr)
        return 2
    output = Path(sys.argv[1])
    if sys.argv[2] == "small":
        small_make(output / "small")
        mkfs(output / "small.img", output / "small", "-Eforce-inode-extended")
        mkfs(output / "small-chunks.img", output / "small", f"--chunksize={BLOCK}")
        return 0

    tree, many = output / "tree", output / "many"
    tree_make(tree)
    many_make(many)
    mkfs(output / "compact.img", tree, "-Eforce-inode-compact")
    mkfs(output / "extended.img", tree, "-Eforce-inode-extended")
    mkfs(output / "noinline.img", tree, "-Enoinline_data")
    mkfs(output / "blockmap.img", tree, f"--chunksize={BLOCK}", "-Eforce-inode-blockmap")
    mkfs(output / "indexes.img", tree, f"--chunksize={2 * BLOCK}", "-Eforce-chunk-indexes")
    mkfs(output / "compressed.img", tree, "-zlz4")
    mkfs(output / "many.img", many)
    return 0


if __name__ == "__main__":
    sys.exit(main())
