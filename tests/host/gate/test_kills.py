# SPDX-License-Identifier: Apache-2.0
"""The judge of `./nexus kills` must be able to fail: a good log passes, and each way of spoiling it does not."""

import hashlib
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "qemu"))

import kills  # noqa: E402  (after the path)
from qemu_boot import Outcome  # noqa: E402

SUMS = b"00  bin/hello\n"
SERVICES = "block+packages+console"
LOG = f"""\
kills: begin services={SERVICES} count=20 seed=1
kills: content files=31 bytes=2000000 sha256={hashlib.sha256(SUMS).hexdigest()}
init: service block killed restart=1 delay_ms=0
init: service packages killed restart=2 delay_ms=0
kills: recovery service=block kills=20 waited=17 p50_us=1500 p99_us=9000 longest_us=9000
kills: recovery service=packages kills=20 waited=18 p50_us=8000 p99_us=20000 longest_us=20000
kills: recovery service=console kills=20 waited=20 p50_us=700 p99_us=900 longest_us=900
kills: reader=1 passes=3 files=93 mapped=46 retried=1
kills: reader=2 passes=3 files=93 mapped=47 retried=0
kills: reader=3 passes=2 files=62 mapped=31 retried=0
kills: reader=4 passes=3 files=93 mapped=46 retried=0
kills: hasty=5 readers_inside=70 raw_in_flight=900
kills: readers passes=11 files=341 bytes=22000000 wrong=0 failed=0 longest_us=30000
kills: programs started=11 failed=0
kills: raw reads=9000 wrong=0 failed=0 reopened=19
kills: lines=500 failed=0
kills: memory frames before=1510 after=1510 object_bytes before=32960 after=32960 processes before=7 after=7
kills: ok
"""
# What is spoilt, by what, and what the judge says then.
ALWAYS = (
    ("kills: ok", "kills: FAIL reason=wrong bytes in pkg://bin/hello", "FAIL reason=wrong bytes"),
    ("kills: ok", "", "no result"),
    ("wrong=0 failed=0 longest", "wrong=1 failed=0 longest", "readers: wrong or failed"),
    ("wrong=0 failed=0 longest", "wrong=0 failed=1 longest", "readers: wrong or failed"),
    ("started=11 failed=0", "started=11 failed=1", "programs: wrong or failed"),
    ("reads=9000 wrong=0", "reads=9000 wrong=1", "raw: wrong or failed"),
    ("wrong=0 failed=0 reopened", "wrong=0 failed=1 reopened", "raw: wrong or failed"),
    ("lines=500 failed=0", "lines=500 failed=1", "lines: wrong or failed"),
    ("service=packages kills=20", "service=packages kills=19", "kills: "),
    ("kills: recovery service=packages", "kills: recovered service=packages", "kills: "),
    ("p99_us=20000 ", "", "kills: "),
    ("sha256=", "sha256=0", "content: "),
    ("kills: content", "content", "content: "),
    ("kills: begin", "neuron: panic: assertion failed", "forbidden: neuron: panic"),
    ("service packages killed restart=2 delay_ms=0", "packages fault cause=13", "forbidden: init: packages fault"),
    ("killed restart=2 delay_ms=0", "exited restart=2 delay_ms=0", "forbidden: init: service packages exited"),
    ("killed restart=2 delay_ms=0", "killed restart=2 delay_ms=100", "forbidden: init: service packages killed"),
    ("killed restart=2 delay_ms=0", "down", "forbidden: init: service packages down"),
    ("kills: readers passes", "kills: reader passes", "counts: missing: readers"),
    ("kills: programs", "kills:", "counts: missing: programs"),
    (" reopened=19", "", "counts: missing: raw"),
    ("kills: memory", "kills:", "counts: missing: memory"),
)
# What a short run may show by chance.
LONG = (
    ("retried=1", "retried=0", "packages: no kill came in the middle"),
    ("reopened=19", "reopened=0", "block: no kill found reads"),
    ("reader=3 passes=2 files=62 mapped=31", "reader=3 passes=0 files=62 mapped=31", "reader 3: no progress"),
    ("reader=3 passes=2 files=62 mapped=31", "reader=3 passes=2 files=62 mapped=0", "reader 3: no progress"),
    ("reader=3 passes=2 files=62 mapped=31", "reader=3 passes=2 files=31 mapped=31", "reader 3: no progress"),
    ("kills: reader=4", "kills: reader=1", "reader 4: no progress: no line"),
    ("started=11", "started=0", "programs: a mapped file was executed 0 times"),
    ("raw reads=9000", "raw reads=0", "raw: nothing was read"),
    ("lines=500", "lines=0", "console: no line"),
    ("frames before=1510 after=1510", "frames before=1510 after=1511", "memory: before and after differ"),
    ("bytes before=32960 after=32960", "bytes before=32960 after=33000", "memory: before and after differ"),
    ("processes before=7 after=7", "processes before=7 after=8", "memory: before and after differ"),
    ("waited=17 p50_us=1500 p99_us=9000 longest_us=9000", "waited=0", "recovery: no times"),
    ("p50_us=1500", "p50_us=0", "recovery: no times"),
)


def spoilt(good: str, bad: str, log: str = LOG) -> str:
    assert log.count(good) == 1, f"{good!r} is there {log.count(good)} times"
    return log.replace(good, bad)


class KillsTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        image = Path(directory.name) / "kills.img"
        image.with_suffix(".img.sums").write_bytes(SUMS)
        patch = mock.patch.object(kills, "IMAGE", image)
        patch.start()
        self.addCleanup(patch.stop)

    def verdict(self, log: str, count: int = kills.LONG, services: str = SERVICES) -> list[str]:
        return kills.judge(Outcome("exit", 0, 1.0, log.replace("\n", "\r\n").encode()), services, count)

    def test_a_good_log_passes(self) -> None:
        self.assertEqual(self.verdict(LOG), [])

    def test_each_way_of_spoiling_a_log_is_refused(self) -> None:
        for good, bad, wanted in ALWAYS + LONG:
            with self.subTest(good=good, bad=bad):
                reasons = self.verdict(spoilt(good, bad))
                self.assertEqual([reason for reason in reasons if not reason.startswith(wanted)], [])
                self.assertTrue(reasons)

    def test_a_short_run_is_refused_for_what_is_no_chance_and_for_nothing_else(self) -> None:
        short = LOG.replace("kills=20", f"kills={kills.LONG - 1}")
        for good, bad, _ in ALWAYS:
            with self.subTest(good=good, bad=bad):
                good = good.replace("kills=20", f"kills={kills.LONG - 1}")
                bad = bad.replace("kills=19", "kills=18")
                self.assertTrue(self.verdict(spoilt(good, bad, short), kills.LONG - 1))
        for good, bad, _ in LONG:
            with self.subTest(good=good, bad=bad):
                self.assertEqual(self.verdict(spoilt(good, bad, short), kills.LONG - 1), [])

    def test_only_the_services_that_are_killed_count(self) -> None:
        lines = [line for line in LOG.splitlines() if "recovery" not in line or "service=block" in line]
        log = spoilt("lines=500", "lines=0", spoilt("retried=1", "retried=0", "\n".join(lines) + "\n"))
        self.assertEqual(self.verdict(log, services="block"), [])


if __name__ == "__main__":
    unittest.main()
