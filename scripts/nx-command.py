#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus nx WORD...`: boot, run one nx command in the OS, print only its output, exit with its status.

The words travel as the boot argument `nexus.run=nx,WORD,...`, where a byte that is not a letter, a
digit or one of ._/:+- is written %XX. nexus-init runs the command, with its output between the two
lines below, and powers off. The environment's runner options (SMP, DISK, ...) apply.

Exit status: the command's own; or, with one line on standard error that says what happened,
125 the boot failed, 126 the kernel panicked, 127 time ran out (NX_TIMEOUT seconds, default 60).
"""

import os
import re
import sys
import tempfile
from pathlib import Path

from qemu_boot import RUNNER_OPTIONS, Boot, Outcome

OUTPUT_BEGIN = b"nx: output begin"
OUTPUT_END = re.compile(rb"^nx: exit status=(\d+)\r?$", re.MULTILINE)
# The kernel reports the first of each of these when it happens, which may be during the command.
KERNEL_LINE = re.compile(rb"neuron: (ipi hart\d->hart\d|hart\d tick n=\d+)")
PLAIN_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/:+-")

BOOT_FAILED = 125
KERNEL_PANIC = 126
TIME_OUT = 127


def encode_word(word: str) -> str:
    return "".join(chr(byte) if byte in PLAIN_BYTES else f"%{byte:02X}" for byte in os.fsencode(word))


def command_output(log: bytes) -> tuple[bytes, int] | None:
    """The command's output and status, or None when the log does not hold a whole command."""
    lines = log.replace(b"\r\n", b"\n").split(b"\n")
    if OUTPUT_BEGIN not in lines:
        return None
    begin = lines.index(OUTPUT_BEGIN)
    for number in range(begin + 1, len(lines)):
        end = OUTPUT_END.fullmatch(lines[number])
        if end:
            output = [line for line in lines[begin + 1 : number] if not KERNEL_LINE.fullmatch(line)]
            return b"".join(line + b"\n" for line in output), int(end[1])
    return None


def failure(outcome: Outcome, complaint: str, kept: Path) -> int:
    """Say why there is no result, and return the exit status for it."""
    if outcome.end == "panic":
        status, what = KERNEL_PANIC, "the kernel panicked"
    elif outcome.end == "timeout":
        status, what = TIME_OUT, f"no result after {outcome.seconds:.0f} s"
    elif outcome.end == "reached":
        status, what = BOOT_FAILED, f"the console shows no line {OUTPUT_BEGIN.decode()!r}"
    else:
        status, what = BOOT_FAILED, f"QEMU ended with status {outcome.status} before the command did"
    print(f"nexus: {what}{': ' + complaint if complaint else ''}; console log: {kept}", file=sys.stderr)
    return status


def main() -> int:
    words = sys.argv[1:]
    if not words:
        print("usage: ./nexus nx WORD...   (./nexus nx help lists the commands)", file=sys.stderr)
        return 2
    timeout = float(os.environ.get("NX_TIMEOUT", "60"))
    options = {name: os.environ[name] for name in RUNNER_OPTIONS if name in os.environ}
    run = "nexus.run=" + ",".join(["nx", *map(encode_word, words)])
    options["APPEND"] = f"{options.get('APPEND', '')} {run}".strip()

    directory = Path(tempfile.mkdtemp(prefix="nexus-nx-"))
    log = directory / "console.log"
    with Boot(log, options) as boot:
        outcome = boot.wait(timeout, until=OUTPUT_END)
        complaint = boot.complaint()
    result = command_output(outcome.log)
    if result is None:
        return failure(outcome, complaint, log)
    output, status = result
    sys.stdout.buffer.write(output)
    for leftover in (log, boot.errors):
        leftover.unlink(missing_ok=True)
    directory.rmdir()
    return status


if __name__ == "__main__":
    sys.exit(main())
