# SPDX-License-Identifier: Apache-2.0
"""Profile `crash-loop`: a service that was ready and has served crashes at every call of one kind.

First, with instructions counted, so that all of it is the same on every machine: more callers than the service
may have crashes, so that some are never received. When nexus-init gives the service up, each of them is told.
Then somebody at the prompt does the same, and sees what is left of the system.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import mutants
from console import COMMAND_SECONDS, ConsoleFailure, Session, exit_status
from qemu_boot import BUILD, Boot

if TYPE_CHECKING:
    from profiles import Profile

PROGRAM = ("run", "pkg://bin/kill-test", "--crowd")
CRASHES_MAX = 5  # in ten seconds; one more, and the service is down
FAULT = rb"init: packagefsd fault cause=2 \(illegal instruction\)"
DOWN = rb"init: service packages down reason=it ends too often"
TOLD = rb"kills: crowd callers=8 ended=8 gone=8 ms=(?P<ms>\d+)"
AFTERWARDS = re.compile(rb'kills: crowd afterwards="service is gone" us=(?P<us>\d+)')
# Of virtual time. A client that has patience with a service waits for about ten seconds; what the service is put
# off for between its lives, 10 to 160 ms, is 310 ms.
TOLD_MS = 500
AT_ONCE_US = 1000
GONE = "service is gone"
# What is typed, and what the answer must hold.
TYPED = [
    ("cat pkg://fixtures/one-byte", [r"\nx"]),
    ("services", [r"packages +packagefsd +ready +restarts=0"]),
    (" ".join(PROGRAM), [DOWN.decode(), TOLD.decode()]),
    ("services", [r"packages +packagefsd +down", r"block +virtioblkd +ready +restarts=0"]),
    ("cat pkg://fixtures/hello.txt", [GONE]),
    ("ls pkg://", [GONE]),
    ("run pkg://bin/hello", [GONE]),
    ("kill packages", ["bad state"]),
    ("hw vblk info", [r"nx: vblk sectors=\d+"]),
    ("hw smp", [r"nx: smp online=4"]),
    ("ps", ["nexus-init"]),
]


def machine(profile: Profile, log: Path) -> dict[str, str]:
    smp = str(profile.topology.smp)
    changed = mutants.make(profile.mutations, log, BUILD / f"virt-nexus-smp{smp}.dtb")
    return {"SMP": smp, "DISK": str(BUILD / "kills.img")} | changed


def judge(log: bytes) -> list[str]:
    """Why `log` does not show a service that crashed as often as it may, and callers who learn of it."""
    reasons = [f"missing: {text.decode()}" for text in (DOWN, TOLD) if not re.search(text, log)]
    crashes = len(re.findall(FAULT, log))
    if crashes != CRASHES_MAX + 1:
        reasons.append(f"packagefsd crashed {crashes} times")
    told = re.search(TOLD, log)
    if told is not None and int(told["ms"]) > TOLD_MS:
        reasons.append(f"the callers were told after {int(told['ms'])} ms")
    afterwards = AFTERWARDS.search(log)
    if afterwards is None:
        reasons.append("missing: a call after the service is down")
    elif int(afterwards["us"]) > AT_ONCE_US:
        reasons.append(f"a service that is down took {int(afterwards['us'])} us to say so")
    return reasons


def callers_are_told(profile: Profile, log: Path) -> list[str]:
    """Boot for the callers alone."""
    options = machine(profile, log) | {"ICOUNT": "1", "APPEND": f"nexus.run={','.join(PROGRAM)}"}
    with Boot(log, options) as booted:
        outcome = booted.wait(profile.timeout)
    reasons = judge(outcome.log)
    if outcome.end != "exit":
        reasons.append(f"{outcome.end} after {outcome.seconds:.0f} s")
    return reasons


def system_goes_on(profile: Profile, log: Path) -> list[str]:
    """Type at the prompt."""
    reasons: list[str] = []
    try:
        with Session(log, machine(profile, log) | {"APPEND": profile.append}, profile.timeout) as session:
            for keys, patterns in TYPED:
                answer = session.command(keys)
                reasons += [f"{keys!r} has no {pattern!r}" for pattern in patterns if not re.search(pattern, answer)]
            session.child.send("poweroff\r")
            reasons += exit_status(session, COMMAND_SECONDS)
    except ConsoleFailure as failure:
        reasons.append(str(failure))
    return reasons


def run(profile: Profile, log: Path) -> list[str]:
    return callers_are_told(profile, log) or system_goes_on(profile, log.with_suffix(".console.log"))
