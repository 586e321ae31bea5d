// SPDX-License-Identifier: Apache-2.0
// Races at their exact moment: one pthread plays two harts, the second of which acts in the middle
// of the first one's operation.
#include "support/kernel_test.h"

#include "arch_inline.h"
#include "core/hart.h"
#include "ipc/endpoint.h"
#include "ipc/fastpath.h"
#include "ipc/notification.h"
#include "mm/frame.h"
#include "mm/memory.h"
#include "object/process.h"
#include "object/reclaim.h"
#include "sched/scheduler.h"
#include "sched/thread.h"
#include "syscall/syscall.h"
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define FAR (1ull << 60) // a deadline that no test lives to see

static struct process *process;
static struct memory *page;
static struct thread *mine;  // runs on hart 0
static struct thread *other; // waits
static struct endpoint *endpoint;
static struct notification *notification;
static uint64_t free_at_start;

static void set_current(struct thread *thread)
{
    thread_set_state(thread, THREAD_RUNNING);
    atomic_store(&thread->home, &harts[0]);
    harts[0].current = thread;
}

static struct thread *new_thread(void)
{
    struct thread *thread = NULL;
    assert_int_equal(thread_create(process, &(struct thread_beginning){0}, page, 0, &thread),
                     NX_OK);
    thread_set_state(thread, THREAD_RUNNABLE);
    atomic_store(&thread->placement, 1);
    return thread;
}

static int open_scene(void **state)
{
    (void)state;
    static const char name[NX_NAME_BYTES] = "scene";
    alarm(60);
    fake_perturb_level(0);
    free_at_start = frame_free_count();
    hart_set_state(&harts[1], NX_HART_ONLINE);
    assert_int_equal(process_create(NULL, name, 100 * NX_PAGE_SIZE, NX_CLASS_NORMAL, &process),
                     NX_OK);
    assert_int_equal(memory_create_paged(process, NX_PAGE_SIZE, &page), NX_OK);
    assert_int_equal(endpoint_create(NULL, &endpoint), NX_OK);
    assert_int_equal(notification_create(NULL, &notification), NX_OK);
    endpoint_receiver_added(&endpoint->object);
    mine = new_thread();
    other = new_thread();
    set_current(mine);
    return 0;
}

static void end_thread(struct thread *thread)
{
    set_current(thread);
    thread_end_current();
    object_release(&thread->object);
}

static void run_reclamation(void)
{
    for (int i = 0; i < 30; i++) {
        reclaim_pass(hart_self());
        (void)reclaim_run(100);
    }
}

static void reclaim_everything(void)
{
    for (int i = 0; i < 10; i++) {
        fake_as_hart(1, run_reclamation);
        run_reclamation();
    }
}

static int close_scene(void **state)
{
    (void)state;
    while (run_queue_pop(&harts[0].run_queue) != NULL)
        continue;
    end_thread(mine);
    end_thread(other);
    if (endpoint != NULL)
        object_release(&endpoint->object);
    if (notification != NULL)
        object_release(&notification->object);
    object_release(&page->object);
    object_release(&process->object);
    reclaim_everything();
    hart_set_state(&harts[1], NX_HART_ABSENT);
    harts[0].reschedule = false;
    alarm(0);
    return frame_free_count() == free_at_start ? 0 : -1;
}

static uint64_t result_of(const struct thread *thread, unsigned index)
{
    return arch_get_argument(thread, index);
}

static uint64_t sequence_of(const struct thread *thread)
{
    return thread_sequence_of(atomic_load(&thread->wait));
}

static void begin_wait(struct thread *thread, enum thread_state state, struct object *object)
{
    thread_set_state(thread, THREAD_RUNNING);
    (void)thread_begin_wait(thread, state, object);
}

// `other` has called and sits in the endpoint's queue.
static void queue_caller(uint64_t info)
{
    other->send_info = info;
    for (unsigned i = 0; i < 6; i++)
        arch_set_result(other, i, 100 + i);
    begin_wait(other, THREAD_CALLING, &endpoint->object);
    thread_queue_push_back(&endpoint->callers, other);
}

static bool was_woken(const struct thread *thread, enum nx_status status)
{
    struct thread *woken = harts[0].handoff;
    harts[0].handoff = NULL;
    if (woken == NULL)
        woken = run_queue_pop(&harts[0].run_queue);
    return woken == thread && (enum nx_status)result_of(thread, 0) == status;
}

// --- Kills and timeouts of a carried caller
// -------------------------------------------------------

static void kill_other(void)
{
    thread_kill(other);
}

static void kill_from_hart1(void)
{
    fake_as_hart(1, kill_other);
}

static void test_a_caller_killed_while_it_is_carried_to_its_receiver_is_woken(void **state)
{
    (void)state;
    queue_caller(0);
    fake_after_unlock(LOCK_RANK_OBJECT, kill_from_hart1);
    assert_int_equal(endpoint_receive(endpoint, ARCH_TIMER_NEVER, false), NX_OK);
    assert_int_equal(result_of(mine, 1), 100);
    assert_true(was_woken(other, NX_ERR_CANCELLED));
}

static void start_timer_of_other(void)
{
    timer_start(other, 1);
}

static void expire(void)
{
    uint64_t sequence;
    CHECK(timer_pop_expired(2, &sequence) == other);
    CHECK(!thread_cancel(other, sequence, NX_ERR_TIMED_OUT));
}

static void expire_on_hart1(void)
{
    fake_as_hart(1, expire);
}

static void
test_a_deadline_that_passes_while_the_caller_is_carried_still_ends_its_wait(void **state)
{
    (void)state;
    fake_as_hart(1, start_timer_of_other);
    queue_caller(NX_INFO_DEADLINE);
    fake_after_unlock(LOCK_RANK_OBJECT, expire_on_hart1);
    assert_int_equal(endpoint_receive(endpoint, ARCH_TIMER_NEVER, false), NX_OK);
    assert_true(was_woken(other, NX_ERR_TIMED_OUT));
}

// --- Signals between the look and the wait
// --------------------------------------------------------

static void signal_four(void)
{
    notification_signal(notification, 4);
}

static void signal_from_hart1(void)
{
    fake_as_hart(1, signal_four);
}

static void test_a_signal_between_look_and_wait_is_heard_by_a_waiter(void **state)
{
    (void)state;
    fake_before_lock(LOCK_RANK_OBJECT, signal_from_hart1);
    assert_int_equal(notification_wait(notification, FAR), NX_OK);
    assert_int_equal(result_of(mine, 1), 4);
}

static void test_a_signal_between_look_and_wait_is_heard_by_a_receiver(void **state)
{
    (void)state;
    assert_int_equal(notification_bind_thread(notification, mine), NX_OK);
    fake_after_unlock(LOCK_RANK_TIMER, signal_from_hart1);
    assert_int_equal(endpoint_receive(endpoint, FAR, false), NX_OK);
    assert_int_equal(result_of(mine, 1), 4);
    assert_int_equal(result_of(mine, 7), NX_INFO_NOTIFICATION);
}

static void test_a_signal_between_look_and_wait_is_heard_on_the_fast_path(void **state)
{
    (void)state;
    nx_handle handle;
    struct handle_value value = {
        .object = &endpoint->object, .rights = NX_RIGHT_RECEIVE, .type = NX_OBJECT_ENDPOINT};
    assert_int_equal(handle_install(process, &value, &handle), NX_OK);
    assert_int_equal(notification_bind_thread(notification, mine), NX_OK);
    queue_caller(0);
    assert_int_equal(endpoint_receive(endpoint, ARCH_TIMER_NEVER, false), NX_OK);
    scheduler_make_direct(&harts[0], other);
    harts[0].arch.message[5] = 6;
    // In the fast path this is just after it has taken the lock.
    fake_before_lock(LOCK_RANK_OBJECT, signal_from_hart1);
    assert_int_equal(fastpath_reply_receive(handle), handle);
    assert_ptr_equal(harts[0].arch.left_with, other);
    assert_int_equal(result_of(other, 6), 6);
    assert_true(was_woken(mine, NX_OK));
    assert_int_equal(result_of(mine, 1), 4);
    assert_int_equal(handle_close(process, handle), NX_OK);
}

static void test_fast_paths_decline_when_the_right_to_receive_has_just_gone(void **state)
{
    (void)state;
    nx_handle handle;
    struct handle_value value = {.object = &endpoint->object,
                                 .rights = NX_RIGHT_RECEIVE | NX_RIGHT_CALL,
                                 .type = NX_OBJECT_ENDPOINT};
    assert_int_equal(handle_install(process, &value, &handle), NX_OK);
    queue_caller(0);
    assert_int_equal(endpoint_receive(endpoint, ARCH_TIMER_NEVER, false), NX_OK);
    scheduler_make_direct(&harts[0], other);
    harts[0].arch.left_with = NULL;
    // As if another hart had closed the handle after the look-up and before the lock.
    endpoint->receive_handles = 0;
    assert_int_equal(fastpath_reply_receive(handle), handle);
    assert_null(harts[0].arch.left_with);
    assert_true(thread_queue_is_empty(&endpoint->receivers));
    assert_ptr_equal(mine->caller, other);
    endpoint->receive_handles = 1;
    assert_int_equal(endpoint_reply(0, (const uint64_t[6]){0}), NX_OK);
    assert_true(was_woken(other, NX_OK));
    begin_wait(other, THREAD_RECEIVING, &endpoint->object);
    thread_queue_push_back(&endpoint->receivers, other);
    endpoint->receive_handles = 0;
    assert_int_equal(fastpath_call(handle), handle);
    assert_null(harts[0].arch.left_with);
    assert_ptr_equal(endpoint->receivers.first, other);
    endpoint->receive_handles = 1;
    assert_true(thread_cancel(other, sequence_of(other), NX_ERR_CANCELLED));
    assert_true(was_woken(other, NX_ERR_CANCELLED));
    assert_int_equal(handle_close(process, handle), NX_OK);
}

// --- Objects that go while a wait on them is being ended
// ------------------------------------------

static void retire_endpoint(void)
{
    object_release(&endpoint->object);
    endpoint = NULL;
}

static void retire_notification(void)
{
    object_release(&notification->object);
    notification = NULL;
}

// What is retired is one step from being destroyed: its grace period is over.
static void end_grace_period(void)
{
    reclaim_pass(hart_self());
    (void)reclaim_run(0);
    reclaim_pass(hart_self());
    reclaim_pass(&harts[0]);
    (void)reclaim_run(0);
}

static void reclaim_on_hart1(void)
{
    fake_as_hart(1, run_reclamation);
}

static void cancel_while_object_goes(void)
{
    fake_as_hart(1, end_grace_period);
    // Hart 0 has found the object and stands before its lock.
    fake_before_lock(LOCK_RANK_OBJECT, reclaim_on_hart1);
    assert_false(thread_cancel(other, sequence_of(other), NX_ERR_TIMED_OUT));
    assert_true(was_woken(other, NX_ERR_PEER_CLOSED));
}

static void test_an_endpoint_outlives_those_who_end_a_wait_on_it(void **state)
{
    (void)state;
    begin_wait(other, THREAD_RECEIVING, &endpoint->object);
    thread_queue_push_back(&endpoint->receivers, other);
    fake_as_hart(1, retire_endpoint);
    cancel_while_object_goes();
}

static void test_a_notification_outlives_those_who_end_a_wait_on_it(void **state)
{
    (void)state;
    begin_wait(other, THREAD_WAITING, &notification->object);
    thread_queue_push_back(&notification->waiters, other);
    fake_as_hart(1, retire_notification);
    cancel_while_object_goes();
}

// --- A thread that ends before its creation has returned
// ------------------------------------------

static void kill_and_end_the_new_thread(void)
{
    process_kill(process, 0);
    struct thread *thread = run_queue_pop(&harts[0].run_queue);
    if (thread == NULL)
        thread = run_queue_pop(&harts[1].run_queue);
    CHECK(thread != NULL);
    harts[1].current = thread;
    thread_end_current();
}

static void end_new_thread_on_hart1(void)
{
    fake_as_hart(1, kill_and_end_the_new_thread);
}

static void test_a_thread_can_end_before_its_creation_returns(void **state)
{
    (void)state;
    struct thread *thread;
    fake_after_unlock(LOCK_RANK_PROCESS, end_new_thread_on_hart1);
    assert_int_equal(thread_create(process, &(struct thread_beginning){0}, page, 0, &thread),
                     NX_OK);
    assert_int_equal(thread_state_of(atomic_load(&thread->wait)), THREAD_DEAD);
    object_release(&thread->object);
}

// --- A mapping that goes before its address is returned
// -------------------------------------------

#define PLACEMENT_BASE 0x1000000000ull

static void unmap(void)
{
    bool done;
    CHECK_EQUAL(address_space_unmap_some(&process->space, PLACEMENT_BASE, &done), NX_OK);
    CHECK(done);
}

static void unmap_on_hart1(void)
{
    fake_as_hart(1, unmap);
}

static void test_a_mapping_can_go_before_its_address_is_returned(void **state)
{
    (void)state;
    uint64_t address = 0;
    fake_after_unlock(LOCK_RANK_SPACE, unmap_on_hart1);
    assert_int_equal(
        address_space_map(&process->space, page, 0, NX_PAGE_SIZE, NX_PROT_READ, &address), NX_OK);
    assert_int_equal(address, PLACEMENT_BASE);
}

// --- An affinity that changes just before a switch by the old one
// ---------------------------------

static void test_a_new_affinity_of_a_waiting_thread_makes_all_harts_look_again(void **state)
{
    (void)state;
    nx_handle handle;
    struct handle_value value = {
        .object = &other->object, .rights = NX_RIGHT_MANAGE, .type = NX_OBJECT_THREAD};
    assert_int_equal(handle_install(process, &value, &handle), NX_OK);
    begin_wait(other, THREAD_AWAITING_REPLY, NULL);
    atomic_store(&harts[1].ipi_pending, 0);
    const uint64_t arguments[] = {handle, NX_THREAD_SET_AFFINITY, 1};
    assert_int_equal(sys_thread_control(mine, arguments), NX_OK);
    assert_true((atomic_load(&harts[1].ipi_pending) & IPI_RESCHEDULE) != 0);
    atomic_store(&harts[1].ipi_pending, 0);
    assert_int_equal(handle_close(process, handle), NX_OK);
}

// --- A thread that is sent here while another is handed over
// ---------------------------------------

static void
test_what_is_sent_to_an_idle_hart_is_seen_though_another_thread_is_handed_over(void **state)
{
    (void)state;
    thread_set_state(mine, THREAD_RUNNABLE);
    harts[0].current = NULL;
    // A deadline expired here; the interrupt that came with `other` has been taken.
    harts[0].handoff = mine;
    atomic_store(&harts[0].arrival, other);
    scheduler_run_next();
    assert_ptr_equal(harts[0].current, mine);
    assert_null(atomic_load(&harts[0].arrival));
    assert_ptr_equal(run_queue_pop(&harts[0].run_queue), other);
}

static int power_on(void **state)
{
    (void)state;
    fake_power_on(4);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_caller_killed_while_it_is_carried_to_its_receiver_is_woken),
        TEST(test_a_deadline_that_passes_while_the_caller_is_carried_still_ends_its_wait),
        TEST(test_a_signal_between_look_and_wait_is_heard_by_a_waiter),
        TEST(test_a_signal_between_look_and_wait_is_heard_by_a_receiver),
        TEST(test_a_signal_between_look_and_wait_is_heard_on_the_fast_path),
        TEST(test_fast_paths_decline_when_the_right_to_receive_has_just_gone),
        TEST(test_an_endpoint_outlives_those_who_end_a_wait_on_it),
        TEST(test_a_notification_outlives_those_who_end_a_wait_on_it),
        TEST(test_a_thread_can_end_before_its_creation_returns),
        TEST(test_a_mapping_can_go_before_its_address_is_returned),
        TEST(test_a_new_affinity_of_a_waiting_thread_makes_all_harts_look_again),
        TEST(test_what_is_sent_to_an_idle_hart_is_seen_though_another_thread_is_handed_over),
    };
    return cmocka_run_group_tests_name("races", tests, power_on, NULL);
}
