#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`./nexus mutants [PART...]`: breaks sources on purpose and sees whether the host tests notice.

Runs the mutants.py of each part, one after the other, with a line for each mutant (tests/host/mutation.py).
The last line is `N noticed, N missed`. Exit status: 0 when none was missed; 1 otherwise; 2 when there is no
such part.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS))

from mutation import summarise, try_all  # noqa: E402  (after the path)

# And about how many minutes each takes.
PARTS = {"nexus-init": 2, "virtio-blk": 10}


def load(part: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mutants of {part}", TESTS / part / "mutants.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> int:
    parts = sys.argv[1:] or list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        print(f"mutants: no such part: {' '.join(unknown)} (parts: {' '.join(PARTS)})", file=sys.stderr)
        return 2
    count = missed = 0
    for part in parts:
        module = load(part)
        print(f"mutants: {part}, {len(module.MUTANTS)} mutants, about {PARTS[part]} minutes", flush=True)
        missed += try_all(module.SUITE, module.MUTANTS)
        count += len(module.MUTANTS)
    return summarise(count, missed)


if __name__ == "__main__":
    sys.exit(main())
