# SPDX-License-Identifier: Apache-2.0
"""The regression gate: instruction counts of key operations against those in record.json.

A count is exact and the same on every machine, so it is compared as it is; TOLERANCE lets a small change
pass. A change that costs more has to say so by changing the record: ./nexus bench --record.
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


def write(figures: dict[str, float]) -> None:
    RECORD.write_text(json.dumps(figures, indent=2) + "\n")


def worse(figures: dict[str, float | None]) -> list[str]:
    """What got worse than the record allows, one sentence each."""
    record: dict[str, float] = json.loads(RECORD.read_text())
    reasons = []
    for name in NAMES:
        figure, before = figures.get(name), record[name]
        if figure is None:
            reasons.append(f"{name}: not counted")
        elif figure > before * (1 + TOLERANCE):
            reasons.append(
                f"{name}: {figure:,.0f} instructions, recorded {before:,.0f} (+{figure / before - 1:.1%}): make it as "
                "cheap as it was, or say that it costs more with ./nexus bench --record"
            )
    return reasons
