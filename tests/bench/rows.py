# SPDX-License-Identifier: Apache-2.0
"""The rows of the benchmark's table: what is counted, its budget, and the best peer's figure.

Peers' figures were counted in the same way, on the same QEMU; docs/performance.md says how.
"""

from dataclasses import dataclass

from meter import EVERYTHING, KERNEL, USER


@dataclass(frozen=True)
class Row:
    """`subject` is the one of source/apps/bench; `parts` are what counts of it, on all harts.

    One sample holds `operations` operations. The result is the median sample, less the empty loop.
    """

    name: str
    operation: str
    subject: str
    budget: int
    peer: int | None = None
    peer_name: str = ""
    parts: tuple[int, ...] = EVERYTHING
    operations: int = 1
    smp: int = 1
    minus: str = ""  # the row whose result is subtracted


PAGES_OF_BATCH = 4096
READS_OF_LAP = 32
WITHOUT_FIRMWARE = (KERNEL, USER)

ROWS = [
    Row("null-call", "null system call", "null-call", 50, 123, "seL4"),
    Row("call-0", "call + reply, no payload", "call-0", 300, 538, "seL4"),
    Row("call-6", "call + reply, 6 words in registers", "call-6", 300, 1886, "seL4"),
    Row("call-64-bytes", "call + reply, 64 bytes in the message page", "call-64-bytes", 500, 1886, "seL4"),
    Row("call-handle", "call + reply passing one handle", "call-handle", 700),
    Row("call-fpu", "what the FPU adds to call + reply", "call-fpu", 100, 170, "seL4", minus="call-0"),
    Row("yield", "yield between two processes, per switch", "yield", 240, 241, "LK, one space", operations=2),
    Row("signal", "signal until the waiter of another process runs", "signal", 300, 611, "seL4"),
    Row("map", "map and touch one fresh page, of 16 MiB", "map", 1000, 1853, "seL4", operations=PAGES_OF_BATCH),
    Row("block-read", "read of 4 KiB from disk", "block-read", 2500, 10785, "Linux lean"),
    Row("block-read-large", "read of 128 KiB from disk", "block-read-large", 3500, 35973, "Linux lean"),
    Row(
        "block-queue", "queued read of 4 KiB, 32 in flight", "block-queue", 700, 4748, "Linux lean",
        operations=READS_OF_LAP,
    ),
]
