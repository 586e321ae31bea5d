// SPDX-License-Identifier: Apache-2.0
// The footer of a package image: signature first, then what it vouches for.
#include "base64.h"
#include "footer_format.h"
#include "verity.h"
#include <string.h>

// ---- The signature, in minisign's format --------------------------------------------------------
//
//     untrusted comment: nexus package image
//     BASE64(algorithm, key id, signature of the header's hash)
//     trusted comment: nexus package image header
//     BASE64(signature of that signature and the trusted comment)
//
// The comments are fixed, so the text has one length and no byte of it is free.

#define UNTRUSTED_LINE "untrusted comment: nexus package image\n"
#define TRUSTED_PREFIX "trusted comment: "
#define TRUSTED_TEXT   "nexus package image header"
#define TRUSTED_LINE   TRUSTED_PREFIX TRUSTED_TEXT "\n"
#define ALGORITHM      "ED" // the signature is of a hash

#define LENGTH(literal)      (sizeof(literal) - 1)
#define SIGNED_BYTES         (LENGTH(ALGORITHM) + VERITY_KEY_ID_BYTES + SIGNATURE_BYTES)
#define SIGNATURE_AT         LENGTH(UNTRUSTED_LINE)
#define TRUSTED_AT           (SIGNATURE_AT + BASE64_CHARACTERS(SIGNED_BYTES) + 1)
#define GLOBAL_AT            (TRUSTED_AT + LENGTH(TRUSTED_LINE))
#define SIGNATURE_TEXT_BYTES (GLOBAL_AT + BASE64_CHARACTERS(SIGNATURE_BYTES) + 1)

_Static_assert(FOOTER_HEADER_BYTES + SIGNATURE_TEXT_BYTES <= VERITY_BLOCK_BYTES, "it fits");

struct minisign {
    uint8_t algorithm[LENGTH(ALGORITHM)];
    uint8_t key_id[VERITY_KEY_ID_BYTES];
    uint8_t signature[SIGNATURE_BYTES];
    uint8_t comment[LENGTH(TRUSTED_TEXT)]; // right behind the signature, as it is signed
    uint8_t global[SIGNATURE_BYTES];
};
_Static_assert(offsetof(struct minisign, comment) == SIGNED_BYTES, "no gaps");

static bool minisign_parse(const char *text, struct minisign *parsed)
{
    if (memcmp(text, UNTRUSTED_LINE, LENGTH(UNTRUSTED_LINE)) != 0 ||
        memcmp(text + TRUSTED_AT, TRUSTED_LINE, LENGTH(TRUSTED_LINE)) != 0 ||
        text[TRUSTED_AT - 1] != '\n' || text[SIGNATURE_TEXT_BYTES - 1] != '\n') {
        return false;
    }
    memcpy(parsed->comment, TRUSTED_TEXT, LENGTH(TRUSTED_TEXT));
    return base64_decode(text + SIGNATURE_AT, parsed->algorithm, SIGNED_BYTES) &&
           base64_decode(text + GLOBAL_AT, parsed->global, SIGNATURE_BYTES) &&
           memcmp(parsed->algorithm, ALGORITHM, LENGTH(ALGORITHM)) == 0;
}

static bool minisign_is_valid(const struct minisign *parsed, const uint8_t *header,
                              const struct verity_key *key)
{
    struct hash hash;
    uint8_t digest[HASH_BYTES];

    hash_init(&hash);
    hash_update(&hash, header, FOOTER_HEADER_BYTES);
    hash_final(&hash, digest);
    return signature_is_valid(parsed->signature, digest, sizeof(digest), key->public_key) &&
           signature_is_valid(parsed->global, parsed->signature,
                              sizeof(parsed->signature) + sizeof(parsed->comment), key->public_key);
}

static const struct verity_key *key_find(const struct verity_trust *trust, const uint8_t *id)
{
    for (uint32_t i = 0; i < trust->key_count; i++) {
        if (memcmp(trust->keys[i].id, id, VERITY_KEY_ID_BYTES) == 0) {
            return &trust->keys[i];
        }
    }
    return NULL;
}

static bool is_zero(const uint8_t *bytes, size_t length)
{
    uint8_t any = 0;
    for (size_t i = 0; i < length; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

// NULL: somebody who is trusted has signed this header. Else why not.
static const char *signature_defect(const uint8_t *footer, const struct verity_trust *trust)
{
    const char *text = (const char *)footer + FOOTER_HEADER_BYTES;
    const size_t behind = FOOTER_HEADER_BYTES + SIGNATURE_TEXT_BYTES;
    struct minisign parsed;

    if (is_zero(footer + FOOTER_HEADER_BYTES, SIGNATURE_TEXT_BYTES)) {
        return "unsigned";
    }
    if (!minisign_parse(text, &parsed)) {
        return "not-minisign";
    }
    const struct verity_key *key = key_find(trust, parsed.key_id);
    if (key == NULL) {
        return "unknown-key";
    }
    if (memcmp(parsed.key_id, footer + offsetof(struct footer_header, key_id),
               VERITY_KEY_ID_BYTES) != 0) {
        return "another-key";
    }
    if (!minisign_is_valid(&parsed, footer, key)) {
        return "wrong-signature";
    }
    return is_zero(footer + behind, VERITY_BLOCK_BYTES - behind) ? NULL : "bytes-behind-signature";
}

// ---- What is signed -----------------------------------------------------------------------------

const char *verity_refusal_name(enum verity_refusal refusal)
{
    static const char *const names[] = {
        [VERITY_ACCEPTED] = "none",           [VERITY_REFUSED_SIGNATURE] = "signature",
        [VERITY_REFUSED_VERSION] = "version", [VERITY_REFUSED_TRUNCATED] = "truncated",
        [VERITY_REFUSED_FORMAT] = "format",   [VERITY_REFUSED_HASH] = "hash",
    };
    return names[refusal];
}

uint64_t verity_tree_bytes(uint64_t data_bytes)
{
    uint64_t total = 1; // the superblock
    uint64_t blocks = data_bytes / VERITY_BLOCK_BYTES;

    if (data_bytes == 0 || data_bytes % VERITY_BLOCK_BYTES != 0 ||
        data_bytes > VERITY_DATA_BYTES_MAX) {
        return 0;
    }
    while (blocks > 1) {
        blocks = (blocks + VERITY_DIGESTS_PER_BLOCK - 1) / VERITY_DIGESTS_PER_BLOCK;
        total += blocks;
    }
    return total * VERITY_BLOCK_BYTES;
}

// NULL: the header describes an image of this format. A signed header that does not was made by
// another version of the tool.
static const char *header_defect(const struct footer_header *header)
{
    static const char hash_name[sizeof(header->hash_name)] = FOOTER_HASH_NAME;
    static const uint8_t uuid[FOOTER_UUID_BYTES] = FOOTER_UUID;

    if (header->data_block_bytes != VERITY_BLOCK_BYTES ||
        header->hash_block_bytes != VERITY_BLOCK_BYTES || header->salt_bytes != VERITY_SALT_BYTES ||
        header->digest_bytes != HASH_BYTES ||
        memcmp(header->hash_name, hash_name, sizeof(hash_name)) != 0 ||
        memcmp(header->uuid, uuid, sizeof(uuid)) != 0 ||
        !is_zero(header->reserved, sizeof(header->reserved))) {
        return "parameters";
    }
    uint64_t tree_bytes = verity_tree_bytes(header->data_bytes);
    if (tree_bytes == 0 || header->tree_bytes != tree_bytes ||
        header->tree_offset != header->data_bytes ||
        header->image_bytes != header->data_bytes + tree_bytes + VERITY_BLOCK_BYTES) {
        return "sizes";
    }
    return NULL;
}

static enum verity_refusal header_judge(const struct footer_header *header, uint64_t image_bytes,
                                        const struct verity_trust *trust, const char **detail)
{
    *detail = header_defect(header);
    if (*detail != NULL) {
        return VERITY_REFUSED_FORMAT;
    }
    if (image_bytes < header->image_bytes) {
        *detail = "size";
        return VERITY_REFUSED_TRUNCATED;
    }
    if (image_bytes > header->image_bytes) {
        *detail = "size";
        return VERITY_REFUSED_FORMAT;
    }
    if (header->image_version < trust->minimum_version) {
        *detail = "too-old";
        return VERITY_REFUSED_VERSION;
    }
    *detail = "none";
    return VERITY_ACCEPTED;
}

bool verity_footer_is_there(const uint8_t footer[VERITY_BLOCK_BYTES])
{
    return memcmp(footer, FOOTER_MAGIC, FOOTER_MAGIC_BYTES) == 0;
}

enum verity_refusal verity_footer_check(const uint8_t footer[VERITY_BLOCK_BYTES],
                                        uint64_t image_bytes, const struct verity_trust *trust,
                                        struct verity_image *image, const char **detail)
{
    struct footer_header header;

    memcpy(&header, footer, sizeof(header));
    *detail = "footer";
    if (!verity_footer_is_there(footer) || header.footer_version != FOOTER_VERSION ||
        header.header_bytes != FOOTER_HEADER_BYTES) {
        return VERITY_REFUSED_FORMAT;
    }
    *detail = signature_defect(footer, trust);
    if (*detail != NULL) {
        return VERITY_REFUSED_SIGNATURE;
    }
    enum verity_refusal refusal = header_judge(&header, image_bytes, trust, detail);
    if (refusal == VERITY_ACCEPTED) {
        image->version = header.image_version;
        image->data_bytes = header.data_bytes;
        image->tree_bytes = header.tree_bytes;
        memcpy(image->key_id, header.key_id, sizeof(image->key_id));
        memcpy(image->salt, header.salt, sizeof(image->salt));
        memcpy(image->root, header.root, sizeof(image->root));
    }
    return refusal;
}

// ---- No footer ----------------------------------------------------------------------------------

// EROFS, Linux's erofs_fs.h: the fields of the superblock that say how long the file system is.
#define EROFS_MAGIC          0xe0f5e1e2u
#define EROFS_MAGIC_AT       1024u
#define EROFS_BLOCK_BITS_AT  1036u
#define EROFS_BLOCKS_AT      1060u
#define EROFS_BLOCK_BITS_MAX 16u

static uint32_t load_le32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

enum verity_refusal verity_footer_missing(const uint8_t first[VERITY_BLOCK_BYTES],
                                          uint64_t image_bytes, const char **detail)
{
    uint32_t block_bits = first[EROFS_BLOCK_BITS_AT];

    *detail = "no-package-image";
    if (load_le32(first + EROFS_MAGIC_AT) != EROFS_MAGIC || block_bits > EROFS_BLOCK_BITS_MAX) {
        return VERITY_REFUSED_FORMAT;
    }
    uint64_t data_bytes = (uint64_t)load_le32(first + EROFS_BLOCKS_AT) << block_bits;
    data_bytes = (data_bytes + VERITY_BLOCK_BYTES - 1) / VERITY_BLOCK_BYTES * VERITY_BLOCK_BYTES;
    if (image_bytes == data_bytes) {
        *detail = "unsigned";
        return VERITY_REFUSED_SIGNATURE;
    }
    *detail = "footer";
    return image_bytes < data_bytes + verity_tree_bytes(data_bytes) + VERITY_BLOCK_BYTES
               ? VERITY_REFUSED_TRUNCATED
               : VERITY_REFUSED_FORMAT;
}
