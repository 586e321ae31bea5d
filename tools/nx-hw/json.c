// SPDX-License-Identifier: Apache-2.0
// Writing JSON: see json.h.
#include "json.h"
#include <string.h>

static void put(struct json *json, const char *bytes, size_t count)
{
    json->sink(json->context, bytes, count);
}

static void put_string(struct json *json, const char *text)
{
    put(json, text, strlen(text));
}

void json_begin(struct json *json, void (*sink)(void *, const char *, size_t), void *context)
{
    memset(json, 0, sizeof(*json));
    json->sink = sink;
    json->context = context;
}

// The length of the UTF-8 character at the start of `bytes`; 0 when there is none.
static size_t character_length(const uint8_t *bytes, size_t length)
{
    uint8_t lead = bytes[0];
    size_t wanted = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    if (wanted == 0 || lead > 0xf4 || wanted > length) {
        return 0;
    }
    for (size_t i = 1; i < wanted; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    // Overlong forms, surrogates, and values past U+10FFFF.
    if (wanted > 2 && ((lead == 0xe0 && bytes[1] < 0xa0) || (lead == 0xed && bytes[1] > 0x9f) ||
                       (lead == 0xf0 && bytes[1] < 0x90) || (lead == 0xf4 && bytes[1] > 0x8f))) {
        return 0;
    }
    return wanted;
}

static void put_escaped(struct json *json, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};

    if (byte == '"' || byte == '\\') {
        escape[1] = (char)byte;
        put(json, escape, 2);
    } else if (byte == '\n') {
        put(json, "\\n", 2);
    } else {
        put(json, escape, sizeof(escape));
    }
}

static void put_quoted(struct json *json, const uint8_t *bytes, size_t length)
{
    size_t plain = 0; // start of what can go out as it is

    put(json, "\"", 1);
    for (size_t i = 0; i < length;) {
        size_t count = character_length(bytes + i, length - i);
        bool special = bytes[i] < 0x20 || bytes[i] == '"' || bytes[i] == '\\' || bytes[i] == 0x7f;
        if (count > 0 && !special) {
            i += count;
            continue;
        }
        put(json, (const char *)bytes + plain, i - plain);
        if (count == 0) {
            put_string(json, "\xef\xbf\xbd");
        } else {
            put_escaped(json, bytes[i]);
        }
        plain = ++i;
    }
    put(json, (const char *)bytes + plain, length - plain);
    put(json, "\"", 1);
}

// What comes before a value: a comma when it is not the first, and its key.
static void put_lead(struct json *json, const char *key)
{
    if (json->depth > 0) {
        if (json->filled[json->depth - 1]) {
            put(json, ",", 1);
        }
        json->filled[json->depth - 1] = true;
    }
    if (key != NULL) {
        put_quoted(json, (const uint8_t *)key, strlen(key));
        put(json, ":", 1);
    }
}

static void open_level(struct json *json, const char *key, bool is_array)
{
    put_lead(json, key);
    put(json, is_array ? "[" : "{", 1);
    if (json->depth < JSON_DEPTH_MAX) { // no caller nests that deep
        json->filled[json->depth] = false;
        json->is_array[json->depth] = is_array;
        json->depth++;
    }
}

void json_object(struct json *json, const char *key)
{
    open_level(json, key, false);
}

void json_array(struct json *json, const char *key)
{
    open_level(json, key, true);
}

void json_end(struct json *json)
{
    if (json->depth > 0) {
        json->depth--;
        put(json, json->is_array[json->depth] ? "]" : "}", 1);
    }
}

static void put_number(struct json *json, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put(json, digits + at, sizeof(digits) - at);
}

void json_u64(struct json *json, const char *key, uint64_t value)
{
    put_lead(json, key);
    put_number(json, value);
}

void json_i64(struct json *json, const char *key, int64_t value)
{
    put_lead(json, key);
    if (value < 0) {
        put(json, "-", 1);
    }
    put_number(json, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_lead(json, key);
    put_string(json, value ? "true" : "false");
}

void json_text(struct json *json, const char *key, const char *text)
{
    json_bytes(json, key, text, strlen(text));
}

void json_bytes(struct json *json, const char *key, const void *bytes, size_t length)
{
    put_lead(json, key);
    put_quoted(json, bytes, length);
}
