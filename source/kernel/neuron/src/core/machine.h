// SPDX-License-Identifier: Apache-2.0
// The machine as the device tree describes it: parsed once by the boot hart, constant after boot.
//
// machine_discover reads the blob with libs/fdt, bounds-checked; nothing in it is trusted. What is
// absent or malformed and cannot be done without is a named error; the caller panics with it.
#ifndef NEURON_MACHINE_H
#define NEURON_MACHINE_H

#include "core/types.h"

#define MACHINE_MEMORY_RANGES_MAX   8
#define MACHINE_RESERVED_RANGES_MAX 16
#define MACHINE_BOOTARGS_MAX        512
#define MACHINE_PLIC_SOURCES_MAX    1023

struct physical_range {
    paddr_t base;
    uint64_t size;
};

// One cpu node with status "okay" and an MMU, as the kernel will use it.
struct machine_hart {
    struct hart_id id;
    bool has_plic_context;
    uint32_t plic_context; // supervisor external interrupt context, from interrupts-extended
    bool sstc;             // riscv,isa names the Sstc extension
};

struct machine {
    paddr_t devicetree;
    uint64_t devicetree_size;
    uint64_t timebase_hz;

    // Ascending hart id, except that entry 0 is the boot hart. `harts_named` counts all usable cpu
    // nodes, also those beyond NX_HARTS_MAX.
    struct machine_hart harts[NX_HARTS_MAX];
    uint32_t hart_count;
    uint32_t harts_named;

    struct physical_range memory[MACHINE_MEMORY_RANGES_MAX];
    uint32_t memory_count;
    // Memory reservation block and /reserved-memory (firmware lives there): never allocated.
    struct physical_range reserved[MACHINE_RESERVED_RANGES_MAX];
    uint32_t reserved_count;

    struct physical_range uart;
    uint32_t uart_register_shift;
    bool has_uart;

    struct physical_range plic;
    uint32_t plic_sources; // riscv,ndev: sources are 1..plic_sources
    bool has_plic;

    struct physical_range archive;       // boot archive (/chosen linux,initrd-start and -end)
    char bootargs[MACHINE_BOOTARGS_MAX]; // NUL-terminated, "" when absent
    bool bootargs_truncated;             // there were more than fit
};

// The singleton, written by machine_discover, read-only afterwards.
extern struct machine machine;

// Fills `machine` from the blob. `*problem` names the node or property at fault on failure.
// Errors: NX_ERR_BAD_FORMAT (malformed blob), NX_ERR_NOT_FOUND (no memory, boot hart or timebase),
// NX_ERR_TOO_LARGE (more ranges than the tables hold).
NX_MUST_CHECK enum nx_status machine_discover(const void *blob, size_t size_limit,
                                              struct hart_id boot_hart, const char **problem);

#endif
