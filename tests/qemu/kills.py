#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus kills N [SEED]`: services killed N times each at random instants, while programs use them.

The programs must notice nothing but time: no wrong byte, no failed read, and all memory comes back. A run of
at least LONG kills must also have met services at work: calls that were made again, queues opened again.
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
KILLED = re.compile(
    rb"^kills: recovery service=(?P<service>\w+) kills=(?P<kills>\d+) waited=(?P<waited>\d+)"
    rb"(?: p50_us=(?P<p50>\d+) p99_us=(?P<p99>\d+) longest_us=(?P<longest>\d+))?\r?$",
    re.MULTILINE,
)
READERS = 4
# From so many kills of each service on, nothing depends on chance any more, and memory is compared.
LONG = 20
# What kill-test counts, each line by its first words: all of them are printed, whatever has happened.
COUNTS = {
    "readers": rb"^kills: readers passes=(\d+) files=(\d+) bytes=(\d+) wrong=(\d+) failed=(\d+) longest_us=\d+\r?$",
    "programs": rb"^kills: programs started=(\d+) failed=(\d+)\r?$",
    "raw": rb"^kills: raw reads=(\d+) wrong=(\d+) failed=(\d+) reopened=(\d+)\r?$",
    "lines": rb"^kills: lines=(\d+) failed=(\d+)\r?$",
    "memory": rb"^kills: memory frames before=(\d+) after=(\d+) object_bytes before=(\d+) after=(\d+) "
    rb"processes before=(\d+) after=(\d+)\r?$",
}
READER = re.compile(
    rb"^kills: reader=(?P<number>\d+) passes=(?P<passes>\d+) files=(?P<files>\d+) mapped=(?P<mapped>\d+) "
    rb"retried=(?P<retried>\d+)\r?$",
    re.MULTILINE,
)
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


def counts_judge(counts: dict[str, list[int]]) -> list[str]:
    """What must hold of any run: nothing was wrong, nothing failed."""
    reasons = []
    for name, places in {"readers": (3, 4), "programs": (1,), "raw": (1, 2), "lines": (1,)}.items():
        if any(counts[name][place] > 0 for place in places):
            reasons.append(f"{name}: wrong or failed: {counts[name]}")
    return reasons


def readers_judge(log: bytes) -> list[str]:
    """Each reader has read files and mapped files."""
    done = {int(match["number"]): match for match in READER.finditer(log)}
    reasons = []
    for number in range(1, READERS + 1):
        match = done.get(number)
        if match is None or not 0 < int(match["mapped"]) < int(match["files"]) or int(match["passes"]) == 0:
            reasons.append(f"reader {number}: no progress: {match[0].decode().strip() if match else 'no line'}")
    return reasons


def long_judge(log: bytes, services: list[str], counts: dict[str, list[int]]) -> list[str]:
    """What shows that a run has tried anything, and that memory has come back; a short one may miss it by chance."""
    reasons = readers_judge(log)
    retried = sum(int(match["retried"]) for match in READER.finditer(log))
    started, raw_reads, reopened = counts["programs"][0], counts["raw"][0], counts["raw"][3]
    for holds, reason in (
        (started >= READERS, f"programs: a mapped file was executed {started} times, wanted {READERS}"),
        (raw_reads > 0, "raw: nothing was read"),
        ("packages" not in services or retried > 0, "packages: no kill came in the middle of a reader's call"),
        ("block" not in services or reopened > 0, "block: no kill found reads of a queue in flight"),
        ("console" not in services or counts["lines"][0] > 0, "console: no line was written"),
        (counts["memory"][::2] == counts["memory"][1::2], f"memory: before and after differ: {counts['memory']}"),
    ):
        if not holds:
            reasons.append(reason)
    for match in KILLED.finditer(log):
        if int(match["p50"] or 0) == 0 or int(match["p99"] or 0) < int(match["p50"] or 0):
            reasons.append(f"recovery: no times: {match[0].decode().strip()}")
    return reasons


def account_judge(log: bytes, services: list[str], count: int) -> list[str]:
    """What a run that calls itself a success must have counted."""
    found = {name: re.search(line, log, re.MULTILINE) for name, line in COUNTS.items()}
    counts = {name: [int(number) for number in match.groups()] for name, match in found.items() if match}
    if missing := found.keys() - counts.keys():
        return [f"counts: missing: {' '.join(sorted(missing))}"]
    return counts_judge(counts) + (long_judge(log, services, counts) if count >= LONG else [])


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
    return reasons or account_judge(log, services.split("+"), count)


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
