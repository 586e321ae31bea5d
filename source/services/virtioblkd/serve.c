// SPDX-License-Identifier: Apache-2.0
// The messages of virtio_blk.capnp. Every well-formed request gets a Response, refusals with their
// reason in words; what is not well-formed gets NX_ERR_BAD_FORMAT in register word 0.
#include "nexus/clock.h"
#include "virtio_blk.capnp.h"
#include "virtioblkd.h"

// A request out of the page, which is used for other things before the request is done.
struct handles {
    nx_handle list[NX_MESSAGE_HANDLES_MAX];
    uint32_t count;
};

struct read_arguments {
    uint64_t lba;
    uint32_t count;
    uint64_t offset;
    uint32_t slot;  // 0: the memory rides along; else an attached one, whose slot is one less
    uint64_t badge; // of the message
};

// ---- Answers ------------------------------------------------------------------------------------

static void answer_send(nx_handle reply, enum nx_status transport, size_t bytes)
{
    struct nx_message message = {.words = {transport}, .info = NX_INFO(bytes, 0)};
    // The only failure is that the caller has gone.
    (void)!nx_endpoint_reply(reply, &message);
}

// An empty page has room for each of these answers: building them fails only for want of room.
static struct nx_message read_answer_build(enum nx_status status, uint32_t bytes,
                                           const char *reason)
{
    struct capnp_builder message;
    struct virtio_blk_response_builder response;

    enum nx_status built =
        virtio_blk_response_begin(&message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &response);
    if (built == NX_OK) {
        virtio_blk_response_set_status(&response, (uint16_t)status);
        virtio_blk_response_init_read(&response);
        virtio_blk_response_set_read_bytes_read(&response, bytes);
    }
    if (built == NX_OK && reason != NULL) {
        built = virtio_blk_response_set_read_reason(&response, capnp_text_of(reason));
    }
    return (struct nx_message){
        .words = {built},
        .info = NX_INFO(built == NX_OK ? capnp_builder_bytes(&message) : 0, 0),
    };
}

// What a read came to, in words; NULL: it succeeded.
static const char *reason_of(enum nx_status status)
{
    switch (status) {
    case NX_OK:
        return NULL;
    case NX_ERR_INVALID_ARGUMENT:
        return "not a multiple of the device's block size";
    case NX_ERR_TOO_LARGE:
        return "memory too scattered for the device";
    case NX_ERR_OUT_OF_RANGE:
        return "past the end of the disk";
    case NX_ERR_IO:
        return "the device could not read these sectors";
    case NX_ERR_UNSUPPORTED:
        return "the device does not know reads";
    case NX_ERR_TIMED_OUT:
        return "the device did not answer in time";
    case NX_ERR_DEVICE:
        return "the device does not answer and ignores resets";
    default:
        return nx_status_text(status);
    }
}

void serve_read_answer(nx_handle reply, enum nx_status status, uint32_t bytes)
{
    struct nx_message message = read_answer_build(status, bytes, reason_of(status));
    // The only failure is that the caller has gone.
    (void)!nx_endpoint_reply(reply, &message);
}

// Refuses what the current caller asked for.
static void read_refuse(enum nx_status status, const char *reason)
{
    struct nx_message message = read_answer_build(status, 0, reason);
    (void)!nx_endpoint_reply(NX_HANDLE_NONE, &message);
}

static enum nx_status info_build(const struct virtioblkd *service, struct capnp_builder *message)
{
    const struct virtio_blk *device = &service->device;
    const struct virtio_blk_counters *counters = &device->counters;
    const struct nx_start_info *start = nx_start();
    struct virtio_blk_response_builder response;
    struct virtio_blk_info_builder out;

    enum nx_status status =
        virtio_blk_response_begin(message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &response);
    if (status == NX_OK) {
        status = virtio_blk_response_init_info(&response, &out);
    }
    if (status != NX_OK) {
        return status;
    }
    virtio_blk_info_set_sectors(&out,
                                device->sectors / (device->block_size / VIRTIO_BLK_SECTOR_BYTES));
    virtio_blk_info_set_sector_size(&out, device->block_size);
    virtio_blk_info_set_read_only(&out, (device->features & VIRTIO_BLK_F_RO) != 0);
    virtio_blk_info_set_transport(&out, device->transport_version);
    virtio_blk_info_set_features(&out, device->features);
    virtio_blk_info_set_queue_size(&out, device->queue.size);
    virtio_blk_info_set_mmio_base(&out, start->device_base);
    virtio_blk_info_set_interrupt_number(&out, start->interrupt_number);
    virtio_blk_info_set_requests(&out, counters->device_requests);
    virtio_blk_info_set_completions(&out, counters->completions);
    virtio_blk_info_set_errors(&out, counters->errors);
    virtio_blk_info_set_resets(&out, counters->resets);
    virtio_blk_info_set_timeouts(&out, counters->timeouts);
    virtio_blk_info_set_interrupts(&out, counters->interrupts);
    virtio_blk_info_set_kicks(&out, counters->kicks);
    virtio_blk_info_set_sessions(&out, service->session_count);
    virtio_blk_info_set_queued(&out, service->counters.queued);
    virtio_blk_info_set_doorbells(&out, service->counters.doorbells);
    virtio_blk_info_set_notices(&out, service->counters.notices);
    // bytesCopied stays 0: no code here touches payload, so there is nothing to count.
    return NX_OK;
}

static void answer_status(enum nx_status status)
{
    struct capnp_builder message;
    struct virtio_blk_response_builder response;

    enum nx_status built =
        virtio_blk_response_begin(&message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &response);
    if (built == NX_OK) {
        virtio_blk_response_set_status(&response, (uint16_t)status);
        virtio_blk_response_set_empty(&response);
    }
    answer_send(NX_HANDLE_NONE, built, built == NX_OK ? capnp_builder_bytes(&message) : 0);
}

static struct nx_message info_answer_build(const struct virtioblkd *service)
{
    struct capnp_builder message;
    enum nx_status status = info_build(service, &message);

    return (struct nx_message){
        .words = {status},
        .info = NX_INFO(status == NX_OK ? capnp_builder_bytes(&message) : 0, 0),
    };
}

struct nx_message serve_answer(struct virtioblkd *service)
{
    enum answer_kind kind = service->answer;

    service->answer = ANSWER_NONE;
    if (kind == ANSWER_INFO) {
        return info_answer_build(service);
    }
    return read_answer_build(service->answer_status, service->answer_bytes,
                             reason_of(service->answer_status));
}

// ---- Reads --------------------------------------------------------------------------------------

// What a read may ask for, before anything is done for it.
static enum nx_status read_check(const struct virtioblkd *service,
                                 const struct read_arguments *arguments, const char **reason)
{
    uint64_t lba = arguments->lba;
    uint32_t count = arguments->count;
    uint64_t offset = arguments->offset;
    uint64_t bytes = (uint64_t)count * VIRTIO_BLK_SECTOR_BYTES;

    if (count == 0) {
        *reason = "count is 0";
        return NX_ERR_INVALID_ARGUMENT;
    }
    if (count > VIRTIO_BLK_MAX_SECTORS) {
        *reason = "count is over 256 sectors";
        return NX_ERR_TOO_LARGE;
    }
    if (lba > UINT64_MAX - count) {
        *reason = "lba + count overflows";
        return NX_ERR_OVERFLOW;
    }
    if (lba + count > service->device.sectors) {
        *reason = "past the end of the disk";
        return NX_ERR_OUT_OF_RANGE;
    }
    if (offset % VIRTIO_BLK_SECTOR_BYTES != 0) {
        *reason = "memoryOffset is not a multiple of 512";
        return NX_ERR_INVALID_ARGUMENT;
    }
    if (offset > UINT64_MAX - bytes - NX_PAGE_SIZE) {
        *reason = "memoryOffset + length overflows";
        return NX_ERR_OVERFLOW;
    }
    return NX_OK;
}

static const char *memory_reason(enum nx_status status)
{
    switch (status) {
    case NX_ERR_BAD_HANDLE:
    case NX_ERR_WRONG_TYPE:
        return "no memory object rides along";
    case NX_ERR_ACCESS_DENIED:
        return "the memory object is not writable";
    case NX_ERR_OUT_OF_RANGE:
        return "past the end of the memory object";
    case NX_ERR_NO_MEMORY:
        return "the memory object's owner is out of memory";
    default:
        return "the memory object cannot be read into";
    }
}

// Where the read goes, when it goes to a memory that is attached to the session it comes through.
static enum nx_status read_lend(const struct virtioblkd *service, struct read *read,
                                const struct read_arguments *arguments, const char **reason)
{
    struct session *session = session_of_badge(service, arguments->badge);
    uint32_t slot = arguments->slot - 1;
    if (session == NULL) {
        *reason = "not through the endpoint of a session";
        return NX_ERR_NOT_FOUND;
    }
    if (slot >= SESSION_MEMORIES_MAX || session->memories[slot] == NX_HANDLE_NONE) {
        *reason = "no memory object is attached there";
        return NX_ERR_BAD_HANDLE;
    }
    enum nx_status status = session_segments(
        session, slot, arguments->offset, (uint64_t)arguments->count * VIRTIO_BLK_SECTOR_BYTES,
        read->segments, VIRTIO_BLK_MAX_SEGMENTS, &read->request.segment_count);
    if (status != NX_OK) {
        *reason = memory_reason(status);
        return status;
    }
    read->lender = session;
    read->slot = (uint16_t)slot;
    session->in_flight++;
    return NX_OK;
}

static enum nx_status read_borrow(const struct virtioblkd *service, struct read *read,
                                  const struct read_arguments *arguments, nx_handle memory,
                                  const char **reason)
{
    enum nx_status status =
        memory_segments(service->machine, memory, arguments->offset,
                        (uint64_t)arguments->count * VIRTIO_BLK_SECTOR_BYTES, read->segments,
                        VIRTIO_BLK_MAX_SEGMENTS, &read->request.segment_count);
    if (status != NX_OK) {
        *reason = memory_reason(status);
        return status;
    }
    read->memory = memory;
    return NX_OK;
}

// Fills the read's request; nothing has been taken over yet.
static enum nx_status read_prepare(const struct virtioblkd *service, struct read *read,
                                   const struct read_arguments *arguments, nx_handle memory,
                                   const char **reason)
{
    enum nx_status status = read_check(service, arguments, reason);
    if (status != NX_OK) {
        return status;
    }
    read->request.first_sector = arguments->lba;
    read->request.sector_count = arguments->count;
    return arguments->slot != 0 ? read_lend(service, read, arguments, reason)
                                : read_borrow(service, read, arguments, memory, reason);
}

// Returns whether the read has taken over what rode along.
static bool serve_read(struct virtioblkd *service, const struct read_arguments *arguments,
                       nx_handle memory)
{
    struct read *read = service->free;
    const char *reason = NULL;

    enum nx_status status = read_prepare(service, read, arguments, memory, &reason);
    if (status != NX_OK) {
        read_refuse(status, reason);
        return false;
    }
    service->free = read->next;
    service->messages++;
    service->held = read;
    read_start(service, read);
    return true;
}

// ---- Sessions -----------------------------------------------------------------------------------

// Answers with the member that `fill` selects and some handles, or with the status alone.
static void answer_session(enum nx_status status, const struct handles *handles,
                           void (*fill)(const struct virtio_blk_response_builder *, uint32_t),
                           uint32_t value)
{
    struct capnp_builder message;
    struct virtio_blk_response_builder response;

    if (status != NX_OK) {
        answer_status(status);
        return;
    }
    status = virtio_blk_response_begin(&message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &response);
    if (status == NX_OK) {
        fill(&response, value);
        memcpy(nx_page()->handles, handles->list, sizeof(handles->list));
    }
    struct nx_message answer = {
        .words = {status},
        .info = status == NX_OK ? NX_INFO(capnp_builder_bytes(&message), handles->count) : 0,
    };
    // The only failure is that the caller has gone or has no room for a handle; it may ask again.
    if (nx_endpoint_reply(NX_HANDLE_NONE, &answer) != NX_OK) {
        answer_send(NX_HANDLE_NONE, NX_ERR_NO_MEMORY, 0);
    }
}

static void open_queue_fill(const struct virtio_blk_response_builder *response, uint32_t number)
{
    virtio_blk_response_init_open_queue(response);
    virtio_blk_response_set_open_queue_doorbell_bit(response,
                                                    (uint8_t)(BIT_DOORBELL_FIRST + number));
}

static void attach_fill(const struct virtio_blk_response_builder *response, uint32_t slot)
{
    virtio_blk_response_init_attach(response);
    virtio_blk_response_set_attach_slot(response, (uint16_t)slot);
}

// The handles that the session has taken over are left as NX_HANDLE_NONE in *handles.
static void serve_open(struct virtioblkd *service, uint64_t notice_bits, struct handles *handles)
{
    uint32_t number = 0;
    enum nx_status status = NX_ERR_INVALID_ARGUMENT;

    if (handles->count == 3) {
        const struct session_request request = {
            .ring_memory = handles->list[0],
            .notification = handles->list[1],
            .lifeline = handles->list[2],
            .notice_bits = notice_bits,
        };
        status = session_open(service, &request, &number);
    }
    if (status == NX_OK) {
        handles->count = 0;
    }
    struct handles given = {0};
    if (status == NX_OK) {
        given = (struct handles){{service->doorbell, service->sessions[number]->endpoint}, 2};
    }
    answer_session(status, &given, open_queue_fill, number);
}

static void serve_attach(const struct virtioblkd *service, struct handles *handles)
{
    struct session *session;
    uint32_t slot = 0;
    enum nx_status status = handles->count == 2 ? session_find(service, handles->list[0], &session)
                                                : NX_ERR_INVALID_ARGUMENT;
    if (status == NX_OK) {
        status = session_attach(session, handles->list[1], &slot);
    }
    if (status == NX_OK) {
        handles->count = 1;
    }
    answer_session(status, &(struct handles){0}, attach_fill, slot);
}

static void serve_detach(const struct virtioblkd *service, uint32_t slot,
                         const struct handles *handles)
{
    struct session *session;
    enum nx_status status = handles->count == 1 ? session_find(service, handles->list[0], &session)
                                                : NX_ERR_INVALID_ARGUMENT;
    if (status == NX_OK) {
        status = session_detach(session, slot);
    }
    answer_status(status);
}

static void serve_check(const struct virtioblkd *service, const struct handles *handles)
{
    struct session *session;
    answer_status(handles->count == 1 ? session_find(service, handles->list[0], &session)
                                      : NX_ERR_INVALID_ARGUMENT);
}

// ---- Requests -----------------------------------------------------------------------------------

static void handles_take(const struct nx_message *message, struct handles *handles)
{
    handles->count = NX_INFO_HANDLES(message->info);
    for (uint32_t i = 0; i < handles->count; i++) {
        handles->list[i] = nx_page()->handles[i];
    }
}

// Those that nobody has taken over are of no use any more.
static void handles_drop(const struct handles *handles)
{
    for (uint32_t i = 0; i < handles->count; i++) {
        nx_handle_drop(handles->list[i]);
    }
}

// Every request but a read is answered at once, info when the thread waits for the next message.
static void serve_other(struct virtioblkd *service, const struct virtio_blk_request_reader *request,
                        struct handles *handles)
{
    switch (virtio_blk_request_which(request)) {
    case VIRTIO_BLK_REQUEST_INFO:
        service->answer = ANSWER_INFO;
        break;
    case VIRTIO_BLK_REQUEST_OPEN_QUEUE:
        serve_open(service, virtio_blk_request_open_queue_notice_bits(request), handles);
        break;
    case VIRTIO_BLK_REQUEST_ATTACH:
        serve_attach(service, handles);
        break;
    case VIRTIO_BLK_REQUEST_DETACH:
        serve_detach(service, virtio_blk_request_detach_slot(request), handles);
        break;
    case VIRTIO_BLK_REQUEST_CHECK_QUEUE:
        serve_check(service, handles);
        break;
    default: // from a client with a newer schema
        answer_status(NX_ERR_UNSUPPORTED);
    }
}

void serve_message(struct virtioblkd *service, const struct nx_message *message)
{
    struct capnp_reader reader;
    struct virtio_blk_request_reader request;
    struct handles handles;

    handles_take(message, &handles);
    enum nx_status status =
        virtio_blk_request_decode(nx_page()->data, NX_INFO_BYTES(message->info), &reader, &request);
    if (status != NX_OK) {
        answer_send(NX_HANDLE_NONE, NX_ERR_BAD_FORMAT, 0);
    } else if (virtio_blk_request_which(&request) == VIRTIO_BLK_REQUEST_READ) {
        service->now = nx_clock_now();
        struct virtio_blk_request_read_scalars read = virtio_blk_request_read_scalars(&request);
        const struct read_arguments arguments = {
            .lba = read.lba,
            .count = read.count,
            .offset = read.memory_offset,
            .slot = read.slot,
            .badge = message->badge,
        };
        bool handle_rides = handles.count == 1 && read.slot == 0;
        if (serve_read(service, &arguments, handle_rides ? handles.list[0] : NX_HANDLE_NONE) &&
            handle_rides) {
            handles.count = 0;
        }
    } else {
        serve_other(service, &request, &handles);
    }
    handles_drop(&handles);
}
