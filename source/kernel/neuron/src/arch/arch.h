// SPDX-License-Identifier: Apache-2.0
// What an architecture provides to NEURON: the whole list, on one page.
//
// The kernel runs with interrupts off from entry to exit, and idles by polling after
// arch_wait_for_interrupt: a trap taken in kernel mode is a bug and ends in a panic. Two headers
// come from the architecture's directory on the include path:
//   arch_types.h   struct arch_thread, struct arch_hart, struct arch_space, struct trap_frame
//   arch_inline.h  the functions below that are marked "inline"
// struct thread starts with a struct arch_thread, struct hart with a struct arch_hart.
#ifndef NEURON_ARCH_H
#define NEURON_ARCH_H

#include "arch_types.h"
#include "core/types.h"

struct hart;
struct thread;

// --- This hart -----------------------------------------------------------------------------------

// inline: struct hart *arch_hart_self(void);            the hart that executes
// inline: uint64_t arch_time(void);                      time counter (timebase ticks)
// inline: uint64_t arch_instructions(void);              instructions retired by this hart
// inline: void arch_wait_for_interrupt(void);            returns when any enabled interrupt pends
// inline: uint64_t arch_interrupts_pending(void);        mask of ARCH_INTERRUPT_*
// inline: void arch_relax(void);                         in a spin loop
// inline: bool arch_has_sstc(void);                      arming its timer is one instruction

// inline: void arch_ipi_clear(void);                     clears SSIP, with the barrier of pitfall
// 15 Arms this hart's timer for `deadline` (time counter); ARCH_TIMER_NEVER disarms. Uses stimecmp
// where the machine has Sstc, else SBI set_timer.
#define ARCH_TIMER_NEVER (~0ull)
NX_MUST_CHECK enum nx_status arch_timer_arm(uint64_t deadline);

// Masks or unmasks this hart's timer interrupt (fault injection).
void arch_timer_mask(bool masked);

// --- Other harts ---------------------------------------------------------------------------------

// Sends a software interrupt to a hart that is online.
NX_MUST_CHECK enum nx_status arch_ipi_send(const struct hart *hart);
// Starts a hart at the kernel's secondary entry with `hart` as its state (stack already set up).
NX_MUST_CHECK enum nx_status arch_hart_start(struct hart *hart);
// Stops this hart; returns only on failure.
enum nx_status arch_hart_stop(void);
// NX_OK and *stopped: whether the SBI reports the hart as STOPPED.
NX_MUST_CHECK enum nx_status arch_hart_is_stopped(const struct hart *hart, bool *stopped);

// Prepares a hart's arch state: kernel and emergency stack addresses, machine facts. Boot hart
// calls it for every hart before any is started.
void arch_hart_prepare(struct hart *hart);

// --- Address spaces ------------------------------------------------------------------------------

// Replaces the early table by the final one: kernel text RX, read-only data R, data RW, RAM as a
// direct map RW with large leaves outside the kernel image, guard pages below each stack, PLIC and
// UART registers. Boot hart, after the frame allocator is up.
void arch_kernel_table_build(void);
// The direct map: every RAM byte and known register window at one fixed offset.
// inline: void *arch_direct_map(paddr_t);
// inline: paddr_t arch_direct_unmap(const void *);       inverse; also right for the kernel image

// Creates an empty user address space (root table with the kernel's half, an ASID). Frames come
// from frame_alloc (mm/frame.h). Errors: NX_ERR_NO_MEMORY.
NX_MUST_CHECK enum nx_status arch_space_create(struct arch_space *space);
// One bounded step of freeing the space's tables, counted in *tables, and at last, when it returns
// true, its root and ASID. No user leaf may be left in it and no hart may run in it; harts may hold
// it as their idle space no longer.
NX_MUST_CHECK bool arch_space_destroy_some(struct arch_space *space, uint32_t *tables);

#define ARCH_PROT_READ    (1u << 0)
#define ARCH_PROT_WRITE   (1u << 1)
#define ARCH_PROT_EXECUTE (1u << 2)

// The pages under one table of leaves: what the next two take at most, and may not straddle.
#define ARCH_TABLE_BYTES (2ull << 20)

// Enters a 4 KiB leaf for each of `count` pages from `first` on; a frame 0 leaves its page as it
// is, and so does a leaf that is there already. Intermediate tables are allocated as needed and
// counted in *tables (added to, at most 2). Caller holds the address space's lock. New valid
// entries need no flush: a hart that has cached their absence faults once more, and whoever
// resolves a fault flushes that page (pitfall 12). Errors: NX_ERR_NO_MEMORY.
NX_MUST_CHECK enum nx_status arch_space_map(struct arch_space *space, vaddr_t first,
                                            const paddr_t *frames, uint32_t count, uint32_t prot,
                                            uint32_t *tables);
// Clears the leaves of `count` pages from `first` on; false if there was none. The caller flushes.
bool arch_space_unmap(struct arch_space *space, vaddr_t first, uint32_t count);
// Whether the table of leaves for `address` exists.
bool arch_space_has_table(const struct arch_space *space, vaddr_t address);
// Removes stale translations of [address, address + length) on this hart and, through the SBI's
// remote fence by ASID, on the harts in `remote_mask` (hart indices). Complete when it returns.
void arch_tlb_flush(const struct arch_space *space, vaddr_t address, uint64_t length,
                    uint32_t remote_mask);
// inline: void arch_tlb_flush_all_local(void);           all of this hart's translations
// Makes `space` (NULL: the kernel's own table) current on this hart.
// inline: void arch_space_activate(const struct arch_space *space);
// Makes instructions just written visible to fetches of this hart and of `remote_mask`.
void arch_fetch_fence(uint32_t remote_mask);

// inline: arch_store_relaxed(object, value): an atomic store without order, as cheap as a plain one

// --- Threads -------------------------------------------------------------------------------------

// In a thread that is new, all zero, or has ended: a frame that enters user mode at `entry` with
// sp, tp and a0 set and all else zero, FPU off.
void arch_thread_init(struct thread *thread, vaddr_t entry, uint64_t stack, uint64_t argument,
                      uint64_t thread_pointer);
// The results of a system call, as the thread will see them. All inline, `thread` not running.
// inline: void arch_set_status(struct thread *, enum nx_status);           a0
// inline: void arch_set_result(struct thread *, unsigned index, uint64_t); a1 + index, index < 6
// inline: uint64_t arch_get_argument(const struct thread *, unsigned index)  saved a0 + index
// inline: void arch_set_info(struct thread *, uint64_t info);              a7
// inline: void arch_set_badge(struct thread *, uint64_t badge);            t0
// A system call that is to run again: saves its arguments and steps the pc back onto the ecall.
void arch_restart_syscall(struct thread *thread, const uint64_t arguments[8]);
// inline: uint64_t arch_get_pc(const struct thread *), arch_get_stack, arch_get_return_address
// inline: void arch_set_pc(struct thread *, uint64_t)
// Called on every switch from `previous` (NULL: idle) to `next`: FPU policy and the frame's hart.
// inline: void arch_thread_switch(struct thread *previous, struct thread *next);
// Before a thread that is not running is freed or moved: no hart may keep its FPU state as current.
void arch_thread_forget_fpu(struct thread *thread);
// Leaves the boot path: runs the thread in user mode.
_Noreturn void arch_resume(struct thread *thread);

// A user program for the kernel's own tests: adds 1 to the 32-bit word at the address in a0, then
// exits its thread. Position-independent; at most a page.
extern const char arch_selftest_program[];
extern const char arch_selftest_program_end[];

// User faults. `kind` of a scause value, and whether it is an access that mm may resolve.
enum arch_fault_kind {
    ARCH_FAULT_READ,
    ARCH_FAULT_WRITE,
    ARCH_FAULT_EXECUTE,
    ARCH_FAULT_FPU_OFF, // first FPU use: arch_fpu_enable makes the instruction work
    ARCH_FAULT_OTHER,
};
enum arch_fault_kind arch_fault_kind(const struct thread *thread, uint64_t cause, uint64_t value);
void arch_fpu_enable(struct thread *thread);

// --- Interrupt controller ------------------------------------------------------------------------

// All take sources below or at machine.plic_sources and the index of the hart whose context is
// meant. Enabling sets priority 1; threshold 0 is set by arch_hart_online.
void arch_irq_enable(uint32_t source, struct hart_index hart);
void arch_irq_disable(uint32_t source, struct hart_index hart);
uint32_t arch_irq_claim(void); // this hart's context; 0: none
void arch_irq_complete(uint32_t source, struct hart_index hart);
// Masking by priority, which keeps a claimed source completable (pitfall 19).
void arch_irq_set_masked(uint32_t source, bool masked);
uint32_t arch_irq_context(struct hart_index hart);
// Whether this hart takes external interrupts: it has a context, whose threshold reads back as 0,
// and they are enabled.
bool arch_irq_is_open(void);
// This hart's interrupt enables (software, timer, external), counters for user mode, PLIC
// threshold.
void arch_hart_online(void);
// Quiesces them again before arch_hart_stop.
void arch_hart_offline(void);

// --- Firmware, console, panic --------------------------------------------------------------------

struct arch_firmware {
    uint64_t spec_version;
    uint64_t implementation_id;
    uint64_t implementation_version;
    uint32_t extensions; // NX_SBI_*
};
// Probes the SBI; NX_ERR_UNSUPPORTED when an extension is missing that the kernel cannot do without
// (TIME or Sstc, IPI, RFNC); HSM may be missing.
NX_MUST_CHECK enum nx_status arch_firmware_probe(void);
extern struct arch_firmware arch_firmware;
uint32_t arch_asid_bits(void);

// kind: enum nx_reset_kind. Returns only on failure.
enum nx_status arch_system_reset(uint32_t kind);

// Polled output on the boot UART; usable from the first instruction after machine_discover and in a
// panic. Drops text while there is no UART.
void arch_console_write(const char *text, size_t length);

// Prints "#N pc symbol+offset" lines for the caller's stack, or for a trap's, through `print`.
void arch_backtrace(uint64_t frame_pointer, uint64_t pc,
                    void (*print)(const char *format, ...) __attribute__((format(printf, 1, 2))));
// Prints the registers of the trap that led here (if any), then the backtrace.
void arch_panic_report(void (*print)(const char *format, ...)
                           __attribute__((format(printf, 1, 2))));
// Stops executing for good, with interrupts off.
_Noreturn void arch_halt(void);

#endif
