#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus lint`: what the house rules ask of the sources, checked by machine; `--fix-format` formats.

Each check is a function that returns its findings as "file:line: what is wrong"; adding one is one
row in CHECKS. A finding fails the run. Only tracked and new files are looked at, never the build.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
KERNEL = "source/kernel/neuron"

CONDITIONALS_PER_THOUSAND = 5
KERNEL_LINES = 10_000
KERNEL_TEXT_BYTES = 128 * 1024
FILE_LINES = 700
FUNCTION_LINES = 80

# Who may include whom, by the longest matching prefix. The first word of each row is the includer.
LAYERS: dict[str, tuple[str, ...]] = {
    "source/abi": ("source/abi",),
    "source/libs/nexus": ("source/abi", "source/libs", "build/schemas"),
    "source/libs": ("source/abi", "source/libs"),
    "source/drivers": ("source/abi", "source/libs", "source/drivers"),
    KERNEL: ("source/abi", "source/libs/fdt", "source/libs/cpio", "source/libs/elf", "source/libs/bootargs", "source/libs/freestanding", KERNEL),
    "source/services": ("source/abi", "source/libs", "source/drivers", "source/services", "build/schemas"),
    "source/init": ("source/abi", "source/libs", "source/init", "build/schemas"),
    "source/apps": ("source/abi", "source/libs", "source/apps", "build/schemas"),
}
# What people wrote: sources, build files, documents.
TEXTS = (".c", ".h", ".S", ".cpp", ".py", ".sh", ".build", ".capnp", ".dts", ".md")
LICENSED = (*TEXTS, ".ld", ".ini", ".pml", ".inc", ".clang-format", ".clang-tidy", ".gitignore", ".ci/run")
# For Linux's compiler, with which tests/bench/linux/guest.py builds them; no part of this build.
LINUX_PROGRAMS = "tests/bench/linux/guest/"
ARCH = f"{KERNEL}/src/arch"
# What every architecture provides under the same name; its other headers are its own.
ARCH_PUBLIC = ("arch.h", "arch_types.h", "arch_inline.h")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@cache
def all_files() -> tuple[str, ...]:
    """Every file of the checkout that is not ignored, relative to its top."""
    is_checkout = (ROOT / ".git").exists() and shutil.which("git") is not None
    if is_checkout:
        names = run("git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.splitlines()
    else:
        names = [
            path.relative_to(ROOT).as_posix()
            for path in ROOT.rglob("*")
            if path.is_file() and not path.is_relative_to(BUILD)
        ]
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def files(*suffixes: str, under: str = "") -> list[str]:
    return [name for name in all_files() if name.endswith(suffixes) and name.startswith(under)]


@cache
def lines_of(name: str) -> tuple[str, ...]:
    return tuple((ROOT / name).read_text(errors="replace").splitlines())


@cache
def compile_commands() -> tuple[dict[str, str], ...]:
    """Meson's compile commands, each with its `file` relative to the checkout."""
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    for command in commands:
        path = Path(command["directory"], command["file"]).resolve()
        command["file"] = os.path.relpath(path, ROOT)
    return tuple(commands)


def is_cross(command: dict[str, str]) -> bool:
    return command["command"].startswith("riscv64-")


def diagnostics(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.search(r"(warning|error): ", line)]


# --- the checks ----------------------------------------------------------------------------------


def check_format() -> list[str]:
    report = run("clang-format", "--dry-run", "-Werror", *files(".c", ".h", ".cpp")).stderr
    wrong = sorted({line.split(":")[0] for line in diagnostics(report)})
    return [f"{name}: not formatted (./nexus fmt does it)" for name in wrong]


def check_tidy() -> list[str]:
    """clang-tidy on the sources of the native build: libraries, drivers, host tools."""
    wanted = {
        command["file"]: command
        for command in compile_commands()
        if not is_cross(command) and command["file"].startswith("source/") and command["file"].endswith(".c")
        # Tests of the string functions rename the C library's own declarations.
        and "=nexus_memcpy" not in command["command"]
    }
    # Its own database: Meson's also has each file's cross command, which clang does not understand.
    database = BUILD / "lint"
    database.mkdir(exist_ok=True)
    entries = [command | {"file": str(ROOT / name)} for name, command in sorted(wanted.items())]
    (database / "compile_commands.json").write_text(json.dumps(entries))

    def tidy(name: str) -> list[str]:
        result = run("clang-tidy", "--quiet", "-p", str(database), "--extra-arg=-Wno-unknown-warning-option", name)
        return [line.removeprefix(f"{ROOT}/").replace("../source/", "source/") for line in diagnostics(result.stdout)]

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return sorted({finding for found in pool.map(tidy, sorted(wanted)) for finding in found})


def check_shell() -> list[str]:
    scripts = [name for name in all_files() if lines_of_script(name)]
    return run("shellcheck", "-f", "gcc", *scripts).stdout.splitlines()


def lines_of_script(name: str) -> bool:
    if Path(name).suffix not in ("", ".sh"):
        return False
    with (ROOT / name).open("rb") as file:
        return re.match(rb"#!.*\b(ba)?sh\b", file.readline()) is not None


def check_headers_alone() -> list[str]:
    """Each header is a whole translation unit for the compiler of some file that includes it."""

    def compile_alone(name: str) -> list[str]:
        command = compiler_for(name)
        if command is None:
            return []
        result = subprocess.run(
            [*command, "-fsyntax-only", "-Wno-unused-function", "-include", spelling(name), os.devnull],
            cwd=BUILD,
            capture_output=True,
            text=True,
            check=False,
        )
        return [f"{name}: does not compile alone: {line}" for line in diagnostics(result.stderr)[:1]]

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        ours = [name for name in files(".h") if not name.startswith(LINUX_PROGRAMS)]
        return [finding for found in pool.map(compile_alone, ours) for finding in found]


def spelling(header: str) -> str:
    """How to include a header: by its name in an include/ directory, where it may extend a system one."""
    _, found, public = header.partition("/include/")
    return public if found else str(ROOT / header)


def compiler_for(header: str) -> list[str] | None:
    """Compiler and flags of the C source nearest to `header` in the tree, cross ones first."""
    best: tuple[int, bool] = (0, False)
    chosen: dict[str, str] | None = None
    for command in compile_commands():
        if not command["file"].endswith((".c", ".cpp")):
            continue
        shared = len(os.path.commonprefix([command["file"], header]))
        if (shared, is_cross(command)) > best:
            best, chosen = (shared, is_cross(command)), command
    if chosen is None:
        return None
    words = shlex.split(chosen["command"])
    language = "c++" if chosen["file"].endswith(".cpp") else "c"
    keep = re.compile(r"-(I|isystem|D|m|f(?!sanitize|diagnostics)|W|std=|-specs)")
    return [words[0], *(word for word in words[1:] if keep.match(word) and word != "-Werror"), "-x", language]


@cache
def include_graph() -> dict[str, list[tuple[int, str]]]:
    """For each C file, the lines and targets of its includes that are files of ours."""
    headers = files(".h")
    graph: dict[str, list[tuple[int, str]]] = {}
    for name in files(".c", ".h", ".S"):
        found: list[tuple[int, str]] = []
        for number, line in enumerate(lines_of(name), start=1):
            match = re.match(r'\s*#\s*include\s+(?:"([^"]+)"|<(nexus/[^>]+)>)', line)
            target = match and resolve_include(name, match[1] or match[2], headers)
            if target:
                found.append((number, target))
        graph[name] = found
    return graph


def resolve_include(name: str, text: str, headers: list[str]) -> str | None:
    beside = os.path.normpath(os.path.join(os.path.dirname(name), text))
    if beside in headers:
        return beside
    candidates = [header for header in headers if header.endswith(f"/{text}")]
    near = [header for header in candidates if header.split("/")[:3] == name.split("/")[:3]]
    return (near or candidates or [None])[0]


def check_include_cycles() -> list[str]:
    graph = include_graph()
    findings: list[str] = []
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            findings.append(f"{name}: include cycle: {' -> '.join([*path[path.index(name):], name])}")
            return
        if name in done:
            return
        for _, target in graph[name]:
            visit(target, [*path, name])
        done.add(name)

    for name in graph:
        visit(name, [])
    return findings


def check_layers() -> list[str]:
    findings: list[str] = []
    for name, includes in include_graph().items():
        layer = max((prefix for prefix in LAYERS if name.startswith(f"{prefix}/")), key=len, default=None)
        for number, target in includes:
            if layer and not target.startswith(tuple(f"{allowed}/" for allowed in LAYERS[layer])):
                findings.append(f"{name}:{number}: {layer} must not know {target}")
            private = target.startswith(f"{ARCH}/") and Path(target).name not in ARCH_PUBLIC
            if private and not name.startswith(f"{ARCH}/"):
                findings.append(f"{name}:{number}: {target} is private to arch/")
    return findings


def check_conditionals() -> list[str]:
    """Conditional compilation selects files, not lines. Include guards do not count."""
    total = 0
    found: list[str] = []
    for name in files(".c", ".h", ".S", under="source/"):
        lines = lines_of(name)
        total += len(lines)
        for number, line in enumerate(lines, start=1):
            after = lines[number] if number < len(lines) else ""
            guard = re.match(r"#ifndef (\w+_H)$", line)
            if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line) and not (guard and guard[1] in after):
                found.append(f"{name}:{number}: {line.strip()}")
    if total and len(found) * 1000 >= CONDITIONALS_PER_THOUSAND * total:
        return [f"{len(found)} conditionals in {total} lines: {CONDITIONALS_PER_THOUSAND} or more per thousand", *found]
    return []


def code_lines(name: str) -> int:
    """Lines that are neither blank nor comment."""
    text = "\n".join(lines_of(name))
    text = re.sub(r"/\*.*?\*/", lambda comment: "\n" * comment[0].count("\n"), text, flags=re.DOTALL)
    comment = r"^\s*(//|#\s).*$" if name.endswith(".S") else r"^\s*//.*$"
    return sum(1 for line in text.splitlines() if line.strip() and not re.match(comment, line))


def check_kernel_size() -> list[str]:
    findings: list[str] = []
    lines = sum(code_lines(name) for name in files(".c", ".h", ".S", under=f"{KERNEL}/"))
    print(f"        kernel: {lines} lines of code", flush=True)
    if lines >= KERNEL_LINES:
        findings.append(f"{KERNEL}: {lines} lines of code, the bound is {KERNEL_LINES}")
    for name in ("neuron.elf", "neuron-release.elf"):
        if not (BUILD / name).exists():
            findings.append(f"build/{name}: not built")
            continue
        sections = run("riscv64-unknown-elf-size", "-A", str(BUILD / name)).stdout
        text = sum(int(size) for size in re.findall(r"^\.text\S*\s+(\d+)", sections, re.MULTILINE))
        print(f"        {name}: {text} bytes of .text", flush=True)
        if not 0 < text < KERNEL_TEXT_BYTES:
            findings.append(f"build/{name}: {text} bytes of .text, the bound is {KERNEL_TEXT_BYTES}")
    return findings


def check_sizes() -> list[str]:
    """Files and functions that are too long to have one subject."""
    findings: list[str] = []
    for name in files(".c", ".h", ".S", ".cpp"):
        lines = lines_of(name)
        if len(lines) > FILE_LINES:
            findings.append(f"{name}: {len(lines)} lines, the bound is {FILE_LINES}")
        start = 0
        for number, line in enumerate(lines, start=1):
            if line == "{":
                start = number
            elif line == "}" and start and number - start > FUNCTION_LINES:
                findings.append(f"{name}:{start}: function of {number - start} lines, the bound is {FUNCTION_LINES}")
    return findings


def check_words() -> list[str]:
    """No unfinished work, no path of somebody's machine, and a licence line first in every file."""
    foreign = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|(^|[\s\"'=(])/(home|root|work)/\w")
    findings: list[str] = []
    for name in files(*TEXTS):
        lines = lines_of(name)
        findings += [f"{name}:{number}: {line.strip()}" for number, line in enumerate(lines, start=1) if foreign.search(line)]
    licensed = [*files(*LICENSED), *files(".txt", under="tests/markers/")]
    for name in licensed:
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines_of(name)[:2]):
            findings.append(f"{name}:1: no SPDX line")
    return findings


CHECKS: list[tuple[str, Callable[[], list[str]]]] = [
    ("clang-format", check_format),
    ("shellcheck", check_shell),
    ("headers compile alone", check_headers_alone),
    ("include cycles", check_include_cycles),
    ("layers", check_layers),
    ("#if density", check_conditionals),
    ("kernel size", check_kernel_size),
    ("file and function length", check_sizes),
    ("words", check_words),
    ("clang-tidy", check_tidy),
]


def main() -> int:
    if sys.argv[1:] == ["--fix-format"]:
        return run("clang-format", "-i", *files(".c", ".h", ".cpp")).returncode
    if len(sys.argv) > 1:
        print("usage: ./nexus lint", file=sys.stderr)
        return 2
    failed = 0
    for name, check in CHECKS:
        started = time.monotonic()
        findings = check()
        print(f"{'failed' if findings else 'passed'}  {name:<28} {time.monotonic() - started:6.1f} s", flush=True)
        for finding in findings:
            print(f"        {finding}")
        failed += bool(findings)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
