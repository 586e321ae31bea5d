#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mk-package-trust: writes the boot archive's `package-trust`, which names the key that signs package
images and the oldest version that is accepted.

The key is that of the file that NEXUS_SIGN_KEY names, else the development key. The output is written
only when it changes, so that a build that runs this each time rebuilds nothing without need; beside
it OUTPUT.key names the secret key file, for mk-pkgfs-img --sign-with.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from footer import SignError, public_key

DEVELOPMENT_KEY = Path(__file__).resolve().parent / "development-key" / "minisign.key"


def update(target: Path, content: str) -> None:
    if not target.is_file() or target.read_text() != content:
        target.write_text(content)


def main() -> int:
    parser = argparse.ArgumentParser(prog="mk-package-trust")
    parser.add_argument("--minimum-version", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    chosen = os.environ.get("NEXUS_SIGN_KEY", "")
    secret = Path(chosen).resolve() if chosen else DEVELOPMENT_KEY
    try:
        key = public_key(secret)
    except (SignError, OSError) as error:
        print(f"mk-package-trust: {error}", file=sys.stderr)
        return 1
    about = "# DEVELOPMENT KEY: everybody can sign with it\n" if secret == DEVELOPMENT_KEY else ""
    update(
        arguments.output,
        f"# Whose package images packagefsd accepts, and from which version on.\n{about}"
        f"minimum-image-version {arguments.minimum_version}\nkey {key}\n",
    )
    update(Path(f"{arguments.output}.key"), f"{secret}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
