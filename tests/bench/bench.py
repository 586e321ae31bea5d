#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus bench [ROW...]`: count the instructions of each operation and hold them against its budget.

    ./nexus bench                  the whole table; build/bench.json and build/bench.svg
    ./nexus bench ROW...           only these rows (--list names them)
    ./nexus bench --vs-linux       also boot Debian's Linux and count the same operations in it
    ./nexus bench --profile ROW    where the instructions of one operation go, by function
    ./nexus bench --blocks ROW     the same by block of code, with its source lines

Exit status: 0 when each budget is met, 1 when one is missed, 2 when a row could not be counted.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import account  # noqa: E402  (after the path)
import machine  # noqa: E402
from machine import BenchError, Run, progress  # noqa: E402
from linux.peer import Comparison  # noqa: E402
from meter import START_COST, Region  # noqa: E402
from qemu_boot import BUILD  # noqa: E402
from rows import ROWS, Row  # noqa: E402

EMPTY = "empty"
MISSED, BROKEN = 1, 2


@dataclass
class Result:
    row: Row
    instructions: float | None  # None: `reason` says why
    reason: str = ""

    @property
    def met(self) -> bool:
        return self.instructions is not None and self.instructions <= self.row.budget


def rounds_of(region: Region, row: Row) -> float:
    return len(region.samples()) * row.operations


def overhead(run: Run, region: Region) -> float:
    return START_COST if region.intervals else run.regions[EMPTY].median()


def count(row: Row, run: Run) -> float:
    """Instructions of one operation."""
    region = run.regions[row.subject]
    return (region.median(row.parts) - overhead(run, region)) / row.operations


def measure(rows: list[Row]) -> list[Result]:
    """Boot each machine that the rows ask for once, and count."""
    wanted = rows + [row for row in ROWS if row.name in {other.minus for other in rows} and row not in rows]
    runs: dict[int, Run] = {}
    for smp in sorted({row.smp for row in wanted}):
        subjects = [EMPTY, *dict.fromkeys(row.subject for row in wanted if row.smp == smp)]
        runs[smp] = machine.run(f"smp{smp}", subjects, smp)
    counts: dict[str, float] = {}
    failures: dict[str, str] = {}
    for row in wanted:
        run = runs[row.smp]
        if row.subject in run.failures:
            failures[row.name] = run.failures[row.subject]
        else:
            counts[row.name] = count(row, run)
    return [result(row, counts, failures) for row in rows]


def result(row: Row, counts: dict[str, float], failures: dict[str, str]) -> Result:
    for name in (row.name, row.minus):
        if name in failures:
            return Result(row, None, f"{name}: {failures[name]}")
    return Result(row, counts[row.name] - (counts[row.minus] if row.minus else 0))


# ---- Output -------------------------------------------------------------------------------------


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f}" if value < 100 and value != int(value) else f"{value:,.0f}"


def ratio(peer: float | None, own: float | None) -> str:
    return f"{peer / own:.2f}" if peer and own else "-"


def table(results: list[Result], linux: Comparison | None) -> list[str]:
    """The last two columns, Linux of this run and its ratio, are there only if it ran."""
    heads = f"{'linux':>12} {'ratio':>7}" if linux else ""
    lines = [f"{'operation':48} {'instructions':>12} {'budget':>10} {'peer':>10} {'ratio':>7} {heads}".rstrip()]
    for each in results:
        row, own = each.row, each.instructions
        line = f"{row.operation:48} {number(own):>12} {number(row.budget):>10} "
        line += f"{number(row.peer):>10} {ratio(row.peer, own):>7} "
        if linux:
            figure = linux.peer_of(row.name)
            line += f"{number(figure):>12} {ratio(figure, own):>7} "
        lines.append(f"{line} {verdict(each)}")
    return lines + ([""] + linux.lines() if linux else [])


def verdict(each: Result) -> str:
    if each.instructions is None:
        return f"failed: {each.reason}"
    if each.met:
        return "ok"
    return f"missed by {each.instructions - each.row.budget:,.0f} ({each.instructions / each.row.budget - 1:.0%})"


def write_json(results: list[Result], linux: Comparison | None, path: Path) -> None:
    rows = [
        asdict(each.row) | {"instructions": each.instructions, "met": each.met, "reason": each.reason}
        for each in results
    ]
    whole = {"rows": rows} | ({"linux": linux.as_json()} if linux else {})
    path.write_text(json.dumps(whole, indent=2) + "\n")


def show_profile(row: Row, blocks: bool) -> int:
    run = machine.run(f"profile-{row.name}", [row.subject], row.smp, ",profile=on")
    if row.subject in run.failures:
        raise BenchError(f"{row.subject}: {run.failures[row.subject]}")
    region = run.regions[row.subject]
    lines = (account.by_block if blocks else account.by_function)(region.blocks, rounds_of(region, row))
    print("\n".join(lines))
    return 0


# ---- The command --------------------------------------------------------------------------------


def find_rows(names: list[str]) -> list[Row]:
    by_name = {row.name: row for row in ROWS}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise BenchError(f"no such row: {' '.join(unknown)} (rows: {' '.join(by_name)})")
    return [by_name[name] for name in names] if names else ROWS


def bench(rows: list[Row], vs_linux: bool) -> int:
    linux = Comparison.prepare() if vs_linux else None
    results = measure(rows)
    if linux:
        linux.measure()
    print("\n".join(table(results, linux)))
    write_json(results, linux, BUILD / "bench.json")
    progress(f"written: {BUILD / 'bench.json'}")
    if any(each.instructions is None for each in results):
        return BROKEN
    return 0 if all(each.met for each in results) else MISSED


def main() -> int:
    parser = argparse.ArgumentParser(prog="./nexus bench", description="count instructions against budgets")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--profile", action="store_true", help="account of one row by function")
    parser.add_argument("--blocks", action="store_true", help="account of one row by block of code")
    parser.add_argument("--vs-linux", action="store_true", help="count the same in Debian's Linux, live")
    parser.add_argument("rows", nargs="*", metavar="ROW")
    arguments = parser.parse_args()
    try:
        rows = find_rows(arguments.rows)
        if arguments.list:
            print("\n".join(f"{row.name:20} {row.operation}" for row in rows))
            return 0
        if arguments.profile or arguments.blocks:
            if len(arguments.rows) != 1:
                raise BenchError("name one row for its account")
            return show_profile(rows[0], arguments.blocks)
        return bench(rows, arguments.vs_linux)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return BROKEN


if __name__ == "__main__":
    sys.exit(main())
