# SPDX-License-Identifier: Apache-2.0
"""The QEMU test profiles. A profile owns its topology and says what its boot must show; adding one is one row.

Each profile runs as a function that returns the reasons of its failure in words: none is a pass.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

import attack
import bench
import commands
import console
import disks
import images
import kills
import latency
import panic_report
import record
from gate import Topology, expectation, judge
from qemu_boot import BUILD, ROOT, Boot, Outcome

TEST_APPEND = "nexus.selftest=1 nexus.poweroff=1"
LAST_MARKER = "SELFTEST: end"
# Jumps to a fixed address with the tree at another: all that firmware and QEMU's default differ in.
JUMP_FIRMWARE = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.bin"
FLIPPED_FILE = "fixtures/hello.txt"
SELFTEST_STATUS = r"init: selftest-client ended status=1"
# A machine without wake-ups may stop anywhere after the marker that its counterfactual is about.
STUCK = (r"^missing: (uartd|virtioblkd|pkgfs|SELFTEST|nx|neuron: ipi|init: service)", r"^timeout", SELFTEST_STATUS)
STUCK_SECONDS = 25
# A boot that should panic does so in its first second.
PANIC_SECONDS = 20
PANICKING_HART = 2
FUZZ_CALLS = 100000
FUZZ_SEED = 20261125
KILLS = 20  # of each service
KILLS_SEED = 20261125
UART_NODE = "/soc/serial@10000000"
# What comes of tests that need every hart's wake-ups.
STUCK_TESTS = r"forbidden: SELFTEST: (hart stop\+start|races|quiet harts|block queue) FAIL"


@dataclass(frozen=True)
class Profile:
    """`topology` is what the gate expects; `options` what the runner is told; `run` how it is judged.

    A profile with `red` is a counterfactual: it passes when its gate fails, each pattern of `red`
    matches one of the gate's reasons, and no reason stands outside `red` and `follows`.
    """

    name: str
    about: str
    run: Callable[["Profile", Path], list[str]]
    topology: Topology = Topology()
    options: dict[str, str] = field(default_factory=dict)
    append: str = TEST_APPEND
    timeout: float = 60
    red: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()


def boot(profile: Profile, log: Path, more: dict[str, str] | None = None) -> Outcome:
    options = {"SMP": str(profile.topology.smp), "APPEND": profile.append}
    with Boot(log, options | profile.options | (more or {})) as machine:
        return machine.wait(profile.timeout)


def ending(profile: Profile, outcome: Outcome) -> list[str]:
    """What is wrong with how the boot ended, apart from what it printed."""
    if outcome.end == "timeout":
        return [f"timeout: QEMU still ran after {profile.timeout:.0f} s"]
    if outcome.end == "panic":
        return ["panic: the machine halted"]
    if outcome.status != 0:
        return [f"exit: QEMU ended with status {outcome.status}"]
    return []


def gated_boot(profile: Profile, log: Path) -> list[str]:
    outcome = boot(profile, log)
    return judge(outcome.log, expectation(profile.topology)) + ending(profile, outcome)


def same_log_twice(profile: Profile, log: Path) -> list[str]:
    """Boot twice under instruction counting: both pass the gate and their logs are the same bytes."""
    logs = (log, log.with_suffix(".second.log"))
    reasons: list[str] = []
    texts: list[bytes] = []
    for path in logs:
        outcome = boot(profile, path)
        reasons += judge(outcome.log, expectation(profile.topology)) + ending(profile, outcome)
        texts.append(outcome.log)
    if texts[0] != texts[1]:
        pairs = zip(texts[0].splitlines(), texts[1].splitlines())
        number = next((n for n, (one, two) in enumerate(pairs, start=1) if one != two), None)
        where = f"from line {number}" if number else "in length"
        reasons.append(f"not deterministic: {logs[0].name} and {logs[1].name} differ {where}")
    return reasons


def turns_red(profile: Profile, log: Path) -> list[str]:
    outcome = boot(profile, log)
    return judge_red(profile, judge(outcome.log, expectation(profile.topology)) + ending(profile, outcome))


def judge_red(profile: Profile, reasons: list[str]) -> list[str]:
    """Why these reasons are not the red gate that the counterfactual `profile` is there to see."""
    if not reasons:
        return ["the gate stayed green although its cause was removed"]
    wrong = [f"no reason matches: {pattern}" for pattern in profile.red if not any_match(pattern, reasons)]
    known = profile.red + profile.follows
    wrong += [f"red for another reason: {reason}" for reason in reasons if not explained(reason, known)]
    return wrong


def any_match(pattern: str, reasons: list[str]) -> bool:
    return any(re.search(pattern, reason) for reason in reasons)


def explained(reason: str, patterns: tuple[str, ...]) -> bool:
    return any(re.search(pattern, reason) for pattern in patterns)


def flipped_byte(profile: Profile, log: Path) -> list[str]:
    """Boot on a copy of the image in which one byte of a file the self-test knows is another."""
    image = log.with_suffix(".img")
    shutil.copyfile(BUILD / "pkgfs.img", image)
    contents = (ROOT / "pkg" / FLIPPED_FILE).read_bytes()
    data = bytearray(image.read_bytes())
    at = data.find(contents)
    if at < 0:
        return [f"{FLIPPED_FILE} is not found in build/pkgfs.img"]
    data[at] ^= 0x01
    image.write_bytes(data)
    outcome = boot(profile, log, {"DISK": str(image)})
    return judge_red(profile, judge(outcome.log, expectation(profile.topology)) + ending(profile, outcome))


def uart_switched_off(profile: Profile, log: Path) -> list[str]:
    """Boot with the UART's node disabled: no driver gets it, and the rest of the system works."""
    tree = log.with_suffix(".dtb")
    shutil.copyfile(BUILD / "virt-nexus-smp4.dtb", tree)
    subprocess.run(["fdtput", "-t", "s", str(tree), UART_NODE, "status", "disabled"], check=True)
    outcome = boot(profile, log, {"DTB": str(tree)})
    reasons = ending(profile, outcome)
    for text, wanted in ((b"init: no console device", True), (LAST_MARKER.encode(), True), (b"uartd: ", False)):
        if (text in outcome.log) != wanted:
            reasons.append(f"{'missing' if wanted else 'forbidden'}: {text.decode()}")
    return reasons


def panics(profile: Profile, log: Path) -> list[str]:
    """Boot with a panic on one hart: its report is whole, and the last that the machine says."""
    outcome = boot(profile, log)
    return panic_report.judge_panic(outcome.log, PANICKING_HART)


def overflows(profile: Profile, log: Path) -> list[str]:
    """Boot with a kernel stack that overflows, on each hart in turn: each is reported."""
    reasons: list[str] = []
    for hart in range(profile.topology.smp):
        path = log if hart == 0 else log.with_suffix(f".hart{hart}.log")
        more = {"APPEND": f"{profile.append} neuron.fault=stack-overflow:{hart}"}
        outcome = boot(profile, path, more)
        reasons += [f"hart {hart}: {reason}" for reason in panic_report.judge_overflow(outcome.log, hart)]
    return reasons


def stays_short(profile: Profile, log: Path) -> list[str]:
    """Boot counting what each stretch with interrupts off and each lock hold costs; name those too long."""
    result, outcome = latency.measure(log, {"APPEND": profile.append} | profile.options, profile.timeout)
    reasons = judge(outcome.log, expectation(profile.topology)) + ending(profile, outcome)
    if not result.stretches or not result.holds:
        reasons.append("the plugin saw no stretch or no hold")
    if result.still_held:
        reasons.append(f"{result.still_held} locks were held where interrupts were let in")
    for kind, findings, budget in (
        ("interrupts off", result.stretches, latency.STRETCH_BUDGET),
        ("lock hold", result.holds, latency.HOLD_BUDGET),
    ):
        for finding in findings:
            if finding.kernel > budget:
                reasons.append(f"{kind}: {finding.kernel} instructions, budget {budget}: {finding.account()}")
    return reasons


def counts_are_as_recorded(profile: Profile, log: Path) -> list[str]:
    """Count eight key operations: none costs more than tests/bench/record.json says."""
    bench.machine.quiet = True
    try:
        results = bench.measure(record.recorded_rows())
    except bench.BenchError as error:
        return [str(error)]
    log.write_text("\n".join(bench.table(results)) + "\n")
    return record.worse({each.row.name: each.figure for each in results})


def attacked(profile: Profile, log: Path) -> list[str]:
    """Boot with attacks instead of self-tests: every one is contained."""
    with Boot(log, {"SMP": str(profile.topology.smp)} | attack.options(profile.append.split()), ()) as machine:
        return attack.judge(machine.wait(profile.timeout), 1)


def survives(profile: Profile, log: Path) -> list[str]:
    """Boot with kills of services instead of self-tests: programs notice nothing but time."""
    services, count, seed = profile.append.split()
    options = {"SMP": str(profile.topology.smp)} | profile.options | kills.options(services, int(count), int(seed))
    with Boot(log, options) as machine:
        return kills.judge(machine.wait(profile.timeout), services, int(count))


PROFILES = [
    Profile("smp4", "four harts", gated_boot),
    Profile("smp3", "three harts", gated_boot, Topology(smp=3)),
    Profile("smp2", "two harts", gated_boot, Topology(smp=2)),
    Profile("smp1", "one hart", gated_boot, Topology(smp=1)),
    Profile("legacy", "legacy virtio transport", gated_boot, options={"VIRTIO": "legacy"}),
    Profile("no-disk", "in-memory fixtures", gated_boot, Topology(disk=False), {"DISK": "none"}),
    Profile("qemu-dtb", "QEMU's own device tree", gated_boot, options={"DTB": "qemu"}),
    Profile("firmware", "another OpenSBI build", gated_boot, options={"FIRMWARE": JUMP_FIRMWARE}),
    Profile("memory-16m", "the least memory", gated_boot, options={"MEMORY": "16M"}),
    Profile(
        "memory-16m-no-disk",
        "the least memory, in-memory fixtures",
        gated_boot,
        Topology(disk=False),
        {"DISK": "none", "MEMORY": "16M"},
    ),
    Profile("memory-1g", "1 GiB of memory", gated_boot, options={"MEMORY": "1G"}),
    Profile(
        "release",
        "the kernel without debug checks",
        gated_boot,
        options={"KERNEL": str(BUILD / "neuron-release.elf")},
    ),
    Profile(
        "icount",
        "two boots of one hart, identical logs",
        same_log_twice,
        Topology(smp=1),
        {"ICOUNT": "1"},
        timeout=120,
    ),
    Profile("icount-smp4", "four harts counting instructions", gated_boot, options={"ICOUNT": "1"}, timeout=120),
    Profile(
        "latency",
        "short stretches with interrupts off, short lock holds",
        stays_short,
        options={"SMP": "4"},
        timeout=120,
    ),
    Profile("bench", "instructions of eight key operations", counts_are_as_recorded),
    Profile(
        "attack-fuzz",
        "100,000 random system calls on four harts",
        attacked,
        append=f"fuzz {FUZZ_CALLS} {FUZZ_SEED}",
        timeout=240,
    ),
    Profile(
        "kills",
        "services killed at random instants",
        survives,
        options={"ICOUNT": "1"},
        append=f"block+packages {KILLS} {KILLS_SEED}",
        timeout=180,
    ),
    Profile("uart-off", "a device tree that switches the UART off", uart_switched_off),
    Profile(
        "panic",
        "a panic on one hart",
        panics,
        append=f"{TEST_APPEND} neuron.fault=panic:{PANICKING_HART}",
        timeout=PANIC_SECONDS,
    ),
    Profile("stack-overflow", "a kernel stack overflow on each hart", overflows, timeout=PANIC_SECONDS),
    Profile("disk-error-once", "a read fails once", disks.errors_once),
    Profile("disk-error", "a sector cannot be read", disks.errors_for_ever),
    Profile("disk-geometry", "large blocks, odd ends, tiny disks", disks.geometries),
    Profile("disk-company", "other disks and virtio devices", disks.company),
    Profile("disk-slow", "a slow disk", disks.slow),
    Profile("disk-stall", "a disk that answers after the time-out", disks.stalls),
    Profile("console", "the interactive prompt", console.run, append="", timeout=90),
    Profile("nx-commands", "nx from the host", commands.run, append="", timeout=120),
    Profile("image-refused", "images that nobody trusted has signed, old and damaged ones", images.refused),
    Profile("image-truncated", "an image cut at ten places", images.truncated),
    Profile("image-flipped", "a changed block of data, and of the tree", images.served, append=""),
    # Counterfactuals: the cause of a marker is removed, and the gate must go red because of it.
    Profile(
        "red-ipi",
        "IPIs suppressed",
        turns_red,
        append=f"{TEST_APPEND} neuron.fault=suppress-ipi",
        red=(r"missing: KSELFTEST: ipi resched ok", r"forbidden: KSELFTEST: ipi resched FAIL"),
        follows=(
            r"KSELFTEST: work stealing",
            r"forbidden: SELFTEST: smp (per-hart ticks|ipi) FAIL",
            r"missing: neuron: hart\{any\} (leaves|online again)",
            STUCK_TESTS,
            *STUCK,
        ),
        timeout=STUCK_SECONDS,
    ),
    Profile(
        "red-hart",
        "a hart that never starts",
        turns_red,
        options={"SMP": "3", "DTB": str(BUILD / "virt-nexus-smp4.dtb")},
        red=(r"forbidden: neuron: smp degraded online=3 wanted=4", r"missing: neuron: hart3 online"),
        follows=(
            r"hart3",
            r"smp(=| online)",
            r"KSELFTEST: (ipi resched|work stealing)",
            r"SELFTEST: (smp (per-hart ticks|ipi)|quiet harts)",
            SELFTEST_STATUS,
        ),
    ),
    Profile(
        "red-timer",
        "timer masked on hart 1",
        turns_red,
        append=f"{TEST_APPEND} neuron.fault=mask-timer:1",
        red=(r"missing: neuron: hart1 tick", r"missing: SELFTEST: smp per-hart ticks ok"),
        follows=(
            r"forbidden: SELFTEST: smp per-hart ticks FAIL reason=hart 1:",
            r"forbidden: SELFTEST: smp ipi FAIL",
            r"missing: neuron: hart\{any\} (leaves|online again)",
            STUCK_TESTS,
            *STUCK,
        ),
        timeout=STUCK_SECONDS,
    ),
    Profile(
        "red-disk",
        "disk missing",
        turns_red,
        options={"DISK": "none"},
        red=(r"missing: pkgfs: mounted from virtio-blk ro", r"missing: virtioblkd: ready"),
        follows=(
            r"virtioblkd",
            r"pkgfs",
            r"nx: vblk",
            r"init: (nx ended|service block killed)",
            r"SELFTEST: block queue",
            SELFTEST_STATUS,
        ),
    ),
    Profile(
        "red-byte",
        "one byte of a known file flipped",
        flipped_byte,
        red=(r"forbidden: SELFTEST: pkgfs virtio ro FAIL", r"missing: SELFTEST: pkgfs virtio ro ok"),
        follows=(SELFTEST_STATUS,),
    ),
]
