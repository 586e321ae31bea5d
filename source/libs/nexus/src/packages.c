// SPDX-License-Identifier: Apache-2.0
// Client of packagefsd: paths, directories and reports. Open files are in packages_file.c.
#include "nexus/packages.h"
#include "packages_call.h"

// What follows the scheme; NULL: the path does not start with it.
static const char *after_scheme(const char *path)
{
    const char *scheme = NX_PACKAGE_SCHEME;
    for (; *scheme != '\0'; scheme++, path++) {
        if (*path != *scheme) {
            return NULL;
        }
    }
    return path;
}

const char *package_path(const char *path)
{
    const char *inner = after_scheme(path);
    if (inner != NULL) {
        path = inner;
    } else if (strstr(path, "://") != NULL) {
        return NULL;
    }
    while (*path == '/') {
        path++;
    }
    return path;
}

const char *package_path_with_scheme(const char *path)
{
    return after_scheme(path) != NULL ? package_path(path) : NULL;
}

enum nx_status package_call_begin(struct package_call *call)
{
    return package_fs_request_begin(&call->message, nx_page()->data, NX_MESSAGE_BYTES_MAX,
                                    &call->request);
}

enum nx_status package_call_finish_until(struct package_call *call,
                                         enum package_fs_response_which expected, uint64_t deadline)
{
    nx_handle endpoint;
    enum nx_status status = nx_service_endpoint(NX_START_PACKAGES, "packages", &endpoint);
    if (status != NX_OK) {
        return status;
    }
    status = nx_service_call_until(endpoint, capnp_builder_bytes(&call->message), NX_HANDLE_NONE,
                                   deadline, &call->reply, &call->retry);
    if (status == NX_OK) {
        status = package_fs_response_decode(nx_page()->data, NX_INFO_BYTES(call->reply.info),
                                            &call->answer, &call->response);
    }
    if (status == NX_OK) {
        status = (enum nx_status)package_fs_response_status(&call->response);
    }
    if (status == NX_OK && package_fs_response_which(&call->response) != expected) {
        status = NX_ERR_BAD_FORMAT;
    }
    return status;
}

enum nx_status package_call_finish(struct package_call *call,
                                   enum package_fs_response_which expected)
{
    return package_call_finish_until(call, expected, NX_DEADLINE_NEVER);
}

// Starts a request that carries a path; the three kinds differ only in which field takes it.
static enum nx_status package_path_begin(struct package_call *call,
                                         enum package_fs_request_which which, const char *path)
{
    const char *inner = package_path(path);
    if (inner == NULL) {
        return NX_ERR_NOT_FOUND;
    }
    struct capnp_text text = capnp_text_of(inner);
    if (text.length > NX_PACKAGE_PATH_MAX) {
        return NX_ERR_NAME_TOO_LONG;
    }
    enum nx_status status = package_call_begin(call);
    if (status != NX_OK) {
        return status;
    }
    if (which == PACKAGE_FS_REQUEST_STAT) {
        package_fs_request_init_stat(&call->request);
        return package_fs_request_set_stat_path(&call->request, text);
    }
    if (which == PACKAGE_FS_REQUEST_LIST) {
        package_fs_request_init_list(&call->request);
        return package_fs_request_set_list_path(&call->request, text);
    }
    package_fs_request_init_read_link(&call->request);
    return package_fs_request_set_read_link_path(&call->request, text);
}

enum nx_status nx_package_stat(const char *path, struct nx_package_facts *facts)
{
    struct package_call call = {0};
    enum nx_status status;
    do {
        status = package_path_begin(&call, PACKAGE_FS_REQUEST_STAT, path);
        if (status != NX_OK) {
            return status;
        }
        status = package_call_finish(&call, PACKAGE_FS_RESPONSE_STAT);
    } while (nx_retry_again(&call.retry));
    if (status == NX_OK) {
        *facts = (struct nx_package_facts){
            .node = package_fs_response_stat_node(&call.response),
            .size = package_fs_response_stat_size(&call.response),
            .modified_seconds = package_fs_response_stat_modified_seconds(&call.response),
            .links = package_fs_response_stat_links(&call.response),
            .mode = package_fs_response_stat_mode(&call.response),
            .type = (enum nx_package_type)package_fs_response_stat_type(&call.response),
        };
    }
    return status;
}

static enum nx_status package_entry_copy(const struct capnp_list *list, uint32_t index,
                                         struct nx_package_entry *entry)
{
    struct package_fs_entry_reader reader;
    struct capnp_text name;
    enum nx_status status = package_fs_entry_at(list, index, &reader);
    if (status == NX_OK) {
        status = package_fs_entry_name(&reader, &name);
    }
    if (status != NX_OK) {
        return status;
    }
    if (name.length > NX_PACKAGE_NAME_MAX) {
        return NX_ERR_NAME_TOO_LONG;
    }
    entry->node = package_fs_entry_node(&reader);
    entry->size = package_fs_entry_size(&reader);
    entry->type = (enum nx_package_type)package_fs_entry_type(&reader);
    memcpy(entry->name, name.bytes, name.length);
    entry->name[name.length] = '\0';
    return NX_OK;
}

// A cookie of ours is the service's own, and in the top byte how many entries of the answer to it
// the caller has had already.
#define COOKIE_SKIP_SHIFT 56u
#define COOKIE_MASK       ((1ull << COOKIE_SKIP_SHIFT) - 1)
#define COOKIE_SKIP_MAX   255u

// Takes what fits of an answer, from entry `skip` on.
static enum nx_status package_list_take(const struct package_call *call, uint64_t skip,
                                        struct nx_package_entry *entries, uint32_t capacity,
                                        uint32_t *count, uint32_t *total)
{
    struct capnp_list list;
    enum nx_status status = package_fs_response_list_entries(&call->response, &list);
    if (status != NX_OK) {
        return status;
    }
    if (list.count > COOKIE_SKIP_MAX || skip > list.count) {
        return NX_ERR_BAD_FORMAT;
    }
    uint32_t left = list.count - (uint32_t)skip;
    *total = list.count;
    *count = left < capacity ? left : capacity;
    for (uint32_t i = 0; status == NX_OK && i < *count; i++) {
        status = package_entry_copy(&list, (uint32_t)skip + i, &entries[i]);
    }
    return status;
}

enum nx_status nx_package_list(const char *path, uint64_t *cookie, struct nx_package_entry *entries,
                               uint32_t capacity, uint32_t *count, bool *done)
{
    struct package_call call = {0};
    uint64_t skip = *cookie >> COOKIE_SKIP_SHIFT;
    enum nx_status status;
    do {
        status = package_path_begin(&call, PACKAGE_FS_REQUEST_LIST, path);
        if (status != NX_OK) {
            return status;
        }
        package_fs_request_set_list_cookie(&call.request, *cookie & COOKIE_MASK);
        status = package_call_finish(&call, PACKAGE_FS_RESPONSE_LIST);
    } while (nx_retry_again(&call.retry));
    uint32_t total = 0;
    if (status == NX_OK) {
        status = package_list_take(&call, skip, entries, capacity, count, &total);
    }
    if (status != NX_OK) {
        return status;
    }
    if (skip + *count < total) {
        *cookie = (*cookie & COOKIE_MASK) | (skip + *count) << COOKIE_SKIP_SHIFT;
        *done = false;
        return NX_OK;
    }
    *cookie = package_fs_response_list_next_cookie(&call.response);
    *done = package_fs_response_list_done(&call.response);
    return *cookie <= COOKIE_MASK ? NX_OK : NX_ERR_BAD_FORMAT;
}

enum nx_status nx_package_read_link(const char *path, char *target, size_t size)
{
    struct package_call call = {0};
    struct capnp_text text;
    enum nx_status status;
    do {
        status = package_path_begin(&call, PACKAGE_FS_REQUEST_READ_LINK, path);
        if (status != NX_OK) {
            return status;
        }
        status = package_call_finish(&call, PACKAGE_FS_RESPONSE_READ_LINK);
    } while (nx_retry_again(&call.retry));
    if (status == NX_OK) {
        status = package_fs_response_read_link_target(&call.response, &text);
    }
    if (status == NX_OK && text.length >= size) {
        status = NX_ERR_NAME_TOO_LONG;
    }
    if (status == NX_OK) {
        memcpy(target, text.bytes, text.length);
        target[text.length] = '\0';
    }
    return status;
}

enum nx_status nx_package_status(struct nx_package_report *report)
{
    struct package_call call = {0};
    struct package_fs_report_reader reader;
    enum nx_status status;
    do {
        status = package_call_begin(&call);
        if (status != NX_OK) {
            return status;
        }
        package_fs_request_set_status(&call.request);
        status = package_call_finish(&call, PACKAGE_FS_RESPONSE_REPORT);
    } while (nx_retry_again(&call.retry));
    if (status == NX_OK) {
        status = package_fs_response_report(&call.response, &reader);
    }
    if (status == NX_OK) {
        *report = (struct nx_package_report){
            .source = (enum nx_package_source)package_fs_report_source(&reader),
            .blocks = package_fs_report_blocks(&reader),
            .block_size = package_fs_report_block_size(&reader),
            .reads = package_fs_report_reads(&reader),
            .cache_hits = package_fs_report_cache_hits(&reader),
            .cache_misses = package_fs_report_cache_misses(&reader),
            .io_errors = package_fs_report_io_errors(&reader),
            .verified_blocks = package_fs_report_verified_blocks(&reader),
            .hash_errors = package_fs_report_hash_errors(&reader),
            .open_files = package_fs_report_open_files(&reader),
            .image_version = package_fs_report_image_version(&reader),
        };
    }
    return status;
}
