// SPDX-License-Identifier: Apache-2.0
// Memory: fresh zeroed pages, and taking a page away while another hart, now idle, has run with it.
#include "subject.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { FRESH_PAGES = 4096, FRESH_ROUNDS = 11 }; // 16 MiB at a time
enum { UNMAPPED_PAGES = 1024, UNMAP_ROUNDS = 10 * UNMAPPED_PAGES };
enum { SETTLE_NANOSECONDS = 2000000 };

static volatile char *area;
static size_t area_bytes;

static int area_map(size_t pages)
{
    area_bytes = pages * PAGE_BYTES;
    area = mmap(NULL, area_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) {
        area = NULL;
        return -errno;
    }
    return 0;
}

static int area_unmap(void)
{
    int status = area != NULL ? status_of(munmap((void *)area, area_bytes)) : 0;
    area = NULL;
    return status;
}

static void area_finish(void)
{
    (void)area_unmap();
}

// Maps, and writes a word of each page; the word beside it must be zero.
static int fresh_pages(int advice)
{
    int status = area_map(FRESH_PAGES);
    if (status != 0) {
        return status;
    }
    if (madvise((void *)area, area_bytes, advice) != 0) {
        return -errno;
    }
    char sum = 0;
    for (size_t i = 0; i < area_bytes; i += PAGE_BYTES) {
        area[i] = 1;
        sum |= area[i + 1];
    }
    return sum == 0 ? 0 : -EBADMSG;
}

static int small_pages_round(void)
{
    return fresh_pages(MADV_NOHUGEPAGE);
}

static int huge_pages_round(void)
{
    return fresh_pages(MADV_HUGEPAGE);
}

// --- two harts
// ------------------------------------------------------------------------------------

// The visitor sleeps on `visits_asked`, touches the area on the other hart and counts
// `visits_done`.
static atomic_uint visits_asked;
static atomic_uint visits_done;
static atomic_bool visitor_stop;
static bool visits_wanted;
static pthread_t visitor;
static bool visitor_runs;

static int run_on_hart(size_t hart)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(hart, &set);
    return status_of(sched_setaffinity(0, sizeof(set), &set));
}

static void *visit(void *unused)
{
    (void)unused;
    if (run_on_hart(1) != 0) {
        return NULL;
    }
    for (unsigned seen = atomic_load(&visits_done); !atomic_load(&visitor_stop);) {
        unsigned asked = atomic_load(&visits_asked);
        if (asked == seen) {
            syscall(SYS_futex, &visits_asked, FUTEX_WAIT_PRIVATE, asked, NULL, NULL, 0);
            continue;
        }
        seen = asked;
        for (size_t i = 0; i < area_bytes; i += PAGE_BYTES) {
            area[i] = 1;
        }
        atomic_store(&visits_done, seen);
    }
    return NULL;
}

static void visitor_wake(void)
{
    atomic_fetch_add(&visits_asked, 1);
    syscall(SYS_futex, &visits_asked, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static size_t next_page;

// A fresh area that the other hart has touched, if that is wanted, and the other hart idle again.
static int visited_area(void)
{
    (void)area_unmap();
    int status = area_map(UNMAPPED_PAGES);
    if (status != 0) {
        return status;
    }
    (void)madvise((void *)area, area_bytes, MADV_NOHUGEPAGE);
    if (!visits_wanted) {
        for (size_t i = 0; i < area_bytes; i += PAGE_BYTES) {
            area[i] = 1;
        }
        return 0;
    }
    visitor_wake();
    const struct timespec settle = {.tv_nsec = SETTLE_NANOSECONDS};
    for (unsigned i = 0; atomic_load(&visits_done) != atomic_load(&visits_asked); i++) {
        if (i == 1000) {
            return -ETIMEDOUT;
        }
        nanosleep(&settle, NULL);
    }
    nanosleep(&settle, NULL);
    return 0;
}

static int stay_on_first_hart(void)
{
    next_page = 0;
    return sysconf(_SC_NPROCESSORS_ONLN) >= 2 ? run_on_hart(0) : -ENODEV;
}

static int stranger_prepare(void)
{
    visits_wanted = false;
    int status = stay_on_first_hart();
    return status == 0 ? visited_area() : status;
}

static int visitor_prepare(void)
{
    visits_wanted = true;
    int status = stay_on_first_hart();
    if (status == 0) {
        status = -pthread_create(&visitor, NULL, visit, NULL);
    }
    if (status != 0) {
        return status;
    }
    visitor_runs = true;
    return visited_area();
}

static int unmap_round(void)
{
    long page = (long)(area + next_page * PAGE_BYTES);
    return system_call(SYS_munmap, page, PAGE_BYTES, 0) == 0 ? 0 : -EINVAL;
}

// The page goes, the range stays: the cheaper way.
static int discard_round(void)
{
    long page = (long)(area + next_page * PAGE_BYTES);
    return system_call(SYS_madvise, page, PAGE_BYTES, MADV_DONTNEED) == 0 ? 0 : -EINVAL;
}

static int shootdown_reset(void)
{
    if (++next_page < UNMAPPED_PAGES) {
        return 0;
    }
    next_page = 0;
    return visited_area();
}

static void shootdown_finish(void)
{
    if (visitor_runs) {
        atomic_store(&visitor_stop, true);
        visitor_wake();
        pthread_join(visitor, NULL);
        atomic_store(&visitor_stop, false);
        atomic_store(&visits_done, atomic_load(&visits_asked));
        visitor_runs = false;
    }
    area_finish();
}

const struct subject memory_subjects[] = {
    {.name = "map",
     .rounds = FRESH_ROUNDS,
     .round = small_pages_round,
     .reset = area_unmap,
     .finish = area_finish},
    {.name = "map-huge",
     .rounds = FRESH_ROUNDS,
     .round = huge_pages_round,
     .reset = area_unmap,
     .finish = area_finish},
    {.name = "unmap-idle-hart",
     .rounds = UNMAP_ROUNDS,
     .prepare = visitor_prepare,
     .round = unmap_round,
     .reset = shootdown_reset,
     .finish = shootdown_finish},
    {.name = "discard-idle-hart",
     .rounds = UNMAP_ROUNDS,
     .prepare = visitor_prepare,
     .round = discard_round,
     .reset = shootdown_reset,
     .finish = shootdown_finish},
    {.name = "discard-stranger",
     .rounds = UNMAP_ROUNDS,
     .prepare = stranger_prepare,
     .round = discard_round,
     .reset = shootdown_reset,
     .finish = shootdown_finish},
    {.name = NULL},
};
