// SPDX-License-Identifier: Apache-2.0
// The end: see panic.h. Prints by itself, takes no lock, and expects that anything it uses is
// broken.
#include "core/panic.h"
#include "arch_inline.h"
#include "bootargs/bootargs.h"
#include "core/hart.h"
#include "core/machine.h"
#include "core/print.h"
#include "nexus/syscall.h"
#include <stdarg.h>
#include <stdatomic.h>

#define NOBODY 0u

// 1 + index of the hart whose panic it is: the first one's.
static _Atomic uint32_t panicking = NOBODY;

static void print_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void print_line(const char *format, ...)
{
    char line[PRINT_LINE_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)print_format(line, sizeof(line), format, arguments);
    va_end(arguments);
    kprint("neuron: panic   %s", line);
}

// Whether this hart is the first to panic. A second one waits for its end in silence; a panic
// inside this hart's own panic says so, and ends.
static bool claim_panic(const char *message)
{
    const uint32_t self = 1 + arch_hart_self()->index.value;
    uint32_t owner = NOBODY;

    // Relaxed: only the winner of this word matters, no other data hangs on it.
    if (atomic_compare_exchange_strong_explicit(&panicking, &owner, self, memory_order_relaxed,
                                                memory_order_relaxed))
        return true;
    if (owner == self)
        kprint("neuron: panic again, in the report: %s", message);
    return false;
}

bool panic_is_elsewhere(void)
{
    const uint32_t owner = atomic_load_explicit(&panicking, memory_order_relaxed);

    return owner != NOBODY && owner != 1 + arch_hart_self()->index.value;
}

static void reset_if_wanted(void)
{
    if (bootargs_is(machine.bootargs, "neuron.panic", "reset")) {
        (void)arch_system_reset(NX_RESET_FAILURE);
        print_line("the firmware does not reset");
    }
}

_Noreturn void panic(const char *format, ...)
{
    char message[PRINT_LINE_MAX - 32];
    va_list arguments;

    va_start(arguments, format);
    (void)print_format(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (claim_panic(message)) {
        hart_stop_others();
        kprint("neuron: panic hart=%u: %s", arch_hart_self()->index.value, message);
        arch_panic_report(print_line);
        reset_if_wanted();
        kprint("neuron: panic end, halted");
    }
    hart_halt_for_panic();
}

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    panic("%s:%d: assertion failed: %s", file, line, condition);
}

_Noreturn void assert_compare_failed(const char *condition, uint64_t left, uint64_t right,
                                     const char *file, int line)
{
    panic("%s:%d: assertion failed: %s (0x%lx, 0x%lx)", file, line, condition, left, right);
}
