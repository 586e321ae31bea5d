#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mk-pkgfs-img: builds the image behind pkg:// from a directory tree.

Layout of the image, in 4 KiB blocks:

    [ EROFS file system          ]
    [ dm-verity hash tree        ]  with --sign or --sign-with (hash_tree.py)
    [ signed footer, one block   ]  the same (footer.py)

The image depends on nothing but the key, the version number, and the names, link targets, contents and
executable places of what goes in: not on the machine, user, umask, clock, directory order, inode numbers or file system. The
tree is staged into a fresh directory (no hard links, no extended attributes, modes fixed here, names
created in sorted order), and mkfs.erofs runs with a fixed time, UUID and owner. The bytes do depend
on the version of mkfs.erofs; Debian 12 has 1.5.

Beside OUTPUT, OUTPUT.sums lists "SHA-256  path" of each regular file, sorted by path.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath

from footer import SignError, footer_make
from hash_tree import BLOCK_SIZE, tree_make

TIMESTAMP = 1704067200  # 2024-01-01T00:00:00Z
UUID = "6e657875-7300-4b70-8067-667372763131"

EXECUTABLE_DIRECTORY = "bin"
FIXTURES_DIRECTORY = "fixtures"

# mkfs.erofs 1.5 cuts longer names to this, and says nothing.
NAME_MAX = 254

# Big enough for several 128 KiB transfers, and not a multiple of any block size.
LARGE_PATH = "fixtures/large.bin"
LARGE_SIZE = 300 * 1024 + 123


class BuildError(Exception):
    """Something the user can put right; its text says what."""


def large_content(size: int = LARGE_SIZE) -> bytes:
    """Bytes of fixtures/large.bin: the top byte of each state of a 32-bit linear congruential
    generator (multiplier 1664525, increment 1013904223) that starts at 1."""
    state = 1
    content = bytearray(size)
    for index in range(size):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        content[index] = state >> 24
    return bytes(content)


def destination_check(text: str) -> str:
    """Returns a relative path inside the image in its one spelling, or refuses it."""
    path = PurePosixPath(text)
    if path.is_absolute() or not path.parts or ".." in path.parts:
        raise BuildError(f"'{text}' is not a path inside the image")
    return str(path)


class Contents:
    """What goes into the image: directories, links and files by their path in it."""

    def __init__(self) -> None:
        self.directories: set[str] = set()
        self.links: dict[str, str] = {}
        self.files: dict[str, Path | bytes] = {}

    def add_parents(self, path: str) -> None:
        for name in PurePosixPath(path).parts:
            if len(os.fsencode(name)) > NAME_MAX:
                raise BuildError(f"'{path}': a name of more than {NAME_MAX} bytes")
        for parent in PurePosixPath(path).parents:
            if str(parent) == ".":
                continue
            if str(parent) in self.files or str(parent) in self.links:
                raise BuildError(f"'{path}': '{parent}' is not a directory")
            self.directories.add(str(parent))

    def add_file(self, path: str, source: Path | bytes) -> None:
        if path in self.files or path in self.links or path in self.directories:
            raise BuildError(f"'{path}' would be in the image twice")
        self.add_parents(path)
        self.files[path] = source

    def add_tree(self, root: Path, prefix: str = "") -> None:
        if not root.is_dir():
            raise BuildError(f"'{root}' is not a directory")
        for name in sorted(os.listdir(root)):
            source = root / name
            path = f"{prefix}{name}"
            mode = source.lstat().st_mode
            if stat.S_ISLNK(mode):
                self.add_parents(path)
                self.links[path] = os.readlink(source)
            elif stat.S_ISDIR(mode):
                self.add_parents(path)
                self.directories.add(path)
                self.add_tree(source, f"{path}/")
            elif stat.S_ISREG(mode):
                self.add_file(path, source)
            else:
                raise BuildError(f"'{source}' is neither file, directory nor symbolic link")

    def stage(self, root: Path) -> None:
        """Writes everything below `root`, in an order and with modes that depend on paths only."""
        for path in sorted(self.directories):
            os.mkdir(root / path)
        for path in sorted(self.files):
            source = self.files[path]
            content = source if isinstance(source, bytes) else source.read_bytes()
            (root / path).write_bytes(content)
            executable = PurePosixPath(path).parts[0] == EXECUTABLE_DIRECTORY
            os.chmod(root / path, 0o755 if executable else 0o644)
        for path in sorted(self.links):
            os.symlink(self.links[path], root / path)
        # Modes of directories last: the umask may have been anything.
        for path in sorted(self.directories):
            os.chmod(root / path, 0o755)
        os.chmod(root, 0o755)

    def sums(self, root: Path) -> str:
        lines = []
        for path in sorted(self.files):
            digest = hashlib.sha256((root / path).read_bytes()).hexdigest()
            lines.append(f"{digest}  {path}\n")
        return "".join(lines)


def mkfs(tool: str, stage: Path, image: Path) -> None:
    command = [
        tool,
        "--quiet",
        "-x-1",  # no extended attributes, whatever the staging file system attaches
        f"-T{TIMESTAMP}",
        f"-U{UUID}",
        "--all-root",
        str(image),
        str(stage),
    ]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BuildError(f"'{tool}' not found: install erofs-utils") from None
    if result.returncode != 0:
        raise BuildError(f"{tool} failed:\n{result.stdout}{result.stderr}")
    size = image.stat().st_size
    padding = -size % BLOCK_SIZE
    if padding:
        with image.open("ab") as output:
            output.write(bytes(padding))


def contents_gather(arguments: argparse.Namespace) -> Contents:
    contents = Contents()
    if arguments.fixtures:
        fixtures = arguments.tree / FIXTURES_DIRECTORY
        contents.directories.add(FIXTURES_DIRECTORY)
        contents.add_tree(fixtures, f"{FIXTURES_DIRECTORY}/")
    else:
        contents.add_tree(arguments.tree)
        contents.add_file(LARGE_PATH, large_content())
    for addition in arguments.add:
        path, separator, source = addition.partition("=")
        if not separator or not source:
            raise BuildError(f"--add '{addition}': expected PATH-IN-IMAGE=FILE")
        if not Path(source).is_file():
            raise BuildError(f"--add '{addition}': no file '{source}'")
        contents.add_file(destination_check(path), Path(source))
    return contents


def build(arguments: argparse.Namespace) -> None:
    contents = contents_gather(arguments)
    output: Path = arguments.output
    output.parent.mkdir(parents=True, exist_ok=True)
    # Finished files replace the old ones at once: nobody sees half an image.
    with tempfile.TemporaryDirectory(prefix="mk-pkgfs-img-") as scratch:
        stage = Path(scratch) / "stage"
        image = Path(scratch) / "image"
        stage.mkdir()
        contents.stage(stage)
        mkfs(arguments.mkfs, stage, image)
        publish(sealed(image.read_bytes(), arguments), output)
        publish(contents.sums(stage).encode(), Path(f"{output}.sums"))


def sealed(data: bytes, arguments: argparse.Namespace) -> bytes:
    """The file system with its tree and footer, if it is to be signed."""
    secret: Path | None = arguments.sign
    if arguments.sign_with is not None:
        secret = Path(arguments.sign_with.read_text().strip())
    if secret is None:
        return data
    tree, root = tree_make(data)
    return data + tree + footer_make(arguments.image_version, len(data), len(tree), root, secret)


def publish(content: bytes, target: Path) -> None:
    partial = Path(f"{target}.partial")
    partial.write_bytes(content)
    os.replace(partial, target)


def arguments_parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="mk-pkgfs-img", description="Build the image behind pkg:// from a directory tree."
    )
    parser.add_argument("--tree", type=Path, required=True, help="directory that becomes pkg://")
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="PATH=FILE",
        help="also put FILE at PATH, for example bin/hello=build/hello.elf; repeatable",
    )
    parser.add_argument("--output", type=Path, required=True, help="image to write")
    parser.add_argument(
        "--fixtures",
        action="store_true",
        help="only TREE/fixtures, without the generated large file: the image that is small "
        "enough for the boot archive",
    )
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--sign", type=Path, metavar="KEY", help="sign with this minisign secret key")
    key.add_argument(
        "--sign-with", type=Path, metavar="FILE", help="sign with the key whose path is in FILE"
    )
    parser.add_argument(
        "--image-version", type=int, default=0, help="what roll-back is judged by; default 0"
    )
    parser.add_argument("--mkfs", default="mkfs.erofs", help="mkfs.erofs to run")
    return parser.parse_args()


def main() -> int:
    # Root's path: mkfs tools live in sbin on some machines, which users do not always search.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    try:
        build(arguments_parse())
    except (BuildError, SignError, OSError) as error:
        print(f"mk-pkgfs-img: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
