// SPDX-License-Identifier: Apache-2.0
// The catalogue of hostile devices: each case is a check for each transport, and a line of the
// table in docs/storage/hostile-devices.md, which check_catalogue.py compares with this program's.
#ifndef TESTS_VIRTIO_BLK_HOSTILE_H
#define TESTS_VIRTIO_BLK_HOSTILE_H

#include "fixture.h"

#define LEGACY 1u // transports
#define MODERN 2u
#define BOTH   (LEGACY | MODERN)

#define F_INDIRECT_AND_EVENT (UINT64_C(3) << 28) // feature bits

#define FAULT(name) VIRTIO_BLK_FAULT_##name

#define HOSTILE_CASES_MAX     160u
#define HOSTILE_OUTCOME_BYTES 120u

struct hostile_case {
    const char *moment; // "attach", "serve", or "life" for what takes more than one of them
    const char *device; // what it does
    unsigned int transports;
    char outcome[HOSTILE_OUTCOME_BYTES]; // what must come of it
    void (*run)(const void *row, uint32_t version);
    const void *row;
};

// A case of both transports that takes more than one moment.
struct life_case {
    const char *device;
    const char *outcome;
    void (*run)(const void *row, uint32_t version);
};

// Reads of eight sectors each, submitted and kicked.
void reads_submit(struct bench *bench, struct read *reads, uint32_t count);
// A read of an honest device succeeds.
void serves_again(struct bench *bench);

size_t life_cases_fill(struct hostile_case *cases, const struct life_case *rows, size_t count);

// Each fills in its part of the catalogue and returns how many cases that is.
size_t hostile_attach_cases(struct hostile_case *cases);
size_t hostile_serve_cases(struct hostile_case *cases);
size_t hostile_life_cases(struct hostile_case *cases);
size_t hostile_ring_cases(struct hostile_case *cases);

#endif
