# SPDX-License-Identifier: Apache-2.0
"""Debian's riscv64 kernel and busybox: found, verified and downloaded by apt, unpacked, not installed.

apt works in a directory of its own under build/ (scripts/private_apt.py), and all trust is apt's. A suite
that it refuses is not used, and the message says so.
"""

import hashlib
import json
import lzma
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from machine import BenchError
from private_apt import Apt, AptError
from qemu_boot import BUILD

WORK = BUILD / "linux"
ARCHITECTURE = "riscv64"
# The first whose index apt accepts. The peer's published figures are of the first one's kernel.
SUITES = ("trixie", "forky", "sid")
KERNEL_PACKAGE = f"linux-image-{ARCHITECTURE}"
BUSYBOX_PACKAGE = "busybox-static"
# Those built into the kernel are no files. What each needs besides, its file says; what libcrc32c asks the crypto
# interface for (crc32c), it does not.
MODULES = ("crc32c_generic", "virtio_mmio", "virtio_blk", "erofs", "blake2b", "blake2b_generic", "dm-verity")
DEPENDS = re.compile(rb"(?:^|\0)depends=([^\0]*)\0")

Say = Callable[[str], None]


@dataclass
class Kernel:
    """What was downloaded: `label` names it in the table."""

    suite: str
    version: str
    root: Path  # where the packages are unpacked
    passed_over: list[str]  # the suites tried before, each with apt's reason

    @property
    def label(self) -> str:
        return f"Linux {self.version} (Debian {self.suite})"

    def modules(self) -> Path:
        found = sorted([*self.root.glob("lib/modules/*"), *self.root.glob("usr/lib/modules/*")])
        if not found:
            raise BenchError(f"the kernel packages of {self.suite} hold no modules")
        return found[0]

    def image(self) -> Path:
        candidates = [self.modules() / "vmlinuz", *self.root.glob("boot/vmlinu[xz]-*")]
        found = [path for path in candidates if path.is_file()]
        if not found:
            raise BenchError(f"the kernel packages of {self.suite} hold no kernel image")
        return found[0]

    def module_files(self) -> list[tuple[str, bytes]]:
        """MODULES and what they depend on, each behind what it needs."""
        paths = {path.name.partition(".ko")[0].replace("-", "_"): path for path in self.modules().rglob("*.ko*")}
        files: dict[str, bytes] = {}

        def add(name: str) -> None:
            name = name.replace("-", "_")
            if name not in paths or f"{name}.ko" in files:
                return
            data = paths[name].read_bytes()
            data = lzma.decompress(data) if paths[name].suffix == ".xz" else data
            depends = DEPENDS.search(data)
            for other in depends[1].decode().split(",") if depends else []:
                add(other)
            files[f"{name}.ko"] = data

        for name in MODULES:
            add(name)
        return list(files.items())


# ---- Fetching ------------------------------------------------------------------------------------


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch_suite(suite: str, passed_over: list[str], say: Say) -> Kernel:
    place = WORK / "packages" / suite
    debs = place / "debs"
    root = place / "root"
    for stale in (debs, root):
        shutil.rmtree(stale, ignore_errors=True)
        stale.mkdir(parents=True)
    apt = Apt(place / "apt", suite, ARCHITECTURE)
    say(f"linux: reading {suite}'s {ARCHITECTURE} package index")
    apt.update()
    kernel = apt.of_one_build(KERNEL_PACKAGE)
    say(f"linux: downloading {', '.join(package.name for package in kernel)} and {BUSYBOX_PACKAGE}")
    files = apt.download([*(package.name for package in kernel), BUSYBOX_PACKAGE], debs)
    for file in files:
        subprocess.run(["dpkg-deb", "-x", str(file), str(root)], check=True)
    manifest = {
        "suite": suite,
        "version": kernel[0].version,
        "passed_over": passed_over,
        "files": {file.name: sha256(file) for file in files},
    }
    (place / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return Kernel(suite, kernel[0].version, root, passed_over)


def fetched_before(suite: str) -> Kernel | None:
    """What an earlier run downloaded from this suite and verified, if it is all still the same."""
    place = WORK / "packages" / suite
    try:
        manifest = json.loads((place / "manifest.json").read_text())
        kernel = Kernel(suite, manifest["version"], place / "root", manifest["passed_over"])
        whole = all(sha256(place / "debs" / name) == digest for name, digest in manifest["files"].items())
    except (OSError, ValueError, KeyError):
        return None
    return kernel if whole else None


def fetch(say: Say) -> Kernel:
    """The kernel of the first suite that can be had; what was fetched before needs no network."""
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise BenchError(f"--vs-linux gets Linux from Debian with apt, and there is no {tool} here")
    for suite in SUITES:
        kernel = fetched_before(suite)
        if kernel is not None:
            return kernel
    passed_over: list[str] = []
    for suite in SUITES:
        try:
            return fetch_suite(suite, passed_over, say)
        except (BenchError, AptError) as error:
            passed_over.append(f"{suite}: {error}")
            say(f"linux: {suite} cannot be used: {error}")
    reasons = "".join(f"\n  {reason}" for reason in passed_over)
    raise BenchError(f"--vs-linux needs Debian's packages, and no suite could be fetched:{reasons}")
