# SPDX-License-Identifier: Apache-2.0
"""QEMU's machine protocol: commands to a running QEMU, one JSON object a line over a Unix socket."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

CONNECT_SECONDS = 20
ANSWER_SECONDS = 20
POLL_SECONDS = 0.05


class MonitorError(Exception):
    """QEMU refused a command, or does not answer."""


def arguments(path: Path) -> tuple[str, ...]:
    """What QEMU must be started with."""
    return "-qmp", f"unix:{path},server=on,wait=off"


class Monitor:
    """A connection to the QEMU that listens at `path`; a context manager."""

    def __init__(self, path: Path) -> None:
        deadline = time.monotonic() + CONNECT_SECONDS
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(ANSWER_SECONDS)
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise MonitorError(f"no monitor at {path}: {error}") from error
                time.sleep(POLL_SECONDS)
        self.lines = self.socket.makefile("rw", encoding="utf-8")
        self.lines.readline()  # the greeting
        self.execute("qmp_capabilities")

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *details: object) -> None:
        self.lines.close()
        self.socket.close()

    def execute(self, command: str, **details: object) -> object:
        """Run one command and return what it returns; events that come meanwhile are dropped."""
        self.lines.write(json.dumps({"execute": command, "arguments": details}) + "\n")
        self.lines.flush()
        for line in self.lines:
            answer = json.loads(line)
            if "error" in answer:
                raise MonitorError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise MonitorError(f"{command}: QEMU closed the monitor")
