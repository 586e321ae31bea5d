// SPDX-License-Identifier: Apache-2.0
// Sessions from openQueue to the client's end.
//
// How the end is noticed: the client keeps the only right to receive on its lifeline endpoint. The
// session's watcher thread calls that endpoint. The call comes back when the client closes the
// endpoint or dies, or if it answers; all of that is the end. The watcher then sets `gone` and
// wakes the working thread. Nothing is polled, and no time runs.
//
//     open --> entries are taken --gone--> none is taken; reads in flight end --> freed
//
// A session's memory objects stay held, and so their frames in use, until no read of it is in
// flight: what the device may still write to belongs to nobody else. Where the device ignores even
// resets, they are held for ever.
#include "nexus/clock.h"
#include "nexus/memory.h"
#include "virtioblkd.h"

#define WATCHER_STACK_BYTES 4096u
// What a session needs besides its struct: the watcher's pages and kernel object, the mapped ring,
// tables for all of them. And what stays for the rest of the program, so that no client's session
// makes it run out.
#define SESSION_OTHER_PAGES 12u
#define PAGES_KEPT          16u

// A session's badge: when it was opened, in nanoseconds, and its number. Clients' own badges are
// nexus-init's, and small.
#define BADGE_SESSION      (1ull << 63)
#define BADGE_NUMBER_BITS  3u
#define BADGE_NUMBER(word) ((uint32_t)(word) & (SESSIONS_MAX - 1))
static_assert(SESSIONS_MAX == 1u << BADGE_NUMBER_BITS, "a badge has room for a session's number");

static void client_watch(void *context)
{
    struct session *session = context;
    struct nx_message message = {0};

    // However it ends. A client that answers may send handles, of which this program has no use.
    enum nx_status status = nx_endpoint_call(session->lifeline, &message);
    for (uint32_t i = 0; status == NX_OK && i < NX_INFO_HANDLES(message.info); i++) {
        nx_handle_drop(nx_page()->handles[i]);
    }
    // Release: nothing depends on it but the order with the signal, which the kernel makes.
    atomic_store_explicit(&session->gone, true, memory_order_release);
    (void)!nx_notification_signal(session->service->notification, BIT_CLIENT_GONE);
}

// ---- Opening ------------------------------------------------------------------------------------

static enum nx_status ring_locate(const struct virtioblkd *service, nx_handle ring_memory,
                                  uint64_t *address)
{
    struct virtio_blk_segment segment;
    uint32_t count;
    enum nx_status status =
        memory_segments(service->machine, ring_memory, 0, BLOCK_RING_BYTES, &segment, 1, &count);
    if (status == NX_OK) {
        *address = segment.bus_address;
    }
    return status;
}

static struct session *session_at(const struct virtioblkd *service, uint64_t ring_address)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (service->sessions[i] != NULL && service->sessions[i]->ring_address == ring_address) {
            return service->sessions[i];
        }
    }
    return NULL;
}

// The first number that no session has, SESSIONS_MAX when all have one.
static uint32_t number_free(const struct virtioblkd *service)
{
    uint32_t number = 0;
    while (number < SESSIONS_MAX && service->sessions[number] != NULL) {
        number++;
    }
    return number;
}

// Memory for a session, all of it there: a fault that the budget does not allow would be the end of
// this program. The watcher's memory comes on demand, so the budget is looked at before.
static enum nx_status session_allocate(struct session **session)
{
    struct nx_process_facts facts;
    nx_handle memory;
    void *storage;
    uint64_t bytes = NX_PAGE_ROUND_UP(sizeof(**session));
    enum nx_status status = nx_process_info(NX_HANDLE_NONE, &facts);
    if (status == NX_OK && facts.pages_budget - facts.pages_used <
                               bytes / NX_PAGE_SIZE + SESSION_OTHER_PAGES + PAGES_KEPT) {
        status = NX_ERR_NO_MEMORY;
    }
    if (status == NX_OK) {
        status = nx_memory_create(bytes, 0, &memory);
    }
    if (status != NX_OK) {
        return status;
    }
    status = nx_map(memory, 0, bytes, NX_PROT_READ | NX_PROT_WRITE | NX_PROT_POPULATE, &storage);
    nx_handle_drop(memory);
    *session = storage;
    return status;
}

// Maps the page, makes the endpoint's handle and starts the watcher; on a failure nothing is left.
static enum nx_status session_begin(struct session *session)
{
    const struct nx_thread_options options = {.stack_bytes = WATCHER_STACK_BYTES,
                                              .class = NX_CLASS_DRIVER};
    void *page;
    enum nx_status status = nx_map(session->ring_memory, 0, BLOCK_RING_BYTES,
                                   NX_PROT_READ | NX_PROT_WRITE | NX_PROT_POPULATE, &page);
    if (status != NX_OK) {
        return status;
    }
    session->ring.ring = page;
    status = nx_handle_duplicate(session->service->service, NX_RIGHT_CALL | NX_RIGHT_TRANSFER,
                                 session->badge, &session->endpoint);
    if (status == NX_OK) {
        status = nx_thread_spawn(&options, client_watch, session, &session->watcher);
    }
    if (status != NX_OK) {
        nx_handle_drop(session->endpoint);
        nx_unmap(page);
    }
    return status;
}

// The handle's type and rights, of which it has all of `wanted` and none of `unwanted`.
static enum nx_status handle_check(nx_handle handle, enum nx_object_type wanted_type,
                                   uint32_t wanted, uint32_t unwanted)
{
    enum nx_object_type type;
    uint32_t rights;
    enum nx_status status = nx_handle_info(handle, &type, &rights);
    if (status != NX_OK) {
        return status;
    }
    if (type != wanted_type) {
        return NX_ERR_WRONG_TYPE;
    }
    return (rights & wanted) == wanted && (rights & unwanted) == 0 ? NX_OK : NX_ERR_ACCESS_DENIED;
}

// What is kept of a client must not keep the session: with a right to receive on the lifeline, or
// on that of another session, this program would be the one whose end is waited for.
static enum nx_status request_check(const struct session_request *request)
{
    if (request->notice_bits == 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    enum nx_status status =
        handle_check(request->notification, NX_OBJECT_NOTIFICATION, NX_RIGHT_SIGNAL, 0);
    return status != NX_OK ? status
                           : handle_check(request->lifeline, NX_OBJECT_ENDPOINT, NX_RIGHT_CALL,
                                          NX_RIGHT_RECEIVE);
}

enum nx_status session_open(struct virtioblkd *service, const struct session_request *request,
                            uint32_t *number)
{
    struct session *session;
    uint64_t ring_address;

    sessions_reap(service);
    *number = number_free(service);
    enum nx_status status = request_check(request);
    if (status == NX_OK) {
        status = ring_locate(service, request->ring_memory, &ring_address);
    }
    if (status != NX_OK) {
        return status;
    }
    if (session_at(service, ring_address) != NULL) {
        return NX_ERR_ALREADY_EXISTS;
    }
    if (*number == SESSIONS_MAX) {
        return NX_ERR_BUSY;
    }
    status = session_allocate(&session);
    if (status != NX_OK) {
        return status;
    }
    session->service = service;
    session->number = *number;
    session->mask = 1u << *number;
    session->badge = BADGE_SESSION | nx_clock_now() << BADGE_NUMBER_BITS | *number;
    session->ring_address = ring_address;
    session->ring_memory = request->ring_memory;
    session->notification = request->notification;
    session->notice_bits = request->notice_bits;
    session->lifeline = request->lifeline;
    for (uint32_t i = BLOCK_RING_DEPTH; i > 0; i--) { // the first one comes off the list first
        read_init(&session->reads[i - 1], session, &session->free);
    }
    status = session_begin(session);
    if (status != NX_OK) {
        nx_unmap(session);
        return status;
    }
    service->sessions[*number] = session;
    service->session_count++;
    return NX_OK;
}

enum nx_status session_find(const struct virtioblkd *service, nx_handle ring_memory,
                            struct session **session)
{
    uint64_t ring_address;
    enum nx_status status = ring_locate(service, ring_memory, &ring_address);
    if (status != NX_OK) {
        return status;
    }
    *session = session_at(service, ring_address);
    return *session != NULL ? NX_OK : NX_ERR_NOT_FOUND;
}

struct session *session_of_badge(const struct virtioblkd *service, uint64_t badge)
{
    struct session *session = service->sessions[BADGE_NUMBER(badge)];
    return session != NULL && session->badge == badge ? session : NULL;
}

// ---- Memory -------------------------------------------------------------------------------------

// A device that ignores resets may write there for ever: the handle then stays.
static void memory_release(const struct session *session, uint32_t slot)
{
    if (session->service->device.state != VIRTIO_BLK_LOST) {
        nx_handle_drop(session->memories[slot]);
    }
}

enum nx_status session_attach(struct session *session, nx_handle memory, uint32_t *slot)
{
    enum nx_object_type type;
    uint32_t rights;
    if (session->service->device.state == VIRTIO_BLK_LOST) {
        return NX_ERR_DEVICE; // it could not be let go any more
    }
    enum nx_status status = nx_handle_info(memory, &type, &rights);
    if (status != NX_OK) {
        return status;
    }
    if (type != NX_OBJECT_MEMORY) {
        return NX_ERR_WRONG_TYPE;
    }
    if ((rights & NX_RIGHT_WRITE) == 0) {
        return NX_ERR_ACCESS_DENIED;
    }
    for (uint32_t i = 0; i < SESSION_MEMORIES_MAX; i++) {
        if (session->memories[i] == NX_HANDLE_NONE) {
            session->memories[i] = memory;
            session->pieces[i] = memory_piece(session->service->machine, memory);
            *slot = i;
            return NX_OK;
        }
    }
    return NX_ERR_BUSY;
}

enum nx_status session_detach(struct session *session, uint32_t slot)
{
    if (slot >= SESSION_MEMORIES_MAX || session->memories[slot] == NX_HANDLE_NONE) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    for (uint32_t i = 0; i < BLOCK_RING_DEPTH; i++) {
        if (session->reads[i].slot == slot) {
            return NX_ERR_BUSY;
        }
    }
    for (uint32_t i = 0; i < READS_MAX; i++) {
        const struct read *read = &session->service->reads[i];
        if (read->lender == session && read->slot == slot) {
            return NX_ERR_BUSY;
        }
    }
    session_segments_forget(session, slot);
    memory_release(session, slot);
    session->memories[slot] = NX_HANDLE_NONE;
    session->pieces[slot] = (struct virtio_blk_segment){0};
    return NX_OK;
}

// ---- The end ------------------------------------------------------------------------------------

static void session_end(struct session *session)
{
    struct virtioblkd *service = session->service;

    // It has signalled, so it is on its way out.
    (void)!nx_thread_join(&session->watcher);
    service->sessions[session->number] = NULL;
    service->session_count--;
    service->sessions_ready &= ~(1u << session->number);
    service->sessions_answered &= ~(1u << session->number);
    for (uint32_t slot = 0; slot < SESSION_MEMORIES_MAX; slot++) {
        memory_release(session, slot);
    }
    nx_handle_drop(session->notification);
    nx_handle_drop(session->endpoint);
    nx_handle_drop(session->lifeline);
    nx_unmap(session->ring.ring);
    nx_handle_drop(session->ring_memory);
    nx_unmap(session);
}

void sessions_reap(struct virtioblkd *service)
{
    service->sessions_ending = false;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = service->sessions[i];
        // Acquire: pairs with the release in client_watch.
        if (session == NULL || !atomic_load_explicit(&session->gone, memory_order_acquire)) {
            continue;
        }
        if (session->in_flight == 0) {
            session_end(session);
        } else {
            service->sessions_ending = true; // look again
        }
    }
}
