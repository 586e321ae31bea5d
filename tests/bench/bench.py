#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus bench [ROW...]`: count the instructions of each operation and hold them against its budget.

    ./nexus bench                  the whole table; build/bench.json and build/bench.svg
    ./nexus bench ROW...           only these rows (--list names them); build/bench-rows.json and .svg
    ./nexus bench --vs-linux       also boot Debian's Linux and count the same operations in it
    ./nexus bench --vs-linux --lean    a lean Linux in its place, built once from Debian's source
    ./nexus bench --profile ROW    where the instructions of one operation go, by function
    ./nexus bench --record         count the key operations and make that the record of ./nexus test
    ./nexus bench --blocks ROW     the same by block of code, with its source lines

Exit status: 0 when each budget is met, 1 when one is missed, 2 when a row could not be counted.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import account  # noqa: E402  (after the path)
import chart  # noqa: E402
import machine  # noqa: E402
import origin  # noqa: E402
import record  # noqa: E402
from linux.peer import Comparison  # noqa: E402
from machine import BenchError, Run, progress  # noqa: E402
from qemu_boot import BUILD  # noqa: E402
from rows import BY_NAME, EMPTY, ROWS, UNIT, Row  # noqa: E402

MISSED, BROKEN = 1, 2


@dataclass
class Result:
    row: Row
    figure: float | None  # None: `reason` says why
    reason: str = ""
    allowed: float | None = None  # by the host

    @property
    def judged(self) -> bool:
        """Whether the host lets the budget be met at all."""
        return self.allowed is None or self.allowed >= self.row.budget

    @property
    def met(self) -> bool:
        if self.figure is None:
            return False
        return self.figure >= self.row.budget if self.row.at_least else self.figure <= self.row.budget


def disk_options(row: Row) -> dict[str, str]:
    return {"DISK": str(row.disk())} if row.disk is not None else {}


def boot_for(rows: list[Row], smp: int, icount: bool) -> Run:
    subjects = [EMPTY] if icount else []
    for row in sorted(rows, key=lambda row: row.late):
        subjects += [name for name in (row.needs, row.subject) if name and name not in subjects]
    about = f"smp{smp}{'' if icount else '-wall-clock'}{'-own-disk' if rows[0].disk is not None else ''}"
    return machine.run(about, subjects, smp, icount, options=disk_options(rows[0]))


def judge_row(row: Row, run: Run | None) -> Result:
    """`run` is None for a row that has its own check."""
    try:
        if run is None:
            assert row.check is not None
            return Result(row, row.check())
        for subject in (row.needs, row.subject):
            if subject in run.failures:
                return Result(row, None, f"{subject}: {run.failures[subject]}")
        allowed = row.allowed(run, row) if row.allowed is not None else None
        return Result(row, row.count(run, row), allowed=allowed)
    except (BenchError, ValueError, KeyError) as error:
        return Result(row, None, str(error))


def measure(rows: list[Row]) -> list[Result]:
    """Boot each machine that the rows ask for once; the results are in the rows' order."""
    results: dict[str, Result] = {}
    counted = [row for row in rows if row.check is None]
    for smp, icount, disk in dict.fromkeys((row.smp, row.icount, row.disk) for row in counted):
        chosen = [row for row in counted if (row.smp, row.icount, row.disk) == (smp, icount, disk)]
        run = boot_for(chosen, smp, icount)
        results |= {row.name: judge_row(row, run) for row in chosen}
    results |= {row.name: judge_row(row, None) for row in rows if row.check is not None}
    return [results[row.name] for row in rows]


# ---- Output -------------------------------------------------------------------------------------


def number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if value < 10 and value != int(value) else f"{value:,.0f}"


def ratio(peer: float | None, own: float | None) -> str:
    return f"{peer / own:.2f}" if peer and own else "-"


def table(results: list[Result], linux: Comparison | None = None) -> list[str]:
    """The last two columns, Linux of this run and its ratio, are there only if it ran."""
    heads = f"{'linux':>12} {'ratio':>7}" if linux else ""
    lines = [f"{'operation':52} {'instructions':>12} {'budget':>10} {'peer':>11} {'ratio':>7} {heads}".rstrip()]
    for each in results:
        row, own = each.row, each.figure
        unit = "" if row.unit == UNIT else f", {row.unit}"
        line = f"{row.operation + unit:52} {number(own):>12} {number(row.budget):>10} "
        line += f"{number(row.peer):>11} {ratio(row.peer, own):>7} "
        if linux:
            figure = linux.peer_of(row.name)
            line += f"{number(figure):>12} {ratio(figure, own):>7} "
        lines.append(f"{line} {verdict(each)}")
    return lines + ([""] + linux.lines() if linux else [])


def verdict(each: Result) -> str:
    budget = each.row.budget
    if each.figure is None:
        return f"failed: {each.reason}"
    host = f"; the host allowed {number(each.allowed)}" if each.allowed is not None else ""
    if each.met:
        return f"ok{host}"
    if not each.judged:
        return f"not judged{host}"
    share = f" ({abs(each.figure / budget - 1):.0%})" if budget else ""
    return f"missed by {number(abs(each.figure - budget))}{share}{host}"


def write_json(results: list[Result], linux: Comparison | None, path: Path, measured: dict[str, str]) -> None:
    rows = [
        {name: getattr(each.row, name) for name in ("name", "operation", "unit", "budget", "peer", "peer_name")}
        | {"figure": each.figure, "met": each.met, "reason": each.reason, "allowed": each.allowed}
        for each in results
    ]
    whole = {"measured": measured, "rows": rows} | ({"linux": linux.as_json()} if linux else {})
    path.write_text(json.dumps(whole, indent=2) + "\n")


def write_chart(results: list[Result], linux: Comparison | None, path: Path) -> None:
    bars = [
        chart.Bars(
            each.row.operation, each.figure, each.row.budget, each.row.peer, each.row.peer_name,
            linux.peer_of(each.row.name) if linux else None, each.met,
        )
        for each in results
        if each.row.unit == UNIT
    ]  # fmt: skip
    if bars:
        path.write_text(chart.Chart(bars).draw())


def show_profile(row: Row, blocks: bool) -> int:
    if not row.icount or row.check is not None:
        raise BenchError(f"{row.name} is not counted in instructions, so there is no account of it")
    run = machine.run(
        f"profile-{row.name}", [row.subject], row.smp, meter_options=",profile=on", options=disk_options(row)
    )
    if row.subject in run.failures:
        raise BenchError(f"{row.subject}: {run.failures[row.subject]}")
    region = run.regions[row.subject]
    lines = (account.by_block if blocks else account.by_function)(region.blocks, len(region.samples()))
    print("\n".join(lines))
    return 0


# ---- The command --------------------------------------------------------------------------------


def find_rows(names: list[str]) -> list[Row]:
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise BenchError(f"no such row: {' '.join(unknown)} (rows: {' '.join(BY_NAME)})")
    return [BY_NAME[name] for name in names] if names else ROWS


def bench(rows: list[Row], vs_linux: bool, is_lean: bool) -> int:
    measured = origin.as_json()  # before: the tree may change while its build is measured
    linux = Comparison.prepare(is_lean) if vs_linux else None
    results = measure(rows)
    if linux:
        linux.measure()
    print("\n".join(table(results, linux)))
    # A look at some rows leaves the last whole table alone.
    stem = "bench" if rows is ROWS else "bench-rows"
    write_json(results, linux, BUILD / f"{stem}.json", measured)
    write_chart(results, linux, BUILD / f"{stem}.svg")
    progress(f"written: {BUILD / stem}.json and {stem}.svg")
    if any(each.figure is None for each in results):
        return BROKEN
    if linux and linux.no_rates:
        return BROKEN
    missed = any(each.judged and not each.met for each in results) or bool(linux and not linux.rates_met)
    return MISSED if missed else 0


def write_record() -> int:
    results = measure(record.recorded_rows())
    print("\n".join(table(results)))
    figures = {each.row.name: each.figure for each in results if each.figure is not None}
    if len(figures) != len(results):
        return BROKEN
    record.write(figures)
    progress(f"written: {record.RECORD}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="./nexus bench", description="count instructions against budgets")
    parser.add_argument("--list", action="store_true", help="name the rows")
    parser.add_argument("--profile", action="store_true", help="account of one row by function")
    parser.add_argument("--blocks", action="store_true", help="account of one row by block of code")
    parser.add_argument("--vs-linux", action="store_true", help="count the same in Debian's Linux, live")
    parser.add_argument("--lean", action="store_true", help="with --vs-linux: a lean Linux, built from source")
    parser.add_argument("--record", action="store_true", help="write tests/bench/record.json")
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
        if arguments.record:
            return write_record()
        if arguments.lean and not arguments.vs_linux:
            raise BenchError("--lean says which Linux --vs-linux is about")
        return bench(rows, arguments.vs_linux, arguments.lean)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return BROKEN


if __name__ == "__main__":
    sys.exit(main())
