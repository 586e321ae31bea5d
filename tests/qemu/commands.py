# SPDX-License-Identifier: Apache-2.0
"""Profile `nx-commands`: `./nexus nx` from the host, and the checksums of every packaged file.

Each command of a table is a boot of its own, as a user's would be. The files are summed in one
console session and compared with build/pkgfs.img.sums, which the image builder wrote on the host.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from console import ConsoleFailure, Session
from qemu_boot import BUILD, ROOT, runner_environment

if TYPE_CHECKING:
    from profiles import Profile

JSON_COMMANDS = [
    "hw smp --json",
    "hw vblk info --json",
    "hw dt --json",
    "hw sbi --json",
    "hw irq --json",
    "ps --json",
    "ls pkg:// --json",
]
# Refused with a usage line and a status that is neither success nor a failed boot.
MALFORMED = ["frobnicate", "hw", "hw smp --frobnicate", "cat"]
BOOT_FAILED = 125
HOST_SECONDS = 90


def nx(words: str) -> tuple[int, str, str]:
    """Status, standard output and standard error of `./nexus nx WORDS`, without its build step."""
    result = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "nx-command.py"), *words.split()],
        capture_output=True,
        text=True,
        timeout=HOST_SECONDS,
        env=runner_environment({}),
        check=False,
    )
    return result.returncode, result.stdout, result.stderr


def check_json(words: str) -> list[str]:
    status, output, errors = nx(words)
    if status != 0:
        return [f"nx {words}: status {status}: {(errors or output).strip()}"]
    try:
        json.loads(output)
    except json.JSONDecodeError as error:
        return [f"nx {words}: not JSON: {error}"]
    return []


def check_malformed(words: str) -> list[str]:
    status, output, errors = nx(words)
    if status == 0 or status >= BOOT_FAILED:
        return [f"nx {words}: status {status}, expected a refusal: {(errors or output).strip()}"]
    if "usage" not in output:
        return [f"nx {words}: no usage line in: {output.strip()!r}"]
    return []


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
        for words in JSON_COMMANDS:
            reasons += check_json(words)
        for words in MALFORMED:
            reasons += check_malformed(words)
    except (ConsoleFailure, subprocess.TimeoutExpired) as failure:
        reasons.append(str(failure))
    return reasons
