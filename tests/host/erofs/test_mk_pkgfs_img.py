#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mk-pkgfs-img: the same bytes from the same tree, whatever the circumstances; named refusals.

usage: test_mk_pkgfs_img.py MK_PKGFS_IMG PKG_TREE
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = ""
PKG = ""

FILES = {f"dir{i % 7}/sub/file{i}": b"%d\n" % i * (i * 37) for i in range(60)}
FILES["fixtures/a"] = b"fixture"
LINKS = {"dir0/link": "../dir1/sub/file1", "dangling": "nowhere"}


def tree_make(root: Path, seed: int, hard_links: bool) -> None:
    """The tree above, created in a seeded random order with odd modes and times."""
    shuffled = random.Random(seed)
    paths = list(FILES) + list(LINKS)
    shuffled.shuffle(paths)
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path in LINKS:
            os.symlink(LINKS[path], target)
        else:
            target.write_bytes(FILES[path])
            target.chmod(shuffled.choice([0o600, 0o644, 0o755, 0o444]))
            os.utime(target, (seed, seed * 1000))
    if hard_links:
        # Two names that hold the same bytes may be one file in one checkout and two in another.
        (root / "dir0/sub/file0").unlink()
        (root / "dir0/sub/twin").write_bytes(FILES["dir0/sub/file0"])
        os.link(root / "dir0/sub/twin", root / "dir0/sub/file0")
    else:
        (root / "dir0/sub/twin").write_bytes(FILES["dir0/sub/file0"])


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, TOOL, *arguments], capture_output=True, text=True, check=False, **options
    )  # type: ignore[call-overload,no-any-return]


class Images(unittest.TestCase):
    def setUp(self) -> None:
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.root = Path(self.scratch.name)
        self.program = self.root / "program"
        self.program.write_bytes(b"\x7fELF program")

    def build(self, output: str, *arguments: str, **options: object) -> bytes:
        image = self.root / output
        result = run(*arguments, "--output", str(image), **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return image.read_bytes()

    def test_two_builds_under_different_circumstances_are_identical(self) -> None:
        images = []
        for seed, umask in ((1, 0o077), (2, 0o000)):
            place = self.root / f"place{seed}"
            place.mkdir()
            os.utime(self.program, (seed, seed))
            self.program.chmod(0o600 if seed == 1 else 0o755)
            tree_make(place / "tree", seed, hard_links=seed == 1)
            # Another file system for the staging where there is one: other directory order.
            memory = Path("/dev/shm")
            scratch = place / "tmp"
            if seed == 2 and os.access(memory, os.W_OK):
                scratch = Path(tempfile.mkdtemp(dir=memory))
                self.addCleanup(os.rmdir, scratch)
            scratch.mkdir(exist_ok=True)
            environment = dict(os.environ, TMPDIR=str(scratch), TZ=f"UTC+{seed}")
            environment["LC_ALL"] = "C" if seed == 1 else "C.UTF-8"
            images.append(
                self.build(
                    f"out{seed}/image",
                    "--tree",
                    "tree",
                    "--add",
                    f"bin/program={self.program}",
                    cwd=place,
                    env=environment,
                    umask=umask,
                )
            )
            self.assertEqual(list(scratch.iterdir()), [], "left-over staging files")
        self.assertEqual(
            hashlib.sha256(images[0]).hexdigest(), hashlib.sha256(images[1]).hexdigest()
        )
        self.assertEqual(
            (self.root / "out1/image.sums").read_bytes(),
            (self.root / "out2/image.sums").read_bytes(),
        )
        self.assertEqual(len(images[0]) % 4096, 0)

    def test_a_changed_byte_or_name_changes_the_image(self) -> None:
        tree_make(self.root / "tree", 1, hard_links=False)
        before = self.build("before", "--tree", str(self.root / "tree"))
        (self.root / "tree/fixtures/a").write_bytes(b"Fixture")
        self.assertNotEqual(before, self.build("after", "--tree", str(self.root / "tree")))

    def test_sums_list_every_regular_file_sorted(self) -> None:
        tree_make(self.root / "tree", 1, hard_links=False)
        self.build("i", "--tree", str(self.root / "tree"), "--add", f"bin/p={self.program}")
        expected = dict(FILES)
        expected["dir0/sub/twin"] = FILES["dir0/sub/file0"]
        expected["bin/p"] = self.program.read_bytes()
        lines = (self.root / "i.sums").read_text().splitlines()
        paths = [line.split("  ", 1)[1] for line in lines]
        self.assertEqual(paths, sorted(paths))
        self.assertEqual(set(paths), set(expected) | {"fixtures/large.bin"})
        for line in lines:
            digest, path = line.split("  ", 1)
            if path != "fixtures/large.bin":
                self.assertEqual(digest, hashlib.sha256(expected[path]).hexdigest(), path)

    def test_large_file_is_the_one_its_description_gives(self) -> None:
        self.build("i", "--tree", PKG)
        state, content = 1, bytearray()
        for _ in range(300 * 1024 + 123):
            state = (state * 1664525 + 1013904223) % 2**32
            content.append(state // 2**24)
        digest = hashlib.sha256(content).hexdigest()
        self.assertIn(f"{digest}  fixtures/large.bin\n", (self.root / "i.sums").read_text())

    def test_fixtures_image_is_small_and_holds_fixtures_only(self) -> None:
        image = self.build("i", "--tree", PKG, "--fixtures")
        self.assertLessEqual(len(image), 16384)
        paths = [line.split("  ")[1] for line in (self.root / "i.sums").read_text().splitlines()]
        self.assertIn("fixtures/hello.txt", paths)
        self.assertEqual([path for path in paths if not path.startswith("fixtures/")], [])

    def test_standard_tool_accepts_the_image(self) -> None:
        self.build("i", "--tree", PKG, "--add", f"bin/program={self.program}")
        environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
        result = subprocess.run(
            ["fsck.erofs", str(self.root / "i")], env=environment, capture_output=True, check=False
        )
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_wrong_inputs_are_refused_by_name(self) -> None:
        tree_make(self.root / "tree", 1, hard_links=False)
        tree = str(self.root / "tree")
        long_tree = self.root / "long"
        long_tree.mkdir()
        (long_tree / ("n" * 255)).touch()
        fifo_tree = self.root / "fifo"
        fifo_tree.mkdir()
        os.mkfifo(fifo_tree / "pipe")
        good = f"={self.program}"
        for arguments, message in (
            (["--tree", str(self.root / "nowhere")], "is not a directory"),
            (["--tree", tree, "--add", "bin/x"], "expected PATH-IN-IMAGE=FILE"),
            (["--tree", tree, "--add", f"bin/x={self.root}/nowhere"], "no file"),
            (["--tree", tree, "--add", f"../x{good}"], "not a path inside the image"),
            (["--tree", tree, "--add", f"/x{good}"], "not a path inside the image"),
            (["--tree", tree, "--add", f"fixtures/a{good}"], "in the image twice"),
            (["--tree", tree, "--add", f"dir0{good}"], "in the image twice"),
            (["--tree", tree, "--add", f"fixtures/a/b{good}"], "is not a directory"),
            (["--tree", str(long_tree)], "more than 254 bytes"),
            (["--tree", str(fifo_tree)], "neither file, directory nor symbolic link"),
            (["--tree", tree, "--mkfs", "no-such-mkfs"], "install erofs-utils"),
            (["--tree", tree, "--mkfs", "false"], "false failed"),
        ):
            with self.subTest(arguments=arguments):
                output = self.root / "refused"
                result = run(*arguments, "--output", str(output))
                self.assertEqual(result.returncode, 1)
                self.assertIn(message, result.stderr)
                self.assertFalse(output.exists())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("usage: test_mk_pkgfs_img.py MK_PKGFS_IMG PKG_TREE", file=sys.stderr)
        sys.exit(2)
    TOOL, PKG = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
