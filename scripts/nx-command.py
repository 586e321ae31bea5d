#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus nx WORD...`: boot, run one nx command in the OS, print only its output, exit with its status.

The words travel as the boot argument `nexus.run=nx,WORD,...`, where a byte that is not a letter, a
digit or one of ._/:+- is written %XX. nexus-init runs the command, says when it begins and ends, and
powers off. A second argument, `nexus.token=TOKEN` with a random token, makes the console bring the
output in lines `TOKEN:text` (bytes again as %XX) and marks nexus-init's own two lines: so the exact
bytes come out, whatever they are and whatever the system logs meanwhile. That log goes to standard
error. The environment's runner options (SMP, DISK, ...) apply.

Exit status: the command's own; or, with one line on standard error that says what happened,
125 the boot failed, 126 the kernel panicked, 127 time ran out (NX_TIMEOUT seconds, default 60).
"""

import os
import re
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from qemu_boot import RUNNER_OPTIONS, Boot, Outcome

# The kernel reports the first of each of these when it happens, which may be during the command.
KERNEL_LINE = re.compile(rb"neuron: (ipi hart\d->hart\d|hart\d tick n=\d+)")
PLAIN_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/:+-")
ESCAPE = re.compile(rb"%([0-9A-F]{2})")

# What nx takes: WORDS_MAX of tools/nx-hw/words.h, RUN_BYTES_MAX of nexus-init's modes.c with "nx".
WORDS_MAX = 32
BYTES_MAX = 768 - len("nx") - 2

USAGE = 2
BOOT_FAILED = 125
KERNEL_PANIC = 126
TIME_OUT = 127


def encode_word(word: str) -> str:
    return "".join(chr(byte) if byte in PLAIN_BYTES else f"%{byte:02X}" for byte in os.fsencode(word))


@dataclass
class Result:
    """What the console shows of the command: output, log lines meanwhile, status (None: no end)."""

    output: bytes
    logged: list[bytes]
    status: int | None


def end_pattern(token: str) -> re.Pattern[bytes]:
    return re.compile(rb"nx: exit status=(\d+) " + token.encode() + rb"\r?$", re.MULTILINE)


def read_result(log: bytes, token: str) -> Result | None:
    """What the log holds of the command, or None when it did not begin."""
    begin = f"nx: output begin {token}".encode()
    frame = f"{token}:".encode()
    end = end_pattern(token)
    result: Result | None = None
    for line in re.split(rb"\r*\n", log):
        if result is None:
            result = Result(b"", [], None) if line.endswith(begin) else None
            continue
        ended = end.search(line)
        if ended:
            result.status = int(ended[1])
            break
        # What somebody left on the row before is not the command's.
        other, framed, text = line.partition(frame)
        if framed:
            result.output += ESCAPE.sub(lambda escape: bytes([int(escape[1], 16)]), text)
        if other and not KERNEL_LINE.fullmatch(other):
            result.logged.append(other)
    return result


def failure(outcome: Outcome, complaint: str, kept: Path) -> int:
    """Say why there is no result, and return the exit status for it."""
    if outcome.end == "panic":
        status, what = KERNEL_PANIC, "the kernel panicked"
    elif outcome.end == "timeout":
        status, what = TIME_OUT, f"no result after {outcome.seconds:.0f} s"
    elif outcome.end == "reached":
        status, what = BOOT_FAILED, "the console does not show that the command began"
    else:
        status, what = BOOT_FAILED, f"QEMU ended with status {outcome.status} before the command did"
    print(f"nexus: {what}{': ' + complaint if complaint else ''}; console log: {kept}", file=sys.stderr)
    return status


def refuse(complaint: str) -> int:
    print(f"nexus: {complaint}", file=sys.stderr)
    print("usage: ./nexus nx WORD...   (./nexus nx help lists the commands)", file=sys.stderr)
    return USAGE


def read_timeout() -> float | None:
    """NX_TIMEOUT in seconds, None when it is no time."""
    try:
        seconds = float(os.environ.get("NX_TIMEOUT", "60"))
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None


def boot_and_run(words: list[str], timeout: float) -> int:
    token = secrets.token_hex(8)
    options = {name: os.environ[name] for name in RUNNER_OPTIONS if name in os.environ}
    run = "nexus.run=" + ",".join(["nx", *map(encode_word, words)])
    options["APPEND"] = f"{options.get('APPEND', '')} nexus.token={token} {run}".strip()

    directory = Path(tempfile.mkdtemp(prefix="nexus-nx-"))
    log = directory / "console.log"
    with Boot(log, options) as boot:
        outcome = boot.wait(timeout, until=end_pattern(token))
        complaint = boot.complaint()
    result = read_result(outcome.log, token)
    if result is not None and result.status is None and (outcome.end, outcome.status) == ("exit", 0):
        result.status = 0  # the command switched the machine off, or restarted it
    if result is not None:
        sys.stdout.buffer.write(result.output)
        sys.stdout.buffer.flush()
        sys.stderr.buffer.write(b"".join(line + b"\n" for line in result.logged))
    if result is None or result.status is None:
        return failure(outcome, complaint, log)
    for leftover in (log, boot.errors):
        leftover.unlink(missing_ok=True)
    directory.rmdir()
    return result.status


def main() -> int:
    words = sys.argv[1:]
    if not words:
        return refuse("no command")
    if len(words) > WORDS_MAX:
        return refuse(f"{len(words)} words are too many: nx takes at most {WORDS_MAX}")
    length = sum(len(os.fsencode(word)) + 1 for word in words)
    if length > BYTES_MAX:
        return refuse(f"the words are too long: {length} bytes, nx takes at most {BYTES_MAX}")
    timeout = read_timeout()
    if timeout is None:
        return refuse(f"NX_TIMEOUT={os.environ['NX_TIMEOUT']} is not a number of seconds")
    return boot_and_run(words, timeout)


if __name__ == "__main__":
    sys.exit(main())
