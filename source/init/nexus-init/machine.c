// SPDX-License-Identifier: Apache-2.0
// Device discovery: the console by /chosen/stdout-path, the disk by looking into virtio windows.
//
// Where several virtio block devices exist, the one at the lowest address is the package disk. A
// window that cannot be looked into, or whose device does not say what it is, may hold the package
// disk: such a machine is not one without a disk, whose packages are the fixtures.
#include "machine.h"
#include "fdt/fdt.h"
#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/memory.h"
#include "nexus/mmio.h"
#include "nexus/process.h"

// virtio 1.2, section 4.2.2: MMIO register offsets.
#define VIRTIO_MMIO_MAGIC_VALUE   0x000u
#define VIRTIO_MMIO_DEVICE_ID     0x008u
#define VIRTIO_MMIO_QUEUE_NUM_MAX 0x034u
#define VIRTIO_MAGIC              0x74726976u
#define VIRTIO_DEVICE_ID_NONE     0u // section 4.2.2: a place for a device, and nothing else
#define VIRTIO_DEVICE_ID_BLOCK    2u // section 5

static struct device devices[DEVICE_COUNT];
static struct dtb tree; // points into the mapped blob, which stays mapped
static const char *bootargs = "";
static uint32_t hart_extensions;
static uint32_t hart_count;

const struct device *machine_device(enum device_id id)
{
    return &devices[id];
}

const char *machine_bootargs(void)
{
    return bootargs;
}

uint32_t machine_hart_extensions(void)
{
    return hart_extensions;
}

uint32_t machine_hart_count(void)
{
    return hart_count;
}

void machine_distrust_hart_extensions(void)
{
    if (hart_extensions != 0) {
        hart_extensions = 0;
        nx_log("init: hart extensions are not used any more");
    }
}

static enum nx_status devicetree_open(void)
{
    const struct nx_start_info *start = nx_start();
    uint64_t end = start->devicetree_offset + start->devicetree_bytes;
    void *base;
    enum nx_status status =
        nx_map(nx_start_handle(NX_START_DEVICETREE), 0, NX_PAGE_ROUND_UP(end), NX_PROT_READ, &base);
    if (status != NX_OK) {
        return status;
    }
    return dtb_open(&tree, (const uint8_t *)base + start->devicetree_offset,
                    start->devicetree_bytes);
}

// Threads move between harts, so what one hart lacks none has.
static void harts_find(void)
{
    struct dtb_node cpu = dtb_next_device_type(&tree, DTB_NODE_NONE, "cpu");
    bool have_zbb = dtb_node_exists(cpu);
    hart_count = 0;
    for (; dtb_node_exists(cpu); cpu = dtb_next_device_type(&tree, cpu, "cpu")) {
        if (dtb_is_available(&tree, cpu)) {
            hart_count += hart_count < NX_HARTS_MAX;
            have_zbb = have_zbb && dtb_cpu_has_extension(&tree, cpu, "zbb");
        }
    }
    hart_extensions = have_zbb ? NX_HART_EXTENSION_ZBB : 0;
}

// Window and interrupt of a node, as numbers.
static enum nx_status node_read(struct dtb_node node, struct device *device)
{
    struct dtb_range range;
    struct dtb_interrupt interrupt;
    enum nx_status status = dtb_mmio(&tree, node, 0, &range);
    if (status == NX_OK) {
        status = dtb_first_interrupt(&tree, node, &interrupt);
    }
    if (status == NX_OK) {
        *device = (struct device){
            .base = range.base,
            .size = NX_PAGE_ROUND_UP(range.size),
            .interrupt_number = interrupt.cells[0],
        };
    }
    return status;
}

static enum nx_status window_create(struct device *device)
{
    return nx_memory_device_create(nx_start_handle(NX_START_MACHINE), device->base, device->size,
                                   &device->window);
}

// The interrupt object is what makes the device usable; it is created last.
static enum nx_status device_claim(struct device *device)
{
    enum nx_status status = nx_interrupt_create(nx_start_handle(NX_START_MACHINE),
                                                device->interrupt_number, &device->interrupt);
    if (status == NX_OK) {
        device->presence = DEVICE_PRESENT;
    }
    return status;
}

// The console that /chosen names, else the first UART; a node that is switched off is neither.
static struct dtb_node uart_node(void)
{
    struct dtb_node node = dtb_find_stdout(&tree);
    if (dtb_node_exists(node) && dtb_is_available(&tree, node)) {
        return node;
    }
    node = DTB_NODE_NONE;
    do {
        node = dtb_next_compatible(&tree, node, "ns16550a");
    } while (dtb_node_exists(node) && !dtb_is_available(&tree, node));
    return node;
}

static void uart_find(void)
{
    struct device *uart = &devices[DEVICE_UART];
    struct dtb_node node = uart_node();
    enum nx_status status = dtb_node_exists(node) ? node_read(node, uart) : NX_ERR_NOT_FOUND;
    if (status == NX_OK) {
        status = window_create(uart);
    }
    if (status == NX_OK) {
        status = device_claim(uart);
    }
    if (status != NX_OK) {
        nx_log("init: no console device reason=%s", nx_status_text(status));
    }
}

// What a virtio window says that it holds; *is_block is set on NX_OK. NX_ERR_BAD_FORMAT: it is no
// virtio window, or says that it is empty and has a queue.
static enum nx_status window_read(const volatile void *window, bool *is_block)
{
    if (nx_mmio_read32(window, VIRTIO_MMIO_MAGIC_VALUE) != VIRTIO_MAGIC) {
        return NX_ERR_BAD_FORMAT;
    }
    uint32_t id = nx_mmio_read32(window, VIRTIO_MMIO_DEVICE_ID);
    *is_block = id == VIRTIO_DEVICE_ID_BLOCK;
    bool contradicts =
        id == VIRTIO_DEVICE_ID_NONE && nx_mmio_read32(window, VIRTIO_MMIO_QUEUE_NUM_MAX) != 0;
    return contradicts ? NX_ERR_BAD_FORMAT : NX_OK;
}

// Looks into a virtio window, which stays created only if it holds a block device.
static enum nx_status window_look(struct device *device, bool *is_block)
{
    *is_block = false;
    enum nx_status status = window_create(device);
    if (status != NX_OK) {
        return status;
    }
    void *window;
    status = nx_map(device->window, 0, device->size, NX_PROT_READ, &window);
    if (status == NX_OK) {
        status = window_read(window, is_block);
        nx_unmap(window);
    }
    if (!*is_block) {
        nx_handle_drop(device->window);
    }
    return status;
}

// Makes `block` the device in the node's window if it is a block device below the one found so far.
static enum nx_status block_consider(struct dtb_node node, struct device *block, bool *found)
{
    struct device candidate;
    bool is_block;
    enum nx_status status = node_read(node, &candidate);
    if (status != NX_OK || (*found && candidate.base >= block->base)) {
        return status;
    }
    status = window_look(&candidate, &is_block);
    if (is_block) {
        nx_handle_drop(block->window);
        *block = candidate;
        *found = true;
    }
    return status;
}

static void block_find(void)
{
    struct device *block = &devices[DEVICE_BLOCK];
    enum device_presence otherwise = DEVICE_ABSENT;
    bool found = false;
    struct dtb_node node = DTB_NODE_NONE;
    for (;;) {
        node = dtb_next_compatible(&tree, node, "virtio,mmio");
        if (!dtb_node_exists(node)) {
            break;
        }
        enum nx_status status =
            dtb_is_available(&tree, node) ? block_consider(node, block, &found) : NX_OK;
        if (status != NX_OK) {
            nx_log("init: virtio device cannot be used node=%s reason=%s",
                   dtb_node_name(&tree, node), nx_status_text(status));
            otherwise = DEVICE_UNUSABLE;
        }
    }
    block->presence = found ? DEVICE_UNUSABLE : otherwise;
    if (found && device_claim(block) != NX_OK) {
        nx_log("init: block device without interrupt mmio=0x%lx irq=%u", block->base,
               block->interrupt_number);
    }
}

enum nx_status machine_discover(void)
{
    enum nx_status status = devicetree_open();
    if (status != NX_OK) {
        return status;
    }
    struct dtb_node chosen = dtb_find_path(&tree, "/chosen");
    if (dtb_read_string(&tree, chosen, "bootargs", &bootargs) != NX_OK) {
        bootargs = "";
    }
    harts_find();
    uart_find();
    block_find();
    return NX_OK;
}

void machine_power_off(void)
{
    for (;;) {
        enum nx_status status =
            nx_system_reset(nx_start_handle(NX_START_MACHINE), NX_RESET_POWER_OFF);
        nx_log("init: power off failed reason=%s", nx_status_text(status));
        nx_sleep(NX_SECOND);
    }
}
