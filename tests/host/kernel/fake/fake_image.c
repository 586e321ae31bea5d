// SPDX-License-Identifier: Apache-2.0
// What the linker script and the architecture's assembly define: the bounds of the kernel image,
// and the program of the kernel's own tests. Its "machine code" is the address of a host function.
#include "user.h"

char fake_image[NX_PAGE_SIZE];
__asm__(".globl __kernel_start\n.set __kernel_start, fake_image\n"
        ".globl __kernel_end\n.set __kernel_end, fake_image + 4096\n");

static void selftest_program(void *argument)
{
    uint64_t address = (uint64_t)(uintptr_t)argument;
    user_store(address, user_load(address) + 1);
}

extern const user_program arch_selftest_program[1];
const user_program arch_selftest_program[1] = {selftest_program};
__asm__(".globl arch_selftest_program_end\n"
        ".set arch_selftest_program_end, arch_selftest_program + 8\n");
