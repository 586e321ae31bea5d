// SPDX-License-Identifier: Apache-2.0
// What the subjects of the benchmark share: loops with marks, partner processes, failures.
//
// A subject does its operation LAPS times and marks the border of each round; tools/qemu-meter
// counts the instructions between the marks, and tests/bench/ takes the median and subtracts what
// the empty loop costs (subject "empty"). A subject that runs over several processes or harts marks
// start and stop instead. Results are checked outside the counted rounds; a wrong one fails the
// subject.
#ifndef BENCH_H
#define BENCH_H

#include "nexus/clock.h"
#include "nexus/mark.h"
#include "nexus/process.h"
#include "nexus/spawn.h"
#include "nexus/system.h"
#include <stdbool.h>

#define LAPS_OUTER 80u // each followed by a check
#define LAPS_INNER 128u
#define LAPS       (LAPS_OUTER * LAPS_INNER)

#define HART_HERE   (1u << 0) // where the benchmark runs
#define HART_OTHER  (1u << 1)
#define SETTLE_TIME (20 * NX_MILLISECOND) // until a partner waits and the console is quiet

#define BENCH_LAPS(operation, check) BENCH_ROUNDS(LAPS_OUTER, LAPS_INNER, operation, check)

// `outer` times `inner` rounds of `operation`, each a lap; `check` after every `inner` of them.
#define BENCH_ROUNDS(outer, inner, operation, check)                                               \
    do {                                                                                           \
        NX_MARK(NX_MARK_BEGIN);                                                                    \
        for (uint32_t outer_ = 0; outer_ < (outer); outer_++) {                                    \
            NX_MARK(NX_MARK_RESUME);                                                               \
            for (uint32_t inner_ = 0; inner_ < (inner); inner_++) {                                \
                operation;                                                                         \
                NX_MARK(NX_MARK_LAP);                                                              \
            }                                                                                      \
            check;                                                                                 \
        }                                                                                          \
        NX_MARK(NX_MARK_END);                                                                      \
    } while (0)

// Why the subject failed; the first reason counts. Returns false.
bool bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Leaves the subject with a reason unless `status` is NX_OK.
#define BENCH_OK(call)                                                                             \
    do {                                                                                           \
        enum nx_status status_ = (call);                                                           \
        if (status_ != NX_OK) {                                                                    \
            return bench_fail("%s: %s", #call, nx_status_text(status_));                           \
        }                                                                                          \
    } while (0)

// A figure beside the instructions, for the table: `bench: value SUBJECT NAME=VALUE`.
void bench_value(const char *name, uint64_t value);

// ---- Partners -----------------------------------------------------------------------------------

// How a partner finds what it was given: below NX_START_HANDLES_MAX, and nobody else's.
#define PARTNER_ENDPOINT     ((enum nx_start_id)20) // to receive from
#define PARTNER_NOTIFICATION ((enum nx_start_id)21)
#define PARTNER_MEMORY       ((enum nx_start_id)22) // a struct pair_page
#define PARTNER_SERVER       ((enum nx_start_id)23) // to call

#define PARTNER_BYTES 64u // of the role "bytes"

// What a client shares with the benchmark.
struct pair_page {
    uint64_t deadline;      // of its calls; constant while it works
    _Atomic uint64_t calls; // stored once it has stopped
};

// Another process of this program, in one of the roles of partner.c. It ends when it is killed.
struct partner {
    struct nx_child child;
    nx_handle endpoint;     // the partner's to receive from, ours to call
    nx_handle notification; // ours to signal, the partner's to wait for
};

struct partner_options {
    const char *role;
    uint64_t harts; // mask
    enum nx_class class;
    nx_handle memory; // NX_HANDLE_NONE: none
    nx_handle server; // the same
};

NX_MUST_CHECK enum nx_status partner_start(struct partner *partner,
                                           const struct partner_options *options);
// False: it did not live until now, so it was not measured.
bool partner_end(struct partner *partner);

// The roles: never return to main with 0.
int partner_main(const char *role);

// ---- Subjects -----------------------------------------------------------------------------------

// Each returns false after bench_fail.
bool subject_empty(void);
bool subject_null_call(void);
bool subject_call_0(void);
bool subject_call_6(void);
bool subject_call_64_bytes(void);
bool subject_call_handle(void);
bool subject_call_fpu(void);
bool subject_call_fpu_server(void);
bool subject_call_fpu_both(void);
bool subject_call_two_harts(void);
bool subject_yield(void);
bool subject_signal(void);
bool subject_map(void);
bool subject_block_read(void);
bool subject_block_read_handle(void);
bool subject_block_read_large(void);
bool subject_block_queue(void);
bool subject_unmap(void);
bool subject_thread(void);
bool subject_spawn(void);
bool subject_block_info(void);
bool subject_file(void);
bool subject_file_cold(void);
bool subject_hash_block(void);
bool subject_hash_block_plain(void);
bool subject_hash_block_sha512(void);
bool subject_hash_block_sha256(void);
bool subject_four_pairs(void);
bool subject_pairs_ratio(void);
bool subject_block_throughput(void);

#endif
