# SPDX-License-Identifier: Apache-2.0
"""Package images that are not what they should be: each is refused with its reason, or its bad blocks
are errors while everything else is served right. Never the fixtures instead, never a wrong byte."""

import os
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mutants
from console import Session
from mutants import Tree
from qemu_boot import BUILD, ROOT, Boot, Outcome

if TYPE_CHECKING:
    from profiles import Profile

IMAGE = BUILD / "pkgfs.img"
MAKER = ROOT / "tools" / "mk-pkgfs-img" / "mk-pkgfs-img.py"
BLOCK = 4096
SECTOR = 512
HEADER_BYTES = 512
DATA_SIZE_AT = 24
EROFS_SUPERBLOCK = 1024
LARGE_FILE = "fixtures/large.bin"
DIRECTORY = "docs"
INODE_SLOT = 32  # an inode's number counts these, and the smaller kind has this size
INODE_SIZE_AT = 8
MISMATCH = "hash mismatch"
SETTLED = re.compile(rb"^(pkgfs: mounted|init: service packages down).*$", re.MULTILINE)
REFUSAL = re.compile(rb"^pkgfs: refused reason=(\w+) detail=(\S+) ", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """A damaged image and the reason with which it must be refused."""

    name: str
    make: Callable[[bytes], bytes]
    reason: str


def data_size(image: bytes) -> int:
    size: int = struct.unpack_from("<Q", image, len(image) - BLOCK + DATA_SIZE_AT)[0]
    return size


def flip(image: bytes, at: int) -> bytes:
    damaged = bytearray(image)
    damaged[at] ^= 0x01
    return bytes(damaged)


def without_signature(image: bytes) -> bytes:
    return image[: len(image) - BLOCK + HEADER_BYTES] + bytes(BLOCK - HEADER_BYTES)


def signed_again(secret: Path, version: int) -> bytes:
    """A small image by this key and of this version, made as the build makes its own."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "image"
        tree = ("--tree", str(ROOT / "pkg"), "--fixtures")
        seal = ("--sign", str(secret), "--image-version", str(version))
        subprocess.run([sys.executable, str(MAKER), *tree, *seal, "--output", str(output)], check=True)
        return output.read_bytes()


def strangers_image(_: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        secret = Path(scratch) / "secret"
        command = ["minisign", "-G", "-W", "-p", f"{secret}.pub", "-s", str(secret)]
        subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        return signed_again(secret, 1)


def old_image(_: bytes) -> bytes:
    return signed_again(Path((BUILD / "package-trust.key").read_text().strip()), 0)


REFUSED = [
    Case("unsigned", lambda image: image[: data_size(image)], "signature"),
    Case("signature-removed", without_signature, "signature"),
    Case("wrong-key", strangers_image, "signature"),
    Case("rolled-back", old_image, "version"),
    Case("flipped-header", lambda image: flip(image, len(image) - BLOCK + 300), "signature"),
    Case("flipped-signature", lambda image: flip(image, len(image) - BLOCK + HEADER_BYTES + 80), "signature"),
    Case("flipped-magic", lambda image: flip(image, len(image) - BLOCK), "format"),
    Case("flipped-tree-superblock", lambda image: flip(image, data_size(image) + 8), "format"),
    Case("flipped-tree-root", lambda image: flip(image, data_size(image) + BLOCK), "hash"),
    Case("flipped-metadata", lambda image: flip(image, EROFS_SUPERBLOCK + 40), "hash"),
    Case("no-image", lambda image: bytes(range(256)) * 64, "format"),
]


def truncations(image: bytes) -> Iterator[Case]:
    """Ten places: in each part of the image, on and off block borders."""
    data, whole = data_size(image), len(image)
    for size in (
        SECTOR,
        BLOCK,
        2 * BLOCK,
        data // 2 // BLOCK * BLOCK + SECTOR,
        data - BLOCK,
        data + SECTOR,
        data + BLOCK,
        whole - 2 * BLOCK,
        whole - BLOCK,
        whole - SECTOR,
    ):
        yield Case(f"truncated-{size}", lambda image, size=size: image[:size], "truncated")


def judge_refusal(case: Case, log: Path, timeout: float) -> list[str]:
    disk = log.with_suffix(".img")
    disk.write_bytes(case.make(IMAGE.read_bytes()))
    path = log.with_suffix(f".{case.name}.log")
    with Boot(path, {"SMP": "1", "APPEND": "", "DISK": str(disk)}) as machine:
        outcome = machine.wait(timeout, SETTLED)
    disk.unlink()
    return [f"{reason} ({path.name})" for reason in not_refused(case, outcome)]


def not_refused(case: Case, outcome: Outcome) -> list[str]:
    """Why the boot does not show that the image was refused, once and for the case's reason."""
    found = [reason.decode() for reason, _ in REFUSAL.findall(outcome.log)]
    reasons = []
    if found != [case.reason]:
        reasons.append(f"{case.name}: refused with {found}, expected {case.reason}")
    return reasons + mounted_or_endless(case.name, outcome)


def mounted_or_endless(name: str, outcome: Outcome) -> list[str]:
    if b"pkgfs: mounted" in outcome.log or outcome.end != "reached":
        return [f"{name}: mounted, or no end"]
    return []


def refused(profile: "Profile", log: Path) -> list[str]:
    return [reason for case in REFUSED for reason in judge_refusal(case, log, profile.timeout)]


def truncated(profile: "Profile", log: Path) -> list[str]:
    cases = truncations(IMAGE.read_bytes())
    return [reason for case in cases for reason in judge_refusal(case, log, profile.timeout)]


# ---- A bad image on a disk that cannot be used ---------------------------------------------------

DISK_NODE = "/soc/virtio_mmio@10001000"
UARTS_INTERRUPT = 10
DISK_UNUSABLE = b"init: service block down reason=its device cannot be used"


@dataclass(frozen=True)
class TreeCase:
    """A device tree that is wrong about the disk, and what nexus-init says about it."""

    name: str
    edit: Tree
    said: bytes


WRONG_TREES = [
    TreeCase(
        "uarts-interrupt",
        Tree(("-t", "i"), (DISK_NODE, "interrupts", str(UARTS_INTERRUPT))),
        b"init: block device without interrupt mmio=0x10001000 irq=10",
    ),
    TreeCase(
        "no-interrupt",
        Tree(("-d",), (DISK_NODE, "interrupts")),
        b"init: virtio device cannot be used node=virtio_mmio@10001000 reason=",
    ),
    TreeCase(
        "window-between-pages",
        Tree(("-t", "x"), (DISK_NODE, "reg", "0", "10001800", "0", "1000")),
        b"init: virtio device cannot be used node=virtio_mmio@10001000 reason=",
    ),
]


def judge_wrong_tree(case: TreeCase, log: Path, timeout: float) -> list[str]:
    disk = log.with_suffix(".img")
    image = IMAGE.read_bytes()
    disk.write_bytes(image[: data_size(image)])  # unsigned
    path = log.with_suffix(f".{case.name}.log")
    options = {"SMP": "1", "APPEND": "", "DISK": str(disk)}
    options |= mutants.make((case.edit,), path, BUILD / "virt-nexus-smp1.dtb")
    with Boot(path, options) as machine:
        outcome = machine.wait(timeout, SETTLED)
    disk.unlink()
    return [f"{reason} ({path.name})" for reason in not_down(case, outcome)]


def not_down(case: TreeCase, outcome: Outcome) -> list[str]:
    """Why the boot does not show that disk and packages were given up, and why."""
    reasons = [
        f"{case.name}: missing: {text.decode()}"
        for text in (case.said, DISK_UNUSABLE, b"init: service packages down")
        if outcome.log.count(text) != 1
    ]
    return reasons + mounted_or_endless(case.name, outcome)


def unreachable(profile: "Profile", log: Path) -> list[str]:
    """A disk that the device tree is wrong about, with a bad image: the fixtures do not take its place."""
    return [reason for case in WRONG_TREES for reason in judge_wrong_tree(case, log, profile.timeout)]


# ---- Mounted, with blocks that are wrong ---------------------------------------------------------


def flipped_data(image: bytes) -> bytes:
    """In the middle of the large file, whose bytes begin somewhere on a block border."""
    content = large_content()
    return flip(image, image.index(content[:BLOCK]) + len(content) // 2)


def large_content() -> bytes:
    state, content = 1, bytearray()
    for _ in range(BLOCK * 76):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        content.append(state >> 24)
    return bytes(content)


def flipped_tree(image: bytes) -> bytes:
    """In the tree's lowest level, the block above the 65th to 128th block of data."""
    return flip(image, data_size(image) + 3 * BLOCK + 40)


def inode_at(path: str) -> int:
    """Where the inode lies: in a block that the mount does not read, else a flip there proves nothing here."""
    command = ["dump.erofs", f"--path=/{path}", str(IMAGE)]
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    match = re.search(r"^NID: (\d+)", said, re.MULTILINE)
    if match is None:
        raise ValueError(f"{path}: no inode: {said!r}")
    at = int(match[1]) * INODE_SLOT
    if at < BLOCK:
        raise ValueError(f"{path}: its inode is beside the superblock's; name another file")
    return at


def flipped_inode(image: bytes) -> bytes:
    """In the inode of the large file, which only who asks for that file looks at, or for its neighbours."""
    return flip(image, inode_at(LARGE_FILE) + INODE_SIZE_AT)


def flipped_directory(image: bytes) -> bytes:
    """In the entries of a directory, which lie behind its inode."""
    return flip(image, inode_at(DIRECTORY) + INODE_SLOT)


@dataclass(frozen=True)
class Damage:
    """A flip that does not keep the image from being mounted, and what it must spoil, or leave alone, at least."""

    make: Callable[[bytes], bytes]
    bad: str
    good: str


SERVED = [
    Damage(flipped_data, f"sum pkg://{LARGE_FILE}", "sum pkg://etc/motd"),
    Damage(flipped_tree, f"sum pkg://{LARGE_FILE}", "sum pkg://etc/motd"),
    Damage(flipped_inode, f"sum pkg://{LARGE_FILE}", "ls pkg://etc"),
    Damage(flipped_directory, f"ls pkg://{DIRECTORY}", f"sum pkg://{LARGE_FILE}"),
]


def judge_served(damage: Damage, profile: "Profile", log: Path) -> list[str]:
    name = damage.make.__name__
    disk = log.with_suffix(f".{name}.img")
    disk.write_bytes(damage.make(IMAGE.read_bytes()))
    lines = (BUILD / "pkgfs.img.sums").read_text().splitlines()
    sums = {f"pkg://{path}": digest for digest, path in (line.split("  ", 1) for line in lines)}
    options = {"SMP": "2", "APPEND": "", "DISK": str(disk)}
    with Session(log.with_suffix(f".{name}.log"), options, profile.timeout) as session:
        answers = {path: session.command(f"sum {path}") for path in sums}
        bad, good = session.command(damage.bad), session.command(damage.good)
        report = session.command("pkg info")
    disk.unlink()
    return badly_served(damage, sums, answers, (bad, good), report)


def badly_served(
    damage: Damage, sums: dict[str, str], answers: dict[str, str], named: tuple[str, str], report: str
) -> list[str]:
    """Why the answers to `sum` of each file are not: right, or a hash mismatch, and both occur.

    `named` are the answers to what the damage must spoil, and to what it must leave alone.
    """
    name = damage.make.__name__
    bad, good = named
    reasons = []
    right = {path for path, answer in answers.items() if sums[path] in answer}
    failed = {path for path, answer in answers.items() if MISMATCH in answer}
    for path, answer in answers.items():
        if (path in right) == (path in failed) or set(re.findall(r"[0-9a-f]{64}", answer)) - {sums[path]}:
            reasons.append(f"{name}: sum {path}: {answer!r}")
    if MISMATCH not in bad or MISMATCH in good or not failed or not right:
        reasons.append(f"{name}: {damage.bad}: {bad!r}; {damage.good}: {good!r}; failed are {sorted(failed)}")
    wrong = re.search(r"verified=[1-9]\d* wrong=(\d+)", report)
    if wrong is None or int(wrong[1]) < len(failed):
        reasons.append(f"{name}: nx pkg info counts too few wrong blocks: {report!r}")
    return reasons


def served(profile: "Profile", log: Path) -> list[str]:
    return [reason for damage in SERVED for reason in judge_served(damage, profile, log)]
