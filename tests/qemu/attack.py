#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus attack [NAME...]`: programs that attack the system, in QEMU; `fuzz CALLS [SEED]` the fuzzer.

Without arguments every attack but the fuzzer. The console is shown as it grows. Exit status: 0 when
every attack was contained; 1 otherwise, with the reasons. The runner's options in the environment
apply (SMP, KERNEL, MEMORY, ...). `judge` is what the test profiles use too.
"""

import os
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from qemu_boot import BUILD, RUNNER_OPTIONS, Boot, Outcome  # noqa: E402  (after the path)

LOG = BUILD / "attack.log"
ARCHIVE = BUILD / "attack.cpio"
PROGRAMS = ROOT / "source/apps/attack/programs.c"
RESULT = re.compile(rb"ATTACK: (?P<name>[a-z0-9-]+) (?P<result>contained(?: .*)?|FAIL reason=.*?)\r?$", re.MULTILINE)
END = re.compile(rb"nx: exit status=(?P<status>-?\d+)\r?$", re.MULTILINE)
# Restarts of a service are harm to others; so is anything that the kernel says of itself.
FORBIDDEN = (rb"neuron: panic", rb"init: service .*(?:restart|reason)=", rb"neuron: smp degraded")
# The fuzzer writes to the console what it likes: not to the terminal of whoever looks on.
UNPRINTABLE = re.compile(r"[^\x20-\x7e\t]")
# Nothing new on the console for this long: whatever hangs is not going to end.
SILENCE_SECONDS = 300
FOLLOW_SECONDS = 0.2


def known() -> list[str]:
    """The programs that attack, as their table has them."""
    return re.findall(r'^    \{"([a-z-]+)", \d+,', PROGRAMS.read_text(), re.MULTILINE)


def are_understood(words: list[str]) -> bool:
    if words[0] == "fuzz":
        return 2 <= len(words) <= 3 and all(re.fullmatch(r"[1-9]\d*", word) for word in words[1:])
    return words == ["all"] or all(word in known() for word in words)


def options(words: list[str]) -> dict[str, str]:
    # Programs are measured in counted instructions; the fuzzer wants harts that really race.
    counting = {} if words[0] == "fuzz" else {"ICOUNT": "1"}
    return {"INITRD": str(ARCHIVE), "APPEND": f"nexus.attack={','.join(words)}"} | counting


def judge(outcome: Outcome, wanted: int) -> list[str]:
    """Why the boot does not show `wanted` attacks, all contained."""
    log = outcome.log
    reasons: list[str] = []
    contained: set[bytes] = set()
    for match in RESULT.finditer(log):
        if match["result"].startswith(b"contained"):
            contained.add(match["name"])
        else:
            reasons.append(f"{match['name'].decode()}: {match['result'].decode(errors='replace')}")
    for text in FORBIDDEN:
        if found := re.search(text, log):
            reasons.append(f"forbidden: {found[0].decode(errors='replace')}")
    ended = END.search(log)
    if ended is None:
        reasons.append(f"no end: {outcome.end} after {outcome.seconds:.0f} s")
    elif int(ended["status"]) != 0 and not reasons:
        reasons.append(f"exit: status {ended['status'].decode()}")
    elif (outcome.end, outcome.status) != ("exit", 0) and not reasons:
        reasons.append(f"QEMU: {outcome.end}, status {outcome.status}")
    if len(contained) < wanted and not reasons:
        reasons.append(f"{len(contained)} attacks contained, {wanted} wanted")
    return reasons


def follow(boot: Boot, wanted: re.Pattern[bytes] = re.compile(b"")) -> Outcome:
    """Show the log's lines that match, until QEMU leaves or until nothing new has come for long."""
    shown = 0
    last = time.monotonic()
    while True:
        ended = boot.process.poll() is not None
        text = boot.read()
        end = len(text) if ended else text.rfind(b"\n") + 1
        if end > shown:
            for line in text[shown:end].splitlines():
                if wanted.search(line):
                    print(UNPRINTABLE.sub("?", line.decode(errors="replace")), flush=True)
            shown, last = end, time.monotonic()
        if ended:
            return boot.outcome("exit")
        if time.monotonic() > last + SILENCE_SECONDS:
            return boot.outcome("timeout")
        time.sleep(FOLLOW_SECONDS)


def main() -> int:
    words = sys.argv[1:] or ["all"]
    if not are_understood(words):
        print(f"usage: ./nexus attack [NAME...] | fuzz CALLS [SEED]\nnames: {' '.join(known())}", file=sys.stderr)
        return 2
    chosen = {name: os.environ[name] for name in RUNNER_OPTIONS if name in os.environ}
    with Boot(LOG, chosen | options(words)) as boot:
        outcome = follow(boot)
        complaint = boot.complaint()
    reasons = judge(outcome, 1)
    for reason in reasons + ([complaint] if complaint and reasons else []):
        print(f"attack: {reason}", file=sys.stderr)
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
