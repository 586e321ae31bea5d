#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write fixture_table.h: path, size and SHA-256 of every file under TREE/fixtures, and its entries.

usage: mk-fixture-table.py TREE OUTPUT
"""

import hashlib
import sys
from pathlib import Path

DIRECTORY = "fixtures"
HEADER = """\
// SPDX-License-Identifier: Apache-2.0
// The files of pkg://fixtures as they were at build time; written by mk-fixture-table.py.
#ifndef SELFTEST_FIXTURE_TABLE_H
#define SELFTEST_FIXTURE_TABLE_H
"""


def main() -> int:
    tree, output = Path(sys.argv[1]), Path(sys.argv[2])
    lines = [HEADER, "static const struct fixture_file fixture_files[] = {"]
    for path in sorted((tree / DIRECTORY).rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        lines.append(f'    {{"{path.relative_to(tree).as_posix()}", {len(content)}, "{digest}"}},')
    lines += ["};", "", "static const char *const fixture_names[] = {"]
    lines += [f'    "{path.name}",' for path in sorted((tree / DIRECTORY).iterdir())]
    lines += ["};", "", "#endif", ""]
    text = "\n".join(lines)
    if not output.exists() or output.read_text() != text:  # else nothing is compiled again
        output.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
