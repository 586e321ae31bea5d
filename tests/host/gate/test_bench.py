# SPDX-License-Identifier: Apache-2.0
"""The judge of the benchmark's record must be able to fail, and figures say what they were measured on."""

import contextlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "bench"), str(ROOT / "tests" / "qemu"), str(ROOT / "scripts")]

import bench  # noqa: E402  (after the path)
import origin  # noqa: E402
import record  # noqa: E402
import run  # noqa: E402
from profiles import Profile, counts_are_as_recorded  # noqa: E402
from rows import BY_NAME  # noqa: E402


class RecordTest(unittest.TestCase):
    """Against a record of 1,000 for each operation, with a budget of 1,010, 1,500 or just that."""

    RECORDED = 1000.0

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        file = Path(scratch.name) / "record.json"
        file.write_text(json.dumps(dict.fromkeys(record.NAMES, self.RECORDED)))
        patch = mock.patch.object(record, "RECORD", file)
        patch.start()
        self.addCleanup(patch.stop)

    def judged(self, name: str, figure: float | None, budget: float) -> tuple[list[str], list[str]]:
        """Reasons and notes, when this operation has that figure and all others are as recorded."""
        figures: dict[str, float | None] = dict.fromkeys(record.NAMES, self.RECORDED)
        rows = {each: replace(BY_NAME[each], budget=budget) for each in record.NAMES}
        with mock.patch.object(record, "BY_NAME", rows):
            return record.worse(figures | {name: figure}), record.better(figures | {name: figure})

    def test_what_is_as_recorded_passes_without_a_note(self) -> None:
        for budget in (self.RECORDED, 1500):
            for name in record.NAMES:
                self.assertEqual(self.judged(name, self.RECORDED, budget), ([], []))

    def test_two_per_cent_more_pass_below_the_budget(self) -> None:
        for name in record.NAMES:
            self.assertEqual(self.judged(name, 1020, 1500), ([], []))

    def test_over_two_per_cent_more_is_a_reason_of_each_operation(self) -> None:
        for name in record.NAMES:
            reasons, notes = self.judged(name, 1021, 1500)
            self.assertEqual(len(reasons), 1)
            self.assertTrue(reasons[0].startswith(f"{name}: 1,021 instructions, recorded 1,000 (+2.1%): "), reasons)
            self.assertIn("./nexus bench --record", reasons[0])
            self.assertEqual(notes, [])

    def test_a_count_over_the_budget_is_a_reason_within_two_per_cent_too(self) -> None:
        for name in record.NAMES:
            self.assertEqual(self.judged(name, 1010, 1010), ([], []))
            reasons, _ = self.judged(name, 1010.25, 1010)
            self.assertEqual(len(reasons), 1)
            self.assertTrue(reasons[0].startswith(f"{name}: 1,010.25 instructions, budget 1,010 ("), reasons)
            self.assertNotIn("--record", reasons[0])

    def test_a_record_over_the_budget_does_not_lift_it(self) -> None:
        reasons, _ = self.judged("signal", self.RECORDED, 990)
        self.assertEqual(len(reasons), len(record.NAMES))

    def test_what_was_not_counted_is_a_reason(self) -> None:
        self.assertEqual(self.judged("map", None, 1500), (["map: not counted"], []))

    def test_over_two_per_cent_less_is_a_note_and_no_reason(self) -> None:
        for name in record.NAMES:
            self.assertEqual(self.judged(name, 980, 1500), ([], []))
            reasons, notes = self.judged(name, 979, 1500)
            self.assertEqual(reasons, [])
            self.assertEqual(
                notes,
                [
                    f"{name}: 979 instructions, recorded 1,000, better than recorded by 2.1%: "
                    "./nexus bench --record keeps it"
                ],
            )


class NoteTest(unittest.TestCase):
    def test_a_profile_that_passes_with_a_note_shows_it(self) -> None:
        def passes(profile: Profile, log: Path) -> list[str]:
            profile.notes.append(f"{log.name} is better")
            return []

        tally = run.Tally()
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            run.run_profiles([Profile("some", "about", passes)], tally)
        self.assertIn("note: some.log is better", shown.getvalue())
        self.assertEqual(tally.counts, {"passed": 1, "failed": 0, "skipped": 0})

    def test_the_profile_bench_notes_what_got_better_and_fails_for_what_got_worse(self) -> None:
        recorded = record.read()
        with tempfile.TemporaryDirectory() as scratch, mock.patch.object(bench, "measure") as measure:
            for factor, failed, noted in ((1.0, 0, 0), (0.9, 0, len(recorded)), (1.1, len(recorded), 0)):
                measure.return_value = [bench.Result(BY_NAME[name], recorded[name] * factor) for name in record.NAMES]
                profile = Profile("bench", "counts", counts_are_as_recorded)
                reasons = profile.run(profile, Path(scratch) / "bench.log")
                self.assertEqual((len(reasons), len(profile.notes)), (failed, noted))


class OfTheTreeTest(unittest.TestCase):
    def test_the_record_of_the_tree_is_of_these_operations_and_within_their_budgets(self) -> None:
        recorded = record.read()
        self.assertEqual(set(recorded), set(record.NAMES))
        self.assertEqual(record.worse(dict(recorded)), [])


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
