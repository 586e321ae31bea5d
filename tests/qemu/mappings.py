# SPDX-License-Identifier: Apache-2.0
"""What QEMU itself finds mapped: no page of any table that a hart uses is writable and executable."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import monitor
from qemu_boot import Boot

# `info mem`: address, physical address, size, attributes such as `r-xu-ad`.
LINE = re.compile(r"^(?P<address>[0-9a-f]{16}) [0-9a-f]{16} [0-9a-f]{16} (?P<attributes>[r-][w-][x-][u-]\S*)", re.M)
EARLY = {"ffffffc000000000"}
LOOK_SECONDS = 0.1
# Each kind must have been seen, or nothing was looked at.
WANTED = {
    "kernel code": "r-x-",
    "kernel data": "rw--",
    "user code": "r-xu",
    "user data": "rw-u",
}


def parse(text: str) -> dict[str, str]:
    """The permissions of each run of pages by its address."""
    return {match["address"]: match["attributes"][:4] for match in LINE.finditer(text)}


def wrong(hart: int, pages: dict[str, str]) -> set[str]:
    """The pages that are writable and executable."""
    return {f"hart {hart}: {at} is {found}" for at, found in pages.items() if "wx" in found}


def look(connection: monitor.Monitor, harts: int) -> Iterator[tuple[int, dict[str, str]]]:
    """Of all harts at one moment: the permissions of each run of pages by its address."""
    connection.execute("stop")
    for hart in range(harts):
        details = {"command-line": "info mem", "cpu-index": hart}
        text = str(connection.execute("human-monitor-command", **details))
        yield hart, parse(text)
    connection.execute("cont")


def is_early(pages: dict[str, str]) -> bool:
    """The table of boot.S, on which a hart only gets to its own: physical memory, and no user page."""
    return set(pages) <= EARLY and not any("u" in permissions for permissions in pages.values())


def watch(log: Path, options: dict[str, str], harts: int, timeout: float) -> list[str]:
    """Boot, look again and again until QEMU leaves; why not every mapping was in order."""
    socket = log.with_suffix(".qmp")
    socket.unlink(missing_ok=True)
    seen: set[str] = set()
    reasons: set[str] = set()
    looks = 0
    with Boot(log, options, monitor.arguments(socket)) as machine, monitor.Monitor(socket) as connection:
        deadline = time.monotonic() + timeout
        while machine.process.poll() is None and time.monotonic() < deadline:
            try:
                for hart, pages in look(connection, harts):
                    if is_early(pages):
                        continue
                    seen |= set(pages.values())
                    reasons |= wrong(hart, pages)
            except (monitor.MonitorError, OSError):
                break  # QEMU has left
            looks += 1
            time.sleep(LOOK_SECONDS)
        outcome = machine.wait(timeout)
    missing = [f"no {what} was seen in {looks} looks" for what, kind in WANTED.items() if kind not in seen]
    ended = [] if outcome.status == 0 else [f"QEMU: {outcome.end} status {outcome.status}"]
    return sorted(reasons) + missing + ended
