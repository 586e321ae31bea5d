# SPDX-License-Identifier: Apache-2.0
"""One boot of Nexus in QEMU with its console in a log file: start it, follow the log, never hang."""

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
RUNNER = ROOT / "scripts" / "run-qemu-rv64.sh"

RUNNER_OPTIONS = (
    "SMP CPU VIRTIO DISK IMAGE DISK_DEVICE DISK_DRIVE DISK_FAULTS DISK_SLOT DTB FIRMWARE KERNEL INITRD APPEND MEMORY "
    "ICOUNT METER SERIAL GDB PIDFILE"
).split()
POLL_SECONDS = 0.05
# After a panic the machine only halts: this long is left for its report to reach the log.
PANIC_GRACE_SECONDS = 1.0
PANIC = re.compile(rb"^neuron: panic", re.MULTILINE)


def runner_environment(options: dict[str, str]) -> dict[str, str]:
    """The environment for the runner: the caller's without its runner options, plus `options`."""
    inherited = {name: value for name, value in os.environ.items() if name not in RUNNER_OPTIONS}
    return inherited | options


@dataclass
class Outcome:
    """How a boot ended: `end` is "exit" (QEMU left), "reached", "panic" or "timeout"."""

    end: str
    status: int | None
    seconds: float
    log: bytes


class Boot:
    """A running QEMU; as a context manager it is certain to be gone afterwards.

    `options` are the environment variables of scripts/run-qemu-rv64.sh, and the only ones it sees:
    a test owns its topology whatever the caller has exported. `arguments` go to QEMU.
    """

    def __init__(self, log: Path, options: dict[str, str], arguments: tuple[str, ...] = ()) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        self.log = log
        self.errors = log.with_suffix(".qemu")
        self.started = time.monotonic()
        environment = runner_environment(options | {"SERIAL": f"file:{log}"})
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [str(RUNNER), *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )

    def __enter__(self) -> "Boot":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def read(self) -> bytes:
        return self.log.read_bytes()

    def outcome(self, end: str) -> Outcome:
        return Outcome(end, self.process.poll(), time.monotonic() - self.started, self.read())

    def wait(self, timeout: float, until: re.Pattern[bytes] | None = None) -> Outcome:
        """Wait for QEMU to leave, for `until` to match the log, for a panic, or for the time to be up.

        The time counts from the start of the boot.
        """
        panic_at: float | None = None
        while True:
            status = self.process.poll()
            text = self.read()
            if until is not None and until.search(text):
                return self.outcome("reached")
            if status is not None:
                return self.outcome("exit")
            now = time.monotonic()
            if panic_at is None and PANIC.search(text):
                panic_at = now
            if panic_at is not None and now > panic_at + PANIC_GRACE_SECONDS:
                return self.outcome("panic")
            if now > self.started + timeout:
                return self.outcome("timeout")
            time.sleep(POLL_SECONDS)

    def complaint(self) -> str:
        """What QEMU or the runner said about itself."""
        return self.errors.read_text(errors="replace").strip()
