# SPDX-License-Identifier: Apache-2.0
"""What was measured, for whoever reads a file of figures later: the revision of the tree, and QEMU."""

import subprocess
from pathlib import Path

from qemu_boot import ROOT

QEMU = "qemu-system-riscv64"
UNKNOWN = "unknown"
DIRTY = "-dirty"  # something differs from the revision, or is not in it


def output(*command: str) -> str | None:
    """None: it could not be run, or it failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def revision(root: Path = ROOT) -> str:
    """Of `root` itself: the revision of a repository around an unpacked archive says nothing about it."""
    git = ("git", "-C", str(root))
    top = output(*git, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return UNKNOWN
    head, changes = output(*git, "rev-parse", "HEAD"), output(*git, "status", "--porcelain")
    if head is None or changes is None:
        return UNKNOWN
    return head + (DIRTY if changes else "")


def qemu_version() -> str:
    lines = (output(QEMU, "--version") or "").splitlines()
    return lines[0] if lines else UNKNOWN


def as_json() -> dict[str, str]:
    return {"revision": revision(), "qemu": qemu_version()}
