# SPDX-License-Identifier: Apache-2.0
"""Every marker has a counterfactual: the tables in docs/testing.md against the markers and the profiles.

The rows of the first are `| MARKER | PROFILE | what it removes |`, a marker as tests/markers/ has it. Those of
the second, on other verdicts, are `| PROFILE: verdict | PROFILE | what it removes |`.
"""

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "qemu"), str(ROOT / "scripts")]

import gate  # noqa: E402  (after the path)
import profiles  # noqa: E402

ROW = re.compile(r"^\| `(?P<marker>[^`]+)` \| `(?P<profile>[\w-]+)` \| \S.* \|$", re.MULTILINE)
VERDICT = re.compile(r"^\| `(?P<judged>[\w-]+)`: \S.* \| `(?P<profile>[\w-]+)` \| \S.* \|$", re.MULTILINE)
HEADING = "### Which mutant turns which marker red"
VERDICT_HEADING = "### Which mutant turns which other verdict red"
NAMES = {profile.name: profile for profile in profiles.PROFILES}


def section(heading: str) -> str:
    """What stands under a heading, up to the next one."""
    return re.split(r"\n##", (ROOT / "docs" / "testing.md").read_text().split(heading)[1])[0]


def rows() -> list[tuple[str, str]]:
    return [(match["marker"], match["profile"]) for match in ROW.finditer(section(HEADING))]


def verdicts() -> list[tuple[str, str]]:
    return [(match["judged"], match["profile"]) for match in VERDICT.finditer(section(VERDICT_HEADING))]


def required() -> list[str]:
    """Every marker that some topology requires, as its file has it, each once."""
    texts: list[str] = []
    for path in sorted(gate.MARKER_DIRECTORY.glob("*.txt")):
        wanted = False
        for line in path.read_text().splitlines():
            if line.startswith("["):
                wanted = not line.startswith("[absent")
            elif wanted and line.strip() and not line.startswith("#"):
                texts.append(line.removeprefix("& ").removeprefix("+ "))
    return list(dict.fromkeys(texts))


def turns_red(marker: str, profile: profiles.Profile) -> bool:
    """Whether the profile passes only when the gate has missed the marker, or one hart's of it."""
    topology = profile.topology
    wanted = {each.text for each in gate.expectation(topology).markers()}
    missing = [f"missing: {each.text}" for each in gate.expand(marker, topology) if each.text in wanted]
    return any(re.search(pattern, reason) for pattern in profile.red for reason in missing)


class CounterfactualTest(unittest.TestCase):
    def test_every_required_marker_has_one_row_and_every_row_a_marker(self) -> None:
        self.assertEqual(sorted(marker for marker, _ in rows()), sorted(required()))

    def test_the_profile_of_each_row_exists_and_fails_unless_the_marker_turns_red(self) -> None:
        for marker, name in rows():
            with self.subTest(marker=marker, profile=name):
                self.assertIn(name, NAMES)
                self.assertTrue(turns_red(marker, NAMES[name]))

    def test_each_profile_that_is_red_has_a_row(self) -> None:
        named = {name for _, name in rows() + verdicts()}
        self.assertEqual(sorted(named), sorted(profile.name for profile in profiles.PROFILES if profile.red))

    def test_another_verdict_is_turned_red_by_a_change_that_its_own_profile_does_not_have(self) -> None:
        for judged, name in verdicts():
            with self.subTest(judged=judged, profile=name):
                self.assertIn(judged, NAMES)
                self.assertEqual(NAMES[judged].red, ())
                self.assertTrue(set(NAMES[name].mutations) > set(NAMES[judged].mutations))

    def test_a_profile_that_is_about_something_else_does_not_count(self) -> None:
        self.assertFalse(turns_red("SELFTEST: end", NAMES["red-disk"]))
        self.assertFalse(turns_red("nx: vblk sectors={number}", NAMES["smp4"]))

    def test_a_boot_ended_on_purpose_is_to_blame_for_what_was_before_its_last_marker_only(self) -> None:
        expected = gate.expectation(gate.Topology(smp=1))
        excused = gate.unreached(b"userspace: hello\nvirtioblkd: ready\n", expected)
        self.assertIn("missing: SELFTEST: end", excused)
        self.assertNotIn("missing: neuron: plic enabled", excused)
        self.assertNotIn("missing: virtioblkd: mmio={hex} irq={number} sectors={number}", excused)


if __name__ == "__main__":
    unittest.main()
