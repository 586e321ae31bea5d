# SPDX-License-Identifier: Apache-2.0
"""The regression gate: instruction counts of key operations against those in record.json.

A count of one boot is exact and the same on every machine, so it is compared as it is; TOLERANCE lets a
small change pass, but never one over the row's budget. A change that costs more has to say so by changing
the record: ./nexus bench --record. One that costs less by as much is told of, so that it is recorded too.
"""

import json
from pathlib import Path

from rows import BY_NAME, Row

RECORD = Path(__file__).resolve().parent / "record.json"
TOLERANCE = 0.02
NAMES = (
    "null-call call-6 call-64-bytes call-handle yield signal map thread block-info block-read block-queue file".split()
)


def recorded_rows() -> list[Row]:
    return [BY_NAME[name] for name in NAMES]


def read() -> dict[str, float]:
    record: dict[str, float] = json.loads(RECORD.read_text())
    return record


def write(figures: dict[str, float]) -> None:
    RECORD.write_text(json.dumps(figures, indent=2) + "\n")


def shown(figure: float) -> str:
    """With the fraction that a count by operation may have: it decides close to a budget."""
    return f"{figure:,.2f}".rstrip("0").rstrip(".")


def worse(figures: dict[str, float | None]) -> list[str]:
    """What got worse than record or budget allow, one sentence each."""
    record = read()
    reasons = []
    for name in NAMES:
        figure, before, budget = figures.get(name), record[name], BY_NAME[name].budget
        if figure is None:
            reasons.append(f"{name}: not counted")
        elif figure > budget:
            reasons.append(
                f"{name}: {shown(figure)} instructions, budget {shown(budget)} (+{figure / budget - 1:.1%}), recorded "
                f"{shown(before)}: make it as cheap as it was; no record allows more than tests/bench/rows.py"
            )
        elif figure > before * (1 + TOLERANCE):
            reasons.append(
                f"{name}: {shown(figure)} instructions, recorded {shown(before)} (+{figure / before - 1:.1%}): make it "
                "as cheap as it was, or say that it costs more with ./nexus bench --record"
            )
    return reasons


def better(figures: dict[str, float | None]) -> list[str]:
    """What got better by more than TOLERANCE, one sentence each: no failure, but not kept yet."""
    record = read()
    notes = []
    for name in NAMES:
        figure, before = figures.get(name), record[name]
        if figure is not None and figure < before * (1 - TOLERANCE):
            notes.append(
                f"{name}: {shown(figure)} instructions, recorded {shown(before)}, better than recorded by "
                f"{1 - figure / before:.1%}: ./nexus bench --record keeps it"
            )
    return notes
