#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus soak N`: N boots on four harts, two at a time, each judged by the gate of profile smp4.

Nothing is retried: the first failure stops the soak, and its log stays in build/soak/. At the end a
histogram of the harts that firmware let boot.
"""

import re
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from profiles import PROFILES, gated_boot  # noqa: E402  (after the path)

LOGS = ROOT / "build" / "soak"
QEMUS_AT_ONCE = 2
BOOT_HART = re.compile(rb"^neuron: hart map 0=(\d+)", re.MULTILINE)
PROFILE = next(profile for profile in PROFILES if profile.name == "smp4")


def boot_once(number: int) -> tuple[int, list[str], int | None]:
    """Boot `number`: its reasons of failure and its boot hart. The log stays only after a failure."""
    log = LOGS / f"boot-{number}.log"
    reasons = gated_boot(PROFILE, log)
    match = BOOT_HART.search(log.read_bytes())
    if not reasons:
        log.unlink()
        log.with_suffix(".qemu").unlink(missing_ok=True)
    return number, reasons, int(match[1]) if match else None


def print_histogram(harts: Counter[int]) -> None:
    widest = max(harts.values(), default=1)
    print("boot hart   boots")
    for hart in sorted(harts):
        bar = "#" * max(1, harts[hart] * 40 // widest)
        print(f"{hart:9}  {harts[hart]:6} {bar}")


def soak(count: int) -> int:
    started = time.monotonic()
    harts: Counter[int] = Counter()
    failures: list[tuple[int, list[str]]] = []
    done = 0
    step = -(-count // 20)
    with ThreadPoolExecutor(QEMUS_AT_ONCE) as pool:
        numbers = iter(range(1, count + 1))
        running: set[Future[tuple[int, list[str], int | None]]] = set()
        while True:
            while not failures and len(running) < QEMUS_AT_ONCE:
                number = next(numbers, None)
                if number is None:
                    break
                running.add(pool.submit(boot_once, number))
            if not running:
                break
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                number, reasons, hart = future.result()
                done += 1
                if hart is not None:
                    harts[hart] += 1
                if reasons:
                    failures.append((number, reasons))
            if done % step == 0 or done == count:
                seconds = time.monotonic() - started
                left = seconds / done * (count - done)
                print(f"soak: {done}/{count} boots, {seconds:.0f} s, about {left:.0f} s left", flush=True)
    for number, reasons in failures:
        print(f"soak: boot {number} failed; log: {(LOGS / f'boot-{number}.log').relative_to(ROOT)}")
        for reason in reasons:
            print(f"        {reason}")
    print_histogram(harts)
    print(f"soak: {done - len(failures)} of {count} boots reached the last marker")
    return 1 if failures else 0


def main() -> int:
    if len(sys.argv) != 2 or not sys.argv[1].isdigit() or int(sys.argv[1]) == 0:
        print("usage: ./nexus soak N   (N boots)", file=sys.stderr)
        return 2
    LOGS.mkdir(parents=True, exist_ok=True)
    for old in LOGS.glob("boot-*"):
        old.unlink()
    return soak(int(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
