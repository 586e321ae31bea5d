// SPDX-License-Identifier: Apache-2.0
// A QEMU plugin that makes every hart run when QEMU counts instructions (-icount) on several harts.
//
// Under -icount QEMU runs all harts by turns in one thread, and a turn lasts until the next timer
// deadline. QEMU before 8.0 lets the first hart use up all of it, so that a hart which spins until
// another one answers (OpenSBI does, in a remote TLB flush) waits for ever. The plugin ends a turn
// after a fixed number of instructions. It counts guest instructions and nothing else: boots stay
// deterministic. QEMU's plugin interface is documented in its docs/devel/tcg-plugins.rst; Debian
// ships no header for it, hence the declarations. cpu_exit and qemu_get_cpu are no part of that
// interface, but QEMU exports them to its own modules.
#include <stddef.h>
#include <stdint.h>

// A turn: 10 microseconds of virtual time, short against a timer tick and against every deadline.
#define TURN_INSTRUCTIONS 10000u

// QEMU's struct of a hart, opaque here; named differently from QEMU's own.
struct cpu_state;
struct qemu_plugin_tb;
struct qemu_info;
typedef uint64_t qemu_plugin_id_t;
typedef void (*translate_callback)(qemu_plugin_id_t plugin, struct qemu_plugin_tb *block);
typedef void (*execute_callback)(unsigned int hart, void *instructions);

enum { CALLBACK_READS_NO_REGISTERS = 0 };

extern void cpu_exit(struct cpu_state *cpu);
extern struct cpu_state *qemu_get_cpu(int index);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t plugin, translate_callback call);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                                 execute_callback call, int flags, void *context);

#define EXPORTED __attribute__((visibility("default")))
EXPORTED extern int qemu_plugin_version;
EXPORTED int qemu_plugin_install(qemu_plugin_id_t plugin, const struct qemu_info *info, int count,
                                 char **arguments);

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

static void watch_block(qemu_plugin_id_t plugin, struct qemu_plugin_tb *block)
{
    (void)plugin;
    // The context pointer carries the block's length.
    uintptr_t instructions = qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, count_block, CALLBACK_READS_NO_REGISTERS,
                                         (void *)instructions);
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
