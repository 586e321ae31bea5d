// SPDX-License-Identifier: Apache-2.0
// Open files of pkg://: a memory object per file, mapped whole, made valid chunk by chunk.
//
//     nx_package_open -> read, map, memory -> nx_package_close
//
// The mapping costs address space only: pages come into being when they are fetched. What the
// service has declared valid is the start of the file up to `prefix`, and the chunks of the bitmap;
// no other byte is ever read. If the service answers that it does not know the node (it has
// restarted since, or has dropped the file), the file is opened again and counts as not fetched.
//
// Who opens a path that is open here already shares the file, and a closed file stays for a while
// (open_table.h): opening it again and reading what is valid then asks nobody. Its content cannot
// have changed, as the image never does. A file that goes is not closed by a call of its own: its
// node travels with the next open. Only when that one has not come before the next file goes, or
// at the program's end, the service is called for it.
#include "nexus/clock.h"
#include "nexus/lock.h"
#include "nexus/memory.h"
#include "nexus/packages.h"
#include "open_table.h"
#include "packages_call.h"
#include <stdlib.h>

#define CHUNK_BYTES      (128ul << 10) // one block request
#define FETCH_CHUNKS_MAX 8u            // of one fetch: the service reads them in one go
#define CHUNKS_PER_WORD  64u
#define RELEASE_PATIENCE (100 * NX_MILLISECOND) // with a service that does not answer a close

struct nx_package_file {
    struct open_entry entry; // the table's; its path is that of this file, without scheme
    struct nx_mutex lock;    // guards everything below but `path`
    uint64_t node;
    uint64_t size;
    uint16_t mode;
    nx_handle memory;       // NX_HANDLE_NONE for an empty file
    const uint8_t *content; // the mapped memory object, NULL for an empty file
    uint64_t prefix;        // bytes from the start that are valid
    uint64_t *valid;        // one bit a chunk
    uint64_t few_valid;     // the bits of a file of few chunks
    uint64_t chunk_count;
    char path[];
};

static struct nx_mutex table_lock; // guards the table and released_node
static struct open_table table;
static uint64_t released_node; // to be closed with the next open; 0: none

#define FILE_OF(member)                                                                            \
    ((struct nx_package_file *)(void *)((char *)(member)-offsetof(struct nx_package_file, entry)))

static bool chunk_is_valid(const struct nx_package_file *file, uint64_t chunk)
{
    return (file->valid[chunk / CHUNKS_PER_WORD] >> (chunk % CHUNKS_PER_WORD) & 1) != 0;
}

// Marks the chunks that lie wholly in [offset, offset + length), the last one up to the file's end.
static void file_mark_valid(struct nx_package_file *file, uint64_t offset, uint64_t length)
{
    uint64_t end = length <= file->size - offset ? offset + length : file->size;
    if (offset <= file->prefix && end > file->prefix) {
        file->prefix = end;
    }
    uint64_t chunk = (offset + CHUNK_BYTES - 1) / CHUNK_BYTES;
    for (; chunk < file->chunk_count; chunk++) {
        uint64_t chunk_end = (chunk + 1) * CHUNK_BYTES;
        if ((chunk_end < file->size ? chunk_end : file->size) > end) {
            return;
        }
        file->valid[chunk / CHUNKS_PER_WORD] |= 1ull << (chunk % CHUNKS_PER_WORD);
    }
}

// ---- Opening ------------------------------------------------------------------------------------

// The node to be closed with an open. It is forgotten here: a service that dies over the call has
// forgotten it too.
static uint64_t released_take(void)
{
    nx_mutex_lock(&table_lock);
    uint64_t node = released_node;
    released_node = 0;
    nx_mutex_unlock(&table_lock);
    return node;
}

// Asks the service; on success the answer and the handle are in the page.
static enum nx_status file_open_call(const struct open_path *path, struct package_call *call)
{
    struct capnp_text text = {.bytes = path->text, .length = (uint32_t)path->length};
    enum nx_status status;
    call->retry = (struct nx_retry){0};
    do {
        status = package_call_begin(call);
        if (status == NX_OK) {
            package_fs_request_init_open(&call->request);
            package_fs_request_set_open_release(&call->request, released_take());
            status = package_fs_request_set_open_path(&call->request, text);
        }
        if (status != NX_OK) {
            return status;
        }
        status = package_call_finish(call, PACKAGE_FS_RESPONSE_OPEN);
    } while (nx_retry_again(&call->retry));
    return status;
}

// Connects the file to the service's current instance; what it declares valid is all that is. On
// failure the file keeps what it had.
static enum nx_status file_connect(struct nx_package_file *file)
{
    struct package_call call;
    enum nx_status status = file_open_call(&file->entry.path, &call);
    if (status != NX_OK) {
        return status;
    }
    nx_handle memory =
        NX_INFO_HANDLES(call.reply.info) > 0 ? nx_page()->handles[0] : NX_HANDLE_NONE;
    uint64_t size = package_fs_response_open_size(&call.response);
    uint64_t prefix = package_fs_response_open_valid(&call.response);
    bool fits = size <= NX_MEMORY_SIZE_MAX && prefix <= size &&
                (size == 0 || memory != NX_HANDLE_NONE) &&
                (file->valid == NULL || size == file->size);
    if (!fits) {
        nx_handle_drop(memory);
        return NX_ERR_BAD_FORMAT;
    }
    void *content = NULL;
    if (size > 0) {
        status = nx_map(memory, 0, NX_PAGE_ROUND_UP(size), NX_PROT_READ, &content);
    }
    if (status != NX_OK) {
        nx_handle_drop(memory);
        return status;
    }
    nx_unmap(file->content);
    nx_handle_drop(file->memory);
    file->node = package_fs_response_open_node(&call.response);
    file->mode = package_fs_response_open_mode(&call.response);
    file->size = size;
    file->prefix = prefix;
    file->memory = memory;
    file->content = content;
    file->chunk_count = (size + CHUNK_BYTES - 1) / CHUNK_BYTES;
    return NX_OK;
}

static struct nx_package_file *file_new(const struct open_path *path)
{
    struct nx_package_file *file = calloc(1, sizeof(*file) + path->length + 1);
    if (file != NULL) {
        memcpy(file->path, path->text, path->length);
        file->entry.path = *path;
        file->entry.path.text = file->path;
    }
    return file;
}

// Frees the file and returns its node, which the service still counts as open.
static uint64_t file_destroy(struct nx_package_file *file)
{
    uint64_t node = file->node;
    nx_unmap(file->content);
    nx_handle_drop(file->memory);
    nx_mutex_destroy(&file->lock);
    if (file->valid != &file->few_valid) {
        free(file->valid);
    }
    free(file);
    return node;
}

static enum nx_status file_open(struct nx_package_file *file)
{
    enum nx_status status = file_connect(file);
    if (status != NX_OK) {
        return status;
    }
    file->entry.weight = file->size;
    file->valid = file->chunk_count < CHUNKS_PER_WORD
                      ? &file->few_valid
                      : calloc(file->chunk_count / CHUNKS_PER_WORD + 1, sizeof(*file->valid));
    if (file->valid == NULL) {
        return NX_ERR_NO_MEMORY;
    }
    file_mark_valid(file, 0, file->prefix);
    return NX_OK;
}

// Best effort: a service that is gone has forgotten the node anyway, and one that does not answer
// is not waited for.
static void node_close(uint64_t node)
{
    struct package_call call = {0};
    if (node == 0 || package_call_begin(&call) != NX_OK) {
        return;
    }
    package_fs_request_init_close(&call.request);
    package_fs_request_set_close_node(&call.request, node);
    (void)!package_call_finish_until(&call, PACKAGE_FS_RESPONSE_EMPTY,
                                     nx_deadline_after(RELEASE_PATIENCE));
}

// Leaves the node to the next open. There is room for one: the one before it is closed now.
static void node_release(uint64_t node)
{
    if (node == 0) {
        return;
    }
    nx_mutex_lock(&table_lock);
    uint64_t before = released_node;
    released_node = node;
    nx_mutex_unlock(&table_lock);
    node_close(before);
}

enum nx_status package_open_inner(const char *path, struct nx_package_file **out)
{
    struct open_path name = open_path_of(path);
    if (name.length > NX_PACKAGE_PATH_MAX) {
        return NX_ERR_NAME_TOO_LONG;
    }
    nx_mutex_lock(&table_lock);
    struct open_entry *known = open_table_take(&table, &name);
    nx_mutex_unlock(&table_lock);
    if (known != NULL) {
        *out = FILE_OF(known);
        return NX_OK;
    }
    struct nx_package_file *file = file_new(&name);
    if (file == NULL) {
        return NX_ERR_NO_MEMORY;
    }
    enum nx_status status = file_open(file);
    if (status != NX_OK) {
        node_release(file_destroy(file));
        return status;
    }
    // Another thread may have opened it meanwhile: one of the two is enough.
    nx_mutex_lock(&table_lock);
    known = open_table_take(&table, &name);
    if (known == NULL) {
        open_table_add(&table, &file->entry);
    }
    nx_mutex_unlock(&table_lock);
    if (known != NULL) {
        node_release(file_destroy(file));
        file = FILE_OF(known);
    }
    *out = file;
    return NX_OK;
}

enum nx_status nx_package_open(const char *path, struct nx_package_file **out)
{
    const char *inner = package_path(path);
    return inner != NULL ? package_open_inner(inner, out) : NX_ERR_NOT_FOUND;
}

void nx_package_close(struct nx_package_file *file)
{
    struct open_entry *excess;
    nx_mutex_lock(&table_lock);
    open_table_give(&table, &file->entry);
    excess = open_table_excess(&table);
    nx_mutex_unlock(&table_lock);
    while (excess != NULL) {
        node_release(file_destroy(FILE_OF(excess)));
        nx_mutex_lock(&table_lock);
        excess = open_table_excess(&table);
        nx_mutex_unlock(&table_lock);
    }
}

void nx_package_trim(void)
{
    struct open_entry *entry;
    node_close(released_take());
    do {
        nx_mutex_lock(&table_lock);
        entry = open_table_evict(&table);
        nx_mutex_unlock(&table_lock);
        if (entry != NULL) {
            node_close(file_destroy(FILE_OF(entry)));
        }
    } while (entry != NULL);
}

// The program ends: the service learns of what was kept. Files that are still open stay: threads
// may be using them.
__attribute__((destructor)) static void files_end(void)
{
    nx_package_trim();
}

uint64_t nx_package_size(const struct nx_package_file *file)
{
    return file->size;
}

void nx_package_describe(const struct nx_package_file *file, struct nx_package_facts *facts)
{
    *facts = (struct nx_package_facts){
        .node = file->node,
        .size = file->size,
        .links = 1,
        .mode = file->mode,
        .type = NX_PACKAGE_REGULAR,
    };
}

// ---- Fetching -----------------------------------------------------------------------------------

// *reopen: the instance died under the call, or it never gave out this node: nodes of open files
// are unique over all instances, and void once the file has been evicted.
static enum nx_status file_fetch_call(struct nx_package_file *file, uint64_t offset,
                                      uint64_t length, bool *reopen)
{
    struct package_call call;
    call.retry = (struct nx_retry){0};
    enum nx_status status = package_call_begin(&call);
    if (status == NX_OK) {
        package_fs_request_init_fetch(&call.request);
        package_fs_request_set_fetch_node(&call.request, file->node);
        package_fs_request_set_fetch_offset(&call.request, offset);
        package_fs_request_set_fetch_length(&call.request, length);
        status = package_call_finish(&call, PACKAGE_FS_RESPONSE_FETCH);
    }
    *reopen = call.retry.interrupted || status == NX_ERR_BAD_HANDLE;
    if (status != NX_OK) {
        return status;
    }
    uint64_t valid_offset = package_fs_response_fetch_offset(&call.response);
    if (valid_offset > offset) {
        return NX_ERR_BAD_FORMAT;
    }
    file_mark_valid(file, valid_offset, package_fs_response_fetch_length(&call.response));
    return NX_OK;
}

// Opens the file at the service anew; of what was fetched nothing counts any more.
static enum nx_status file_reconnect(struct nx_package_file *file)
{
    enum nx_status status = file_connect(file);
    if (status == NX_OK) {
        memset(file->valid, 0, (file->chunk_count / CHUNKS_PER_WORD + 1) * sizeof(*file->valid));
        file_mark_valid(file, 0, file->prefix);
    }
    return status;
}

// Makes chunk `first` valid, and those behind it up to `last` as far as one fetch goes. What a
// sequential reader wants after that is the service's to foresee.
static enum nx_status file_fetch_chunks(struct nx_package_file *file, uint64_t first, uint64_t last)
{
    uint64_t count = last - first < FETCH_CHUNKS_MAX ? last - first + 1 : FETCH_CHUNKS_MAX;
    uint64_t offset = first * CHUNK_BYTES;
    uint64_t length = count * CHUNK_BYTES;
    length = length <= file->size - offset ? length : file->size - offset;
    struct nx_retry retry = {0};
    enum nx_status status;
    do {
        status = retry.interrupted ? file_reconnect(file) : NX_OK;
        retry.interrupted = false;
        if (status == NX_OK) {
            status = file_fetch_call(file, offset, length, &retry.interrupted);
        }
    } while (nx_retry_again(&retry));
    return status == NX_OK && !chunk_is_valid(file, first) ? NX_ERR_BAD_FORMAT : status;
}

// Makes [offset, offset + length) valid, all at once: a restart of the service on the way starts
// over. The range lies in the file. Lock held.
static enum nx_status file_fetch_locked(struct nx_package_file *file, uint64_t offset,
                                        uint64_t length)
{
    if (length == 0 || offset + length <= file->prefix) {
        return NX_OK;
    }
    uint64_t first = offset / CHUNK_BYTES;
    uint64_t last = (offset + length - 1) / CHUNK_BYTES;
    uint64_t chunk = first;
    while (chunk <= last) {
        if (chunk_is_valid(file, chunk)) {
            chunk++;
            continue;
        }
        enum nx_status status = file_fetch_chunks(file, chunk, last);
        if (status != NX_OK) {
            return status;
        }
        chunk = chunk_is_valid(file, first) ? chunk + 1 : first;
    }
    return NX_OK;
}

// ---- Using --------------------------------------------------------------------------------------

enum nx_status nx_package_read(struct nx_package_file *file, uint64_t offset, void *buffer,
                               size_t length, size_t *copied)
{
    *copied = 0;
    nx_mutex_lock(&file->lock);
    enum nx_status status = NX_OK;
    if (offset < file->size) {
        uint64_t left = file->size - offset;
        uint64_t part = length <= left ? length : left;
        status = file_fetch_locked(file, offset, part);
        if (status == NX_OK) {
            memcpy(buffer, file->content + offset, part);
            *copied = part;
        }
    }
    nx_mutex_unlock(&file->lock);
    return status;
}

enum nx_status nx_package_map(struct nx_package_file *file, uint64_t offset, uint64_t length,
                              uint32_t protection, void **address)
{
    if (offset % NX_PAGE_SIZE != 0 || length == 0 || (protection & NX_PROT_WRITE) != 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    nx_mutex_lock(&file->lock);
    enum nx_status status = NX_ERR_OUT_OF_RANGE;
    uint64_t end = NX_PAGE_ROUND_UP(file->size);
    if (offset < end && length <= end - offset) {
        uint64_t left = file->size - offset;
        status = file_fetch_locked(file, offset, length <= left ? length : left);
        if (status == NX_OK) {
            status = nx_map(file->memory, offset, NX_PAGE_ROUND_UP(length), protection, address);
        }
    }
    nx_mutex_unlock(&file->lock);
    return status;
}

enum nx_status nx_package_memory(struct nx_package_file *file, nx_handle *memory)
{
    nx_mutex_lock(&file->lock);
    enum nx_status status = file_fetch_locked(file, 0, file->size);
    *memory = file->memory;
    nx_mutex_unlock(&file->lock);
    return status;
}
