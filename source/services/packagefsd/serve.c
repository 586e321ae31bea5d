// SPDX-License-Identifier: Apache-2.0
// Requests and answers of package_fs.capnp. Every well-formed request gets a Response; what is not
// well-formed gets NX_ERR_BAD_FORMAT in register word 0.
//
// Request and answer share the message page with the calls that reading the image makes. So a
// request is copied out before anything is read, and an answer is built when all is known.
#include "serve.h"

// Entries of one answer: each takes a struct of four words and at least one for its name.
#define LIST_ENTRIES_MAX ((NX_MESSAGE_BYTES_MAX / 8) / 5)
// Words of an answer that are not entries: the root pointer, the root struct, the list's tag.
#define LIST_FRAME_WORDS (1 + PACKAGE_FS_RESPONSE_WORDS + 1)

#define PERMISSION_BITS 07777u // of a POSIX mode

struct answer {
    struct capnp_builder message;
    struct package_fs_response_builder response;
};

struct path {
    char text[EROFS_PATH_MAX];
    size_t length;
};

static enum nx_status answer_begin(struct answer *answer)
{
    return package_fs_response_begin(&answer->message, nx_page()->data, NX_MESSAGE_BYTES_MAX,
                                     &answer->response);
}

static enum nx_answer answer_send(struct nx_request *request, const struct answer *answer)
{
    return nx_request_answer(request, NX_OK, capnp_builder_bytes(&answer->message));
}

static enum nx_answer answer_status(struct nx_request *request, enum nx_status status)
{
    struct answer answer;
    enum nx_status built = answer_begin(&answer);

    if (built != NX_OK) { // an empty page has room: this does not happen
        return nx_request_answer(request, built, 0);
    }
    package_fs_response_set_status(&answer.response, (uint16_t)status);
    package_fs_response_set_empty(&answer.response);
    return answer_send(request, &answer);
}

static enum nx_status path_copy(const struct capnp_text *text, struct path *path)
{
    if (text->length > sizeof(path->text)) {
        return NX_ERR_NAME_TOO_LONG;
    }
    memcpy(path->text, text->bytes, text->length);
    path->length = text->length;
    return NX_OK;
}

static enum nx_status path_walk(const struct service *service, const struct capnp_text *text,
                                enum erofs_final_link final_link, struct erofs_inode *inode)
{
    struct path path;
    enum nx_status status = path_copy(text, &path);

    return status != NX_OK
               ? status
               : erofs_resolve(&service->mount.fs, path.text, path.length, final_link, inode);
}

// The inode at the end of a request's path, valid until the next request. Bad bytes in the path are
// erofs_resolve's to refuse.
static enum nx_status path_resolve(struct service *service, const struct capnp_text *text,
                                   enum erofs_final_link final_link,
                                   const struct erofs_inode **inode)
{
    static struct erofs_inode walked; // of the one thread
    struct path_key key;
    bool is_short = path_key_make(&key, text->bytes, text->length, final_link);

    *inode = is_short ? path_cache_find(&service->paths, &key) : NULL;
    if (*inode != NULL) {
        return NX_OK;
    }
    enum nx_status status = path_walk(service, text, final_link, &walked);
    if (status == NX_OK) {
        *inode = is_short ? path_cache_add(&service->paths, &key, &walked) : &walked;
    }
    return status;
}

static enum package_fs_file_type type_of(enum erofs_type type)
{
    switch (type) {
    case EROFS_TYPE_FILE:
        return PACKAGE_FS_FILE_TYPE_REGULAR;
    case EROFS_TYPE_DIRECTORY:
        return PACKAGE_FS_FILE_TYPE_DIRECTORY;
    case EROFS_TYPE_SYMLINK:
        return PACKAGE_FS_FILE_TYPE_SYMLINK;
    default:
        return PACKAGE_FS_FILE_TYPE_UNKNOWN;
    }
}

static uint16_t permissions_of(const struct erofs_inode *inode)
{
    return (uint16_t)(inode->mode & PERMISSION_BITS);
}

// ---- Open, fetch, close -------------------------------------------------------------------------

// An empty file has no bytes to share: its answer carries no handle and node 0.
static enum nx_answer open_answer(struct nx_request *request, const struct erofs_inode *inode,
                                  const struct file *file)
{
    struct answer answer;
    enum nx_status status = answer_begin(&answer);

    if (status != NX_OK) {
        return nx_request_answer(request, status, 0);
    }
    package_fs_response_init_open(&answer.response);
    package_fs_response_set_open_node(&answer.response, file != NULL ? file->token : 0);
    package_fs_response_set_open_size(&answer.response, inode->size);
    package_fs_response_set_open_mode(&answer.response, permissions_of(inode));
    package_fs_response_set_open_type(&answer.response, type_of(inode->type));
    package_fs_response_set_open_valid(&answer.response, file != NULL ? file_cache_valid(file) : 0);
    return file == NULL ? answer_send(request, &answer)
                        : nx_request_answer_handle(
                              request, NX_OK, capnp_builder_bytes(&answer.message), file->shared);
}

// False: the client has no such node open.
static bool node_close(struct service *service, uint64_t node, uint64_t client)
{
    struct file *file = file_cache_find(&service->files, node, client);
    if (file != NULL) {
        file_cache_close(&service->files, file, client);
    }
    return file != NULL;
}

static enum nx_answer serve_open(struct service *service, struct nx_request *request,
                                 const struct package_fs_request_reader *reader)
{
    struct capnp_text text;
    const struct erofs_inode *inode;
    struct file *file = NULL;

    enum nx_status status = package_fs_request_open_path(reader, &text);
    if (status != NX_OK) {
        return nx_request_answer(request, NX_ERR_BAD_FORMAT, 0);
    }
    (void)node_close(service, package_fs_request_open_release(reader), request->message.badge);
    status = path_resolve(service, &text, EROFS_FOLLOW_FINAL, &inode);
    if (status == NX_OK && inode->type == EROFS_TYPE_DIRECTORY) {
        status = NX_ERR_IS_DIRECTORY;
    } else if (status == NX_OK && inode->type != EROFS_TYPE_FILE) {
        status = NX_ERR_WRONG_TYPE;
    } else if (status == NX_OK && inode->size > 0) {
        status = file_cache_open(&service->files, inode, request->message.badge, &file);
    }
    return status == NX_OK ? open_answer(request, inode, file) : answer_status(request, status);
}

static enum nx_answer serve_fetch(struct service *service, struct nx_request *request,
                                  const struct package_fs_request_reader *reader)
{
    struct file *file = file_cache_find(&service->files, package_fs_request_fetch_node(reader),
                                        request->message.badge);
    struct file_range valid;
    struct answer answer;

    if (file == NULL) {
        return answer_status(request, NX_ERR_BAD_HANDLE);
    }
    enum nx_status status =
        file_cache_fetch(&service->files, file, package_fs_request_fetch_offset(reader),
                         package_fs_request_fetch_length(reader), &valid);
    if (status == NX_OK) {
        status = answer_begin(&answer);
    }
    if (status != NX_OK) {
        return answer_status(request, status);
    }
    package_fs_response_init_fetch(&answer.response);
    package_fs_response_set_fetch_offset(&answer.response, valid.offset);
    package_fs_response_set_fetch_length(&answer.response, valid.length);
    return answer_send(request, &answer);
}

static enum nx_answer serve_close(struct service *service, struct nx_request *request,
                                  const struct package_fs_request_reader *reader)
{
    bool closed =
        node_close(service, package_fs_request_close_node(reader), request->message.badge);
    return answer_status(request, closed ? NX_OK : NX_ERR_BAD_HANDLE);
}

// ---- Stat, readLink -----------------------------------------------------------------------------

static enum nx_answer serve_stat(struct service *service, struct nx_request *request,
                                 const struct package_fs_request_reader *reader)
{
    struct capnp_text text;
    const struct erofs_inode *inode;
    struct answer answer;

    enum nx_status status = package_fs_request_stat_path(reader, &text);
    if (status != NX_OK) {
        return nx_request_answer(request, NX_ERR_BAD_FORMAT, 0);
    }
    status = path_resolve(service, &text, EROFS_KEEP_FINAL, &inode);
    if (status == NX_OK) {
        status = answer_begin(&answer);
    }
    if (status != NX_OK) {
        return answer_status(request, status);
    }
    package_fs_response_init_stat(&answer.response);
    package_fs_response_set_stat_node(&answer.response, inode->nid);
    package_fs_response_set_stat_size(&answer.response, inode->size);
    package_fs_response_set_stat_modified_seconds(&answer.response, inode->mtime);
    package_fs_response_set_stat_links(&answer.response, inode->nlink);
    package_fs_response_set_stat_mode(&answer.response, permissions_of(inode));
    package_fs_response_set_stat_type(&answer.response, type_of(inode->type));
    return answer_send(request, &answer);
}

static enum nx_answer serve_read_link(struct service *service, struct nx_request *request,
                                      const struct package_fs_request_reader *reader)
{
    struct capnp_text text;
    const struct erofs_inode *inode;
    struct path target;
    struct answer answer;

    enum nx_status status = package_fs_request_read_link_path(reader, &text);
    if (status != NX_OK) {
        return nx_request_answer(request, NX_ERR_BAD_FORMAT, 0);
    }
    status = path_resolve(service, &text, EROFS_KEEP_FINAL, &inode);
    if (status == NX_OK) {
        status = erofs_readlink(&service->mount.fs, inode, target.text, sizeof(target.text),
                                &target.length);
    }
    if (status == NX_OK) {
        status = answer_begin(&answer);
    }
    if (status == NX_OK) {
        package_fs_response_init_read_link(&answer.response);
        struct capnp_text out = {.bytes = target.text, .length = (uint32_t)target.length};
        status = package_fs_response_set_read_link_target(&answer.response, out);
        status = status == NX_ERR_NO_MEMORY ? NX_ERR_NAME_TOO_LONG : status; // of one message
    }
    return status == NX_OK ? answer_send(request, &answer) : answer_status(request, status);
}

// ---- List ---------------------------------------------------------------------------------------

struct listed {
    uint64_t size;
    struct erofs_entry entry;
};

struct listing {
    struct listed entries[LIST_ENTRIES_MAX];
    uint32_t count;
    uint64_t next_cookie;
    bool done;
};

static bool is_dot(const struct erofs_entry *entry)
{
    return entry->name[0] == '.' &&
           (entry->name_length == 1 || (entry->name_length == 2 && entry->name[1] == '.'));
}

// As many entries as one answer holds, from the cookie on; "." and ".." are not told.
static enum nx_status entries_gather(const struct erofs *fs, const struct erofs_inode *directory,
                                     uint64_t cookie, struct listing *listing)
{
    uint32_t room = NX_MESSAGE_BYTES_MAX / CAPNP_WORD_BYTES - LIST_FRAME_WORDS;

    listing->count = 0;
    listing->next_cookie = cookie;
    listing->done = false;
    while (listing->count < LIST_ENTRIES_MAX) {
        struct listed *listed = &listing->entries[listing->count];
        struct erofs_inode inode;
        enum nx_status status = erofs_directory_next(fs, directory, &cookie, &listed->entry);
        if (status == NX_ERR_NOT_FOUND) {
            listing->done = true;
            return NX_OK;
        }
        if (status != NX_OK) {
            return status;
        }
        if (!is_dot(&listed->entry)) {
            uint32_t words = PACKAGE_FS_ENTRY_WORDS + capnp_text_words(listed->entry.name_length);
            if (words > room) {
                return NX_OK;
            }
            status = erofs_inode_load(fs, listed->entry.nid, &inode);
            if (status != NX_OK) {
                return status == NX_ERR_OUT_OF_RANGE ? NX_ERR_BAD_FORMAT : status;
            }
            listed->size = inode.size;
            listed->entry.type = inode.type;
            room -= words;
            listing->count++;
        }
        listing->next_cookie = cookie;
    }
    return NX_OK;
}

static enum nx_status entries_build(struct answer *answer, const struct listing *listing)
{
    struct capnp_list_builder list;

    package_fs_response_init_list(&answer->response);
    package_fs_response_set_list_next_cookie(&answer->response, listing->next_cookie);
    package_fs_response_set_list_done(&answer->response, listing->done);
    enum nx_status status =
        package_fs_response_init_list_entries(&answer->response, listing->count, &list);
    for (uint32_t i = 0; status == NX_OK && i < listing->count; i++) {
        const struct listed *listed = &listing->entries[i];
        struct package_fs_entry_builder entry;
        status = package_fs_entry_builder_at(&list, i, &entry);
        if (status != NX_OK) {
            break;
        }
        struct capnp_text name = {.bytes = listed->entry.name, .length = listed->entry.name_length};
        package_fs_entry_set_node(&entry, listed->entry.nid);
        package_fs_entry_set_size(&entry, listed->size);
        package_fs_entry_set_type(&entry, type_of(listed->entry.type));
        status = package_fs_entry_set_name(&entry, name);
    }
    return status;
}

static enum nx_answer serve_list(struct service *service, struct nx_request *request,
                                 const struct package_fs_request_reader *reader)
{
    static struct listing listing; // of the one thread; too large for the stack's taste
    uint64_t cookie = package_fs_request_list_cookie(reader);
    struct capnp_text text;
    const struct erofs_inode *inode;
    struct answer answer;

    enum nx_status status = package_fs_request_list_path(reader, &text);
    if (status != NX_OK) {
        return nx_request_answer(request, NX_ERR_BAD_FORMAT, 0);
    }
    status = path_resolve(service, &text, EROFS_FOLLOW_FINAL, &inode);
    if (status == NX_OK) {
        status = entries_gather(&service->mount.fs, inode, cookie, &listing);
    }
    if (status == NX_OK) {
        status = answer_begin(&answer);
    }
    if (status == NX_OK) {
        status = entries_build(&answer, &listing);
    }
    return status == NX_OK ? answer_send(request, &answer) : answer_status(request, status);
}

// ---- Status -------------------------------------------------------------------------------------

static enum nx_answer serve_status(struct service *service, struct nx_request *request)
{
    const struct image *image = &service->mount.image;
    const struct erofs *fs = &service->mount.fs;
    const struct file_cache *files = &service->files;
    struct package_fs_report_builder report;
    struct answer answer;

    enum nx_status status = answer_begin(&answer);
    if (status == NX_OK) {
        status = package_fs_response_init_report(&answer.response, &report);
    }
    if (status != NX_OK) {
        return answer_status(request, status);
    }
    package_fs_report_set_source(&report, image->source);
    package_fs_report_set_blocks(&report, fs->size >> fs->block_bits);
    package_fs_report_set_block_size(&report, 1u << fs->block_bits);
    package_fs_report_set_reads(&report, image->reads);
    package_fs_report_set_cache_hits(&report, image->cache.hits + files->hits);
    package_fs_report_set_cache_misses(&report, image->cache.misses + files->misses);
    package_fs_report_set_io_errors(&report, image->io_errors);
    package_fs_report_set_verified_blocks(&report, image->tree->verified);
    package_fs_report_set_hash_errors(&report, image->tree->refused);
    package_fs_report_set_open_files(&report, (uint32_t)files->open_files);
    package_fs_report_set_image_version(&report, image->signed_.version);
    return answer_send(request, &answer);
}

// ---- Requests -----------------------------------------------------------------------------------

enum nx_answer serve_request(void *context, struct nx_request *request)
{
    struct service *service = context;
    struct capnp_reader message;
    struct package_fs_request_reader reader;

    enum nx_status status =
        package_fs_request_decode(nx_page()->data, nx_request_bytes(request), &message, &reader);
    if (status != NX_OK) {
        return nx_request_answer(request, NX_ERR_BAD_FORMAT, 0);
    }
    switch (package_fs_request_which(&reader)) {
    case PACKAGE_FS_REQUEST_STATUS:
        return serve_status(service, request);
    case PACKAGE_FS_REQUEST_OPEN:
        return serve_open(service, request, &reader);
    case PACKAGE_FS_REQUEST_FETCH:
        return serve_fetch(service, request, &reader);
    case PACKAGE_FS_REQUEST_CLOSE:
        return serve_close(service, request, &reader);
    case PACKAGE_FS_REQUEST_STAT:
        return serve_stat(service, request, &reader);
    case PACKAGE_FS_REQUEST_LIST:
        return serve_list(service, request, &reader);
    case PACKAGE_FS_REQUEST_READ_LINK:
        return serve_read_link(service, request, &reader);
    default: // from a client with a newer schema
        return answer_status(request, NX_ERR_UNSUPPORTED);
    }
}
