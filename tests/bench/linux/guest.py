# SPDX-License-Identifier: Apache-2.0
"""What Linux boots: our benchmark, compiled for it, in an initramfs with busybox and modules; and a disk."""

import shutil
import subprocess
from pathlib import Path

from machine import BenchError
from qemu_boot import ROOT

from linux.packages import WORK, Kernel

SOURCES = Path(__file__).resolve().parent / "guest"
COMPILER = "riscv64-linux-gnu-gcc"
WARNINGS = (
    "-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Werror"
).split()
FLAGS = ["-O2", "-std=gnu17", "-D_GNU_SOURCE", "-static", *WARNINGS]
# For its marks only: the directory also has headers of a C library that is not Linux's.
INCLUDES = ["-iquote", str(ROOT / "source" / "libs" / "nexus" / "include")]
CHILD = "child.c"
CHILD_FLAGS = ["-nostdlib", "-ffreestanding"]
DIRECTORIES = ("bin", "dev", "mnt", "modules.d", "proc", "sys")


def call(command: list[str], about: str, **options: object) -> None:
    try:
        done = subprocess.run(command, capture_output=True, check=False, **options)  # type: ignore[call-overload]
    except FileNotFoundError as error:
        raise BenchError(f"{about}: {command[0]} is missing (scripts/setup.sh bench-linux installs it)") from error
    if done.returncode != 0:
        raise BenchError(f"{about}: {done.stderr.decode(errors='replace').strip()}")


def compile_programs(tree: Path) -> None:
    benchmark = [str(path) for path in sorted(SOURCES.glob("*.c")) if path.name != CHILD]
    call([COMPILER, *FLAGS, *INCLUDES, "-o", str(tree / "bin/bench"), *benchmark], "Linux benchmark")
    child = [str(SOURCES / CHILD), "-o", str(tree / "bin/child")]
    call([COMPILER, *FLAGS, *CHILD_FLAGS, *INCLUDES, *child], "Linux benchmark")


def make_initramfs(kernel: Kernel, with_modules: bool) -> Path:
    tree = WORK / "initramfs"
    shutil.rmtree(tree, ignore_errors=True)
    for name in DIRECTORIES:
        (tree / name).mkdir(parents=True)
    compile_programs(tree)
    busybox = next((path for path in kernel.root.glob("**/bin/busybox") if path.is_file()), None)
    if busybox is None:
        raise BenchError("the busybox package holds no busybox")
    shutil.copy2(busybox, tree / "bin/busybox")
    modules = kernel.module_files() if with_modules else []
    for name, content in modules:
        (tree / "modules.d" / name).write_bytes(content)
    (tree / "modules").write_text("".join(f"{name}\n" for name, _ in modules))
    shutil.copy2(SOURCES / "init.sh", tree / "init")
    (tree / "init").chmod(0o755)
    names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*"))
    archive = WORK / "initramfs.cpio"
    with archive.open("wb") as output:
        done = subprocess.run(
            ["cpio", "--create", "--format=newc", "--owner=0:0", "--quiet"],
            cwd=tree,
            input="".join(f"{name}\n" for name in names).encode(),
            stdout=output,
            check=False,
        )
    if done.returncode != 0:
        raise BenchError("the initramfs could not be written")
    return archive
