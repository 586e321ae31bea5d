#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mk-pkgfs-img: the same bytes from the same tree, whatever the circumstances; named refusals.

Signed images are judged by veritysetup, minisign and fsck.erofs, by the commands of
docs/storage/package_fs.md.

usage: test_mk_pkgfs_img.py MK_PKGFS_IMG PKG_TREE
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = ""
PKG = ""

KEYS = Path(__file__).resolve().parents[3] / "tools/mk-pkgfs-img/development-key"
DOCUMENT = Path(__file__).resolve().parents[3] / "docs/storage/package_fs.md"
BLOCK = 4096

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

    def signed(self, output: str, *arguments: str) -> bytes:
        tree = self.root / "signed-tree"
        if not tree.is_dir():
            tree_make(tree, 1, hard_links=False)
        key = () if "--sign" in arguments else ("--sign", str(KEYS / "minisign.key"))
        return self.build(output, "--tree", str(tree), *key, *arguments)

    def documented_check(self, image: Path, key: Path) -> subprocess.CompletedProcess[str]:
        """Runs the commands that the document gives for checking an image, each of which must succeed."""
        block = re.search(r"<!-- check-image.*?```sh\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
        self.assertIsNotNone(block)
        assert block is not None
        environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin", image=str(image), key=str(key))
        command = ["bash", "-euo", "pipefail", "-c", block[1]]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def test_standard_tools_accept_the_parts_of_a_signed_image(self) -> None:
        self.signed("i", "--image-version", "3")
        result = self.documented_check(self.root / "i", KEYS / "minisign.pub")
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("signature verified", result.stdout)

    def test_standard_tools_refuse_damage_in_each_part(self) -> None:
        image = self.signed("i")
        data = struct.unpack_from("<Q", image, len(image) - BLOCK + 24)[0]
        for at in (1024 + 40, data + BLOCK + 5, len(image) - BLOCK + 300, len(image) - BLOCK + 560):
            with self.subTest(at=at):
                damaged = bytearray(image)
                damaged[at] ^= 1
                (self.root / "damaged").write_bytes(damaged)
                result = self.documented_check(self.root / "damaged", KEYS / "minisign.pub")
                self.assertNotEqual(result.returncode, 0)

    def test_the_tree_is_the_one_that_veritysetup_makes(self) -> None:
        image = self.signed("i")
        data, _, tree = struct.unpack_from("<QQQ", image, len(image) - BLOCK + 24)
        self.assertGreater(data // BLOCK, 64)  # two levels
        salt = image[-BLOCK + 128 : -BLOCK + 256].hex()
        uuid = image[-BLOCK + 96 : -BLOCK + 112].hex()
        (self.root / "data").write_bytes(image[:data])
        dashed = "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]))
        result = subprocess.run(
            ["veritysetup", "format", str(self.root / "data"), str(self.root / "tree")]
            + ["--hash=blake2b-512", f"--salt={salt}", f"--uuid={dashed}"],
            env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin"),
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual((self.root / "tree").read_bytes(), image[data : data + tree])
        self.assertIn(image[-BLOCK + 256 : -BLOCK + 320].hex(), result.stdout)

    def test_signing_twice_gives_the_same_bytes_and_another_version_or_key_does_not(self) -> None:
        image = self.signed("one", "--image-version", "1")
        self.assertEqual(image, self.signed("again", "--image-version", "1"))
        self.assertNotEqual(image, self.signed("two", "--image-version", "2"))
        secret, public = self.root / "own.key", self.root / "own.pub"
        command = ["minisign", "-G", "-W", "-s", str(secret), "-p", str(public)]
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        self.assertNotEqual(image, self.signed("own", "--image-version", "1", "--sign", str(secret)))
        self.assertEqual(self.documented_check(self.root / "own", public).returncode, 0)
        self.assertNotEqual(self.documented_check(self.root / "own", KEYS / "minisign.pub").returncode, 0)

    def test_the_key_of_NEXUS_SIGN_KEY_is_the_one_that_is_trusted(self) -> None:
        trust = Path(TOOL).parent / "mk-package-trust.py"
        secret, public, output = self.root / "own.key", self.root / "own.pub", self.root / "trust"
        command = ["minisign", "-G", "-W", "-s", str(secret), "-p", str(public)]
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        for chosen, key in (("", KEYS / "minisign.pub"), (str(secret), public)):
            command = [sys.executable, str(trust), "--minimum-version", "4", "--output", str(output)]
            environment = dict(os.environ, NEXUS_SIGN_KEY=chosen)
            subprocess.run(command, env=environment, check=True)
            lines = output.read_text().splitlines()
            self.assertIn(f"key {key.read_text().splitlines()[1]}", lines)
            self.assertEqual(sum(line.startswith("key ") for line in lines), 1)
            self.assertIn("minimum-image-version 4", lines)
            self.assertEqual(any("DEVELOPMENT" in line for line in lines), chosen == "")
        environment = dict(os.environ, NEXUS_SIGN_KEY=str(self.root / "nowhere"))
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("no key file", result.stderr)

    def test_a_relative_NEXUS_SIGN_KEY_is_meant_from_where_nexus_was_typed(self) -> None:
        place, tools = self.root / "place", self.root / "tools"
        for directory in (place, tools, self.root / "scripts", self.root / "build"):
            directory.mkdir()
        (self.root / "build/build.ninja").touch()
        shutil.copy(Path(__file__).resolve().parents[3] / "nexus", self.root / "nexus")
        # ninja runs every command in the build directory.
        for program, text in (
            (self.root / "scripts/setup.sh", "#!/bin/sh\n"),
            (tools / "ninja", '#!/bin/sh\ncd "$2" && echo "key=${NEXUS_SIGN_KEY-none}"\n'),
        ):
            program.write_text(text)
            program.chmod(0o755)
        clean = {name: value for name, value in os.environ.items() if name != "NEXUS_SIGN_KEY"}
        for chosen, wanted in (
            ("own.key", f"{place}/own.key"),
            ("../own.key", f"{place}/../own.key"),
            ("/keys/own.key", "/keys/own.key"),
            ("", ""),
            (None, "none"),
        ):
            with self.subTest(chosen=chosen):
                environment = dict(clean, PATH=f"{tools}:{os.environ['PATH']}")
                environment |= {} if chosen is None else {"NEXUS_SIGN_KEY": chosen}
                result = subprocess.run(
                    ["../nexus", "build"], cwd=place, env=environment, capture_output=True, text=True, check=False
                )
                self.assertEqual(result.stdout, f"key={wanted}\n", result.stderr)

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
            (["--tree", tree, "--sign", "nowhere"], "no key file"),
            (["--tree", tree, "--sign", str(self.program)], "minisign -R failed"),
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
