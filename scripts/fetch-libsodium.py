#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fetch libsodium's source package from Debian into build/debian-source/libsodium, unless it is there.

It comes from the release that this machine runs, whether or not the machine's own apt has sources
enabled: apt works in a directory of its own. Where there is no Debian mirror, unpack the source by hand:
build/debian-source/libsodium/src/libsodium is all that the build looks at.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from private_apt import Apt, AptError, os_release

PLACE = Path(__file__).resolve().parent.parent / "build" / "debian-source"
SOURCE = PLACE / "libsodium"
PACKAGE = "libsodium"


def fetch() -> None:
    suite = os_release().get("VERSION_CODENAME")
    if not suite:
        raise AptError("this Debian does not say which release it is")
    download = PLACE / "download"
    partial = PLACE / "partial"
    shutil.rmtree(download, ignore_errors=True)
    shutil.rmtree(partial, ignore_errors=True)
    download.mkdir(parents=True)
    apt = Apt(PLACE / "apt", suite, None)
    apt.update()
    description = apt.download_source(PACKAGE, download)
    # apt has checked every file against Debian's signed index; no signature of a person is asked for.
    result = subprocess.run(
        ["dpkg-source", "--no-check", "--no-copy", "-q", "-x", str(description), str(partial)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise AptError(f"dpkg-source could not unpack {description.name}: {result.stderr.strip()}")
    partial.rename(SOURCE)
    shutil.rmtree(PLACE / "apt")
    shutil.rmtree(download)


def main() -> int:
    if (SOURCE / "src" / "libsodium").is_dir():
        return 0
    print("setup: fetching libsodium's source from Debian", file=sys.stderr)
    try:
        fetch()
    except (AptError, OSError) as error:
        print(f"setup: no source of libsodium: {error}", file=sys.stderr)
        print(f"setup: unpack it by hand to {SOURCE}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
