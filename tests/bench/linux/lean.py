# SPDX-License-Identifier: Apache-2.0
"""A lean Linux: built once from this Debian's own `linux-source` package, tinyconfig and lean.config on it.

What it measures is a kernel with nothing in it but what the benchmark needs: no control groups, no security
modules, no auditing, no module loading, drivers for this machine alone.
"""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from machine import BenchError

from linux.packages import WORK, Say

CONFIG = Path(__file__).resolve().parent / "lean.config"
SOURCE_PACKAGE = "linux-source"
TOOLS = ("apt-get", "apt-cache", "dpkg-deb", "make", "flex", "bison", "bc")
PLACE = WORK / "lean"
IMAGE = PLACE / "Image"
MADE_FROM = PLACE / "made-from.json"
CROSS = {"ARCH": "riscv", "CROSS_COMPILE": "riscv64-linux-gnu-"}


def call(command: list[str], about: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env=os.environ | CROSS | {"LC_ALL": "C"},
    )  # fmt: skip
    if done.returncode != 0:
        raise BenchError(f"lean Linux: {about} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def source_package() -> str:
    """The package with the tree, which `linux-source` depends on: linux-source-6.1 and the like."""
    text = call(["apt-cache", "depends", SOURCE_PACKAGE], "asking for the source")
    names = [line.split()[-1] for line in text.splitlines() if "Depends:" in line]
    if not names:
        raise BenchError(f"lean Linux: this Debian has no package {SOURCE_PACKAGE}")
    return names[0]


def unpack(package: str, say: Say) -> Path:
    """The kernel's tree, fresh, from the verified package."""
    for name in ("deb", "package", "tree"):
        shutil.rmtree(PLACE / name, ignore_errors=True)
        (PLACE / name).mkdir(parents=True)
    say(f"lean Linux: downloading {package}")
    call(["apt-get", "download", "-qq", package], "the download", PLACE / "deb")
    for deb in (PLACE / "deb").glob("*.deb"):
        call(["dpkg-deb", "-x", str(deb), str(PLACE / "package")], "unpacking")
    tarballs = list((PLACE / "package/usr/src").glob("linux-source-*.tar.*"))
    if len(tarballs) != 1:
        raise BenchError(f"lean Linux: {package} holds no source")
    call(["tar", "-C", str(PLACE / "tree"), "--strip-components=1", "-xf", str(tarballs[0])], "unpacking")
    return PLACE / "tree"


def compile_kernel(tree: Path, say: Say) -> str:
    """Returns the kernel's version."""
    call(["make", "-s", "tinyconfig"], "tinyconfig", tree)
    call(["scripts/kconfig/merge_config.sh", "-m", ".config", str(CONFIG)], "the configuration", tree)
    call(["make", "-s", "olddefconfig"], "the configuration", tree)
    say("lean Linux: compiling it, once; this takes some minutes")
    call(["make", "-s", f"-j{os.cpu_count() or 1}", "Image"], "compiling", tree)
    return call(["make", "-s", "kernelrelease"], "the version", tree).strip()


def build(say: Say) -> tuple[Path, str]:
    """The kernel's image and its version; what was built before from this configuration serves again."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        raise BenchError(f"lean Linux needs {' '.join(missing)} (scripts/setup.sh bench-linux installs them)")
    digest = hashlib.sha256(CONFIG.read_bytes()).hexdigest()
    try:
        made = json.loads(MADE_FROM.read_text())
        if made["config"] == digest and IMAGE.is_file():
            return IMAGE, made["version"]
    except (OSError, ValueError, KeyError):
        pass
    tree = unpack(source_package(), say)
    version = compile_kernel(tree, say)
    shutil.copyfile(tree / "arch/riscv/boot/Image", IMAGE)
    for name in ("deb", "package", "tree"):
        shutil.rmtree(PLACE / name)
    MADE_FROM.write_text(json.dumps({"config": digest, "version": version}) + "\n")
    return IMAGE, version
