// SPDX-License-Identifier: Apache-2.0
// Opening the image: the disk with its signature, or the fixtures.
#include "image_open.h"
#include "nexus/log.h"
#include "nexus/mark.h"
#include "nexus/process.h"
#include "window.h"
#include <string.h>

// ---- The disk -----------------------------------------------------------------------------------

static enum nx_status disk_size(uint64_t *bytes)
{
    struct nx_block_facts facts;
    enum nx_status status = nx_block_info(&facts);

    if (status != NX_OK) {
        return status;
    }
    // The sizes come from a device: sector sizes that no block is a multiple of are refused.
    if (facts.sector_size < NX_BLOCK_SECTOR_BYTES || VERITY_BLOCK_BYTES % facts.sector_size != 0 ||
        facts.sectors > UINT64_MAX / facts.sector_size) {
        return NX_ERR_UNSUPPORTED;
    }
    *bytes = facts.sectors * facts.sector_size;
    return NX_OK;
}

// In one piece where the machine has one, so that a transfer is one run of addresses.
static enum nx_status staging_create(struct image *image)
{
    void *address;
    enum nx_status status =
        memory_new_present(IMAGE_TRANSFER_BYTES, NX_MEMORY_CONTIGUOUS, &image->staging, &address);
    if (status == NX_ERR_NO_MEMORY) {
        status = memory_new_present(IMAGE_TRANSFER_BYTES, 0, &image->staging, &address);
    }
    image->staged = address;
    return status;
}

static enum nx_status trust_load(struct verity_trust *trust)
{
    nx_handle memory = nx_start_handle(NX_START_TRUST);
    uint64_t length = nx_start()->trust_bytes;
    void *text;

    if (memory == NX_HANDLE_NONE || length == 0) {
        return NX_ERR_NOT_FOUND;
    }
    enum nx_status status = nx_map(memory, 0, NX_PAGE_ROUND_UP(length), NX_PROT_READ, &text);
    if (status == NX_OK) {
        status = verity_trust_parse(text, length, trust);
        nx_unmap(text);
    }
    return status;
}

static enum nx_status refused_status(enum verity_refusal refusal)
{
    static const enum nx_status table[] = {
        [VERITY_ACCEPTED] = NX_OK,
        [VERITY_REFUSED_SIGNATURE] = NX_ERR_ACCESS_DENIED,
        [VERITY_REFUSED_VERSION] = NX_ERR_UNSUPPORTED,
        [VERITY_REFUSED_TRUNCATED] = NX_ERR_TRUNCATED,
        [VERITY_REFUSED_FORMAT] = NX_ERR_BAD_FORMAT,
        [VERITY_REFUSED_HASH] = NX_ERR_HASH,
    };
    return table[refusal];
}

// Judges the footer, or what there is in its place.
static enum nx_status footer_judge(struct image *image, uint64_t disk_bytes,
                                   const struct verity_trust *trust, struct image_refusal *refusal)
{
    uint8_t *block = image->private;
    enum verity_refusal verdict = VERITY_REFUSED_TRUNCATED;

    refusal->detail = "size";
    if (disk_bytes % VERITY_BLOCK_BYTES == 0 && disk_bytes >= 2 * VERITY_BLOCK_BYTES) {
        refusal->detail = "footer";
        enum nx_status status =
            image_fetch_raw(image, disk_bytes - VERITY_BLOCK_BYTES, VERITY_BLOCK_BYTES, block);
        if (status == NX_OK && !verity_footer_is_there(block)) {
            status = image_fetch_raw(image, 0, VERITY_BLOCK_BYTES, block);
            verdict = verity_footer_missing(block, disk_bytes, &refusal->detail);
        } else if (status == NX_OK) {
            NX_MARK(NX_MARK_CHECK_BEGIN);
            verdict =
                verity_footer_check(block, disk_bytes, trust, &image->signed_, &refusal->detail);
            NX_MARK(NX_MARK_CHECK_END);
        }
        if (status != NX_OK) {
            return status;
        }
    }
    if (verdict != VERITY_ACCEPTED) {
        refusal->reason = verity_refusal_name(verdict);
    }
    return refused_status(verdict);
}

static enum nx_status tree_block_read(void *context, uint64_t offset, void *block)
{
    return image_fetch_raw(context, offset, VERITY_BLOCK_BYTES, block);
}

static enum nx_status disk_open(struct image *image, struct image_refusal *refusal)
{
    const struct verity_source source = {.read = tree_block_read, .context = image};
    struct verity_trust trust;
    uint64_t disk_bytes = 0;

    image->source = PACKAGE_FS_SOURCE_VIRTIO_BLK;
    image->unit = VERITY_BLOCK_BYTES;
    refusal->detail = "trust";
    enum nx_status status = trust_load(&trust);
    if (status == NX_OK) {
        refusal->detail = "disk";
        status = disk_size(&disk_bytes);
    }
    if (status == NX_OK) {
        status = staging_create(image);
    }
    if (status == NX_OK) {
        status = footer_judge(image, disk_bytes, &trust, refusal);
    }
    if (status == NX_OK) {
        image->size = image->signed_.data_bytes;
        hash_team_init(&image->team, nx_start()->hart_count);
        refusal->detail = "tree-superblock";
        status =
            verity_tree_open(image->tree, &image->signed_, &source, nx_start()->hart_extensions);
        refusal->reason = image_fault_name(status);
    }
    return status;
}

// ---- The fixtures -------------------------------------------------------------------------------

static enum nx_status fixtures_open(struct image *image)
{
    const struct nx_start_info *start = nx_start();
    nx_handle fixtures = nx_start_handle(NX_START_FIXTURES);
    uint64_t skip = start->fixtures_offset % NX_PAGE_SIZE;
    void *address;

    if (fixtures == NX_HANDLE_NONE || start->fixtures_bytes == 0) {
        return NX_ERR_NOT_FOUND;
    }
    enum nx_status status =
        nx_map(fixtures, start->fixtures_offset - skip,
               NX_PAGE_ROUND_UP(skip + start->fixtures_bytes), NX_PROT_READ, &address);
    if (status == NX_OK) {
        image->source = PACKAGE_FS_SOURCE_FIXTURES;
        image->unit = 1;
        image->size = start->fixtures_bytes;
        image->content = (const uint8_t *)address + skip;
    }
    return status;
}

// ---- Opening ------------------------------------------------------------------------------------

enum nx_status image_open(struct image *image, struct image_refusal *refusal)
{
    void *private;
    void *cache;

    *refusal = (struct image_refusal){.detail = "memory"};
    enum nx_status status =
        memory_new_present(IMAGE_TRANSFER_BYTES + sizeof(*image->tree), 0, NULL, &private);
    if (status == NX_OK) {
        image->private = private;
        image->tree = (struct verity_tree *)(void *)(image->private + IMAGE_TRANSFER_BYTES);
        status = memory_new_present(BLOCK_CACHE_BYTES, 0, NULL, &cache);
    }
    if (status != NX_OK) {
        return status;
    }
    if (nx_start_handle(NX_START_BLOCK) != NX_HANDLE_NONE) {
        status = disk_open(image, refusal);
    } else {
        refusal->detail = "fixtures";
        status = fixtures_open(image);
    }
    if (status == NX_OK) {
        block_cache_init(&image->cache, cache, image->size, image_cache_fill, image_cache_check,
                         image);
    }
    return status;
}
