// SPDX-License-Identifier: Apache-2.0
// Writing JSON (RFC 8259) piece by piece to a sink.
//
//     json_begin(&json, sink, context);
//     json_object(&json, NULL); json_u64(&json, "online", 4); json_end(&json);
//
// Commas, quotes and escapes are the writer's: whatever the calls, what comes out is JSON as long
// as every object and array is ended. `key` is NULL inside arrays and for the outermost value.
#ifndef NX_JSON_H
#define NX_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 16u

struct json {
    void (*sink)(void *context, const char *bytes, size_t count);
    void *context;
    unsigned depth;
    bool filled[JSON_DEPTH_MAX];   // something was written at this depth
    bool is_array[JSON_DEPTH_MAX]; // what the closing bracket is
};

void json_begin(struct json *json, void (*sink)(void *, const char *, size_t), void *context);
void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
void json_end(struct json *json); // of the innermost object or array
void json_u64(struct json *json, const char *key, uint64_t value);
void json_i64(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);

// Bytes that are no UTF-8 come out as U+FFFD.
void json_text(struct json *json, const char *key, const char *text);
void json_bytes(struct json *json, const char *key, const void *bytes, size_t length);

#endif
