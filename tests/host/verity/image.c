// SPDX-License-Identifier: Apache-2.0
// A signed image in memory, and its reader.
#include "image.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *file_load(const char *path, uint64_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    *size = (uint64_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size);
    if (bytes == NULL || fread(bytes, 1, *size, file) != *size) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    return bytes;
}

struct memory_image image_load(const char *path)
{
    struct memory_image image = {.failing = UINT64_MAX};
    image.bytes = file_load(path, &image.size);
    return image;
}

struct verity_trust trust_load(const char *path)
{
    struct verity_trust trust;
    uint64_t size;
    uint8_t *text = file_load(path, &size);
    if (verity_trust_parse((const char *)text, size, &trust) != NX_OK) {
        fprintf(stderr, "%s: no trust\n", path);
        exit(EXIT_FAILURE);
    }
    free(text);
    return trust;
}

static enum nx_status block_read(void *context, uint64_t offset, void *block)
{
    const struct memory_image *image = context;
    if (offset > image->size || image->size - offset < VERITY_BLOCK_BYTES ||
        offset == image->failing) {
        return NX_ERR_IO;
    }
    memcpy(block, image->bytes + offset, VERITY_BLOCK_BYTES);
    return NX_OK;
}

struct verity_source image_source(const struct memory_image *image)
{
    return (struct verity_source){.read = block_read, .context = (void *)(uintptr_t)image};
}

struct verdict image_read_all(const struct memory_image *image, const struct verity_trust *trust,
                              const uint8_t *original)
{
    static struct verity_tree tree; // large
    struct verdict verdict = {.refusal = VERITY_REFUSED_TRUNCATED, .detail = "too-small"};
    struct verity_image facts;
    const struct verity_source source = image_source(image);

    if (image->size < 2 * VERITY_BLOCK_BYTES || image->size % VERITY_BLOCK_BYTES != 0) {
        return verdict;
    }
    const uint8_t *footer = image->bytes + image->size - VERITY_BLOCK_BYTES;
    verdict.refusal = verity_footer_is_there(footer)
                          ? verity_footer_check(footer, image->size, trust, &facts, &verdict.detail)
                          : verity_footer_missing(image->bytes, image->size, &verdict.detail);
    if (verdict.refusal != VERITY_ACCEPTED) {
        return verdict;
    }
    if (verity_tree_open(&tree, &facts, &source, 0) != NX_OK) {
        verdict.refusal = VERITY_REFUSED_FORMAT;
        verdict.detail = "tree-superblock";
        return verdict;
    }
    for (uint64_t block = 0; block < facts.data_bytes / VERITY_BLOCK_BYTES; block++) {
        uint64_t offset = block * VERITY_BLOCK_BYTES;
        _Alignas(uint64_t) uint8_t bytes[VERITY_BLOCK_BYTES];
        if (block_read((void *)(uintptr_t)image, offset, bytes) != NX_OK ||
            verity_tree_check(&tree, block, bytes) != NX_OK) {
            verdict.errors++;
            continue;
        }
        verdict.good++;
        verdict.wrong += memcmp(bytes, original + offset, sizeof(bytes)) != 0;
    }
    return verdict;
}
