// SPDX-License-Identifier: Apache-2.0
// The system below packagefsd: see fake_system.h.
#include "fake_system.h"
#include "fake_threads.h"

#include "nexus/block.h"
#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/memory.h"
#include "nexus/process.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define OBJECTS_MAX  64u
#define HANDLES_MAX  128u
#define EVERY_RIGHT  UINT32_MAX
#define BLOCK        4096u
#define ARENA_BYTES  (4u << 20) // of objects with which packagefsd works; not cleared between runs
#define DISK_SERVICE 1u         // a handle
#define FIRST_MEMORY 2u

struct object {
    uint8_t *bytes;
    uint64_t size;
    bool in_arena;
    bool device_knows;
};

struct handle {
    struct object *object;
    uint32_t rights;
};

struct request {
    uint64_t lba;
    uint64_t bytes;
    struct object *object;
    uint64_t offset;
    void *cookie;
};

struct fake_disk fake_disk;
char fake_refusal[32];
bool fake_not_mounted;
uint64_t clock_now = NX_SECOND;
struct nx_start_info nx_start_record;
uint32_t fake_harts = 1;
nx_handle nx_start_handles[NX_START_HANDLES_MAX];

static struct object objects[OBJECTS_MAX];
static uint32_t object_count;
static struct handle handles[HANDLES_MAX];
static uint32_t handle_count;
static _Alignas(BLOCK) uint8_t arena[ARENA_BYTES];
static uint64_t arena_used;

static struct request queue[NX_BLOCK_QUEUE_DEPTH];
static uint32_t queue_length;
static struct object *attached;

// What the device wrote last and has not changed yet.
static uint8_t *written;
static uint64_t written_bytes;

// ---- Memory -------------------------------------------------------------------------------------

// The device changes a block of what it wrote, the first one first: that is verified already when a
// later one makes the tree be read.
static void enter(void)
{
    uint64_t bytes = written_bytes < BLOCK ? written_bytes : BLOCK;
    for (uint64_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        written[i] ^= 0xff;
    }
    written += bytes;
    written_bytes -= bytes;
}

static nx_handle handle_make(struct object *object, uint32_t rights)
{
    assert_true(handle_count < HANDLES_MAX);
    handles[handle_count] = (struct handle){object, rights};
    return handle_count++;
}

static struct handle *handle_of(nx_handle handle)
{
    assert_in_range(handle, FIRST_MEMORY, handle_count - 1);
    return &handles[handle];
}

static struct object *object_make(uint64_t size, bool in_arena)
{
    assert_true(object_count < OBJECTS_MAX);
    struct object *object = &objects[object_count++];
    *object = (struct object){.size = NX_PAGE_ROUND_UP(size), .in_arena = in_arena};
    if (in_arena) {
        assert_true(object->size <= ARENA_BYTES - arena_used);
        object->bytes = arena + arena_used;
        arena_used += object->size;
    } else {
        object->bytes = aligned_alloc(BLOCK, object->size);
        memset(object->bytes, 0, object->size);
    }
    return object;
}

enum nx_status nx_memory_create(uint64_t size, uint32_t flags, nx_handle *memory)
{
    (void)flags;
    enter();
    *memory = handle_make(object_make(size, false), EVERY_RIGHT);
    return NX_OK;
}

enum nx_status nx_memory_commit(nx_handle memory, uint64_t offset, uint64_t length)
{
    enter();
    const struct object *object = handle_of(memory)->object;
    assert_in_range(offset, 0, object->size);
    assert_in_range(length, 0, object->size - offset);
    return NX_OK; // every object's bytes are there
}

enum nx_status nx_memory_new(uint64_t length, uint32_t flags, nx_handle *memory, void **address)
{
    (void)flags;
    enter();
    struct object *object = object_make(length, true);
    *memory = handle_make(object, EVERY_RIGHT);
    *address = object->bytes;
    return NX_OK;
}

enum nx_status nx_handle_duplicate(nx_handle handle, uint32_t rights, uint64_t badge,
                                   nx_handle *duplicate)
{
    (void)badge;
    enter();
    *duplicate = handle_make(handle_of(handle)->object, handle_of(handle)->rights & rights);
    return NX_OK;
}

void nx_handle_drop(nx_handle handle)
{
    (void)handle_of(handle); // objects live until the next reset
}

enum nx_status nx_memory_populate(nx_handle process, uint64_t address)
{
    (void)process;
    (void)address;
    return NX_OK;
}

enum nx_status nx_map(nx_handle memory, uint64_t offset, uint64_t length, uint32_t protection,
                      void **address)
{
    enter();
    const struct handle *handle = handle_of(memory);
    if ((protection & NX_PROT_WRITE) != 0 && (handle->rights & NX_RIGHT_WRITE) == 0) {
        return NX_ERR_ACCESS_DENIED;
    }
    if (offset > handle->object->size || length > handle->object->size - offset) {
        return NX_ERR_OUT_OF_RANGE;
    }
    *address = handle->object->bytes + offset;
    return NX_OK;
}

void nx_unmap(const void *address)
{
    (void)address;
}

const uint8_t *fake_memory(nx_handle handle)
{
    return handle_of(handle)->object->bytes;
}

void fake_memory_is_safe(nx_handle handle)
{
    assert_int_equal(handle_of(handle)->rights & NX_RIGHT_WRITE, 0);
    assert_false(handle_of(handle)->object->device_knows);
}

// ---- The disk -----------------------------------------------------------------------------------

enum nx_status nx_block_info(struct nx_block_facts *facts)
{
    *facts = (struct nx_block_facts){
        .sectors = fake_disk.size / NX_BLOCK_SECTOR_BYTES,
        .sector_size = NX_BLOCK_SECTOR_BYTES,
        .read_only = true,
    };
    return NX_OK;
}

static enum nx_status disk_transfer(const struct request *request)
{
    fake_disk.reads++;
    if (fake_disk.breaks_at != 0 && fake_disk.reads >= fake_disk.breaks_at) {
        return fake_disk.break_status;
    }
    uint64_t from = request->lba * NX_BLOCK_SECTOR_BYTES;
    if (from > fake_disk.size || request->bytes > fake_disk.size - from) {
        return NX_ERR_OUT_OF_RANGE;
    }
    assert_true(request->offset <= request->object->size &&
                request->bytes <= request->object->size - request->offset);
    for (uint64_t at = from / BLOCK; at * BLOCK < from + request->bytes; at++) {
        fake_disk.read[at] = true;
    }
    request->object->device_knows = true;
    written = request->object->bytes + request->offset;
    written_bytes = request->bytes;
    memcpy(written, fake_disk.bytes + from, written_bytes);
    return NX_OK;
}

enum nx_status nx_block_read(uint64_t lba, uint32_t count, nx_handle memory, uint64_t offset,
                             char *reason)
{
    const struct request request = {
        .lba = lba,
        .bytes = (uint64_t)count * NX_BLOCK_SECTOR_BYTES,
        .object = handle_of(memory)->object,
        .offset = offset,
    };
    reason[0] = '\0';
    enter();
    return disk_transfer(&request);
}

enum nx_status nx_block_queue_open(struct nx_block_queue *opened, nx_handle notification,
                                   uint64_t bits)
{
    (void)opened;
    (void)notification;
    (void)bits;
    return NX_OK;
}

void nx_block_queue_close(struct nx_block_queue *closed)
{
    (void)closed;
    queue_length = 0;
}

enum nx_status nx_block_queue_attach(struct nx_block_queue *to, nx_handle memory, uint32_t *slot)
{
    (void)to;
    attached = handle_of(memory)->object;
    attached->device_knows = true;
    *slot = 0;
    return NX_OK;
}

enum nx_status nx_block_queue_add(struct nx_block_queue *to, uint64_t lba, uint32_t count,
                                  uint32_t slot, uint64_t offset, void *cookie)
{
    (void)to;
    (void)slot;
    assert_true(queue_length < NX_BLOCK_QUEUE_DEPTH);
    queue[queue_length++] = (struct request){
        .lba = lba,
        .bytes = (uint64_t)count * NX_BLOCK_SECTOR_BYTES,
        .object = attached,
        .offset = offset,
        .cookie = cookie,
    };
    fake_disk.queued++;
    return NX_OK;
}

void nx_block_queue_submit(struct nx_block_queue *submitted)
{
    (void)submitted;
}

bool nx_block_queue_take(struct nx_block_queue *from, struct nx_block_result *result)
{
    (void)from;
    enter();
    if (queue_length == 0) {
        return false;
    }
    result->cookie = queue[0].cookie;
    result->status = disk_transfer(&queue[0]);
    queue_length--;
    memmove(queue, queue + 1, queue_length * sizeof(queue[0]));
    return true;
}

enum nx_status nx_block_queue_wait(struct nx_block_queue *of, uint32_t wanted, uint64_t deadline)
{
    (void)of;
    (void)wanted;
    (void)deadline;
    return queue_length > 0 ? NX_OK : NX_ERR_BAD_STATE;
}

// ---- The log, and the start ---------------------------------------------------------------------

void nx_log(const char *format, ...)
{
    char line[NX_LOG_LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fake_not_mounted = fake_not_mounted || strncmp(line, "pkgfs: not mounted ", 19) == 0;
    (void)sscanf(line, "pkgfs: refused reason=%31s", fake_refusal);
}

const char *nx_status_text(enum nx_status status)
{
    (void)status;
    return "status";
}

nx_handle nx_start_handle_find(enum nx_start_id id)
{
    (void)id;
    return NX_HANDLE_NONE;
}

void fake_reset(const uint8_t *disk, uint64_t size, const char *trust)
{
    for (uint32_t i = 0; i < object_count; i++) {
        if (!objects[i].in_arena) {
            free(objects[i].bytes);
        }
    }
    fake_threads_reset();
    object_count = 0;
    handle_count = FIRST_MEMORY;
    arena_used = 0;
    queue_length = 0;
    written_bytes = 0;
    fake_refusal[0] = '\0';
    fake_not_mounted = false;
    fake_disk = (struct fake_disk){.bytes = disk, .size = size};
    assert_true(size / BLOCK <= FAKE_BLOCKS_MAX);
    struct object *text = object_make(strlen(trust), true);
    memcpy(text->bytes, trust, strlen(trust));
    memset(nx_start_handles, 0, sizeof(nx_start_handles));
    nx_start_handles[NX_START_BLOCK] = DISK_SERVICE;
    nx_start_handles[NX_START_TRUST] = handle_make(text, NX_RIGHT_READ);
    nx_start_handles[NX_START_FIXTURES] = nx_start_handles[NX_START_TRUST];
    nx_start_record = (struct nx_start_info){
        .trust_bytes = strlen(trust),
        .fixtures_bytes = 1,
        .hart_count = fake_harts,
    };
}
