// SPDX-License-Identifier: Apache-2.0
// Run queues, stealing, deadlines, classes and inter-processor interrupts.
#include "support/kernel_test.h"

#include "arch_inline.h"
#include "core/hart.h"
#include "core/lock_inline.h"
#include "core/selftest.h"
#include "each_alone.h"
#include "sched/scheduler.h"
#include "sched/thread.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

// --- Run queues, on one hart
// ----------------------------------------------------------------------

#define DECOYS 64u

// Threads that are only ever queued.
static struct thread decoys[DECOYS];

static struct thread *decoy(uint32_t index, enum nx_class class, uint32_t affinity)
{
    struct thread *thread = &decoys[index];
    memset(thread, 0, sizeof(*thread));
    thread_set_class(thread, (uint8_t) class);
    atomic_init(&thread->placement, affinity);
    thread->id = index;
    return thread;
}

static void test_a_queue_is_first_in_first_out_within_a_class_and_the_urgent_go_first(void **state)
{
    (void)state;
    static struct run_queue queue;
    static const enum nx_class classes[] = {NX_CLASS_NORMAL,  NX_CLASS_DRIVER, NX_CLASS_BACKGROUND,
                                            NX_CLASS_SERVICE, NX_CLASS_NORMAL, NX_CLASS_DRIVER};
    static const uint64_t order[] = {1, 5, 3, 6, 0, 4, 2};
    run_queue_init(&queue);
    assert_null(run_queue_pop(&queue));
    for (uint32_t i = 0; i < 6; i++)
        run_queue_push(&queue, decoy(i, classes[i], 0xf), false);
    run_queue_push(&queue, decoy(6, NX_CLASS_NORMAL, 0xf), true); // before its equals
    assert_int_equal(queue.length, 7);
    assert_int_equal(run_queue_pop_at_least(&queue, NX_CLASS_DRIVER)->id, order[0]);
    for (uint32_t i = 1; i < 3; i++)
        assert_int_equal(run_queue_pop(&queue)->id, order[i]);
    assert_null(run_queue_pop_at_least(&queue, NX_CLASS_SERVICE));
    for (uint32_t i = 3; i < 7; i++)
        assert_int_equal(run_queue_pop(&queue)->id, order[i]);
    assert_null(run_queue_pop(&queue));
    assert_int_equal(queue.bitmap, 0);
}

static void
test_a_thief_takes_a_bounded_number_within_affinity_and_never_a_higher_class(void **state)
{
    (void)state;
    static struct run_queue queue;
    struct thread_queue taken = {0};
    run_queue_init(&queue);
    assert_int_equal(run_queue_steal(&queue, 1, 1, NX_CLASS_DRIVER, &taken), NX_ERR_NOT_FOUND);
    run_queue_push(&queue, decoy(0, NX_CLASS_DRIVER, 0xf), false);
    assert_int_equal(run_queue_steal(&queue, 1, RUN_QUEUE_STEAL_MAX + 1, NX_CLASS_DRIVER, &taken),
                     NX_ERR_TOO_LARGE);
    assert_int_equal(run_queue_steal(&queue, 1, 1, NX_CLASS_SERVICE, &taken), NX_ERR_ACCESS_DENIED);
    run_queue_push(&queue, decoy(1, NX_CLASS_NORMAL, 1), false);
    run_queue_push(&queue, decoy(2, NX_CLASS_NORMAL, 2), false);
    run_queue_push(&queue, decoy(3, NX_CLASS_SERVICE, 3), false);
    run_queue_push(&queue, decoy(4, NX_CLASS_NORMAL, 2), false);
    assert_int_equal(run_queue_steal(&queue, 4, 2, NX_CLASS_SERVICE, &taken), NX_ERR_NOT_FOUND);
    assert_true(thread_queue_is_empty(&taken));
    assert_int_equal(run_queue_steal(&queue, 2, 2, NX_CLASS_SERVICE, &taken), NX_OK);
    assert_int_equal(thread_queue_pop_front(&taken)->id, 3);
    assert_int_equal(thread_queue_pop_front(&taken)->id, 2);
    assert_true(thread_queue_is_empty(&taken));
    assert_int_equal(queue.length, 3);
    assert_int_equal(run_queue_pop(&queue)->id, 0);
    assert_int_equal(run_queue_pop(&queue)->id, 1);
    assert_int_equal(run_queue_pop(&queue)->id, 4);
}

// --- Run queues, on four harts
// --------------------------------------------------------------------

#define OPERATIONS 40000u // on each hart

static _Atomic uint64_t handled;

// This hart owns the thread: nobody else may write it meanwhile.
static void handle_thread(struct thread *thread, struct random *random)
{
    CHECK_EQUAL(thread->send_info, 0);
    thread->send_info = 1;
    thread->send_badge++;
    thread->send_info = 0;
    run_queue_push(&harts[random_below(random, 4)].run_queue, thread, random_below(random, 4) == 0);
    atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
}

static void push_pop_and_steal(void *argument)
{
    (void)argument;
    struct hart *self = hart_self();
    struct random random = random_seed(self->index.value + 40);
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        struct thread_queue taken = {0};
        struct thread *thread;
        if (random_below(&random, 2) == 0) {
            thread = run_queue_pop(&self->run_queue);
            if (thread != NULL)
                handle_thread(thread, &random);
            continue;
        }
        struct hart *victim = &harts[random_below(&random, 4)];
        if (run_queue_steal(&victim->run_queue, hart_bit(self),
                            (uint32_t)random_below(&random, RUN_QUEUE_STEAL_MAX) + 1,
                            (enum nx_class)random_below(&random, NX_CLASS_COUNT), &taken) != NX_OK)
            continue;
        while ((thread = thread_queue_pop_front(&taken)) != NULL) {
            CHECK((thread_affinity(thread) & hart_bit(self)) != 0);
            handle_thread(thread, &random);
        }
    }
}

static void test_nothing_is_lost_or_doubled_while_four_harts_push_pop_and_steal(void **state)
{
    (void)state;
    uint64_t sum = 0;
    uint32_t found = 0;
    fake_perturb_level(1);
    for (uint32_t i = 0; i < DECOYS; i++)
        run_queue_push(&harts[i % 4].run_queue,
                       decoy(i, (enum nx_class)(i % NX_CLASS_COUNT), 1 + i % 15), false);
    fake_run_harts(4, push_pop_and_steal, NULL);
    for (uint32_t i = 0; i < 4; i++) {
        struct thread *thread;
        while ((thread = run_queue_pop(&harts[i].run_queue)) != NULL) {
            sum += thread->send_badge;
            thread->send_badge = 0;
            found++;
        }
    }
    assert_int_equal(found, DECOYS);
    assert_int_equal(sum, handled);
    assert_true(handled > 100000);
}

// --- Deadlines
// ------------------------------------------------------------------------------------

// The rank of a heap; ends the test when it is none, or not leftist.
static uint32_t heap_is_leftist(const struct timer_node *node, const struct timer_node *parent)
{
    if (node == NULL)
        return 0;
    assert_ptr_equal(node->parent, parent);
    assert_true(parent == NULL || parent->deadline <= node->deadline);
    uint32_t left = heap_is_leftist(node->left, node);
    uint32_t right = heap_is_leftist(node->right, node);
    assert_true(left >= right);
    assert_int_equal(node->rank, right + 1);
    return node->rank;
}

static void test_deadlines_expire_in_order_and_cancelled_ones_never(void **state)
{
    (void)state;
    struct random random = random_seed(3);
    uint64_t expected[DECOYS];
    for (uint32_t i = 0; i < DECOYS; i++)
        decoy(i, NX_CLASS_NORMAL, 0xf);
    memset(expected, 0, sizeof(expected));
    uint64_t now = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t index = (uint32_t)random_below(&random, DECOYS);
        uint64_t earliest = ARCH_TIMER_NEVER;
        if (expected[index] == 0) {
            expected[index] = now + 1 + random_below(&random, 50);
            timer_start(&decoys[index], expected[index]);
        } else if (random_below(&random, 3) == 0) {
            timer_cancel(&decoys[index]);
            timer_cancel(&decoys[index]);
            expected[index] = 0;
        }
        now += random_below(&random, 3);
        uint64_t sequence;
        struct thread *thread;
        uint64_t last = 0;
        while ((thread = timer_pop_expired(now, &sequence)) != NULL) {
            assert_int_equal(sequence, 1);
            assert_true(expected[thread->id] != 0 && expected[thread->id] <= now);
            assert_true(expected[thread->id] >= last);
            last = expected[thread->id];
            expected[thread->id] = 0;
        }
        for (uint32_t i = 0; i < DECOYS; i++) {
            assert_true(expected[i] == 0 || expected[i] > now);
            if (expected[i] != 0 && expected[i] < earliest)
                earliest = expected[i];
        }
        assert_int_equal(harts[0].timers.earliest, earliest);
        assert_true(heap_is_leftist(harts[0].timers.root, NULL) < 7); // rank 7 takes 127 nodes
    }
    for (uint32_t i = 0; i < DECOYS; i++)
        timer_cancel(&decoys[i]);
    assert_int_equal(harts[0].timers.earliest, ARCH_TIMER_NEVER);
}

static void test_the_timer_is_armed_for_the_earlier_of_tick_and_deadline(void **state)
{
    (void)state;
    fake_clock_set(1000);
    harts[0].tick_deadline = 5000;
    timer_rearm();
    assert_int_equal(fake_armed_deadline(), 5000);
    timer_start(decoy(0, NX_CLASS_NORMAL, 0xf), 3000);
    timer_start(decoy(1, NX_CLASS_NORMAL, 0xf), 4000);
    assert_int_equal(fake_armed_deadline(), 3000);
    // A stopping hart's deadlines go to its heir.
    timer_move_all(&harts[0], &harts[1]);
    timer_rearm();
    // Without Sstc it costs less to be interrupted once too often.
    assert_int_equal(fake_armed_deadline(), 3000);
    fake_sstc(true);
    // Nor does a hart that runs a thread arm it anew for what was taken back.
    harts[0].current = &decoys[0];
    timer_rearm();
    assert_int_equal(fake_armed_deadline(), 3000);
    harts[0].current = NULL;
    timer_rearm();
    assert_int_equal(fake_armed_deadline(), 5000);
    assert_int_equal(harts[1].timers.earliest, 3000);
    timer_cancel(&decoys[0]);
    assert_int_equal(harts[1].timers.earliest, 4000);
    timer_cancel(&decoys[1]);
    harts[0].tick_deadline = ARCH_TIMER_NEVER;
    timer_rearm();
    assert_int_equal(fake_armed_deadline(), ARCH_TIMER_NEVER);
    fake_sstc(false);
    fake_clock_run();
    assert_int_equal(timer_ticks_from_nanoseconds(0), 0);
    assert_int_equal(timer_ticks_from_nanoseconds(1), 1);
    assert_int_equal(timer_ticks_from_nanoseconds(101), 2);
    assert_int_equal(timer_ticks_from_nanoseconds(UINT64_MAX), UINT64_MAX / 100 + 1);
}

static void start_and_cancel(void *argument)
{
    (void)argument;
    struct hart *self = hart_self();
    struct random random = random_seed(self->index.value);
    for (uint32_t i = 0; i < 20000; i++) {
        // Each hart starts its own threads' deadlines; anybody takes them out.
        struct thread *own = &decoys[self->index.value * 16 + random_below(&random, 16)];
        struct thread *any = &decoys[random_below(&random, DECOYS)];
        uint64_t sequence;
        if (atomic_load_explicit(&own->timer.hart, memory_order_acquire) == NULL)
            timer_start(own, i + random_below(&random, 20));
        timer_cancel(any);
        while (timer_pop_expired(i, &sequence) != NULL)
            CHECK_EQUAL(sequence, 1);
    }
}

static void test_a_deadline_is_taken_out_once_whoever_takes_it(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < DECOYS; i++)
        decoy(i, NX_CLASS_NORMAL, 0xf);
    fake_run_harts(4, start_and_cancel, NULL);
    for (uint32_t i = 0; i < DECOYS; i++)
        timer_cancel(&decoys[i]);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(harts[i].timers.earliest, ARCH_TIMER_NEVER);
}

// --- Inter-processor interrupts and harts that leave
// ----------------------------------------------

static void set_hart(uint32_t index, enum nx_hart_state hart_state, int32_t class)
{
    hart_set_state(&harts[index], hart_state);
    atomic_store(&harts[index].running_class, class);
}

static void test_requests_are_refused_coalesced_or_sent_and_the_ledger_adds_up(void **state)
{
    (void)state;
    struct hart_ipi_ledger *ledger = &harts[0].ipi;
    uint64_t requested = ledger->requested;
    uint64_t sent = ledger->sent;
    assert_int_equal(hart_send_ipi((struct hart_index){0}, IPI_QUIESCE), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(hart_send_ipi((struct hart_index){4}, IPI_QUIESCE), NX_ERR_OUT_OF_RANGE);
    assert_int_equal(hart_send_ipi((struct hart_index){1}, IPI_QUIESCE), NX_ERR_BAD_STATE);
    assert_int_equal(ledger->requested, requested);
    set_hart(1, NX_HART_ONLINE, -1);
    assert_int_equal(hart_send_ipi((struct hart_index){1}, IPI_QUIESCE), NX_OK);
    assert_int_equal(hart_send_ipi((struct hart_index){1}, IPI_QUIESCE), NX_OK);
    assert_int_equal(hart_send_ipi((struct hart_index){1}, IPI_RESCHEDULE), NX_OK);
    assert_int_equal(ledger->requested, requested + 3);
    assert_int_equal(ledger->sent, sent + 2);
    assert_int_equal(ledger->requested, ledger->sent + ledger->coalesced);
    set_hart(1, NX_HART_ABSENT, -1);
}

// Between a hart's evacuation and its end, it still says what it last ran.
static void leave_after_the_choice(void)
{
    set_hart(1, NX_HART_STOPPING, NX_CLASS_DRIVER);
}

static void test_a_thread_sent_to_a_hart_that_leaves_moves_on(void **state)
{
    (void)state;
    struct thread *thread = decoy(0, NX_CLASS_NORMAL, 2);
    atomic_store(&thread->home, &harts[1]);
    set_hart(1, NX_HART_ONLINE, NX_CLASS_DRIVER);
    atomic_store(&harts[0].running_class, NX_CLASS_DRIVER);
    fake_after_unlock(LOCK_RANK_RUN_QUEUE, leave_after_the_choice);
    scheduler_make_ready(thread);
    assert_ptr_equal(run_queue_pop(&harts[0].run_queue), thread);
    assert_null(run_queue_pop(&harts[1].run_queue));
    set_hart(1, NX_HART_ABSENT, -1);
    atomic_store(&harts[0].running_class, -1);
    harts[0].reschedule = false;
    harts[0].tick_deadline = ARCH_TIMER_NEVER;
}

// Hart 1 idles, as far as hints tell.
static void set_idle(enum nx_hart_state hart_state)
{
    set_hart(1, hart_state, -1);
    atomic_fetch_or(&scheduler_idle_harts, harts[1].bit);
    atomic_store(&harts[1].ipi_pending, 0);
}

static void set_absent(void)
{
    atomic_fetch_and(&scheduler_idle_harts, ~harts[1].bit);
    set_hart(1, NX_HART_ABSENT, -1);
    harts[0].reschedule = false;
    harts[0].tick_deadline = ARCH_TIMER_NEVER;
}

static void test_an_idle_home_gets_one_thread_by_its_slot_and_is_interrupted(void **state)
{
    (void)state;
    struct thread *thread = decoy(0, NX_CLASS_NORMAL, 2);
    struct thread *another = decoy(1, NX_CLASS_NORMAL, 2);
    atomic_store(&thread->home, &harts[1]);
    atomic_store(&another->home, &harts[1]);
    set_idle(NX_HART_ONLINE);
    scheduler_make_ready(thread);
    assert_ptr_equal(atomic_load(&harts[1].arrival), thread);
    assert_true((atomic_load(&harts[1].ipi_pending) & IPI_RESCHEDULE) != 0);
    scheduler_make_ready(another);
    assert_ptr_equal(run_queue_pop(&harts[1].run_queue), another);
    // Nothing of it is left where the hart goes.
    set_hart(1, NX_HART_STOPPING, -1);
    scheduler_evacuate(&harts[1]);
    assert_null(atomic_load(&harts[1].arrival));
    assert_ptr_equal(run_queue_pop(&harts[0].run_queue), thread);
    set_absent();
}

static void test_a_thread_sent_by_the_slot_of_a_hart_that_leaves_moves_on(void **state)
{
    (void)state;
    struct thread *thread = decoy(0, NX_CLASS_NORMAL, 2);
    atomic_store(&thread->home, &harts[1]);
    set_idle(NX_HART_STOPPING);
    scheduler_make_ready(thread);
    assert_null(atomic_load(&harts[1].arrival));
    assert_ptr_equal(run_queue_pop(&harts[0].run_queue), thread);
    set_absent();
}

static void test_threads_that_become_ready_at_once_go_to_idle_harts_of_their_own(void **state)
{
    (void)state;
    atomic_store(&harts[0].running_class, NX_CLASS_DRIVER);
    for (uint32_t i = 1; i < 4; i++) {
        set_hart(i, NX_HART_ONLINE, -1);
        atomic_fetch_or(&scheduler_idle_harts, harts[i].bit);
    }
    for (uint32_t i = 1; i < 4; i++) {
        struct thread *thread = decoy(i, NX_CLASS_NORMAL, 0xe);
        atomic_store(&thread->home, &harts[0]);
        scheduler_make_ready(thread);
    }
    for (uint32_t i = 1; i < 4; i++) {
        assert_non_null(run_queue_pop(&harts[i].run_queue));
        assert_null(run_queue_pop(&harts[i].run_queue));
        atomic_store(&harts[i].ipi_pending, 0);
        atomic_fetch_and(&scheduler_idle_harts, ~harts[i].bit);
        set_hart(i, NX_HART_ABSENT, -1);
    }
    atomic_store(&harts[0].running_class, -1);
}

static void test_a_tick_takes_a_thread_from_a_queue_that_is_longer_by_two(void **state)
{
    (void)state;
    set_hart(1, NX_HART_ONLINE, NX_CLASS_DRIVER);
    atomic_store(&harts[0].running_class, NX_CLASS_DRIVER);
    for (uint32_t i = 0; i < 3; i++)
        run_queue_push(&harts[1].run_queue, decoy(i, NX_CLASS_NORMAL, 0xf), false);
    // Each tick looks at one hart.
    for (uint32_t i = 0; i < NX_HARTS_MAX; i++) {
        harts[0].tick_deadline = 0;
        scheduler_timer_interrupt();
    }
    assert_int_equal(harts[1].run_queue.length, 2);
    assert_int_equal(run_queue_pop(&harts[0].run_queue)->id, 0);
    assert_null(run_queue_pop(&harts[0].run_queue));
    while (run_queue_pop(&harts[1].run_queue) != NULL)
        continue;
    set_hart(1, NX_HART_ABSENT, -1);
    atomic_store(&harts[0].running_class, -1);
    harts[0].reschedule = false;
    harts[0].slice_over = false;
    harts[0].tick_deadline = ARCH_TIMER_NEVER;
}

static void test_a_lock_that_is_not_free_counts_as_contended_whoever_waits_for_it(void **state)
{
    (void)state;
    struct lock lock;
    uint64_t before = counter_read(&harts[0].lock_contended);
    uint64_t before_there = counter_read(&harts[1].lock_contended);
    lock_init(&lock, LOCK_RANK_RUN_QUEUE);
    assert_true(lock_try_acquire_fast(&lock, &harts[0]));
    assert_int_equal(counter_read(&harts[0].lock_contended), before);
    assert_false(lock_try_acquire_fast(&lock, &harts[1]));
    assert_int_equal(counter_read(&harts[1].lock_contended), before_there + 1);
    lock_release(&lock);
}

static void come_back(void *argument)
{
    (void)argument;
    if (hart_self()->index.value != 1)
        return;
    hart_enter_online(hart_self());
    CHECK_EQUAL(atomic_load(&hart_self()->ipi_pending), 0);
}

static void test_a_hart_comes_back_to_an_empty_mailbox(void **state)
{
    (void)state;
    atomic_store(&harts[1].ipi_pending, IPI_RESCHEDULE | IPI_LEAVE);
    fake_run_harts(2, come_back, NULL);
    harts[1].reschedule = false;
}

// --- Classes and the kernel's own tests, in the running machine
// -----------------------------------

static _Atomic uint64_t order;
static struct barrier all_ran;

static void note_order(void *argument)
{
    atomic_store(&order, atomic_load(&order) * 10 + (uint64_t)(uintptr_t)argument);
    barrier_arrive(&all_ran);
}

static void start_classes(void *argument)
{
    (void)argument;
    nx_handle threads[NX_CLASS_COUNT];
    atomic_store(&order, 0);
    barrier_open(&all_ran, NX_CLASS_COUNT);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_CONTROL, 0, NX_THREAD_SET_CLASS, NX_CLASS_DRIVER).status,
                NX_OK);
    for (uintptr_t class = 0; class < NX_CLASS_COUNT; class ++) {
        CHECK_EQUAL(user_thread_new(0, note_order, (void *)(class + 1), &threads[class]), NX_OK);
        CHECK_EQUAL(
            USER_SYSCALL(NX_SYS_THREAD_CONTROL, threads[class], NX_THREAD_SET_CLASS, class).status,
            NX_OK);
    }
    CHECK_EQUAL(
        USER_SYSCALL(NX_SYS_THREAD_CONTROL, threads[0], NX_THREAD_SET_CLASS, NX_CLASS_COUNT).status,
        NX_ERR_ACCESS_DENIED);
    for (uint32_t class = 0; class < NX_CLASS_COUNT; class ++)
        CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_START, threads[class]).status, NX_OK);
    barrier_wait(&all_ran);
    CHECK_EQUAL(atomic_load(&order), 4321);
}

static void test_the_most_urgent_class_runs_first(void **state)
{
    (void)state;
    kernel_run(1, start_classes, NULL);
}

#define PAUSES_MAX 200000u

static void fill(void *argument)
{
    (void)argument;
    for (;;)
        user_pause();
}

// The killer never waits, and so is all that this hart runs but for what is more urgent.
static void kill_what_is_queued_below(void *argument)
{
    (void)argument;
    nx_handle process = user_process(20);
    nx_handle thread;
    CHECK_EQUAL(user_thread_new(process, fill, NULL, &thread), NX_OK);
    CHECK_EQUAL(
        USER_SYSCALL(NX_SYS_THREAD_CONTROL, thread, NX_THREAD_SET_CLASS, NX_CLASS_BACKGROUND)
            .status,
        NX_OK);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_START, thread).status, NX_OK);
    CHECK_EQUAL(user_close(thread), NX_OK);
    CHECK_EQUAL(user_kill(process), NX_OK);
    uint32_t pauses = 0;
    while (USER_SYSCALL(NX_SYS_PROCESS_INFO, process).value[0] != NX_PROCESS_DEAD) {
        CHECK(pauses++ < PAUSES_MAX);
        user_pause();
    }
    CHECK_EQUAL(user_close(process), NX_OK);
}

static void test_a_killed_process_ends_although_others_never_leave_its_class_a_turn(void **state)
{
    (void)state;
    kernel_run(1, kill_what_is_queued_below, NULL);
}

static void run_selftests(void)
{
    selftest_after_smp((uint32_t)__builtin_popcount(hart_online_mask()));
}

static void nothing(void *argument)
{
    (void)argument;
}

static void test_the_kernels_own_tests_pass_here_too(void **state)
{
    (void)state;
    static const char *const names[] = {"ipi counterfactual",
                                        "ipi resched",
                                        "work stealing",
                                        "test_reject_invalid_ipi_target_cpu",
                                        "test_reject_steal_above_bound",
                                        "test_reject_steal_higher_qos"};
    fake_perturb_level(0);
    fake_console_clear();
    fake_before_scheduler(run_selftests);
    fake_clock_speed(1);
    kernel_run(4, nothing, NULL);
    fake_before_scheduler(NULL);
    fake_clock_speed(10);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char line[80];
        snprintf(line, sizeof(line), "KSELFTEST: %s ok\n", names[i]);
        if (strstr(fake_console(), line) == NULL)
            fail_msg("no \"%s\" in\n%s", line, fake_console());
    }
}

static int power_on(void **state)
{
    (void)state;
    fake_power_on(4);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_queue_is_first_in_first_out_within_a_class_and_the_urgent_go_first),
        cmocka_unit_test(
            test_a_thief_takes_a_bounded_number_within_affinity_and_never_a_higher_class),
        cmocka_unit_test(test_nothing_is_lost_or_doubled_while_four_harts_push_pop_and_steal),
        cmocka_unit_test(test_deadlines_expire_in_order_and_cancelled_ones_never),
        cmocka_unit_test(test_the_timer_is_armed_for_the_earlier_of_tick_and_deadline),
        cmocka_unit_test(test_a_deadline_is_taken_out_once_whoever_takes_it),
        cmocka_unit_test(test_requests_are_refused_coalesced_or_sent_and_the_ledger_adds_up),
        cmocka_unit_test(test_a_thread_sent_to_a_hart_that_leaves_moves_on),
        cmocka_unit_test(test_an_idle_home_gets_one_thread_by_its_slot_and_is_interrupted),
        cmocka_unit_test(test_a_thread_sent_by_the_slot_of_a_hart_that_leaves_moves_on),
        cmocka_unit_test(test_threads_that_become_ready_at_once_go_to_idle_harts_of_their_own),
        cmocka_unit_test(test_a_tick_takes_a_thread_from_a_queue_that_is_longer_by_two),
        cmocka_unit_test(test_a_lock_that_is_not_free_counts_as_contended_whoever_waits_for_it),
        cmocka_unit_test(test_a_hart_comes_back_to_an_empty_mailbox),
        cmocka_unit_test(test_the_most_urgent_class_runs_first),
        cmocka_unit_test(test_a_killed_process_ends_although_others_never_leave_its_class_a_turn),
    };
    // In a boot of its own: harts that still reclaim what other tests have left interrupt each
    // other.
    const struct CMUnitTest boot[] = {
        cmocka_unit_test_setup(test_the_kernels_own_tests_pass_here_too, power_on),
    };
    return each_alone("sched-boot", boot, 1) +
           cmocka_run_group_tests_name("sched", tests, power_on, NULL);
}
