// SPDX-License-Identifier: Apache-2.0
// Client of virtioblkd: queued reads. The page shared with it is block/block_ring.h.
//
// What is in the page is for virtioblkd to read; what the queue itself relies on (which entries are
// in flight, where the rings stand) is in struct nx_block_queue. An answer is taken for what it
// says only after its tag has been found to be in flight.
#include "block/block_ring.h"
#include "nexus/block.h"
#include "nexus/clock.h"
#include "nexus/memory.h"
#include "nexus/service.h"
#include "virtio_blk.capnp.h"

#define NOTICE_BIT    1u
#define CHECK_FIRST   (1ull << 22) // ns without an answer, before virtioblkd is asked; then
#define CHECK_LONGEST (1ull << 30) // after twice as long each time, up to this
#define NO_ENTRY      NX_BLOCK_QUEUE_DEPTH
#define SLOT_NONE     UINT16_MAX // virtioblkd has no such slot

_Static_assert(NX_BLOCK_QUEUE_DEPTH == BLOCK_RING_DEPTH, "an entry for each place in the ring");

// ---- Requests about the session -----------------------------------------------------------------

typedef void (*request_fill)(const struct virtio_blk_request_builder *request, uint64_t value);

static void open_fill(const struct virtio_blk_request_builder *request, uint64_t notice_bits)
{
    virtio_blk_request_init_open_queue(request);
    virtio_blk_request_set_open_queue_notice_bits(request, notice_bits);
}

static void attach_fill(const struct virtio_blk_request_builder *request, uint64_t unused)
{
    (void)unused;
    virtio_blk_request_set_attach(request);
}

static void detach_fill(const struct virtio_blk_request_builder *request, uint64_t slot)
{
    virtio_blk_request_init_detach(request);
    virtio_blk_request_set_detach_slot(request, (uint16_t)slot);
}

static void check_fill(const struct virtio_blk_request_builder *request, uint64_t unused)
{
    (void)unused;
    virtio_blk_request_set_check_queue(request);
}

struct session_answer {
    struct nx_message message;
    struct capnp_reader reader;
    struct virtio_blk_response_reader response;
};

// Calls virtioblkd, which sees copies of the handles. A restart on the way is waited for: the
// answer is the next instance's, then.
static enum nx_status session_call(request_fill fill, uint64_t value, const nx_handle *handles,
                                   uint32_t count, struct session_answer *answer)
{
    struct capnp_builder message;
    struct virtio_blk_request_builder request;
    struct nx_retry retry = {0};
    nx_handle endpoint;
    enum nx_status status = nx_service_endpoint(NX_START_BLOCK, "block", &endpoint);
    if (status != NX_OK) {
        return status;
    }
    do {
        status =
            virtio_blk_request_begin(&message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &request);
        if (status != NX_OK) {
            return status;
        }
        fill(&request, value);
        memcpy(nx_page()->handles, handles, count * sizeof(*handles));
        answer->message =
            (struct nx_message){.info = NX_INFO(capnp_builder_bytes(&message), count)};
        status = nx_endpoint_call(endpoint, &answer->message);
        retry.interrupted = status == NX_ERR_PEER_CLOSED;
    } while (nx_retry_again(&retry));
    if (status == NX_OK) {
        status = (enum nx_status)answer->message.words[0];
    }
    if (status == NX_OK) {
        status = virtio_blk_response_decode(nx_page()->data, NX_INFO_BYTES(answer->message.info),
                                            &answer->reader, &answer->response);
    }
    return status == NX_OK ? (enum nx_status)virtio_blk_response_status(&answer->response) : status;
}

// ---- Opening ------------------------------------------------------------------------------------

static void entries_clear(struct nx_block_queue *queue)
{
    queue->free_entry = NO_ENTRY;
    for (uint16_t i = NX_BLOCK_QUEUE_DEPTH; i > 0; i--) {
        queue->entries[i - 1].next = queue->free_entry;
        queue->free_entry = (uint16_t)(i - 1);
    }
}

// Opens a session over the queue's page, which is zero.
static enum nx_status session_open(struct nx_block_queue *queue)
{
    struct session_answer answer;
    nx_handle lifeline;
    // Whoever can receive on it is the client: virtioblkd must not.
    enum nx_status status =
        nx_handle_duplicate(queue->lifeline, NX_RIGHT_CALL | NX_RIGHT_TRANSFER, 0, &lifeline);
    if (status != NX_OK) {
        return status;
    }
    const nx_handle handles[] = {queue->ring_memory, queue->notification, lifeline};
    status = session_call(open_fill, queue->bits, handles, 3, &answer);
    nx_handle_drop(lifeline);
    if (status != NX_OK) {
        return status;
    }
    if (NX_INFO_HANDLES(answer.message.info) != 2) {
        return NX_ERR_BAD_FORMAT;
    }
    queue->doorbell = nx_page()->handles[0];
    queue->endpoint = nx_page()->handles[1];
    uint32_t bit = virtio_blk_response_open_queue_doorbell_bit(&answer.response);
    queue->doorbell_bits = 1ull << (bit % 64);
    return NX_OK;
}

static enum nx_status queue_prepare(struct nx_block_queue *queue)
{
    void *page;
    enum nx_status status = nx_memory_new(BLOCK_RING_BYTES, 0, &queue->ring_memory, &page);
    if (status != NX_OK) {
        return status;
    }
    queue->ring = page;
    entries_clear(queue);
    status = nx_endpoint_create(&queue->lifeline);
    if (status == NX_OK && queue->owns_notification) {
        status = nx_notification_create(&queue->notification);
    }
    return status;
}

static void queue_release(struct nx_block_queue *queue)
{
    nx_handle_drop(queue->lifeline); // virtioblkd lets go, too
    nx_handle_drop(queue->doorbell);
    nx_handle_drop(queue->endpoint);
    if (queue->owns_notification) {
        nx_handle_drop(queue->notification);
    }
    nx_unmap(queue->ring);
    nx_handle_drop(queue->ring_memory);
    memset(queue, 0, sizeof(*queue));
}

enum nx_status nx_block_queue_open(struct nx_block_queue *queue, nx_handle notification,
                                   uint64_t bits)
{
    memset(queue, 0, sizeof(*queue));
    queue->owns_notification = notification == NX_HANDLE_NONE;
    queue->notification = notification;
    queue->bits = queue->owns_notification ? NOTICE_BIT : bits;
    enum nx_status status = queue_prepare(queue);
    if (status == NX_OK) {
        status = session_open(queue);
    }
    if (status != NX_OK) {
        queue_release(queue);
    }
    return status;
}

// ---- Memory -------------------------------------------------------------------------------------

static enum nx_status memory_attach(struct nx_block_queue *queue, uint32_t slot)
{
    struct session_answer answer;
    const nx_handle handles[] = {queue->ring_memory, queue->memories[slot]};
    enum nx_status status = session_call(attach_fill, 0, handles, 2, &answer);
    if (status == NX_OK) {
        queue->service_slots[slot] = virtio_blk_response_attach_slot(&answer.response);
    }
    return status;
}

enum nx_status nx_block_queue_attach(struct nx_block_queue *queue, nx_handle memory, uint32_t *slot)
{
    uint32_t free_slot = 0;
    while (free_slot < NX_BLOCK_QUEUE_MEMORIES && queue->memories[free_slot] != NX_HANDLE_NONE) {
        free_slot++;
    }
    if (free_slot == NX_BLOCK_QUEUE_MEMORIES) {
        return NX_ERR_BUSY;
    }
    struct nx_retry retry = {0};
    enum nx_status status;
    do {
        queue->memories[free_slot] = memory;
        status = memory_attach(queue, free_slot);
        retry.interrupted = status == NX_ERR_NOT_FOUND; // virtioblkd has been restarted
        if (retry.interrupted) {
            queue->memories[free_slot] = NX_HANDLE_NONE; // which a new session then leaves alone
            status = nx_block_queue_check(queue);
        }
    } while (status == NX_OK && nx_retry_again(&retry));
    if (status == NX_OK && retry.interrupted) {
        status = NX_ERR_PEER_CLOSED; // restarted too often
    }
    if (status == NX_OK) {
        *slot = free_slot;
    } else {
        queue->memories[free_slot] = NX_HANDLE_NONE;
    }
    return status;
}

enum nx_status nx_block_queue_detach(struct nx_block_queue *queue, uint32_t slot)
{
    struct session_answer answer;
    if (slot >= NX_BLOCK_QUEUE_MEMORIES || queue->memories[slot] == NX_HANDLE_NONE) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    for (uint32_t i = 0; i < NX_BLOCK_QUEUE_DEPTH; i++) {
        if (queue->entries[i].in_flight && queue->entries[i].slot == slot) {
            return NX_ERR_BUSY;
        }
    }
    enum nx_status status =
        session_call(detach_fill, queue->service_slots[slot], &queue->ring_memory, 1, &answer);
    if (status != NX_OK && status != NX_ERR_NOT_FOUND) { // a new instance knows nothing of it
        return status;
    }
    queue->memories[slot] = NX_HANDLE_NONE;
    return NX_OK;
}

// ---- Reads --------------------------------------------------------------------------------------

NX_INLINE void entry_put(struct nx_block_queue *queue, uint16_t tag)
{
    const struct nx_block_queue_entry *entry = &queue->entries[tag];
    const struct block_ring_entry shared = {
        .lba = entry->lba,
        .offset = entry->offset,
        .count = entry->count,
        .slot = queue->service_slots[entry->slot],
        .tag = tag,
    };
    block_ring_put(queue->ring, queue->submit_index++, &shared);
}

enum nx_status nx_block_queue_add(struct nx_block_queue *queue, uint64_t lba, uint32_t count,
                                  uint32_t slot, uint64_t offset, void *cookie)
{
    uint16_t tag = queue->free_entry;
    if (tag == NO_ENTRY) {
        return NX_ERR_BUSY;
    }
    if (slot >= NX_BLOCK_QUEUE_MEMORIES || queue->memories[slot] == NX_HANDLE_NONE) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    struct nx_block_queue_entry *entry = &queue->entries[tag];
    queue->free_entry = entry->next;
    queue->in_flight++;
    entry->lba = lba;
    entry->offset = offset;
    entry->count = count;
    entry->slot = (uint16_t)slot;
    entry->cookie = cookie;
    entry->in_flight = true;
    entry_put(queue, tag);
    return NX_OK;
}

// Returns whether virtioblkd has to be told.
static bool entries_publish(struct nx_block_queue *queue)
{
    uint32_t before = queue->published_index;
    queue->published_index = queue->submit_index;
    return queue->submit_index != before &&
           block_ring_publish(queue->ring, before, queue->submit_index);
}

static void doorbell_ring(const struct nx_block_queue *queue)
{
    // The handle is ours and stays valid, so this cannot be refused.
    (void)!nx_notification_signal(queue->doorbell, queue->doorbell_bits);
}

void nx_block_queue_submit(struct nx_block_queue *queue)
{
    if (entries_publish(queue)) {
        doorbell_ring(queue);
    }
}

bool nx_block_queue_take(struct nx_block_queue *queue, struct nx_block_result *result)
{
    uint16_t tag;
    uint16_t status;

    while (block_ring_answers(queue->ring, queue->completion_index) != 0) {
        block_ring_answer(queue->ring, queue->completion_index++, &tag, &status);
        if (tag >= NX_BLOCK_QUEUE_DEPTH || !queue->entries[tag].in_flight) {
            continue; // an answer to nothing
        }
        struct nx_block_queue_entry *entry = &queue->entries[tag];
        entry->in_flight = false;
        entry->next = queue->free_entry;
        queue->free_entry = tag;
        queue->in_flight--;
        *result =
            (struct nx_block_result){.cookie = entry->cookie, .status = (enum nx_status)status};
        return true;
    }
    return false;
}

// ---- Waiting ------------------------------------------------------------------------------------

static uint32_t wanted_clamp(const struct nx_block_queue *queue, uint32_t wanted)
{
    if (wanted > queue->in_flight) {
        wanted = queue->in_flight;
    }
    return wanted > 0 ? wanted : 1;
}

bool nx_block_queue_arm(struct nx_block_queue *queue, uint32_t wanted)
{
    return block_ring_arm(queue->ring, queue->completion_index, wanted_clamp(queue, wanted));
}

enum nx_status nx_block_queue_wait(struct nx_block_queue *queue, uint32_t wanted, uint64_t deadline)
{
    uint64_t bits;
    if (queue->in_flight == 0) {
        return NX_ERR_BAD_STATE;
    }
    uint64_t interval = CHECK_FIRST;
    wanted = wanted_clamp(queue, wanted);
    bool ring = entries_publish(queue); // nobody would answer what was never sent
    while (block_ring_answers(queue->ring, queue->completion_index) < wanted &&
           !block_ring_arm(queue->ring, queue->completion_index, wanted)) {
        // A later moment does as well, and one that stays the same from wait to wait leaves the
        // hart's timer as it is armed.
        uint64_t limit = nx_deadline_after(interval) | (interval - 1);
        bool last = deadline <= limit;
        enum nx_status status = nx_notification_signal_and_wait(
            ring ? queue->doorbell : NX_HANDLE_NONE, queue->doorbell_bits, queue->notification,
            last ? deadline : limit, &bits);
        ring = false;
        if (status == NX_ERR_TIMED_OUT && !last) {
            status = nx_block_queue_check(queue);
            interval *= interval < CHECK_LONGEST ? 2 : 1;
        }
        if (status != NX_OK) {
            return status;
        }
    }
    if (ring) {
        doorbell_ring(queue);
    }
    return NX_OK;
}

// A session with a new instance of virtioblkd, which has reset the device: what was in flight is
// sent once more. The page is what a new session wants it to be: zero.
static enum nx_status session_reopen(struct nx_block_queue *queue)
{
    nx_handle_drop(queue->doorbell);
    nx_handle_drop(queue->endpoint);
    queue->doorbell = NX_HANDLE_NONE;
    queue->endpoint = NX_HANDLE_NONE;
    memset(queue->ring, 0, sizeof(*queue->ring));
    queue->submit_index = 0;
    queue->published_index = 0;
    queue->completion_index = 0;
    queue->reopened++;
    enum nx_status status = session_open(queue);
    if (status != NX_OK) {
        return status;
    }
    for (uint32_t slot = 0; slot < NX_BLOCK_QUEUE_MEMORIES; slot++) {
        // Reads to a memory that is not attached any more come back as errors: who closes the queue
        // waits for them.
        queue->service_slots[slot] = SLOT_NONE;
        if (queue->memories[slot] != NX_HANDLE_NONE) {
            enum nx_status attached = memory_attach(queue, slot);
            status = status == NX_OK ? attached : status;
        }
    }
    for (uint16_t tag = 0; tag < NX_BLOCK_QUEUE_DEPTH; tag++) {
        if (queue->entries[tag].in_flight) {
            entry_put(queue, tag);
        }
    }
    nx_block_queue_submit(queue);
    return status;
}

// A new instance may die while the session is opened at it: the one after it knows nothing, either.
enum nx_status nx_block_queue_check(struct nx_block_queue *queue)
{
    struct session_answer answer;
    struct nx_retry retry = {0};
    enum nx_status status = session_call(check_fill, 0, &queue->ring_memory, 1, &answer);
    if (status != NX_ERR_NOT_FOUND) {
        return status;
    }
    do {
        status = session_reopen(queue);
        retry.interrupted = status == NX_ERR_NOT_FOUND;
    } while (nx_retry_again(&retry));
    return status;
}

void nx_block_queue_close(struct nx_block_queue *queue)
{
    struct nx_block_result result;
    enum nx_status status = NX_OK;

    nx_block_queue_submit(queue); // what was only added would never end
    while (queue->in_flight > 0 && status == NX_OK) {
        if (!nx_block_queue_take(queue, &result)) {
            status = queue->owns_notification
                         ? nx_block_queue_wait(queue, queue->in_flight, NX_DEADLINE_NEVER)
                         : nx_block_queue_check(queue);
        }
    }
    queue_release(queue);
}
