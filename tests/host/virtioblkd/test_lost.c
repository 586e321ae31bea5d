// SPDX-License-Identifier: Apache-2.0
// What becomes of memory when virtioblkd's device does not answer: while the device may still write
// to it, because no reset has taken (LOST), its handle stays; once a reset has taken, it goes back.
// And what is kept of a client must not keep its session.
// The probe keeps its request for as long as its process lives: each test has a process of its own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "each_alone.h"
#include "virtioblkd/virtioblkd.h"

#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/memory.h"
#include "virtio-blk/device_model.h"

#define PAGE         NX_PAGE_SIZE
#define ARENA_BUS    UINT64_C(0x90000000)
#define ARENA_BYTES  (8u << 20)
#define HANDLES_MAX  256u
#define OTHER_HANDLE 1000u // of what is no memory: never minded
#define NOTIFICATION 1001u
#define LIFELINE     1002u
#define PATIENCE     (10 * NX_SECOND)
#define LONG         (NX_SECOND)
#define SECTORS      8u
#define NEVER        UINT32_MAX
#define RESETS_MAX   40u
#define NOTICE       1u

struct memory {
    uint64_t size;
    uint64_t at; // in the arena
    uint32_t flags;
    bool dropped;
};

struct world {
    struct virtioblkd service;
    struct device_model model;
    uint64_t now;
    struct memory memories[HANDLES_MAX]; // by handle
    uint32_t memory_count;
    uint64_t arena_used;
    uint32_t answers; // to messages
    enum nx_status answer_status;
    uint32_t notices;
    uint32_t lifeline_rights;
};

static _Alignas(NX_PAGE_SIZE) uint8_t arena[ARENA_BYTES];
static struct world *world;

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

static struct memory *memory_of(nx_handle handle)
{
    assert_in_range(handle, 1, world->memory_count);
    return &world->memories[handle];
}

enum nx_status nx_memory_create(uint64_t size, uint32_t flags, nx_handle *memory)
{
    assert_true(world->memory_count + 1 < HANDLES_MAX);
    assert_true(size % PAGE == 0 && size <= ARENA_BYTES - world->arena_used);
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
    assert_int_equal(bits, NOTICE);
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

// A service whose device is correct, and attached.
static int setup(void **state)
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

static int teardown(void **state)
{
    (void)state;
    bool right = world->model.complaint[0] == '\0' && !memory_of(world->service.rings)->dropped;
    free(world);
    return right ? 0 : -1;
}

static nx_handle memory_make(void)
{
    nx_handle memory;
    assert_int_equal(nx_memory_create(PAGE, 0, &memory), NX_OK);
    return memory;
}

// A read that comes as a message, with memory of its own; the memory.
static nx_handle message_read(void)
{
    struct virtioblkd *service = &world->service;
    struct read *read = service->free;
    assert_non_null(read);
    service->free = read->next;
    service->messages++;
    read->memory = memory_make();
    read->reply = OTHER_HANDLE;
    read->request.first_sector = 0;
    read->request.sector_count = SECTORS;
    assert_int_equal(memory_segments(service->machine, read->memory, 0, PAGE, read->segments,
                                     VIRTIO_BLK_MAX_SEGMENTS, &read->request.segment_count),
                     NX_OK);
    read_start(service, read);
    return read->memory;
}

struct client {
    nx_handle ring_memory;
    struct block_ring *ring;
    struct session *session;
    uint32_t submitted;
};

static struct session_request client_request(struct client *client)
{
    void *ring;
    *client = (struct client){0};
    assert_int_equal(nx_memory_new(BLOCK_RING_BYTES, 0, &client->ring_memory, &ring), NX_OK);
    client->ring = ring;
    world->lifeline_rights = NX_RIGHT_CALL;
    return (struct session_request){.ring_memory = client->ring_memory,
                                    .notification = NOTIFICATION,
                                    .lifeline = LIFELINE,
                                    .notice_bits = NOTICE};
}

static void client_open(struct client *client)
{
    uint32_t number;
    const struct session_request request = client_request(client);
    assert_int_equal(session_open(&world->service, &request, &number), NX_OK);
    client->session = world->service.sessions[number];
}

static uint32_t client_attach(struct client *client, nx_handle memory)
{
    uint32_t slot;
    assert_int_equal(session_attach(client->session, memory, &slot), NX_OK);
    return slot;
}

static void client_read(struct client *client, uint32_t slot)
{
    const struct block_ring_entry entry = {.count = SECTORS, .slot = (uint16_t)slot, .tag = 7};
    block_ring_put(client->ring, client->submitted, &entry);
    (void)block_ring_publish(client->ring, client->submitted, client->submitted + 1);
    client->submitted++;
    world->service.sessions_ready |= client->session->mask;
}

static void client_dies(const struct client *client)
{
    atomic_store(&client->session->gone, true);
    sessions_reap(&world->service);
}

static void assert_client_told(const struct client *client, enum nx_status expected)
{
    uint16_t tag;
    uint16_t status;
    assert_int_equal(block_ring_answers(client->ring, 0), 1);
    block_ring_answer(client->ring, 0, &tag, &status);
    assert_int_equal(tag, 7);
    assert_int_equal(status, expected);
}

static enum nx_status settle(void)
{
    return reads_settle(&world->service);
}

// Time passes: the service does what is due, and then settles, as its loop does.
static enum nx_status expire_after(uint64_t nanoseconds)
{
    world->now += nanoseconds;
    world->service.now = world->now;
    enum nx_status status = reads_expire(&world->service);
    return status == NX_OK ? settle() : status;
}

// What is in flight runs into its time-out, and the device ignores the reset.
static void lose_device(void)
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

static void assert_kept(nx_handle memory)
{
    assert_false(memory_of(memory)->dropped);
}

static void assert_given_back(nx_handle memory)
{
    assert_true(memory_of(memory)->dropped);
}

// ---- Time passes ------------------------------------------------------------------------------

// What the loop of main.c does while a client rings its doorbell every half millisecond.
static void ring_for(const struct client *client, uint64_t nanoseconds)
{
    for (uint64_t end = world->now + nanoseconds; world->now < end;) {
        uint64_t deadline = reads_deadline(&world->service);
        world->now += NX_MILLISECOND / 2;
        world->service.now = world->now;
        world->service.sessions_ready |= client->session->mask;
        assert_int_equal(world->now >= deadline ? expire_after(0) : settle(), NX_OK);
    }
}

static void test_a_client_that_rings_without_end_keeps_no_reset_from_its_end(void **state)
{
    (void)state;
    struct client client;
    client_open(&client);
    nx_handle memory = message_read();
    world->model.reset_delay = 3; // done at the fourth look
    assert_int_equal(settle(), NX_OK);
    assert_int_equal(expire_after(PATIENCE), NX_OK);
    assert_int_equal(world->service.device.state, VIRTIO_BLK_RESETTING);
    ring_for(&client, 10 * NX_MILLISECOND);
    assert_int_equal(world->service.device.state, VIRTIO_BLK_READY);
    device_model_complete_all(&world->model); // the read was sent again
    assert_int_equal(reads_interrupt(&world->service), NX_OK);
    assert_int_equal(settle(), NX_OK);
    assert_int_equal(world->answers, 1);
    assert_given_back(memory);
}

// ---- Lost ---------------------------------------------------------------------------------------

static void test_a_message_s_read_in_flight_is_an_error_and_its_memory_stays(void **state)
{
    (void)state;
    nx_handle memory = message_read();
    lose_device();
    assert_int_equal(world->answers, 1);
    assert_int_equal(world->answer_status, NX_ERR_DEVICE);
    assert_int_equal(world->service.messages, 0);
    assert_kept(memory);
}

static void test_a_read_that_waited_is_an_error_and_its_memory_goes_back(void **state)
{
    (void)state;
    nx_handle in_flight = message_read();
    world->model.reset_delay = NEVER;
    assert_int_equal(settle(), NX_OK);
    assert_int_equal(expire_after(PATIENCE), NX_OK);
    nx_handle waiting = message_read(); // while the device is being reset
    while (world->service.device.state == VIRTIO_BLK_RESETTING) {
        assert_int_equal(expire_after(NX_MILLISECOND), NX_OK);
    }
    assert_int_equal(world->answers, 2);
    assert_kept(in_flight);
    assert_given_back(waiting); // the device never knew it
}

static void test_later_reads_are_told_at_once(void **state)
{
    (void)state;
    (void)message_read();
    lose_device();
    nx_handle memory = message_read();
    assert_int_equal(world->answers, 2);
    assert_int_equal(world->answer_status, NX_ERR_DEVICE);
    assert_given_back(memory);
    assert_int_equal(settle(), NX_OK);
}

static void test_a_queue_s_read_in_flight_is_an_error_and_its_memory_stays(void **state)
{
    (void)state;
    struct client client;
    nx_handle memory = memory_make();
    client_open(&client);
    client_read(&client, client_attach(&client, memory));
    lose_device();
    assert_client_told(&client, NX_ERR_DEVICE);
    assert_kept(memory);
}

static void test_a_memory_that_is_detached_from_a_lost_device_stays(void **state)
{
    (void)state;
    struct client client;
    nx_handle memory = memory_make();
    client_open(&client);
    uint32_t slot = client_attach(&client, memory);
    client_read(&client, slot);
    lose_device();
    assert_int_equal(session_detach(client.session, slot), NX_OK);
    assert_int_equal(session_detach(client.session, slot), NX_ERR_INVALID_ARGUMENT);
    assert_kept(memory);
}

// Else a client could have this program hold ever more of what it detaches.
static void test_nothing_is_attached_to_a_lost_device(void **state)
{
    (void)state;
    struct client client;
    uint32_t slot;
    client_open(&client);
    (void)message_read();
    lose_device();
    assert_int_equal(session_attach(client.session, memory_make(), &slot), NX_ERR_DEVICE);
}

static void test_a_client_that_ends_after_its_device_was_lost_leaves_its_memory(void **state)
{
    (void)state;
    struct client client;
    nx_handle memory = memory_make();
    client_open(&client);
    client_read(&client, client_attach(&client, memory));
    lose_device();
    client_dies(&client);
    assert_int_equal(world->service.session_count, 0);
    assert_kept(memory);
    assert_given_back(client.ring_memory); // no device knows it
}

// ---- A reset that takes -------------------------------------------------------------------------

static void
test_memory_in_flight_is_not_detached_and_goes_back_once_the_device_is_reset(void **state)
{
    (void)state;
    struct client client;
    nx_handle memory = memory_make();
    client_open(&client);
    uint32_t slot = client_attach(&client, memory);
    client_read(&client, slot);
    world->model.reset_delay = 5;
    assert_int_equal(settle(), NX_OK);
    assert_int_equal(session_detach(client.session, slot), NX_ERR_BUSY);
    assert_int_equal(expire_after(PATIENCE), NX_OK);
    assert_int_equal(world->service.device.state, VIRTIO_BLK_RESETTING);
    assert_int_equal(session_detach(client.session, slot), NX_ERR_BUSY);
    client_dies(&client);
    assert_kept(memory);
    while (world->service.device.state == VIRTIO_BLK_RESETTING) {
        assert_int_equal(expire_after(NX_MILLISECOND), NX_OK);
    }
    assert_kept(memory); // it is in flight again
    device_model_complete_all(&world->model);
    assert_int_equal(reads_interrupt(&world->service), NX_OK);
    sessions_reap(&world->service);
    assert_given_back(memory);
}

static void test_a_device_that_never_answers_is_given_up_with_everybody_told(void **state)
{
    (void)state;
    nx_handle memories[3];
    enum nx_status status = NX_OK;
    uint32_t resets = 0;
    uint32_t last = 0;
    for (; status == NX_OK && resets < RESETS_MAX; resets++) {
        if (world->service.messages == 0) { // somebody tries again
            last = world->answers;
            for (size_t i = 0; i < 3; i++) {
                memories[i] = message_read();
            }
            assert_int_equal(settle(), NX_OK);
        }
        status = expire_after(PATIENCE);
    }
    assert_int_equal(status, NX_ERR_DEVICE);
    assert_int_equal(world->service.messages, 0);
    assert_int_equal(world->answers, last + 3);
    assert_true(world->answer_status == NX_ERR_IO || world->answer_status == NX_ERR_TIMED_OUT);
    for (size_t i = 0; i < 3; i++) {
        assert_given_back(memories[i]); // the device has been reset
    }
}

static void test_a_device_that_does_not_start_again_is_given_up_with_everybody_told(void **state)
{
    (void)state;
    nx_handle memory = message_read();
    assert_int_equal(settle(), NX_OK);
    world->model.capacity = 0; // refused at its next start
    assert_int_equal(expire_after(PATIENCE), NX_ERR_DEVICE);
    assert_int_equal(world->answers, 1);
    assert_int_equal(world->answer_status, NX_ERR_IO);
    assert_given_back(memory);
}

// ---- The probe ----------------------------------------------------------------------------------

// The only memory that the probe makes.
static nx_handle probe_run(enum nx_status expected)
{
    nx_handle memory = world->memory_count + 1;
    assert_int_equal(probe(&world->service), expected);
    assert_int_equal(world->memory_count, memory);
    return memory;
}

static void test_a_probe_that_works_gives_its_page_back(void **state)
{
    (void)state;
    world->model.automatic = true;
    assert_given_back(probe_run(NX_OK));
}

static void test_a_probe_without_answer_gives_its_page_back_once_the_device_is_reset(void **state)
{
    (void)state;
    world->model.reset_delay = 5;
    assert_given_back(probe_run(NX_ERR_TIMED_OUT));
    assert_int_equal(world->service.device.state, VIRTIO_BLK_READY);
}

static void test_a_probe_whose_device_ignores_the_reset_keeps_its_page(void **state)
{
    (void)state;
    world->model.reset_delay = NEVER;
    assert_kept(probe_run(NX_ERR_TIMED_OUT));
    assert_int_equal(world->service.device.state, VIRTIO_BLK_LOST);
}

// This program would be the one whose end is waited for.
static void test_a_lifeline_on_which_the_driver_could_receive_is_refused(void **state)
{
    (void)state;
    struct client client;
    uint32_t number;
    const struct session_request request = client_request(&client);
    world->lifeline_rights = NX_RIGHT_CALL | NX_RIGHT_RECEIVE;
    assert_int_equal(session_open(&world->service, &request, &number), NX_ERR_ACCESS_DENIED);
    world->lifeline_rights = NX_RIGHT_TRANSFER;
    assert_int_equal(session_open(&world->service, &request, &number), NX_ERR_ACCESS_DENIED);
    assert_int_equal(world->service.session_count, 0);
}

static void test_a_session_keeps_nothing_but_a_notification_and_an_endpoint(void **state)
{
    (void)state;
    struct client client;
    uint32_t number;
    struct session_request request = client_request(&client);
    request.notification = LIFELINE;
    assert_int_equal(session_open(&world->service, &request, &number), NX_ERR_WRONG_TYPE);
    request.notification = NOTIFICATION;
    request.lifeline = NOTIFICATION;
    assert_int_equal(session_open(&world->service, &request, &number), NX_ERR_WRONG_TYPE);
    assert_int_equal(world->service.session_count, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_client_that_rings_without_end_keeps_no_reset_from_its_end),
        TEST(test_a_message_s_read_in_flight_is_an_error_and_its_memory_stays),
        TEST(test_a_read_that_waited_is_an_error_and_its_memory_goes_back),
        TEST(test_later_reads_are_told_at_once),
        TEST(test_a_queue_s_read_in_flight_is_an_error_and_its_memory_stays),
        TEST(test_a_memory_that_is_detached_from_a_lost_device_stays),
        TEST(test_nothing_is_attached_to_a_lost_device),
        TEST(test_a_client_that_ends_after_its_device_was_lost_leaves_its_memory),
        TEST(test_memory_in_flight_is_not_detached_and_goes_back_once_the_device_is_reset),
        TEST(test_a_device_that_never_answers_is_given_up_with_everybody_told),
        TEST(test_a_device_that_does_not_start_again_is_given_up_with_everybody_told),
        TEST(test_a_probe_that_works_gives_its_page_back),
        TEST(test_a_probe_without_answer_gives_its_page_back_once_the_device_is_reset),
        TEST(test_a_probe_whose_device_ignores_the_reset_keeps_its_page),
        TEST(test_a_lifeline_on_which_the_driver_could_receive_is_refused),
        TEST(test_a_session_keeps_nothing_but_a_notification_and_an_endpoint),
    };
    return each_alone("virtioblkd", tests, sizeof(tests) / sizeof(tests[0]));
}
