// SPDX-License-Identifier: Apache-2.0
// A worker: the process that the fuzzer's calls come from. See fuzz.h.
#include "fuzz.h"
#include "nexus/clock.h"
#include "nexus/memory.h"
#include <stdlib.h>

#define STACK_BYTES   (4 * NX_PAGE_SIZE)
#define LOOK_INTERVAL NX_MILLISECOND
#define STUCK_LOOKS   3u // without progress: the thread is killed and started anew
#define HARTS_LOOKS   8u // between attempts to start stopped harts
#define MOVE_ONE_IN   12u

struct worker worker;

// ---- Fuzzing threads ----------------------------------------------------------------------------

struct nx_registers fuzz_call(struct fuzzer *fuzzer, uint64_t number, uint64_t info,
                              const uint64_t arguments[7])
{
    struct fuzz_counts *counts = worker.counts;
    atomic_fetch_add_explicit(&counts->calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->entered[number], 1, memory_order_relaxed);
    struct nx_registers r = nx_ecall7(number | info, arguments[0], arguments[1], arguments[2],
                                      arguments[3], arguments[4], arguments[5], arguments[6]);
    if (r.a0 < NX_STATUS_COUNT) {
        atomic_fetch_add_explicit(&counts->ended[number][r.a0], 1, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&counts->strange, 1, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&fuzzer->progress, 1, memory_order_relaxed);
    return r;
}

void fuzz_thread_run(struct fuzzer *fuzzer)
{
    // It may have been killed while a service's name was there: see registry_message.
    memset(fuzzer->page->data, 0, sizeof(fuzzer->page->data));
    for (;;) {
        if (random_one_in(&fuzzer->random, MOVE_ONE_IN)) {
            fuzz_move(fuzzer);
        } else {
            fuzz_random_call(fuzzer);
        }
    }
}

static struct nx_thread_setup fuzzer_setup(struct fuzzer *fuzzer)
{
    return (struct nx_thread_setup){
        .entry = (uint64_t)fuzz_thread_entry,
        .stack_pointer = fuzzer->stack_top,
        .argument = (uint64_t)fuzzer,
    };
}

// Each thread begins on a hart of its own, as far as there are harts; calls may move it.
static uint64_t fuzzer_affinity(const struct fuzzer *fuzzer)
{
    return fuzzer->number < NX_HARTS_MAX ? 1ull << fuzzer->number : (1u << NX_HARTS_MAX) - 1;
}

static enum nx_status fuzzer_start(uint32_t number)
{
    struct fuzzer *fuzzer = &worker.fuzzers[number];
    nx_handle memory;
    void *base;
    fuzzer->number = number;
    fuzzer->random = random_fork(worker.seed, worker.life, number);
    enum nx_status status = nx_memory_new(STACK_BYTES + NX_PAGE_SIZE, 0, &memory, &base);
    if (status != NX_OK) {
        return status;
    }
    fuzzer->stack_top = (uint64_t)base + STACK_BYTES;
    fuzzer->page = (struct nx_message_page *)fuzzer->stack_top;
    struct nx_thread_setup setup = fuzzer_setup(fuzzer);
    setup.page_memory = memory;
    setup.page_offset = STACK_BYTES;
    status = nx_thread_create(NX_HANDLE_NONE, &setup, &fuzzer->thread);
    if (status == NX_OK) {
        status = nx_thread_control(fuzzer->thread, NX_THREAD_SET_CLASS, NX_CLASS_BACKGROUND, 0);
    }
    // Refused when that hart is not there: then it runs anywhere.
    if (status == NX_OK) {
        (void)!nx_thread_control(fuzzer->thread, NX_THREAD_SET_AFFINITY, fuzzer_affinity(fuzzer),
                                 0);
        status = nx_thread_start(fuzzer->thread);
    }
    return status;
}

// ---- What they begin with -----------------------------------------------------------------------

static void pool_give(enum nx_object_type type, uint32_t place, nx_handle handle)
{
    atomic_store_explicit(&worker.pool[type][place], handle, memory_order_relaxed);
}

// Copies, so that this thread's own handles survive what happens to them.
static void pool_share(enum nx_object_type type, uint32_t place, nx_handle handle, uint32_t rights)
{
    nx_handle copy;
    if (handle != NX_HANDLE_NONE && nx_handle_duplicate(handle, rights, 0, &copy) == NX_OK) {
        pool_give(type, place, copy);
    }
}

// Its code, for processes and threads that workers make, also here.
static enum nx_status code_prepare(void)
{
    void *page;
    enum nx_status status = nx_memory_new(NX_PAGE_SIZE, 0, &worker.code, &page);
    if (status != NX_OK) {
        return status;
    }
    memcpy(page, fuzz_code_start, (size_t)(fuzz_code_end - fuzz_code_start));
    nx_unmap(page);
    uint64_t place = FUZZ_CODE;
    return nx_memory_map(NX_HANDLE_NONE, worker.code, 0, NX_PAGE_SIZE,
                         NX_PROT_READ | NX_PROT_EXECUTE, &place);
}

static void clock_prepare(void)
{
    nx_handle window;
    void *registers;
    if (nx_memory_device_create(worker.machine, FUZZ_CLOCK_BASE, NX_PAGE_SIZE, &window) != NX_OK) {
        return;
    }
    if (nx_map(window, 0, NX_PAGE_SIZE, NX_PROT_READ | NX_PROT_WRITE, &registers) == NX_OK) {
        worker.clock = registers;
    }
    nx_handle_drop(window);
}

static enum nx_status pool_prepare(void)
{
    static const enum nx_start_id services[FUZZ_SERVICES] = {
        [FUZZ_PACKAGES] = NX_START_PACKAGES,
        [FUZZ_BLOCK] = NX_START_BLOCK,
        [FUZZ_CONSOLE] = NX_START_CONSOLE,
        [FUZZ_REGISTRY] = NX_START_REGISTRY,
    };
    enum nx_status status = code_prepare();
    if (status != NX_OK) {
        return status;
    }
    clock_prepare();
    for (uint32_t i = 0; i < FUZZ_SERVICES; i++) {
        worker.services[i] = nx_start_handle(services[i]);
        pool_share(NX_OBJECT_ENDPOINT, i, worker.services[i], NX_RIGHTS_ALL);
    }
    pool_share(NX_OBJECT_ENDPOINT, FUZZ_SERVICES, nx_start_handle((enum nx_start_id)ATTACK_ECHO),
               NX_RIGHTS_ALL);
    for (uint32_t i = 0; i < FUZZ_POOL; i++) {
        pool_share(NX_OBJECT_MACHINE, i, worker.machine, NX_RIGHTS_ALL);
        pool_share(NX_OBJECT_LOG, i, worker.log, i % 2 == 0 ? NX_RIGHTS_ALL : NX_RIGHT_WRITE);
    }
    pool_share(NX_OBJECT_PROCESS, 0, nx_start_handle(NX_START_PROCESS), NX_RIGHT_INSPECT);
    pool_share(NX_OBJECT_MEMORY, 0, worker.code, NX_RIGHTS_ALL);
    return NX_OK;
}

// ---- The first thread ---------------------------------------------------------------------------

struct watch {
    uint64_t progress;
    uint32_t looks;
};

// A killed thread cannot be restarted before it has ended, so both are tried until it runs.
static void fuzzer_rescue(struct fuzzer *fuzzer, struct watch *watch)
{
    uint64_t progress = atomic_load_explicit(&fuzzer->progress, memory_order_relaxed);
    if (progress != watch->progress) {
        *watch = (struct watch){.progress = progress};
        return;
    }
    if (++watch->looks < STUCK_LOOKS) {
        return;
    }
    const struct nx_thread_setup setup = fuzzer_setup(fuzzer);
    if (nx_thread_restart(fuzzer->thread, &setup, fuzzer_affinity(fuzzer), NX_CLASS_BACKGROUND) ==
            NX_OK ||
        nx_thread_restart(fuzzer->thread, &setup, 0, NX_CLASS_BACKGROUND) == NX_OK) {
        watch->looks = 0;
        atomic_fetch_add_explicit(&worker.counts->restarts, 1, memory_order_relaxed);
        return;
    }
    (void)!nx_thread_control(fuzzer->thread, NX_THREAD_KILL, 0, 0); // dead already, or dying
}

// Who stops all harts but one makes nothing race any more.
static void harts_start(void)
{
    for (uint64_t hart = 1; hart < NX_HARTS_MAX; hart++) {
        (void)!nx_hart_control(worker.machine, hart, NX_HART_START); // it runs, or is not there
    }
}

static void watch_over(void)
{
    struct watch watches[FUZZ_THREADS] = {0};
    for (uint32_t look = 0;
         atomic_load_explicit(&worker.counts->calls, memory_order_relaxed) < worker.limit; look++) {
        nx_sleep(LOOK_INTERVAL);
        for (uint32_t i = 0; i < FUZZ_THREADS; i++) {
            fuzzer_rescue(&worker.fuzzers[i], &watches[i]);
        }
        if (look % HARTS_LOOKS == 0) {
            harts_start();
        }
    }
}

int fuzz_worker_main(int argc, char **argv)
{
    void *counts;
    if (argc != 3) {
        return EXIT_FAILURE;
    }
    worker.seed = strtoull(argv[0], NULL, 0);
    worker.life = strtoull(argv[1], NULL, 0);
    worker.limit = strtoull(argv[2], NULL, 0);
    worker.machine = nx_start_handle(NX_START_MACHINE);
    worker.log = nx_start_handle(NX_START_LOG);
    enum nx_status status =
        nx_map(nx_start_handle((enum nx_start_id)ATTACK_SHARED), 0,
               NX_PAGE_ROUND_UP(sizeof(struct fuzz_counts)), NX_PROT_READ | NX_PROT_WRITE, &counts);
    worker.counts = counts;
    if (status == NX_OK) {
        status = pool_prepare();
    }
    for (uint32_t i = 0; i < FUZZ_THREADS && status == NX_OK; i++) {
        status = fuzzer_start(i);
    }
    if (status != NX_OK) {
        return EXIT_FAILURE;
    }
    watch_over();
    atomic_fetch_add_explicit(&worker.counts->entered[NX_SYS_PROCESS_EXIT], 1,
                              memory_order_relaxed);
    nx_process_exit(EXIT_SUCCESS); // with all threads in the middle of something
}
