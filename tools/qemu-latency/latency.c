// SPDX-License-Identifier: Apache-2.0
// A plugin for QEMU 7.x that counts, for each hart, the instructions of each stretch in which the
// kernel runs with interrupts off, and of each lock hold; and those of the boot.
//
// A stretch begins with the kernel's first instruction after user mode or after wfi, and ends where
// an interrupt that waits is noticed: at the sret or wfi that lets interrupts in again, and where
// the kernel, holding no lock, reads sip to see whether one pends. What the firmware executes
// meanwhile is counted apart: it is not the kernel's to shorten, and under icount a remote fence
// spins there until the other harts have had their turn. For the same reason waiting for a lock
// (with `pause`) is counted apart: it is bounded by the other harts' holds. Everything
// before the first instruction in user mode is boot, and no stretch.
//
// Which instructions take and give locks only the kernel's debug information says, inlined ones
// included; scripts/latency.py reads it and passes a file of lines
//   acquire ADDRESS | release ADDRESS    an atomic operation on a lock's word; a store to it
//   lock START END                       code of lock functions: a hold belongs to their caller
//
// Arguments: out=FILE, sites=FILE, floor=N (stretches and holds below N are not described).
// Output, numbers decimal but addresses:
//   boot KERNEL FIRMWARE                 all harts, up to the first user instruction
//   boot-block ADDRESS TIMES LENGTH      the kernel's blocks executed in boot
//   total STRETCHES HOLDS UNMATCHED
//   stretch|hold HART KERNEL FIRMWARE SPIN ADDRESS
//     block ADDRESS TIMES LENGTH         blocks executed in the stretch or hold above
// Of stretches with one most costly block in common only the longest is written, and of holds that
// begin at one place.
#include "../qemu-icount/plugin_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HARTS          8
#define HELD_MAX       16
#define TRACE_MAX      (1u << 16)
#define SITES_MAX      4096
#define FINDINGS_MAX   256
#define BLOCK_SLOTS    (1u << 15) // a power of two
#define USER_BASE      0x10000ull // above QEMU's reset code; the first program is below RAM
#define KERNEL_HALF    (1ull << 63)
#define FIRMWARE_START 0x80000000ull
#define FIRMWARE_END   0x80200000ull

#define INSTRUCTION_SRET  0x10200073u
#define INSTRUCTION_WFI   0x10500073u
#define INSTRUCTION_PAUSE 0x0100000fu
// csrr RD, sip
#define READ_SIP_MASK 0xfffff07fu
#define READ_SIP      0x14402073u

int qemu_plugin_version = 1;

struct block {
    uint64_t address;
    uint64_t length;
    bool firmware;
    bool spins;
    bool in_lock;
    uint64_t executed; // scratch: in the boot, or in the finding that is being described
    bool noted;
};

struct point { // an instruction inside a block
    const struct block *block;
    uint64_t offset;
    uint64_t address;
};

struct hold {
    uint64_t word;
    uint64_t kernel, firmware, spin; // the hart's counts when it was taken
    uint32_t trace;
    const struct block *caller;
};

enum mode { MODE_OUT, MODE_KERNEL };

struct hart {
    enum mode mode;
    bool booted;                     // has been in user mode
    uint64_t kernel, firmware, spin; // of this stretch
    uint64_t before;                 // `kernel` when the present block began
    const struct block *first;
    const struct block *outside_lock;
    uint32_t traced;
    bool spins;
    struct block *trace[TRACE_MAX];
    struct hold held[HELD_MAX];
    uint32_t held_count;
};

struct finding {
    bool is_hold;
    unsigned int hart;
    const struct block *key;
    uint64_t kernel, firmware, spin;
    uint64_t address;
    size_t block_count;
    struct {
        uint64_t address, times, length;
    } * blocks;
};

static struct hart harts[HARTS];
static struct finding findings[FINDINGS_MAX];
static size_t finding_count;
static struct block *boot_blocks[BLOCK_SLOTS];
static size_t boot_block_count;
static bool booted;
static uint64_t boot_kernel, boot_firmware;
static uint64_t stretches, holds, unmatched;
static uint64_t least_described = 1000;
static FILE *output;

static uint64_t acquires[SITES_MAX], releases[SITES_MAX], lock_starts[SITES_MAX],
    lock_ends[SITES_MAX];
static size_t acquire_count, release_count, lock_range_count;

static bool contains(const uint64_t *list, size_t count, uint64_t address)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == address)
            return true;
    return false;
}

static int by_cost(const void *left, const void *right)
{
    const struct block *one = *(struct block *const *)left;
    const struct block *other = *(struct block *const *)right;
    uint64_t cost = one->executed * one->length;
    uint64_t other_cost = other->executed * other->length;
    return cost < other_cost ? 1 : cost > other_cost ? -1 : 0;
}

// Counts how often each block was executed in trace[from..]; returns the distinct ones, most costly
// first.
static size_t summarise(struct hart *hart, uint32_t from, struct block **distinct)
{
    size_t count = 0;
    for (uint32_t i = from; i < hart->traced; i++) {
        struct block *block = hart->trace[i];
        if (!block->noted) {
            block->noted = true;
            block->executed = 0;
            distinct[count++] = block;
        }
        block->executed++;
    }
    qsort(distinct, count, sizeof(*distinct), by_cost);
    for (size_t i = 0; i < count; i++)
        distinct[i]->noted = false;
    return count;
}

static struct finding *finding_of(bool is_hold, const struct block *key)
{
    for (size_t i = 0; i < finding_count; i++)
        if (findings[i].is_hold == is_hold && findings[i].key == key)
            return &findings[i];
    if (finding_count == FINDINGS_MAX)
        return NULL;
    struct finding *finding = &findings[finding_count++];
    *finding = (struct finding){.is_hold = is_hold, .key = key};
    return finding;
}

static void describe(unsigned int index, const struct hold *hold, uint64_t kernel)
{
    static struct block *distinct[TRACE_MAX];
    struct hart *hart = &harts[index];
    size_t count = summarise(hart, hold != NULL ? hold->trace : 0, distinct);
    if (count == 0)
        return;
    struct finding *finding = finding_of(hold != NULL, hold != NULL ? hold->caller : distinct[0]);
    if (finding == NULL || finding->kernel >= kernel)
        return;
    finding->hart = index;
    finding->kernel = kernel;
    finding->firmware = hart->firmware - (hold != NULL ? hold->firmware : 0);
    finding->spin = hart->spin - (hold != NULL ? hold->spin : 0);
    finding->address = hold != NULL ? hold->caller->address : hart->first->address;
    free(finding->blocks);
    finding->blocks = malloc(count * sizeof(*finding->blocks));
    if (finding->blocks == NULL)
        abort();
    finding->block_count = count;
    for (size_t i = 0; i < count; i++) {
        finding->blocks[i].address = distinct[i]->address;
        finding->blocks[i].times = distinct[i]->executed;
        finding->blocks[i].length = distinct[i]->length;
    }
}

static void note_boot_block(struct block *block)
{
    if (!block->noted && boot_block_count < BLOCK_SLOTS) {
        block->noted = true;
        boot_blocks[boot_block_count++] = block;
    }
    block->executed++;
}

static void end_boot(void)
{
    booted = true;
    fprintf(output, "boot %" PRIu64 " %" PRIu64 "\n", boot_kernel, boot_firmware);
    for (size_t i = 0; i < boot_block_count; i++) {
        const struct block *block = boot_blocks[i];
        fprintf(output, "boot-block %" PRIx64 " %" PRIu64 " %" PRIu64 "\n", block->address,
                block->executed, block->length);
    }
    fflush(output);
    for (size_t i = 0; i < boot_block_count; i++)
        boot_blocks[i]->noted = false;
    for (size_t i = 0; i < HARTS; i++)
        harts[i] = (struct hart){.mode = MODE_OUT};
}

static void run_in_boot(struct block *block)
{
    static bool kernel_entered;
    bool user = block->address >= USER_BASE && block->address < FIRMWARE_START;
    if (!kernel_entered && block->address < FIRMWARE_END)
        return; // QEMU's reset code and the firmware, before the kernel
    kernel_entered = true;
    if (user)
        end_boot();
    else if (block->firmware)
        boot_firmware += block->length;
    else {
        boot_kernel += block->length;
        note_boot_block(block);
    }
}

static void run_block(unsigned int index, void *context)
{
    struct hart *hart = &harts[index];
    struct block *block = context;
    if (!booted) {
        run_in_boot(block);
        return;
    }
    if (block->firmware) {
        if (hart->mode == MODE_KERNEL)
            hart->firmware += block->length;
        return;
    }
    if (block->address < KERNEL_HALF) {
        hart->mode = MODE_OUT;
        hart->booted |= block->address < FIRMWARE_START;
        return;
    }
    if (!hart->booted)
        return;
    if (hart->mode == MODE_OUT) {
        hart->mode = MODE_KERNEL;
        hart->kernel = hart->firmware = hart->spin = 0;
        hart->traced = 0;
        hart->held_count = 0;
        hart->first = block;
        hart->outside_lock = block;
    }
    hart->before = hart->kernel;
    // From the first pause on, until the lock functions are left.
    hart->spins = block->in_lock && (block->spins || hart->spins);
    if (hart->spins)
        hart->spin += block->length;
    else
        hart->kernel += block->length;
    if (!block->in_lock)
        hart->outside_lock = block;
    if (hart->traced < TRACE_MAX)
        hart->trace[hart->traced++] = block;
}

static void end_stretch(unsigned int index, void *context)
{
    struct hart *hart = &harts[index];
    (void)context;
    if (!booted || hart->mode != MODE_KERNEL)
        return;
    hart->mode = MODE_OUT;
    stretches++;
    unmatched += hart->held_count;
    if (hart->kernel >= least_described)
        describe(index, NULL, hart->kernel);
}

static void look_for_interrupts(unsigned int index, void *context)
{
    if (harts[index].held_count == 0)
        end_stretch(index, context);
}

static void acquire(unsigned int index, qemu_plugin_meminfo_t access, uint64_t address,
                    void *context)
{
    struct hart *hart = &harts[index];
    const struct point *point = context;
    (void)access;
    // An attempt that failed is followed by another one at the same word.
    uint32_t slot = 0;
    while (slot < hart->held_count && hart->held[slot].word != address)
        slot++;
    if (hart->mode != MODE_KERNEL || slot == HELD_MAX)
        return;
    if (slot == hart->held_count)
        hart->held_count++;
    hart->held[slot] = (struct hold){
        .word = address,
        .kernel = hart->before + point->offset,
        .firmware = hart->firmware,
        .spin = hart->spin,
        .trace = hart->traced > 0 ? hart->traced - 1 : 0,
        .caller = hart->outside_lock,
    };
}

static void release(unsigned int index, qemu_plugin_meminfo_t access, uint64_t address,
                    void *context)
{
    struct hart *hart = &harts[index];
    const struct point *point = context;
    (void)access;
    for (uint32_t i = hart->held_count; i-- > 0;) {
        if (hart->held[i].word != address)
            continue;
        struct hold hold = hart->held[i];
        hart->held[i] = hart->held[--hart->held_count];
        holds++;
        uint64_t length = hart->before + point->offset - hold.kernel;
        if (length >= least_described / 10)
            describe(index, &hold, length);
        return;
    }
}

static void watch_instruction(struct qemu_plugin_insn *instruction, struct block *block,
                              uint64_t offset)
{
    uint64_t address = qemu_plugin_insn_vaddr(instruction);
    bool acquires_lock = contains(acquires, acquire_count, address);
    bool releases_lock = contains(releases, release_count, address);
    if (acquires_lock || releases_lock) {
        struct point *point = malloc(sizeof(*point));
        if (point == NULL)
            abort();
        *point = (struct point){.block = block, .offset = offset, .address = address};
        qemu_plugin_register_vcpu_mem_cb(instruction, acquires_lock ? acquire : release,
                                         CALLBACK_READS_NO_REGISTERS, MEMORY_WRITES, point);
    }
    if (qemu_plugin_insn_size(instruction) != sizeof(uint32_t))
        return;
    uint32_t word;
    memcpy(&word, qemu_plugin_insn_data(instruction), sizeof(word));
    if (word == INSTRUCTION_SRET || word == INSTRUCTION_WFI)
        qemu_plugin_register_vcpu_insn_exec_cb(instruction, end_stretch,
                                               CALLBACK_READS_NO_REGISTERS, NULL);
    if ((word & READ_SIP_MASK) == READ_SIP)
        qemu_plugin_register_vcpu_insn_exec_cb(instruction, look_for_interrupts,
                                               CALLBACK_READS_NO_REGISTERS, NULL);
    block->spins |= word == INSTRUCTION_PAUSE && block->in_lock;
}

static void watch_block(qemu_plugin_id_t plugin, struct qemu_plugin_tb *translated)
{
    (void)plugin;
    struct block *block = calloc(1, sizeof(*block));
    if (block == NULL)
        abort();
    block->address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(translated, 0));
    block->length = qemu_plugin_tb_n_insns(translated);
    block->firmware = block->address >= FIRMWARE_START && block->address < FIRMWARE_END;
    for (size_t i = 0; i < lock_range_count; i++)
        block->in_lock |= block->address >= lock_starts[i] && block->address < lock_ends[i];
    qemu_plugin_register_vcpu_tb_exec_cb(translated, run_block, CALLBACK_READS_NO_REGISTERS, block);
    if (block->address < KERNEL_HALF)
        return;
    for (size_t i = 0; i < block->length; i++)
        watch_instruction(qemu_plugin_tb_get_insn(translated, i), block, i);
}

static void write_findings(qemu_plugin_id_t plugin, void *context)
{
    (void)plugin;
    (void)context;
    fprintf(output, "total %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", stretches, holds, unmatched);
    for (size_t i = 0; i < finding_count; i++) {
        const struct finding *finding = &findings[i];
        fprintf(output, "%s %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIx64 "\n",
                finding->is_hold ? "hold" : "stretch", finding->hart, finding->kernel,
                finding->firmware, finding->spin, finding->address);
        for (size_t j = 0; j < finding->block_count; j++)
            fprintf(output, "block %" PRIx64 " %" PRIu64 " %" PRIu64 "\n",
                    finding->blocks[j].address, finding->blocks[j].times,
                    finding->blocks[j].length);
    }
    fclose(output);
}

static bool read_sites(const char *path)
{
    FILE *file = fopen(path, "r");
    char kind[16];
    uint64_t start;
    if (file == NULL)
        return false;
    while (fscanf(file, "%15s %" SCNx64, kind, &start) == 2) {
        if (strcmp(kind, "acquire") == 0 && acquire_count < SITES_MAX)
            acquires[acquire_count++] = start;
        else if (strcmp(kind, "release") == 0 && release_count < SITES_MAX)
            releases[release_count++] = start;
        else if (strcmp(kind, "lock") == 0 && lock_range_count < SITES_MAX) {
            lock_starts[lock_range_count] = start;
            if (fscanf(file, "%" SCNx64, &lock_ends[lock_range_count++]) != 1)
                break;
        }
    }
    fclose(file);
    return acquire_count > 0 && release_count > 0;
}

int qemu_plugin_install(qemu_plugin_id_t plugin, const struct qemu_info *info, int count,
                        char **arguments)
{
    (void)info;
    for (int i = 0; i < count; i++) {
        const char *value = strchr(arguments[i], '=');
        bool good = value != NULL;
        if (good && strncmp(arguments[i], "out=", 4) == 0)
            good = (output = fopen(value + 1, "w")) != NULL;
        else if (good && strncmp(arguments[i], "sites=", 6) == 0)
            good = read_sites(value + 1);
        else if (good && strncmp(arguments[i], "floor=", 6) == 0)
            least_described = strtoull(value + 1, NULL, 10);
        else
            good = false;
        if (!good) {
            fprintf(stderr, "latency plugin: bad argument %s\n", arguments[i]);
            return -1;
        }
    }
    if (output == NULL || acquire_count == 0) {
        fprintf(stderr, "latency plugin: out= and sites= are needed\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(plugin, watch_block);
    qemu_plugin_register_atexit_cb(plugin, write_findings, NULL);
    return 0;
}
