#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run QEMU test profiles on what is built: scripts/qemu-test.sh PROFILE...
# The expected markers are in tests/markers/, the profiles in tests/qemu/profiles.py.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
if [ $# -eq 0 ]; then
    echo "usage: scripts/qemu-test.sh PROFILE...   (an unknown name lists the profiles)" >&2
    exit 2
fi
python=/usr/bin/python3
[ -x "$python" ] || python=python3
exec "$python" "$root/tests/qemu/run.py" "$@"
