// SPDX-License-Identifier: Apache-2.0
// EROFS reader against images by mkfs.erofs: every name, attribute and byte equals the source
// tree's. usage: test_erofs_images PYTHON MAKE_IMAGES_PY
#define _GNU_SOURCE

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "erofs/erofs_walk.h"
#include "erofs/workspace.h"

#define MTIME UINT64_C(1704067200) // as make_images.py passes it to mkfs.erofs

struct mounted {
    struct memory_image image;
    uint8_t *bytes;
    struct erofs fs;
    // Seen while comparing.
    unsigned int files;
    unsigned int compressed;
    unsigned int extents[3]; // by kind
};

static struct mounted image_mount(const char *name)
{
    struct mounted mounted = {0};
    enum erofs_refusal refusal;
    char *path = workspace_path(name);

    mounted.bytes = file_load(path, &mounted.image.size);
    mounted.image.bytes = mounted.bytes;
    mounted.image.reads_left = UINT64_MAX;
    struct erofs_source source = memory_image_source(&mounted.image);
    assert_int_equal(erofs_mount(&mounted.fs, &source, &refusal), NX_OK);
    assert_int_equal(refusal, EROFS_REFUSAL_NONE);
    free(path);
    return mounted;
}

// The context pointer inside the file system follows the struct to where it lives.
#define MOUNT(variable, name)                                                                      \
    struct mounted variable = image_mount(name);                                                   \
    variable.fs.source.context = &variable.image

static enum nx_status resolve(const struct mounted *mounted, const char *path,
                              struct erofs_inode *inode)
{
    return erofs_resolve(&mounted->fs, path, strlen(path), EROFS_FOLLOW_FINAL, inode);
}

static void content_compare(struct mounted *mounted, const struct erofs_inode *inode,
                            const uint8_t *expected, size_t size)
{
    static const size_t pieces[] = {1 << 20, 4096, 1000, 7};
    uint8_t *buffer = malloc(size + 16);
    size_t got;

    assert_non_null(buffer);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        if (pieces[i] == 7 && size > 20000) {
            continue;
        }
        for (size_t offset = 0; offset < size; offset += got) {
            assert_int_equal(
                erofs_read(&mounted->fs, inode, offset, buffer + offset, pieces[i], &got), NX_OK);
            assert_int_equal(got, size - offset < pieces[i] ? size - offset : pieces[i]);
        }
        assert_memory_equal(buffer, expected, size);
        memset(buffer, 0xee, size);
    }
    assert_int_equal(erofs_read(&mounted->fs, inode, size, buffer, 16, &got), NX_OK);
    assert_int_equal(got, 0);
    free(buffer);
}

// The bytes that erofs_map points at are the file's, without any help of erofs_read.
static void extents_compare(struct mounted *mounted, const struct erofs_inode *inode,
                            const uint8_t *expected)
{
    struct erofs_extent extent;
    uint64_t offset = 0;

    while (offset < inode->size) {
        assert_int_equal(erofs_map(&mounted->fs, inode, offset, &extent), NX_OK);
        mounted->extents[extent.kind]++;
        if (extent.kind != EROFS_EXTENT_HOLE) {
            assert_memory_equal(mounted->bytes + extent.image_offset, expected + offset,
                                extent.length);
        }
        offset += extent.length;
    }
    assert_int_equal(offset, inode->size);
    assert_int_equal(erofs_map(&mounted->fs, inode, offset, &extent), NX_ERR_OUT_OF_RANGE);
}

static void file_compare(struct mounted *mounted, const char *host_path,
                         const struct erofs_inode *inode)
{
    size_t size;

    mounted->files++;
    if (erofs_inode_refusal(inode) == EROFS_REFUSAL_COMPRESSED) {
        uint8_t byte;
        mounted->compressed++;
        assert_int_equal(erofs_read(&mounted->fs, inode, 0, &byte, 1, &size), NX_ERR_UNSUPPORTED);
        assert_int_equal(size, 0);
        return;
    }
    uint8_t *expected = file_load(host_path, &size);
    assert_int_equal(inode->size, size);
    content_compare(mounted, inode, expected, size);
    extents_compare(mounted, inode, expected);
    free(expected);
}

static enum erofs_type type_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return EROFS_TYPE_FILE;
    case S_IFDIR:
        return EROFS_TYPE_DIRECTORY;
    case S_IFLNK:
        return EROFS_TYPE_SYMLINK;
    case S_IFIFO:
        return EROFS_TYPE_FIFO;
    default:
        return EROFS_TYPE_UNKNOWN;
    }
}

static void link_compare(struct mounted *mounted, const char *host_path,
                         const struct erofs_inode *inode)
{
    char expected[EROFS_PATH_MAX + 1];
    char target[EROFS_PATH_MAX];
    size_t length;
    ssize_t expected_length = readlink(host_path, expected, sizeof(expected));

    assert_int_equal(erofs_readlink(&mounted->fs, inode, target, sizeof(target), &length), NX_OK);
    assert_int_equal(length, expected_length);
    assert_memory_equal(target, expected, length);
    assert_int_equal(erofs_readlink(&mounted->fs, inode, target, length - 1, &length),
                     NX_ERR_TOO_LARGE);
}

static int names_compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

// All names of a host directory, "." and ".." included, sorted as bytes. The caller frees them.
static char **host_names(const char *path, size_t *count)
{
    char **names = NULL;
    DIR *directory = opendir(path);
    struct dirent *entry;

    assert_non_null(directory);
    *count = 0;
    while ((entry = readdir(directory)) != NULL) {
        names = reallocarray(names, *count + 1, sizeof(*names));
        assert_non_null(names);
        names[(*count)++] = strdup(entry->d_name);
    }
    closedir(directory);
    qsort(names, *count, sizeof(*names), names_compare);
    return names;
}

static void tree_compare(struct mounted *mounted, const char *host_path,
                         const struct erofs_inode *directory);

static void entry_compare(struct mounted *mounted, const char *host_directory,
                          const struct erofs_entry *entry)
{
    struct erofs_inode inode;
    struct stat info;
    char *host_path;

    assert_true(asprintf(&host_path, "%s/%s", host_directory, entry->name) > 0);
    assert_int_equal(lstat(host_path, &info), 0);
    assert_int_equal(erofs_inode_load(&mounted->fs, entry->nid, &inode), NX_OK);
    assert_int_equal(inode.mode, info.st_mode);
    assert_int_equal(inode.type, type_of(info.st_mode));
    assert_int_equal(inode.type, entry->type);
    assert_int_equal(inode.mtime, MTIME);
    assert_int_equal(inode.uid, 0);
    if (inode.type == EROFS_TYPE_FILE) {
        assert_int_equal(inode.nlink, info.st_nlink);
        assert_int_equal(inode.size, info.st_size);
        file_compare(mounted, host_path, &inode);
    } else if (inode.type == EROFS_TYPE_SYMLINK) {
        link_compare(mounted, host_path, &inode);
    } else if (inode.type == EROFS_TYPE_DIRECTORY && strcmp(entry->name, ".") != 0 &&
               strcmp(entry->name, "..") != 0) {
        tree_compare(mounted, host_path, &inode);
    }
    free(host_path);
}

static void tree_compare(struct mounted *mounted, const char *host_path,
                         const struct erofs_inode *directory)
{
    size_t count;
    char **names = host_names(host_path, &count);
    struct erofs_entry entry;
    struct erofs_entry found;
    uint64_t cookie = 0;

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(erofs_directory_next(&mounted->fs, directory, &cookie, &entry), NX_OK);
        assert_string_equal(entry.name, names[i]);
        assert_int_equal(
            erofs_directory_lookup(&mounted->fs, directory, names[i], strlen(names[i]), &found),
            NX_OK);
        assert_int_equal(found.nid, entry.nid);
        assert_int_equal(found.type, entry.type);
        // The root's ".." is the root; the host's root has another parent.
        if (strcmp(entry.name, "..") != 0) {
            entry_compare(mounted, host_path, &entry);
        }
        free(names[i]);
    }
    assert_int_equal(erofs_directory_next(&mounted->fs, directory, &cookie, &entry),
                     NX_ERR_NOT_FOUND);
    free(names);
}

static struct mounted image_compare(const char *name, const char *tree)
{
    MOUNT(mounted, name);
    struct erofs_inode root;
    char *host_path = workspace_path(tree);

    assert_int_equal(mounted.fs.size, mounted.image.size);
    assert_int_equal(resolve(&mounted, "", &root), NX_OK);
    tree_compare(&mounted, host_path, &root);
    free(host_path);
    free(mounted.bytes);
    return mounted;
}

static void test_compact_inodes_with_inline_tails_equal_the_tree(void **state)
{
    (void)state;
    struct mounted seen = image_compare("compact.img", "tree");
    assert_true(seen.files > 50);
    assert_int_equal(seen.compressed, 0);
    assert_true(seen.extents[EROFS_EXTENT_INLINE] > 20);
    assert_true(seen.extents[EROFS_EXTENT_DEVICE] > 20);
}

static void test_extended_inodes_equal_the_tree(void **state)
{
    (void)state;
    struct mounted seen = image_compare("extended.img", "tree");
    assert_true(seen.extents[EROFS_EXTENT_INLINE] > 20);
}

static void test_image_without_inline_data_equals_the_tree(void **state)
{
    (void)state;
    struct mounted seen = image_compare("noinline.img", "tree");
    assert_int_equal(seen.extents[EROFS_EXTENT_INLINE], 0);
    // Every file that is not empty is one run.
    assert_true(seen.extents[EROFS_EXTENT_DEVICE] <= seen.files);
}

static void test_chunks_with_block_map_equal_the_tree(void **state)
{
    (void)state;
    struct mounted seen = image_compare("blockmap.img", "tree");
    assert_true(seen.extents[EROFS_EXTENT_DEVICE] > seen.files); // the sparse file is scattered
}

static void test_chunks_with_indexes_equal_the_tree(void **state)
{
    (void)state;
    struct mounted seen = image_compare("indexes.img", "tree");
    assert_true(seen.extents[EROFS_EXTENT_DEVICE] > seen.files);
}

static void test_compressed_files_are_refused_and_the_others_are_read(void **state)
{
    (void)state;
    struct mounted seen = image_compare("compressed.img", "tree");
    assert_true(seen.compressed > 0);
    assert_true(seen.compressed < seen.files);
    assert_string_equal(erofs_refusal_name(EROFS_REFUSAL_COMPRESSED), "compressed");
}

static void test_directory_of_10000_entries_equals_the_tree(void **state)
{
    (void)state;
    struct mounted seen = image_compare("many.img", "many");
    assert_int_equal(seen.files, 10000);
}

static void test_lookup_in_10000_entries_reads_little(void **state)
{
    (void)state;
    MOUNT(mounted, "many.img");
    struct erofs_inode inode;

    mounted.image.reads_left = 64; // 16 steps of a binary search, at most 3 reads each, and slack
    assert_int_equal(resolve(&mounted, "entry-7777", &inode), NX_OK);
    mounted.image.reads_left = 64;
    assert_int_equal(resolve(&mounted, "entry-77777", &inode), NX_ERR_NOT_FOUND);
    free(mounted.bytes);
}

static void test_missing_names_are_not_found(void **state)
{
    (void)state;
    static const char *const missing[] = {
        "nothing",         "sizes/",      "sizes/size-",    "sizes/size-00",
        "sizes/size-5121", "names/A",     "names/\377\377", "names/\001",
        "names/zz",        "level0/leaf", "links/dangling", "a/b/c",
    };
    MOUNT(mounted, "compact.img");
    struct erofs_inode inode;

    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        enum nx_status expected = strcmp(missing[i], "sizes/") == 0 ? NX_OK : NX_ERR_NOT_FOUND;
        assert_int_equal(resolve(&mounted, missing[i], &inode), expected);
    }
    free(mounted.bytes);
}

static void test_paths_and_links_resolve_as_posix_says(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum nx_status status;
        uint64_t size; // of the file it ends at, or 0
    } cases[] = {
        {"sizes/size-513", NX_OK, 513},
        {"/sizes/size-513", NX_OK, 513},
        {"//sizes///./size-513", NX_OK, 513},
        {"sizes/../sizes/size-513", NX_OK, 513},
        {"../../sizes/size-513", NX_OK, 513},
        {"links/relative", NX_OK, 11},
        {"links/absolute", NX_OK, 513},
        {"links/up", NX_OK, 1},
        {"links/above-root", NX_OK, 2},
        {"links/to-link", NX_OK, 11},
        {"links/long", NX_OK, 11},
        {"links/slashed/size-31", NX_OK, 31},
        {"links/root/sizes/size-31", NX_OK, 31},
        {"links/root/../links/root/sizes/size-31", NX_OK, 31},
        {"links/chain1", NX_OK, 13},
        {"links/chain0", NX_ERR_TOO_LARGE, 0},
        {"links/loop", NX_ERR_TOO_LARGE, 0},
        {"links/ping", NX_ERR_TOO_LARGE, 0},
        {"links/ping/x", NX_ERR_TOO_LARGE, 0},
        {"links/slashed-file", NX_ERR_NOT_DIRECTORY, 0},
        {"links/relative/", NX_ERR_NOT_DIRECTORY, 0},
        {"sizes/size-513/", NX_ERR_NOT_DIRECTORY, 0},
        {"sizes/size-513/x", NX_ERR_NOT_DIRECTORY, 0},
        {"sizes/size-513/..", NX_ERR_NOT_DIRECTORY, 0},
        {"links/dangling", NX_ERR_NOT_FOUND, 0},
    };
    MOUNT(mounted, "compact.img");
    struct erofs_inode inode;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum nx_status status = resolve(&mounted, cases[i].path, &inode);
        if (status != cases[i].status || (status == NX_OK && inode.size != cases[i].size)) {
            fail_msg("%s: status %d", cases[i].path, (int)status);
        }
    }
    free(mounted.bytes);
}

static void test_final_link_is_kept_on_request(void **state)
{
    (void)state;
    MOUNT(mounted, "compact.img");
    struct erofs_inode inode;

    assert_int_equal(erofs_resolve(&mounted.fs, "links/loop", 10, EROFS_KEEP_FINAL, &inode), NX_OK);
    assert_int_equal(inode.type, EROFS_TYPE_SYMLINK);
    assert_int_equal(
        erofs_resolve(&mounted.fs, "links/to-directory/", 19, EROFS_KEEP_FINAL, &inode), NX_OK);
    assert_int_equal(inode.type, EROFS_TYPE_DIRECTORY);
    assert_int_equal(erofs_resolve(&mounted.fs, "links/to-link/x", 15, EROFS_KEEP_FINAL, &inode),
                     NX_ERR_NOT_DIRECTORY);
    free(mounted.bytes);
}

static void test_impossible_paths_are_refused(void **state)
{
    (void)state;
    MOUNT(mounted, "compact.img");
    struct erofs_inode inode;
    char path[EROFS_PATH_MAX + 1];

    memset(path, 'x', sizeof(path));
    assert_int_equal(erofs_resolve(&mounted.fs, path, 256, EROFS_FOLLOW_FINAL, &inode),
                     NX_ERR_NAME_TOO_LONG);
    memset(path, '/', sizeof(path));
    assert_int_equal(erofs_resolve(&mounted.fs, path, EROFS_PATH_MAX, EROFS_FOLLOW_FINAL, &inode),
                     NX_OK);
    assert_int_equal(
        erofs_resolve(&mounted.fs, path, EROFS_PATH_MAX + 1, EROFS_FOLLOW_FINAL, &inode),
        NX_ERR_NAME_TOO_LONG);
    assert_int_equal(erofs_resolve(&mounted.fs, "a\0b", 3, EROFS_FOLLOW_FINAL, &inode),
                     NX_ERR_INVALID_ARGUMENT);
    free(mounted.bytes);
}

static void test_deep_path_resolves_and_climbs_back(void **state)
{
    (void)state;
    MOUNT(mounted, "extended.img");
    struct erofs_inode inode;
    struct erofs_inode root;
    char path[1024] = "";

    for (int level = 0; level < 40; level++) {
        char name[32];
        snprintf(name, sizeof(name), "level%d/", level);
        strcat(path, name);
    }
    strcat(path, "leaf");
    assert_int_equal(resolve(&mounted, path, &inode), NX_OK);
    assert_int_equal(inode.size, 10);

    path[strlen(path) - 4] = '\0';
    for (int level = 0; level < 45; level++) {
        strcat(path, "../");
    }
    assert_int_equal(resolve(&mounted, path, &inode), NX_OK);
    assert_int_equal(resolve(&mounted, "/", &root), NX_OK);
    assert_int_equal(inode.nid, root.nid);
    free(mounted.bytes);
}

static void test_hard_links_are_one_inode(void **state)
{
    (void)state;
    MOUNT(mounted, "compact.img");
    struct erofs_inode one;
    struct erofs_inode two;

    assert_int_equal(resolve(&mounted, "hard/one", &one), NX_OK);
    assert_int_equal(resolve(&mounted, "hard/two", &two), NX_OK);
    assert_int_equal(one.nid, two.nid);
    assert_int_equal(one.nlink, 3);
    free(mounted.bytes);
}

static void test_wrong_types_are_named(void **state)
{
    (void)state;
    MOUNT(mounted, "compact.img");
    struct erofs_inode inode;
    struct erofs_entry entry;
    struct erofs_extent extent;
    uint64_t cookie = 0;
    char buffer[8];
    size_t got;

    assert_int_equal(resolve(&mounted, "sizes", &inode), NX_OK);
    assert_int_equal(erofs_read(&mounted.fs, &inode, 0, buffer, 8, &got), NX_ERR_IS_DIRECTORY);
    assert_int_equal(erofs_readlink(&mounted.fs, &inode, buffer, 8, &got), NX_ERR_WRONG_TYPE);
    cookie = 5;
    assert_int_equal(erofs_directory_next(&mounted.fs, &inode, &cookie, &entry),
                     NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(erofs_directory_lookup(&mounted.fs, &inode, "a/b", 3, &entry),
                     NX_ERR_INVALID_ARGUMENT);
    assert_int_equal(resolve(&mounted, "fifo", &inode), NX_OK);
    assert_int_equal(erofs_read(&mounted.fs, &inode, 0, buffer, 8, &got), NX_ERR_WRONG_TYPE);
    assert_int_equal(erofs_map(&mounted.fs, &inode, 0, &extent), NX_ERR_UNSUPPORTED);
    assert_int_equal(resolve(&mounted, "sizes/size-1", &inode), NX_OK);
    assert_int_equal(erofs_directory_lookup(&mounted.fs, &inode, "x", 1, &entry),
                     NX_ERR_NOT_DIRECTORY);
    cookie = 0;
    assert_int_equal(erofs_directory_next(&mounted.fs, &inode, &cookie, &entry),
                     NX_ERR_NOT_DIRECTORY);
    assert_int_equal(erofs_inode_load(&mounted.fs, UINT64_MAX, &inode), NX_ERR_OUT_OF_RANGE);
    free(mounted.bytes);
}

static void test_bytes_after_the_file_system_are_not_part_of_it(void **state)
{
    (void)state;
    MOUNT(plain, "compact.img");
    size_t size = plain.image.size;
    uint8_t *longer = malloc(size + 8192);
    struct erofs fs;
    enum erofs_refusal refusal;

    assert_non_null(longer);
    memcpy(longer, plain.bytes, size);
    memset(longer + size, 0xa5, 8192);
    struct memory_image image = {.bytes = longer, .size = size + 8192, .reads_left = UINT64_MAX};
    struct erofs_source source = memory_image_source(&image);
    assert_int_equal(erofs_mount(&fs, &source, &refusal), NX_OK);
    assert_int_equal(fs.size, size);
    free(longer);
    free(plain.bytes);
}

static void test_source_errors_come_through_at_every_read(void **state)
{
    (void)state;
    MOUNT(mounted, "compact.img");
    struct erofs_source source = mounted.fs.source;
    enum nx_status status = NX_ERR_IO;
    uint64_t reads = 0;

    for (; status != NX_OK; reads++) {
        struct erofs fs;
        struct erofs_inode inode;
        enum erofs_refusal refusal;
        uint8_t byte;
        size_t got;

        mounted.image.reads_left = reads;
        status = erofs_mount(&fs, &source, &refusal);
        if (status == NX_OK) {
            status = erofs_resolve(&fs, "links/up", 8, EROFS_FOLLOW_FINAL, &inode);
        }
        if (status == NX_OK) {
            status = erofs_read(&fs, &inode, 0, &byte, 1, &got);
        }
        assert_true(status == NX_OK || status == NX_ERR_IO);
        assert_true(reads < 200);
    }
    assert_true(reads > 20);
    free(mounted.bytes);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compact_inodes_with_inline_tails_equal_the_tree),
        cmocka_unit_test(test_extended_inodes_equal_the_tree),
        cmocka_unit_test(test_image_without_inline_data_equals_the_tree),
        cmocka_unit_test(test_chunks_with_block_map_equal_the_tree),
        cmocka_unit_test(test_chunks_with_indexes_equal_the_tree),
        cmocka_unit_test(test_compressed_files_are_refused_and_the_others_are_read),
        cmocka_unit_test(test_directory_of_10000_entries_equals_the_tree),
        cmocka_unit_test(test_lookup_in_10000_entries_reads_little),
        cmocka_unit_test(test_missing_names_are_not_found),
        cmocka_unit_test(test_paths_and_links_resolve_as_posix_says),
        cmocka_unit_test(test_final_link_is_kept_on_request),
        cmocka_unit_test(test_impossible_paths_are_refused),
        cmocka_unit_test(test_deep_path_resolves_and_climbs_back),
        cmocka_unit_test(test_hard_links_are_one_inode),
        cmocka_unit_test(test_wrong_types_are_named),
        cmocka_unit_test(test_bytes_after_the_file_system_are_not_part_of_it),
        cmocka_unit_test(test_source_errors_come_through_at_every_read),
    };

    if (argc != 3) {
        fprintf(stderr, "usage: %s PYTHON MAKE_IMAGES_PY\n", argv[0]);
        return 2;
    }
    if (workspace_make(argv[1], argv[2], "all") != 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests_name("erofs images", tests, NULL, NULL);
    workspace_remove();
    return failed;
}
