// SPDX-License-Identifier: Apache-2.0
// Client of nexus-init's name registry.
#include "nexus/registry.h"

// One call; *message goes out with the operation and words, and comes back as the answer.
static enum nx_status registry_call(enum nx_registry_operation operation, const char *name,
                                    struct nx_message *message)
{
    nx_handle registry = nx_start_handle(NX_START_REGISTRY);
    if (registry == NX_HANDLE_NONE) {
        return NX_ERR_ACCESS_DENIED;
    }
    message->words[0] = operation;
    if (name != NULL) {
        size_t bytes = strlen(name) + 1;
        if (bytes > NX_REGISTRY_NAME_MAX + 1) {
            return NX_ERR_NAME_TOO_LONG;
        }
        memcpy(nx_page()->data, name, bytes);
        message->info = NX_INFO(bytes, 0);
    }
    enum nx_status status = nx_endpoint_call(registry, message);
    return status != NX_OK ? status : (enum nx_status)message->words[0];
}

enum nx_status nx_registry_lookup(const char *name, nx_handle *endpoint)
{
    struct nx_message message = {0};
    enum nx_status status = registry_call(NX_REGISTRY_LOOKUP, name, &message);
    if (status != NX_OK) {
        return status;
    }
    if (NX_INFO_HANDLES(message.info) != 1) {
        return NX_ERR_BAD_FORMAT;
    }
    *endpoint = nx_page()->handles[0];
    return NX_OK;
}

enum nx_status nx_registry_ready(enum nx_status detail)
{
    struct nx_message message = {.words = {0, detail == NX_OK, detail}};
    return registry_call(NX_REGISTRY_READY, NULL, &message);
}

// The next NUL-terminated text of an answer; *position moves behind it.
static enum nx_status name_take(uint32_t bytes, uint32_t *position, char *name)
{
    const uint8_t *text = nx_page()->data + *position;
    const uint8_t *end = memchr(text, '\0', bytes - *position);
    if (end == NULL || end - text > NX_REGISTRY_NAME_MAX) {
        return NX_ERR_BAD_FORMAT;
    }
    uint32_t length = (uint32_t)(end - text) + 1;
    memcpy(name, text, length);
    *position += length;
    return NX_OK;
}

enum nx_status nx_registry_list(uint64_t index, struct nx_service_names *names)
{
    struct nx_message message = {.words = {0, index}};
    uint32_t position = 0;
    enum nx_status status = registry_call(NX_REGISTRY_LIST, NULL, &message);
    if (status == NX_OK) {
        status = name_take(NX_INFO_BYTES(message.info), &position, names->service);
    }
    if (status == NX_OK) {
        status = name_take(NX_INFO_BYTES(message.info), &position, names->program);
    }
    return status;
}

enum nx_status nx_registry_kill(const char *name)
{
    struct nx_message message = {0};
    return registry_call(NX_REGISTRY_KILL, name, &message);
}

enum nx_status nx_registry_status(const char *name, struct nx_service_facts *facts)
{
    struct nx_message message = {0};
    enum nx_status status = registry_call(NX_REGISTRY_STATUS, name, &message);
    if (status == NX_OK) {
        *facts =
            (struct nx_service_facts){(enum nx_service_state)message.words[1], message.words[2]};
    }
    return status;
}
