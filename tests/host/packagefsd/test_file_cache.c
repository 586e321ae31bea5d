// SPDX-License-Identifier: Apache-2.0
// The cache of file contents on a fake disk: what a fetch declares valid is there, a sequential
// reader finds it read ahead, the disk writes to staging memory only, and what arrives wrong is
// never stored.
//
// A page's content is one number: where it lies in the image. The disk brings the pages of a queued
// read when the test says so, or when the cache waits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nexus/clock.h"
#include "nexus/memory.h"
#include "packagefsd/file_cache.h"

#define MEMORIES_MAX  600u
#define CHUNK         READ_AHEAD_FIRST // pages of a fetch
#define CHUNK_BYTES   (CHUNK * NX_PAGE_SIZE)
#define CLIENT        3u            // a badge
#define IMAGE_OF(nid) ((nid) << 32) // where the file's first page lies in the image

// ---- The world ----------------------------------------------------------------------------------

struct memory {
    uint64_t *pages; // content; 0: zeros
    uint64_t count;
    uint32_t handles;
};

struct queued {
    struct image_read *read;
    enum nx_status status;
};

static struct {
    struct memory memories[MEMORIES_MAX]; // handle 2n and 2n + 1 are memory n
    nx_handle next_memory;
    struct queued queued[NX_BLOCK_QUEUE_DEPTH]; // in order; the first `landed` have their result
    uint32_t queued_count;
    uint32_t landed;
    uint32_t submitted;
    uint32_t queue_opens;
    enum nx_status open_status;
    bool dead;                  // the disk service is gone
    enum nx_status read_status; // of queued reads that land from now on
    uint64_t waited_reads;      // pages read by file_fill
    uint64_t queued_pages;      // pages that came through the queue
    bool changed;               // what lands from now on is not what was signed
    uint32_t attached;
    bool full;              // no memory but what was freed a while ago
    uint32_t freed;         // objects
    uint64_t comes_back_at; // the first of them, since `full`
} world;

#define STAGING ((nx_handle)1) // the one handle that the disk gets

static uint8_t staging[IMAGE_AHEAD_BYTES]; // the disk writes to
static uint8_t private[IMAGE_TRANSFER_BYTES];

uint64_t clock_now = 1000 * NX_SECOND;

static struct image image;
static struct erofs fs;
static struct file_cache cache;

static struct memory *memory_of(nx_handle handle)
{
    assert_in_range(handle, 2, 2 * MEMORIES_MAX - 1);
    struct memory *memory = &world.memories[handle / 2];
    assert_true(memory->handles > 0);
    return memory;
}

enum nx_status nx_memory_create(uint64_t size, uint32_t flags, nx_handle *memory)
{
    (void)flags;
    if (world.full && (world.freed == 0 || clock_now < world.comes_back_at)) {
        return NX_ERR_NO_MEMORY;
    }
    uint32_t index = ++world.next_memory;
    assert_true(index < MEMORIES_MAX);
    world.memories[index] = (struct memory){
        .pages = calloc(size / NX_PAGE_SIZE, sizeof(uint64_t)),
        .count = size / NX_PAGE_SIZE,
        .handles = 1,
    };
    *memory = 2 * index;
    return NX_OK;
}

enum nx_status nx_handle_duplicate(nx_handle handle, uint32_t rights, uint64_t badge,
                                   nx_handle *duplicate)
{
    (void)badge;
    assert_int_equal(rights & NX_RIGHT_WRITE, 0); // clients never write
    memory_of(handle)->handles++;
    *duplicate = handle + 1;
    return NX_OK;
}

void nx_handle_drop(nx_handle handle)
{
    struct memory *memory = memory_of(handle);
    memory->handles--;
    if (memory->handles == 0) {
        free(memory->pages);
        memory->pages = NULL;
        if (world.full && world.freed++ == 0) {
            world.comes_back_at = clock_now + 5 * NX_MILLISECOND; // as the kernel does it
        }
    }
}

enum nx_status nx_memory_new(uint64_t length, uint32_t flags, nx_handle *memory, void **address)
{
    (void)flags;
    assert_int_equal(length, sizeof(staging));
    *memory = STAGING;
    *address = staging;
    return NX_OK;
}

enum nx_status nx_memory_populate(nx_handle process, uint64_t address)
{
    (void)process;
    assert_int_equal(address, (uint64_t)staging);
    return NX_OK;
}

enum nx_status nx_map(nx_handle memory, uint64_t offset, uint64_t length, uint32_t protection,
                      void **address)
{
    (void)memory;
    (void)offset;
    (void)length;
    (void)protection;
    (void)address;
    fail(); // windows belong to file_fill.c
    return NX_ERR_BAD_STATE;
}

void nx_unmap(const void *address)
{
    (void)address;
}

// Writes the number of each page of a range to bytes.
static void pages_write(uint8_t *bytes, uint64_t offset, uint64_t length)
{
    for (uint64_t i = 0; i < length; i += NX_PAGE_SIZE) {
        uint64_t number = offset + i;
        memcpy(bytes + i, &number, sizeof(number));
    }
}

enum nx_status image_accept(struct image *to, uint64_t offset, uint64_t length,
                            const uint8_t *staged)
{
    assert_ptr_equal(to, &image);
    assert_true(staged >= staging && staged + length <= staging + sizeof(staging));
    memcpy(private, staged, length);
    for (uint64_t i = 0; i < length; i += NX_PAGE_SIZE) {
        uint64_t number;
        memcpy(&number, private + i, sizeof(number));
        if (number != offset + i) {
            return NX_ERR_HASH;
        }
    }
    return NX_OK;
}

enum nx_status file_store(const struct file *file, uint64_t offset, const uint8_t *bytes,
                          uint64_t length)
{
    struct memory *memory = memory_of(file->memory);
    assert_ptr_equal(bytes, private);
    for (uint64_t i = 0; i < length; i += NX_PAGE_SIZE) {
        uint64_t page = (offset + i) / NX_PAGE_SIZE;
        assert_true(page < memory->count);
        assert_false(page_map_any(&file->map, page, page + 1)); // a valid page never changes
        memcpy(&memory->pages[page], bytes + i, sizeof(memory->pages[page]));
    }
    return NX_OK;
}

enum nx_status erofs_map(const struct erofs *from, const struct erofs_inode *inode, uint64_t offset,
                         struct erofs_extent *extent)
{
    assert_ptr_equal(from, &fs);
    *extent = (struct erofs_extent){
        .kind = EROFS_EXTENT_DEVICE,
        .image_offset = IMAGE_OF(inode->nid) + offset,
        .length = inode->size - offset,
    };
    return NX_OK;
}

enum erofs_refusal erofs_inode_refusal(const struct erofs_inode *inode)
{
    (void)inode;
    return EROFS_REFUSAL_NONE;
}

enum nx_status file_fill(struct image *from, const struct erofs *with, const struct file *file,
                         struct page_run run)
{
    (void)from;
    (void)with;
    if (world.dead) {
        return NX_ERR_IO;
    }
    assert_false(page_map_any(&file->coming, run.first, run.end)); // or it would be read twice
    world.waited_reads += run.end - run.first;
    for (; run.first < run.end; run.first++) {
        pages_write(private, IMAGE_OF(file->inode.nid) + run.first * NX_PAGE_SIZE, NX_PAGE_SIZE);
        (void)!file_store(file, run.first * NX_PAGE_SIZE, private, NX_PAGE_SIZE);
    }
    return NX_OK;
}

// ---- Its queue of reads -------------------------------------------------------------------------

enum nx_status nx_block_queue_open(struct nx_block_queue *queue, nx_handle notification,
                                   uint64_t bits)
{
    (void)queue;
    (void)notification;
    (void)bits;
    world.queue_opens++;
    return world.open_status;
}

void nx_block_queue_close(struct nx_block_queue *queue)
{
    (void)queue;
    world.queued_count = 0;
    world.landed = 0;
    world.attached = 0;
}

enum nx_status nx_block_queue_attach(struct nx_block_queue *queue, nx_handle memory, uint32_t *slot)
{
    (void)queue;
    assert_int_equal(memory, STAGING); // no other memory is ever told to the disk
    *slot = world.attached++;
    return NX_OK;
}

enum nx_status nx_block_queue_add(struct nx_block_queue *queue, uint64_t lba, uint32_t count,
                                  uint32_t slot, uint64_t offset, void *cookie)
{
    struct image_read *read = cookie;
    (void)queue;
    assert_int_equal(lba * NX_BLOCK_SECTOR_BYTES, read->offset);
    assert_int_equal(count * NX_BLOCK_SECTOR_BYTES, read->length);
    assert_in_range(count, 1, NX_BLOCK_READ_SECTORS_MAX);
    assert_int_equal(offset, read->place);
    assert_true(offset + read->length <= sizeof(staging));
    assert_true(slot < world.attached);
    for (uint32_t i = 0; i < world.queued_count; i++) { // no two reads share a place
        assert_int_not_equal(world.queued[i].read->place, offset);
    }
    if (world.queued_count == NX_BLOCK_QUEUE_DEPTH) {
        return NX_ERR_BUSY;
    }
    world.queued[world.queued_count++] = (struct queued){.read = read};
    return NX_OK;
}

void nx_block_queue_submit(struct nx_block_queue *queue)
{
    (void)queue;
    world.submitted = world.queued_count;
}

// The disk ends the oldest read that has not landed. False: there is none.
static bool disk_land(void)
{
    if (world.landed == world.submitted) {
        return false;
    }
    struct queued *queued = &world.queued[world.landed++];
    const struct image_read *read = queued->read;
    queued->status = world.read_status;
    if (queued->status == NX_OK) {
        pages_write(staging + read->place, world.changed ? ~read->offset : read->offset,
                    read->length);
        world.queued_pages += read->length / NX_PAGE_SIZE;
    }
    return true;
}

bool nx_block_queue_take(struct nx_block_queue *queue, struct nx_block_result *result)
{
    (void)queue;
    if (world.landed == 0) {
        return false;
    }
    *result = (struct nx_block_result){world.queued[0].read, world.queued[0].status};
    world.queued_count--;
    world.landed--;
    world.submitted--;
    memmove(world.queued, world.queued + 1, world.queued_count * sizeof(world.queued[0]));
    return true;
}

enum nx_status nx_block_queue_wait(struct nx_block_queue *queue, uint32_t wanted, uint64_t deadline)
{
    (void)queue;
    (void)wanted;
    (void)deadline;
    if (world.dead) {
        return NX_ERR_DEVICE;
    }
    return world.landed > 0 || disk_land() ? NX_OK : NX_ERR_BAD_STATE;
}

// ---- Clients ------------------------------------------------------------------------------------

static int prepare(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    image = (struct image){
        .source = PACKAGE_FS_SOURCE_VIRTIO_BLK,
        .unit = NX_PAGE_SIZE,
        .private = private,
    };
    file_cache_init(&cache, &image, &fs);
    return 0;
}

// Evicts everything, which checks that nothing is being written to, and frees it.
static int finish(void **state)
{
    (void)state;
    world.dead = false;
    while (file_ahead_wait(&cache)) {
    }
    assert_int_equal(world.queued_count, 0);
    for (uint32_t i = 0; i < MEMORIES_MAX; i++) {
        free(world.memories[i].pages);
    }
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        if (cache.files[i].token != 0) {
            free(cache.files[i].map.bits);
        }
    }
    return 0;
}

static struct file *file_open_sized(uint64_t nid, uint64_t size)
{
    struct erofs_inode inode = {.nid = nid, .size = size, .type = EROFS_TYPE_FILE};
    struct file *file;
    assert_int_equal(file_cache_open(&cache, &inode, CLIENT, &file), NX_OK);
    return file;
}

static void assert_content(const struct file *file, uint64_t first, uint64_t end)
{
    for (uint64_t page = first; page < end; page++) {
        assert_int_equal(memory_of(file->memory)->pages[page],
                         IMAGE_OF(file->inode.nid) + page * NX_PAGE_SIZE);
    }
}

// Fetches a chunk as a client does and looks at all that is declared valid.
static void fetch(struct file *file, uint64_t chunk)
{
    struct file_range valid;
    assert_int_equal(file_cache_fetch(&cache, file, chunk * CHUNK_BYTES, CHUNK_BYTES, &valid),
                     NX_OK);
    assert_true(valid.offset <= chunk * CHUNK_BYTES);
    uint64_t end = valid.offset + valid.length;
    assert_true(end >= (chunk + 1) * CHUNK_BYTES || end == file->inode.size);
    assert_content(file, valid.offset / NX_PAGE_SIZE, NX_PAGE_ROUND_UP(end) / NX_PAGE_SIZE);
}

static void test_a_sequential_reader_waits_for_its_first_chunk_only(void **state)
{
    (void)state;
    struct file *file = file_open_sized(1, 40 * CHUNK_BYTES);
    for (uint64_t chunk = 0; chunk < 40; chunk++) {
        fetch(file, chunk);
        while (disk_land()) { // the disk keeps up
        }
    }
    assert_int_equal(world.waited_reads, CHUNK);
    assert_int_equal(world.queued_pages, 39 * CHUNK);
    assert_int_equal(cache.pages, 40 * CHUNK);
}

static void test_a_reader_faster_than_the_disk_reads_nothing_twice(void **state)
{
    (void)state;
    struct file *file = file_open_sized(1, 40 * CHUNK_BYTES);
    for (uint64_t chunk = 0; chunk < 40; chunk++) { // a read lands only when it is waited for
        fetch(file, chunk);
    }
    while (file_ahead_wait(&cache)) {
    }
    assert_int_equal(world.waited_reads + world.queued_pages, 40 * CHUNK);
    assert_int_equal(cache.pages, 40 * CHUNK);
}

static void test_several_requests_are_on_their_way_at_once(void **state)
{
    (void)state;
    struct file *file = file_open_sized(1, 100 * CHUNK_BYTES);
    uint32_t most = 0;
    for (uint64_t chunk = 0; chunk < 30; chunk++) {
        fetch(file, chunk);
        most = world.queued_count > most ? world.queued_count : most;
    }
    assert_in_range(most, 4, READ_AHEAD_MAX / FLIGHT_PAGES_MAX);
}

static void test_random_reads_bring_only_what_was_asked_for(void **state)
{
    (void)state;
    static const uint64_t chunks[] = {17, 3, 38, 9, 25};
    struct file *file = file_open_sized(1, 40 * CHUNK_BYTES);
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        fetch(file, chunks[i]);
    }
    assert_int_equal(world.waited_reads, 5 * CHUNK);
    assert_int_equal(world.queue_opens, 0);
}

static void test_a_large_fetch_goes_out_as_several_requests(void **state)
{
    (void)state;
    struct file *file = file_open_sized(1, 8 * CHUNK_BYTES);
    struct file_range valid;
    assert_int_equal(file_cache_fetch(&cache, file, 0, 8 * CHUNK_BYTES, &valid), NX_OK);
    assert_int_equal(valid.length, 8 * CHUNK_BYTES);
    assert_content(file, 0, 8 * CHUNK);
    assert_int_equal(world.waited_reads, 0);
}

static void test_the_page_at_the_end_of_the_file_is_never_read_ahead(void **state)
{
    (void)state;
    struct file *file = file_open_sized(1, 2 * CHUNK_BYTES + 100);
    fetch(file, 0);
    fetch(file, 1);
    while (disk_land()) {
    }
    assert_int_equal(world.waited_reads, CHUNK);
    fetch(file, 2);
    assert_int_equal(world.waited_reads, CHUNK + 1);
}

static void test_a_failed_read_ahead_is_read_again_by_who_asks(void **state)
{
    (void)state;
    struct file *file = file_open_sized(1, 10 * CHUNK_BYTES);
    world.read_status = NX_ERR_IO;
    for (uint64_t chunk = 0; chunk < 10; chunk++) {
        fetch(file, chunk);
    }
    assert_int_equal(world.waited_reads, 10 * CHUNK);
    while (file_ahead_wait(&cache)) {
    }
    assert_int_equal(cache.pages, 10 * CHUNK);
}

static void test_what_arrives_changed_is_not_stored_but_read_again(void **state)
{
    (void)state;
    struct file *file = file_open_sized(1, 10 * CHUNK_BYTES);
    world.changed = true;
    for (uint64_t chunk = 0; chunk < 10; chunk++) { // fetch looks at all that is declared valid
        fetch(file, chunk);
    }
    assert_int_equal(world.waited_reads, 10 * CHUNK);
}

// A device that writes late, or again, writes to staging memory.
static void test_what_the_disk_writes_later_changes_no_page(void **state)
{
    (void)state;
    struct file *file = file_open_sized(1, 10 * CHUNK_BYTES);
    for (uint64_t chunk = 0; chunk < 10; chunk++) {
        fetch(file, chunk);
        memset(staging, 0xee, sizeof(staging));
        assert_content(file, 0, (chunk + 1) * CHUNK);
    }
}

static void test_a_dead_disk_fails_the_fetch_and_not_the_cache(void **state)
{
    (void)state;
    struct file *file = file_open_sized(1, 20 * CHUNK_BYTES);
    struct file_range valid;
    fetch(file, 0);
    fetch(file, 1);
    world.dead = true;
    assert_int_equal(file_cache_fetch(&cache, file, 5 * CHUNK_BYTES, CHUNK_BYTES, &valid),
                     NX_ERR_IO);
    (void)!file_cache_fetch(&cache, file, 2 * CHUNK_BYTES, CHUNK_BYTES, &valid);
    (void)!file_cache_fetch(&cache, file, 3 * CHUNK_BYTES, CHUNK_BYTES, &valid);
    assert_int_equal(file->flights, 0);
    assert_int_equal(page_map_any(&file->coming, 0, 20 * CHUNK), false);
    assert_int_equal(cache.pages, file->map.valid);
    world.dead = false;
    for (uint64_t chunk = 0; chunk < 20; chunk++) {
        fetch(file, chunk);
        clock_now += NX_SECOND;
    }
    assert_true(world.queue_opens >= 2); // and reads ahead again
}

static void test_without_a_queue_all_is_read_by_who_asks(void **state)
{
    (void)state;
    struct file *file = file_open_sized(1, 20 * CHUNK_BYTES);
    world.open_status = NX_ERR_BUSY;
    for (uint64_t chunk = 0; chunk < 20; chunk++) {
        fetch(file, chunk);
    }
    assert_int_equal(world.waited_reads, 20 * CHUNK);
    assert_int_equal(world.queue_opens, 1); // no storm of attempts
}

static void test_a_file_with_reads_on_their_way_is_not_evicted(void **state)
{
    (void)state;
    struct file *first = file_open_sized(1, 40 * CHUNK_BYTES);
    uint64_t token = first->token;
    fetch(first, 0);
    fetch(first, 1);
    assert_true(first->flights > 0);
    file_cache_close(&cache, first, CLIENT); // the best candidate there is
    for (uint64_t nid = 2; nid < FILES_MAX + 50; nid++) {
        (void)file_open_sized(nid, NX_PAGE_SIZE);
    }
    assert_int_equal(first->token, token);
    while (file_ahead_wait(&cache)) {
    }
    for (uint64_t nid = 1000; nid < 1000 + FILES_MAX; nid++) {
        (void)file_open_sized(nid, NX_PAGE_SIZE);
    }
    assert_int_not_equal(first->token, token);
}

static void test_a_place_that_is_used_again_is_open_for_nobody_who_was_there_before(void **state)
{
    (void)state;
    struct erofs_inode inode = {.size = NX_PAGE_SIZE, .type = EROFS_TYPE_FILE};
    struct file *file;
    for (uint64_t nid = 1; nid <= FILES_MAX; nid++) {
        (void)file_open_sized(nid, NX_PAGE_SIZE);
    }
    for (uint64_t nid = FILES_MAX + 1; nid <= 2 * FILES_MAX; nid++) {
        inode.nid = nid;
        assert_int_equal(file_cache_open(&cache, &inode, CLIENT + 1, &file), NX_OK);
        assert_ptr_equal(file_cache_find(&cache, file->token, CLIENT + 1), file);
        assert_null(file_cache_find(&cache, file->token, CLIENT));
    }
}

static void test_more_sequential_readers_than_flights_take_turns(void **state)
{
    (void)state;
    struct file *files[FLIGHTS_MAX + 8];
    for (uint32_t i = 0; i < FLIGHTS_MAX + 8; i++) {
        files[i] = file_open_sized(i + 1, 6 * CHUNK_BYTES);
    }
    for (uint64_t chunk = 0; chunk < 6; chunk++) {
        for (uint32_t i = 0; i < FLIGHTS_MAX + 8; i++) {
            fetch(files[i], chunk);
        }
    }
}

static void test_the_cache_never_holds_more_pages_than_it_may(void **state)
{
    (void)state;
    const uint64_t chunks = FILE_PAGES_MAX / CHUNK;
    struct file *first = file_open_sized(1, (chunks - 2) * CHUNK_BYTES);
    for (uint64_t chunk = 0; chunk < chunks - 2; chunk++) {
        fetch(first, chunk);
        assert_true(cache.pages <= FILE_PAGES_MAX);
    }
    struct file *second = file_open_sized(2, chunks / 2 * CHUNK_BYTES);
    for (uint64_t chunk = 0; chunk < chunks / 2; chunk++) {
        fetch(second, chunk);
        assert_true(cache.pages <= FILE_PAGES_MAX);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, prepare, finish)

// Opens and closes so many files, which stay in the cache.
static void files_fill(uint64_t count)
{
    for (uint64_t nid = 1; nid <= count; nid++) {
        struct file *file = file_open_sized(nid, CHUNK_BYTES);
        fetch(file, 0);
        file_cache_close(&cache, file, CLIENT);
    }
}

static void test_what_is_evicted_is_waited_for_where_memory_is_short(void **state)
{
    (void)state;
    files_fill(2);
    world.full = true;
    uint64_t begun = clock_now;
    struct file *file = file_open_sized(100, CHUNK_BYTES);
    fetch(file, 0);
    assert_in_range(clock_now - begun, 5 * NX_MILLISECOND, 10 * NX_MILLISECOND);
    assert_int_equal(world.freed, 2);
}

static void test_where_nothing_can_be_evicted_nobody_waits(void **state)
{
    (void)state;
    struct erofs_inode inode = {.nid = 1, .size = CHUNK_BYTES, .type = EROFS_TYPE_FILE};
    struct file *file;
    world.full = true;
    uint64_t begun = clock_now;
    assert_int_equal(file_cache_open(&cache, &inode, CLIENT, &file), NX_ERR_NO_MEMORY);
    assert_int_equal(clock_now, begun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sequential_reader_waits_for_its_first_chunk_only),
        TEST(a_reader_faster_than_the_disk_reads_nothing_twice),
        TEST(several_requests_are_on_their_way_at_once),
        TEST(random_reads_bring_only_what_was_asked_for),
        TEST(a_large_fetch_goes_out_as_several_requests),
        TEST(the_page_at_the_end_of_the_file_is_never_read_ahead),
        TEST(a_failed_read_ahead_is_read_again_by_who_asks),
        TEST(what_arrives_changed_is_not_stored_but_read_again),
        TEST(what_the_disk_writes_later_changes_no_page),
        TEST(a_dead_disk_fails_the_fetch_and_not_the_cache),
        TEST(without_a_queue_all_is_read_by_who_asks),
        TEST(a_file_with_reads_on_their_way_is_not_evicted),
        TEST(a_place_that_is_used_again_is_open_for_nobody_who_was_there_before),
        TEST(more_sequential_readers_than_flights_take_turns),
        TEST(the_cache_never_holds_more_pages_than_it_may),
        TEST(what_is_evicted_is_waited_for_where_memory_is_short),
        TEST(where_nothing_can_be_evicted_nobody_waits),
    };
    return cmocka_run_group_tests_name("packagefsd file cache", tests, NULL, NULL);
}
