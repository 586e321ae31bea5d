# SPDX-License-Identifier: Apache-2.0
"""The dm-verity hash tree over an image, as `veritysetup format` makes it: version 1, BLAKE2b."""

from __future__ import annotations

import hashlib
import struct

BLOCK_SIZE = 4096
HASH_NAME = b"blake2b-512"
DIGEST_SIZE = 64
DIGESTS_PER_BLOCK = BLOCK_SIZE // DIGEST_SIZE
UUID = bytes.fromhex("6e65787573004b708067667376723132")
# One input block of the hash function: readers compute its hash once and go on from there.
SALT_SIZE = 128
# A salt keeps tables made for others from being used here. It is no secret, and one for all images
# lets the same tree give the same bytes everywhere.
SALT = hashlib.shake_256(b"nexus package image").digest(SALT_SIZE)


def block_hash(block: bytes) -> bytes:
    return hashlib.blake2b(SALT + block).digest()


def level_above(blocks: bytes) -> bytes:
    """The digests of these blocks, filled up with zeros to whole blocks."""
    digests = b"".join(
        block_hash(blocks[at : at + BLOCK_SIZE]) for at in range(0, len(blocks), BLOCK_SIZE)
    )
    return digests + bytes(-len(digests) % BLOCK_SIZE)


def superblock(data_blocks: int) -> bytes:
    fields = struct.pack(
        "<8sII16s32sIIQH6x256s168x",
        b"verity",
        1,
        1,
        UUID,
        HASH_NAME,
        BLOCK_SIZE,
        BLOCK_SIZE,
        data_blocks,
        SALT_SIZE,
        SALT,
    )
    return fields.ljust(BLOCK_SIZE, b"\0")


def tree_make(data: bytes) -> tuple[bytes, bytes]:
    """The superblock and tree to append to `data`, which is whole blocks, and the root hash."""
    levels = [data]
    while len(levels[-1]) > BLOCK_SIZE:
        levels.append(level_above(levels[-1]))
    tree = superblock(len(data) // BLOCK_SIZE) + b"".join(reversed(levels[1:]))
    return tree, block_hash(levels[-1])
