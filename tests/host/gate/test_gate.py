# SPDX-License-Identifier: Apache-2.0
"""The gate itself must be able to fail: a perfect log passes, and every way of spoiling it does not."""

import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "qemu"))

import gate  # noqa: E402  (after the path)
from gate import Topology, expectation, judge  # noqa: E402

SAMPLES = {"number": "42", "hex": "0x10001000", "text": "anything at all", "any": "0"}


def perfect_log(topology: Topology) -> list[str]:
    """A log that shows everything expected: chains one after the other, then the rest."""
    expected = expectation(topology)
    lines = []
    for marker in expected.markers():
        text = marker.text
        for name, sample in SAMPLES.items():
            text = text.replace("{" + name + "}", sample)
        lines.append(text)
    return lines


def verdict(lines: list[str], topology: Topology) -> list[str]:
    return judge("\r\n".join(lines).encode() + b"\r\n", expectation(topology))


TOPOLOGIES = [Topology(smp=smp, disk=disk) for smp in (1, 2, 3, 4) for disk in (True, False)]


class GateTest(unittest.TestCase):
    def test_a_perfect_log_passes_in_every_topology(self) -> None:
        for topology in TOPOLOGIES:
            with self.subTest(topology=topology):
                self.assertEqual(verdict(perfect_log(topology), topology), [])

    def test_each_marker_is_missed_when_it_is_gone(self) -> None:
        for topology in TOPOLOGIES:
            lines = perfect_log(topology)
            for index, line in enumerate(lines):
                with self.subTest(topology=topology, line=line):
                    reasons = verdict(lines[:index] + lines[index + 1 :], topology)
                    self.assertEqual([reason.split(":")[0] for reason in reasons], ["missing"])

    def test_a_marker_inside_another_line_does_not_count(self) -> None:
        lines = perfect_log(Topology())
        for index, line in enumerate(lines):
            spoiled = lines[:index] + [line + "x" if not line.endswith("all") else "x" + line] + lines[index + 1 :]
            if not line[-1].isdigit():
                with self.subTest(line=line):
                    self.assertTrue(verdict(spoiled, Topology()))

    def test_a_second_appearance_is_reported_unless_allowed(self) -> None:
        topology = Topology()
        repeatable = [marker.pattern for marker in expectation(topology).markers() if marker.repeatable]
        lines = perfect_log(topology)
        for line in lines:
            allowed = any(pattern.fullmatch(line) for pattern in repeatable)
            reasons = [reason for reason in verdict([*lines, line], topology) if reason.startswith("repeated")]
            with self.subTest(line=line):
                self.assertEqual(len(reasons), 0 if allowed else 1)

    def test_steps_of_a_chain_must_come_in_order(self) -> None:
        topology = Topology()
        lines = perfect_log(topology)
        lines.remove("SELFTEST: end")
        reasons = verdict(["SELFTEST: end", *lines], topology)
        self.assertTrue(any(reason.startswith("out of order") for reason in reasons), reasons)

    def test_markers_of_one_step_may_swap(self) -> None:
        topology = Topology()
        lines = perfect_log(topology)
        one, two = lines.index("neuron: hart0 boot virt smp=4"), lines.index("neuron: hart3 online")
        lines[one], lines[two] = lines[two], lines[one]
        self.assertEqual(verdict(lines, topology), [])

    def test_forbidden_text_is_red_anywhere(self) -> None:
        for text in (
            "neuron: panic: store to 0x0",
            "SELFTEST: smp ipi FAIL reason=lost",
            "KSELFTEST: ipi resched FAIL",
            "neuron: smp degraded online=3 wanted=4 reason=timeout",
        ):
            reasons = verdict([*perfect_log(Topology()), text], Topology())
            self.assertEqual(reasons, [f"forbidden: {text}"])

    def test_each_forbidden_text_is_red_in_every_topology(self) -> None:
        for topology in TOPOLOGIES:
            lines = perfect_log(topology)
            for text in expectation(topology).absent:
                line = text.replace("{text}", "anything")
                with self.subTest(topology=topology, text=text):
                    reasons = verdict([*lines, line], topology)
                    self.assertIn(f"forbidden: {line}", reasons)

    def test_the_disk_marker_is_a_lie_without_a_disk(self) -> None:
        topology = Topology(disk=False)
        lines = [*perfect_log(topology), "pkgfs: mounted from virtio-blk ro"]
        self.assertEqual(verdict(lines, topology), ["forbidden: pkgfs: mounted from virtio-blk ro"])

    def test_ipi_markers_are_a_lie_with_one_hart(self) -> None:
        topology = Topology(smp=1)
        lines = [*perfect_log(topology), "SELFTEST: smp ipi ok"]
        self.assertEqual(verdict(lines, topology), ["forbidden: SELFTEST: smp ipi ok"])

    def test_an_empty_log_misses_everything(self) -> None:
        expected = expectation(Topology())
        self.assertEqual(len(judge(b"", expected)), len(expected.markers()))

    def test_a_marker_file_with_a_mistake_is_refused(self) -> None:
        for text in ("no section\n", "[order]\nx\n", "[anywhere if moon]\nx\n", "[anywhere]\nx={nonsense}\n"):
            with tempfile.TemporaryDirectory() as directory:
                (Path(directory) / "bad.txt").write_text(text)
                with self.subTest(text=text), self.assertRaises(gate.MarkerFileError):
                    expectation(Topology(), Path(directory))


if __name__ == "__main__":
    unittest.main()
