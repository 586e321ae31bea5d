# SPDX-License-Identifier: Apache-2.0
"""The benchmark's judge must be able to fail, and its figures say what they were measured on."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "qemu"), str(ROOT / "scripts")]

import origin  # noqa: E402  (after the path)


@unittest.skipUnless(shutil.which("git"), "no git")
class RevisionTest(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = Path(scratch.name)

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(self.root), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self) -> str:
        self.git("init", "--quiet")
        (self.root / "file").write_text("one\n")
        self.git("add", "file")
        self.git("commit", "--quiet", "--no-verify", "--message", "one")
        return self.git("rev-parse", "HEAD")

    def test_a_clean_tree_has_its_revision(self) -> None:
        head = self.commit()
        self.assertEqual(origin.revision(self.root), head)

    def test_a_changed_file_marks_the_revision(self) -> None:
        head = self.commit()
        (self.root / "file").write_text("two\n")
        self.assertEqual(origin.revision(self.root), f"{head}-dirty")

    def test_a_file_that_git_does_not_know_marks_the_revision(self) -> None:
        head = self.commit()
        (self.root / "other").write_text("one\n")
        self.assertEqual(origin.revision(self.root), f"{head}-dirty")

    def test_a_folder_outside_of_git_has_none(self) -> None:
        self.assertEqual(origin.revision(self.root), "unknown")

    def test_an_archive_unpacked_inside_another_repository_has_none(self) -> None:
        self.commit()
        (self.root / "unpacked").mkdir()
        self.assertEqual(origin.revision(self.root / "unpacked"), "unknown")


class UnknownTest(unittest.TestCase):
    def test_without_git_and_qemu_both_are_unknown(self) -> None:
        with mock.patch.object(subprocess, "run", side_effect=FileNotFoundError):
            self.assertEqual(origin.as_json(), {"revision": "unknown", "qemu": "unknown"})

    def test_the_first_line_of_qemu_s_version_is_kept(self) -> None:
        with mock.patch.object(origin, "output", return_value="QEMU emulator version 7.2.22\nCopyright"):
            self.assertEqual(origin.qemu_version(), "QEMU emulator version 7.2.22")


if __name__ == "__main__":
    unittest.main()
