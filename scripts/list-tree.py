#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Write the sorted list of a tree's files with their SHA-256, and leave the list alone when it is unchanged.

A build that depends on the list then runs exactly when the tree's names or contents change.
"""

import hashlib
import sys
from pathlib import Path


def describe(tree: Path) -> str:
    lines: list[str] = []
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree).as_posix()
        if path.is_symlink():
            lines.append(f"link {name} -> {path.readlink()}")
        elif path.is_file():
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()} {name}")
        else:
            lines.append(f"directory {name}")
    return "\n".join(lines) + "\n"


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: list-tree.py TREE OUTPUT", file=sys.stderr)
        return 2
    text = describe(Path(sys.argv[1]))
    output = Path(sys.argv[2])
    if not output.exists() or output.read_text() != text:
        output.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
