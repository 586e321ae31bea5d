// SPDX-License-Identifier: Apache-2.0
// A plugin for QEMU 7.x that makes boots under -icount finish on several harts, and repeatable.
//
// Turns. Under -icount QEMU runs all harts by turns in one thread, and a turn lasts until the next
// timer deadline. QEMU before 8.0 lets the first hart use up all of it, so that a hart which spins
// until another one answers (OpenSBI does, in a remote TLB flush) waits for ever. The plugin ends a
// turn after a fixed number of instructions.
//
// Disk. Virtual time counts instructions, but a disk read completes when the host's disk and
// scheduler let it, at another instruction in each boot. The plugin waits for the disk right after
// the store that notifies the device: a read takes no virtual time, in every boot the same.
//
// It counts guest instructions and reads no clock. The functions of QEMU itself that it calls are
// no part of the plugin interface, but QEMU exports them to its own modules.
#include "plugin_api.h"

// A turn: 10 microseconds of virtual time, short against a timer tick and against every deadline.
#define TURN_INSTRUCTIONS 10000u

// QEMU's virt machine: eight virtio-mmio windows of a page; QueueNotify is at 0x50 in each (virtio
// 1.2, 4.2.2).
#define VIRTIO_FIRST 0x10001000u
#define VIRTIO_END   0x10009000u
#define PAGE_MASK    0xfffu
#define QUEUE_NOTIFY 0x50u

// Functions of QEMU itself.
struct cpu_state;
extern void cpu_exit(struct cpu_state *cpu);
extern struct cpu_state *qemu_get_cpu(int index);
extern void qemu_mutex_lock_iothread_impl(const char *file, int line);
extern void qemu_mutex_unlock_iothread(void);
extern void bdrv_drain_all(void);

int qemu_plugin_version = 1;

// All harts run in one thread, so nothing here is shared.
static unsigned int turn_hart;
static uint64_t turn_instructions;

static void count_block(unsigned int hart, void *instructions)
{
    if (hart != turn_hart) {
        turn_hart = hart;
        turn_instructions = 0;
    }
    turn_instructions += (uintptr_t)instructions;
    if (turn_instructions >= TURN_INSTRUCTIONS) {
        turn_instructions = 0;
        cpu_exit(qemu_get_cpu((int)hart));
    }
}

// Called after each store.
static void watch_store(unsigned int hart, qemu_plugin_meminfo_t access, uint64_t address,
                        void *context)
{
    (void)hart;
    (void)context;
    if ((address & PAGE_MASK) != QUEUE_NOTIFY) {
        return;
    }
    const struct qemu_plugin_hwaddr *place = qemu_plugin_get_hwaddr(access, address);
    if (place == NULL || !qemu_plugin_hwaddr_is_io(place)) {
        return;
    }
    uint64_t physical = qemu_plugin_hwaddr_phys_addr(place);
    if (physical >= VIRTIO_FIRST && physical < VIRTIO_END) {
        qemu_mutex_lock_iothread_impl(__FILE__, __LINE__);
        bdrv_drain_all();
        qemu_mutex_unlock_iothread();
    }
}

static void watch_block(qemu_plugin_id_t plugin, struct qemu_plugin_tb *block)
{
    (void)plugin;
    size_t count = qemu_plugin_tb_n_insns(block);
    // The context pointer carries the block's length.
    qemu_plugin_register_vcpu_tb_exec_cb(block, count_block, CALLBACK_READS_NO_REGISTERS,
                                         (void *)(uintptr_t)count);
    for (size_t i = 0; i < count; i++) {
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(block, i), watch_store,
                                         CALLBACK_READS_NO_REGISTERS, MEMORY_WRITES, NULL);
    }
}

int qemu_plugin_install(qemu_plugin_id_t plugin, const struct qemu_info *info, int count,
                        char **arguments)
{
    (void)info;
    (void)count;
    (void)arguments;
    qemu_plugin_register_vcpu_tb_trans_cb(plugin, watch_block);
    return 0;
}
