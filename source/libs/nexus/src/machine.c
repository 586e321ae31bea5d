// SPDX-License-Identifier: Apache-2.0
// Diagnosis records of the kernel: see nexus/machine.h.
#include "nexus/machine.h"

enum nx_status nx_machine_record(enum nx_info_kind kind, uint64_t index, void *record, size_t size)
{
    uint64_t bytes;
    enum nx_status status = nx_system_info(nx_start_handle(NX_START_MACHINE), kind, index, &bytes);
    if (status != NX_OK) {
        return status;
    }
    if (bytes != size) {
        return NX_ERR_BAD_FORMAT;
    }
    memcpy(record, nx_page()->data, size);
    return NX_OK;
}
