// SPDX-License-Identifier: Apache-2.0
// Diagnosis records of the kernel, copied out of the message page. They take NX_START_MACHINE with
// the right NX_RIGHT_INSPECT.
#ifndef NEXUS_MACHINE_H
#define NEXUS_MACHINE_H

#include "nexus/info.h"
#include "nexus/process.h"

// NX_ERR_BAD_FORMAT: the kernel's record is not `size` bytes. NX_ERR_NOT_FOUND or
// NX_ERR_OUT_OF_RANGE: there is no such index.
NX_MUST_CHECK enum nx_status nx_machine_record(enum nx_info_kind kind, uint64_t index, void *record,
                                               size_t size);

#endif
