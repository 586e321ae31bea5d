#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Symbol table of the kernel's functions, for its backtraces.

    kernel-symbols.py generate NM KERNEL OUTPUT.S    table of a linked kernel, as assembly
    kernel-symbols.py check NM FIRST SECOND STAMP    fails unless both links have the same functions
                                                     at the same addresses

The kernel is linked twice: first with an empty table, then with the table made from the first link.
The table is the last of the read-only data, so it moves no code; `check` proves it.
"""

import subprocess
import sys
from pathlib import Path

TEXT_TYPES = "tTwW"
BASE = "__text_start"
END = "__text_end"


def read_functions(nm: str, kernel: str) -> tuple[dict[str, int], int, int]:
    """Functions by name with their addresses, and the bounds of the text section."""
    listing = subprocess.run([nm, kernel], check=True, capture_output=True, text=True).stdout
    symbols: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) == 3:
            symbols[fields[2] + "@" + fields[0]] = (int(fields[0], 16), fields[1])
    bounds = {key.split("@")[0]: address for key, (address, _) in symbols.items()}
    base, end = bounds[BASE], bounds[END]
    functions = {
        key: address
        for key, (address, kind) in symbols.items()
        if kind in TEXT_TYPES
        and base <= address < end
        and not key.startswith((".", "$", BASE, "__kernel_start"))
    }
    return functions, base, end


def generate(nm: str, kernel: str, output: str) -> None:
    functions, base, _ = read_functions(nm, kernel)
    by_address: dict[int, str] = {}
    for key, address in sorted(functions.items()):
        by_address.setdefault(address, key.split("@")[0])
    entries = sorted(by_address.items())
    starts: dict[str, int] = {}
    size = 0
    for _, name in entries:
        if name not in starts:
            starts[name] = size
            size += len(name) + 1
    lines = [
        '\t.section .symbols, "a", @progbits',
        "\t.global symbol_count, symbol_offsets, symbol_name_starts, symbol_names",
        "\t.balign 4",
        f"symbol_count:\n\t.word {len(entries)}",
        "symbol_offsets:",
        *(f"\t.word {address - base:#x}" for address, _ in entries),
        "symbol_name_starts:",
        *(f"\t.word {starts[name]}" for _, name in entries),
        "symbol_names:",
        *(f'\t.asciz "{name}"' for name in starts),
    ]
    Path(output).write_text("\n".join(lines) + "\n", encoding="utf-8")


def check(nm: str, first: str, second: str, stamp: str) -> None:
    before, after = read_functions(nm, first), read_functions(nm, second)
    if before != after:
        moved = sorted(set(before[0].items()) ^ set(after[0].items()))
        names = ", ".join(key.split("@")[0] for key, _ in moved[:8])
        sys.exit(f"kernel-symbols: the second link moved code: {names or 'its bounds'}")
    Path(stamp).write_text(f"{len(before[0])} functions\n", encoding="utf-8")


def main(arguments: list[str]) -> None:
    match arguments:
        case ["generate", nm, kernel, output]:
            generate(nm, kernel, output)
        case ["check", nm, first, second, stamp]:
            check(nm, first, second, stamp)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
