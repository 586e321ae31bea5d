#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks each check of the virtio-blk library in turn and says which tests notice: tests/host/mutation.py.

usage: mutants.py [NAME...]     all mutants, or those whose name contains a word

A mutant that no test notices fails the run. Takes about ten minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS.parent))

from mutation import ROOT, Mutant, Suite, run  # noqa: E402  (after the path)

LIBRARY = ROOT / "source/drivers/storage/virtio-blk"
SUITE = Suite(
    folder=LIBRARY,
    sources=tuple(sorted(LIBRARY.glob("*.c"))),
    place="storage/virtio-blk",
    seen_from="",
    includes=(TESTS / "fake", ROOT / "source/abi", ROOT / "source/libs", TESTS.parent, TESTS),
    common=tuple(path for path in sorted(TESTS.glob("*.c")) if path.name != "test_virtio_blk.c"),
    mains=(TESTS / "test_virtio_blk.c",),
)

START, BLK, REQUEST, PARTS, INTERRUPT, QUEUE = (
    "virtio_blk_start.c",
    "virtio_blk.c",
    "virtio_blk_request.c",
    "virtio_blk_parts.c",
    "virtio_blk_interrupt.c",
    "virtqueue.h",
)

MUTANTS = [
    # What the device is.
    Mutant("magic is not looked at", START, "register_read(device, VIRTIO_MMIO_MAGIC_VALUE) != VIRTIO_MMIO_MAGIC", "0"),
    Mutant(
        "any version will do",
        START,
        "    if (device->transport_version != VIRTIO_MMIO_VERSION_LEGACY &&",
        "    if (0 && device->transport_version != VIRTIO_MMIO_VERSION_LEGACY &&",
    ),
    Mutant("an empty slot is a device", START, "    if (id == 0) {", "    if (0) {"),
    Mutant("any device is a disk", START, "id != VIRTIO_ID_BLOCK", "0"),
    Mutant(
        "identity is not looked at after a reset",
        START,
        "    enum virtio_blk_fault fault = virtio_blk_identify(device);\n    if (fault",
        "    enum virtio_blk_fault fault = VIRTIO_BLK_FAULT_NONE;\n    if (fault",
    ),
    # Negotiation.
    Mutant(
        "STATUS is not read back",
        START,
        "return register_read(device, VIRTIO_MMIO_STATUS) == *status;",
        "return true;",
    ),
    Mutant("features are read once", START, "offered != offered_features(device)", "0"),
    Mutant(
        "VERSION_1 is not needed",
        START,
        "if (!is_legacy(device) && (offered & VIRTIO_F_VERSION_1) == 0)",
        "if (0)",
    ),
    Mutant("all features are accepted", START, "device->features = offered & WANTED_FEATURES;", "device->features = offered;"),
    # Configuration.
    Mutant(
        "one sample of a legacy configuration",
        START,
        "memcmp(config, &again, sizeof(again)) == 0",
        "(void)again, 1",
    ),
    Mutant(
        "the generation is not looked at",
        START,
        "if (register_read(device, VIRTIO_MMIO_CONFIG_GENERATION) == generation)",
        "if (register_read(device, VIRTIO_MMIO_CONFIG_GENERATION) == generation || 1)",
    ),
    Mutant(
        "fields without their feature are read",
        START,
        "if ((device->features & feature) != feature)",
        "if (0 * feature)",
    ),
    Mutant("capacity 0 is accepted", START, "    if (config->sectors == 0) {", "    if (0) {"),
    Mutant("capacity may overflow", START, "config->sectors > UINT64_MAX / VIRTIO_BLK_SECTOR_BYTES", "0"),
    Mutant(
        "capacity may be less than a block",
        START,
        "    if (config->sectors < config->block_size / VIRTIO_BLK_SECTOR_BYTES) {",
        "    if (0) {",
    ),
    Mutant("block size may be small", START, "size >= VIRTIO_BLK_SECTOR_BYTES && ", ""),
    Mutant("block size may be large", START, " && size <= 4096", ""),
    Mutant("block size need not be a power of two", START, " && (size & (size - 1)) == 0", ""),
    Mutant(
        "segment limits are not weighed",
        START,
        "    if ((uint64_t)device->piece_limit * device->data_limit < device->block_size) {",
        "    if (0) {",
    ),
    # The queue.
    Mutant("a queue in use is taken", START, "register_read(device, live_register) != 0", "(void)live_register, 0"),
    Mutant("an absent queue is taken", START, "    if (maximum == 0) {", "    if (0) {"),
    Mutant("a tiny queue is taken", START, "maximum < SMALLEST_QUEUE_SIZE", "0"),
    Mutant("the queue is as large as the device says", START, "while (size > maximum)", "size = maximum; while (0)"),
    Mutant("the queue is larger than the device says", START, "while (size > maximum)", "while (size / 2 > maximum)"),
    Mutant(
        "QueuePFN is not read back",
        START,
        "if (register_read(device, VIRTIO_MMIO_QUEUE_PFN) != (uint32_t)frame)",
        "if (0)",
    ),
    Mutant("QueuePFN may be cut", START, "if (frame > UINT32_MAX)", "if (0)"),
    Mutant(
        "QueueReady is not read back",
        START,
        "if (register_read(device, VIRTIO_MMIO_QUEUE_READY) != 1)",
        "if (0)",
    ),
    Mutant(
        "a refused device is not told so",
        START,
        "register_write(device, VIRTIO_MMIO_STATUS, status | VIRTIO_STATUS_FAILED);",
        "(void)status;",
    ),
    # Reset.
    Mutant(
        "requests come back although STATUS is not 0",
        BLK,
        "    if (!reset_is_done(device)) {",
        "    if (0) {",
    ),
    Mutant(
        "registers that all read 0 prove a reset",
        BLK,
        "register_read(device, VIRTIO_MMIO_MAGIC_VALUE) == VIRTIO_MMIO_MAGIC;",
        "true;",
    ),
    Mutant(
        "a reset may take for ever",
        BLK,
        "return now_ns >= device->reset_deadline_ns ? device_lost(device) : NX_ERR_BUSY;",
        "return NX_ERR_BUSY;",
    ),
    Mutant(
        "a lost device's requests come back",
        BLK,
        "    device->state = VIRTIO_BLK_LOST;\n",
        "    device->state = VIRTIO_BLK_LOST;\n    requests_return(device);\n",
    ),
    Mutant("a reset forgets what was in flight", BLK, "    requests_return(device);\n    if (device->stopping)", "    if (device->stopping)"),
    Mutant("storms are counted across resets", BLK, "    device->quiet_interrupts = 0;\n", ""),
    Mutant(
        "attach writes before it looks",
        BLK,
        "    enum virtio_blk_fault fault = virtio_blk_identify(device);\n    if (fault != VIRTIO_BLK_FAULT_NONE) {\n        enum",
        "    enum virtio_blk_fault fault = VIRTIO_BLK_FAULT_NONE;\n    if (fault != VIRTIO_BLK_FAULT_NONE) {\n        enum",
    ),
    Mutant("a deadline wraps around", BLK, "delay_ns > UINT64_MAX - time_ns ? UINT64_MAX : ", ""),
    Mutant("abandoned requests are given out before the device is lost", BLK, "    if (device->state != VIRTIO_BLK_LOST) {\n        return NULL;", "    if (0) {\n        return NULL;"),
    # The used ring.
    Mutant("used.idx may jump", QUEUE, "pending > queue->in_flight", "0"),
    Mutant("used.id may be out of range", QUEUE, "id >= queue->size", "id > 1000000u"),
    Mutant("used.id may be anything below the queue's size", QUEUE, "!queue->published[id]", "0"),
    Mutant("an element can be taken twice", QUEUE, "    queue->published[id] = false;\n", ""),
    Mutant(
        "nothing is looked at again after arming",
        QUEUE,
        "return atomic_load_explicit(&queue->used->idx, memory_order_acquire) != queue->used_index;",
        "return false;",
    ),
    Mutant("used_event is one too late", QUEUE, "queue->used_index + after - 1u", "queue->used_index + after"),
    Mutant("avail_event is not looked at", QUEUE, "return (uint16_t)(event - kicked) < fresh;", "return event == kicked || 1;"),
    Mutant("NO_NOTIFY is not looked at", QUEUE, "return (flags & VIRTQ_USED_F_NO_NOTIFY) == 0;", "return flags < 9;"),
    # Answers.
    Mutant("used.len 0 is accepted", INTERRUPT, "length == 0 || length > posted", "length > posted"),
    Mutant("used.len may be too large", INTERRUPT, "length == 0 || length > posted", "length == 0"),
    Mutant("a missing status byte is accepted", INTERRUPT, "answer == VIRTIO_BLK_STATUS_UNWRITTEN", "0"),
    Mutant("an unknown status byte is accepted", INTERRUPT, "answer > VIRTIO_BLK_S_UNSUPP", "answer == 0xff"),
    Mutant("success may be short", INTERRUPT, "answer == VIRTIO_BLK_S_OK && length != posted", "0"),
    Mutant("an I/O error is success", INTERRUPT, "        return NX_ERR_IO;", "        return NX_OK;"),
    Mutant(
        "a failed part does not end its request",
        INTERRUPT,
        "if (answer == VIRTIO_BLK_S_OK && request->segment_index",
        "if (request->segment_index",
    ),
    Mutant("a broken promise of the used ring ends nothing", INTERRUPT, "            if (promised) {", "            if (0) {"),
    # Interrupts and STATUS.
    Mutant("a storm has no end", INTERRUPT, "device->quiet_interrupts > VIRTIO_BLK_QUIET_INTERRUPT_LIMIT", "0"),
    Mutant("completions do not end a storm", INTERRUPT, "    if (taken > 0) {\n        device->quiet_interrupts = 0;\n    } else if", "    if (taken > 0) {\n    } else if"),
    Mutant("NEEDS_RESET is not looked at", INTERRUPT, "(status & VIRTIO_STATUS_DEVICE_NEEDS_RESET) != 0", "0"),
    Mutant("FAILED is not looked at", INTERRUPT, "(status & VIRTIO_STATUS_FAILED) != 0 || ", ""),
    Mutant("a lost DRIVER_OK is not looked at", INTERRUPT, " || (status & VIRTIO_STATUS_DRIVER_OK) == 0", ""),
    Mutant("all ones are a status", INTERRUPT, "status == UINT32_MAX", "0"),
    Mutant("a new configuration is not read", INTERRUPT, "        fault = config_refresh(device);", "        fault = VIRTIO_BLK_FAULT_NONE;"),
    Mutant("an unusable configuration is kept", INTERRUPT, "if (fault != VIRTIO_BLK_FAULT_NONE || config.block_size", "if (config.block_size"),
    Mutant("the block size may change", INTERRUPT, "config.block_size != device->block_size ||", ""),
    Mutant("the segment limit may change", INTERRUPT, " || limit != device->data_limit", ""),
    Mutant("the piece limit may change", INTERRUPT, "config.piece_limit != device->piece_limit || ", ""),
    Mutant("a new capacity is not taken over", INTERRUPT, "    device->sectors = config.sectors;\n", ""),
    Mutant("an unstable configuration is accepted", INTERRUPT, "        return fault;\n    }\n    uint32_t room", "        return VIRTIO_BLK_FAULT_NONE;\n    }\n    uint32_t room"),
    Mutant("interrupts are not acknowledged", INTERRUPT, "register_write(device, VIRTIO_MMIO_INTERRUPT_ACK, cause);", "(void)cause;"),
    Mutant("unknown interrupt bits are acknowledged", INTERRUPT, " &\n                     (VIRTIO_MMIO_INTERRUPT_USED_BUFFER | VIRTIO_MMIO_INTERRUPT_CONFIG_CHANGE);", ";"),
    Mutant("a broken device is served", INTERRUPT, "    if (device->state == VIRTIO_BLK_BROKEN) {\n        return NX_ERR_DEVICE;\n    }\n    if (device->state != VIRTIO_BLK_READY) {\n        return NX_ERR_BAD_STATE;\n    }\n    enum virtio_blk_fault fault = interrupt_serve", "    enum virtio_blk_fault fault = interrupt_serve"),
    # Time.
    Mutant("a lost interrupt is not rescued", INTERRUPT, "    enum virtio_blk_fault fault = used_drain(device, &rescued);", "    enum virtio_blk_fault fault = VIRTIO_BLK_FAULT_NONE;\n    rescued = 0;"),
    Mutant("a deadline is one nanosecond late", INTERRUPT, "request->deadline_ns <= now_ns", "request->deadline_ns < now_ns"),
    Mutant("nothing is ever overdue", INTERRUPT, "    if (overdue == 0) {", "    if (overdue < 1000) {"),
    Mutant("the device's STATUS is not asked at a time-out", INTERRUPT, "    device->counters.timeouts += overdue;\n    fault = status_check(device);", "    device->counters.timeouts += overdue;"),
    # Requests.
    Mutant("a device that is not ready takes requests", REQUEST, "    if (device->state != VIRTIO_BLK_READY) {\n        return NX_ERR_BAD_STATE;\n    }\n    if (request->submitted)", "    if (request->submitted)"),
    Mutant("a request is taken twice", REQUEST, "    if (request->submitted) {", "    if (0) {"),
    Mutant("reads past the end are taken", REQUEST, "request->first_sector + request->sector_count > device->sectors", "0"),
    Mutant("the status byte of the last time stands", REQUEST, "    atomic_store_explicit(&slot->status, VIRTIO_BLK_STATUS_UNWRITTEN, memory_order_relaxed);\n", ""),
    Mutant("the status byte of the part before stands", PARTS, "    atomic_store_explicit(&slot->status, VIRTIO_BLK_STATUS_UNWRITTEN, memory_order_relaxed);\n", ""),
    Mutant("a broken device is kicked", REQUEST, "device->state != VIRTIO_BLK_READY || !virtqueue_kick_due", "!virtqueue_kick_due"),
]


if __name__ == "__main__":
    sys.exit(run(SUITE, MUTANTS))
