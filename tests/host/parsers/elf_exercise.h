// SPDX-License-Identifier: Apache-2.0
// Checks a file and, when it is accepted, that the image has every property that elf/elf.h
// promises, and reads every byte of its segments. Used by the mutation test and by the fuzzer. The
// properties are written out again here, byte by byte or page by page where the checker compares
// ranges.
#ifndef PARSERS_ELF_EXERCISE_H
#define PARSERS_ELF_EXERCISE_H

#include <stdlib.h>
#include <string.h>

#include "elf/elf.h"

#define ELF_EXERCISE_LOW  0x10000u
#define ELF_EXERCISE_HIGH 0x30000u

// Keeps the compiler from leaving out reads whose result nobody uses.
static volatile uint64_t elf_exercise_sink;

static inline void elf_exercise_require(bool condition)
{
    if (!condition) {
        abort();
    }
}

// Puts a segment's pages and bytes on the map of the window, where nothing may be already.
static inline void elf_exercise_map(const struct elf_segment *segment, uint8_t *permissions_of_page,
                                    uint8_t *byte_used)
{
    elf_exercise_require(segment->memory_size >= 1 && segment->file_size <= segment->memory_size);
    elf_exercise_require(segment->address >= ELF_EXERCISE_LOW);
    elf_exercise_require(segment->memory_size <= ELF_EXERCISE_HIGH - ELF_EXERCISE_LOW);
    elf_exercise_require(segment->address <= ELF_EXERCISE_HIGH - segment->memory_size);
    elf_exercise_require(segment->address % ELF_PAGE_SIZE == segment->file_offset % ELF_PAGE_SIZE);
    uint32_t allowed = segment->permissions;
    elf_exercise_require(allowed == ELF_READ || allowed == (ELF_READ | ELF_WRITE) ||
                         allowed == ELF_EXECUTE || allowed == (ELF_READ | ELF_EXECUTE));
    for (uint64_t i = 0; i < segment->memory_size; i++) {
        uint64_t at = segment->address + i - ELF_EXERCISE_LOW;
        elf_exercise_require(!byte_used[at]);
        byte_used[at] = 1;
        uint8_t *page = &permissions_of_page[at / ELF_PAGE_SIZE];
        elf_exercise_require(*page == 0 || *page == allowed);
        *page = (uint8_t)allowed;
    }
}

static inline enum elf_refusal elf_exercise(const uint8_t *file, size_t size)
{
    struct elf_image image;
    enum elf_refusal refusal = elf_check(&image, file, size, ELF_EXERCISE_LOW, ELF_EXERCISE_HIGH);
    elf_exercise_require(elf_refusal_text(refusal) != NULL);
    elf_exercise_require((elf_refusal_status(refusal) == NX_OK) == (refusal == ELF_ACCEPTED));
    if (refusal != ELF_ACCEPTED) {
        return refusal;
    }
    static uint8_t permissions_of_page[(ELF_EXERCISE_HIGH - ELF_EXERCISE_LOW) / ELF_PAGE_SIZE];
    static uint8_t byte_used[ELF_EXERCISE_HIGH - ELF_EXERCISE_LOW];
    memset(permissions_of_page, 0, sizeof(permissions_of_page));
    memset(byte_used, 0, sizeof(byte_used));
    elf_exercise_require(image.segment_count >= 1 && image.segment_count <= ELF_MAX_SEGMENTS);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < image.segment_count; i++) {
        const struct elf_segment *segment = &image.segments[i];
        elf_exercise_map(segment, permissions_of_page, byte_used);
        for (uint64_t offset = 0; offset < segment->file_size; offset++) {
            sum += file[segment->file_offset + offset];
        }
    }
    uint64_t entry = image.entry - ELF_EXERCISE_LOW;
    elf_exercise_require(entry % 2 == 0 && entry < sizeof(byte_used) && byte_used[entry] == 1);
    elf_exercise_require((permissions_of_page[entry / ELF_PAGE_SIZE] & ELF_EXECUTE) != 0);
    for (uint64_t i = 0; i < image.tls.file_size; i++) {
        elf_exercise_require(byte_used[image.tls.address + i - ELF_EXERCISE_LOW] == 1);
    }
    elf_exercise_require(image.tls.file_size <= image.tls.memory_size);
    elf_exercise_require(image.tls.alignment >= 1 && image.tls.alignment <= ELF_PAGE_SIZE);
    elf_exercise_sink += sum;
    return refusal;
}

#endif
