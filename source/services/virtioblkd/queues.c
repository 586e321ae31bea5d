// SPDX-License-Identifier: Apache-2.0
// Entries of rings become reads, reads become answers in rings. The rings' rules are in
// block/block_ring.h.
//
// The device is asked for an interrupt when somebody wants to know, not at each read
// (queues_patience): a client that waits for sixteen answers costs one interrupt and one notice. A
// client that waits for nothing is served in halves of what it has in flight.
//
// A long batch is handed to the device in two halves. A device takes what it finds as one piece of
// work, so it works on one half while the answers to the other are dealt with, by turns, instead of
// waiting for the client each time. Short ones are not worth a second register write.
#include "virtioblkd.h"

#define LONG_HALF_SECTORS 512u // 256 KiB

// ---- Entries ------------------------------------------------------------------------------------

// Fills the read's request as far as this program looks at it; that the sectors are the disk's is
// the library's to check.
static enum nx_status entry_prepare(struct session *session, struct read *read,
                                    const struct block_ring_entry *entry)
{
    uint64_t bytes = (uint64_t)entry->count * VIRTIO_BLK_SECTOR_BYTES;
    if (entry->count - 1 >= VIRTIO_BLK_MAX_SECTORS) { // 0, too
        return entry->count == 0 ? NX_ERR_INVALID_ARGUMENT : NX_ERR_TOO_LARGE;
    }
    if (entry->offset % VIRTIO_BLK_SECTOR_BYTES != 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    if (entry->offset > UINT64_MAX - bytes) {
        return NX_ERR_OVERFLOW;
    }
    if (entry->slot >= SESSION_MEMORIES_MAX || session->memories[entry->slot] == NX_HANDLE_NONE) {
        return NX_ERR_BAD_HANDLE;
    }
    read->request.first_sector = entry->lba;
    read->request.sector_count = entry->count;
    return session_segments(session, entry->slot, entry->offset, bytes, read->segments,
                            VIRTIO_BLK_MAX_SEGMENTS, &read->request.segment_count);
}

static void entry_take(struct session *session)
{
    struct block_ring_entry entry;
    struct read *read = session->free;

    block_ring_take(&session->ring, &entry);
    enum nx_status status = entry_prepare(session, read, &entry);
    if (status != NX_OK) {
        block_ring_complete(&session->ring, entry.tag, (uint16_t)status);
        session->service->sessions_answered |= session->mask;
        return;
    }
    session->free = read->next;
    session->in_flight++;
    session->sectors_last = entry.count;
    read->slot = entry.slot;
    read->tag = entry.tag;
    read_start(session->service, read);
}

// Returns false when the session may have no more under way. What each entry passes through, as far
// as the ring of the device, becomes one function.
__attribute__((flatten)) static bool entries_take(struct session *session, uint32_t count)
{
    for (; count > 0; count--) {
        // One at most waits for the device, and so keeps its turn.
        if (session->free == NULL || session->waiting > 0) {
            return false;
        }
        entry_take(session);
    }
    return true;
}

// Takes what the session may have under way. When it returns, the session waits for its doorbell
// or for an answer of its own.
static void session_take(struct session *session)
{
    bool all = true;
    do {
        uint32_t pending = block_ring_pending(&session->ring);
        if (block_ring_is_overrun(&session->ring, pending)) {
            session->broken = true;
        }
        if (session->broken) {
            return;
        }
        uint32_t half = (session->in_flight + pending) / 2; // of what will be under way
        if (half < pending && half * session->sectors_last >= LONG_HALF_SECTORS) {
            all = entries_take(session, half);
            virtio_blk_kick(&session->service->device);
            pending -= half;
        }
        all = all && entries_take(session, pending);
    } while (all && block_ring_sleep(&session->ring));
}

void queues_take(struct virtioblkd *service)
{
    // Every answer frees a place for an entry that is there already.
    uint32_t ready = service->sessions_ready | service->sessions_answered;
    service->sessions_ready = 0;
    while (ready != 0) {
        struct session *session = service->sessions[__builtin_ctz(ready)];
        ready &= ready - 1;
        if (session != NULL && !atomic_load_explicit(&session->gone, memory_order_relaxed)) {
            uint32_t before = session->ring.submit_index;
            session_take(session);
            service->counters.queued += session->ring.submit_index - before; // modulo 2^32
        }
    }
}

// ---- Answers ------------------------------------------------------------------------------------

void queue_answer(struct read *read, enum nx_status status)
{
    struct session *session = read->session;

    session->service->sessions_answered |= session->mask;
    block_ring_complete(&session->ring, read->tag, (uint16_t)status);
    read->slot = SESSION_MEMORIES_MAX;
    session->in_flight--;
    read->next = session->free;
    session->free = read;
}

void queues_publish(struct virtioblkd *service)
{
    uint32_t answered = service->sessions_answered;
    service->sessions_answered = 0;
    while (answered != 0) {
        struct session *session = service->sessions[__builtin_ctz(answered)];
        answered &= answered - 1;
        if (block_ring_publish_answers(&session->ring)) {
            service->counters.notices++;
            // Refused only when the client's notification is no notification, its own loss.
            (void)!nx_notification_signal(session->notification, session->notice_bits);
        }
    }
}

// ---- Patience -----------------------------------------------------------------------------------

static uint32_t session_patience(const struct session *session)
{
    uint32_t wanted = block_ring_wanted(&session->ring);
    if (wanted == 0) {
        return (session->in_flight + 1) / 2;
    }
    return wanted < session->in_flight ? wanted : session->in_flight;
}

uint32_t queues_patience(const struct virtioblkd *service)
{
    if (service->messages != 0 || service->waiting_first != NULL) {
        return 1;
    }
    uint32_t least = UINT32_MAX;
    uint32_t left = service->session_count;
    for (uint32_t i = 0; left > 0; i++) {
        const struct session *session = service->sessions[i];
        left -= session != NULL;
        if (session != NULL && session->in_flight != 0) {
            uint32_t patience = session_patience(session);
            least = patience < least ? patience : least;
        }
    }
    return least != UINT32_MAX ? least : 1;
}
