// SPDX-License-Identifier: Apache-2.0
// What a panic prints about the machine: the registers of the trap that led to it, and call stacks.
#include "arch_inline.h"
#include "core/hart.h"
#include "core/panic.h"
#include "core/symbols.h"

#define BACKTRACE_DEPTH 24

typedef void print_function(const char *format, ...) __attribute__((format(printf, 1, 2)));

_Noreturn void arch_kernel_trap(struct hart *hart, uint64_t depth);

// Interrupts are never taken in the kernel, so these are exceptions (privileged specification 1.12,
// table 4.2).
static const char *cause_name(uint64_t cause)
{
    static const char *const names[] = {
        "instruction address misaligned",
        "instruction access fault",
        "illegal instruction",
        "breakpoint",
        "load address misaligned",
        "load access fault",
        "store address misaligned",
        "store access fault",
        "environment call from user mode",
        "environment call from supervisor mode",
        "reserved",
        "reserved",
        "instruction page fault",
        "load page fault",
        "reserved",
        "store page fault",
    };

    return cause < ARRAY_LENGTH(names) ? names[cause] : "unknown";
}

// --- Call stacks ---------------------------------------------------------------------------------

static void print_location(print_function *print, unsigned number, uint64_t pc)
{
    uint64_t offset = 0;
    const char *name = symbol_find(pc, &offset);

    print("#%u 0x%lx %s+0x%lx", number, pc, name, offset);
}

static bool is_inside(uint64_t address, uint64_t bottom, uint64_t top)
{
    return address >= bottom + 16 && address <= top && is_aligned(address, 16);
}

static bool is_frame_pointer(const struct arch_hart *arch, uint64_t address)
{
    return is_inside(address, arch->stack_bottom, arch->stack_top) ||
           is_inside(address, arch->emergency_top - ARCH_EMERGENCY_SIZE, arch->emergency_top);
}

// A frame pointer is the caller's sp; the return address and the caller's own frame pointer lie
// below it. The chain may end in a user's s0, so each link is checked to stay on this hart's stacks
// and to go up.
void arch_backtrace(uint64_t frame_pointer, uint64_t pc, print_function *print)
{
    const struct arch_hart *arch = arch_hart_of(arch_hart_self());

    print_location(print, 0, pc);
    for (unsigned i = 1; i < BACKTRACE_DEPTH && is_frame_pointer(arch, frame_pointer); i++) {
        const uint64_t *frame = (const uint64_t *)frame_pointer;
        const uint64_t return_address = frame[-1];
        const uint64_t next = frame[-2];

        if (return_address == 0)
            return;
        // The call, not what follows it: that may be the next function.
        print_location(print, i, return_address - 1);
        if (next <= frame_pointer)
            return;
        frame_pointer = next;
    }
}

// --- Traps in the kernel -------------------------------------------------------------------------

static void print_registers(print_function *print, const struct trap_report *trap)
{
    static const char *const names[FRAME_SLOTS] = {
        "pc", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
        "a1", "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
        "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    };

    for (unsigned i = 0; i < FRAME_SLOTS; i += 4) {
        print("%3s=%016lx %3s=%016lx %3s=%016lx %3s=%016lx", names[i], trap->x[i], names[i + 1],
              trap->x[i + 1], names[i + 2], trap->x[i + 2], names[i + 3], trap->x[i + 3]);
    }
}

// The registers as they are now, for a panic that no trap led to. Those that the caller may change
// hold what the way here left in them.
static void capture_registers(struct trap_report *report)
{
    __asm__ volatile(".irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16\n"
                     "sd x\\n, 8 * \\n(%0)\n"
                     ".endr\n"
                     ".irp n, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n"
                     "sd x\\n, 8 * \\n(%0)\n"
                     ".endr"
                     :
                     : "r"(report->x)
                     : "memory");
    report->x[FRAME_PC] = (uint64_t)__builtin_return_address(0);
}

void arch_panic_report(print_function *print)
{
    const struct arch_hart *arch = arch_hart_of(arch_hart_self());

    if (arch->trap_depth == 0) {
        struct trap_report here = {0};

        capture_registers(&here);
        print_registers(print, &here);
        arch_backtrace((uint64_t)__builtin_frame_address(0), (uint64_t)arch_panic_report, print);
        return;
    }
    print("cause=%lu (%s) value=0x%lx sstatus=0x%lx", arch->trap.cause,
          cause_name(arch->trap.cause), arch->trap.value, arch->trap.status);
    print_registers(print, &arch->trap);
    // A leaf function, or a jump to nowhere, has no frame of its own.
    uint64_t offset = 0;
    const char *name = symbol_find(arch->trap.x[FRAME_RA], &offset);

    print("return address in %s+0x%lx", name, offset);
    arch_backtrace(arch->trap.x[FRAME_S0], arch->trap.x[FRAME_PC], print);
}

// A store below the kernel stack hits its guard page; sp is there already, or about to be.
static bool is_stack_overflow(const struct arch_hart *arch)
{
    const uint64_t guard = arch->stack_bottom - NX_PAGE_SIZE;
    const uint64_t sp = arch->trap.x[FRAME_SP];

    return (sp >= guard && sp < arch->stack_bottom) ||
           (arch->trap.value >= guard && arch->trap.value < arch->stack_bottom);
}

// On the emergency stack. A trap in the report of a trap gets one more line, and the next silence.
_Noreturn void arch_kernel_trap(struct hart *hart, uint64_t depth)
{
    const struct trap_report *trap = &hart->arch.trap;

    if (depth > 1)
        arch_halt();
    if (depth == 0 && is_stack_overflow(&hart->arch)) {
        panic("kernel stack overflow hart=%u pc=0x%lx sp=0x%lx stack=0x%lx..0x%lx",
              hart->index.value, trap->x[FRAME_PC], trap->x[FRAME_SP], hart->arch.stack_bottom,
              hart->arch.stack_top);
    }
    panic("trap in the kernel hart=%u cause=%lu (%s) pc=0x%lx value=0x%lx", hart->index.value,
          trap->cause, cause_name(trap->cause), trap->x[FRAME_PC], trap->value);
}
