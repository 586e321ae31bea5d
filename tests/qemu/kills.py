#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus kills N [SEED]`: services killed N times each at random instants, while programs use them.

The programs must notice nothing but time: no wrong byte, no failed read, and all memory comes back.
source/apps/kill-test does the work in QEMU and prints what it saw; the last lines are shown. SERVICES=A+B,
of block, packages and console, chooses the services (block+packages). The runner's options in the
environment apply (SMP, VIRTIO, ICOUNT, ...). `judge` is what the test profile uses too.
"""

import hashlib
import os
import re
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from attack import follow  # noqa: E402  (after the path)
from qemu_boot import BUILD, RUNNER_OPTIONS, Boot, Outcome  # noqa: E402

LOG = BUILD / "kills.log"
ARCHIVE = BUILD / "kills.cpio"
IMAGE = BUILD / "kills.img"
SERVICES = "block+packages"
SEEDS = 2**32
SHOWN = re.compile(rb"^kills: (?!console|log)")
CONTENT = re.compile(rb"^kills: content files=\d+ bytes=\d+ sha256=(?P<sum>[0-9a-f]{64})\r?$", re.MULTILINE)
KILLED = re.compile(rb"^kills: recovery service=(?P<service>\w+) kills=(?P<kills>\d+) ", re.MULTILINE)
RESULT = re.compile(rb"^kills: (?P<result>ok|FAIL reason=.*?)\r?$", re.MULTILINE)
# A death that nobody asked for, or a service that was given up.
FORBIDDEN = (
    rb"neuron: panic.*",
    rb"init: \w+ fault .*",
    rb"init: service \w+ (?!killed restart=)\w.*",
    rb"init: service \w+ killed restart=\d+ delay_ms=[1-9].*",
)


def options(services: str, count: int, seed: int) -> dict[str, str]:
    return {"INITRD": str(ARCHIVE), "DISK": str(IMAGE), "APPEND": f"nexus.kills={services},{count},{seed}"}


def judge(outcome: Outcome, services: str, count: int) -> list[str]:
    """Why the boot does not show `count` kills of each service that nobody noticed."""
    log = outcome.log
    found = [match[0] for text in FORBIDDEN if (match := re.search(text, log))]
    reasons = [f"forbidden: {text.decode(errors='replace')}" for text in found]
    result = RESULT.search(log)
    if result is None:
        reasons.append(f"no result: {outcome.end} after {outcome.seconds:.0f} s")
    elif result["result"] != b"ok":
        reasons.append(result["result"].decode(errors="replace"))
    truth = hashlib.sha256(IMAGE.with_suffix(".img.sums").read_bytes()).hexdigest()
    content = CONTENT.search(log)
    if content is None or content["sum"].decode() != truth:
        reasons.append(f"content: pkg:// is not what the host has put into {IMAGE.name}")
    killed = {match["service"].decode(): int(match["kills"]) for match in KILLED.finditer(log)}
    if not reasons and killed != dict.fromkeys(services.split("+"), count):
        reasons.append(f"kills: {killed}, wanted {count} of each of {services}")
    return reasons


def main() -> int:
    words = sys.argv[1:]
    if not 1 <= len(words) <= 2 or not all(word.isdigit() and int(word) > 0 for word in words):
        print("usage: ./nexus kills N [SEED]   (N kills of each service)", file=sys.stderr)
        return 2
    count = int(words[0])
    seed = int(words[1]) if len(words) > 1 else 1 + secrets.randbelow(SEEDS)
    services = os.environ.get("SERVICES", SERVICES)
    chosen = {name: os.environ[name] for name in RUNNER_OPTIONS if name in os.environ}
    with Boot(LOG, chosen | options(services, count, seed)) as boot:
        outcome = follow(boot, SHOWN)
        complaint = boot.complaint()
    reasons = judge(outcome, services, count)
    for reason in reasons + ([complaint] if complaint and reasons else []):
        print(f"kills: {reason}", file=sys.stderr)
    if reasons:
        print(f"kills: seed={seed} log: {LOG.relative_to(ROOT)}", file=sys.stderr)
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
