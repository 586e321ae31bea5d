# SPDX-License-Identifier: Apache-2.0
"""The judges of the profiles attack-*, image-*, disk-* and write-or-execute, and the soak's count, must be able to fail.

Each gets what a perfect boot shows, which passes, and then the same with one thing wrong, which must not.
"""

import sys
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "qemu"), str(ROOT / "scripts")]

import attack  # noqa: E402  (after the path)
import disks  # noqa: E402
import images  # noqa: E402
import mappings  # noqa: E402
import soak  # noqa: E402
from qemu_boot import Outcome  # noqa: E402


def outcome(lines: list[str], end: str = "exit", status: int | None = 0) -> Outcome:
    return Outcome(end, status, 1.0, "".join(f"{line}\r\n" for line in lines).encode())


def digest(character: str) -> str:
    return character * 64


class AttackTest(unittest.TestCase):
    NAMES = ("fork-bomb", "memory-hog", "spin")

    def log(self) -> list[str]:
        figures = "before=100 during=90 least=20 part=file"
        return [f"ATTACK: {name} contained {figures}" for name in self.NAMES] + ["nx: exit status=0"]

    def reasons(self, lines: list[str], end: str = "exit", status: int | None = 0) -> list[str]:
        return attack.judge(outcome(lines, end, status), len(self.NAMES))

    def test_a_perfect_log_passes(self) -> None:
        self.assertEqual(self.reasons(self.log()), [])

    def test_the_fuzzer_s_perfect_log_passes_behind_noise_without_a_line_end(self) -> None:
        self.assertEqual(attack.judge(outcome(["fixtures\x1b[KATTACK: fuzz contained", "nx: exit status=0"]), 1), [])

    def test_an_attack_that_says_that_it_was_not_contained_is_a_reason(self) -> None:
        for said in (
            "the neighbour's disk: right=5 (5 before) wrong=1",
            "not everything came back: frames=1(2) objects=3(3) retired=0 processes=6(6)",
            "least=20 during=3",
        ):
            for index, name in enumerate(self.NAMES):
                lines = self.log()
                lines[index] = f"ATTACK: {name} FAIL reason={said}"
                with self.subTest(said=said, name=name):
                    self.assertEqual(self.reasons(lines), [f"{name}: FAIL reason={said}"])

    def test_each_missing_result_is_a_reason_even_when_another_comes_twice(self) -> None:
        lines = self.log()
        for index in range(len(self.NAMES)):
            rest = lines[:index] + lines[index + 1 :]
            with self.subTest(missing=lines[index]):
                self.assertEqual(self.reasons(rest), ["2 attacks contained, 3 wanted"])
                self.assertEqual(self.reasons([rest[0], *rest]), ["2 attacks contained, 3 wanted"])

    def test_a_result_that_is_cut_does_not_count(self) -> None:
        self.assertTrue(self.reasons(["ATTACK: fork-bomb cont", *self.log()[1:]]))

    def test_harm_to_others_is_a_reason_wherever_it_is_said(self) -> None:
        for text in (
            "neuron: panic: store to 0x0",
            "neuron: smp degraded online=3 wanted=4 reason=timeout",
            "init: service packages ended by a fault restart=1 delay_ms=0",
            "init: service block killed restart=1 delay_ms=0",
            "init: service block down reason=it ends too often",
        ):
            for index in range(len(self.log()) + 1):
                lines = self.log()
                lines.insert(index, text)
                with self.subTest(text=text, index=index):
                    self.assertTrue(any(reason.startswith("forbidden: ") for reason in self.reasons(lines)))

    def test_a_program_that_fails_or_never_ends_is_a_reason(self) -> None:
        self.assertEqual(self.reasons([*self.log()[:-1], "nx: exit status=1"]), ["exit: status 1"])
        self.assertEqual(self.reasons(self.log()[:-1], "timeout", None), ["no end: timeout after 1 s"])

    def test_a_machine_that_does_not_leave_by_itself_is_a_reason(self) -> None:
        for end, status in (("timeout", None), ("panic", None), ("exit", 1)):
            with self.subTest(end=end, status=status):
                self.assertEqual(self.reasons(self.log(), end, status), [f"QEMU: {end}, status {status}"])


class RefusedImageTest(unittest.TestCase):
    REASONS = ("signature", "version", "format", "hash", "truncated")

    def log(self, reason: str) -> list[str]:
        return [f"pkgfs: refused reason={reason} detail=footer offset=0", "init: service packages down reason=bad format"]

    def reasons(self, lines: list[str], wanted: str, end: str = "reached") -> list[str]:
        return images.not_refused(images.Case("case", bytes, wanted), outcome(lines, end, None))

    def test_a_refusal_passes_for_its_own_reason_only(self) -> None:
        for said in self.REASONS:
            for wanted in self.REASONS:
                with self.subTest(said=said, wanted=wanted):
                    self.assertEqual(self.reasons(self.log(said), wanted) == [], said == wanted)

    def test_no_refusal_or_a_second_one_is_a_reason(self) -> None:
        first, last = self.log("hash")
        self.assertEqual(self.reasons([last], "hash"), ["case: refused with [], expected hash"])
        for other in self.REASONS:
            with self.subTest(other=other):
                self.assertTrue(self.reasons([first, *self.log(other)], "hash"))

    def test_a_mount_is_a_reason_whatever_was_said_before(self) -> None:
        for source in ("virtio-blk", "in-memory fixtures"):
            with self.subTest(source=source):
                lines = [*self.log("hash"), f"pkgfs: mounted from {source} ro"]
                self.assertEqual(self.reasons(lines, "hash"), ["case: mounted, or no end"])

    def test_a_boot_that_ends_otherwise_is_a_reason(self) -> None:
        for end in ("timeout", "panic", "exit"):
            with self.subTest(end=end):
                self.assertEqual(self.reasons(self.log("hash"), "hash", end), ["case: mounted, or no end"])

    def test_each_case_has_a_reason_that_the_log_can_hold(self) -> None:
        for case in images.REFUSED:
            with self.subTest(case=case.name):
                self.assertEqual(images.not_refused(case, outcome(self.log(case.reason), "reached", None)), [])


class UnreachableImageTest(unittest.TestCase):
    def log(self, case: images.TreeCase) -> list[str]:
        texts = (case.said, images.DISK_UNUSABLE, b"init: service packages down")
        return [text.decode() + " and so on" for text in texts]

    def test_what_each_case_says_passes_and_each_line_that_is_gone_or_doubled_does_not(self) -> None:
        for case in images.WRONG_TREES:
            lines = self.log(case)
            self.assertEqual(images.not_down(case, outcome(lines, "reached", None)), [])
            for index, line in enumerate(lines):
                for spoiled in (lines[:index] + lines[index + 1 :], [line, *lines]):
                    with self.subTest(case=case.name, lines=spoiled):
                        self.assertEqual(len(images.not_down(case, outcome(spoiled, "reached", None))), 1)

    def test_fixtures_in_its_place_or_another_end_are_reasons(self) -> None:
        case = images.WRONG_TREES[0]
        lines = [*self.log(case), "pkgfs: mounted from in-memory fixtures ro"]
        self.assertTrue(images.not_down(case, outcome(lines, "reached", None)))
        for end in ("timeout", "panic", "exit"):
            self.assertTrue(images.not_down(case, outcome(self.log(case), end, None)))


class MappingsTest(unittest.TestCase):
    """What QEMU's `info mem` prints, and one of its lines with another permission."""

    TEXT = (
        "vaddr            paddr            size             attr\n"
        "---------------- ---------------- ---------------- -------\n"
        "0000000000400000 0000000080c00000 0000000000005000 r-xu-a-\n"
        "0000000000405000 0000000080c05000 0000000000001000 rw-u-ad\n"
        "ffffffc080200000 0000000080200000 0000000000014000 r-x--a-\n"
        "ffffffc080214000 0000000080214000 000000000ff00000 rw---ad\n"
    )

    def test_pages_in_order_pass_and_each_kind_is_seen(self) -> None:
        pages = mappings.parse(self.TEXT)
        self.assertEqual(mappings.wrong(1, pages), set())
        self.assertEqual(set(pages.values()), set(mappings.WANTED.values()))

    def test_a_page_that_is_writable_and_executable_is_a_reason(self) -> None:
        for kind in ("r-xu-a-", "rw-u-ad", "r-x--a-", "rw---ad"):
            with self.subTest(kind=kind):
                pages = mappings.parse(self.TEXT.replace(kind, f"rwx{kind[3:]}"))
                self.assertEqual(len(mappings.wrong(1, pages)), 1)

    def test_a_table_with_a_user_page_is_not_that_of_the_first_steps(self) -> None:
        self.assertTrue(mappings.is_early({"ffffffc000000000": "rwx-"}))
        self.assertFalse(mappings.is_early({"ffffffc000000000": "rwxu"}))
        self.assertFalse(mappings.is_early(mappings.parse(self.TEXT)))


class ServedImageTest(unittest.TestCase):
    LARGE = f"pkg://{images.LARGE_FILE}"
    SMALL = "pkg://fixtures/hello.txt"
    SUMS = {LARGE: digest("a"), SMALL: digest("b")}
    ANSWERS = {LARGE: f"nx: {LARGE}: hash mismatch", SMALL: f"{digest('b')}  {SMALL}"}
    REPORT = "pkg: verified=12 wrong=1"

    NAMED = (images.MISMATCH, "as it should be")

    def reasons(self, answers: dict[str, str], report: str = REPORT, named: tuple[str, str] = NAMED) -> list[str]:
        return images.badly_served(images.SERVED[0], self.SUMS, self.ANSWERS | answers, named, report)

    def test_right_sums_and_a_mismatch_pass(self) -> None:
        self.assertEqual(self.reasons({}), [])

    def test_a_wrong_checksum_is_a_reason(self) -> None:
        for path in self.SUMS:
            for answer in (digest("c"), f"{self.SUMS[path]} {digest('c')}", f"hash mismatch {digest('c')}"):
                with self.subTest(path=path, answer=answer):
                    self.assertTrue(self.reasons({path: answer}))

    def test_an_answer_that_is_neither_or_both_is_a_reason(self) -> None:
        for path in self.SUMS:
            for answer in ("", f"nx: {path}: i/o error", f"{self.SUMS[path]} hash mismatch"):
                with self.subTest(path=path, answer=answer):
                    self.assertTrue(self.reasons({path: answer}))

    def test_damage_that_nobody_sees_is_a_reason(self) -> None:
        self.assertTrue(self.reasons({self.LARGE: digest("a")}, "pkg: verified=12 wrong=0"))

    def test_nothing_served_at_all_is_a_reason(self) -> None:
        self.assertTrue(self.reasons({self.SMALL: "hash mismatch"}, "pkg: verified=12 wrong=2"))

    def test_damage_in_another_place_than_it_should_be_is_a_reason(self) -> None:
        for named in (("as it should be",) * 2, (images.MISMATCH,) * 2):
            with self.subTest(named=named):
                self.assertTrue(self.reasons({}, named=named))

    def test_counters_that_do_not_fit_are_a_reason(self) -> None:
        for report in ("", "pkg: verified=0 wrong=1", "pkg: verified=12 wrong=0"):
            with self.subTest(report=report):
                self.assertTrue(self.reasons({}, report))


class DiskSumsTest(unittest.TestCase):
    SUMS = {"one": digest("1"), "two": digest("2"), disks.LARGE_FILE: digest("3")}
    SOUND = disks.Case("sound")
    BAD_LARGE = disks.Case("bad", unreadable=(disks.LARGE_FILE,))

    def setUp(self) -> None:
        patch = mock.patch.object(disks, "read_sums", return_value=self.SUMS)
        patch.start()
        self.addCleanup(patch.stop)

    def reasons(self, case: disks.Case, answers: dict[str, str]) -> list[str]:
        return disks.judge_sums(case, self.SUMS | answers)

    def test_right_checksums_pass(self) -> None:
        self.assertEqual(self.reasons(self.SOUND, {}), [])
        self.assertEqual(self.reasons(self.BAD_LARGE, {disks.LARGE_FILE: disks.IO_ERROR}), [])

    def test_a_wrong_checksum_is_a_reason_in_every_case(self) -> None:
        for case in (self.SOUND, self.BAD_LARGE, replace(self.BAD_LARGE, beside=True)):
            for path in self.SUMS:
                with self.subTest(case=case, path=path):
                    self.assertTrue(self.reasons(case, {path: digest("f")}))

    def test_another_error_or_no_answer_is_a_reason(self) -> None:
        for case in (self.SOUND, self.BAD_LARGE):
            for answer in ("timed out", "hash mismatch", "no answer in ''", ""):
                with self.subTest(case=case.name, answer=answer):
                    self.assertTrue(self.reasons(case, {disks.LARGE_FILE: answer}))

    def test_an_error_is_allowed_only_where_the_case_says(self) -> None:
        bad = {disks.LARGE_FILE: disks.IO_ERROR, "one": disks.IO_ERROR}
        self.assertTrue(self.reasons(self.SOUND, {"one": disks.IO_ERROR}))
        self.assertTrue(self.reasons(self.BAD_LARGE, bad))
        self.assertEqual(self.reasons(replace(self.BAD_LARGE, beside=True), bad), [])

    def test_a_bad_file_that_is_read_and_a_disk_that_is_never_read_are_reasons(self) -> None:
        self.assertEqual(len(self.reasons(self.BAD_LARGE, {})), 1)
        all_bad = dict.fromkeys(self.SUMS, disks.IO_ERROR)
        self.assertEqual(self.reasons(replace(self.BAD_LARGE, beside=True), all_bad), ["no file was read"])


class DiskInfoTest(unittest.TestCase):
    INFO = "nx: vblk sectors=8 mmio=0x10004000 irq=4 errors=0 timeouts=0 resets=0"
    CASE = disks.Case("case", info=("mmio=0x10004000 irq=4",))

    def test_what_the_case_wants_passes(self) -> None:
        self.assertEqual(disks.judge_info(self.CASE, self.INFO), [])

    def test_another_place_and_each_counter_that_is_off_are_reasons(self) -> None:
        for old, new in (("irq=4", "irq=5"), ("errors=0", "errors=1"), ("timeouts=0", "timeouts=1"), ("resets=0", "resets=1"), (" errors=0", "")):
            with self.subTest(new=new):
                self.assertEqual(len(disks.judge_info(self.CASE, self.INFO.replace(old, new))), 1)

    def test_errors_that_were_not_counted_are_a_reason(self) -> None:
        for errors in (disks.SOMETIMES, range(1, 2), range(6, 7)):
            with self.subTest(errors=errors):
                self.assertEqual(len(disks.judge_info(replace(self.CASE, errors=errors), self.INFO)), 1)

    def test_a_disk_that_answers_although_it_is_gone_is_a_reason(self) -> None:
        case = disks.Case("gone", mounted=False, no_info="service is gone")
        self.assertEqual(disks.judge_info(case, "nx: block: service is gone"), [])
        self.assertEqual(len(disks.judge_info(case, self.INFO)), 1)


class DiskLogTest(unittest.TestCase):
    MOUNTED = "pkgfs: mounted from virtio-blk ro"
    DOWN = "init: service packages down reason=its device cannot be used"
    SOUND = disks.Case("sound")
    DEAD = disks.Case("dead", mounted=False, log=(disks.DOWN,))

    def test_what_each_case_wants_passes(self) -> None:
        self.assertEqual(disks.judge_log(self.SOUND, f"\r\n{self.MOUNTED}\r\nnx> "), [])
        self.assertEqual(disks.judge_log(self.DEAD, f"\r\n{self.DOWN}\r\nnx> "), [])

    def test_a_line_that_is_missing_changed_or_doubled_is_a_reason(self) -> None:
        for text in ("", f"x{self.MOUNTED}", f"{self.MOUNTED} x", f"{self.MOUNTED}\n{self.MOUNTED}"):
            with self.subTest(text=text):
                self.assertEqual(len(disks.judge_log(self.SOUND, text)), 1)

    def test_another_story_is_a_reason(self) -> None:
        for line in (
            "neuron: panic: store to 0x0",
            "pkgfs: mounted from in-memory fixtures ro",
            "virtioblkd: device reset reason=request-timeout",
            "virtioblkd: device lost",
            "virtioblkd: device given up",
            "init: service packages ended by a fault restart=1 delay_ms=0",
        ):
            with self.subTest(line=line):
                self.assertEqual(disks.judge_log(self.SOUND, f"{self.MOUNTED}\n{line}"), [f"log: {line}"])

    def test_a_mount_of_a_disk_that_cannot_be_used_is_a_reason(self) -> None:
        self.assertEqual(len(disks.judge_log(self.DEAD, f"{self.DOWN}\n{self.MOUNTED}")), 1)


class FakeSession:
    """A prompt that answers each command with a text."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers

    def command(self, keys: str) -> str:
        return self.answers[keys]


class DiskWithoutPackagesTest(unittest.TestCase):
    ANSWERS = {
        "ls pkg://": "nx: pkg://: service is gone",
        f"cat pkg://{disks.SMALL_FILE}": f"nx: pkg://{disks.SMALL_FILE}: service is gone",
        "services": "packages   packagefsd   down     restarts=5",
        "hw smp": "nx: smp online=2",
    }

    def test_what_is_wanted_passes_and_each_other_answer_does_not(self) -> None:
        self.assertEqual(disks.judge_without_packages(FakeSession(self.ANSWERS)), [])  # type: ignore[arg-type]
        for keys in self.ANSWERS:
            answers = self.ANSWERS | {keys: "hello"}
            with self.subTest(keys=keys):
                self.assertEqual(len(disks.judge_without_packages(FakeSession(answers))), 1)  # type: ignore[arg-type]


class DiskStallTest(unittest.TestCase):
    RESETS = 1 + disks.ATTEMPTS
    LOG = "virtioblkd: device reset reason=request-timeout\n"
    SERVICES = "block   virtioblkd   ready    restarts=0"

    def reasons(self, resets: int, counted: dict[str, int], services: str = SERVICES) -> list[str]:
        counters = {"errors": 0, "timeouts": self.RESETS, "resets": self.RESETS} | counted
        return disks.judge_stalls(self.LOG * resets, counters, services)

    def test_as_many_resets_as_time_outs_pass(self) -> None:
        self.assertEqual(self.reasons(self.RESETS, {}), [])

    def test_other_numbers_are_a_reason(self) -> None:
        for resets in (0, self.RESETS - 1, self.RESETS + 1):
            with self.subTest(resets=resets):
                self.assertEqual(len(self.reasons(resets, {"timeouts": resets, "resets": resets})), 1)
        for name in ("errors", "timeouts", "resets"):
            with self.subTest(counter=name):
                self.assertEqual(len(self.reasons(self.RESETS, {name: 1})), 1)

    def test_a_driver_that_was_started_anew_is_a_reason(self) -> None:
        for services in (self.SERVICES.replace("=0", "=1"), self.SERVICES.replace("ready", "down "), ""):
            with self.subTest(services=services):
                self.assertEqual(len(self.reasons(self.RESETS, {}, services)), 1)


class SoakTest(unittest.TestCase):
    def result(self, number: int, *reasons: str) -> soak.Result:
        return soak.Result(number, soak.plan(number), list(reasons), 0, 3.25)

    def test_boots_count_up_to_the_first_that_is_not_there_or_not_clean_in_whatever_order(self) -> None:
        one, two, three, four = (self.result(number) for number in (1, 2, 3, 4))
        for results, wanted in (
            ([], 0),
            ([one, two, three], 3),
            ([two, one, four, three], 4),
            ([two, three], 0),
            ([one, two, four], 2),
            ([one, self.result(2, "panic: the machine halted"), three, four], 1),
            ([self.result(1, "timeout"), two], 0),
        ):
            with self.subTest(results=[result.line() for result in results]):
                self.assertEqual(soak.largest_clean(results), wanted)

    def test_a_boot_s_record_is_one_line_with_its_verdict(self) -> None:
        self.assertEqual(self.result(1).line(), "boot=1 self-tests SMP=1 VIRTIO=modern seconds=3.2 verdict=clean")
        line = self.result(4, "panic: the\nmachine halted", "timeout").line()
        self.assertRegex(line, r"^boot=4 kills seed=\d+ SMP=2 VIRTIO=modern seconds=3.2 verdict=FAILED panic: the machine halted; timeout$")


if __name__ == "__main__":
    unittest.main()
