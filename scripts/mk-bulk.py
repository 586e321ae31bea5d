#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mk-bulk: writes files of pseudo-random bytes, each as long as the number at the end of its name says.

    mk-bulk.py DIRECTORY/bulk-4096 ...
"""

import random
import sys
from pathlib import Path


def main() -> None:
    for name in sys.argv[1:]:
        size = int(name.rpartition("-")[2])
        Path(name).write_bytes(random.Random(size).randbytes(size))


if __name__ == "__main__":
    main()
