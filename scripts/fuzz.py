#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus fuzz TARGET ...`: build one libFuzzer target with clang, run it, say how much it did.

A target is tests/fuzz/fuzz_TARGET.c, linked with the libraries that need no operating system. Lines
in it say what else it takes:

    // fuzz-sources: PATH...     further sources, from the top of the checkout
    // fuzz-includes: PATH...    further include directories
    // fuzz-options: WORD...     libFuzzer options, such as -max_len=512

Seeds are tests/fuzz/corpus/TARGET/, findings of the past tests/fuzz/regressions/TARGET/. What a run
finds grows in build/fuzz/TARGET/corpus/; an input that fails stays in build/fuzz/TARGET/.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "fuzz"
FUZZ = ROOT / "tests" / "fuzz"
ALL = "all"
JOBS = int(os.environ.get("NEXUS_JOBS", "2"))
COMPILE = "-std=gnu17 -O2 -g -fno-omit-frame-pointer -Isource/abi -Isource/libs -Isource/drivers -Itests/host".split()
COMPILE += ["-isystem", "build/debian-source/libsodium/src/libsodium/include"]
SODIUM = "build/source/libs/verity/libsodium_host.a"
# Of an operating system; of the kernel, which has no C library; in SODIUM.
LEFT_OUT = ("source/libs/nexus", "source/libs/freestanding", "source/libs/sodium")
SANITIZE = "-fsanitize=address,undefined -fno-sanitize-recover=all".split()
COVER = "-fprofile-instr-generate -fcoverage-mapping".split()
# Freed memory is held back for a while, so that a later use is noticed; a run frees little.
ENVIRONMENT = {"ASAN_OPTIONS": "quarantine_size_mb=16:malloc_context_size=8"}
USAGE = """usage: ./nexus fuzz TARGET|all SECONDS          fuzz so long
       ./nexus fuzz TARGET|all runs=N           fuzz so many executions
       ./nexus fuzz TARGET|all coverage         what seeds and findings reach, by source file
       ./nexus fuzz TARGET minimize             the seeds, and of what was found the least that covers as much
Words that begin with - are passed on to libFuzzer. The targets:"""


class FuzzError(Exception):
    """Something that keeps a target from being run, in words."""


@dataclass(frozen=True)
class Target:
    name: str

    @property
    def source(self) -> Path:
        return FUZZ / f"fuzz_{self.name}.c"

    @property
    def out(self) -> Path:
        return BUILD / self.name

    def words(self, key: str) -> list[str]:
        """The words of the target's lines `// KEY: WORD...`."""
        lines = re.findall(rf"^// {key}: *(.*)$", self.source.read_text(), re.MULTILINE)
        return " ".join(lines).split()

    def kept_inputs(self) -> list[str]:
        """The directories of inputs under version control."""
        return [str(FUZZ / kind / self.name) for kind in ("corpus", "regressions") if (FUZZ / kind / self.name).is_dir()]


def targets() -> list[Target]:
    return [Target(path.stem.removeprefix("fuzz_")) for path in sorted(FUZZ.glob("fuzz_*.c"))]


def run(command: list[str]) -> None:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise FuzzError(f"{' '.join(command[:1])} failed:\n{result.stderr}")


def build(target: Target, kind: str, flags: list[str], link: list[str]) -> Path:
    """Compile the target and every library with `flags`; the program is build/fuzz/TARGET/KIND."""
    objects = target.out / f"{kind}.objects"
    objects.mkdir(parents=True, exist_ok=True)
    libraries = [
        path
        for top in ("source/libs", "source/drivers")
        for path in sorted((ROOT / top).rglob("*.c"))
        if not any(path.is_relative_to(ROOT / name) for name in LEFT_OUT)
    ]
    own = [target.source, *(ROOT / word for word in target.words("fuzz-sources"))]
    includes = [f"-I{word}" for word in target.words("fuzz-includes")]
    names = {path: objects / (str(path.relative_to(ROOT)).replace("/", "_") + ".o") for path in libraries + own}

    def compile_one(path: Path) -> None:
        run(["clang", *COMPILE, *includes, *flags, "-c", "-o", str(names[path]), str(path)])

    with ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(compile_one, names))
    archive = objects / "libraries.a"  # an archive, so that a target takes only what it calls
    archive.unlink(missing_ok=True)
    run(["ar", "rcs", str(archive), *(str(names[path]) for path in libraries)])
    program = target.out / kind
    run(["clang", *flags, *link, "-o", str(program), *(str(names[path]) for path in own), str(archive), SODIUM])
    return program


def build_fuzzer(target: Target) -> Path:
    return build(target, f"fuzz_{target.name}", [*SANITIZE, "-fsanitize=fuzzer-no-link"], ["-fsanitize=fuzzer"])


def fuzz(target: Target, bound: str, options: list[str]) -> bool:
    """Run within the bound, a libFuzzer option; True when no input failed."""
    program = build_fuzzer(target)
    found = target.out / "corpus"
    found.mkdir(exist_ok=True)
    command = [str(program), bound, "-print_final_stats=1", "-reload=0", f"-artifact_prefix={target.out}/"]
    command += [*target.words("fuzz-options"), *options, str(found), *target.kept_inputs()]
    facts = {"number_of_executed_units": "0", "average_exec_per_sec": "0", "cov": "0", "ft": "0"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | ENVIRONMENT, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    assert process.stderr is not None
    failed_input = ""
    for line in process.stderr:
        print(line, end="", file=sys.stderr, flush=True)
        facts |= dict(re.findall(r"(?:stat::|\b)(number_of_executed_units|average_exec_per_sec|cov|ft): +(\d+)", line))
        if match := re.search(r"Test unit written to (\S+)", line):
            failed_input = match[1]
    status = process.wait()
    print(
        f"fuzz: {target.name} executions={facts['number_of_executed_units']} a_second={facts['average_exec_per_sec']}"
        f" edges={facts['cov']} features={facts['ft']} findings={int(status != 0)}",
        flush=True,
    )
    if status != 0:
        print(f"fuzz: {target.name} failed input={failed_input or 'unknown'}; once the cause is mended,")
        print(f"fuzz: keep it as tests/fuzz/regressions/{target.name}/WHAT-IT-WAS")
    return status == 0


def coverage(target: Target) -> bool:
    """Print which lines of the libraries the inputs under version control reach."""
    program = build(target, "coverage", [*COVER, "-fsanitize=fuzzer-no-link"], ["-fsanitize=fuzzer"])
    raw, merged = target.out / "coverage.raw", target.out / "coverage.data"
    inputs = [str(path) for folder in target.kept_inputs() for path in sorted(Path(folder).iterdir())]
    subprocess.run(
        [str(program), "-runs=1", *inputs],
        cwd=ROOT,
        env=os.environ | {"LLVM_PROFILE_FILE": str(raw)},
        stderr=subprocess.DEVNULL,
        check=True,
    )
    run(["llvm-profdata", "merge", "-o", str(merged), str(raw)])
    report = ["llvm-cov", "report", f"-instr-profile={merged}", "-ignore-filename-regex=tests/", str(program)]
    print(f"fuzz: {target.name} inputs={len(inputs)}", flush=True)
    return subprocess.run(report, cwd=ROOT, check=False).returncode == 0


def minimize(target: Target) -> bool:
    """Reduce what was found to one input for each edge that the kept inputs do not reach."""
    program = build_fuzzer(target)
    least = target.out / "least"
    least.mkdir(exist_ok=True)
    for path in least.iterdir():
        path.unlink()
    command = [str(program), "-merge=1", "-use_counters=0", *target.words("fuzz-options"), str(least)]
    status = subprocess.run([*command, *target.kept_inputs(), str(target.out / "corpus")], cwd=ROOT, check=False)
    print(f"fuzz: {target.name} inputs={len(list(least.iterdir()))} in {least}")
    return status.returncode == 0


def act(target: Target, what: str, options: list[str]) -> bool:
    if what == "coverage":
        return coverage(target)
    if what == "minimize":
        return minimize(target)
    if match := re.fullmatch(r"runs=(\d+)", what):
        return fuzz(target, f"-runs={match[1]}", options)
    return fuzz(target, f"-max_total_time={what}", options)


def main() -> int:
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    options = [word for word in sys.argv[1:] if word.startswith("-")]
    known = {target.name: target for target in targets()}
    if (
        len(words) != 2
        or words[0] not in (ALL, *known)
        or not re.fullmatch(r"\d+|runs=\d+|coverage|minimize", words[1])
    ):
        if words and words[0] not in (ALL, *known):
            print(f"fuzz: no such target: {words[0]}", file=sys.stderr)
        print(USAGE, file=sys.stderr)
        print("".join(f"  {name}\n" for name in known), end="", file=sys.stderr)
        return 2
    chosen = list(known.values()) if words[0] == ALL else [known[words[0]]]
    try:
        # Every target runs, whatever another one found.
        return 0 if all([act(target, words[1], options) for target in chosen]) else 1
    except (FuzzError, subprocess.CalledProcessError) as error:
        print(f"fuzz: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
