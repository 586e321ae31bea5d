// SPDX-License-Identifier: Apache-2.0
// Client of virtioblkd.
#include "nexus/block.h"
#include "nexus/service.h"
#include "virtio_blk.capnp.h"

static enum nx_status block_endpoint(nx_handle *endpoint)
{
    return nx_service_endpoint(NX_START_BLOCK, "block", endpoint);
}

// Decodes the answer in the page. Its status counts only when the transport was fine.
NX_INLINE enum nx_status block_response(const struct nx_message *reply,
                                        struct capnp_reader *message,
                                        struct virtio_blk_response_reader *response)
{
    return virtio_blk_response_decode(nx_page()->data, NX_INFO_BYTES(reply->info), message,
                                      response);
}

static enum nx_status block_info_decode(const struct nx_message *reply,
                                        struct nx_block_facts *facts)
{
    struct capnp_reader message;
    struct virtio_blk_response_reader response;
    struct virtio_blk_info_reader info;
    enum nx_status status = block_response(reply, &message, &response);
    if (status == NX_OK) {
        status = (enum nx_status)virtio_blk_response_status(&response);
    }
    if (status == NX_OK) {
        status = virtio_blk_response_info(&response, &info);
    }
    if (status != NX_OK) {
        return status;
    }
    struct virtio_blk_info_scalars all = virtio_blk_info_scalars(&info);
    *facts = (struct nx_block_facts){
        .sectors = all.sectors,
        .sector_size = all.sector_size,
        .read_only = all.read_only,
        .transport = all.transport,
        .features = all.features,
        .queue_size = all.queue_size,
        .mmio_base = all.mmio_base,
        .interrupt_number = all.interrupt_number,
        .requests = all.requests,
        .completions = all.completions,
        .errors = all.errors,
        .resets = all.resets,
        .timeouts = all.timeouts,
        .interrupts = all.interrupts,
        .bytes_copied = all.bytes_copied,
        .kicks = all.kicks,
        .sessions = all.sessions,
        .queued = all.queued,
        .doorbells = all.doorbells,
        .notices = all.notices,
    };
    return NX_OK;
}

enum nx_status nx_block_info(struct nx_block_facts *facts)
{
    nx_handle endpoint;
    enum nx_status status = block_endpoint(&endpoint);
    if (status != NX_OK) {
        return status;
    }
    struct nx_retry retry = {0};
    struct nx_message reply;
    do {
        struct capnp_builder message;
        struct virtio_blk_request_builder request;
        status =
            virtio_blk_request_begin(&message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &request);
        if (status != NX_OK) {
            return status;
        }
        virtio_blk_request_set_info(&request);
        status = nx_service_call(endpoint, capnp_builder_bytes(&message), NX_HANDLE_NONE, &reply,
                                 &retry);
    } while (nx_retry_again(&retry));
    return status != NX_OK ? status : block_info_decode(&reply, facts);
}

// The refusal's reason as a C string.
static void block_reason_copy(const struct virtio_blk_response_reader *response, char *reason)
{
    struct capnp_text text;
    if (virtio_blk_response_which(response) != VIRTIO_BLK_RESPONSE_READ ||
        virtio_blk_response_read_reason(response, &text) != NX_OK) {
        return;
    }
    size_t length = text.length < NX_BLOCK_REASON_BYTES ? text.length : NX_BLOCK_REASON_BYTES - 1;
    memcpy(reason, text.bytes, length);
    reason[length] = '\0';
}

NX_INLINE enum nx_status block_read_decode(const struct nx_message *reply, uint32_t count,
                                           char *reason)
{
    struct capnp_reader message;
    struct virtio_blk_response_reader response;
    enum nx_status status = block_response(reply, &message, &response);
    if (status != NX_OK) {
        return status;
    }
    status = (enum nx_status)virtio_blk_response_status(&response);
    if (status != NX_OK) {
        if (reason != NULL) {
            block_reason_copy(&response, reason);
        }
        return status;
    }
    bool complete = virtio_blk_response_which(&response) == VIRTIO_BLK_RESPONSE_READ &&
                    virtio_blk_response_read_bytes_read(&response) == count * NX_BLOCK_SECTOR_BYTES;
    return complete ? NX_OK : NX_ERR_BAD_FORMAT;
}

NX_INLINE enum nx_status block_read_encode(uint64_t lba, uint32_t count, uint64_t offset,
                                           uint16_t slot, size_t *bytes)
{
    struct capnp_builder message;
    struct virtio_blk_request_builder request;
    enum nx_status status =
        virtio_blk_request_begin(&message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &request);
    if (status == NX_OK) {
        virtio_blk_request_init_read(&request);
        virtio_blk_request_set_read_lba(&request, lba);
        virtio_blk_request_set_read_count(&request, count);
        virtio_blk_request_set_read_memory_offset(&request, offset);
        virtio_blk_request_set_read_slot(&request, slot);
        *bytes = capnp_builder_bytes(&message);
    }
    return status;
}

enum nx_status nx_block_read(uint64_t lba, uint32_t count, nx_handle memory, uint64_t offset,
                             char *reason)
{
    if (reason != NULL) {
        reason[0] = '\0';
    }
    nx_handle endpoint;
    enum nx_status status = block_endpoint(&endpoint);
    if (status != NX_OK) {
        return status;
    }
    struct nx_retry retry = {0};
    struct nx_message reply;
    do {
        size_t bytes;
        status = block_read_encode(lba, count, offset, 0, &bytes);
        if (status != NX_OK) {
            return status;
        }
        status = nx_service_call(endpoint, bytes, memory, &reply, &retry);
    } while (nx_retry_again(&retry));
    return status != NX_OK ? status : block_read_decode(&reply, count, reason);
}

// One call, and further ones to a service that is being restarted.
NX_INLINE enum nx_status queue_read(const struct nx_block_queue *queue, uint64_t lba,
                                    uint32_t count, uint32_t slot, uint64_t offset, char *reason)
{
    struct nx_retry retry = {0};
    struct nx_message reply;
    enum nx_status status;
    do {
        size_t bytes;
        status = block_read_encode(lba, count, offset, (uint16_t)(queue->service_slots[slot] + 1),
                                   &bytes);
        if (status != NX_OK) {
            return status;
        }
        status = nx_service_call(queue->endpoint, bytes, NX_HANDLE_NONE, &reply, &retry);
    } while (nx_retry_again(&retry));
    return status != NX_OK ? status : block_read_decode(&reply, count, reason);
}

enum nx_status nx_block_queue_read(struct nx_block_queue *queue, uint64_t lba, uint32_t count,
                                   uint32_t slot, uint64_t offset, char *reason)
{
    if (reason != NULL) {
        reason[0] = '\0';
    }
    if (slot >= NX_BLOCK_QUEUE_MEMORIES || queue->memories[slot] == NX_HANDLE_NONE) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    struct nx_retry retry = {0};
    enum nx_status status = queue_read(queue, lba, count, slot, offset, reason);
    // An instance that does not know the session. The next one may die over it as well.
    while (status == NX_ERR_NOT_FOUND && nx_retry_wait(&retry)) {
        uint32_t reopened = queue->reopened;
        status = nx_block_queue_check(queue);
        if (status != NX_OK) {
            return status;
        }
        if (queue->reopened == reopened) { // it knows the session: this is its answer
            return NX_ERR_NOT_FOUND;
        }
        status = queue_read(queue, lba, count, slot, offset, reason);
    }
    return status;
}
