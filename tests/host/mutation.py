# SPDX-License-Identifier: Apache-2.0
"""Breaks sources on purpose, one mutant after the other, and says which host tests notice.

A mutant is a text of a source file, which must be there exactly once, and what stands there instead. The test
programs are linked with the mutated copy and run. A mutant that no test notices is a gap.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FLAGS = "-std=gnu17 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all".split()
RUN_SECONDS = 180
SHOWN = 4  # of the tests that notice
JOBS = int(os.environ.get("NEXUS_JOBS", "2"))


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Suite:
    """What is broken, and the programs that should notice."""

    folder: Path  # whose files are broken, in a copy
    sources: tuple[Path, ...]  # those of its files that the programs are made of
    place: str  # where the copy of the folder stands in the directory of a mutant
    seen_from: str  # the include directory within that; "" for the directory itself
    includes: tuple[Path, ...]
    common: tuple[Path, ...]  # other sources of every program
    mains: tuple[Path, ...]  # one program each

    def everything(self, folder: Path) -> list[Path]:
        return [folder / path.name for path in self.sources] + [*self.common, *self.mains]


def compile_all(suite: Suite, files: list[Path], root: Path, out: Path) -> None:
    """Objects of `files` in `out`; the suite's include directories come after the one in `root`."""
    includes = [f"-I{folder}" for folder in (root / suite.seen_from, *suite.includes)]
    for file in files:
        command = ["gcc", *FLAGS, *includes, "-c", "-o", str(out / f"{file.stem}.o"), str(file)]
        subprocess.run(command, check=True, capture_output=True)


def copy_of(suite: Suite, root: Path) -> Path:
    folder = root / suite.place
    shutil.copytree(suite.folder, folder)
    return folder


def red_tests(program: Path) -> list[str]:
    """The tests of the program that fail; a crash or a hang counts as one."""
    try:
        result = subprocess.run([str(program)], capture_output=True, timeout=RUN_SECONDS, check=False, cwd=program.parent)
    except subprocess.TimeoutExpired:
        return ["(hangs)"]
    output = (result.stdout + result.stderr).decode(errors="replace")
    red = list(dict.fromkeys(re.findall(r"^\[  FAILED  \] (?!\d+ test)(.+)$", output, re.MULTILINE)))
    if result.returncode != 0 and not red:
        last = re.findall(r"^\[ RUN      \] (.+)$", output, re.MULTILINE)
        red = [f"(sanitizer) {last[-1] if last else ''}"]
    return red


def red_programs(suite: Suite, objects: Path, folder: Path) -> list[str]:
    """Link the suite's programs in `folder` and run them; the tests that fail."""
    mains = {main.stem for main in suite.mains}
    shared = [str(each) for each in objects.glob("*.o") if each.stem not in mains]
    red: list[str] = []
    for main in sorted(mains):
        program = folder / main
        own = str(objects / f"{main}.o")
        subprocess.run(["gcc", *FLAGS, "-o", str(program), own, *shared, "-lcmocka"], check=True)
        red += red_tests(program)
    return red


def noticed_by(suite: Suite, mutant: Mutant, sound: Path) -> list[str]:
    """The tests that are red with the mutant. `sound`: all objects without it."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder = copy_of(suite, root)
        file = folder / mutant.file
        text = file.read_text()
        if text.count(mutant.old) != 1:
            raise SystemExit(f"mutants: {mutant.name}: its text is there {text.count(mutant.old)} times")
        file.write_text(text.replace(mutant.old, mutant.new))
        out = root / "objects"
        shutil.copytree(sound, out)
        try:
            compile_all(suite, [file] if file.suffix == ".c" else suite.everything(folder), root, out)
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"mutants: {mutant.name} does not compile:\n{error.stderr.decode()}") from error
        return red_programs(suite, out, root)


def try_all(suite: Suite, mutants: list[Mutant]) -> int:
    """Try each mutant and say who notices; how many nobody does. Without a mutant nothing may be red."""
    missed = 0
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(JOBS) as pool:
        root = Path(name)
        sound = root / "objects"
        sound.mkdir()
        compile_all(suite, suite.everything(copy_of(suite, root)), root, sound)
        if red := red_programs(suite, sound, root):
            raise SystemExit(f"mutants: red without a mutant: {'; '.join(red)}")
        count = len(mutants)
        results = pool.map(noticed_by, [suite] * count, mutants, [sound] * count)
        for number, (mutant, red) in enumerate(zip(mutants, results), start=1):
            missed += not red
            more = f" and {len(red) - SHOWN} more" if len(red) > SHOWN else ""
            verdict = "red  " if red else "GREEN"
            print(f"{number}/{count} {verdict} {mutant.name}: {'; '.join(red[:SHOWN])}{more}", flush=True)
    return missed


def summarise(count: int, missed: int) -> int:
    """The last line of a run; its exit status."""
    print(f"{count - missed} noticed, {missed} missed")
    return 1 if missed or not count else 0


def run(suite: Suite, mutants: list[Mutant]) -> int:
    """Try all of them, or those whose name contains a word of the command line; the exit status."""
    words = sys.argv[1:]
    chosen = [mutant for mutant in mutants if not words or any(word in mutant.name for word in words)]
    return summarise(len(chosen), try_all(suite, chosen))
