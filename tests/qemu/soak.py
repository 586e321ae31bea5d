#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus soak N`: N boots, two at a time, that go through harts, transports, device trees and random kills.

Boot after boot takes the next of all combinations of SMP 1 to 4, modern and legacy virtio-mmio, and the
device tree of this repository or QEMU's own. Of each two boots one runs the self-tests and is judged by the
gate; in the other one services are killed at random instants, with a seed of its own, and it is judged as
`./nexus kills` is. Nothing is retried: the first failure stops the soak, and its logs stay in build/soak/.

Of each boot a line stays in build/soak/boots.txt, in the order in which they ended: number, kind, seed and
combination, seconds, verdict. Soaks come one after the other, each with a line before it and one behind it:
the largest N so that boots 1 to N all were clean.
"""

import itertools
import re
import secrets
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import kills  # noqa: E402  (after the path)
from gate import Topology  # noqa: E402
from profiles import Profile, gated_boot, survives  # noqa: E402

LOGS = ROOT / "build" / "soak"
RECORD = LOGS / "boots.txt"
QEMUS_AT_ONCE = 2
BOOT_HART = re.compile(rb"^neuron: hart map 0=(\d+)", re.MULTILINE)
KILLS = 2  # of each service in a boot
SERVICES = "block+packages+console"
TIMEOUT = 120.0
PROGRESS_SECONDS = 30.0
# In the order in which they are gone through: the harts change with each pair of boots.
PLACES = [
    {"DTB": tree, "VIRTIO": transport, "SMP": str(harts)}
    for tree, transport, harts in itertools.product(("", "qemu"), ("modern", "legacy"), (1, 2, 3, 4))
]


def plan(number: int) -> Profile:
    """What boot `number`, from 1 on, is."""
    place = PLACES[(number - 1) // 2 % len(PLACES)]
    topology = Topology(smp=int(place["SMP"]))
    options = {name: value for name, value in place.items() if value}
    about = " ".join(f"{name}={value}" for name, value in sorted(options.items()))
    name = f"boot-{number}"
    if number % 2 == 1:
        return Profile(name, f"self-tests {about}", gated_boot, topology, options, timeout=TIMEOUT)
    seed = 1 + secrets.randbelow(kills.SEEDS)
    append = f"{SERVICES} {KILLS} {seed}"
    return Profile(name, f"kills seed={seed} {about}", survives, topology, options, append, TIMEOUT)


@dataclass(frozen=True)
class Result:
    number: int
    profile: Profile
    reasons: list[str]
    hart: int | None
    seconds: float

    def line(self) -> str:
        verdict = f"FAILED {'; '.join(self.reasons)}" if self.reasons else "clean"
        line = f"boot={self.number} {self.profile.about} seconds={self.seconds:.1f} verdict={verdict}"
        return " ".join(line.splitlines())


def record(line: str) -> None:
    with RECORD.open("a") as file:
        print(line, file=file)


def commit() -> str:
    """What is soaked, as far as Git knows."""
    command = ["git", "describe", "--always", "--dirty"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"


def largest_clean(results: list[Result]) -> int:
    """The largest N so that boots 1 to N are all among the results, and clean."""
    clean = {result.number for result in results if not result.reasons}
    return next(number for number in itertools.count() if number + 1 not in clean)


def boot_once(number: int) -> Result:
    """The logs stay only after a failure."""
    profile = plan(number)
    log = LOGS / f"{profile.name}.log"
    started = time.monotonic()
    reasons = profile.run(profile, log)
    seconds = time.monotonic() - started
    match = BOOT_HART.search(log.read_bytes())
    if not reasons:
        for path in LOGS.glob(f"{profile.name}.*"):
            path.unlink()
    return Result(number, profile, reasons, int(match[1]) if match else None, seconds)


class Soak:
    def __init__(self, count: int) -> None:
        self.count = count
        self.started = self.shown = time.monotonic()
        self.results: list[Result] = []
        self.failures: list[Result] = []

    def take(self, result: Result) -> None:
        self.results.append(result)
        record(result.line())
        if result.reasons:
            self.failures.append(result)
        now = time.monotonic()
        done = len(self.results)
        if now < self.shown + PROGRESS_SECONDS and done < self.count and not result.reasons:
            return
        self.shown = now
        seconds = now - self.started
        left = seconds / done * (self.count - done)
        print(f"soak: {done}/{self.count} boots, {seconds:.0f} s, about {left:.0f} s left", flush=True)

    def run(self) -> None:
        """Boot until all is done or a boot has failed; those that run beside it are seen to their end."""
        numbers = iter(range(1, self.count + 1))
        running: set[Future[Result]] = set()
        with ThreadPoolExecutor(QEMUS_AT_ONCE) as pool:
            while True:
                free = 0 if self.failures else QEMUS_AT_ONCE - len(running)
                running |= {pool.submit(boot_once, number) for number in itertools.islice(numbers, free)}
                if not running:
                    return
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    self.take(future.result())

    def report(self) -> None:
        for failure in self.failures:
            log = (LOGS / f"{failure.profile.name}.log").relative_to(ROOT)
            print(f"soak: {failure.profile.name} failed: {failure.profile.about}; log: {log}")
            for reason in failure.reasons:
                print(f"        {reason}")
        harts = Counter(result.hart for result in self.results if result.hart is not None)
        print("soak: boots by boot hart " + " ".join(f"{hart}={harts[hart]}" for hart in sorted(harts)))
        longest = max(result.seconds for result in self.results)
        mean = sum(result.seconds for result in self.results) / len(self.results)
        print(f"soak: seconds of a boot mean={mean:.1f} longest={longest:.1f}")
        print(f"soak: {len(self.results) - len(self.failures)} of {self.count} boots clean")
        clean = largest_clean(self.results)
        record(f"soak largest clean N={clean}")
        print(f"soak: largest clean N={clean}, record: {RECORD.relative_to(ROOT)}")


def main() -> int:
    if len(sys.argv) != 2 or not sys.argv[1].isdigit() or int(sys.argv[1]) == 0:
        print("usage: ./nexus soak N   (N boots)", file=sys.stderr)
        return 2
    LOGS.mkdir(parents=True, exist_ok=True)
    for old in LOGS.glob("boot-*"):
        old.unlink()
    record(f"soak boots={sys.argv[1]} commit={commit()} started={time.strftime('%Y-%m-%d %H:%M:%S')}")
    soak = Soak(int(sys.argv[1]))
    soak.run()
    soak.report()
    return 1 if soak.failures else 0


if __name__ == "__main__":
    sys.exit(main())
