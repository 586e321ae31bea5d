// SPDX-License-Identifier: Apache-2.0
// Handles, references, budgets, reclamation, lock ranks, the kernel log.
#include "support/kernel_test.h"

#include "arch_inline.h"
#include "core/hart.h"
#include "core/log.h"
#include "ipc/notification.h"
#include "mm/frame.h"
#include "object/handle_table.h"
#include "object/pool.h"
#include "object/process.h"
#include "object/reclaim.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t free_at_start;

static int note_free_frames(void **state)
{
    (void)state;
    free_at_start = frame_free_count();
    // Nobody here takes the ticks of reclamation, which it would give way to.
    arch_timer_mask(true);
    return 0;
}

// Hart 0 leaves the kernel often enough for everything retired to go; all memory must be back.
static int all_memory_is_back(void **state)
{
    (void)state;
    for (int i = 0; i < 1000 && reclaim_is_pending(hart_self()); i++) {
        reclaim_pass(hart_self());
        (void)reclaim_run(100);
    }
    harts[0].reschedule = false;
    if (frame_free_count() == free_at_start && !reclaim_is_pending(hart_self()))
        return 0;
    print_error("%lu of %lu frames are back\n", frame_free_count(), free_at_start);
    return -1;
}

static struct process *new_process(uint64_t pages)
{
    static const char name[NX_NAME_BYTES] = "tester";
    struct process *process;
    assert_int_equal(process_create(NULL, name, pages * NX_PAGE_SIZE, NX_CLASS_NORMAL, &process),
                     NX_OK);
    return process;
}

// Its handles hold objects that hold it: the kill closes them.
static void end_process(struct process *process)
{
    process_kill(process, 0);
    object_release(&process->object);
}

static struct object *new_object(struct process *process)
{
    struct notification *notification;
    assert_int_equal(notification_create(process, &notification), NX_OK);
    return &notification->object;
}

static struct handle_value value_of(struct object *object, uint64_t badge, uint32_t rights)
{
    return (struct handle_value){object, badge, rights, NX_OBJECT_NOTIFICATION};
}

// --- Handles
// --------------------------------------------------------------------------------------

static void test_a_handle_is_found_by_type_and_rights_until_it_is_closed(void **state)
{
    (void)state;
    struct process *process = new_process(20);
    struct object *object = new_object(process);
    struct handle_value value = value_of(object, 9, NX_RIGHT_WAIT);
    nx_handle handle;
    nx_handle again;
    assert_int_equal(handle_install(process, &value, &handle), NX_OK);
    struct handle_value found;
    struct handle_table *table = &process->handles;
    assert_int_equal(handle_lookup(table, handle, NX_OBJECT_NOTIFICATION, NX_RIGHT_WAIT, &found),
                     NX_OK);
    assert_ptr_equal(found.object, object);
    assert_int_equal(found.badge, 9);
    assert_int_equal(handle_lookup(table, handle, NX_OBJECT_ENDPOINT, 0, &found),
                     NX_ERR_WRONG_TYPE);
    assert_int_equal(handle_lookup(table, handle, NX_OBJECT_NOTIFICATION, NX_RIGHT_SIGNAL, &found),
                     NX_ERR_ACCESS_DENIED);
    assert_int_equal(handle_lookup_any(table, 0, &found), NX_ERR_BAD_HANDLE);
    assert_int_equal(handle_lookup_any(table, handle + (1ull << 32), &found), NX_ERR_BAD_HANDLE);
    assert_int_equal(handle_lookup_any(table, handle + 1, &found), NX_ERR_BAD_HANDLE);
    assert_int_equal(handle_lookup_any(table, NX_HANDLES_MAX - 1, &found), NX_ERR_BAD_HANDLE);
    assert_int_equal(handle_close(process, handle), NX_OK);
    assert_int_equal(handle_close(process, handle), NX_ERR_BAD_HANDLE);
    // The slot is used again, its old handle is not.
    assert_int_equal(handle_install(process, &value, &again), NX_OK);
    assert_int_equal(again & ((1u << HANDLE_INDEX_BITS) - 1),
                     handle & ((1u << HANDLE_INDEX_BITS) - 1));
    assert_int_not_equal(again, handle);
    assert_int_equal(handle_lookup_any(table, handle, &found), NX_ERR_BAD_HANDLE);
    object_release(object);
    end_process(process);
}

static void test_a_table_takes_8192_handles_and_no_more(void **state)
{
    (void)state;
    struct process *process = new_process(200);
    struct object *object = new_object(process);
    struct handle_value value = value_of(object, 0, 0);
    nx_handle handle;
    for (uint32_t i = 0; i < NX_HANDLES_MAX; i++)
        assert_int_equal(handle_install(process, &value, &handle), NX_OK);
    nx_handle refused;
    assert_int_equal(handle_install(process, &value, &refused), NX_ERR_NO_MEMORY);
    assert_int_equal(object->references, NX_HANDLES_MAX + 1);
    assert_int_equal(handle_close(process, handle), NX_OK);
    assert_int_equal(handle_install(process, &value, &refused), NX_OK);
    object_release(object);
    end_process(process);
}

static void test_a_budget_bounds_objects_and_handles_and_a_refusal_costs_nothing(void **state)
{
    (void)state;
    struct process *process = new_process(3); // two go to its address space
    struct object *objects[200];
    struct notification *notification;
    uint32_t count = 0;
    while (notification_create(process, &notification) == NX_OK)
        objects[count++] = &notification->object;
    assert_int_equal(count, NX_PAGE_SIZE / sizeof(struct notification));
    uint64_t used = process->used;
    struct handle_value value = value_of(objects[0], 0, 0);
    nx_handle handle;
    assert_int_equal(handle_install(process, &value, &handle), NX_ERR_NO_MEMORY);
    assert_int_equal(process->used, used);
    assert_int_equal(objects[0]->references, 1);
    struct process *child;
    static const char name[NX_NAME_BYTES] = "child";
    assert_int_equal(process_create(process, name, NX_PAGE_SIZE, NX_CLASS_NORMAL, &child),
                     NX_ERR_NO_MEMORY);
    assert_int_equal(process->used, used);
    while (count-- > 0)
        object_release(objects[count]);
    end_process(process);
}

// Two objects take turns in one slot: a look-up finds one of them whole, or nothing.
static struct {
    struct process *process;
    struct object *objects[2];
    _Atomic nx_handle handle;
    _Atomic bool stop;
    _Atomic uint64_t found;
} slot;

// The host may run hart 0 alone for long: it goes on until the others have met it at work.
static bool nothing_was_found(void)
{
    return atomic_load_explicit(&slot.found, memory_order_relaxed) == 0;
}

static void look_up(void)
{
    struct handle_value value;
    nx_handle handle = atomic_load_explicit(&slot.handle, memory_order_relaxed);
    if (handle_lookup_any(&slot.process->handles, handle, &value) != NX_OK)
        return;
    CHECK(value.badge < 2);
    CHECK(value.object == slot.objects[value.badge]);
    CHECK_EQUAL(value.rights, value.badge == 0 ? NX_RIGHT_WAIT : NX_RIGHT_SIGNAL);
    atomic_fetch_add_explicit(&slot.found, 1, memory_order_relaxed);
}

static void close_and_install(uint32_t turn)
{
    struct handle_value value =
        value_of(slot.objects[turn % 2], turn % 2, turn % 2 == 0 ? NX_RIGHT_WAIT : NX_RIGHT_SIGNAL);
    nx_handle handle;
    CHECK_EQUAL(handle_install(slot.process, &value, &handle), NX_OK);
    atomic_store_explicit(&slot.handle, handle, memory_order_relaxed);
    if (turn % 256 == 0)
        sched_yield();
    CHECK_EQUAL(handle_close(slot.process, handle), NX_OK);
}

static void take_turns(void *argument)
{
    (void)argument;
    if (hart_self()->index.value == 0) {
        for (uint32_t turn = 0; turn < 6000 || nothing_was_found(); turn++)
            close_and_install(turn);
        atomic_store(&slot.stop, true);
    }
    while (!atomic_load(&slot.stop))
        look_up();
}

static void test_a_look_up_never_mixes_two_objects_of_one_slot(void **state)
{
    (void)state;
    fake_perturb_level(1);
    atomic_store(&slot.found, 0);
    atomic_store(&slot.stop, false);
    slot.process = new_process(20);
    slot.objects[0] = new_object(slot.process);
    slot.objects[1] = new_object(slot.process);
    fake_run_harts(4, take_turns, NULL);
    assert_true(slot.found > 0);
    object_release(slot.objects[0]);
    object_release(slot.objects[1]);
    end_process(slot.process);
}

// --- Reclamation
// ----------------------------------------------------------------------------------

// Objects are freed under the readers' feet unless grace periods hold them.
static void replace_object(uint32_t turn)
{
    struct notification *notification;
    CHECK_EQUAL(notification_create(slot.process, &notification), NX_OK);
    struct handle_value value = value_of(&notification->object, 0, NX_RIGHT_WAIT);
    nx_handle handle;
    CHECK_EQUAL(handle_install(slot.process, &value, &handle), NX_OK);
    object_release(&notification->object);
    atomic_store_explicit(&slot.handle, handle, memory_order_relaxed);
    if (turn % 8 == 0)
        sched_yield();
    CHECK_EQUAL(handle_close(slot.process, handle), NX_OK);
}

static void use_found_object(void)
{
    struct handle_value value;
    nx_handle handle = atomic_load_explicit(&slot.handle, memory_order_relaxed);
    if (handle_lookup_any(&slot.process->handles, handle, &value) != NX_OK)
        return;
    if (atomic_load_explicit(&slot.found, memory_order_relaxed) % 4 == 0)
        sched_yield();
    CHECK_EQUAL(value.object->type, NX_OBJECT_NOTIFICATION);
    CHECK(value.object->charged_to == slot.process);
    if (object_try_acquire(value.object))
        object_release(value.object);
    atomic_fetch_add_explicit(&slot.found, 1, memory_order_relaxed);
}

// Each turn is one entry into the kernel; some harts rest now and then.
static void read_and_free(void *argument)
{
    (void)argument;
    struct hart *self = hart_self();
    for (uint32_t turn = 0; !atomic_load(&slot.stop); turn++) {
        if (self->index.value == 0)
            replace_object(turn);
        else
            use_found_object();
        if (self->index.value == 0 && turn >= 4000 && !nothing_was_found())
            atomic_store(&slot.stop, true);
        if (turn % 64 == self->index.value) {
            reclaim_rest_begin(self);
            sched_yield();
            reclaim_rest_end(self);
        }
        reclaim_pass(self);
        (void)reclaim_run(4);
    }
    // Never in the kernel again; what it retired waits for hart 0.
    reclaim_rest_begin(self);
    if (self->index.value != 0)
        atomic_fetch_or_explicit(&harts[0].adopt, hart_bit(self), memory_order_release);
}

static void test_no_hart_meets_freed_memory_and_all_of_it_is_freed_in_the_end(void **state)
{
    (void)state;
    atomic_store(&slot.found, 0);
    atomic_store(&slot.stop, false);
    slot.process = new_process(1000);
    fake_run_harts(4, read_and_free, NULL);
    (void)reclaim_run(1); // adopts
    assert_true(slot.found > 0);
    end_process(slot.process);
}

// How many turns of hart 0 it takes until `object`'s memory is back, at most 20.
static bool goes_within(uint64_t done_before)
{
    for (int i = 0; i < 20; i++) {
        reclaim_pass(hart_self());
        (void)reclaim_run(10);
    }
    return reclaim_done_count() > done_before;
}

static void
test_a_hart_in_the_kernel_holds_a_grace_period_up_also_while_it_leaves_the_system(void **state)
{
    (void)state;
    static const enum nx_hart_state in_kernel[] = {NX_HART_ONLINE, NX_HART_STOPPING};
    for (int i = 0; i < 2; i++) {
        uint64_t done = reclaim_done_count();
        hart_set_state(&harts[1], in_kernel[i]);
        object_release(new_object(NULL));
        assert_false(goes_within(done));
        reclaim_pass(&harts[1]);
        assert_true(goes_within(done));
        reclaim_pass(&harts[1]); // what was found by other ways waits once more
        assert_true(goes_within(done + 1));
        assert_false(reclaim_is_pending(hart_self()));
    }
    // A hart that rests or is stopped holds nothing.
    hart_set_state(&harts[1], NX_HART_STOPPED);
    uint64_t done = reclaim_done_count();
    object_release(new_object(NULL));
    assert_true(goes_within(done + 1));
    hart_set_state(&harts[1], NX_HART_ONLINE);
    reclaim_rest_begin(&harts[1]);
    object_release(new_object(NULL));
    assert_true(goes_within(done + 3));
    reclaim_rest_end(&harts[1]);
    hart_set_state(&harts[1], NX_HART_ABSENT);
}

static void count_references(void *argument)
{
    struct object *object = argument;
    for (int i = 0; i < 20000; i++) {
        CHECK(object_try_acquire(object));
        object_acquire(object);
        object_release(object);
        object_release(object);
    }
    object_release(object);
}

static void test_the_last_of_four_harts_retires_an_object(void **state)
{
    (void)state;
    uint64_t retired = reclaim_retired_count();
    struct object *object = new_object(NULL);
    for (int i = 0; i < 3; i++)
        object_acquire(object);
    fake_run_harts(4, count_references, object);
    assert_int_equal(reclaim_retired_count(), retired + 1);
    assert_false(object_try_acquire(object));
    // Whoever it was, hart 0 takes it over.
    atomic_store(&harts[0].adopt, 0xe);
    (void)reclaim_run(1);
}

// --- Pools
// ----------------------------------------------------------------------------------------

static void test_pool_memory_is_zeroed_disjoint_and_returns_its_frames(void **state)
{
    (void)state;
    struct random random = random_seed(5);
    static struct {
        uint8_t *memory;
        size_t size;
    } slots[200];
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t i = (uint32_t)random_below(&random, 200);
        if (slots[i].memory != NULL) {
            for (size_t j = 0; j < slots[i].size; j++)
                assert_int_equal(slots[i].memory[j], (uint8_t)i);
            pool_free(slots[i].memory);
            slots[i].memory = NULL;
            continue;
        }
        slots[i].size = 1 + random_below(&random, random_below(&random, 2) == 0 ? 100 : 4000);
        slots[i].memory = pool_alloc(slots[i].size);
        assert_non_null(slots[i].memory);
        for (size_t j = 0; j < slots[i].size; j++)
            assert_int_equal(slots[i].memory[j], 0);
        memset(slots[i].memory, (int)i, slots[i].size);
    }
    for (uint32_t i = 0; i < 200; i++)
        if (slots[i].memory != NULL)
            pool_free(slots[i].memory);
}

// --- Locks
// ----------------------------------------------------------------------------------------

static struct lock low = LOCK_INITIALIZER(LOCK_RANK_PROCESS);
static struct lock high = LOCK_INITIALIZER(LOCK_RANK_OBJECT);

static void invert(void)
{
    lock_acquire(&high);
    lock_acquire(&low);
}

static void acquire_twice(void)
{
    lock_acquire(&low);
    lock_acquire(&low);
}

static void release_unheld(void)
{
    lock_release(&low);
}

static void leave_with_a_lock(void)
{
    lock_acquire(&low);
    lock_check_none_held();
}

// In a process of its own, because the kernel panics.
static bool panics(void (*body)(void))
{
    pid_t child = fork();
    if (child == 0) {
        (void)freopen("/dev/null", "w", stderr);
        signal(SIGABRT, SIG_DFL);
        body();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void test_lock_order_and_ownership_are_checked(void **state)
{
    (void)state;
    assert_true(panics(invert));
    assert_true(panics(acquire_twice));
    assert_true(panics(release_unheld));
    assert_true(panics(leave_with_a_lock));
    lock_acquire(&low);
    lock_acquire(&high);
    assert_true(lock_is_held(&low));
    lock_release(&low);
    lock_release(&high);
    lock_acquire_pair(&high, &high);
    lock_release_pair(&high, &high);
    lock_check_none_held();
}

// --- The kernel log
// -------------------------------------------------------------------------------

#define RING 65536u

static void test_the_log_keeps_whole_lines_and_says_what_was_overwritten(void **state)
{
    (void)state;
    char text[NX_MESSAGE_BYTES_MAX];
    uint64_t lost;
    uint64_t cursor = UINT64_MAX;
    assert_int_equal(log_read(&cursor, text, sizeof(text), &lost), 0);
    uint64_t start = cursor;
    log_line("line %d %s", 7, "x");
    assert_int_equal(log_read(&cursor, text, sizeof(text), &lost), 9);
    assert_memory_equal(text, "line 7 x\n", 9);
    log_write("a\x01\x7f\tb", 5);
    assert_int_equal(log_read(&cursor, text, 3, &lost), 3);
    assert_memory_equal(text, "a??", 3);
    assert_int_equal(log_read(&cursor, text, sizeof(text), &lost), 3);
    assert_memory_equal(text, "\tb\n", 3);
    for (uint64_t written = 0; written < 2 * RING; written += 256)
        log_line("%0255d", 1);
    uint64_t end = UINT64_MAX;
    assert_int_equal(log_read(&end, text, sizeof(text), &lost), 0);
    cursor = start;
    assert_int_equal(log_read(&cursor, text, sizeof(text), &lost), sizeof(text));
    assert_int_equal(lost, end - RING - start);
    assert_int_equal(cursor, start + lost + sizeof(text));
}

static void write_lines(void *argument)
{
    (void)argument;
    for (int i = 0; i < 500; i++)
        log_line("<%u %03d>", hart_self()->index.value, i);
}

static void test_lines_of_four_harts_do_not_mix(void **state)
{
    (void)state;
    char text[NX_MESSAGE_BYTES_MAX];
    uint64_t lost;
    uint64_t cursor = UINT64_MAX;
    int next[4] = {0};
    (void)log_read(&cursor, text, sizeof(text), &lost);
    fake_run_harts(4, write_lines, NULL);
    for (int i = 0; i < 2000; i++) {
        unsigned hart;
        int number;
        assert_int_equal(log_read(&cursor, text, 8, &lost), 8);
        text[8] = '\0';
        assert_int_equal(sscanf(text, "<%u %d>\n", &hart, &number), 2);
        assert_true(hart < 4);
        assert_int_equal(number, next[hart]++);
    }
}

static int power_on(void **state)
{
    (void)state;
    fake_power_on(4);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, note_free_frames, all_memory_is_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_handle_is_found_by_type_and_rights_until_it_is_closed),
        TEST(test_a_table_takes_8192_handles_and_no_more),
        TEST(test_a_budget_bounds_objects_and_handles_and_a_refusal_costs_nothing),
        TEST(test_a_look_up_never_mixes_two_objects_of_one_slot),
        TEST(test_no_hart_meets_freed_memory_and_all_of_it_is_freed_in_the_end),
        TEST(test_a_hart_in_the_kernel_holds_a_grace_period_up_also_while_it_leaves_the_system),
        TEST(test_the_last_of_four_harts_retires_an_object),
        TEST(test_pool_memory_is_zeroed_disjoint_and_returns_its_frames),
        TEST(test_lock_order_and_ownership_are_checked),
        TEST(test_the_log_keeps_whole_lines_and_says_what_was_overwritten),
        TEST(test_lines_of_four_harts_do_not_mix),
    };
    return cmocka_run_group_tests_name("objects", tests, power_on, NULL);
}
