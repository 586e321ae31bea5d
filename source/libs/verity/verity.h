// SPDX-License-Identifier: Apache-2.0
// Signed package images: who made this image, and is this block the one he made?
//
//     0               data_bytes               data_bytes + tree_bytes      image_bytes
//     [ EROFS         | verity superblock, tree | footer block ]
//
// Everything is in blocks of 4096 bytes, and every byte is covered by one chain:
//
//     trusted key -> signature -> header (first bytes of the footer) -> root hash -> tree -> block
//
// The signature, in minisign's format, lies in the footer behind the header; what follows it is
// zero. The superblock holds nothing that the header does not say, and is compared with it. The
// tree is dm-verity's, version 1. docs/storage/package_fs.md has the offsets.
//
//     verity_trust_parse -> verity_footer_check -> verity_tree_open -> verity_tree_check ...
//
// Nothing here knows an operating system, allocates, or trusts a byte that it has not checked.
#ifndef VERITY_VERITY_H
#define VERITY_VERITY_H

#include "nexus/status.h"
#include "verity/crypto.h"

#define VERITY_BLOCK_BYTES       4096u
#define VERITY_SALT_BYTES        HASH_INPUT_BLOCK_BYTES // so that hashing begins behind it
#define VERITY_DIGESTS_PER_BLOCK (VERITY_BLOCK_BYTES / HASH_BYTES)
#define VERITY_KEY_ID_BYTES      8u
#define VERITY_TRUST_KEYS_MAX    8u
#define VERITY_TREE_LEVELS_MAX   5u // 64^5 blocks are the 4 TiB of VERITY_DATA_BYTES_MAX
#define VERITY_DATA_BYTES_MAX    (UINT64_C(1) << 42)
#define VERITY_TREE_SLOTS        32u // tree blocks that are remembered

// ---- Trust --------------------------------------------------------------------------------------

struct verity_key {
    uint8_t id[VERITY_KEY_ID_BYTES];
    uint8_t public_key[SIGNATURE_PUBLIC_BYTES];
};

// Whose images are accepted, and which are too old.
struct verity_trust {
    uint64_t minimum_version;
    uint32_t key_count;
    struct verity_key keys[VERITY_TRUST_KEYS_MAX];
};

// Reads the file `package-trust` of the boot archive: lines `minimum-image-version NUMBER` (once),
// `key BASE64` (minisign's public key, 1 to VERITY_TRUST_KEYS_MAX of them), comments with #, empty
// ones.
//   NX_ERR_BAD_FORMAT  anything else
NX_MUST_CHECK enum nx_status verity_trust_parse(const char *text, size_t length,
                                                struct verity_trust *trust);

// ---- Footer -------------------------------------------------------------------------------------

enum verity_refusal {
    VERITY_ACCEPTED,
    VERITY_REFUSED_SIGNATURE, // none, a wrong one, or that of somebody who is not trusted
    VERITY_REFUSED_VERSION,   // older than the trust asks for
    VERITY_REFUSED_TRUNCATED, // the end of the image is missing
    VERITY_REFUSED_FORMAT,    // no package image, or one of another kind
    VERITY_REFUSED_HASH,      // a block that is not what was signed
};

// What the signature vouches for.
struct verity_image {
    uint64_t version;
    uint64_t data_bytes; // the file system: whole blocks from the start of the image
    uint64_t tree_bytes; // right behind it, the superblock included
    uint8_t key_id[VERITY_KEY_ID_BYTES];
    _Alignas(uint64_t) uint8_t salt[VERITY_SALT_BYTES];
    uint8_t root[HASH_BYTES];
};

// "signature", "version", "truncated", "format", "hash"; "none" for VERITY_ACCEPTED.
const char *verity_refusal_name(enum verity_refusal refusal);

// The size of the tree, with its superblock, over data of that size. 0: no such size of data.
uint64_t verity_tree_bytes(uint64_t data_bytes);

// Judges the last block of an image of `image_bytes` bytes. *image is filled on VERITY_ACCEPTED
// alone; *detail always says more in a word, for people.
NX_MUST_CHECK enum verity_refusal verity_footer_check(const uint8_t footer[VERITY_BLOCK_BYTES],
                                                      uint64_t image_bytes,
                                                      const struct verity_trust *trust,
                                                      struct verity_image *image,
                                                      const char **detail);

// Whether the block begins as a footer does.
bool verity_footer_is_there(const uint8_t footer[VERITY_BLOCK_BYTES]);

// For an image without footer: names what it lacks, by what its first block claims the size of its
// file system to be. Nothing else is done on the strength of that claim.
enum verity_refusal verity_footer_missing(const uint8_t first[VERITY_BLOCK_BYTES],
                                          uint64_t image_bytes, const char **detail);

// ---- Tree ---------------------------------------------------------------------------------------

struct verity_source {
    // Fetches one block of the image, at a multiple of the block size, into memory that nobody else
    // can write to.
    enum nx_status (*read)(void *context, uint64_t offset, void *block);
    void *context;
};

struct verity_slot {
    uint64_t number; // of the block in the tree, plus 1; 0: empty
    uint64_t used;   // when, in looks
    uint8_t block[VERITY_BLOCK_BYTES];
};

struct verity_tree {
    // Constant after open.
    struct verity_source source;
    uint64_t blocks; // of data
    uint64_t offset; // of the tree's first block in the image
    uint32_t levels;
    uint64_t
        starts[VERITY_TREE_LEVELS_MAX]; // of each level in the tree, in blocks; 0 is the lowest
    uint8_t root[HASH_BYTES];
    struct hash_prefix salted; // the hash of the salt, from which each block's goes on

    // Owner only. A slot holds a block of the tree that has been verified.
    struct verity_slot slots[VERITY_TREE_SLOTS];
    struct verity_slot *latest; // lowest level, or NULL
    uint64_t looks;
    uint64_t verified; // blocks found right, of data and of the tree
    uint64_t refused;  // blocks found wrong
};

// Opens the tree of an accepted image. The tree's superblock is compared. `extensions`:
// NX_HART_EXTENSION_*, of every hart that will check blocks.
//   NX_ERR_BAD_FORMAT  it is not what the header says
//   what `read` returns
NX_MUST_CHECK enum nx_status verity_tree_open(struct verity_tree *tree,
                                              const struct verity_image *image,
                                              const struct verity_source *source,
                                              uint32_t extensions);

// Is `data`, which nobody else can write to and lies on a multiple of eight bytes, the block
// `number` of the image's data?
//   NX_ERR_OUT_OF_RANGE  there is no such block
//   NX_ERR_HASH          it is not, or the part of the tree that would say so is damaged
//   what `read` returns
NX_MUST_CHECK enum nx_status verity_tree_check(struct verity_tree *tree, uint64_t number,
                                               const void *data);

// The same in two steps, of which the first is nearly all of the work and any thread's, while
// nobody opens the tree: the hash of a block, and whether it is the one of the block `number`.
void verity_tree_hash(const struct verity_tree *tree, const void *data, uint8_t digest[HASH_BYTES]);
NX_MUST_CHECK enum nx_status verity_tree_judge(struct verity_tree *tree, uint64_t number,
                                               const uint8_t digest[HASH_BYTES]);

#endif
