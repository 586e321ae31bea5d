// SPDX-License-Identifier: Apache-2.0
// The fake machine as tests drive it: harts that are pthreads, a clock, an interrupt controller.
//
// Life cycle: fake_power_on (once per process) -> the calling pthread is hart 0 and may call the
// kernel directly, alone or with fake_run_harts -> fake_run starts every hart in the scheduler and
// returns when the whole machine is quiet: each hart idles, nothing pends, no deadline is left and
// nothing waits for reclamation. A lost wake-up thus ends the run with work undone instead of
// hanging it.
#ifndef FAKE_H
#define FAKE_H

#include "arch/arch.h"
#include "core/lock.h"
#include "core/types.h"

struct hart;
struct thread;

#define FAKE_RAM_SIZE (64ull << 20)
#define FAKE_SOURCES  31u

// RAM, `harts` harts and the kernel's own boot-time initialisation.
void fake_power_on(uint32_t harts);

// Runs the scheduler on all harts until the machine is quiet, at most `seconds` (then it aborts).
void fake_run(unsigned seconds);

// Runs `body(argument)` on `count` harts at once, each online and outside of the scheduler, and
// waits for all. The caller is hart 0 again afterwards.
void fake_run_harts(uint32_t count, void (*body)(void *argument), void *argument);

// `hook` runs on hart 0 after bring-up and before it schedules, as the kernel's boot does its own
// tests. NULL: nothing.
void fake_before_scheduler(void (*hook)(void));
// `hook` runs once on this pthread, at a moment in the middle of an operation: when it is about to
// take a kernel lock of this rank (a fast path has just taken it), or has released one.
void fake_before_lock(enum lock_rank rank, void (*hook)(void));
void fake_after_unlock(enum lock_rank rank, void (*hook)(void));
// This pthread plays hart `index` for the length of `body`.
void fake_as_hart(uint32_t index, void (*body)(void));

// The clock: runs with the host's, or stands at what a test sets.
void fake_clock_set(uint64_t time_counter);
void fake_clock_run(void);
// How much faster than the host's it runs: 10 unless told; 1 where the kernel has deadlines of its
// own that a busy host must meet. While no other hart is online.
void fake_clock_speed(uint32_t speed);

// What this hart's timer was last armed for.
uint64_t fake_armed_deadline(void);
// Whether arming it needs no firmware; false at first.
void fake_sstc(bool present);

// Looks a leaf up; false if there is none.
bool fake_space_query(const struct arch_space *space, vaddr_t address, paddr_t *frame,
                      uint32_t *prot);

// How often the kernel had translations of other harts flushed.
uint64_t fake_remote_flushes(void);

// A device's interrupt line.
void fake_plic_raise(uint32_t source);
void fake_plic_lower(uint32_t source);
bool fake_plic_is_enabled(uint32_t source, uint32_t hart);

// All that the kernel printed since the last call of fake_console_clear.
const char *fake_console(void);
void fake_console_clear(void);

// Gives other pthreads a chance, at random but seeded: called where kernel locks change hands.
void fake_perturb(void);
// 0 turns that off; higher numbers disturb more.
void fake_perturb_level(unsigned level);

// Prints and aborts: for a broken promise of the kernel that the fake itself sees.
_Noreturn void fake_fail(const char *file, int line, const char *what);
#define FAKE_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fake_fail(__FILE__, __LINE__, #condition);                                             \
    } while (0)

#endif
