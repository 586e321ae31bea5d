// SPDX-License-Identifier: Apache-2.0
// Power, harts, clock, timers and inter-processor interrupts of the fake machine.
//
// A hart sleeps on a futex of its own, which ThreadSanitizer does not see, and everything that
// harts share here is relaxed: the fake gives the kernel no ordering that the kernel did not ask
// for.
#include "fake.h"
#include "fake_private.h"

#include "arch_inline.h"
#include "core/entry.h"
#include "core/hart.h"
#include "core/machine.h"
#include "mm/frame.h"
#include "object/reclaim.h"
#include "sched/scheduler.h"
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TIMEBASE_HZ      10000000ull
#define TICK_NANOSECONDS (1000000000ull / TIMEBASE_HZ)

_Thread_local struct hart *fake_self;
char *fake_ram;

// A run of the scheduler on all harts. All relaxed.
static struct {
    _Atomic bool active;
    _Atomic bool stop;      // the machine was quiet: every hart leaves
    _Atomic uint32_t harts; // that have not stopped
    _Atomic uint32_t quiet; // that sleep without a deadline
    _Atomic uint32_t wakes; // counts harts that were quiet no more
} run;

static _Atomic bool clock_stands;
static _Atomic uint64_t clock_value;
// Of the running clock: constant while more than one hart is online.
static uint32_t clock_speed = 10;
static uint64_t clock_base;      // time counter at clock_host_base
static uint64_t clock_host_base; // nanoseconds
static _Atomic unsigned perturb_level;

static struct arch_hart *arch_self(void)
{
    return &fake_self->arch;
}

_Noreturn void fake_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: failed: %s\n%s", file, line, what, fake_console());
    abort();
}

// --- Clock ---------------------------------------------------------------------------------------

static uint64_t host_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

uint64_t arch_time(void)
{
    if (atomic_load_explicit(&clock_stands, memory_order_relaxed))
        return atomic_load_explicit(&clock_value, memory_order_relaxed);
    return clock_base + (host_nanoseconds() - clock_host_base) * clock_speed / TICK_NANOSECONDS;
}

// The host does not count them; only stamps in the log ask.
uint64_t arch_instructions(void)
{
    return arch_time();
}

void fake_clock_speed(uint32_t speed)
{
    clock_base = arch_time();
    clock_host_base = host_nanoseconds();
    clock_speed = speed;
}

void fake_clock_set(uint64_t time_counter)
{
    atomic_store_explicit(&clock_value, time_counter, memory_order_relaxed);
    atomic_store_explicit(&clock_stands, true, memory_order_relaxed);
}

void fake_clock_run(void)
{
    atomic_store_explicit(&clock_stands, false, memory_order_relaxed);
}

enum nx_status arch_timer_arm(uint64_t deadline)
{
    atomic_store_explicit(&arch_self()->deadline, deadline, memory_order_relaxed);
    return NX_OK;
}

uint64_t fake_armed_deadline(void)
{
    return atomic_load_explicit(&arch_self()->deadline, memory_order_relaxed);
}

void arch_timer_mask(bool masked)
{
    struct arch_hart *arch = arch_self();
    uint32_t enabled = atomic_load_explicit(&arch->enabled, memory_order_relaxed);
    enabled = masked ? enabled & ~ARCH_INTERRUPT_TIMER : enabled | ARCH_INTERRUPT_TIMER;
    atomic_store_explicit(&arch->enabled, enabled, memory_order_relaxed);
}

// --- Pending interrupts and sleep ----------------------------------------------------------------

static uint32_t pending_of(struct hart *hart)
{
    uint32_t pending = 0;
    if (atomic_load_explicit(&hart->arch.software, memory_order_relaxed) != 0)
        pending |= ARCH_INTERRUPT_SOFTWARE;
    if (atomic_load_explicit(&hart->arch.deadline, memory_order_relaxed) <= arch_time())
        pending |= ARCH_INTERRUPT_TIMER;
    if (fake_plic_pends(hart->index.value))
        pending |= ARCH_INTERRUPT_EXTERNAL;
    return pending & atomic_load_explicit(&hart->arch.enabled, memory_order_relaxed);
}

uint64_t arch_interrupts_pending(void)
{
    return pending_of(fake_self);
}

void fake_hart_wake(struct hart *hart)
{
    __sync_synchronize();
    atomic_fetch_add_explicit(&hart->arch.wake, 1, memory_order_relaxed);
    syscall(SYS_futex, &hart->arch.wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void sleep_until(struct arch_hart *arch, uint32_t seen, uint64_t deadline)
{
    struct timespec timeout = {.tv_nsec = 20000000};
    if (deadline != ARCH_TIMER_NEVER) {
        uint64_t now = arch_time();
        uint64_t left =
            deadline > now ? (deadline - now) * TICK_NANOSECONDS / clock_speed + 1000 : 0;
        if (left < (uint64_t)timeout.tv_nsec)
            timeout.tv_nsec = (long)left;
    }
    syscall(SYS_futex, &arch->wake, FUTEX_WAIT_PRIVATE, seen, &timeout, NULL, 0);
}

// Every hart of the run sleeps, without a deadline, and nothing pends anywhere.
static bool machine_is_quiet(void)
{
    uint32_t wakes = atomic_load_explicit(&run.wakes, memory_order_relaxed);
    __sync_synchronize();
    if (atomic_load_explicit(&run.quiet, memory_order_relaxed) !=
        atomic_load_explicit(&run.harts, memory_order_relaxed))
        return false;
    for (uint32_t i = 0; i < hart_count(); i++)
        if (pending_of(&harts[i]) != 0)
            return false;
    __sync_synchronize();
    return wakes == atomic_load_explicit(&run.wakes, memory_order_relaxed) &&
           atomic_load_explicit(&run.quiet, memory_order_relaxed) ==
               atomic_load_explicit(&run.harts, memory_order_relaxed);
}

static _Noreturn void leave_run(void)
{
    atomic_store_explicit(&run.stop, true, memory_order_relaxed);
    for (uint32_t i = 0; i < hart_count(); i++)
        fake_hart_wake(&harts[i]);
    pthread_exit(NULL);
}

void arch_wait_for_interrupt(void)
{
    struct arch_hart *arch = arch_self();
    bool active = atomic_load_explicit(&run.active, memory_order_relaxed);
    bool quiet = false;
    for (;;) {
        uint32_t seen = atomic_load_explicit(&arch->wake, memory_order_relaxed);
        __sync_synchronize();
        if (arch_interrupts_pending() != 0)
            break;
        if (active && atomic_load_explicit(&run.stop, memory_order_relaxed))
            leave_run();
        uint64_t deadline = atomic_load_explicit(&arch->deadline, memory_order_relaxed);
        if (active && !quiet && deadline == ARCH_TIMER_NEVER) {
            quiet = true;
            atomic_fetch_add_explicit(&run.quiet, 1, memory_order_relaxed);
        }
        if (quiet && machine_is_quiet())
            leave_run();
        if (deadline != ARCH_TIMER_NEVER &&
            atomic_load_explicit(&clock_stands, memory_order_relaxed)) {
            fake_clock_set(deadline);
            continue;
        }
        sleep_until(arch, seen, deadline);
    }
    if (quiet) {
        atomic_fetch_add_explicit(&run.wakes, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&run.quiet, 1, memory_order_relaxed);
    }
}

// --- Other harts ---------------------------------------------------------------------------------

enum nx_status arch_ipi_send(const struct hart *hart)
{
    struct hart *target = &harts[hart->index.value];
    atomic_store_explicit(&target->arch.software, 1, memory_order_relaxed);
    fake_hart_wake(target);
    return NX_OK;
}

static void *secondary_main(void *argument)
{
    fake_self = argument;
    kernel_secondary(argument);
}

enum nx_status arch_hart_start(struct hart *hart)
{
    if (hart->arch.has_pthread)
        pthread_join(hart->arch.pthread, NULL);
    atomic_store_explicit(&hart->arch.stopped, false, memory_order_relaxed);
    atomic_fetch_add_explicit(&run.harts, 1, memory_order_relaxed);
    hart->arch.has_pthread = true;
    if (pthread_create(&hart->arch.pthread, NULL, secondary_main, hart) != 0)
        return NX_ERR_IO;
    return NX_OK;
}

enum nx_status arch_hart_stop(void)
{
    arch_tlb_flush_all_local(); // without power, nothing is cached
    atomic_store_explicit(&arch_self()->stopped, true, memory_order_release);
    atomic_fetch_sub_explicit(&run.harts, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < hart_count(); i++)
        fake_hart_wake(&harts[i]);
    pthread_exit(NULL);
}

enum nx_status arch_hart_is_stopped(const struct hart *hart, bool *stopped)
{
    *stopped = atomic_load_explicit(&hart->arch.stopped, memory_order_acquire);
    return NX_OK;
}

void arch_hart_prepare(struct hart *hart)
{
    pthread_mutex_init(&hart->arch.tlb_lock, NULL);
    atomic_init(&hart->arch.deadline, ARCH_TIMER_NEVER);
    hart->arch.random = 0x9e3779b97f4a7c15ull * (hart->index.value + 1);
}

void arch_hart_online(void)
{
    atomic_store_explicit(&arch_self()->deadline, ARCH_TIMER_NEVER, memory_order_relaxed);
    atomic_store_explicit(&arch_self()->enabled,
                          ARCH_INTERRUPT_SOFTWARE | ARCH_INTERRUPT_TIMER | ARCH_INTERRUPT_EXTERNAL,
                          memory_order_relaxed);
}

void arch_hart_offline(void)
{
    atomic_store_explicit(&arch_self()->enabled, 0, memory_order_relaxed);
    atomic_store_explicit(&arch_self()->deadline, ARCH_TIMER_NEVER, memory_order_relaxed);
    // The firmware clears what pends when it takes the hart.
    atomic_store_explicit(&arch_self()->software, 0, memory_order_relaxed);
}

// Another hart panics: it ends the process.
_Noreturn void arch_halt(void)
{
    for (;;)
        pause();
}

// --- Power and runs ------------------------------------------------------------------------------

void fake_power_on(uint32_t hart_total)
{
    fake_ram = mmap(NULL, FAKE_RAM_SIZE + (4ull << 20), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    FAKE_CHECK(fake_ram != MAP_FAILED);
    fake_ram = (char *)round_up((uint64_t)(uintptr_t)fake_ram, 4ull << 20);
    machine.timebase_hz = TIMEBASE_HZ;
    machine.hart_count = hart_total;
    machine.harts_named = hart_total;
    for (uint32_t i = 0; i < hart_total; i++) {
        machine.harts[i].id = (struct hart_id){i + 10};
        machine.harts[i].has_plic_context = true;
        machine.harts[i].plic_context = 2 * i + 1;
    }
    machine.memory_count = 1;
    machine.memory[0] = (struct physical_range){paddr(FAKE_RAM_BASE), FAKE_RAM_SIZE};
    machine.plic_sources = FAKE_SOURCES;
    machine.has_plic = true;
    machine.plic = (struct physical_range){paddr(0x0c000000), 0x4000000};
    clock_host_base = host_nanoseconds();
    fake_self = &harts[0];
    hart_init_all();
    frame_init();
    arch_hart_online();
    fake_perturb_level(1);
}

static void (*before_scheduler)(void);

void fake_before_scheduler(void (*hook)(void))
{
    before_scheduler = hook;
}

void fake_as_hart(uint32_t index, void (*body)(void))
{
    struct hart *self = fake_self;
    fake_self = &harts[index];
    body();
    fake_self = self;
}

static void *boot_hart_main(void *argument)
{
    (void)argument;
    fake_self = &harts[0];
    // Late arrivals on a busy host join late: the kernel allows for it.
    (void)hart_start_all();
    if (before_scheduler != NULL)
        before_scheduler();
    scheduler_run_next();
    arch_resume(kernel_leave(fake_self));
}

static void watchdog(int signal)
{
    (void)signal;
    static const char text[] = "the machine did not come to rest in time\n";
    (void)!write(2, text, sizeof(text) - 1);
    abort();
}

// Harts that a run or a test had online are absent again.
static void retire_harts(void)
{
    // Their idle loops were left in the middle.
    atomic_store(&scheduler_idle_harts, 0);
    for (uint32_t i = 0; i < hart_count(); i++) {
        if (harts[i].arch.has_pthread)
            pthread_join(harts[i].arch.pthread, NULL);
        harts[i].arch.has_pthread = false;
        if (atomic_load_explicit(&harts[i].resting, memory_order_relaxed))
            reclaim_rest_end(&harts[i]);
        if (i > 0)
            hart_set_state(&harts[i], NX_HART_ABSENT);
    }
}

void fake_run(unsigned seconds)
{
    pthread_t boot_hart;
    signal(SIGALRM, watchdog);
    alarm(seconds);
    atomic_store_explicit(&run.stop, false, memory_order_relaxed);
    atomic_store_explicit(&run.quiet, 0, memory_order_relaxed);
    atomic_store_explicit(&run.harts, 1, memory_order_relaxed);
    atomic_store_explicit(&run.active, true, memory_order_relaxed);
    fake_self = NULL;
    FAKE_CHECK(pthread_create(&boot_hart, NULL, boot_hart_main, NULL) == 0);
    pthread_join(boot_hart, NULL);
    retire_harts();
    fake_self = &harts[0];
    atomic_store_explicit(&run.active, false, memory_order_relaxed);
    alarm(0);
}

struct hart_body {
    struct hart *hart;
    void (*body)(void *argument);
    void *argument;
};

static void *hart_body_main(void *argument)
{
    const struct hart_body *call = argument;
    fake_self = call->hart;
    arch_hart_online();
    call->body(call->argument);
    return NULL;
}

void fake_run_harts(uint32_t count, void (*body)(void *argument), void *argument)
{
    struct hart_body calls[NX_HARTS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        calls[i] = (struct hart_body){&harts[i], body, argument};
        hart_set_state(&harts[i], NX_HART_ONLINE);
    }
    for (uint32_t i = 1; i < count; i++) {
        harts[i].arch.has_pthread = true;
        FAKE_CHECK(pthread_create(&harts[i].arch.pthread, NULL, hart_body_main, &calls[i]) == 0);
    }
    body(argument);
    retire_harts();
}

// --- Disturbance ---------------------------------------------------------------------------------

void fake_perturb_level(unsigned level)
{
    atomic_store_explicit(&perturb_level, level, memory_order_relaxed);
}

void fake_perturb(void)
{
    unsigned level = atomic_load_explicit(&perturb_level, memory_order_relaxed);
    struct hart *hart = fake_self;
    if (hart == NULL || level == 0)
        return;
    uint64_t random = hart->arch.random;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    hart->arch.random = random;
    if (random % 1024 < level) {
        struct timespec nap = {.tv_nsec = random % 7 == 0 ? 300000 : 20000};
        nanosleep(&nap, NULL);
    } else if (random % 32 < level) {
        sched_yield();
    }
}
