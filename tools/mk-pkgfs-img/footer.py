# SPDX-License-Identifier: Apache-2.0
"""The footer of a package image: a header that says all about it, and its signature by minisign.

source/libs/verity/footer_format.h is the same in C, docs/storage/package_fs.md the same in words.
"""

from __future__ import annotations

import base64
import struct
import subprocess
import tempfile
from pathlib import Path

from hash_tree import BLOCK_SIZE, DIGEST_SIZE, HASH_NAME, SALT, SALT_SIZE, UUID

MAGIC = b"NXPKGFTR"
FOOTER_VERSION = 1
HEADER_SIZE = 512
HEADER = "<8sIIQQQQQII32s16s8sII128s64s192x"
# Fixed, or the image would depend on when and where it was signed.
UNTRUSTED_COMMENT = "nexus package image"
TRUSTED_COMMENT = "nexus package image header"
PUBLIC_KEY_ID = slice(2, 10)


class SignError(Exception):
    """minisign refuses, or is not there; the text says why."""


def minisign(*arguments: str) -> None:
    try:
        result = subprocess.run(
            ["minisign", *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        raise SignError("'minisign' not found: install minisign") from None
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip()
        raise SignError(f"minisign {arguments[0]} failed (a key with a password? see minisign -C -W): {said}")


def public_key(secret: Path) -> str:
    """The public key of a secret key file, in minisign's base64."""
    if not secret.is_file():
        raise SignError(f"no key file '{secret}'")
    with tempfile.TemporaryDirectory(prefix="mk-pkgfs-img-") as scratch:
        output = Path(scratch) / "public"
        minisign("-R", "-s", str(secret), "-p", str(output))
        return output.read_text().splitlines()[1].strip()


def header_make(version: int, data_size: int, tree_size: int, root: bytes, key_id: bytes) -> bytes:
    return struct.pack(
        HEADER,
        MAGIC,
        FOOTER_VERSION,
        HEADER_SIZE,
        version,
        data_size,
        data_size,
        tree_size,
        data_size + tree_size + BLOCK_SIZE,
        BLOCK_SIZE,
        BLOCK_SIZE,
        HASH_NAME,
        UUID,
        key_id,
        SALT_SIZE,
        DIGEST_SIZE,
        SALT,
        root,
    )


def sign(header: bytes, secret: Path) -> bytes:
    """minisign's signature file for the header."""
    with tempfile.TemporaryDirectory(prefix="mk-pkgfs-img-") as scratch:
        message, signature = Path(scratch) / "header", Path(scratch) / "signature"
        message.write_bytes(header)
        comments = ("-c", UNTRUSTED_COMMENT, "-t", TRUSTED_COMMENT)
        minisign("-S", "-s", str(secret), "-m", str(message), "-x", str(signature), *comments)
        return signature.read_bytes()


def footer_make(version: int, data_size: int, tree_size: int, root: bytes, secret: Path) -> bytes:
    key_id = base64.b64decode(public_key(secret))[PUBLIC_KEY_ID]
    header = header_make(version, data_size, tree_size, root, key_id)
    return (header + sign(header, secret)).ljust(BLOCK_SIZE, b"\0")
