// SPDX-License-Identifier: Apache-2.0
// QEMU's plugin interface, version 1, as far as the plugins here use it. It is documented in QEMU's
// docs/devel/tcg-plugins.rst; Debian ships no header for it.
#ifndef QEMU_PLUGIN_API_H
#define QEMU_PLUGIN_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Opaque types of QEMU, named differently from QEMU's own.
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
struct qemu_info;
typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
typedef void (*translate_callback)(qemu_plugin_id_t plugin, struct qemu_plugin_tb *block);
typedef void (*execute_callback)(unsigned int hart, void *context);
typedef void (*exit_callback)(qemu_plugin_id_t plugin, void *context);
typedef void (*memory_callback)(unsigned int hart, qemu_plugin_meminfo_t access, uint64_t address,
                                void *context);

enum { CALLBACK_READS_NO_REGISTERS = 0 };
enum { MEMORY_WRITES = 2 };
enum { INLINE_ADD_U64 = 0 };

extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block,
                                                        size_t index);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t plugin, translate_callback call);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                                 execute_callback call, int flags, void *context);
extern void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *instruction,
                                             memory_callback call, int flags, int kind,
                                             void *context);
extern struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t access,
                                                         uint64_t address);
extern bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *place);
extern uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *place);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *instruction);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
extern void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *instruction);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *instruction,
                                                   execute_callback call, int flags, void *context);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *instruction,
                                                       int operation, void *counter, uint64_t add);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t plugin, exit_callback call,
                                           void *context);

#define EXPORTED __attribute__((visibility("default")))
EXPORTED extern int qemu_plugin_version;
EXPORTED int qemu_plugin_install(qemu_plugin_id_t plugin, const struct qemu_info *info, int count,
                                 char **arguments);

#endif
