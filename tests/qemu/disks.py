# SPDX-License-Identifier: Apache-2.0
"""Profiles `disk-*`: disks that fail, stall or are odd, in QEMU. Each says exactly what must be seen.

A case is one machine at its prompt. It says what is wrong with its disk, which log lines must be there
(each once), what every file's checksum must be (right, or an I/O error: nothing else is ever allowed),
and what the driver's counters must say. A machine whose disk cannot be used must say that, too: pkg://
answers with an error at once, the fixtures do not take its place, and the console works.
"""

from __future__ import annotations

import importlib
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import images
import monitor
from commands import read_sums
from console import CONTROL_SEQUENCE, PROMPT, ConsoleFailure, Session
from qemu_boot import BUILD, ROOT

sys.path.append(str(ROOT / "tools" / "mk-pkgfs-img"))
mk_pkgfs_img = importlib.import_module("mk-pkgfs-img")

if TYPE_CHECKING:
    from profiles import Profile

SECTOR = 512
BLOCK = 4096
SUPERBLOCK_AT = 1024  # of EROFS
SMALL_FILE = "fixtures/hello.txt"  # in the block that its inode is in
LARGE_FILE = mk_pkgfs_img.LARGE_PATH  # in blocks of its own
PROGRAM = "bin/hello"
IO_ERROR = "i/o error"  # in nx's words
NEVER = range(1)
SOMETIMES = range(1, 1 << 32)
MOUNTED = r"pkgfs: mounted from virtio-blk ro"
DOWN = r"init: service packages down reason=.+"
DISK_DOWN = r"init: service block down reason=.+"
ATTEMPTS = 3  # of a read, in virtioblkd
STALL_SECONDS = 60  # for ATTEMPTS of 10 s


@dataclass(frozen=True)
class Fault:
    """Reads of the sector that holds this byte of the image fail, once or always."""

    at: Callable[[bytes], int]
    once: bool = False


@dataclass(frozen=True)
class Case:
    name: str
    image: Callable[[bytes], bytes] = bytes
    fault: Fault | None = None
    options: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    log: tuple[str, ...] = (MOUNTED,)  # lines that are there once
    mounted: bool = True
    unreadable: tuple[str, ...] = ()  # files whose checksum must be an I/O error
    beside: bool = False  # others may be one, too, but not all
    told: int = 0  # files of which the first checksum may be an I/O error: the second is right
    errors: range = NEVER  # reads that the device has failed
    info: tuple[str, ...] = ()  # what `nx hw vblk info` says besides
    no_info: str = ""  # or why it cannot
    seconds: float = 0  # that reading takes at least
    restarts: bool = False  # services are started anew before it is mounted


# ---- What is wrong with a disk -------------------------------------------------------------------


def small_file(image: bytes) -> int:
    return image.index((ROOT / "pkg" / SMALL_FILE).read_bytes())


def large_file(image: bytes) -> int:
    """In its middle."""
    return image.index(mk_pkgfs_img.large_content(BLOCK)) + 37 * BLOCK + 3 * SECTOR


def hash_tree(image: bytes) -> int:
    """In the lowest level, whose second block is about the large file."""
    return images.data_size(image) + 3 * BLOCK


def footer(image: bytes) -> int:
    return len(image) - BLOCK


def at(offset: int) -> Callable[[bytes], int]:
    return lambda _: offset


def with_tail(size: int) -> Callable[[bytes], bytes]:
    return lambda image: image + b"\xa5" * size


def only(size: int) -> Callable[[bytes], bytes]:
    return lambda image: image[:size]


LARGE_BLOCKS = {"DISK_DEVICE": f"logical_block_size={BLOCK},physical_block_size={BLOCK}"}
LEGACY = {"VIRTIO": "legacy"}
# Without it QEMU guesses a geometry from the first sector, and takes the error that comes once.
REPORT = {"DISK_DEVICE": "rerror=report,cyls=16,heads=16,secs=63"}


def other_disk(slot: int) -> tuple[str, ...]:
    """One that nobody may read from or write to: its content is not an image."""
    drive = "if=none,id=other,driver=null-co,size=1048576,read-zeroes=on"
    return "-drive", drive, "-device", f"virtio-blk-device,drive=other,bus=virtio-mmio-bus.{slot}"


NEIGHBOURS = (
    *("-device", "virtio-rng-device,bus=virtio-mmio-bus.0"),
    *("-netdev", "user,id=net,restrict=on", "-device", "virtio-net-device,netdev=net,bus=virtio-mmio-bus.1"),
    *("-device", "virtio-serial-device,bus=virtio-mmio-bus.3"),
    *("-chardev", "null,id=nowhere", "-device", "virtconsole,chardev=nowhere"),
    *("-device", "virtio-balloon-device,bus=virtio-mmio-bus.4"),
)

ERRORS_ONCE = (
    Case(
        "once-first-sector",
        fault=Fault(at(0), once=True),
        options=REPORT,
        # The first instance's only read failed; its counter went with it.
        log=(r"virtioblkd: FAIL reason=i/o error mmio=0x10001000", r"virtioblkd: ready", MOUNTED),
        restarts=True,
    ),
    Case(
        "once-superblock",
        fault=Fault(at(SUPERBLOCK_AT), once=True),
        options=REPORT | LEGACY,
        log=(r"pkgfs: read error offset=0 reason=i/o error errors=1", MOUNTED),
        errors=range(1, 2),
    ),
    Case(
        "once-small-file",
        fault=Fault(small_file, once=True),
        options=REPORT,
        log=(r"pkgfs: read error offset=\d+ reason=i/o error errors=1", MOUNTED),
        errors=range(1, 2),
    ),
    # Read once for whoever needs it first, who may be told.
    Case("once-hash-tree", fault=Fault(hash_tree, once=True), options=REPORT, told=1, errors=range(1, 2)),
    # Reads ahead that fail are repeated; several are under way when the error comes.
    Case("once-large-file", fault=Fault(large_file, once=True), options=REPORT | LEGACY, errors=SOMETIMES),
)
ERRORS_FOR_EVER = (
    Case(
        "ever-first-sector",
        fault=Fault(at(0)),
        options=REPORT | LEGACY,
        log=(r"init: service block down reason=it ends too often", DOWN),
        mounted=False,
        no_info="service is gone",
    ),
    Case(
        "ever-superblock",
        fault=Fault(at(SUPERBLOCK_AT)),
        options=REPORT,
        log=(r"virtioblkd: ready", r"init: service packages down reason=it ends too often"),
        mounted=False,
        no_info=IO_ERROR,
    ),
    Case(
        "ever-footer",
        fault=Fault(footer),
        options=REPORT | LEGACY,
        log=(r"virtioblkd: ready", r"init: service packages down reason=it ends too often"),
        mounted=False,
        errors=range(6, 7),  # the first instance's, and those of five restarts
    ),
    Case(
        "ever-hash-tree",
        fault=Fault(hash_tree),
        options=REPORT,
        unreadable=(LARGE_FILE,),
        beside=True,
        errors=SOMETIMES,
    ),
    # The block holds inodes and tails of other files, too.
    Case(
        "ever-small-file",
        fault=Fault(small_file),
        options=REPORT | LEGACY,
        unreadable=(SMALL_FILE,),
        beside=True,
        errors=SOMETIMES,
    ),
    Case(
        "ever-large-file",
        fault=Fault(large_file),
        options=REPORT,
        unreadable=(LARGE_FILE,),
        errors=SOMETIMES,
    ),
)
GEOMETRIES = (
    Case("blocks-of-4096", options=LARGE_BLOCKS, info=("sector size=4096",)),
    # Bytes behind the last whole block belong to nobody.
    Case("odd-end-100", with_tail(100), options=LARGE_BLOCKS | LEGACY, info=("sector size=4096",)),
    Case("odd-end-3584", with_tail(3584), options=LARGE_BLOCKS, info=("sector size=4096",)),
    Case(
        "no-sector",
        only(0),
        log=(r"virtioblkd: FAIL reason=capacity-zero mmio=0x10001000", DISK_DOWN, DOWN),
        mounted=False,
        no_info="service is gone",
    ),
    Case(
        "less-than-a-block",
        only(SECTOR),
        options=LARGE_BLOCKS,
        log=(r"virtioblkd: FAIL reason=capacity-too-small mmio=0x10001000", DISK_DOWN, DOWN),
        mounted=False,
        no_info="service is gone",
    ),
    Case(
        "one-sector",
        only(SECTOR),
        log=(r"virtioblkd: ready", r"pkgfs: refused reason=(format|truncated) .+", DOWN),
        mounted=False,
        info=("sectors=1 ",),
    ),
    Case(
        "one-block",
        only(BLOCK),
        options=LARGE_BLOCKS | LEGACY,
        log=(r"virtioblkd: ready", r"pkgfs: refused reason=(format|truncated) .+", DOWN),
        mounted=False,
        info=("sectors=1 sector size=4096",),
    ),
)
COMPANY = (
    Case("second-disk", options={"DISK_SLOT": "3"}, arguments=other_disk(5), info=("mmio=0x10004000 irq=4",)),
    # The package disk is the first one: what is on the second is not looked at.
    Case(
        "second-disk-first",
        options={"DISK_SLOT": "5"} | LEGACY,
        arguments=other_disk(3),
        log=(
            r"virtioblkd: mmio=0x10004000 irq=4 sectors=2048",
            r"pkgfs: refused reason=(format|truncated|signature) .+",
            DOWN,
        ),
        mounted=False,
        info=("mmio=0x10004000 irq=4", "sectors=2048"),
    ),
    Case("neighbours", options={"DISK_SLOT": "2"}, arguments=NEIGHBOURS, info=("mmio=0x10003000 irq=3",)),
    Case(
        "neighbours-legacy",
        options={"DISK_SLOT": "7"} | LEGACY,
        arguments=NEIGHBOURS,
        info=("mmio=0x10008000 irq=8 transport=legacy",),
    ),
)
# 128 KiB a second, so that the longest request takes one: slow, but within the time-out.
SLOW = (Case("slow", options={"DISK_DRIVE": f"throttling.bps-read={128 << 10}"}, seconds=2),)


# ---- Judging -------------------------------------------------------------------------------------


def fault_rule(offset: int, once: bool) -> str:
    """A configuration of QEMU's blkdebug."""
    return (
        '[inject-error]\nevent = "read_aio"\niotype = "read"\nerrno = "5"\n'
        f'sector = "{offset // SECTOR}"\nonce = "{"on" if once else "off"}"\n'
    )


def disk_options(case: Case, log: Path) -> dict[str, str]:
    """Write the case's image and faults beside its log; what the runner is told of them."""
    image = (BUILD / "pkgfs.img").read_bytes()
    disk = log.with_suffix(".img")
    disk.write_bytes(case.image(image))
    options = {"DISK": str(disk)}
    if case.fault is not None:
        rules = log.with_suffix(".blkdebug")
        rules.write_text(fault_rule(case.fault.at(image), case.fault.once))
        options["DISK_FAULTS"] = str(rules)
    return options


def sums_of(session: Session, paths: Iterable[str]) -> dict[str, str]:
    """What the machine says of each file: its SHA-256, or in words why there is none."""
    answers: dict[str, str] = {}
    for path in paths:
        answer = session.command(f"sum pkg://{path}")
        found = re.search(rf"^([0-9a-f]{{64}})  pkg://{path}$|^nx: pkg://{path}: (.+)$", answer, re.MULTILINE)
        answers[path] = (found[1] or found[2]) if found else f"no answer in {answer!r}"
    return answers


def read_all(case: Case, session: Session) -> dict[str, str]:
    """The checksums of all files, asked again where an error that comes once may have been told."""
    answers = sums_of(session, read_sums())
    failed = [path for path, answer in answers.items() if answer == IO_ERROR]
    return answers | sums_of(session, failed[: case.told])


def judge_sums(case: Case, answers: dict[str, str]) -> list[str]:
    reasons: list[str] = []
    for path, digest in read_sums().items():
        failed = answers[path] == IO_ERROR
        may_fail = path in case.unreadable or case.beside
        if answers[path] != digest and not (failed and may_fail):
            reasons.append(f"{path}: {answers[path]}")
        elif path in case.unreadable and not failed:
            reasons.append(f"{path} was read although its disk fails")
    return reasons if set(answers.values()) & set(read_sums().values()) else [*reasons, "no file was read"]


def counters_of(info: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"\b(errors|timeouts|resets)=(\d+)", info)}


def judge_info(case: Case, info: str) -> list[str]:
    if case.no_info:
        return [] if case.no_info in info else [f"nx hw vblk info: {info!r} instead of {case.no_info!r}"]
    reasons = [f"nx hw vblk info lacks {text!r}" for text in case.info if text not in info]
    counters = counters_of(info)
    if counters.get("errors") not in case.errors or counters.get("timeouts") != 0 or counters.get("resets") != 0:
        reasons.append(f"nx hw vblk info counts {counters}, expected errors {case.errors}")
    return reasons


def judge_log(case: Case, text: str) -> list[str]:
    """Each line of the case is there once, and none that would be another story."""
    lines = [line.strip() for line in CONTROL_SEQUENCE.sub("", text).split("\n")]
    reasons = []
    for pattern in case.log:
        count = sum(re.fullmatch(pattern, line) is not None for line in lines)
        if count != 1:
            reasons.append(f"log: {count} lines are {pattern!r}")
    wrong = r"pkgfs: mounted from in-memory fixtures|neuron: panic|virtioblkd: device (reset|lost|given up)"
    if not case.mounted:
        wrong += f"|{MOUNTED}"
    elif not case.restarts:
        wrong += r"|init: service .*restart="
    return reasons + [f"log: {line}" for line in lines if re.search(wrong, line)]


def judge_without_packages(session: Session) -> list[str]:
    """Nothing is served, nothing hangs, and the rest works."""
    reasons = []
    for command, wanted in (
        ("ls pkg://", "nx: pkg://: service is gone"),
        (f"cat pkg://{SMALL_FILE}", f"nx: pkg://{SMALL_FILE}: service is gone"),
        ("services", "packages   packagefsd   down"),
        ("hw smp", "nx: smp online=2"),
    ):
        answer = session.command(command)
        if wanted not in answer:
            reasons.append(f"answer to {command!r} lacks {wanted!r}: {answer!r}")
    return reasons


def judge(case: Case, profile: Profile, log: Path) -> list[str]:
    options = {"SMP": "2", "APPEND": ""} | case.options | disk_options(case, log)
    with Session(log, options, profile.timeout, case.arguments) as session:
        if case.mounted:
            started = time.monotonic()
            reasons = judge_sums(case, read_all(case, session))
            if time.monotonic() - started < case.seconds:
                reasons.append("the disk was not slow")
        else:
            reasons = judge_without_packages(session)
        reasons += judge_info(case, session.command("hw vblk info"))
    log.with_suffix(".img").unlink()
    return reasons + judge_log(case, log.read_text(encoding="utf-8"))


def judge_all(cases: tuple[Case, ...], profile: Profile, log: Path) -> list[str]:
    reasons: list[str] = []
    for case in cases:
        path = log.with_suffix(f".{case.name}.log")
        try:
            found = judge(case, profile, path)
        except ConsoleFailure as failure:
            found = [str(failure)]
        reasons += [f"{case.name}: {reason} ({path.name})" for reason in found]
    return reasons


def errors_once(profile: Profile, log: Path) -> list[str]:
    return judge_all(ERRORS_ONCE, profile, log)


def errors_for_ever(profile: Profile, log: Path) -> list[str]:
    return judge_all(ERRORS_FOR_EVER, profile, log)


def geometries(profile: Profile, log: Path) -> list[str]:
    return judge_all(GEOMETRIES, profile, log)


def company(profile: Profile, log: Path) -> list[str]:
    return judge_all(COMPANY, profile, log)


def slow(profile: Profile, log: Path) -> list[str]:
    return judge_all(SLOW, profile, log)


# ---- A disk that stalls --------------------------------------------------------------------------

RESET = r"virtioblkd: device reset reason=request-timeout"
FAILED = r"pkgfs: read error offset=\d+ reason=timed out errors=1"


def stall(machine: monitor.Monitor, stalled: bool) -> None:
    """From here on the disk takes hours for a block, or no time."""
    zero = dict.fromkeys(("bps", "bps_wr", "iops", "iops_rd", "iops_wr"), 0)
    machine.execute("block_set_io_throttle", device="pkgfs", bps_rd=int(stalled), **zero)


def read_while_stalled(session: Session, machine: monitor.Monitor, path: str, until: str) -> str:
    """Read a file from a stalled disk, which goes on when the log says `until`; what the reader says."""
    stall(machine, True)
    session.command("hw vblk info")  # the one read that a limit lets through
    session.settle()
    session.child.send(f"sum pkg://{path}\r")
    session.wait_for(until, until, STALL_SECONDS)
    stall(machine, False)
    return session.wait_for(PROMPT, f"the sum of {path}", STALL_SECONDS)


def stalls(profile: Profile, log: Path) -> list[str]:
    """Twice: the disk comes back after one time-out, and after the last that a read gets."""
    reasons: list[str] = []
    sums = read_sums()
    options = {"SMP": "2", "APPEND": ""} | profile.options
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "monitor"
            with Session(log, options, profile.timeout, monitor.arguments(path)) as session:
                with monitor.Monitor(path) as machine:
                    for name, until in ((SMALL_FILE, RESET), (PROGRAM, FAILED)):
                        answer = read_while_stalled(session, machine, name, until)
                        if sums[name] not in answer:
                            reasons.append(f"{name}: {answer!r}")
                reasons += judge_sums(Case(""), sums_of(session, sums))
                counters = counters_of(session.command("hw vblk info"))
                services = session.command("services")
    except (ConsoleFailure, monitor.MonitorError) as failure:
        return [*reasons, str(failure)]
    return reasons + judge_stalls(log.read_text(encoding="utf-8"), counters, services)


def judge_stalls(text: str, counters: dict[str, int], services: str) -> list[str]:
    """Each time-out was met with a reset, no more and no fewer, and counted; the driver is the same."""
    reasons: list[str] = []
    resets = len(re.findall(RESET, text))
    if resets != 1 + ATTEMPTS or counters != {"errors": 0, "timeouts": resets, "resets": resets}:
        reasons.append(f"{resets} resets in the log, counters {counters}, expected {1 + ATTEMPTS}")
    if "virtioblkd   ready    restarts=0" not in services:
        reasons.append(f"virtioblkd did not outlive it: {services!r}")
    return reasons
