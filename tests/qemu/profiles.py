# SPDX-License-Identifier: Apache-2.0
"""The QEMU test profiles. A profile owns its topology and says what its boot must show; adding one is one row.

Each profile runs as a function that returns the reasons of its failure in words: none is a pass.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

import attack
import bench
import commands
import console
import crash_loop
import disks
import images
import kills
import latency
import mappings
import monitor
import mutants
import panic_report
import record
from gate import Topology, expectation, judge, unreached
from mutants import KERNEL, Faults, Flipped, Mutation, Returns, Tree, Without, Yields
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
# Of enum nx_status.
NO_MEMORY, NOT_FOUND, UNSUPPORTED = 5, 9, 14
# Self-tests that take long and that a counterfactual is not about.
WITHOUT_SLOW_TESTS = tuple(
    Returns("selftest-client", f"test_{name}") for name in ("fpu", "hart_stop", "quiet_harts", "races")
)
PANIC_REPORT = (r"^forbidden: neuron: panic (  |end)", r"^panic: the machine halted")
# After it was ready, and at every call of one kind.
CRASHING = Faults("packagefsd", "serve_read_link")
FUZZ_CALLS = 100000
FUZZ_SEED = 20261125
ATTACK_PROGRAMS = 9
KILLS = 20  # of each service
KILLS_SEED = 20261125
UART_NODE = "/soc/serial@10000000"
# What comes of tests that need every hart's wake-ups.
STUCK_TESTS = r"forbidden: SELFTEST: (hart stop\+start|races|quiet harts|block queue) FAIL"


# What a service says and suffers that met an instruction which the tree had promised.
DISTRUST = (b"init: packagefsd fault cause=2 (illegal instruction)", b"init: hart extensions are not used any more")
DISTRUSTED_DEATH = r"^forbidden: init: service packages ended by a fault restart=1 delay_ms=10$"


@dataclass(frozen=True)
class Profile:
    """`topology` is what the gate expects; `options` what the runner is told; `run` how it is judged.

    A profile with `red` is a counterfactual: it passes when its gate fails, each pattern of `red`
    matches one of the gate's reasons, and no reason stands outside `red` and `follows`. `mutations` are
    made in copies of what boots. With `until`, the boot ends as soon as that text has appeared, or a
    panic, because the verdict is known; markers that had not come yet are then nobody's fault.
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
    mutations: tuple[Mutation, ...] = ()
    until: str | None = None
    notes: list[str] = field(default_factory=list)  # of its run: what is to be said and is no failure


def boot(profile: Profile, log: Path, more: dict[str, str] | None = None) -> Outcome:
    options = {"SMP": str(profile.topology.smp), "APPEND": profile.append} | profile.options
    tree = Path(options.get("DTB", BUILD / f"virt-nexus-smp{options['SMP']}.dtb"))
    options |= mutants.make(profile.mutations, log, tree) | (more or {})
    until = re.compile(profile.until.encode() + rb"[^\n]*") if profile.until is not None else None
    with Boot(log, options) as machine:
        outcome = machine.wait(profile.timeout, until)
    found = until.search(outcome.log) if until is not None else None
    if found is not None:  # what came between the verdict and the look at the log depends on the host
        return replace(outcome, end="reached", log=outcome.log[: found.end()])
    return outcome


def ending(profile: Profile, outcome: Outcome) -> list[str]:
    """What is wrong with how the boot ended, apart from what it printed."""
    if outcome.end == "timeout":
        return [f"timeout: QEMU still ran after {profile.timeout:.0f} s"]
    if outcome.end == "panic":
        return ["panic: the machine halted"]
    if outcome.end == "exit" and outcome.status != 0:
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
    return judge_red(profile, boot(profile, log))


def judge_red(profile: Profile, outcome: Outcome) -> list[str]:
    """Why this boot is not the red gate that the counterfactual `profile` is there to see."""
    expected = expectation(profile.topology)
    reasons = judge(outcome.log, expected) + ending(profile, outcome)
    excused = unreached(outcome.log, expected) if outcome.end in ("reached", "panic") else set()
    return judge_reasons(profile, reasons, excused)


def judge_reasons(profile: Profile, reasons: list[str], excused: Collection[str] = ()) -> list[str]:
    """Why `reasons` are not those for which the counterfactual `profile` must fail."""
    if not reasons:
        return ["the gate stayed green although its cause was removed"]
    wrong = [f"no reason matches: {pattern}" for pattern in profile.red if not any_match(pattern, reasons)]
    known = profile.red + profile.follows
    others = [reason for reason in reasons if reason not in excused]
    wrong += [f"red for another reason: {reason}" for reason in others if not explained(reason, known)]
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
    return judge_red(profile, boot(profile, log, {"DISK": str(image)}))


def uart_switched_off(profile: Profile, log: Path) -> list[str]:
    """Boot with the UART's node disabled: no driver gets it, and the rest of the system works."""
    outcome = boot(profile, log)
    reasons = judge_red(profile, outcome)
    for text, wanted in ((b"init: no console device", True), (LAST_MARKER.encode(), True), (b"uartd: ", False)):
        if (text in outcome.log) != wanted:
            reasons.append(f"{'missing' if wanted else 'forbidden'}: {text.decode()}")
    return reasons


def panics(profile: Profile, log: Path) -> list[str]:
    """Boot with a panic on one hart: its report is whole, and the last that the machine says."""
    outcome = boot(profile, log)
    return panic_report.judge_panic(outcome.log, PANICKING_HART)


def overflow(profile: Profile, log: Path, hart: int) -> list[str]:
    """Boot with a kernel stack that overflows on one hart: why it is not reported, or not contained."""
    socket = log.with_suffix(".qmp")
    socket.unlink(missing_ok=True)
    smp = str(profile.topology.smp)
    options = {"SMP": smp, "APPEND": f"{profile.append} neuron.fault=stack-overflow:{hart}"}
    options |= mutants.make(profile.mutations, log, BUILD / f"virt-nexus-smp{smp}.dtb")
    with Boot(log, options, monitor.arguments(socket)) as machine:
        outcome = machine.wait(profile.timeout)
        reasons = panic_report.judge_overflow(outcome.log, hart)
        if outcome.end == "panic":
            reasons += panic_report.judge_neighbours(hart, socket, log.with_suffix(".guard"))
    return reasons


def overflows(profile: Profile, log: Path) -> list[str]:
    """Boot with a kernel stack that overflows, on each hart in turn: each is reported, and contained."""
    reasons: list[str] = []
    for hart in range(profile.topology.smp):
        path = log if hart == 0 else log.with_suffix(f".hart{hart}.log")
        reasons += [f"hart {hart}: {reason}" for reason in overflow(profile, path, hart)]
    return reasons


def overflow_turns_red(profile: Profile, log: Path) -> list[str]:
    """The same on the boot hart, where the mutations have taken something away that it needs."""
    return judge_reasons(profile, overflow(profile, log, 0))


def crash_loop_turns_red(profile: Profile, log: Path) -> list[str]:
    """A service that crashes for ever, where the mutations have taken away what its callers rely on."""
    return judge_reasons(profile, crash_loop.callers_are_told(profile, log))


def no_page_is_writable_and_executable(profile: Profile, log: Path) -> list[str]:
    """Boot through the self-tests while QEMU is asked for all mappings of each hart."""
    smp = profile.topology.smp
    options = {"SMP": str(smp), "APPEND": profile.append}
    return mappings.watch(log, options, smp, profile.timeout)


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
    """Count twelve key operations: none costs more than tests/bench/record.json and its budget say."""
    bench.machine.quiet = True
    try:
        results = bench.measure(record.recorded_rows())
    except bench.BenchError as error:
        return [str(error)]
    log.write_text("\n".join(bench.table(results)) + "\n")
    figures = {each.row.name: each.figure for each in results}
    profile.notes.extend(record.better(figures))
    return record.worse(figures)


def attacked(profile: Profile, log: Path) -> list[str]:
    """Boot with attacks instead of self-tests: every one is contained."""
    with Boot(log, {"SMP": str(profile.topology.smp)} | attack.options(profile.append.split()), ()) as machine:
        return attack.judge(machine.wait(profile.timeout), 1 if "fuzz" in profile.append else ATTACK_PROGRAMS)


def distrusts(profile: Profile, log: Path) -> list[str]:
    """Boot on a tree that claims Zbb for harts without it: one fault of packagefsd, then all is well without."""
    outcome = boot(profile, log)
    reasons = judge(outcome.log, expectation(profile.topology)) + ending(profile, outcome)
    reasons = [reason for reason in reasons if not re.search(DISTRUSTED_DEATH, reason)]
    return reasons + [f"not once: {text.decode()}" for text in DISTRUST if outcome.log.count(text) != 1]


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
    Profile(
        "plain-harts",
        "harts without Sstc and Zbb",
        gated_boot,
        Topology(smp=2),
        {"CPU": "rv64,sstc=off,zbb=off", "DTB": "qemu"},
    ),
    Profile("less-harts", "harts without the Zbb that their tree claims", distrusts, options={"CPU": "rv64,zbb=off"}),
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
    Profile("bench", "instructions of twelve key operations", counts_are_as_recorded),
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
    Profile(
        "attack-programs",
        "fork-bomb, hogs, floods, liars: contained, the neighbour served, all memory back",
        attacked,
        append="all",
        timeout=300,
    ),
    Profile(
        "uart-off",
        "a device tree that switches the UART off",
        uart_switched_off,
        mutations=(Tree(("-t", "s"), (UART_NODE, "status", "disabled")),),
        red=(
            r"missing: neuron: uart early printk ok",
            r"missing: uartd: mmio",
            r"missing: uartd: ready",
            r"missing: uartd: attach console ok",
            r"missing: SELFTEST: bringup uart early\+userspace ok",
        ),
        follows=(r"SELFTEST: bringup (uart early\+userspace|plic\+timer)", SELFTEST_STATUS),
    ),
    Profile(
        "panic",
        "a panic on one hart",
        panics,
        append=f"{TEST_APPEND} neuron.fault=panic:{PANICKING_HART}",
        timeout=PANIC_SECONDS,
    ),
    Profile("stack-overflow", "a kernel stack overflow on each hart", overflows, timeout=PANIC_SECONDS),
    Profile("write-or-execute", "no page is writable and executable", no_page_is_writable_and_executable, timeout=120),
    Profile("disk-error-once", "a read fails once", disks.errors_once),
    Profile("disk-error", "a sector cannot be read", disks.errors_for_ever),
    Profile("disk-geometry", "large blocks, odd ends, tiny disks", disks.geometries),
    Profile("disk-company", "other disks and virtio devices", disks.company),
    Profile("disk-slow", "a slow disk", disks.slow),
    Profile("disk-stall", "a disk that answers after the time-out", disks.stalls),
    Profile(
        "crash-loop",
        "a service that was ready and crashes at every call: its callers are told, the system goes on",
        crash_loop.run,
        mutations=(CRASHING,),
        append="",
    ),
    Profile("console", "the interactive prompt", console.run, append="", timeout=90),
    Profile("nx-commands", "nx from the host", commands.run, append="", timeout=120),
    Profile("image-refused", "images that nobody trusted has signed, old and damaged ones", images.refused),
    Profile("image-unreachable", "an unsigned image on a disk that the tree is wrong about", images.unreachable),
    Profile("image-truncated", "an image cut at ten places", images.truncated),
    Profile("image-flipped", "a changed block of data, of the tree, of metadata", images.served, append=""),
    # Counterfactuals: the cause of a marker is removed, and the gate must go red because of it.
    Profile(
        "red-ipi",
        "IPIs suppressed",
        turns_red,
        append=f"{TEST_APPEND} neuron.fault=suppress-ipi",
        red=(
            r"missing: KSELFTEST: ipi resched ok",
            r"forbidden: KSELFTEST: ipi resched FAIL",
            r"missing: neuron: ipi hart\{any\}->hart1",
        ),
        until=r"KSELFTEST: ipi resched (ok|FAIL)",
        timeout=STUCK_SECONDS,
    ),
    Profile(
        "red-hart",
        "a hart that never starts, a clock of another rate, an nx that cannot ask the firmware",
        turns_red,
        options={"SMP": "3", "DTB": str(BUILD / "virt-nexus-smp4.dtb")},
        mutations=(
            Tree(("-t", "u"), ("/cpus", "timebase-frequency", "10000001")),
            Returns("nx", "sbi_run"),
            *WITHOUT_SLOW_TESTS,
        ),
        red=(
            r"forbidden: neuron: smp degraded online=3 wanted=4",
            r"missing: neuron: hart3 online",
            r"missing: neuron: hart0 boot virt smp=4",
            r"missing: KSELFTEST: smp online ok",
            r"missing: SELFTEST: smp per-hart ticks ok",
            r"missing: SELFTEST: smp ipi ok",
            r"missing: nx: smp online=4",
            r"missing: neuron: boot virt dtb-ok tb=10000000",
            r"missing: nx: hw dt tb=10000000",
            r"missing: nx: hw sbi time=1",
        ),
        follows=(
            r"hart3",
            r"KSELFTEST: (smp online|ipi resched|work stealing)",
            r"forbidden: SELFTEST: smp (per-hart ticks|ipi) FAIL",
            r"missing: neuron: hart\{any\} (leaves|online again)",  # WITHOUT_SLOW_TESTS
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
        until=r"SELFTEST: smp per-hart ticks (ok|FAIL)",
        timeout=STUCK_SECONDS,
    ),
    Profile(
        "red-disk",
        "disk missing",
        turns_red,
        Topology(smp=2),
        {"DISK": "none"},
        mutations=WITHOUT_SLOW_TESTS,
        red=(
            r"missing: virtioblkd: mmio",
            r"missing: virtioblkd: ready",
            r"missing: pkgfs: mounted from virtio-blk ro",
            r"missing: init: service block killed",
            r"missing: SELFTEST: pkgfs virtio ro ok",
            r"missing: SELFTEST: block queue ok",
            r"missing: nx: vblk sectors",
        ),
        follows=(
            r"forbidden: .*pkgfs",
            r"forbidden: init: nx ended",
            r"missing: neuron: hart\{any\} (leaves|online again)",  # WITHOUT_SLOW_TESTS
            SELFTEST_STATUS,
        ),
    ),
    Profile(
        "red-fixtures",
        "one byte of the fixtures flipped",
        turns_red,
        Topology(smp=2, disk=False),
        {"DISK": "none"},
        mutations=(Flipped("fixtures.img", (ROOT / "pkg" / FLIPPED_FILE).read_bytes()), *WITHOUT_SLOW_TESTS),
        red=(
            r"missing: pkgfs: mounted from in-memory fixtures ro",
            r"missing: SELFTEST: pkgfs fixtures ro ok",
            r"forbidden: SELFTEST: pkgfs fixtures ro FAIL",
        ),
        follows=(r"forbidden: SELFTEST: pkgfs virtio ro FAIL",),
        until=r"SELFTEST: pkgfs fixtures ro (ok|FAIL)",
    ),
    Profile(
        "red-tree",
        "a device tree without memory",
        turns_red,
        Topology(smp=1),
        mutations=(Tree(("-r",), ("/memory@80000000",)),),
        red=(
            r"missing: neuron: uart early printk ok",
            r"missing: neuron: boot virt dtb-ok",
            r"missing: neuron: hart map",
            r"forbidden: neuron: panic hart=0: device tree",
        ),
        follows=PANIC_REPORT,
        timeout=PANIC_SECONDS,
    ),
    Profile(
        "red-tick",
        "timer and device interrupts masked on the boot hart",
        turns_red,
        Topology(smp=1),
        mutations=(Tree(("-t", "x"), ("/soc/plic@c000000", "interrupts-extended", "3", "b", "3", "ffffffff")),),
        append=f"{TEST_APPEND} neuron.fault=mask-timer:0",
        red=(
            r"missing: neuron: plic enabled",
            r"missing: neuron: timer tick start",
            r"missing: neuron: hart0 online",
            r"missing: neuron: hart0 boot virt",
            r"missing: SELFTEST: end",
            r"forbidden: neuron: panic hart=0: no timer interrupt",
        ),
        follows=PANIC_REPORT,
        timeout=PANIC_SECONDS,
    ),
    Profile(
        "red-guard",
        "no guard page below the boot hart's kernel stack",
        overflow_turns_red,
        mutations=(Without(KERNEL, "arch_kernel_table_build", r"<arch_stacks\+0x2000>$"),),
        red=(
            r"^another panic: trap in the kernel hart=0 cause=15 ",
            r"^the guard page below hart 0's stack was written$",
        ),
        timeout=PANIC_SECONDS,
    ),
    Profile(
        "red-crash-loop",
        "nobody answers for a service that is down",
        crash_loop_turns_red,
        mutations=(CRASHING, Returns("nexus-init", "undertaker_main")),
        append="",
        red=(r"^missing: kills: crowd callers=8 ended=8 gone=8", r"^missing: a call after the service is down$"),
    ),
    Profile(
        "red-poll",
        "IPIs are acted on without an interrupt",
        turns_red,
        Topology(smp=2),
        {"ICOUNT": "1"},
        mutations=(
            Without(KERNEL, "scheduler_run_next", r"^wfi"),
            Yields(KERNEL, "interrupts_handle_pending", r"^andi?\s+\w+,\w+,2$", 2),
        ),
        red=(r"missing: KSELFTEST: ipi counterfactual ok", r"forbidden: KSELFTEST: ipi counterfactual FAIL"),
        until=r"KSELFTEST: ipi counterfactual (ok|FAIL)",
    ),
    Profile(
        "red-send",
        "every IPI is accepted, none is sent; the first program does not start",
        turns_red,
        Topology(smp=2),
        {"ICOUNT": "1"},
        mutations=(Returns(KERNEL, "hart_send_ipi"), Returns(KERNEL, "thread_start", NO_MEMORY)),
        red=(
            r"missing: KSELFTEST: test_reject_offline_cpu_resched ok",
            r"missing: KSELFTEST: test_reject_invalid_ipi_target_cpu ok",
            r"missing: KSELFTEST: ipi resched ok",
            r"missing: userspace: hello",
            r"forbidden: neuron: panic hart=0: nexus-init: start failed",
        ),
        follows=(r"forbidden: KSELFTEST: .* FAIL", *PANIC_REPORT),
    ),
    Profile(
        "red-user",
        "what user space relies on, one thing for each test",
        turns_red,
        Topology(smp=2),
        {"ICOUNT": "1"},
        mutations=(
            Returns(KERNEL, "scheduler_steal"),
            Returns(KERNEL, "describe_interrupt", NOT_FOUND),
            Returns(KERNEL, "sys_hart_control", UNSUPPORTED),
            Returns(KERNEL, "reply_abandon_current"),
            Returns(KERNEL, "process_bind"),
            Without(KERNEL, "arch_fpu_resume", r"^fld"),
            Returns(KERNEL, "reclaim_run"),
        ),
        red=(
            r"missing: KSELFTEST: test_reject_steal_above_bound ok",
            r"missing: KSELFTEST: test_reject_steal_higher_qos ok",
            r"missing: KSELFTEST: work stealing ok",
            r"missing: SELFTEST: bringup plic\+timer ok",
            r"missing: SELFTEST: syscall refusals ok",
            r"missing: SELFTEST: ipc ok",
            r"missing: SELFTEST: memory ok",
            r"missing: SELFTEST: fpu ok",
            r"missing: SELFTEST: hart stop\+start ok",
            r"missing: neuron: hart\{any\} leaves",
            r"missing: neuron: hart\{any\} online again",
            r"missing: SELFTEST: quiet harts ok",
            r"missing: SELFTEST: races ok",
        ),
        follows=(r"forbidden: K?SELFTEST: .* FAIL",),
        until=r"SELFTEST: races (ok|FAIL)",
        timeout=120,
    ),
    Profile(
        "red-byte",
        "one byte of a known file flipped",
        flipped_byte,
        Topology(smp=2),
        mutations=WITHOUT_SLOW_TESTS,
        until=r"SELFTEST: pkgfs virtio ro (ok|FAIL)",
        red=(r"forbidden: SELFTEST: pkgfs virtio ro FAIL", r"missing: SELFTEST: pkgfs virtio ro ok"),
        follows=(SELFTEST_STATUS,),
    ),
]
