// SPDX-License-Identifier: Apache-2.0
// nx hw vblk info: the disk, and what virtioblkd has done with it.
#include "command.h"
#include "nexus/block.h"
#include "nexus/memory.h"
#include "sha256/sha256.h"
#include <inttypes.h>
#include <stdio.h>

// The checksum covers the first page, or the whole of a smaller disk.
#define CHECKED_SECTORS 8u

struct first_bytes {
    uint32_t count;
    char sha256[SHA256_HEX_BYTES];
};

static enum nx_status first_bytes_sum(const struct nx_block_facts *facts, struct first_bytes *first)
{
    struct sha256 hash;
    uint8_t digest[SHA256_BYTES];
    nx_handle memory;
    void *bytes;
    // Reads count in sectors of 512 bytes, the disk's size is in its own: 512 to 4096 bytes each.
    uint32_t unit = facts->sector_size / NX_BLOCK_SECTOR_BYTES;
    uint32_t sectors =
        facts->sectors < CHECKED_SECTORS / unit ? (uint32_t)facts->sectors * unit : CHECKED_SECTORS;

    enum nx_status status = nx_memory_new(NX_PAGE_SIZE, 0, &memory, &bytes);
    if (status != NX_OK) {
        return status;
    }
    status = nx_block_read(0, sectors, memory, 0, NULL);
    first->count = sectors * NX_BLOCK_SECTOR_BYTES;
    sha256_init(&hash);
    sha256_update(&hash, bytes, first->count);
    sha256_final(&hash, digest);
    sha256_hex(digest, first->sha256);
    nx_unmap(bytes);
    nx_handle_drop(memory);
    return status;
}

static void facts_json(struct json *out, const struct nx_block_facts *facts,
                       const struct first_bytes *first)
{
    json_object(out, NULL);
    json_u64(out, "sectors", facts->sectors);
    json_u64(out, "sectorSize", facts->sector_size);
    json_bool(out, "readOnly", facts->read_only);
    json_text(out, "transport", facts->transport == 1 ? "legacy" : "modern");
    json_u64(out, "features", facts->features);
    json_u64(out, "queueSize", facts->queue_size);
    json_u64(out, "mmioBase", facts->mmio_base);
    json_u64(out, "interrupt", facts->interrupt_number);
    json_u64(out, "requests", facts->requests);
    json_u64(out, "completions", facts->completions);
    json_u64(out, "errors", facts->errors);
    json_u64(out, "timeouts", facts->timeouts);
    json_u64(out, "resets", facts->resets);
    json_u64(out, "interrupts", facts->interrupts);
    json_u64(out, "bytesCopied", facts->bytes_copied);
    json_u64(out, "kicks", facts->kicks);
    json_u64(out, "sessions", facts->sessions);
    json_u64(out, "queued", facts->queued);
    json_u64(out, "doorbells", facts->doorbells);
    json_u64(out, "notices", facts->notices);
    json_u64(out, "firstBytes", first->count);
    json_text(out, "firstBytesSha256", first->sha256);
    json_end(out);
}

static void facts_print(const struct nx_block_facts *facts, const struct first_bytes *first)
{
    printf("device      mmio=%#" PRIx64 " irq=%" PRIu32 " transport=%s %s\n", facts->mmio_base,
           facts->interrupt_number, facts->transport == 1 ? "legacy" : "modern",
           facts->read_only ? "read-only" : "writable");
    printf("size        sectors=%" PRIu64 " sector size=%" PRIu32 "\n", facts->sectors,
           facts->sector_size);
    printf("negotiated  features=%#" PRIx64 " queue size=%u\n", facts->features,
           (unsigned)facts->queue_size);
    printf("counters    requests=%" PRIu64 " completions=%" PRIu64 " interrupts=%" PRIu64
           " bytes copied=%" PRIu64 "\n",
           facts->requests, facts->completions, facts->interrupts, facts->bytes_copied);
    printf("queues      sessions=%" PRIu32 " reads=%" PRIu64 " doorbells=%" PRIu64
           " notices=%" PRIu64 " kicks=%" PRIu64 "\n",
           facts->sessions, facts->queued, facts->doorbells, facts->notices, facts->kicks);
    printf("failures    errors=%" PRIu64 " timeouts=%" PRIu64 " resets=%" PRIu64 "\n",
           facts->errors, facts->timeouts, facts->resets);
    printf("first bytes %" PRIu32 " sha256=%s\n", first->count, first->sha256);
    printf("nx: vblk sectors=%" PRIu64 "\n", facts->sectors);
}

int vblk_run(struct invocation *invocation)
{
    struct nx_block_facts facts;
    struct first_bytes first;

    enum nx_status status = nx_block_info(&facts);
    if (status != NX_OK) {
        return command_failed(invocation, "no disk", status);
    }
    status = first_bytes_sum(&facts, &first);
    if (status == NX_OK) {
        status = nx_block_info(&facts); // again: that read is in the counters
    }
    if (status != NX_OK) {
        return command_failed(invocation, "read of the first sectors", status);
    }
    if (invocation->json) {
        facts_json(invocation->out, &facts, &first);
    } else {
        facts_print(&facts, &first);
    }
    return EXIT_OK;
}
