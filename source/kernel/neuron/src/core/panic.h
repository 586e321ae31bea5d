// SPDX-License-Identifier: Apache-2.0
// The end: for broken invariants of the kernel only, never for exhaustion, a device or a user.
#ifndef NEURON_PANIC_H
#define NEURON_PANIC_H

#include <stdbool.h>
#include <stdint.h>

// Stops the other harts and prints, each line starting with "neuron: panic": the message, the
// registers of the trap that led here if there was one, and the call stack. Then the machine halts;
// with the boot argument neuron.panic=reset it resets instead.
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Whether another hart than this one panics: nobody else may print then.
bool panic_is_elsewhere(void);

// Stays on in every build. The condition has no side effects.
#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            assert_failed(#condition, __FILE__, __LINE__);                                         \
        }                                                                                          \
    } while (0)

// As ASSERT(a op b) for two unsigned numbers, and prints both.
#define ASSERT_COMPARE(a, op, b)                                                                   \
    do {                                                                                           \
        const uint64_t assert_left_ = (uint64_t)(a);                                               \
        const uint64_t assert_right_ = (uint64_t)(b);                                              \
        if (__builtin_expect(!(assert_left_ op assert_right_), 0)) {                               \
            assert_compare_failed(#a " " #op " " #b, assert_left_, assert_right_, __FILE__,        \
                                  __LINE__);                                                       \
        }                                                                                          \
    } while (0)
#define ASSERT_EQUAL(a, b) ASSERT_COMPARE(a, ==, b)

_Noreturn void assert_failed(const char *condition, const char *file, int line);
_Noreturn void assert_compare_failed(const char *condition, uint64_t left, uint64_t right,
                                     const char *file, int line);

#endif
