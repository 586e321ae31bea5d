// SPDX-License-Identifier: Apache-2.0
// nx hw dt: what the device tree says about this machine.
#include "command.h"
#include "fdt/fdt.h"
#include "nexus/machine.h"
#include "nexus/memory.h"
#include <inttypes.h>
#include <stdio.h>

// One line of the listing: a node with registers or of interest by itself.
struct device {
    const char *name;
    const char *compatible; // the first one
    struct dtb_range window;
    uint32_t interrupt; // 0: none
    bool available;
};

static enum nx_status tree_open(struct dtb *tree, void **mapping)
{
    const struct nx_start_info *start = nx_start();
    nx_handle memory = nx_start_handle(NX_START_DEVICETREE);
    uint64_t end = start->devicetree_offset + start->devicetree_bytes;

    if (memory == NX_HANDLE_NONE) {
        return NX_ERR_ACCESS_DENIED;
    }
    enum nx_status status = nx_map(memory, 0, NX_PAGE_ROUND_UP(end), NX_PROT_READ, mapping);
    if (status != NX_OK) {
        return status;
    }
    status = dtb_open(tree, (const uint8_t *)*mapping + start->devicetree_offset,
                      start->devicetree_bytes);
    if (status != NX_OK) {
        nx_unmap(*mapping);
    }
    return status;
}

// Devices are the nodes with memory-mapped registers, and the cpus.
static bool device_read(const struct dtb *tree, struct dtb_node node, struct device *device)
{
    struct dtb_interrupt interrupt;

    device->name = dtb_node_name(tree, node);
    device->available = dtb_is_available(tree, node);
    if (dtb_read_string(tree, node, "compatible", &device->compatible) != NX_OK &&
        dtb_read_string(tree, node, "device_type", &device->compatible) != NX_OK) {
        return false;
    }
    if (dtb_mmio(tree, node, 0, &device->window) != NX_OK &&
        dtb_reg(tree, node, 0, &device->window) != NX_OK) {
        return false;
    }
    device->interrupt = 0;
    // What goes straight to a hart's own controller is no interrupt of a device.
    if (dtb_first_interrupt(tree, node, &interrupt) == NX_OK &&
        !dtb_is_compatible(tree, interrupt.controller, "riscv,cpu-intc")) {
        device->interrupt = interrupt.cells[0];
    }
    return true;
}

static void device_show(struct invocation *invocation, const struct device *device)
{
    struct json *out = invocation->out;

    if (!invocation->json) {
        printf("%-28s %-24s base=%#-10" PRIx64 " size=%#-9" PRIx64, device->name,
               device->compatible, device->window.base, device->window.size);
        if (device->interrupt != 0) {
            printf(" irq=%" PRIu32, device->interrupt);
        }
        printf("%s\n", device->available ? "" : " disabled");
        return;
    }
    json_object(out, NULL);
    json_text(out, "name", device->name);
    json_text(out, "compatible", device->compatible);
    json_u64(out, "base", device->window.base);
    json_u64(out, "size", device->window.size);
    json_u64(out, "interrupt", device->interrupt);
    json_bool(out, "available", device->available);
    json_end(out);
}

static void heading_show(struct invocation *invocation, const struct dtb *tree, uint64_t timebase)
{
    const char *model = "";
    const char *arguments = "";

    // A tree without them is fine: they stay empty.
    (void)!dtb_read_string(tree, dtb_root(tree), "model", &model);
    (void)!dtb_read_string(tree, dtb_find_path(tree, "/chosen"), "bootargs", &arguments);
    if (!invocation->json) {
        printf("model     %s\nbootargs  %s\n", model, arguments);
        return;
    }
    json_object(invocation->out, NULL);
    json_text(invocation->out, "model", model);
    json_text(invocation->out, "bootargs", arguments);
    json_u64(invocation->out, "timebaseHz", timebase);
    json_array(invocation->out, "devices");
}

// Without the tree itself the kernel's record still says what it read from it.
static int record_show(struct invocation *invocation)
{
    struct nx_info_system system;

    enum nx_status status = nx_machine_record(NX_INFO_SYSTEM, 0, &system, sizeof(system));
    if (status != NX_OK) {
        return command_failed(invocation, "system record", status);
    }
    if (invocation->json) {
        json_object(invocation->out, NULL);
        json_u64(invocation->out, "timebaseHz", system.timebase_hz);
        json_end(invocation->out);
    } else {
        printf("the device tree was not granted to nx: from the kernel's record\n");
        printf("nx: hw dt tb=%" PRIu64 "\n", system.timebase_hz);
    }
    return EXIT_OK;
}

int devicetree_run(struct invocation *invocation)
{
    struct dtb tree;
    struct device device;
    uint64_t timebase;
    void *mapping;

    enum nx_status status = tree_open(&tree, &mapping);
    if (status == NX_ERR_ACCESS_DENIED) {
        return record_show(invocation);
    }
    if (status != NX_OK) {
        return command_failed(invocation, "device tree", status);
    }
    status = dtb_read_number(&tree, dtb_find_path(&tree, "/cpus"), "timebase-frequency", &timebase);
    if (status != NX_OK) {
        nx_unmap(mapping);
        return command_failed(invocation, "timebase-frequency", status);
    }
    heading_show(invocation, &tree, timebase);
    for (struct dtb_node node = dtb_root(&tree); dtb_node_exists(node);
         node = dtb_next_node(&tree, node)) {
        if (device_read(&tree, node, &device)) {
            device_show(invocation, &device);
        }
    }
    nx_unmap(mapping);
    if (invocation->json) {
        json_end(invocation->out);
        json_end(invocation->out);
    } else {
        printf("nx: hw dt tb=%" PRIu64 "\n", timebase);
    }
    return EXIT_OK;
}
