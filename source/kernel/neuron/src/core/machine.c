// SPDX-License-Identifier: Apache-2.0
// Reads the device tree into `machine`: one function for each thing that the kernel wants to know.
#include "core/machine.h"
#include "arch_inline.h"
#include "fdt/fdt.h"
#include <string.h>

// Numbers in interrupts-extended that mean the supervisor external interrupt of a hart.
#define SUPERVISOR_EXTERNAL 9u

struct machine machine;

// The tree and whom to blame.
struct discovery {
    struct dtb tree;
    struct hart_id boot_hart;
    const char *problem;
};

static enum nx_status blame(struct discovery *discovery, const char *problem, enum nx_status status)
{
    if (status != NX_OK && discovery->problem == NULL)
        discovery->problem = problem;
    return status;
}

// --- Harts ---------------------------------------------------------------------------------------

static bool has_mmu(const struct dtb *tree, struct dtb_node cpu)
{
    const char *type;

    return dtb_read_string(tree, cpu, "mmu-type", &type) == NX_OK &&
           strcmp(type, "riscv,none") != 0;
}

static enum nx_status read_hart_id(const struct dtb *tree, struct dtb_node cpu, struct hart_id *id)
{
    struct dtb_range reg = {0};
    const enum nx_status status = dtb_reg(tree, cpu, 0, &reg);

    id->value = reg.base;
    return status;
}

// Keeps entry 0 for the boot hart and the others in ascending order; of too many, the highest go.
static void insert_hart(const struct machine_hart *hart)
{
    uint32_t at = machine.hart_count;

    if (at == NX_HARTS_MAX && machine.harts[at - 1].id.value < hart->id.value)
        return;
    if (at == NX_HARTS_MAX)
        at--;
    else
        machine.hart_count++;
    for (; at > 1 && machine.harts[at - 1].id.value > hart->id.value; at--)
        machine.harts[at] = machine.harts[at - 1];
    machine.harts[at] = *hart;
}

static struct machine_hart *find_hart(struct hart_id id)
{
    for (uint32_t i = 0; i < machine.hart_count; i++)
        if (machine.harts[i].id.value == id.value)
            return &machine.harts[i];
    return NULL;
}

// The boot hart comes first, in a pass of its own.
static enum nx_status read_harts(struct discovery *discovery, bool boot_hart)
{
    const struct dtb *tree = &discovery->tree;

    for (struct dtb_node cpu = dtb_next_device_type(tree, DTB_NODE_NONE, "cpu");
         dtb_node_exists(cpu); cpu = dtb_next_device_type(tree, cpu, "cpu")) {
        struct machine_hart hart = {0};

        if (!dtb_is_available(tree, cpu) || !has_mmu(tree, cpu))
            continue;
        const enum nx_status status = read_hart_id(tree, cpu, &hart.id);

        if (status != NX_OK)
            return blame(discovery, "cpu reg", status);
        if ((hart.id.value == discovery->boot_hart.value) != boot_hart)
            continue;
        if (find_hart(hart.id) != NULL)
            return blame(discovery, "cpu reg (twice the same)", NX_ERR_BAD_FORMAT);
        hart.sstc = dtb_cpu_has_extension(tree, cpu, "sstc");
        machine.harts_named++;
        if (boot_hart) {
            machine.harts[0] = hart;
            machine.hart_count = 1;
        } else if (NX_HARTS_MAX > 1) {
            insert_hart(&hart);
        }
    }
    return NX_OK;
}

static enum nx_status discover_harts(struct discovery *discovery)
{
    const struct dtb_node cpus = dtb_find_path(&discovery->tree, "/cpus");
    enum nx_status status =
        dtb_read_number(&discovery->tree, cpus, "timebase-frequency", &machine.timebase_hz);

    if (status == NX_OK && machine.timebase_hz == 0)
        status = NX_ERR_BAD_FORMAT;
    if (status != NX_OK)
        return blame(discovery, "cpus timebase-frequency", status);
    status = read_harts(discovery, true);
    if (status == NX_OK && machine.hart_count == 0)
        return blame(discovery, "cpu node of the boot hart", NX_ERR_NOT_FOUND);
    return status == NX_OK ? read_harts(discovery, false) : status;
}

// --- Memory --------------------------------------------------------------------------------------

static enum nx_status add_range(struct physical_range *ranges, uint32_t *count, uint32_t capacity,
                                const struct dtb_range *range)
{
    if (range->size == 0)
        return NX_OK;
    if (*count == capacity)
        return NX_ERR_TOO_LARGE;
    ranges[(*count)++] = (struct physical_range){paddr(range->base), range->size};
    return NX_OK;
}

// Every range of the node's reg, if the node is in use.
static enum nx_status add_node(const struct dtb *tree, struct dtb_node node,
                               struct physical_range *ranges, uint32_t *count, uint32_t capacity)
{
    for (uint32_t i = 0; dtb_is_available(tree, node); i++) {
        struct dtb_range range;
        const enum nx_status status = dtb_mmio(tree, node, i, &range);

        if (status == NX_ERR_OUT_OF_RANGE)
            break;
        TRY(status);
        TRY(add_range(ranges, count, capacity, &range));
    }
    return NX_OK;
}

static enum nx_status discover_memory(struct discovery *discovery)
{
    const struct dtb *tree = &discovery->tree;

    for (struct dtb_node node = dtb_next_device_type(tree, DTB_NODE_NONE, "memory");
         dtb_node_exists(node); node = dtb_next_device_type(tree, node, "memory")) {
        const enum nx_status status =
            add_node(tree, node, machine.memory, &machine.memory_count, MACHINE_MEMORY_RANGES_MAX);

        if (status != NX_OK)
            return blame(discovery, "memory reg", status);
    }
    return machine.memory_count > 0 ? NX_OK : blame(discovery, "memory", NX_ERR_NOT_FOUND);
}

static enum nx_status discover_reservation_block(struct discovery *discovery)
{
    for (uint32_t i = 0;; i++) {
        struct dtb_range range;
        enum nx_status status = dtb_reservation(&discovery->tree, i, &range);

        if (status == NX_ERR_OUT_OF_RANGE)
            return NX_OK;
        if (status == NX_OK) {
            status = add_range(machine.reserved, &machine.reserved_count,
                               MACHINE_RESERVED_RANGES_MAX, &range);
        }
        if (status != NX_OK)
            return blame(discovery, "memory reservation block", status);
    }
}

static enum nx_status discover_reserved(struct discovery *discovery)
{
    const struct dtb *tree = &discovery->tree;
    struct dtb_node node = dtb_first_child(tree, dtb_find_path(tree, "/reserved-memory"));

    for (; dtb_node_exists(node); node = dtb_next_sibling(tree, node)) {
        // A region without reg is one that the system may place itself.
        const enum nx_status status = add_node(
            tree, node, machine.reserved, &machine.reserved_count, MACHINE_RESERVED_RANGES_MAX);

        if (status != NX_OK && status != NX_ERR_NOT_FOUND)
            return blame(discovery, "reserved-memory", status);
    }
    return discover_reservation_block(discovery);
}

// --- Devices that the kernel drives itself
// --------------------------------------------------------

static bool is_uart(const struct dtb *tree, struct dtb_node node)
{
    return dtb_is_available(tree, node) &&
           (dtb_is_compatible(tree, node, "ns16550a") || dtb_is_compatible(tree, node, "ns16550"));
}

static struct dtb_node find_uart(const struct dtb *tree)
{
    struct dtb_node node = dtb_find_stdout(tree);

    if (is_uart(tree, node))
        return node;
    do {
        node = dtb_next_node(tree, node);
    } while (dtb_node_exists(node) && !is_uart(tree, node));
    return node;
}

#define UART_REGISTER_SHIFT_MAX 3u
#define UART_REGISTERS          8u

// A machine without a UART that it can use still boots, in silence.
static void discover_uart(const struct dtb *tree)
{
    const struct dtb_node node = find_uart(tree);
    struct dtb_range window;

    if (!dtb_node_exists(node) || dtb_mmio(tree, node, 0, &window) != NX_OK)
        return;
    if (dtb_read_u32(tree, node, "reg-shift", &machine.uart_register_shift) != NX_OK)
        machine.uart_register_shift = 0;
    if (machine.uart_register_shift > UART_REGISTER_SHIFT_MAX ||
        window.size < (uint64_t)UART_REGISTERS << machine.uart_register_shift)
        return;
    machine.uart = (struct physical_range){paddr(window.base), window.size};
    machine.has_uart = true;
}

// Interrupt `context` of the PLIC's list goes to `interrupt`.
static void note_context(const struct dtb *tree, const struct dtb_interrupt *interrupt,
                         uint32_t context)
{
    struct hart_id id;

    if (interrupt->cells[0] != SUPERVISOR_EXTERNAL ||
        read_hart_id(tree, dtb_parent(tree, interrupt->controller), &id) != NX_OK)
        return;
    struct machine_hart *hart = find_hart(id);

    if (hart != NULL) {
        hart->plic_context = context;
        hart->has_plic_context = true;
    }
}

static enum nx_status discover_contexts(struct discovery *discovery, struct dtb_node plic)
{
    struct dtb_interrupt_cursor cursor;
    enum nx_status status = dtb_interrupts_start(&discovery->tree, plic, &cursor);

    for (uint32_t context = 0; status == NX_OK; context++) {
        struct dtb_interrupt interrupt;

        status = dtb_interrupts_next(&discovery->tree, &cursor, &interrupt);
        if (status == NX_OK)
            note_context(&discovery->tree, &interrupt, context);
    }
    return status == NX_ERR_OUT_OF_RANGE ? NX_OK
                                         : blame(discovery, "plic interrupts-extended", status);
}

static enum nx_status discover_plic(struct discovery *discovery)
{
    const struct dtb *tree = &discovery->tree;
    struct dtb_node node = dtb_next_compatible(tree, DTB_NODE_NONE, "sifive,plic-1.0.0");
    struct dtb_range window;

    if (!dtb_node_exists(node))
        node = dtb_next_compatible(tree, DTB_NODE_NONE, "riscv,plic0");
    if (!dtb_is_available(tree, node))
        return NX_OK;
    enum nx_status status = dtb_mmio(tree, node, 0, &window);

    if (status != NX_OK)
        return blame(discovery, "plic reg", status);
    status = dtb_read_u32(tree, node, "riscv,ndev", &machine.plic_sources);
    if (status == NX_OK && machine.plic_sources > MACHINE_PLIC_SOURCES_MAX)
        status = NX_ERR_BAD_FORMAT;
    if (status != NX_OK)
        return blame(discovery, "plic riscv,ndev", status);
    machine.plic = (struct physical_range){paddr(window.base), window.size};
    machine.has_plic = true;
    return discover_contexts(discovery, node);
}

// --- What the loader has left in /chosen
// -----------------------------------------------------------

static enum nx_status discover_archive(struct discovery *discovery, struct dtb_node chosen)
{
    uint64_t start = 0;
    uint64_t end = 0;

    if (dtb_read_number(&discovery->tree, chosen, "linux,initrd-start", &start) != NX_OK ||
        dtb_read_number(&discovery->tree, chosen, "linux,initrd-end", &end) != NX_OK)
        return NX_OK;
    if (end < start)
        return blame(discovery, "chosen linux,initrd-end", NX_ERR_BAD_FORMAT);
    machine.archive = (struct physical_range){paddr(start), end - start};
    return NX_OK;
}

static enum nx_status discover_bootargs(struct discovery *discovery, struct dtb_node chosen)
{
    const char *text;

    if (dtb_read_string(&discovery->tree, chosen, "bootargs", &text) != NX_OK)
        return NX_OK;
    size_t length = strlen(text);

    if (length >= sizeof(machine.bootargs)) {
        machine.bootargs_truncated = true;
        length = sizeof(machine.bootargs) - 1;
    }
    memcpy(machine.bootargs, text, length);
    return NX_OK;
}

enum nx_status machine_discover(const void *blob, size_t size_limit, struct hart_id boot_hart,
                                const char **problem)
{
    struct discovery discovery = {.boot_hart = boot_hart, .problem = NULL};

    memset(&machine, 0, sizeof(machine));
    enum nx_status status =
        blame(&discovery, "header or structure", dtb_open(&discovery.tree, blob, size_limit));

    if (status == NX_OK) {
        const struct dtb_node chosen = dtb_find_path(&discovery.tree, "/chosen");

        machine.devicetree = arch_direct_unmap(blob);
        machine.devicetree_size = discovery.tree.total_size;
        status = discover_harts(&discovery);
        // Before all that can fail without harm to output: a later problem can then be told.
        discover_uart(&discovery.tree);
        status = status == NX_OK ? discover_memory(&discovery) : status;
        status = status == NX_OK ? discover_reserved(&discovery) : status;
        status = status == NX_OK ? discover_plic(&discovery) : status;
        status = status == NX_OK ? discover_archive(&discovery, chosen) : status;
        status = status == NX_OK ? discover_bootargs(&discovery, chosen) : status;
    }
    *problem = discovery.problem;
    return status;
}
