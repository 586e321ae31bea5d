// SPDX-License-Identifier: Apache-2.0
// The world around nexus-init in host tests: see world.h.
#include "world.h"

#include "archive.h"
#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/memory.h"
#include "nexus/mmio.h"
#include "nexus/process.h"
#include "nexus/thread.h"

#include "each_alone.h"
#include <stdio.h>

#define MAGIC_OFFSET  0x000u // of virtio-mmio
#define STATUS_OFFSET 0x070u
#define MACHINE_PAGES 65536u
#define FIRST_OTHER   1000u // handles: processes count from 1, everything else from here
#define OTHERS_BYTE   0x5c
#define MOVES_AT_END  200u
#define WINDOW_HANDLE 900u
#define ENDS_IN_A_ROW 16u
#define READ_SECTORS  8u
#define READS_MAX     100u

struct world world;

// ---- The device ---------------------------------------------------------------------------------

// Writes into the memory of what is in flight, and completes a request while there are others.
static void device_moves(void)
{
    struct device_model *model = world.disk != NULL ? &world.disk->model : NULL;
    if (model == NULL || model->pending_count == 0) {
        return;
    }
    if (model->pending_count > 1) {
        device_model_complete(model, 0);
    } else {
        device_model_write_early(model, 0);
    }
}

// STATUS has read 0 after a reset.
static bool device_is_still(void)
{
    const struct device_model *model = &world.disk->model;
    return !model->resetting && model->status == 0 && model->pending_count == 0;
}

// The frames of a driver that nobody holds any more.
static void memory_goes_to_others(void)
{
    if (!device_is_still()) {
        fail_msg(
            "memory is given away before STATUS has read 0: status=%#x resetting=%d in_flight=%u",
            world.disk->model.status, world.disk->model.resetting, world.disk->model.pending_count);
    }
    memset(world.disk->rings, OTHERS_BYTE, VIRTIO_BLK_DMA_BYTES);
    memset(world.disk->arena, OTHERS_BYTE, (size_t)ARENA_PAGES * PAGE);
    world.memory_is_others = true;
}

static bool is_untouched(const uint8_t *memory, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (memory[i] != OTHERS_BYTE) {
            return false;
        }
    }
    return true;
}

void world_check_memory(void)
{
    for (uint32_t i = 0; i < MOVES_AT_END; i++) {
        device_moves();
    }
    if (world.memory_is_others) {
        assert_true(is_untouched(world.disk->rings, VIRTIO_BLK_DMA_BYTES));
        assert_true(is_untouched(world.disk->arena, (size_t)ARENA_PAGES * PAGE));
    }
    assert_string_equal(world.disk->model.complaint, "");
}

uint32_t nx_mmio_read32(const volatile void *window, uint32_t offset)
{
    (void)window;
    device_moves();
    assert_true(offset == STATUS_OFFSET || offset == MAGIC_OFFSET);
    return device_model_read(&world.disk->model, offset);
}

void nx_mmio_write32(volatile void *window, uint32_t offset, uint32_t value)
{
    (void)window;
    device_moves();
    assert_int_equal(offset, STATUS_OFFSET);
    device_model_write(&world.disk->model, offset, value);
}

enum nx_status nx_map(nx_handle memory, uint64_t offset, uint64_t length, uint32_t protection,
                      void **address)
{
    assert_int_equal(memory, WINDOW_HANDLE);
    assert_int_equal(offset, 0);
    assert_int_equal(length, PAGE);
    assert_int_equal(protection, NX_PROT_READ | NX_PROT_WRITE);
    *address = &world.disk->model;
    return world.window_is_unmappable ? NX_ERR_NO_MEMORY : NX_OK;
}

void nx_unmap(const void *address)
{
    assert_ptr_equal(address, &world.disk->model);
}

enum nx_status nx_interrupt_ack(nx_handle interrupt)
{
    (void)interrupt;
    world.interrupts_acknowledged++;
    return NX_ERR_BAD_STATE; // nothing is pending
}

uint32_t machine_hart_extensions(void)
{
    return 0;
}

uint32_t machine_hart_count(void)
{
    return 1;
}

void machine_distrust_hart_extensions(void)
{
}

const struct device *machine_device(enum device_id id)
{
    static const struct device none;
    static struct device disk = {.size = PAGE, .window = WINDOW_HANDLE};
    disk.presence = world.disk_presence;
    return id == DEVICE_BLOCK ? &disk : &none;
}

// ---- Time ---------------------------------------------------------------------------------------

uint64_t nx_clock_now(void)
{
    return world.now;
}

uint64_t nx_deadline_after(uint64_t nanoseconds)
{
    return world.now + nanoseconds;
}

void nx_sleep(uint64_t nanoseconds)
{
    world.now += nanoseconds;
    device_moves();
}

// ---- The kernel ---------------------------------------------------------------------------------

_Thread_local struct nx_message_page *nx_thread_page;
struct nx_start_info nx_start_record;
nx_handle nx_start_handles[NX_START_HANDLES_MAX];

nx_handle nx_start_handle_find(enum nx_start_id id)
{
    (void)id;
    return NX_HANDLE_NONE;
}

static nx_handle handle_new(void)
{
    static nx_handle last = FIRST_OTHER;
    return ++last;
}

static struct process *process_of(nx_handle handle)
{
    assert_in_range(handle, 1, world.process_count);
    return &world.processes[handle - 1];
}

// No thread of it is left: as in the kernel's process.c.
static void process_ends(struct process *process, int64_t exit_status)
{
    process->exit_status = exit_status;
    process->state = process->has_physical ? NX_PROCESS_HELD : NX_PROCESS_DEAD;
    world.exit_bits |= process->exit_bits;
}

enum nx_status nx_process_kill(nx_handle handle, int64_t exit_status)
{
    struct process *process = process_of(handle);
    device_moves();
    if (process->state == NX_PROCESS_ALIVE) {
        process_ends(process, exit_status);
        return NX_OK;
    }
    if (process->state == NX_PROCESS_HELD && exit_status == NX_EXIT_LET_GO) {
        memory_goes_to_others();
        process->state = NX_PROCESS_DEAD;
        world.exit_bits |= process->exit_bits;
        return NX_OK;
    }
    return NX_ERR_BAD_STATE;
}

enum nx_status nx_process_info(nx_handle handle, struct nx_process_facts *facts)
{
    *facts = (struct nx_process_facts){.state = NX_PROCESS_ALIVE, .pages_budget = MACHINE_PAGES};
    if (handle != NX_HANDLE_NONE) {
        facts->state = process_of(handle)->state;
        facts->exit_status = process_of(handle)->exit_status;
    }
    return NX_OK;
}

enum nx_status nx_spawn(const struct nx_spawn_options *options, struct nx_child *child)
{
    assert_true(world.process_count < WORLD_PROCESSES_MAX);
    struct process *process = &world.processes[world.process_count++];
    *process = (struct process){.state = NX_PROCESS_ALIVE, .exit_bits = options->exit_bits};
    for (uint32_t i = 0; i < options->grant_count; i++) {
        process->has_fixtures |= options->grants[i].id == NX_START_FIXTURES;
        process->has_disk |= options->grants[i].id == NX_START_BLOCK;
    }
    (void)snprintf(process->name, sizeof(process->name), "%s", options->name);
    *child = (struct nx_child){.process = world.process_count};
    return NX_OK;
}

void nx_child_close(struct nx_child *child)
{
    *child = (struct nx_child){0};
}

enum nx_status nx_endpoint_create(nx_handle *endpoint)
{
    *endpoint = handle_new();
    return NX_OK;
}

enum nx_status nx_handle_duplicate(nx_handle handle, uint32_t rights, uint64_t badge,
                                   nx_handle *duplicate)
{
    (void)handle;
    (void)rights;
    (void)badge;
    *duplicate = handle_new();
    return NX_OK;
}

void nx_handle_drop(nx_handle handle)
{
    (void)handle;
}

enum nx_status nx_thread_spawn(const struct nx_thread_options *options, void (*entry)(void *),
                               void *argument, struct nx_thread *thread)
{
    (void)options;
    (void)entry;
    assert_true(world.thread_count < WORLD_THREADS_MAX);
    world.threads[world.thread_count++] = (nx_handle)(uintptr_t)argument;
    *thread = (struct nx_thread){.handle = handle_new()};
    return NX_OK;
}

// Only the threads that answer for services that are down do these, and they do not run here.
enum nx_status nx_endpoint_receive(nx_handle endpoint, uint64_t deadline,
                                   struct nx_message *message)
{
    (void)endpoint;
    (void)deadline;
    (void)message;
    return NX_ERR_BAD_HANDLE;
}

enum nx_status nx_endpoint_reply_receive(nx_handle endpoint, struct nx_message *message)
{
    (void)endpoint;
    (void)message;
    return NX_ERR_BAD_HANDLE;
}

void nx_log(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof(world.log) - world.log_length;
    int length = vsnprintf(world.log + world.log_length, room, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length + 1 < room);
    world.log_length += (size_t)length;
    world.log[world.log_length++] = '\n';
    device_moves();
}

// ---- The boot archive ---------------------------------------------------------------------------

enum nx_status archive_program(const char *name, struct nx_image *image)
{
    (void)name;
    *image = (struct nx_image){0};
    return NX_OK;
}

enum nx_status archive_fixtures(nx_handle *memory, uint64_t *bytes)
{
    *memory = handle_new();
    *bytes = 1;
    return NX_OK;
}

enum nx_status archive_trust(nx_handle *memory, uint64_t *bytes)
{
    *memory = handle_new();
    *bytes = 1;
    return NX_OK;
}

// ---- What tests do ------------------------------------------------------------------------------

struct process *world_process(enum program_id id)
{
    struct process *newest = NULL;
    for (uint32_t i = 0; i < world.process_count; i++) {
        if (strcmp(world.processes[i].name, program_row(id)->file) == 0) {
            newest = &world.processes[i];
        }
    }
    return newest;
}

uint32_t world_processes(enum program_id id)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world.process_count; i++) {
        count += strcmp(world.processes[i].name, program_row(id)->file) == 0;
    }
    return count;
}

enum nx_service_state world_state(enum program_id id)
{
    struct nx_service_facts facts;
    supervisor_facts(id, &facts);
    return facts.state;
}

void world_ready(enum program_id id)
{
    assert_int_equal(world_state(id), NX_SERVICE_STARTING);
    supervisor_report(id, true, NX_OK);
    assert_int_equal(world_state(id), NX_SERVICE_READY);
}

static void nothing(void)
{
}

void world_drive(uint32_t reads)
{
    static struct read in_flight[READS_MAX];
    assert_true(reads <= READS_MAX);
    world.memory_is_others = false;
    world_process(PROGRAM_VIRTIOBLKD)->has_physical = true;
    assert_int_equal(bench_attach(world.disk), NX_OK);
    for (uint32_t i = 0; i < reads; i++) {
        read_prepare(&in_flight[i], (uint64_t)i * READ_SECTORS, READ_SECTORS, i);
        read_submit(world.disk, &in_flight[i]);
    }
    virtio_blk_kick(&world.disk->device);
    assert_int_equal(world.disk->model.pending_count, reads);
    world.disk->model.resets = 0; // the driver's own
}

void world_start(enum device_presence disk)
{
    static struct nx_message_page page;
    nx_thread_page = &page;
    world.disk_presence = disk;
    nx_handle registry = handle_new();
    assert_int_equal(programs_prepare(registry), NX_OK);
    assert_int_equal(supervisor_begin(registry, handle_new(), nothing), NX_OK);
}

void world_boot(uint32_t version, uint32_t reads)
{
    world_start(DEVICE_PRESENT);
    world.disk = bench_create(version);
    world_drive(reads);
    world_ready(PROGRAM_VIRTIOBLKD);
    world_ready(PROGRAM_PACKAGEFSD);
}

void world_deliver(void)
{
    for (uint32_t i = 0; i < ENDS_IN_A_ROW && world.exit_bits != 0; i++) {
        uint64_t bits = world.exit_bits;
        world.exit_bits = 0;
        supervisor_exits(bits);
    }
    assert_int_equal(world.exit_bits, 0);
}

void world_end(enum program_id id, int64_t exit_status)
{
    process_ends(world_process(id), exit_status);
    world_deliver();
}

void world_pass(uint64_t nanoseconds)
{
    world.now += nanoseconds;
    if (supervisor_deadline() <= world.now) {
        supervisor_expired();
        world_deliver();
    }
}

int world_run(const struct CMUnitTest *tests, size_t count)
{
    return each_alone("nexus-init", tests, count);
}
