// SPDX-License-Identifier: Apache-2.0
// Frames, memory objects and address spaces, called directly and by programs that touch their
// memory.
#include "support/kernel_test.h"

#include "arch_inline.h"
#include "core/hart.h"
#include "mm/address_space.h"
#include "mm/frame.h"
#include "mm/memory.h"
#include "object/process.h"
#include "object/reclaim.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct process *process;
static uint64_t free_at_start;

static int make_process(void **state)
{
    (void)state;
    static const char name[NX_NAME_BYTES] = "tester";
    free_at_start = frame_free_count();
    return process_create(NULL, name, 4000 * NX_PAGE_SIZE, NX_CLASS_NORMAL, &process) == NX_OK ? 0
                                                                                               : -1;
}

static void run_reclamation(void)
{
    for (int i = 0; i < 1000 && reclaim_is_pending(hart_self()); i++) {
        reclaim_pass(hart_self());
        (void)reclaim_run(100);
    }
}

static int end_process(void **state)
{
    (void)state;
    process_kill(process, 0);
    object_release(&process->object);
    run_reclamation();
    harts[0].reschedule = false;
    return frame_free_count() == free_at_start ? 0 : -1;
}

// --- Frames
// ---------------------------------------------------------------------------------------

static void test_blocks_are_aligned_disjoint_and_merge_again(void **state)
{
    (void)state;
    struct random random = random_seed(11);
    static struct {
        uint64_t base;
        uint32_t order;
    } blocks[300];
    uint64_t before = frame_free_count();
    uint64_t taken = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t i = (uint32_t)random_below(&random, 300);
        if (blocks[i].base != 0) {
            uint64_t *mark = arch_direct_map(paddr(blocks[i].base));
            assert_int_equal(*mark, blocks[i].base);
            frame_free_block(paddr(blocks[i].base), blocks[i].order);
            taken -= 1ull << blocks[i].order;
            blocks[i].base = 0;
        } else {
            paddr_t base;
            blocks[i].order = (uint32_t)random_below(&random, 6);
            assert_int_equal(frame_alloc_block(blocks[i].order, &base), NX_OK);
            assert_true(is_aligned(base.value, NX_PAGE_SIZE << blocks[i].order));
            blocks[i].base = base.value;
            for (uint64_t f = 0; f < 1ull << blocks[i].order; f++)
                *(uint64_t *)arch_direct_map(paddr(base.value + f * NX_PAGE_SIZE)) = base.value;
            taken += 1ull << blocks[i].order;
        }
        assert_int_equal(frame_free_count(), before - taken);
    }
    for (uint32_t i = 0; i < 300; i++)
        if (blocks[i].base != 0)
            frame_free_block(paddr(blocks[i].base), blocks[i].order);
    // Merged: the largest blocks are there again.
    paddr_t largest;
    assert_int_equal(frame_alloc_block(FRAME_ORDER_MAX, &largest), NX_OK);
    frame_free_block(largest, FRAME_ORDER_MAX);
    assert_int_equal(frame_alloc_block(FRAME_ORDER_MAX + 1, &largest), NX_ERR_NO_MEMORY);
}

static void test_when_ram_is_used_up_a_frame_is_refused_and_all_came_zeroed(void **state)
{
    (void)state;
    paddr_t frame;
    uint64_t first = 0;
    uint64_t count = 0;
    uint64_t before = frame_free_count();
    while (frame_alloc(&frame) == NX_OK) {
        uint64_t *words = arch_direct_map(frame);
        assert_true(words[0] == 0 && words[17] == 0 && words[511] == 0);
        words[0] = first;
        first = frame.value;
        count++;
    }
    assert_int_equal(count, before);
    assert_int_equal(frame_free_count(), 0);
    struct memory *memory;
    assert_int_equal(memory_create_contiguous(process, NX_PAGE_SIZE, &memory), NX_ERR_NO_MEMORY);
    while (first != 0) {
        uint64_t next = *(uint64_t *)arch_direct_map(paddr(first));
        frame_free(paddr(first));
        first = next;
    }
}

static void alloc_and_free(void *argument)
{
    (void)argument;
    struct random random = random_seed(hart_self()->index.value);
    for (uint32_t i = 0; i < 4000; i++) {
        paddr_t base;
        uint32_t order = (uint32_t)random_below(&random, 4);
        CHECK_EQUAL(frame_alloc_block(order, &base), NX_OK);
        uint64_t *word = arch_direct_map(base);
        *word = i;
        CHECK_EQUAL(*word, i);
        frame_free_block(base, order);
    }
}

static void test_four_harts_share_the_frames(void **state)
{
    (void)state;
    uint64_t before = frame_free_count();
    fake_run_harts(4, alloc_and_free, NULL);
    assert_int_equal(frame_free_count(), before);
}

// --- Memory objects
// -------------------------------------------------------------------------------

static void test_pages_are_committed_one_by_one_also_through_two_levels(void **state)
{
    (void)state;
    struct memory *memory;
    paddr_t frame;
    paddr_t again;
    const uint64_t indices[] = {0, 511, 512, 1500};
    assert_int_equal(memory_create_paged(process, 1501 * NX_PAGE_SIZE - 1, &memory), NX_OK);
    assert_int_equal(memory->paged_depth, 2);
    uint64_t used = process->used;
    for (unsigned i = 0; i < 4; i++) {
        assert_false(memory_find_page(memory, indices[i], &frame));
        assert_int_equal(memory_commit_page(memory, indices[i], &frame), NX_OK);
        assert_int_equal(memory_commit_page(memory, indices[i], &again), NX_OK);
        assert_int_equal(frame.value, again.value);
        assert_true(memory_find_page(memory, indices[i], &again));
        assert_int_equal(frame.value, again.value);
    }
    assert_false(memory_find_page(memory, 1, &frame));
    assert_int_equal(memory_commit_page(memory, 1501, &frame), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(memory->committed, 4 * NX_PAGE_SIZE);
    assert_int_equal(process->used, used + (4 + 3) * NX_PAGE_SIZE); // and three frames of slots
    object_release(&memory->object);
}

// Against page by page: every run is what find_page says, and ends at a gap in frames or pages or
// at a border of the frames of slots.
static void test_runs_are_the_pages_that_lie_one_after_the_other(void **state)
{
    (void)state;
    enum { PAGES = 700, HOLE = 300 };
    struct memory *memory;
    paddr_t frame;
    assert_int_equal(memory_create_paged(process, PAGES * NX_PAGE_SIZE, &memory), NX_OK);
    for (uint64_t i = 0; i < PAGES; i++) {
        if (i != HOLE)
            assert_int_equal(memory_commit_page(memory, i, &frame), NX_OK);
    }
    assert_int_equal(memory_find_run(memory, HOLE, 1, &frame), 0);
    assert_int_equal(memory_find_run(memory, HOLE - 1, 2, &frame), 1);
    uint64_t longest = 0;
    for (uint64_t first = 0; first < PAGES; first++) {
        paddr_t page;
        uint64_t limit = PAGES - first < 64 ? PAGES - first : 64;
        uint64_t run = memory_find_run(memory, first, limit, &frame);
        assert_true(run <= limit && (run > 0 || first == HOLE));
        for (uint64_t i = 0; i < run; i++) {
            assert_true(memory_find_page(memory, first + i, &page));
            assert_int_equal(page.value, frame.value + i * NX_PAGE_SIZE);
        }
        longest = run > longest ? run : longest;
    }
    assert_true(longest > 1);
    object_release(&memory->object);
    assert_int_equal(memory_create_contiguous(process, 5 * NX_PAGE_SIZE, &memory), NX_OK);
    assert_int_equal(memory_find_run(memory, 2, 3, &frame), 3);
    assert_int_equal(frame.value, memory->base.value + 2 * NX_PAGE_SIZE);
    object_release(&memory->object);
}

static void test_contiguous_memory_is_one_zeroed_block(void **state)
{
    (void)state;
    struct memory *memory;
    paddr_t frame;
    assert_int_equal(memory_create_contiguous(process, 5 * NX_PAGE_SIZE, &memory), NX_OK);
    for (uint64_t i = 0; i < 5; i++) {
        assert_true(memory_find_page(memory, i, &frame));
        assert_int_equal(frame.value, memory->base.value + i * NX_PAGE_SIZE);
        assert_int_equal(*(uint64_t *)arch_direct_map(frame), 0);
    }
    assert_false(memory_find_page(memory, 5, &frame));
    object_release(&memory->object);
}

static void test_impossible_memory_is_refused_and_costs_nothing(void **state)
{
    (void)state;
    struct memory *memory;
    void *pointer;
    uint64_t used = process->used;
    assert_int_equal(memory_create_paged(process, 0, &memory), NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(memory_create_paged(process, NX_MEMORY_SIZE_MAX + 1, &memory),
                     NX_ERR_TOO_LARGE);
    assert_int_equal(memory_create_contiguous(process, 0, &memory), NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(memory_create_contiguous(process, NX_MEMORY_CONTIGUOUS_MAX + 1, &memory),
                     NX_ERR_TOO_LARGE);
    assert_int_equal(memory_create_window(process, paddr(0x1001), NX_PAGE_SIZE, true, &memory),
                     NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(
        memory_create_window(process, paddr(UINT64_MAX - 4095), 2 * NX_PAGE_SIZE, true, &memory),
        NX_ERR_OVERFLOW);
    assert_int_equal(memory_create_paged(process, NX_MEMORY_SIZE_MAX, &memory), NX_OK);
    object_release(&memory->object);
    run_reclamation();
    assert_int_equal(memory_create_window(process, paddr(0x10000000), NX_PAGE_SIZE, true, &memory),
                     NX_OK);
    assert_int_equal(memory_page_pointer(memory, 0, &pointer), NX_ERR_INVALID_ARGUMENT);
    object_release(&memory->object);
    run_reclamation();
    assert_int_equal(process->used, used);
}

static struct memory *shared_memory;
static _Atomic uint64_t commit_sum;

static void commit_all(void *argument)
{
    (void)argument;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 700; i++) {
        paddr_t frame;
        CHECK_EQUAL(memory_commit_page(shared_memory, i, &frame), NX_OK);
        CHECK_EQUAL(*(_Atomic uint64_t *)arch_direct_map(frame), 0);
        sum += frame.value;
    }
    atomic_fetch_add(&commit_sum, sum);
}

static void test_harts_that_commit_the_same_page_get_the_same_frame(void **state)
{
    (void)state;
    uint64_t sum = 0;
    atomic_store(&commit_sum, 0);
    assert_int_equal(memory_create_paged(process, 700 * NX_PAGE_SIZE, &shared_memory), NX_OK);
    fake_run_harts(4, commit_all, NULL);
    for (uint64_t i = 0; i < 700; i++) {
        paddr_t frame;
        assert_true(memory_find_page(shared_memory, i, &frame));
        sum += frame.value;
    }
    assert_int_equal(commit_sum, 4 * sum);
    object_release(&shared_memory->object);
}

// --- Address spaces
// -------------------------------------------------------------------------------

static enum nx_status map_at(struct memory *memory, uint64_t offset, uint64_t length, uint32_t prot,
                             uint64_t address)
{
    return address_space_map(&process->space, memory, offset, length, prot, &address);
}

#define RW   (NX_PROT_READ | NX_PROT_WRITE)
#define BASE 0x200000ull

static void test_a_mapping_that_is_not_allowed_is_refused_by_name(void **state)
{
    (void)state;
    struct memory *memory;
    const uint64_t page = NX_PAGE_SIZE;
    assert_int_equal(memory_create_paged(process, 4 * page, &memory), NX_OK);
    assert_int_equal(map_at(memory, 0, page, NX_PROT_WRITE | NX_PROT_EXECUTE, BASE),
                     NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_at(memory, 0, page, 0, BASE), NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_at(memory, 0, page, RW | 0x10, BASE), NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_at(memory, 0, 0, RW, BASE), NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_at(memory, 1, page, RW, BASE), NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_at(memory, 0, page, RW, BASE + 8), NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(map_at(memory, 4 * page, page, RW, BASE), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(map_at(memory, UINT64_MAX - 4095, page, RW, BASE), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(map_at(memory, 0, page, RW, NX_USER_BASE - page), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(map_at(memory, 0, 2 * page, RW, NX_USER_END - page), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(map_at(memory, 0, page, RW, UINT64_MAX - 4095), NX_ERR_OUT_OF_RANGE);
    // Overlaps, from each side.
    assert_int_equal(map_at(memory, 0, 2 * page, RW, BASE + page), NX_OK);
    assert_int_equal(map_at(memory, 0, page, RW, BASE + page), NX_ERR_ALREADY_EXISTS);
    assert_int_equal(map_at(memory, 0, page, RW, BASE + 2 * page), NX_ERR_ALREADY_EXISTS);
    assert_int_equal(map_at(memory, 0, 2 * page, RW, BASE), NX_ERR_ALREADY_EXISTS);
    assert_int_equal(map_at(memory, 0, 4 * page, RW, BASE), NX_ERR_ALREADY_EXISTS);
    assert_int_equal(map_at(memory, 0, page, RW, BASE), NX_OK);
    assert_int_equal(map_at(memory, 0, page, RW, BASE + 3 * page), NX_OK);
    bool done;
    assert_int_equal(address_space_unmap_some(&process->space, BASE + 2 * page, &done),
                     NX_ERR_NOT_FOUND);
    object_release(&memory->object);
}

static void test_a_fault_is_resolved_only_within_what_the_mapping_allows(void **state)
{
    (void)state;
    struct memory *memory;
    struct address_space *space = &process->space;
    paddr_t frame;
    uint32_t prot;
    assert_int_equal(memory_create_paged(process, 4 * NX_PAGE_SIZE, &memory), NX_OK);
    assert_int_equal(map_at(memory, NX_PAGE_SIZE, NX_PAGE_SIZE, NX_PROT_READ, BASE), NX_OK);
    assert_int_equal(address_space_resolve_fault(space, ARCH_FAULT_READ, BASE - 1),
                     NX_ERR_NOT_FOUND);
    assert_int_equal(address_space_resolve_fault(space, ARCH_FAULT_READ, BASE + NX_PAGE_SIZE),
                     NX_ERR_NOT_FOUND);
    assert_int_equal(address_space_resolve_fault(space, ARCH_FAULT_WRITE, BASE),
                     NX_ERR_ACCESS_DENIED);
    assert_int_equal(address_space_resolve_fault(space, ARCH_FAULT_EXECUTE, BASE),
                     NX_ERR_ACCESS_DENIED);
    assert_int_equal(address_space_resolve_fault(space, ARCH_FAULT_READ, BASE + 4095), NX_OK);
    assert_true(fake_space_query(&space->arch, vaddr(BASE), &frame, &prot));
    assert_int_equal(prot, ARCH_PROT_READ);
    paddr_t committed;
    assert_true(memory_find_page(memory, 1, &committed));
    assert_int_equal(frame.value, committed.value);
    // A second fault on the same page is only a stale translation.
    assert_int_equal(address_space_resolve_fault(space, ARCH_FAULT_READ, BASE), NX_OK);
    object_release(&memory->object);
}

static void test_the_kernel_places_mappings_apart_and_fills_the_gaps(void **state)
{
    (void)state;
    struct memory *memory;
    uint64_t addresses[NX_MAPPINGS_MAX] = {0};
    assert_int_equal(memory_create_paged(process, NX_PAGE_SIZE, &memory), NX_OK);
    for (uint32_t i = 0; i < NX_MAPPINGS_MAX; i++)
        assert_int_equal(
            address_space_map(&process->space, memory, 0, NX_PAGE_SIZE, RW, &addresses[i]), NX_OK);
    for (uint32_t i = 1; i < NX_MAPPINGS_MAX; i++)
        assert_true(addresses[i] >= addresses[i - 1] + 2 * NX_PAGE_SIZE);
    uint64_t one_more = 0;
    assert_int_equal(address_space_map(&process->space, memory, 0, NX_PAGE_SIZE, RW, &one_more),
                     NX_ERR_NO_MEMORY);
    bool done;
    assert_int_equal(address_space_unmap_some(&process->space, addresses[7], &done), NX_OK);
    assert_true(done);
    assert_int_equal(address_space_map(&process->space, memory, 0, NX_PAGE_SIZE, RW, &one_more),
                     NX_OK);
    assert_int_equal(one_more, addresses[7]);
    object_release(&memory->object);
}

static void test_populating_and_unmapping_go_in_bounded_steps(void **state)
{
    (void)state;
    struct memory *memory;
    struct address_space *space = &process->space;
    const uint64_t pages = 200;
    uint64_t cursor = 0;
    uint32_t steps = 0;
    bool done = false;
    assert_int_equal(memory_create_paged(process, pages * NX_PAGE_SIZE, &memory), NX_OK);
    assert_int_equal(map_at(memory, 0, pages * NX_PAGE_SIZE, RW, BASE), NX_OK);
    assert_int_equal(address_space_resolve_fault(space, ARCH_FAULT_READ, BASE + 5 * NX_PAGE_SIZE),
                     NX_OK);
    while (!done) {
        uint64_t before = cursor;
        assert_int_equal(address_space_populate_some(space, BASE, &cursor, &done), NX_OK);
        assert_true(cursor - before <= 16 * NX_PAGE_SIZE);
        steps++;
    }
    assert_true(steps >= pages / 16);
    assert_int_equal(memory->committed, pages * NX_PAGE_SIZE);
    assert_int_equal(address_space_populate_some(space, BASE + 4096, &cursor, &done),
                     NX_ERR_NOT_FOUND);
    for (steps = 0, done = false; !done; steps++)
        assert_int_equal(address_space_unmap_some(space, BASE, &done), NX_OK);
    assert_int_equal(steps, 4);
    paddr_t frame;
    uint32_t prot;
    for (uint64_t i = 0; i < pages; i++)
        assert_false(fake_space_query(&space->arch, vaddr(BASE + i * NX_PAGE_SIZE), &frame, &prot));
    object_release(&memory->object);
}

// --- Programs
// -------------------------------------------------------------------------------------

#define PAGES 100u

static struct {
    nx_handle supervisor;
    uint64_t address;
    _Atomic uint64_t reads;
    _Atomic bool unmapped;
} view;

// Reads until the memory is gone: then it must fault, whatever its hart has cached.
static void read_on(void *argument)
{
    (void)argument;
    for (;;) {
        bool gone = atomic_load(&view.unmapped);
        uint64_t value = user_load(view.address);
        CHECK(!gone);
        CHECK_EQUAL(value, 42);
        atomic_fetch_add(&view.reads, 1u);
        if (atomic_load(&view.reads) % 8 == 0)
            user_pause();
    }
}

static uint64_t map(nx_handle in, nx_handle memory, uint64_t pages, uint32_t prot)
{
    struct user_result result =
        USER_SYSCALL(NX_SYS_MEMORY_MAP, in, memory, 0, 0, pages * NX_PAGE_SIZE, prot);
    CHECK_EQUAL(result.status, NX_OK);
    return result.value[0];
}

static void unmap_under_readers(void *argument)
{
    (void)argument;
    for (uint32_t round = 0; round < 30; round++) {
        nx_handle child = user_process(100);
        nx_handle memory = user_memory(NX_PAGE_SIZE);
        uint64_t mine = map(0, memory, 1, RW);
        user_store(mine, 42);
        view.supervisor = user_endpoint();
        view.address = map(child, memory, 1, NX_PROT_READ);
        atomic_store(&view.reads, 0);
        atomic_store(&view.unmapped, false);
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_PROCESS_BIND, child, 0, 0, view.supervisor).status, NX_OK);
        for (int i = 0; i < 3; i++)
            user_thread(child, read_on, NULL);
        while (atomic_load(&view.reads) < 30)
            user_pause();
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_MEMORY_UNMAP, child, view.address).status, NX_OK);
        atomic_store(&view.unmapped, true);
        for (int i = 0; i < 3; i++) {
            struct user_result fault = user_receive(view.supervisor, NX_DEADLINE_NEVER);
            CHECK_EQUAL(fault.status, NX_OK);
            CHECK_EQUAL(fault.value[NX_FAULT_ADDRESS], view.address);
            CHECK_EQUAL(USER_SYSCALL(NX_SYS_REPLY_SAVE, 0).status, NX_OK);
        }
        CHECK_EQUAL(user_load(mine), 42);
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_MEMORY_UNMAP, 0, mine).status, NX_OK);
        CHECK_EQUAL(user_kill(child), NX_OK);
        CHECK_EQUAL(user_close(child), NX_OK);
        CHECK_EQUAL(user_close(memory), NX_OK);
        CHECK_EQUAL(user_close(view.supervisor), NX_OK);
    }
}

static void test_no_hart_reads_a_page_after_its_unmapping_returned(void **state)
{
    (void)state;
    fake_perturb_level(4);
    kernel_run(4, unmap_under_readers, NULL);
}

#define OTHER_HART 1u

static struct {
    nx_handle go;
    nx_handle waits;
    uint64_t address;
    _Atomic bool gone;
} idler;

// Reads on another hart, so that it caches the translation, waits there, and reads again.
static void read_wait_read(void *argument)
{
    (void)argument;
    CHECK_EQUAL(user_load(idler.address), 42);
    CHECK_EQUAL(user_hart(), OTHER_HART);
    CHECK_EQUAL(user_signal(idler.waits, 1), NX_OK);
    CHECK_EQUAL(user_wait(idler.go, NX_DEADLINE_NEVER), 1);
    CHECK(atomic_load(&idler.gone));
    (void)user_load(idler.address);
    CHECK(false); // what was unmapped was read
}

static void unmap_beside_an_idle_hart(void *argument)
{
    (void)argument;
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_CONTROL, 0, NX_THREAD_SET_AFFINITY, 1).status, NX_OK);
    for (uint32_t round = 0; round < 20; round++) {
        nx_handle child = user_process(100);
        nx_handle memory = user_memory(NX_PAGE_SIZE);
        uint64_t mine = map(0, memory, 1, RW);
        nx_handle supervisor = user_endpoint();
        nx_handle thread;
        user_store(mine, 42);
        idler.go = user_notification();
        idler.waits = user_notification();
        idler.address = map(child, memory, 1, NX_PROT_READ);
        atomic_store(&idler.gone, false);
        nx_handle mine_go = idler.go;
        nx_handle mine_waits = idler.waits;
        idler.go = user_grant(child, mine_go, NX_RIGHT_WAIT);
        idler.waits = user_grant(child, mine_waits, NX_RIGHT_SIGNAL);
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_PROCESS_BIND, child, 0, 0, supervisor).status, NX_OK);
        CHECK_EQUAL(user_thread_new(child, read_wait_read, NULL, &thread), NX_OK);
        CHECK_EQUAL(
            USER_SYSCALL(NX_SYS_THREAD_CONTROL, thread, NX_THREAD_SET_AFFINITY, 1u << OTHER_HART)
                .status,
            NX_OK);
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_START, thread).status, NX_OK);
        CHECK_EQUAL(user_wait(mine_waits, NX_DEADLINE_NEVER), 1);
        while (!atomic_load(&harts[OTHER_HART].spaceless))
            user_pause();
        uint64_t flushes = fake_remote_flushes();
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_MEMORY_UNMAP, child, idler.address).status, NX_OK);
        CHECK_EQUAL(fake_remote_flushes(), flushes);
        atomic_store(&idler.gone, true);
        CHECK_EQUAL(user_signal(mine_go, 1), NX_OK);
        struct user_result fault = user_receive(supervisor, NX_DEADLINE_NEVER);
        CHECK_EQUAL(fault.value[NX_FAULT_ADDRESS], idler.address);
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_REPLY_SAVE, 0).status, NX_OK);
        CHECK_EQUAL(user_kill(child), NX_OK);
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_MEMORY_UNMAP, 0, mine).status, NX_OK);
        const nx_handle closed[] = {thread, child, memory, supervisor, mine_go, mine_waits};
        for (uint32_t i = 0; i < 6; i++)
            CHECK_EQUAL(user_close(closed[i]), NX_OK);
    }
}

static void test_an_idle_hart_is_left_alone_and_forgets_the_page_when_it_comes_back(void **state)
{
    (void)state;
    kernel_run(2, unmap_beside_an_idle_hart, NULL);
}

static void test_memory_touched_in_order_is_committed_ahead_within_bounds(void **state)
{
    (void)state;
    struct memory *memory;
    struct address_space *space = &process->space;
    const uint64_t pages = 600; // more than one table of leaves
    uint64_t ahead = 0;
    uint32_t faults = 0;
    paddr_t frame;
    uint32_t prot;
    assert_int_equal(memory_create_paged(process, pages * NX_PAGE_SIZE, &memory), NX_OK);
    assert_int_equal(map_at(memory, 0, pages * NX_PAGE_SIZE, RW, BASE), NX_OK);
    // Here and there: nothing but what is touched.
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(
            address_space_resolve_fault(space, ARCH_FAULT_WRITE, BASE + (590 - 9 * i) * 4096),
            NX_OK);
    assert_int_equal(memory->committed, 5 * NX_PAGE_SIZE);
    for (uint64_t i = 0; i < 500; i++) {
        if (fake_space_query(&space->arch, vaddr(BASE + i * NX_PAGE_SIZE), &frame, &prot))
            continue;
        assert_int_equal(
            address_space_resolve_fault(space, ARCH_FAULT_WRITE, BASE + i * NX_PAGE_SIZE), NX_OK);
        faults++;
        uint64_t more = memory->committed / NX_PAGE_SIZE - 5 - i - 1;
        assert_true(more <= 15 && more <= i + 1);
        ahead = more > ahead ? more : ahead;
    }
    assert_int_equal(ahead, 15);
    assert_true(faults <= 5 + 500 / 16 + 1);
    // Without budget to spare, again only what is touched.
    uint64_t committed = memory->committed;
    uint64_t rest = process->budget - process->used - process->budget / 8;
    assert_int_equal(process_charge(process, rest), NX_OK);
    for (uint64_t i = committed / NX_PAGE_SIZE - 5; i < 530; i++)
        assert_int_equal(
            address_space_resolve_fault(space, ARCH_FAULT_WRITE, BASE + i * NX_PAGE_SIZE), NX_OK);
    assert_int_equal(memory->committed, (530 + 5) * NX_PAGE_SIZE);
    process_uncharge(process, rest);
    object_release(&memory->object);
}

static void take_and_give_some(void *argument)
{
    (void)argument;
    paddr_t frames[20];
    for (uint32_t i = 0; i < 20; i++)
        CHECK_EQUAL(frame_alloc(&frames[i]), NX_OK);
    for (uint32_t i = 0; i < 20; i++)
        frame_free(frames[i]);
}

static void test_frames_kept_by_other_harts_are_found_when_ram_is_used_up(void **state)
{
    (void)state;
    uint64_t before = frame_free_count();
    fake_run_harts(4, take_and_give_some, NULL);
    assert_int_equal(frame_free_count(), before);
    test_when_ram_is_used_up_a_frame_is_refused_and_all_came_zeroed(state);
    // And as blocks.
    fake_run_harts(4, take_and_give_some, NULL);
    paddr_t block;
    uint64_t first = 0;
    for (uint64_t i = 0; i < before; i++) {
        assert_int_equal(frame_alloc_block(0, &block), NX_OK);
        *(uint64_t *)arch_direct_map(block) = first;
        first = block.value;
    }
    assert_int_equal(frame_alloc_block(0, &block), NX_ERR_NO_MEMORY);
    while (first != 0) {
        block = paddr(first);
        first = *(uint64_t *)arch_direct_map(block);
        frame_free_block(block, 0);
    }
}

static void use_memory(void *argument)
{
    (void)argument;
    nx_handle memory = user_memory(PAGES * NX_PAGE_SIZE);
    uint64_t address = map(0, memory, PAGES, RW | NX_PROT_POPULATE);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_MEMORY_INFO, memory).value[2], PAGES * NX_PAGE_SIZE);
    for (uint64_t i = 0; i < PAGES; i++) {
        CHECK_EQUAL(user_load(address + i * NX_PAGE_SIZE), 0);
        user_store(address + i * NX_PAGE_SIZE + 8, i);
    }
    // The same pages, seen twice.
    uint64_t again = map(0, memory, PAGES, NX_PROT_READ);
    for (uint64_t i = 0; i < PAGES; i++)
        CHECK_EQUAL(user_load(again + i * NX_PAGE_SIZE + 8), i);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_MEMORY_UNMAP, 0, address).status, NX_OK);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_MEMORY_UNMAP, 0, address).status, NX_ERR_NOT_FOUND);
    CHECK_EQUAL(user_load(again + 8 + NX_PAGE_SIZE), 1);
    nx_handle lazy = user_memory(PAGES * NX_PAGE_SIZE);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_MEMORY_COMMIT, lazy, NX_PAGE_SIZE, 9 * NX_PAGE_SIZE).status,
                NX_OK);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_MEMORY_INFO, lazy).value[2], 9 * NX_PAGE_SIZE);
}

static void test_programs_see_their_memory_through_long_calls_that_are_cut(void **state)
{
    (void)state;
    kernel_run(1, use_memory, NULL);
    kernel_run(4, use_memory, NULL);
}

static int power_on(void **state)
{
    (void)state;
    fake_power_on(4);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_process, end_process)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_blocks_are_aligned_disjoint_and_merge_again),
        TEST(test_when_ram_is_used_up_a_frame_is_refused_and_all_came_zeroed),
        TEST(test_four_harts_share_the_frames),
        TEST(test_pages_are_committed_one_by_one_also_through_two_levels),
        TEST(test_runs_are_the_pages_that_lie_one_after_the_other),
        TEST(test_contiguous_memory_is_one_zeroed_block),
        TEST(test_impossible_memory_is_refused_and_costs_nothing),
        TEST(test_harts_that_commit_the_same_page_get_the_same_frame),
        TEST(test_a_mapping_that_is_not_allowed_is_refused_by_name),
        TEST(test_a_fault_is_resolved_only_within_what_the_mapping_allows),
        TEST(test_the_kernel_places_mappings_apart_and_fills_the_gaps),
        TEST(test_populating_and_unmapping_go_in_bounded_steps),
        TEST(test_memory_touched_in_order_is_committed_ahead_within_bounds),
        TEST(test_frames_kept_by_other_harts_are_found_when_ram_is_used_up),
        cmocka_unit_test(test_no_hart_reads_a_page_after_its_unmapping_returned),
        cmocka_unit_test(test_an_idle_hart_is_left_alone_and_forgets_the_page_when_it_comes_back),
        cmocka_unit_test(test_programs_see_their_memory_through_long_calls_that_are_cut),
    };
    return cmocka_run_group_tests_name("memory", tests, power_on, NULL);
}
