// SPDX-License-Identifier: Apache-2.0
// How programs end, in words.
#include "nexus/spawn.h"
#include <stdio.h>

const char *nx_fault_text(uint64_t cause)
{
    // RISC-V privileged specification, table of scause values.
    static const char *const texts[] = {
        "instruction address misaligned",
        "instruction access fault",
        "illegal instruction",
        "breakpoint",
        "load address misaligned",
        "load access fault",
        "store address misaligned",
        "store access fault",
        "environment call",
        "environment call",
        "reserved",
        "reserved",
        "instruction page fault",
        "load page fault",
        "reserved",
        "store page fault",
    };
    return cause < sizeof(texts) / sizeof(texts[0]) ? texts[cause] : "unknown";
}

const char *nx_exit_text(int64_t exit_status, char text[NX_EXIT_TEXT_BYTES])
{
    if (exit_status == NX_EXIT_KILLED) {
        return "killed";
    }
    if (exit_status == NX_EXIT_FAULTED) {
        return "ended by a fault";
    }
    (void)snprintf(text, NX_EXIT_TEXT_BYTES, "ended status=%lld", (long long)exit_status);
    return text;
}
