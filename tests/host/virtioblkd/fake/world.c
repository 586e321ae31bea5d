// SPDX-License-Identifier: Apache-2.0
// The kernel that virtioblkd's tests run on, and what clients and time do there; see world.h.
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/memory.h"

static _Alignas(NX_PAGE_SIZE) uint8_t arena[ARENA_BYTES];
struct world *world;

// ---- The kernel ---------------------------------------------------------------------------------

static struct nx_message_page page;
_Thread_local struct nx_message_page *nx_thread_page;
struct nx_start_info nx_start_record;
nx_handle nx_start_handles[NX_START_HANDLES_MAX];

nx_handle nx_start_handle_find(enum nx_start_id id)
{
    (void)id;
    return NX_HANDLE_NONE;
}

struct memory *memory_of(nx_handle handle)
{
    assert_in_range(handle, 1, world->memory_count);
    return &world->memories[handle];
}

enum nx_status nx_memory_create(uint64_t size, uint32_t flags, nx_handle *memory)
{
    assert_true(world->memory_count + 1 < HANDLES_MAX);
    assert_true(size % WORLD_PAGE == 0 && size <= ARENA_BYTES - world->arena_used);
    *memory = ++world->memory_count;
    world->memories[*memory] =
        (struct memory){.size = size, .at = world->arena_used, .flags = flags};
    world->arena_used += size;
    return NX_OK;
}

enum nx_status nx_map(nx_handle memory, uint64_t offset, uint64_t length, uint32_t protection,
                      void **address)
{
    (void)protection;
    assert_true(length <= memory_of(memory)->size - offset);
    *address = arena + memory_of(memory)->at + offset;
    return NX_OK;
}

void nx_unmap(const void *address)
{
    (void)address;
}

enum nx_status nx_memory_new(uint64_t length, uint32_t flags, nx_handle *memory, void **address)
{
    enum nx_status status = nx_memory_create(length, flags, memory);
    return status == NX_OK ? nx_map(*memory, 0, length, NX_PROT_READ, address) : status;
}

enum nx_status nx_memory_info(nx_handle memory, struct nx_memory_facts *facts)
{
    *facts = (struct nx_memory_facts){memory_of(memory)->size, memory_of(memory)->flags};
    return NX_OK;
}

enum nx_status nx_memory_physical(nx_handle machine, nx_handle memory, uint64_t offset,
                                  uint64_t length, uint64_t *count)
{
    (void)machine;
    struct nx_extent *extents = (struct nx_extent *)(void *)nx_page()->data;
    assert_true(length <= memory_of(memory)->size - offset);
    assert_false(memory_of(memory)->dropped);
    extents[0] = (struct nx_extent){ARENA_BUS + memory_of(memory)->at + offset, length};
    *count = 1;
    return NX_OK;
}

void nx_handle_drop(nx_handle handle)
{
    if (handle != NX_HANDLE_NONE && handle < OTHER_HANDLE) {
        assert_false(memory_of(handle)->dropped);
        memory_of(handle)->dropped = true;
    }
}

enum nx_status nx_handle_info(nx_handle handle, enum nx_object_type *type, uint32_t *rights)
{
    *type = handle == NOTIFICATION ? NX_OBJECT_NOTIFICATION
            : handle == LIFELINE   ? NX_OBJECT_ENDPOINT
                                   : NX_OBJECT_MEMORY;
    *rights = handle == NOTIFICATION ? NX_RIGHT_SIGNAL
              : handle == LIFELINE   ? world->lifeline_rights
                                     : NX_RIGHT_WRITE;
    return NX_OK;
}

enum nx_status nx_handle_duplicate(nx_handle handle, uint32_t rights, uint64_t badge,
                                   nx_handle *duplicate)
{
    (void)handle;
    (void)rights;
    (void)badge;
    *duplicate = OTHER_HANDLE;
    return NX_OK;
}

enum nx_status nx_process_info(nx_handle process, struct nx_process_facts *facts)
{
    (void)process;
    *facts = (struct nx_process_facts){.pages_budget = UINT32_MAX};
    return NX_OK;
}

enum nx_status nx_thread_spawn(const struct nx_thread_options *options, void (*entry)(void *),
                               void *argument, struct nx_thread *thread)
{
    (void)options;
    (void)entry; // waits for the client's end, which the test says
    (void)argument;
    *thread = (struct nx_thread){0};
    return NX_OK;
}

enum nx_status nx_thread_join(struct nx_thread *thread)
{
    (void)thread;
    return NX_OK;
}

enum nx_status nx_endpoint_call(nx_handle endpoint, struct nx_message *message)
{
    (void)endpoint;
    (void)message;
    return NX_ERR_PEER_CLOSED;
}

enum nx_status nx_notification_signal(nx_handle notification, uint64_t bits)
{
    (void)notification;
    assert_int_equal(bits, CLIENT_NOTICE);
    world->notices++;
    return NX_OK;
}

// Only the probe waits by itself.
enum nx_status nx_notification_wait(nx_handle notification, uint64_t deadline, uint64_t *bits)
{
    (void)notification;
    *bits = BIT_INTERRUPT;
    if (device_model_line(&world->model)) {
        return NX_OK;
    }
    world->now = deadline;
    return NX_ERR_TIMED_OUT;
}

enum nx_status nx_interrupt_ack(nx_handle interrupt)
{
    (void)interrupt;
    return NX_OK;
}

uint64_t nx_clock_now(void)
{
    return world->now;
}

uint64_t nx_deadline_after(uint64_t nanoseconds)
{
    return world->now + nanoseconds;
}

void nx_sleep(uint64_t nanoseconds)
{
    world->now += nanoseconds;
}

void nx_log(const char *format, ...)
{
    (void)format;
}

// ---- serve.c ------------------------------------------------------------------------------------

void serve_read_answer(nx_handle reply, enum nx_status status, uint32_t bytes)
{
    (void)bytes;
    assert_int_equal(reply, OTHER_HANDLE);
    world->answers++;
    world->answer_status = status;
}

// ---- What tests do ------------------------------------------------------------------------------

static uint32_t device_read32(void *context, uint32_t offset)
{
    return device_model_read(&((struct world *)context)->model, offset);
}

static void device_write32(void *context, uint32_t offset, uint32_t value)
{
    device_model_write(&((struct world *)context)->model, offset, value);
}

static void device_fence(void *context)
{
    (void)context;
    atomic_thread_fence(memory_order_seq_cst);
}

static const struct virtio_blk_ops ops = {
    .read32 = device_read32,
    .write32 = device_write32,
    .fence = device_fence,
};

int world_begin(void **state)
{
    (void)state;
    world = calloc(1, sizeof(*world));
    assert_non_null(world);
    nx_thread_page = &page;
    world->now = NX_SECOND;
    memset(arena, 0, sizeof(arena));
    device_model_init(&world->model, 2);
    world->model.resets_late = true;
    device_model_map(&world->model, ARENA_BUS, arena, ARENA_BYTES);
    struct virtioblkd *service = &world->service;
    struct virtio_blk_dma dma = {.length = VIRTIO_BLK_DMA_BYTES};
    assert_int_equal(
        nx_memory_new(VIRTIO_BLK_DMA_BYTES, NX_MEMORY_CONTIGUOUS, &service->rings, &dma.address),
        NX_OK);
    dma.bus_address = ARENA_BUS + memory_of(service->rings)->at;
    service->now = world->now;
    reads_init(service);
    return virtio_blk_attach(&service->device, &ops, world, &dma, world->now) == NX_OK ? 0 : -1;
}

int world_end(void **state)
{
    (void)state;
    bool right = world->model.complaint[0] == '\0' && !memory_of(world->service.rings)->dropped;
    free(world);
    return right ? 0 : -1;
}

nx_handle memory_make(void)
{
    nx_handle memory;
    assert_int_equal(nx_memory_create(WORLD_PAGE, 0, &memory), NX_OK);
    return memory;
}

nx_handle message_read(void)
{
    struct virtioblkd *service = &world->service;
    struct read *read = service->free;
    assert_non_null(read);
    service->free = read->next;
    service->messages++;
    read->memory = memory_make();
    read->reply = OTHER_HANDLE;
    read->request.first_sector = 0;
    read->request.sector_count = READ_SECTORS;
    assert_int_equal(memory_segments(service->machine, read->memory, 0, WORLD_PAGE, read->segments,
                                     VIRTIO_BLK_MAX_SEGMENTS, &read->request.segment_count),
                     NX_OK);
    read_start(service, read);
    return read->memory;
}

struct session_request client_request(struct client *client)
{
    void *ring;
    *client = (struct client){0};
    assert_int_equal(nx_memory_new(BLOCK_RING_BYTES, 0, &client->ring_memory, &ring), NX_OK);
    client->ring = ring;
    world->lifeline_rights = NX_RIGHT_CALL;
    return (struct session_request){.ring_memory = client->ring_memory,
                                    .notification = NOTIFICATION,
                                    .lifeline = LIFELINE,
                                    .notice_bits = CLIENT_NOTICE};
}

void client_open(struct client *client)
{
    uint32_t number;
    const struct session_request request = client_request(client);
    assert_int_equal(session_open(&world->service, &request, &number), NX_OK);
    client->session = world->service.sessions[number];
}

uint32_t client_attach(struct client *client, nx_handle memory)
{
    uint32_t slot;
    assert_int_equal(session_attach(client->session, memory, &slot), NX_OK);
    return slot;
}

void client_read(struct client *client, uint32_t slot, uint32_t sectors)
{
    const struct block_ring_entry entry = {
        .count = sectors, .slot = (uint16_t)slot, .tag = CLIENT_TAG};
    block_ring_put(client->ring, client->submitted, &entry);
    (void)block_ring_publish(client->ring, client->submitted, client->submitted + 1);
    client->submitted++;
    world->service.sessions_ready |= client->session->mask;
}

void client_dies(const struct client *client)
{
    atomic_store(&client->session->gone, true);
    sessions_reap(&world->service);
}

void assert_client_told(const struct client *client, enum nx_status expected)
{
    uint16_t tag;
    uint16_t status;
    assert_int_equal(block_ring_answers(client->ring, 0), 1);
    block_ring_answer(client->ring, 0, &tag, &status);
    assert_int_equal(tag, CLIENT_TAG);
    assert_int_equal(status, expected);
}

enum nx_status settle(void)
{
    return reads_settle(&world->service);
}

enum nx_status expire_after(uint64_t nanoseconds)
{
    world->now += nanoseconds;
    world->service.now = world->now;
    enum nx_status status = reads_expire(&world->service);
    return status == NX_OK ? settle() : status;
}

void lose_device(void)
{
    world->model.reset_delay = NEVER;
    assert_int_equal(settle(), NX_OK);
    assert_int_equal(expire_after(PATIENCE), NX_OK);
    assert_int_equal(world->service.device.state, VIRTIO_BLK_RESETTING);
    assert_int_equal(world->answers, 0);
    while (world->service.device.state == VIRTIO_BLK_RESETTING) {
        assert_int_equal(expire_after(NX_MILLISECOND), NX_OK);
    }
    assert_int_equal(world->service.device.state, VIRTIO_BLK_LOST);
}

void assert_kept(nx_handle memory)
{
    assert_false(memory_of(memory)->dropped);
}

void assert_given_back(nx_handle memory)
{
    assert_true(memory_of(memory)->dropped);
}
