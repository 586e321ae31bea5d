#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks what nexus-init does for dead drivers and about kills, and says which tests notice: tests/host/mutation.py.

usage: mutants.py [NAME...]     all mutants, or those whose name contains a word

A mutant that no test notices fails the run. Takes about two minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS.parent))

from mutation import ROOT, Mutant, Suite, run  # noqa: E402  (after the path)

INIT = ROOT / "source/init/nexus-init"
RUNTIME = ROOT / "source/libs/nexus"
DISK = TESTS.parent / "virtio-blk"
NAMES, PROGRAMS, QUIESCE, SUPERVISOR = "names.c", "programs.c", "quiesce.c", "supervisor.c"
SUITE = Suite(
    folder=INIT,
    sources=tuple(INIT / name for name in (NAMES, PROGRAMS, QUIESCE, SUPERVISOR)),
    place="nexus-init",
    seen_from="nexus-init",
    includes=(
        TESTS / "fake",
        DISK / "fake",
        RUNTIME / "include",
        *(ROOT / "source" / name for name in ("abi", "libs", "drivers")),
        TESTS.parent,
    ),
    common=(
        TESTS / "world.c",
        *(DISK / name for name in ("device_model.c", "device_model_queue.c", "fixture.c")),
        *(RUNTIME / "src" / name for name in ("ending.c", "status.c")),
        *sorted((ROOT / "source/drivers/storage/virtio-blk").glob("*.c")),
    ),
    mains=(TESTS / "test_deaths.c", TESTS / "test_fixtures.c", TESTS / "test_names.c"),
)

HELD_RELEASE = """        if (facts.state == NX_PROCESS_HELD) {
            held_release(id);
            continue;
        }
"""
MAY_KILL = """    if (!program_row(client)->may_kill) {
        status = NX_ERR_ACCESS_DENIED;
    }
"""
KILL = """    if (status == NX_OK) {
        status = supervisor_kill(service);
    }
"""

MUTANTS = [
    # A device is still before its memory goes to others.
    Mutant("no reset is asked for", QUIESCE, "    nx_mmio_write32(window, VIRTIO_MMIO_STATUS, 0);\n", ""),
    Mutant("STATUS is not waited for", QUIESCE, "while (!is_reset && nx_clock_now() < deadline)", "while (0 && deadline)"),
    Mutant("a reset that does not take counts", QUIESCE, "    return is_reset;\n", "    return true;\n"),
    Mutant(
        "the disk is not reset",
        QUIESCE,
        "    bool still = id != DEVICE_BLOCK || virtio_reset(device);",
        "    bool still = true;\n    (void)virtio_reset;",
    ),
    Mutant(
        "a device that cannot be reached counts as reset",
        QUIESCE,
        "        return false;\n    }\n    uint64_t deadline",
        "        return true;\n    }\n    uint64_t deadline",
    ),
    Mutant("a device that is not still is let go of", SUPERVISOR, "if (device_quiesce(program_row(id)->device)) {", "if (1) {"),
    Mutant(
        "a held driver is let go at once",
        SUPERVISOR,
        HELD_RELEASE,
        HELD_RELEASE.replace("held_release(id);", "(void)!process_kill(id, NX_EXIT_LET_GO); (void)held_release;"),
    ),
    Mutant("a held driver is never let go", SUPERVISOR, "process_kill(id, NX_EXIT_LET_GO);", "process_kill(id, NX_EXIT_KILLED);"),
    Mutant("the device of a driver without memory is not reset", SUPERVISOR, "    (void)!device_quiesce(row->device);\n", ""),
    Mutant("an interrupt of the dead is left unanswered", QUIESCE, "    (void)!nx_interrupt_ack(device->interrupt);\n", ""),
    # Giving up.
    Mutant(
        "a service is declared down twice",
        SUPERVISOR,
        '    if (programs[id].state != NX_SERVICE_DOWN) {\n        service_down(id, "its',
        '    if (1) {\n        service_down(id, "its',
    ),
    Mutant(
        "nobody answers for a service that is down",
        SUPERVISOR,
        "        service_down(id, too_tardy",
        "        program->state = NX_SERVICE_DOWN;\n        (void)(too_tardy",
    ),
    Mutant("a crash loop has no end", SUPERVISOR, "return recent < CRASHES_MAX;", "return true;"),
    Mutant("a crash is never forgiven", SUPERVISOR, "recent += now - program->crash_times[i] < CRASH_WINDOW;", "recent += 1;"),
    Mutant("a kill counts as a crash", SUPERVISOR, "(!requested && !restart_after_crash(program, now))", "!restart_after_crash(program, now)"),
    # The fixtures.
    Mutant("the driver of a disk that cannot be used is started", SUPERVISOR, "if (presence == DEVICE_UNUSABLE) {", "if (0) {"),
    # Who may kill.
    Mutant("everybody may kill", NAMES, MAY_KILL, ""),
    Mutant("who may not kill is told so afterwards", NAMES, MAY_KILL + KILL, KILL + MAY_KILL),
    Mutant("a badge of no program is taken", NAMES, "    if (client >= PROGRAM_COUNT) {", "    if (0) {"),
    Mutant("packagefsd may kill", PROGRAMS, '            .file = "packagefsd",', '            .may_kill = true,\n            .file = "packagefsd",'),
    Mutant("a name need not end", NAMES, "return memchr(name, '\\0', bytes) != NULL ? NX_OK : NX_ERR_BAD_FORMAT;", "return NX_OK;"),
]

if __name__ == "__main__":
    sys.exit(run(SUITE, MUTANTS))
