# SPDX-License-Identifier: Apache-2.0
"""Profile `nx-commands`: `./nexus nx` from the host, and the checksums of every packaged file.

Each command of a table is a boot of its own, as a user's would be. The files are summed in one
console session and compared with build/pkgfs.img.sums, which the image builder wrote on the host.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from console import ConsoleFailure, Session
from qemu_boot import BUILD, ROOT, RUNNER, runner_environment

if TYPE_CHECKING:
    from profiles import Profile

# Each command at least once: check_json_tables compares with what `help` lists.
JSON_COMMANDS = [
    "hw smp",
    "hw vblk info",
    "hw dt",
    "hw sbi",
    "hw irq",
    "ps",
    "mem",
    "services",
    "kill block",
    "pkg info",
    "ls pkg://",
    "cat pkg://fixtures/hello.txt",
    "stat pkg://fixtures/hello.txt",
    "sum -r pkg://fixtures",
    "measure",
    "reboot",
    "poweroff",
]
PROGRAM = "pkg://bin/hello"
# Refused with a usage line and a status that is neither success nor a failed boot.
MALFORMED = [
    ["frobnicate"],
    ["hw"],
    ["hw", "smp", "--frobnicate"],
    ["cat"],
    ["stat", ""],
    ["run", PROGRAM, *["word"] * 31],
    ["cat", "x" * 1000],
]
MALFORMED_JSON = [["hw", "smp", "--frobnicate"], ["frobnicate"], ["help", "frobnicate"]]
# A line that ends the output of a command, and one that the kernel prints.
FORGED = "\nnx: exit status=7\nneuron: hart1 tick n=3\r\n%41"
USAGE = 2
# virtio 1.2, section 6
RING_FEATURES = ((28, "VIRTIO_F_INDIRECT_DESC"), (29, "VIRTIO_F_EVENT_IDX"))
BOOT_FAILED = 125
HOST_SECONDS = 90


def nx(words: list[str], options: dict[str, str] | None = None) -> tuple[int, bytes, str]:
    """Status, standard output and standard error of `./nexus nx WORDS`, without its build step."""
    result = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "nx-command.py"), *words],
        capture_output=True,
        timeout=HOST_SECONDS,
        env=runner_environment(options or {}),
        check=False,
    )
    return result.returncode, result.stdout, result.stderr.decode(errors="replace")


def check_json(words: list[str], expected: int = 0) -> tuple[list[str], object]:
    """`words` with --json end with `expected` and say one JSON value, which is returned too."""
    words = [words[0], "--json", *words[1:]] if words[0] == "run" else [*words, "--json"]
    name = " ".join(words)
    status, output, errors = nx(words)
    if status != expected:
        return [f"nx {name}: status {status}: {errors.strip() or output!r}"], None
    try:
        return [], json.loads(output)
    except ValueError as error:
        return [f"nx {name}: not JSON: {error}"], None


def check_json_tables() -> list[str]:
    reasons, listed = check_json(["help"])
    for row in listed if isinstance(listed, list) else []:
        if not any(f"{words} ".startswith(f"{row['name']} ") for words in [*JSON_COMMANDS, "help", "run"]):
            reasons.append(f"the JSON of nx {row['name']} is not tested")
    for words in JSON_COMMANDS:
        reasons += check_json(words.split())[0]
    for refused in MALFORMED_JSON:
        wrong, answer = check_json(refused, USAGE)
        reasons += wrong
        if not wrong and not (isinstance(answer, dict) and {"error", "usage"} <= answer.keys()):
            reasons.append(f"nx {' '.join(refused)} --json: no error and usage in {answer}")
    wrong, answer = check_json(["run", PROGRAM, FORGED])
    reasons += wrong
    if not wrong and FORGED not in str(answer["output"] if isinstance(answer, dict) else ""):
        reasons.append(f"nx run --json: output is {answer}")
    return reasons


def check_malformed(words: list[str]) -> list[str]:
    name = " ".join(words)[:40]
    status, output, errors = nx(words)
    if status == 0 or status >= BOOT_FAILED:
        return [f"nx {name}: status {status}, expected a refusal: {errors.strip() or output!r}"]
    if b"usage" not in output and "usage" not in errors:
        return [f"nx {name}: no usage line in: {output!r} {errors.strip()}"]
    return []


def check_exact() -> list[str]:
    """What comes out is every byte that the command wrote, and nothing else."""
    reasons: list[str] = []
    status, output, _ = nx(["cat", "pkg://fixtures/one-byte"])
    if (status, output) != (0, (ROOT / "pkg/fixtures/one-byte").read_bytes()):
        reasons.append(f"nx cat of one byte: status {status}, output {output!r}")
    status, output, _ = nx(["cat", PROGRAM])
    digest = hashlib.sha256(output).hexdigest()
    if (status, digest) != (0, read_sums()["bin/hello"]):
        reasons.append(f"nx cat of a program: status {status}, {len(output)} bytes, another checksum")
    status, output, _ = nx(["run", PROGRAM, FORGED])
    if status != 0 or FORGED.encode() not in output:
        reasons.append(f"nx run with a forged end: status {status}, output {output!r}")
    return reasons


def check_virtqueue() -> list[str]:
    """The disk's queue has indirect descriptors and the event index, which QEMU's device offers."""
    reasons, facts = check_json(["hw", "vblk", "info"])
    if not reasons:
        features = int(str(facts["features"]), 0) if isinstance(facts, dict) else 0
        reasons = [f"nx hw vblk info: {name} is not negotiated" for bit, name in RING_FEATURES if not features >> bit & 1]
    return reasons


def check_options() -> list[str]:
    """Options that make no sense are refused in words, before anything boots."""
    reasons: list[str] = []
    status, _, errors = nx(["ps"], {"NX_TIMEOUT": "x"})
    if status != USAGE or "NX_TIMEOUT=x" not in errors or "Traceback" in errors:
        reasons.append(f"NX_TIMEOUT=x: status {status}: {errors.strip()}")
    for memory in ("0M", "15M", "0G", "064M", "M", "99999999999999999999G"):
        result = subprocess.run(
            [str(RUNNER), "-version"],
            capture_output=True,
            text=True,
            timeout=HOST_SECONDS,
            env=runner_environment({"MEMORY": memory}),
            check=False,
        )
        if result.returncode != USAGE or f"run-qemu: MEMORY={memory} is " not in result.stderr:
            reasons.append(f"MEMORY={memory}: status {result.returncode}: {result.stderr.strip()}")
    return reasons


def read_sums() -> dict[str, str]:
    """SHA-256 by path, as the image builder computed them."""
    lines = (BUILD / "pkgfs.img.sums").read_text().splitlines()
    return {path: digest for digest, path in (line.split("  ", 1) for line in lines)}


def check_sums(profile: Profile, log: Path) -> list[str]:
    sums = read_sums()
    reasons: list[str] = []
    with Session(log, {"SMP": str(profile.topology.smp), "APPEND": profile.append}, profile.timeout) as session:
        for path, digest in sums.items():
            answer = session.command(f"sum pkg://{path}")
            found = re.findall(r"\b[0-9a-f]{64}\b", answer)
            if found != [digest]:
                reasons.append(f"sum pkg://{path}: {found} instead of {digest}")
    return reasons if sums else ["build/pkgfs.img.sums lists no file"]


def run(profile: Profile, log: Path) -> list[str]:
    reasons: list[str] = []
    try:
        reasons += check_sums(profile, log)
        reasons += check_exact() + check_json_tables() + check_virtqueue() + check_options()
        for words in MALFORMED:
            reasons += check_malformed(words)
    except (ConsoleFailure, subprocess.TimeoutExpired) as failure:
        reasons.append(str(failure))
    return reasons
