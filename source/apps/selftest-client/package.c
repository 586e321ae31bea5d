// SPDX-License-Identifier: Apache-2.0
// Self-tests of pkg:// and the disk below it: the files are the ones that were packed, a full read
// is one request without a copy, and the block service refuses what it must and goes on.
#include "nexus/block.h"
#include "nexus/memory.h"
#include "nexus/packages.h"
#include "selftest.h"
#include "sha256/sha256.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct fixture_file {
    const char *path; // without the scheme
    uint64_t size;
    const char *sha256;
};

#include "fixture_table.h"

#define FIXTURE_FILES  (sizeof(fixture_files) / sizeof(fixture_files[0]))
#define FIXTURE_NAMES  (sizeof(fixture_names) / sizeof(fixture_names[0]))
#define PATH_BYTES     128u
#define READ_BYTES     ((size_t)NX_BLOCK_READ_SECTORS_MAX * NX_BLOCK_SECTOR_BYTES)
#define MEMORY_BYTES   (2 * READ_BYTES)
#define EROFS_SUPER_AT 1024u
#define EROFS_MAGIC    0xe0f5e1e2u

// ---- Files --------------------------------------------------------------------------------------

static void path_of(const struct fixture_file *file, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, "%s%s", NX_PACKAGE_SCHEME, file->path);
}

static bool digest_matches(struct sha256 *hash, const struct fixture_file *file)
{
    uint8_t digest[SHA256_BYTES];
    char text[SHA256_HEX_BYTES];
    sha256_final(hash, digest);
    sha256_hex(digest, text);
    return memcmp(text, file->sha256, sizeof(text)) == 0;
}

static enum test_outcome file_by_stream(struct test_report *report, const struct fixture_file *file)
{
    char path[PATH_BYTES];
    uint8_t piece[100];
    struct sha256 hash;
    uint64_t size = 0;
    size_t count;

    path_of(file, path);
    FILE *stream = fopen(path, "rb");
    EXPECT(report, stream != NULL, "fopen %s", path);
    sha256_init(&hash);
    while ((count = fread(piece, 1, sizeof(piece), stream)) > 0) {
        sha256_update(&hash, piece, count);
        size += count;
    }
    bool failed = ferror(stream) != 0;
    bool closed = fclose(stream) == 0;
    EXPECT(report, !failed && closed, "fread %s", path);
    EXPECT(report, size == file->size, "%s: %llu bytes of %llu", path, (unsigned long long)size,
           (unsigned long long)file->size);
    EXPECT(report, digest_matches(&hash, file), "%s: fread gave other bytes", path);
    return TEST_PASS;
}

static enum test_outcome file_by_mapping(struct test_report *report,
                                         const struct fixture_file *file)
{
    char path[PATH_BYTES];
    struct sha256 hash;

    if (file->size == 0) {
        return TEST_PASS; // nothing to map
    }
    path_of(file, path);
    int descriptor = open(path, O_RDONLY);
    EXPECT(report, descriptor >= 0, "open %s", path);
    void *bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    (void)close(descriptor);
    EXPECT(report, bytes != MAP_FAILED, "mmap %s", path);
    sha256_init(&hash);
    sha256_update(&hash, bytes, file->size);
    bool same = digest_matches(&hash, file);
    (void)munmap(bytes, file->size);
    EXPECT(report, same, "%s: mmap gave other bytes", path);
    return TEST_PASS;
}

static enum test_outcome directory_lists_all(struct test_report *report)
{
    bool seen[FIXTURE_NAMES] = {false};
    struct dirent *entry;

    DIR *directory = opendir(NX_PACKAGE_SCHEME "fixtures");
    EXPECT(report, directory != NULL, "opendir pkg://fixtures");
    while ((entry = readdir(directory)) != NULL) {
        for (size_t i = 0; i < FIXTURE_NAMES; i++) {
            seen[i] = seen[i] || strcmp(entry->d_name, fixture_names[i]) == 0;
        }
    }
    (void)closedir(directory);
    for (size_t i = 0; i < FIXTURE_NAMES; i++) {
        EXPECT(report, seen[i], "pkg://fixtures has no %s", fixture_names[i]);
    }
    return TEST_PASS;
}

static enum test_outcome files_match(struct test_report *report)
{
    for (size_t i = 0; i < FIXTURE_FILES; i++) {
        enum test_outcome outcome = file_by_stream(report, &fixture_files[i]);
        if (outcome == TEST_PASS) {
            outcome = file_by_mapping(report, &fixture_files[i]);
        }
        if (outcome != TEST_PASS) {
            return outcome;
        }
    }
    EXPECT(report, fopen("pkg://fixtures/no-such-file", "rb") == NULL, "a missing file was opened");
    EXPECT(report, fopen("pkg://fixtures/hello.txt", "wb") == NULL, "a file was opened to write");
    return directory_lists_all(report);
}

enum test_outcome test_package_fixtures(struct test_report *report)
{
    struct nx_package_report package;

    EXPECT_OK(report, nx_package_status(&package));
    if (package.source != NX_PACKAGE_SOURCE_FIXTURES) {
        return TEST_SKIP; // mounted from the disk: test_package_disk speaks
    }
    struct nx_block_facts block;
    EXPECT(report, nx_block_info(&block) != NX_OK, "fixtures mounted although there is a disk");
    return files_match(report);
}

// ---- The block service --------------------------------------------------------------------------

struct block_refusal {
    uint64_t lba; // counted from the end of the disk when `from_end`
    bool from_end;
    uint32_t count;
    uint64_t offset;
};

static const struct block_refusal block_refusals[] = {
    {0, false, 0, 0},                             // no sector
    {0, false, NX_BLOCK_READ_SECTORS_MAX + 1, 0}, // too many
    {0, false, UINT32_MAX, 0},
    {0, true, 1, 0}, // past the end
    {0, true, UINT32_MAX, 0},
    {(uint64_t)-1, true, 2, 0},                            // across the end
    {UINT64_MAX, false, 2, 0},                             // lba + count overflows
    {UINT64_MAX / 512 + 1, false, 1, 0},                   // lba in bytes overflows
    {0, false, 1, MEMORY_BYTES},                           // past the memory object
    {0, false, 2, MEMORY_BYTES - NX_BLOCK_SECTOR_BYTES},   // across its end
    {0, false, 1, UINT64_MAX - NX_BLOCK_SECTOR_BYTES + 1}, // offset + length overflows
};

static enum test_outcome refusals_named(struct test_report *report, nx_handle memory,
                                        uint64_t sectors)
{
    for (size_t i = 0; i < sizeof(block_refusals) / sizeof(block_refusals[0]); i++) {
        const struct block_refusal *row = &block_refusals[i];
        char reason[NX_BLOCK_REASON_BYTES] = "";
        uint64_t lba = row->from_end ? sectors + row->lba : row->lba;
        enum nx_status status = nx_block_read(lba, row->count, memory, row->offset, reason);
        EXPECT(report, status != NX_OK, "read refusal %d was accepted", (int)i);
        EXPECT(report, status != NX_ERR_PEER_CLOSED && status != NX_ERR_IO, "read refusal %d: %s",
               (int)i, nx_status_text(status));
        EXPECT(report, reason[0] != '\0', "read refusal %d has no reason", (int)i);
    }
    return TEST_PASS;
}

// Reads as much as one call may, from the start of the disk, and looks at what that cost.
static enum test_outcome full_read_costs_one_request(struct test_report *report, nx_handle memory,
                                                     const uint8_t *bytes)
{
    struct nx_block_facts before;
    struct nx_block_facts after;
    uint32_t magic;

    EXPECT_OK(report, nx_block_info(&before));
    uint32_t count = before.sectors < NX_BLOCK_READ_SECTORS_MAX ? (uint32_t)before.sectors
                                                                : NX_BLOCK_READ_SECTORS_MAX;
    EXPECT_OK(report, nx_block_read(0, count, memory, READ_BYTES, NULL));
    EXPECT_OK(report, nx_block_info(&after));
    EXPECT(report, count == NX_BLOCK_READ_SECTORS_MAX, "the disk has only %u sectors", count);
    EXPECT(report, after.requests == before.requests + 1, "a read took %llu requests",
           (unsigned long long)(after.requests - before.requests));
    EXPECT(report, after.interrupts <= before.interrupts + 1, "a read took %llu interrupts",
           (unsigned long long)(after.interrupts - before.interrupts));
    EXPECT(report, after.bytes_copied == before.bytes_copied, "the service copied %llu bytes",
           (unsigned long long)(after.bytes_copied - before.bytes_copied));
    memcpy(&magic, bytes + READ_BYTES + EROFS_SUPER_AT, sizeof(magic));
    EXPECT(report, magic == EROFS_MAGIC, "superblock magic %#x", (unsigned)magic);
    for (size_t i = 0; i < READ_BYTES; i++) {
        EXPECT(report, bytes[i] == 0, "byte %d before the target was written", (int)i);
    }
    return TEST_PASS;
}

static enum test_outcome block_service(struct test_report *report)
{
    struct nx_block_facts facts;
    nx_handle memory;
    void *bytes;

    EXPECT_OK(report, nx_block_info(&facts));
    EXPECT(report, facts.read_only, "the disk is writable");
    EXPECT_OK(report, nx_memory_new(MEMORY_BYTES, 0, &memory, &bytes));
    enum test_outcome outcome = full_read_costs_one_request(report, memory, bytes);
    if (outcome == TEST_PASS) {
        outcome = refusals_named(report, memory, facts.sectors);
    }
    if (outcome == TEST_PASS) { // and the service goes on
        outcome = full_read_costs_one_request(report, memory, bytes);
    }
    nx_unmap(bytes);
    nx_handle_drop(memory);
    return outcome;
}

// Whoever has a file's memory cannot change it, neither by himself nor through the disk.
static enum test_outcome file_takes_no_writes(struct test_report *report)
{
    struct nx_package_file *file;
    struct nx_block_queue queue;
    nx_handle memory;
    nx_handle copy;
    uint32_t slot;
    void *bytes;

    EXPECT_OK(report, nx_package_open("fixtures/hello.txt", &file));
    EXPECT_OK(report, nx_package_memory(file, &memory));
    EXPECT_OK(report, nx_handle_duplicate(memory, UINT32_MAX, 0, &copy));
    nx_package_close(file);
    enum nx_status mapped = nx_map(copy, 0, NX_PAGE_SIZE, NX_PROT_READ | NX_PROT_WRITE, &bytes);
    enum nx_status read = nx_block_read(0, 1, copy, 0, NULL);
    EXPECT_OK(report, nx_block_queue_open(&queue, NX_HANDLE_NONE, 0));
    enum nx_status attached = nx_block_queue_attach(&queue, copy, &slot);
    nx_block_queue_close(&queue);
    nx_handle_drop(copy);
    EXPECT(report, mapped == NX_ERR_ACCESS_DENIED, "map to write: %s", nx_status_text(mapped));
    EXPECT(report, read == NX_ERR_ACCESS_DENIED, "read from disk: %s", nx_status_text(read));
    EXPECT(report, attached == NX_ERR_ACCESS_DENIED, "attach: %s", nx_status_text(attached));
    return TEST_PASS;
}

enum test_outcome test_package_disk(struct test_report *report)
{
    struct nx_package_report package;

    EXPECT_OK(report, nx_package_status(&package));
    if (package.source == NX_PACKAGE_SOURCE_FIXTURES) {
        return TEST_SKIP; // test_package_fixtures speaks
    }
    EXPECT(report, package.source == NX_PACKAGE_SOURCE_VIRTIO_BLK, "source %d",
           (int)package.source);
    EXPECT(report, package.verified_blocks > 0, "no block was verified");
    EXPECT(report, package.hash_errors == 0, "%d blocks are wrong", (int)package.hash_errors);
    EXPECT(report, package.image_version > 0, "the image has no version");
    enum test_outcome outcome = file_takes_no_writes(report);
    if (outcome == TEST_PASS) { // and holds what it should
        outcome = files_match(report);
    }
    return outcome == TEST_PASS ? block_service(report) : outcome;
}
