// SPDX-License-Identifier: Apache-2.0
// Raw reads: a queue to virtioblkd that is never empty, so that every kill finds the device busy.
#include "kill_test.h"
#include "nexus/memory.h"
#include <stdio.h>

#define SLOT_BYTES   16384u
#define SLOT_SECTORS (SLOT_BYTES / NX_BLOCK_SECTOR_BYTES)
#define SLOTS        16u // reads in flight
#define PIECES_MAX   32u // of the start of the disk: what is in memory to compare with
#define PATIENCE     (30 * NX_SECOND)

static struct {
    uint8_t *expected; // the start of the disk
    uint32_t pieces;   // of SLOT_BYTES, in `expected`
    nx_handle memory;
    uint8_t *bytes;
    struct nx_block_queue queue;
    uint32_t slot; // of `memory` at the queue
    uint32_t next; // piece to be read
    uint32_t piece_of[SLOTS];
} raw;

bool raw_open(char reason[REASON_BYTES])
{
    struct nx_block_facts facts;
    nx_handle memory;
    void *address;

    if (raw.pieces > 0 || nx_block_info(&facts) != NX_OK) {
        return raw.pieces > 0;
    }
    uint64_t whole = facts.sectors / SLOT_SECTORS;
    uint32_t pieces = whole < PIECES_MAX ? (uint32_t)whole : PIECES_MAX;
    enum nx_status status = nx_memory_new((uint64_t)pieces * SLOT_BYTES, 0, &memory, &address);
    raw.expected = address;
    for (uint32_t i = 0; status == NX_OK && i < pieces; i++) {
        status = nx_block_read((uint64_t)i * SLOT_SECTORS, SLOT_SECTORS, memory,
                               (uint64_t)i * SLOT_BYTES, NULL);
    }
    if (status == NX_OK) {
        status = nx_memory_new((uint64_t)SLOTS * SLOT_BYTES, 0, &raw.memory, &address);
        raw.bytes = address;
    }
    if (status != NX_OK) {
        (void)snprintf(reason, REASON_BYTES, "raw disk: %s", nx_status_text(status));
        return false;
    }
    raw.pieces = pieces;
    return pieces > 0;
}

uint32_t raw_in_flight(void)
{
    return nx_block_queue_in_flight(&raw.queue); // from another thread: a look is enough
}

static enum nx_status read_add(uint32_t place)
{
    uint32_t piece = raw.next++ % raw.pieces;
    raw.piece_of[place] = piece;
    memset(raw.bytes + place * SLOT_BYTES, 0xee, SLOT_BYTES);
    return nx_block_queue_add(&raw.queue, (uint64_t)piece * SLOT_SECTORS, SLOT_SECTORS, raw.slot,
                              (uint64_t)place * SLOT_BYTES, (void *)(uintptr_t)place);
}

static void result_check(const struct nx_block_result *result, struct load_facts *facts,
                         char reason[REASON_BYTES])
{
    uint32_t place = (uint32_t)(uintptr_t)result->cookie;
    const uint8_t *expected = raw.expected + (size_t)raw.piece_of[place] * SLOT_BYTES;

    facts->raw_reads++;
    if (result->status != NX_OK) {
        facts->raw_failed++;
        (void)snprintf(reason, REASON_BYTES, "raw read: %s", nx_status_text(result->status));
    } else if (memcmp(raw.bytes + place * SLOT_BYTES, expected, SLOT_BYTES) != 0) {
        facts->raw_wrong++;
        (void)snprintf(reason, REASON_BYTES, "raw read: wrong bytes in piece %u",
                       (unsigned)raw.piece_of[place]);
    }
}

static enum nx_status reads_take(const atomic_bool *stopping, struct load_facts *facts,
                                 char reason[REASON_BYTES])
{
    struct nx_block_result result;
    enum nx_status status = nx_block_queue_wait(&raw.queue, 1, nx_deadline_after(PATIENCE));

    while (status == NX_OK && nx_block_queue_take(&raw.queue, &result)) {
        result_check(&result, facts, reason);
        if (!atomic_load(stopping)) {
            status = read_add((uint32_t)(uintptr_t)result.cookie);
        }
    }
    return status;
}

void raw_run(const atomic_bool *stopping, struct load_facts *facts, char reason[REASON_BYTES])
{
    enum nx_status status = nx_block_queue_open(&raw.queue, NX_HANDLE_NONE, 0);
    bool opened = status == NX_OK;
    if (status == NX_OK) {
        status = nx_block_queue_attach(&raw.queue, raw.memory, &raw.slot);
    }
    for (uint32_t i = 0; status == NX_OK && i < SLOTS; i++) {
        status = read_add(i);
    }
    while (status == NX_OK && nx_block_queue_in_flight(&raw.queue) > 0) {
        status = reads_take(stopping, facts, reason);
    }
    if (status != NX_OK) {
        facts->raw_failed++;
        (void)snprintf(reason, REASON_BYTES, "raw queue: %s", nx_status_text(status));
    }
    if (opened) {
        facts->raw_reopened += raw.queue.reopened;
        nx_block_queue_close(&raw.queue);
    }
}
