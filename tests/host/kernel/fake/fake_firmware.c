// SPDX-License-Identifier: Apache-2.0
// Firmware, console and reports of the fake machine.
#include "fake.h"

#include "arch_inline.h"
#include "core/hart.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arch_firmware arch_firmware = {.extensions = NX_SBI_TIME | NX_SBI_IPI | NX_SBI_RFNC};

enum nx_status arch_firmware_probe(void)
{
    return NX_OK;
}

static bool has_sstc;

void fake_sstc(bool present)
{
    has_sstc = present;
}

bool arch_has_sstc(void)
{
    return has_sstc;
}

uint32_t arch_asid_bits(void)
{
    return 16;
}

enum nx_status arch_system_reset(uint32_t kind)
{
    (void)kind;
    return NX_ERR_UNSUPPORTED;
}

void arch_kernel_table_build(void)
{
}

// Written under the kernel log's lock, or in a panic.
static char console[256u << 10];
static size_t console_length;

void arch_console_write(const char *text, size_t length)
{
    if (length > sizeof(console) - 1 - console_length)
        console_length = 0;
    memcpy(console + console_length, text, length);
    console_length += length;
    console[console_length] = '\0';
}

const char *fake_console(void)
{
    return console;
}

void fake_console_clear(void)
{
    console_length = 0;
    console[0] = '\0';
}

void arch_backtrace(uint64_t frame_pointer, uint64_t pc, void (*print)(const char *format, ...))
{
    (void)frame_pointer;
    (void)pc;
    (void)print;
}

// The process ends here, where a debugger and the sanitizers see the panic's own stack.
void arch_panic_report(void (*print)(const char *format, ...))
{
    (void)print;
    fputs(console, stderr);
    abort();
}
