#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus test [NAME...]`: the host suites through Meson, then the QEMU profiles, two at a time.

A name selects a profile, or with `host` all host suites. One line for each result, the reasons of
each failure, what else is to be noted, where its log is, and one last line: N passed, N failed, N skipped.
"""

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from profiles import PROFILES, Profile  # noqa: E402  (after the path)

BUILD = ROOT / "build"
LOGS = BUILD / "test-logs"
QEMUS_AT_ONCE = 2
REASONS_SHOWN = 12
REASON_COLUMNS = 160
# The lines of a host suite's log that say why it failed: cmocka's, a sanitizer's, Python's.
HOST_REASON = re.compile(r"(?!\s*\[ +(?:RUN|OK) +\]).*(?:SUMMARY|ERROR|FAILED|assert)", re.IGNORECASE)
MESON_RESULT = re.compile(
    r"\s*\d+/\d+ (?P<name>.+?)\s+"
    r"(?P<result>OK|EXPECTEDFAIL|FAIL|TIMEOUT|ERROR|INTERRUPT|UNEXPECTEDPASS|SKIP)\s+(?P<seconds>[\d.]+)s"
)


class Tally:
    """The counts, and the one line printed for each result."""

    def __init__(self) -> None:
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def add(self, result: str, name: str, about: str, seconds: float, log: Path | None) -> None:
        self.counts[result] += 1
        where = f"  {log.relative_to(ROOT)}" if log is not None else ""
        label = f"{name}: {about}" if about else name
        print(f"{result:<8}{label:<48} {seconds:6.1f} s{where}", flush=True)

    def explain(self, reasons: list[str]) -> None:
        """Print the reasons of the failure that was added last, or the notes of any result."""
        for reason in reasons[:REASONS_SHOWN]:
            print(f"          {reason}", flush=True)
        if len(reasons) > REASONS_SHOWN:
            print(f"          and {len(reasons) - REASONS_SHOWN} more", flush=True)

    def summary(self) -> str:
        return ", ".join(f"{count} {result}" for result, count in self.counts.items())


def test_name(meson_name: str) -> str:
    """`fdt` from Meson's `nexus:host / fdt`."""
    return meson_name.rsplit("/", 1)[-1].strip()


def write_host_logs() -> None:
    """One log file for each host test, from Meson's record of all."""
    record = BUILD / "meson-logs" / "testlog.json"
    if not record.exists():
        return
    for line in record.read_text().splitlines():
        test = json.loads(line)
        text = test.get("stdout", "") + test.get("stderr", "")
        (LOGS / f"host-{test_name(test['name'])}.log").write_text(text)


def host_reasons(log: Path) -> list[str]:
    """What a failed suite's log says about it."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    reasons = [line.strip()[:REASON_COLUMNS] for line in lines if HOST_REASON.match(line)]
    return reasons or ["its log names no reason"]


def run_host_suites(tally: Tally) -> None:
    command = ["meson", "test", "-C", str(BUILD), "--no-rebuild", "--num-processes", "2"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    transcript: list[str] = []
    failed: list[tuple[str, float]] = []  # their reasons are known when Meson has written its record
    for line in process.stdout:
        transcript.append(line)
        match = MESON_RESULT.match(line)
        if match is None:
            continue
        kind = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}.get(match["result"], "failed")
        name = test_name(match["name"])
        if kind == "failed":
            failed.append((name, float(match["seconds"])))
        else:
            tally.add(kind, f"host {name}", "", float(match["seconds"]), LOGS / f"host-{name}.log")
    status = process.wait()
    (LOGS / "host.log").write_text("".join(transcript))
    write_host_logs()
    for name, seconds in failed:
        log = LOGS / f"host-{name}.log"
        tally.add("failed", f"host {name}", "", seconds, log)
        tally.explain(host_reasons(log))
    if status != 0 and not failed:
        tally.add("failed", "host", f"meson test ended with status {status}", 0, LOGS / "host.log")
        tally.explain(host_reasons(LOGS / "host.log"))


def run_profile(profile: Profile) -> tuple[list[str], float]:
    started = time.monotonic()
    try:
        reasons = profile.run(profile, LOGS / f"{profile.name}.log")
    except Exception as error:  # a broken profile is one failure, not the end of the run
        reasons = [f"could not run: {type(error).__name__}: {error}"]
    return reasons, time.monotonic() - started


def run_profiles(profiles: list[Profile], tally: Tally) -> None:
    with ThreadPoolExecutor(QEMUS_AT_ONCE) as pool:
        running = {pool.submit(run_profile, profile): profile for profile in profiles}
        for future in as_completed(running):
            profile = running[future]
            reasons, seconds = future.result()
            result = "failed" if reasons else "passed"
            tally.add(result, profile.name, profile.about, seconds, LOGS / f"{profile.name}.log")
            tally.explain(reasons)
            tally.explain([f"note: {note}" for note in profile.notes])


def main() -> int:
    names = sys.argv[1:]
    known = ["host", *(profile.name for profile in PROFILES)]
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"test: no such profile: {' '.join(unknown)} (profiles: {' '.join(known)})", file=sys.stderr)
        return 2
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    tally = Tally()
    if not names or "host" in names:
        run_host_suites(tally)
    run_profiles([profile for profile in PROFILES if not names or profile.name in names], tally)
    print(f"took {time.monotonic() - started:.0f} s")
    print(tally.summary())
    return 1 if tally.counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
