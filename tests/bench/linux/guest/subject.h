// SPDX-License-Identifier: Apache-2.0
// The Linux half of `./nexus bench --vs-linux`: what a subject is, and how it is measured.
//
// It follows the protocol of source/apps/bench, so that the same code reads both: a region between
// begin and end marks, and in it one lap for each round, or, where something has to be put back
// after a round, the interval from a start to a stop mark. Every function returns 0 or a negative
// errno; a subject that fails says why, and the others go on.
#pragma once

#include "nexus/mark.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PAGE_BYTES = 4096 };
enum { LAPS = 10240 };

struct subject {
    const char *name;
    unsigned rounds;
    int (*prepare)(void);
    int (*round)(void);
    int (*reset)(void); // after each round and not counted; NULL makes the rounds laps
    int (*check)(void); // after the last round: was the work done?
    void (*finish)(void);
};

// Each ends in a subject without a name.
extern const struct subject ipc_subjects[];
extern const struct subject memory_subjects[];
extern const struct subject process_subjects[];
extern const struct subject block_subjects[];
extern const struct subject file_subjects[];

// Throughput by the guest's clock; prints `rate NAME NUMBER UNIT` lines.
int block_throughput(void);
int file_throughput(void);
double seconds_now(void);

// A system call without the C library around it.
static inline long system_call(long number, long a, long b, long c)
{
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}

// 0, or the errno of the C library call that has just failed.
static inline int status_of(long result)
{
    return result < 0 ? -errno : 0;
}
