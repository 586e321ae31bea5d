// SPDX-License-Identifier: Apache-2.0
// The file `package-trust`: which keys sign package images, and which images are too old.
#include "base64.h"
#include "verity.h"
#include <string.h>

#define VERSION_WORD "minimum-image-version "
#define KEY_WORD     "key "

// minisign's public key: algorithm, key id, key.
#define KEY_ALGORITHM         "Ed"
#define KEY_ALGORITHM_BYTES   2u
#define PUBLIC_KEY_BYTES      (KEY_ALGORITHM_BYTES + VERITY_KEY_ID_BYTES + SIGNATURE_PUBLIC_BYTES)
#define PUBLIC_KEY_CHARACTERS BASE64_CHARACTERS(PUBLIC_KEY_BYTES)

// If the line begins with the word, what follows it; else NULL.
static const char *after_word(const char *line, size_t length, const char *word, size_t *left)
{
    size_t word_length = strlen(word);

    if (length < word_length || memcmp(line, word, word_length) != 0) {
        return NULL;
    }
    *left = length - word_length;
    return line + word_length;
}

static bool number_parse(const char *text, size_t length, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < length; i++) {
        uint64_t digit = (uint64_t)(unsigned char)text[i] - '0';
        if (digit > 9 || *number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        *number = *number * 10 + digit;
    }
    return length > 0;
}

static bool key_parse(const char *text, size_t length, struct verity_key *key)
{
    uint8_t bytes[PUBLIC_KEY_BYTES];

    if (length != PUBLIC_KEY_CHARACTERS || !base64_decode(text, bytes, sizeof(bytes)) ||
        memcmp(bytes, KEY_ALGORITHM, KEY_ALGORITHM_BYTES) != 0) {
        return false;
    }
    memcpy(key->id, bytes + KEY_ALGORITHM_BYTES, sizeof(key->id));
    memcpy(key->public_key, bytes + KEY_ALGORITHM_BYTES + sizeof(key->id), sizeof(key->public_key));
    return true;
}

static bool line_parse(const char *line, size_t length, struct verity_trust *trust,
                       bool *has_version)
{
    size_t left;

    if (length == 0 || line[0] == '#') {
        return true;
    }
    const char *text = after_word(line, length, VERSION_WORD, &left);
    if (text != NULL) {
        bool first = !*has_version;
        *has_version = true;
        return first && number_parse(text, left, &trust->minimum_version);
    }
    text = after_word(line, length, KEY_WORD, &left);
    if (text == NULL || trust->key_count == VERITY_TRUST_KEYS_MAX) {
        return false;
    }
    return key_parse(text, left, &trust->keys[trust->key_count++]);
}

enum nx_status verity_trust_parse(const char *text, size_t length, struct verity_trust *trust)
{
    bool has_version = false;

    *trust = (struct verity_trust){0};
    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        size_t line = end != NULL ? (size_t)(end - text) : length;
        if (!line_parse(text, line, trust, &has_version)) {
            return NX_ERR_BAD_FORMAT;
        }
        line += end != NULL;
        text += line;
        length -= line;
    }
    return has_version && trust->key_count > 0 ? NX_OK : NX_ERR_BAD_FORMAT;
}
