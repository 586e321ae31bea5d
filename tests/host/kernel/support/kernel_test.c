// SPDX-License-Identifier: Apache-2.0
// What the kernel's host tests share: running programs in a process, and checks that work on any
// stack.
#include "kernel_test.h"

#include "arch_inline.h"
#include "core/hart.h"
#include "core/machine.h"
#include "mm/frame.h"
#include "mm/memory.h"
#include "object/process.h"
#include "object/reclaim.h"
#include "sched/thread.h"
#include <stdlib.h>
#include <string.h>

#define RUN_SECONDS  30
#define FIRST_BUDGET (12000 * NX_PAGE_SIZE)

nx_handle first_process;
nx_handle first_machine;
nx_handle first_log;

_Noreturn void check_equal_failed(const char *file, int line, const char *what, uint64_t left,
                                  uint64_t right)
{
    fprintf(stderr, "%#lx and %#lx\n", left, right);
    fake_fail(file, line, what);
}

uint64_t random_next(struct random *random)
{
    uint64_t state = random->state;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    random->state = state;
    return state * 0x2545f4914f6cdd1dull;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    return (random_next(random) >> 16) % bound;
}

static nx_handle install(struct process *process, struct object *object, enum nx_object_type type)
{
    struct handle_value value = {.object = object, .type = type, .rights = NX_RIGHTS_ALL};
    nx_handle handle = NX_HANDLE_NONE;
    CHECK_EQUAL(handle_install(process, &value, &handle), NX_OK);
    return handle;
}

static nx_handle install_new(struct process *process, enum nx_object_type type)
{
    struct object *object;
    CHECK_EQUAL(object_create(process, type, sizeof(struct object), 0, &object), NX_OK);
    nx_handle handle = install(process, object, type);
    object_release(object);
    return handle;
}

static void start_first_process(user_program program, void *argument)
{
    static const char name[NX_NAME_BYTES] = "first";
    struct process *process;
    struct memory *page;
    struct thread *thread;
    CHECK_EQUAL(process_create(NULL, name, FIRST_BUDGET, NX_CLASS_DRIVER, &process), NX_OK);
    first_process = install(process, &process->object, NX_OBJECT_PROCESS);
    first_machine = install_new(process, NX_OBJECT_MACHINE);
    first_log = install_new(process, NX_OBJECT_LOG);
    CHECK_EQUAL(memory_create_paged(process, NX_PAGE_SIZE, &page), NX_OK);
    const struct thread_beginning beginning = {
        .entry = vaddr((uint64_t)(uintptr_t)program),
        .argument = (uint64_t)(uintptr_t)argument,
        .class = NX_CLASS_COUNT,
    };
    CHECK_EQUAL(thread_create(process, &beginning, page, 0, &thread), NX_OK);
    CHECK_EQUAL(thread_start(thread), NX_OK);
    object_release(&thread->object);
    object_release(&page->object);
    object_release(&process->object);
}

// Whoever still lives when nothing moves any more waits for what will never come.
static void check_nobody_is_left(void)
{
    struct process *process;
    uint64_t index;
    for (index = 0; process_at(index, &process); index++) {
        fprintf(stderr, "process %lu %s: state %u references %u threads %u\n", process->id,
                process->name, atomic_load(&process->state),
                atomic_load(&process->object.references), process->thread_count);
        for (struct thread *thread = process->threads; thread != NULL;
             thread = thread->next_in_process)
            fprintf(stderr, "  thread %lu: wait %#lx home %u faulted %d deadline %d\n", thread->id,
                    atomic_load(&thread->wait), atomic_load(&thread->home)->index.value,
                    thread_is_faulted(thread), atomic_load(&thread->timer.hart) != NULL);
    }
    CHECK_EQUAL(index, 0);
}

void kernel_run(uint32_t hart_total, user_program program, void *argument)
{
    uint64_t free_before = frame_free_count();
    machine.hart_count = hart_total;
    machine.harts_named = hart_total;
    start_first_process(program, argument);
    fake_run(RUN_SECONDS);
    machine.hart_count = NX_HARTS_MAX;
    check_nobody_is_left();
    CHECK_EQUAL(frame_free_count(), free_before);
    CHECK_EQUAL(reclaim_retired_count(), reclaim_done_count());
}

// --- For programs --------------------------------------------------------------------------------

static nx_handle created(struct user_result result)
{
    CHECK_EQUAL(result.status, NX_OK);
    return (nx_handle)result.value[0];
}

nx_handle user_endpoint(void)
{
    return created(USER_SYSCALL(NX_SYS_ENDPOINT_CREATE, 0));
}

nx_handle user_notification(void)
{
    return created(USER_SYSCALL(NX_SYS_NOTIFICATION_CREATE, 0));
}

nx_handle user_memory(uint64_t size)
{
    return created(USER_SYSCALL(NX_SYS_MEMORY_CREATE, size, 0));
}

nx_handle user_process(uint64_t pages)
{
    uint64_t name[4] = {0};
    memcpy(name, "child", sizeof("child"));
    return created(USER_SYSCALL(NX_SYS_PROCESS_CREATE, pages, name[0], name[1], name[2], name[3],
                                NX_CLASS_DRIVER));
}

enum nx_status user_thread_new(nx_handle process, user_program program, void *argument,
                               nx_handle *thread)
{
    struct user_result memory = USER_SYSCALL(NX_SYS_MEMORY_CREATE, NX_PAGE_SIZE, 0);
    if (memory.status != NX_OK)
        return memory.status;
    struct user_result result =
        USER_SYSCALL(NX_SYS_THREAD_CREATE, process, (uint64_t)(uintptr_t)program, 0,
                     (uint64_t)(uintptr_t)argument, 0, memory.value[0], 0);
    *thread = result.status == NX_OK ? (nx_handle)result.value[0] : NX_HANDLE_NONE;
    CHECK_EQUAL(user_close((nx_handle)memory.value[0]), NX_OK);
    return result.status;
}

nx_handle user_thread(nx_handle process, user_program program, void *argument)
{
    nx_handle thread;
    CHECK_EQUAL(user_thread_new(process, program, argument, &thread), NX_OK);
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_THREAD_START, thread).status, NX_OK);
    return thread;
}

void user_pause_program(void *argument)
{
    (void)argument;
    for (int i = 0; i < 3; i++)
        user_pause();
}

nx_handle user_grant(nx_handle process, nx_handle handle, uint32_t rights)
{
    return created(USER_SYSCALL(NX_SYS_HANDLE_GRANT, process, handle, rights));
}

enum nx_status user_close(nx_handle handle)
{
    return USER_SYSCALL(NX_SYS_HANDLE_CLOSE, handle).status;
}

enum nx_status user_kill(nx_handle process)
{
    return USER_SYSCALL(NX_SYS_PROCESS_KILL, process, (uint64_t)NX_EXIT_KILLED).status;
}

uint64_t user_deadline(uint64_t nanoseconds)
{
    return arch_time() * (1000000000ull / machine.timebase_hz) + nanoseconds;
}

void user_sleep(uint64_t nanoseconds)
{
    CHECK_EQUAL(USER_SYSCALL(NX_SYS_NOTIFICATION_WAIT, 0, user_deadline(nanoseconds)).status,
                NX_ERR_TIMED_OUT);
}

uint64_t user_wait(nx_handle notification, uint64_t deadline)
{
    struct user_result result = USER_SYSCALL(NX_SYS_NOTIFICATION_WAIT, notification, deadline);
    if (result.status == NX_ERR_TIMED_OUT)
        return 0;
    CHECK_EQUAL(result.status, NX_OK);
    CHECK(result.value[0] != 0);
    return result.value[0];
}

enum nx_status user_signal(nx_handle notification, uint64_t bits)
{
    return USER_SYSCALL(NX_SYS_NOTIFICATION_SIGNAL, notification, bits).status;
}

struct user_result user_call(nx_handle endpoint, uint64_t word)
{
    return USER_SYSCALL(NX_SYS_CALL, endpoint, word);
}

struct user_result user_call_until(nx_handle endpoint, uint64_t word, uint64_t deadline)
{
    user_page()->deadline = deadline;
    return USER_SYSCALL(NX_SYS_CALL | NX_INFO_DEADLINE, endpoint, word);
}

struct user_result user_receive(nx_handle endpoint, uint64_t deadline)
{
    return USER_SYSCALL(NX_SYS_RECEIVE, endpoint, deadline);
}

enum nx_status user_reply(uint64_t word)
{
    return USER_SYSCALL(NX_SYS_REPLY, 0, word).status;
}

void barrier_open(struct barrier *barrier, uint32_t count)
{
    barrier->notification = user_notification();
    atomic_store(&barrier->left, count);
}

void barrier_arrive(struct barrier *barrier)
{
    if (atomic_fetch_sub(&barrier->left, 1) == 1)
        CHECK_EQUAL(user_signal(barrier->notification, 1), NX_OK);
}

void barrier_wait(struct barrier *barrier)
{
    CHECK_EQUAL(user_wait(barrier->notification, NX_DEADLINE_NEVER), 1);
    CHECK_EQUAL(user_close(barrier->notification), NX_OK);
}
