# SPDX-License-Identifier: Apache-2.0
"""Profile `console`: somebody types at the interactive prompt, and the answers are checked.

`Session` is also what other profiles use to run many commands in one boot.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect

from qemu_boot import ROOT, RUNNER, runner_environment

if TYPE_CHECKING:
    from profiles import Profile

PROMPT = r"nx> "
# What a terminal would act on instead of showing: the line editor's cursor and erase sequences.
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\r")
# A line of the kernel log may come while somebody types; the editor then draws its prompt again behind it.
# What was typed so far may stand before it.
LOG_LINE = re.compile(r"(neuron|init|uartd|virtioblkd|pkgfs): ")
COMMAND_SECONDS = 20
QUIET_SECONDS = 0.2
UP = "\x1b[A"
BACKSPACE = "\x7f"
TAB = "\t"


class ConsoleFailure(Exception):
    """The console did not do what the test waited for; its text says what."""


class Session:
    """A booted machine with its console on a pseudo-terminal; a context manager that ends QEMU.

    The console is the one that a user has: Ctrl-C goes to the machine, and Ctrl-A to QEMU.
    `arguments` go to QEMU.
    """

    def __init__(
        self, log: Path, options: dict[str, str], boot_seconds: float, arguments: tuple[str, ...] = ()
    ) -> None:
        self.output = log.open("w", encoding="utf-8", newline="")
        self.child = pexpect.spawn(
            "sh",
            [str(RUNNER), *arguments],
            env=runner_environment(options | {"SERIAL": "console"}),
            cwd=str(ROOT),
            encoding="utf-8",
            codec_errors="replace",
            timeout=COMMAND_SECONDS,
            echo=False,
        )
        self.child.logfile_read = self.output
        self.wait_for(PROMPT, "the prompt", boot_seconds)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *details: object) -> None:
        self.child.close(force=True)
        self.output.close()

    def wait_for(self, pattern: str, what: str, seconds: float = COMMAND_SECONDS) -> str:
        """Wait for `pattern`, and return what was printed before it."""
        try:
            self.child.expect(pattern, timeout=seconds)
        except pexpect.TIMEOUT:
            raise ConsoleFailure(f"timeout: waited {seconds:.0f} s for {what}") from None
        except pexpect.EOF:
            raise ConsoleFailure(f"exit: QEMU ended while waiting for {what}") from None
        return CONTROL_SEQUENCE.sub("", self.child.before)

    def settle(self) -> None:
        """Read until the machine is quiet: a kernel line makes the editor draw its prompt again."""
        while True:
            try:
                self.child.read_nonblocking(size=4096, timeout=QUIET_SECONDS)
            except pexpect.TIMEOUT:
                return
            except pexpect.EOF:
                raise ConsoleFailure("exit: QEMU ended at the prompt") from None

    def command(self, keys: str) -> str:
        """Type `keys` and Enter; return what appeared until the next prompt, the typed line included."""
        self.settle()
        self.child.send(keys + "\r")
        # The editor may draw its prompt again while keys arrive; a new one follows a line end.
        lines: list[str] = []
        while all(LOG_LINE.search(line) for line in lines):
            text = self.wait_for(r"\n(?:\x1b\[[0-9;]*[A-Za-z]|\r)*" + PROMPT, f"the prompt after: {keys!r}")
            lines += text.split("\n")
        return "\n".join(lines)


def exit_status(session: Session, seconds: float) -> list[str]:
    """Wait for QEMU to leave by itself."""
    try:
        session.child.expect(pexpect.EOF, timeout=seconds)
    except pexpect.TIMEOUT:
        return [f"timeout: QEMU still ran {seconds:.0f} s after poweroff"]
    session.child.close()
    status = session.child.exitstatus
    return [] if status == 0 else [f"exit: QEMU ended with status {status} after poweroff"]


# What is typed, and what the answer must hold.
TYPED = [
    ("help", [r"hw smp", r"\bls\b"]),
    ("hw smp", [r"nx: smp online=4"]),
    ("hw smp extra words", [r"usage"]),
    ("ls pkg://", [r"\bdts\b", r"\bfixtures\b"]),
    ("cat pkg://fixtures/hello.txt", [re.escape((ROOT / "pkg/fixtures/hello.txt").read_text().splitlines()[0])]),
    ("frobnicate", [r"frobnicate", r"help|usage"]),
    ("", []),
    (UP + UP, [r"hello\.txt"]),  # history: frobnicate, then the cat before it
    ("hw sm" + TAB, [r"nx: smp online=4"]),  # completion
    ("hw smpp" + BACKSPACE, [r"nx: smp online=4"]),  # editing
    ("run pkg://bin/hello", [r"hello: argument 0 is", r"hello: mapped \S+ size=\d+"]),
    ("run pkg://bin/misbehave assert", [r"assertion .* failed", r"nx: pkg://bin/misbehave ended status=134"]),
    ("run pkg://bin/misbehave raise", [r"ended status=143"]),
    ("run pkg://bin/misbehave fault", [r"fault cause=15 \(store page fault\) pc=0x4\w+ address=0x123450"]),
    ("run pkg://bin/misbehave exhaust", [r"malloc refused after \d+ KiB errno=ENOMEM"]),
    ("help nosuch", [r"no such command: nosuch"]),
    ("services", [r"console +uartd +ready", r"block +virtioblkd +ready"]),
    ("run pkg://bin/misbehave kill", [r"kill of block: access denied", r"ended status=1"]),
    ("services", [r"block +virtioblkd +ready +restarts=0"]),
    ("kill virtioblkd", [r"killed virtioblkd"]),
    ("kill pack" + TAB, [r"killed packages"]),
    ("run pkg://bin/selftest-client", [r"boot with nexus\.selftest=1", r"ended status=1"]),
    ("x" * 257, [r"line too long"]),
    (" ".join(["word"] * 33), [r"too many words: a line has at most 32"]),
]
# What is ended with Ctrl-C, and what it says when it runs.
INTERRUPTED = [
    ("run pkg://bin/misbehave loop", r"misbehave: looping"),
    ("run pkg://bin/misbehave read", r"misbehave: reading"),
]
INTERRUPT = "\x03"


def interrupt(session: Session, keys: str, running: str) -> list[str]:
    """Start a program that does not end by itself, type ahead, and press Ctrl-C."""
    session.settle()
    session.child.send(keys + "\r")
    session.wait_for(running, f"{running!r} after: {keys!r}")
    session.child.send("frobnicate" + INTERRUPT)
    answer = session.wait_for(PROMPT, f"the prompt after Ctrl-C in: {keys!r}")
    reasons = [] if "killed by Ctrl-C" in answer else [f"Ctrl-C in {keys!r}: {answer!r}"]
    if "frobnicate" in session.command("help nosuch"):
        reasons.append(f"Ctrl-C in {keys!r} kept what was typed before it")
    return reasons


def piped(options: dict[str, str], seconds: float) -> list[str]:
    """Commands from a pipe, all there before the machine starts: none of their bytes is lost."""
    result = subprocess.run(
        ["sh", str(RUNNER)],
        input="hw sbi\npoweroff\n",
        capture_output=True,
        text=True,
        timeout=seconds,
        env=runner_environment(options),
        check=False,
    )
    if result.returncode != 0 or "nx: hw sbi time=" not in result.stdout:
        return [f"commands from a pipe: status {result.returncode}, last words {result.stdout[-200:]!r}"]
    return []


def reboot(session: Session, boot_seconds: float) -> None:
    """Type `reboot`: the kernel says again that it boots, and the prompt comes back."""
    session.settle()
    session.child.send("reboot\r")
    session.wait_for(r"neuron: boot virt", "the second boot", boot_seconds)
    session.wait_for(PROMPT, "the prompt of the second boot", boot_seconds)


def run(profile: Profile, log: Path) -> list[str]:
    reasons: list[str] = []
    options = {"SMP": str(profile.topology.smp), "APPEND": profile.append}
    try:
        with Session(log, options | profile.options, profile.timeout) as session:
            for keys, patterns in TYPED:
                answer = session.command(keys)
                reasons += [
                    f"answer to {keys!r} has no {pattern!r}" for pattern in patterns if not re.search(pattern, answer)
                ]
            for keys, running in INTERRUPTED:
                reasons += interrupt(session, keys, running)
            reboot(session, profile.timeout)
            session.child.send("poweroff\r")
            reasons += exit_status(session, COMMAND_SECONDS)
        reasons += piped(options | profile.options, profile.timeout)
    except (ConsoleFailure, subprocess.TimeoutExpired) as failure:
        reasons.append(str(failure))
    return reasons
