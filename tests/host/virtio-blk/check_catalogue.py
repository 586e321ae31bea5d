#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the catalogue of hostile devices that the tests have with the one in the documentation.

usage: check_catalogue.py PROGRAM DOCUMENT [--write]

PROGRAM --catalogue prints the table's rows; DOCUMENT holds them between two comments. --write puts
them there. The catalogue has at least LEAST_CASES rows, numbered in order, no device twice.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LEAST_CASES = 40
BEGIN = "<!-- catalogue: begin (written by tests/host/virtio-blk/check_catalogue.py --write) -->\n"
END = "<!-- catalogue: end -->\n"


def main() -> int:
    program, document = sys.argv[1], Path(sys.argv[2])
    rows = subprocess.run([program, "--catalogue"], capture_output=True, text=True, check=True).stdout
    text = document.read_text()
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    table = f"\n| # | When | What the device does | Transports | Outcome |\n|---|---|---|---|---|\n{rows}\n"
    if sys.argv[3:] == ["--write"]:
        document.write_text(before + BEGIN + table + END + after)
        return 0
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows.splitlines()]
    devices = [(row[1], row[2]) for row in cells]
    for wrong, what in (
        (len(cells) < LEAST_CASES, f"FAILED: {len(cells)} cases, fewer than {LEAST_CASES}"),
        ([row[0] for row in cells] != [str(n + 1) for n in range(len(cells))], "FAILED: the numbers are not in order"),
        (len(set(devices)) != len(devices), "FAILED: a device is there twice"),
        (any(not all(row) for row in cells), "FAILED: a row has an empty cell"),
        (written != table, f"FAILED: {document.name} is not what the tests say: run this with --write"),
    ):
        if wrong:
            print(what)
            return 1
    print(f"catalogue: cases={len(cells)} document={document.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
