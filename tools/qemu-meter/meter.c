// SPDX-License-Identifier: Apache-2.0
// A plugin for QEMU 7.x that counts executed guest instructions, exactly, between marks.
//
// A mark is the RISC-V hint `slti x0, x0, N` (N from 1 to 2047), which does nothing on any machine;
// source/libs/nexus/include/nexus/mark.h and Linux programs have it as a macro. Each mark that a
// hart executes writes one line. Counts are kept for each hart and part: firmware, kernel, user,
// told apart by the virtual address of the code. An instruction counts when it begins, so one that
// traps counts again when it is repeated; a hart that waits in wfi executes nothing.
//
// Options (-plugin meter.so,NAME=VALUE,...):
//   out=PATH         where the lines go; QEMU must end by itself for the last ones to be there
//   profile=on       also an account by block of what ran between marks 2 and 3 (begin and end); if
//                    marks 4 and 5 (start and stop) come between them, only between these
//   span=FROM:VIA    a line for each way from FROM over VIA to the next user instruction on the
//                    same hart; both are hexadecimal addresses of code that is jumped to
//
// Lines:
//   M N HART {FIRMWARE KERNEL USER}...   mark N, and the counts so far of every hart from 0
//   K HART {...}...                      the first instruction of the kernel
//   U HART {...}...                      the first of user space
//   S HART COUNT                         instructions of one span
//   P PART ADDRESS COUNT RUNS CODE       a block's instructions between marks 2 and 3, all harts;
//                                        CODE: its first bytes, which tell programs apart
//
// It relies on -icount: all harts run in one thread, by turns. The instructions of a block that is
// left in its middle by a trap are counted as far as it came: QEMU adds one to `executed` at each,
// and the difference goes to the block that ran last.
#include "../qemu-icount/plugin_api.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HARTS_MAX 8u

// QEMU's virt machine: the firmware's 2 MiB, then the kernel, which runs at physical addresses
// first.
#define FIRMWARE_BASE 0x80000000u
#define FIRMWARE_END  0x80200000u
#define PHYSICAL_END  0xc0000000u
#define UPPER_HALF    (UINT64_C(1) << 63)

// slti x0, x0, N
#define MARK_MASK  0x000fffffu
#define MARK_CODE  0x00002013u
#define MARK_SHIFT 20
#define MARK_BEGIN 2u
#define MARK_END   3u
#define MARK_START 4u
#define MARK_STOP  5u

#define CODE_BYTES_MAX 32u
#define OUTPUT_BUFFER  (1u << 20)

enum part { PART_FIRMWARE, PART_KERNEL, PART_USER, PARTS };

// One translated block. QEMU may translate the same code again: the reader adds them up.
struct block {
    struct block *next; // all blocks of a profile
    uint64_t address;
    uint64_t instructions; // since the last begin
    uint64_t runs;
    enum part part;
    bool span_from;
    bool span_via;
    uint8_t code_bytes;
    uint8_t code[CODE_BYTES_MAX];
};

struct hart {
    uint64_t count[PARTS];
    uint64_t span_start;
    bool span_open; // VIA was passed
};

int qemu_plugin_version = 1;

static FILE *out;
static bool profile;
static bool profiling;
static bool intervals; // start was seen since begin
static uint64_t span_from;
static uint64_t span_via;

static uint64_t executed; // by all harts; QEMU's generated code adds to it
static uint64_t accounted;
static struct hart harts[HARTS_MAX];
static unsigned int harts_seen = 1;
static unsigned int current_hart;
static struct block outside; // what runs before the first block
static struct block *current_block = &outside;
static struct block *blocks;
static bool kernel_seen;
static bool user_seen;

// Gives what was executed since the last time to the block that ran.
static void account(void)
{
    uint64_t count = executed - accounted;
    accounted = executed;
    harts[current_hart].count[current_block->part] += count;
    if (profiling) {
        current_block->instructions += count;
    }
}

static uint64_t hart_total(const struct hart *hart)
{
    return hart->count[PART_FIRMWARE] + hart->count[PART_KERNEL] + hart->count[PART_USER];
}

static void write_counts(void)
{
    for (unsigned int i = 0; i < harts_seen; i++) {
        fprintf(out, " %" PRIu64 " %" PRIu64 " %" PRIu64, harts[i].count[PART_FIRMWARE],
                harts[i].count[PART_KERNEL], harts[i].count[PART_USER]);
    }
    fputc('\n', out);
}

static void write_profile(void)
{
    for (const struct block *block = blocks; block != NULL; block = block->next) {
        if (block->instructions == 0) {
            continue;
        }
        fprintf(out, "P %d %" PRIx64 " %" PRIu64 " %" PRIu64 " ", (int)block->part, block->address,
                block->instructions, block->runs);
        for (unsigned int i = 0; i < block->code_bytes; i++) {
            fprintf(out, "%02x", block->code[i]);
        }
        fputc('\n', out);
    }
}

static void profile_begin(void)
{
    for (struct block *block = blocks; block != NULL; block = block->next) {
        block->instructions = 0;
        block->runs = 0;
    }
    profiling = true;
}

static void profile_mark(unsigned int number)
{
    switch (number) {
    case MARK_BEGIN:
        intervals = false;
        profile_begin();
        break;
    case MARK_START:
        if (!intervals) {
            intervals = true;
            profile_begin();
        }
        profiling = true;
        break;
    case MARK_STOP:
        profiling = false;
        break;
    case MARK_END:
        profiling = false;
        write_profile();
        break;
    default:
        break;
    }
}

static void mark(unsigned int hart, void *context)
{
    unsigned int number = (unsigned int)(uintptr_t)context;
    account();
    fprintf(out, "M %u %u", number, hart);
    write_counts();
    if (profile) {
        profile_mark(number);
    }
}

static void watch_first(unsigned int hart, enum part part)
{
    if (part == PART_KERNEL && !kernel_seen) {
        kernel_seen = true;
        fprintf(out, "K %u", hart);
        write_counts();
    } else if (part == PART_USER && !user_seen) {
        user_seen = true;
        fprintf(out, "U %u", hart);
        write_counts();
    }
}

static void watch_span(unsigned int index, const struct block *block)
{
    struct hart *hart = &harts[index];
    if (block->span_from) {
        hart->span_start = hart_total(hart);
        hart->span_open = false;
    }
    if (block->span_via) {
        hart->span_open = true;
    }
    if (block->part == PART_USER && hart->span_open) {
        hart->span_open = false;
        fprintf(out, "S %u %" PRIu64 "\n", index, hart_total(hart) - hart->span_start);
    }
}

static void enter_block(unsigned int hart, void *context)
{
    struct block *block = context;
    if (hart >= HARTS_MAX) {
        return;
    }
    account();
    harts_seen = hart >= harts_seen ? hart + 1 : harts_seen;
    current_hart = hart;
    current_block = block;
    if (profiling) {
        block->runs++;
    }
    if (!user_seen) {
        watch_first(hart, block->part);
    }
    if (span_from != 0) {
        watch_span(hart, block);
    }
}

static enum part part_of(uint64_t address)
{
    if (address >= UPPER_HALF) {
        return PART_KERNEL;
    }
    if (address >= FIRMWARE_BASE && address < FIRMWARE_END) {
        return PART_FIRMWARE;
    }
    // Below RAM lies QEMU's reset code. User programs are linked low or mapped high.
    return address >= FIRMWARE_END && address < PHYSICAL_END ? PART_KERNEL : PART_USER;
}

// QEMU's reset code, in its own ROM, is neither user space nor worth a part of its own.
static bool is_reset_code(uint64_t address)
{
    return !kernel_seen && address < FIRMWARE_BASE;
}

static struct block *block_new(const struct qemu_plugin_tb *translated, size_t count)
{
    struct block *block = calloc(1, sizeof(*block));
    if (block == NULL) {
        abort();
    }
    block->address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(translated, 0));
    block->part = is_reset_code(block->address) ? PART_FIRMWARE : part_of(block->address);
    block->span_from = span_from != 0 && block->address == span_from;
    block->span_via = span_via != 0 && block->address == span_via;
    for (size_t i = 0; i < count; i++) {
        const struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(translated, i);
        size_t size = qemu_plugin_insn_size(instruction);
        if (block->code_bytes + size > CODE_BYTES_MAX) {
            break;
        }
        memcpy(block->code + block->code_bytes, qemu_plugin_insn_data(instruction), size);
        block->code_bytes = (uint8_t)(block->code_bytes + size);
    }
    block->next = blocks;
    blocks = block;
    return block;
}

static unsigned int mark_number(const struct qemu_plugin_insn *instruction)
{
    uint32_t code = 0;
    if (qemu_plugin_insn_size(instruction) != sizeof(code)) {
        return 0;
    }
    memcpy(&code, qemu_plugin_insn_data(instruction), sizeof(code));
    return (code & MARK_MASK) == MARK_CODE ? code >> MARK_SHIFT : 0;
}

static void translate(qemu_plugin_id_t plugin, struct qemu_plugin_tb *translated)
{
    (void)plugin;
    size_t count = qemu_plugin_tb_n_insns(translated);
    struct block *block = block_new(translated, count);
    qemu_plugin_register_vcpu_tb_exec_cb(translated, enter_block, CALLBACK_READS_NO_REGISTERS,
                                         block);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(translated, i);
        qemu_plugin_register_vcpu_insn_exec_inline(instruction, INLINE_ADD_U64, &executed, 1);
        unsigned int number = mark_number(instruction);
        if (number != 0) {
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, mark, CALLBACK_READS_NO_REGISTERS,
                                                   (void *)(uintptr_t)number);
        }
    }
}

static void finish(qemu_plugin_id_t plugin, void *context)
{
    (void)plugin;
    (void)context;
    fclose(out);
}

static bool read_option(const char *option)
{
    if (strncmp(option, "out=", 4) == 0) {
        out = fopen(option + 4, "w");
        return out != NULL && setvbuf(out, NULL, _IOFBF, OUTPUT_BUFFER) == 0;
    }
    if (strcmp(option, "profile=on") == 0) {
        profile = true;
        return true;
    }
    return sscanf(option, "span=%" SCNx64 ":%" SCNx64, &span_from, &span_via) == 2;
}

int qemu_plugin_install(qemu_plugin_id_t plugin, const struct qemu_info *info, int count,
                        char **arguments)
{
    (void)info;
    for (int i = 0; i < count; i++) {
        if (!read_option(arguments[i])) {
            fprintf(stderr, "meter: cannot use option %s\n", arguments[i]);
            return -1;
        }
    }
    if (out == NULL) {
        fprintf(stderr, "meter: no out=PATH\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(plugin, translate);
    qemu_plugin_register_atexit_cb(plugin, finish, NULL);
    return 0;
}
