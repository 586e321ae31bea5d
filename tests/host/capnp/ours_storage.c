// SPDX-License-Identifier: Apache-2.0
// Every field of the storage services' schemas through our accessors. The order is the schemas'.
#include <string.h>

#include "ours.h"
#include "package_fs.capnp.h"
#include "virtio_blk.capnp.h"
#include "walk.h"

// --- virtio_blk ---

static void dump_blk_request(struct dump *dump, const struct virtio_blk_request_reader *reader)
{
    enum virtio_blk_request_which which = virtio_blk_request_which(reader);
    DUMP_NUMBER("which", known(which, 6));
    switch (which) {
    case VIRTIO_BLK_REQUEST_INFO:
        DUMP_NUMBER("info", 0);
        break;
    case VIRTIO_BLK_REQUEST_READ:
        DUMP_NUMBER("read.lba", virtio_blk_request_read_lba(reader));
        DUMP_NUMBER("read.count", virtio_blk_request_read_count(reader));
        DUMP_NUMBER("read.memoryOffset", virtio_blk_request_read_memory_offset(reader));
        DUMP_NUMBER("read.slot", virtio_blk_request_read_slot(reader));
        break;
    case VIRTIO_BLK_REQUEST_OPEN_QUEUE:
        DUMP_NUMBER("openQueue.noticeBits", virtio_blk_request_open_queue_notice_bits(reader));
        break;
    case VIRTIO_BLK_REQUEST_ATTACH:
        DUMP_NUMBER("attach", 0);
        break;
    case VIRTIO_BLK_REQUEST_DETACH:
        DUMP_NUMBER("detach.slot", virtio_blk_request_detach_slot(reader));
        break;
    case VIRTIO_BLK_REQUEST_CHECK_QUEUE:
        DUMP_NUMBER("checkQueue", 0);
        break;
    }
}

static void dump_blk_info(struct dump *dump, const struct virtio_blk_info_reader *reader)
{
    DUMP_NUMBER("sectors", virtio_blk_info_sectors(reader));
    DUMP_NUMBER("sectorSize", virtio_blk_info_sector_size(reader));
    DUMP_NUMBER("readOnly", virtio_blk_info_read_only(reader));
    DUMP_NUMBER("transport", virtio_blk_info_transport(reader));
    DUMP_NUMBER("features", virtio_blk_info_features(reader));
    DUMP_NUMBER("queueSize", virtio_blk_info_queue_size(reader));
    DUMP_NUMBER("mmioBase", virtio_blk_info_mmio_base(reader));
    DUMP_NUMBER("interruptNumber", virtio_blk_info_interrupt_number(reader));
    DUMP_NUMBER("requests", virtio_blk_info_requests(reader));
    DUMP_NUMBER("completions", virtio_blk_info_completions(reader));
    DUMP_NUMBER("errors", virtio_blk_info_errors(reader));
    DUMP_NUMBER("resets", virtio_blk_info_resets(reader));
    DUMP_NUMBER("timeouts", virtio_blk_info_timeouts(reader));
    DUMP_NUMBER("interrupts", virtio_blk_info_interrupts(reader));
    DUMP_NUMBER("bytesCopied", virtio_blk_info_bytes_copied(reader));
    DUMP_NUMBER("kicks", virtio_blk_info_kicks(reader));
    DUMP_NUMBER("sessions", virtio_blk_info_sessions(reader));
    DUMP_NUMBER("queued", virtio_blk_info_queued(reader));
    DUMP_NUMBER("doorbells", virtio_blk_info_doorbells(reader));
    DUMP_NUMBER("notices", virtio_blk_info_notices(reader));
}

static void dump_blk_response(struct dump *dump, const struct virtio_blk_response_reader *reader)
{
    enum virtio_blk_response_which which = virtio_blk_response_which(reader);
    DUMP_NUMBER("status", virtio_blk_response_status(reader));
    DUMP_NUMBER("which", known(which, 5));
    switch (which) {
    case VIRTIO_BLK_RESPONSE_EMPTY:
        DUMP_NUMBER("empty", 0);
        break;
    case VIRTIO_BLK_RESPONSE_INFO:
        DUMP_STRUCT("info", virtio_blk_info_reader, virtio_blk_response_info, dump_blk_info);
        break;
    case VIRTIO_BLK_RESPONSE_READ:
        DUMP_NUMBER("read.bytesRead", virtio_blk_response_read_bytes_read(reader));
        DUMP_BYTES("read.reason", capnp_text, virtio_blk_response_read_reason);
        break;
    case VIRTIO_BLK_RESPONSE_OPEN_QUEUE:
        DUMP_NUMBER("openQueue.doorbellBit", virtio_blk_response_open_queue_doorbell_bit(reader));
        break;
    case VIRTIO_BLK_RESPONSE_ATTACH:
        DUMP_NUMBER("attach.slot", virtio_blk_response_attach_slot(reader));
        break;
    }
}

static enum nx_status fill_blk_request(unsigned member, void *buffer, size_t size, size_t *length)
{
    const char *path = "";
    struct capnp_builder message;
    struct virtio_blk_request_builder builder;
    enum nx_status status = virtio_blk_request_begin(&message, buffer, size, &builder);
    if (status != NX_OK)
        return status;
    switch ((enum virtio_blk_request_which)member) {
    case VIRTIO_BLK_REQUEST_INFO:
        virtio_blk_request_set_info(&builder);
        break;
    case VIRTIO_BLK_REQUEST_READ:
        virtio_blk_request_init_read(&builder);
        FILL_NUMBER(virtio_blk_request_set_read_lba, uint64_t, "read.lba");
        FILL_NUMBER(virtio_blk_request_set_read_count, uint32_t, "read.count");
        FILL_NUMBER(virtio_blk_request_set_read_memory_offset, uint64_t, "read.memoryOffset");
        FILL_NUMBER(virtio_blk_request_set_read_slot, uint16_t, "read.slot");
        break;
    case VIRTIO_BLK_REQUEST_OPEN_QUEUE:
        virtio_blk_request_init_open_queue(&builder);
        FILL_NUMBER(virtio_blk_request_set_open_queue_notice_bits, uint64_t,
                    "openQueue.noticeBits");
        break;
    case VIRTIO_BLK_REQUEST_ATTACH:
        virtio_blk_request_set_attach(&builder);
        break;
    case VIRTIO_BLK_REQUEST_DETACH:
        virtio_blk_request_init_detach(&builder);
        FILL_NUMBER(virtio_blk_request_set_detach_slot, uint16_t, "detach.slot");
        break;
    case VIRTIO_BLK_REQUEST_CHECK_QUEUE:
        virtio_blk_request_set_check_queue(&builder);
        break;
    }
    *length = capnp_builder_bytes(&message);
    return status;
}

static void fill_blk_info(struct virtio_blk_info_builder builder)
{
    const char *path = "info";
    FILL_NUMBER(virtio_blk_info_set_sectors, uint64_t, "sectors");
    FILL_NUMBER(virtio_blk_info_set_sector_size, uint32_t, "sectorSize");
    FILL_BOOL(virtio_blk_info_set_read_only, "readOnly");
    FILL_NUMBER(virtio_blk_info_set_transport, uint32_t, "transport");
    FILL_NUMBER(virtio_blk_info_set_features, uint64_t, "features");
    FILL_NUMBER(virtio_blk_info_set_queue_size, uint16_t, "queueSize");
    FILL_NUMBER(virtio_blk_info_set_mmio_base, uint64_t, "mmioBase");
    FILL_NUMBER(virtio_blk_info_set_interrupt_number, uint32_t, "interruptNumber");
    FILL_NUMBER(virtio_blk_info_set_requests, uint64_t, "requests");
    FILL_NUMBER(virtio_blk_info_set_completions, uint64_t, "completions");
    FILL_NUMBER(virtio_blk_info_set_errors, uint64_t, "errors");
    FILL_NUMBER(virtio_blk_info_set_resets, uint64_t, "resets");
    FILL_NUMBER(virtio_blk_info_set_timeouts, uint64_t, "timeouts");
    FILL_NUMBER(virtio_blk_info_set_interrupts, uint64_t, "interrupts");
    FILL_NUMBER(virtio_blk_info_set_bytes_copied, uint64_t, "bytesCopied");
    FILL_NUMBER(virtio_blk_info_set_kicks, uint64_t, "kicks");
    FILL_NUMBER(virtio_blk_info_set_sessions, uint32_t, "sessions");
    FILL_NUMBER(virtio_blk_info_set_queued, uint64_t, "queued");
    FILL_NUMBER(virtio_blk_info_set_doorbells, uint64_t, "doorbells");
    FILL_NUMBER(virtio_blk_info_set_notices, uint64_t, "notices");
}

static enum nx_status fill_blk_response(unsigned member, void *buffer, size_t size, size_t *length)
{
    const char *path = "";
    struct capnp_builder message;
    struct virtio_blk_response_builder builder;
    struct virtio_blk_info_builder info;
    enum nx_status status = virtio_blk_response_begin(&message, buffer, size, &builder);
    if (status != NX_OK)
        return status;
    FILL_NUMBER(virtio_blk_response_set_status, uint16_t, "status");
    switch ((enum virtio_blk_response_which)member) {
    case VIRTIO_BLK_RESPONSE_EMPTY:
        virtio_blk_response_set_empty(&builder);
        break;
    case VIRTIO_BLK_RESPONSE_INFO:
        FILL(virtio_blk_response_init_info(&builder, &info));
        if (status == NX_OK)
            fill_blk_info(info);
        break;
    case VIRTIO_BLK_RESPONSE_READ:
        virtio_blk_response_init_read(&builder);
        FILL_NUMBER(virtio_blk_response_set_read_bytes_read, uint32_t, "read.bytesRead");
        FILL_TEXT(virtio_blk_response_set_read_reason, "read.reason");
        break;
    case VIRTIO_BLK_RESPONSE_OPEN_QUEUE:
        virtio_blk_response_init_open_queue(&builder);
        FILL_NUMBER(virtio_blk_response_set_open_queue_doorbell_bit, uint8_t,
                    "openQueue.doorbellBit");
        break;
    case VIRTIO_BLK_RESPONSE_ATTACH:
        virtio_blk_response_init_attach(&builder);
        FILL_NUMBER(virtio_blk_response_set_attach_slot, uint16_t, "attach.slot");
        break;
    }
    *length = capnp_builder_bytes(&message);
    return status;
}

// --- package_fs ---

static void dump_fs_request(struct dump *dump, const struct package_fs_request_reader *reader)
{
    enum package_fs_request_which which = package_fs_request_which(reader);
    DUMP_NUMBER("which", known(which, 7));
    switch (which) {
    case PACKAGE_FS_REQUEST_STATUS:
        DUMP_NUMBER("status", 0);
        break;
    case PACKAGE_FS_REQUEST_OPEN:
        DUMP_BYTES("open.path", capnp_text, package_fs_request_open_path);
        DUMP_NUMBER("open.release", package_fs_request_open_release(reader));
        break;
    case PACKAGE_FS_REQUEST_FETCH:
        DUMP_NUMBER("fetch.node", package_fs_request_fetch_node(reader));
        DUMP_NUMBER("fetch.offset", package_fs_request_fetch_offset(reader));
        DUMP_NUMBER("fetch.length", package_fs_request_fetch_length(reader));
        break;
    case PACKAGE_FS_REQUEST_CLOSE:
        DUMP_NUMBER("close.node", package_fs_request_close_node(reader));
        break;
    case PACKAGE_FS_REQUEST_STAT:
        DUMP_BYTES("stat.path", capnp_text, package_fs_request_stat_path);
        break;
    case PACKAGE_FS_REQUEST_LIST:
        DUMP_BYTES("list.path", capnp_text, package_fs_request_list_path);
        DUMP_NUMBER("list.cookie", package_fs_request_list_cookie(reader));
        break;
    case PACKAGE_FS_REQUEST_READ_LINK:
        DUMP_BYTES("readLink.path", capnp_text, package_fs_request_read_link_path);
        break;
    }
}

static void dump_fs_entry(struct dump *dump, const struct capnp_list *list, uint32_t index)
{
    struct package_fs_entry_reader entry;
    enum nx_status status = package_fs_entry_at(list, index, &entry);
    if (status != NX_OK) {
        dump_error(dump, (int)status);
        return;
    }
    const struct package_fs_entry_reader *reader = &entry;
    DUMP_BYTES("name", capnp_text, package_fs_entry_name);
    DUMP_NUMBER("node", package_fs_entry_node(reader));
    DUMP_NUMBER("size", package_fs_entry_size(reader));
    DUMP_NUMBER("type", package_fs_entry_type(reader));
}

static void dump_fs_report(struct dump *dump, const struct package_fs_report_reader *reader)
{
    DUMP_NUMBER("source", package_fs_report_source(reader));
    DUMP_NUMBER("blocks", package_fs_report_blocks(reader));
    DUMP_NUMBER("blockSize", package_fs_report_block_size(reader));
    DUMP_NUMBER("reads", package_fs_report_reads(reader));
    DUMP_NUMBER("cacheHits", package_fs_report_cache_hits(reader));
    DUMP_NUMBER("cacheMisses", package_fs_report_cache_misses(reader));
    DUMP_NUMBER("ioErrors", package_fs_report_io_errors(reader));
    DUMP_NUMBER("verifiedBlocks", package_fs_report_verified_blocks(reader));
    DUMP_NUMBER("openFiles", package_fs_report_open_files(reader));
    DUMP_NUMBER("imageVersion", package_fs_report_image_version(reader));
    DUMP_NUMBER("hashErrors", package_fs_report_hash_errors(reader));
}

static void dump_fs_response(struct dump *dump, const struct package_fs_response_reader *reader)
{
    enum package_fs_response_which which = package_fs_response_which(reader);
    DUMP_NUMBER("status", package_fs_response_status(reader));
    DUMP_NUMBER("which", known(which, 7));
    switch (which) {
    case PACKAGE_FS_RESPONSE_EMPTY:
        DUMP_NUMBER("empty", 0);
        break;
    case PACKAGE_FS_RESPONSE_REPORT:
        DUMP_STRUCT("report", package_fs_report_reader, package_fs_response_report, dump_fs_report);
        break;
    case PACKAGE_FS_RESPONSE_OPEN:
        DUMP_NUMBER("open.node", package_fs_response_open_node(reader));
        DUMP_NUMBER("open.size", package_fs_response_open_size(reader));
        DUMP_NUMBER("open.mode", package_fs_response_open_mode(reader));
        DUMP_NUMBER("open.type", package_fs_response_open_type(reader));
        DUMP_NUMBER("open.valid", package_fs_response_open_valid(reader));
        break;
    case PACKAGE_FS_RESPONSE_FETCH:
        DUMP_NUMBER("fetch.offset", package_fs_response_fetch_offset(reader));
        DUMP_NUMBER("fetch.length", package_fs_response_fetch_length(reader));
        break;
    case PACKAGE_FS_RESPONSE_STAT:
        DUMP_NUMBER("stat.node", package_fs_response_stat_node(reader));
        DUMP_NUMBER("stat.size", package_fs_response_stat_size(reader));
        DUMP_NUMBER("stat.modifiedSeconds", package_fs_response_stat_modified_seconds(reader));
        DUMP_NUMBER("stat.links", package_fs_response_stat_links(reader));
        DUMP_NUMBER("stat.mode", package_fs_response_stat_mode(reader));
        DUMP_NUMBER("stat.type", package_fs_response_stat_type(reader));
        break;
    case PACKAGE_FS_RESPONSE_LIST:
        DUMP_LIST("list.entries", package_fs_response_list_entries, dump_fs_entry);
        DUMP_NUMBER("list.nextCookie", package_fs_response_list_next_cookie(reader));
        DUMP_NUMBER("list.done", package_fs_response_list_done(reader));
        break;
    case PACKAGE_FS_RESPONSE_READ_LINK:
        DUMP_BYTES("readLink.target", capnp_text, package_fs_response_read_link_target);
        break;
    }
}

static enum nx_status fill_fs_request(unsigned member, void *buffer, size_t size, size_t *length)
{
    const char *path = "";
    struct capnp_builder message;
    struct package_fs_request_builder builder;
    enum nx_status status = package_fs_request_begin(&message, buffer, size, &builder);
    if (status != NX_OK)
        return status;
    switch ((enum package_fs_request_which)member) {
    case PACKAGE_FS_REQUEST_STATUS:
        package_fs_request_set_status(&builder);
        break;
    case PACKAGE_FS_REQUEST_OPEN:
        package_fs_request_init_open(&builder);
        FILL_TEXT(package_fs_request_set_open_path, "open.path");
        FILL_NUMBER(package_fs_request_set_open_release, uint64_t, "open.release");
        break;
    case PACKAGE_FS_REQUEST_FETCH:
        package_fs_request_init_fetch(&builder);
        FILL_NUMBER(package_fs_request_set_fetch_node, uint64_t, "fetch.node");
        FILL_NUMBER(package_fs_request_set_fetch_offset, uint64_t, "fetch.offset");
        FILL_NUMBER(package_fs_request_set_fetch_length, uint64_t, "fetch.length");
        break;
    case PACKAGE_FS_REQUEST_CLOSE:
        package_fs_request_init_close(&builder);
        FILL_NUMBER(package_fs_request_set_close_node, uint64_t, "close.node");
        break;
    case PACKAGE_FS_REQUEST_STAT:
        package_fs_request_init_stat(&builder);
        FILL_TEXT(package_fs_request_set_stat_path, "stat.path");
        break;
    case PACKAGE_FS_REQUEST_LIST:
        package_fs_request_init_list(&builder);
        FILL_TEXT(package_fs_request_set_list_path, "list.path");
        FILL_NUMBER(package_fs_request_set_list_cookie, uint64_t, "list.cookie");
        break;
    case PACKAGE_FS_REQUEST_READ_LINK:
        package_fs_request_init_read_link(&builder);
        FILL_TEXT(package_fs_request_set_read_link_path, "readLink.path");
        break;
    }
    *length = capnp_builder_bytes(&message);
    return status;
}

static void fill_fs_report(struct package_fs_report_builder builder)
{
    const char *path = "report";
    FILL_ENUM(package_fs_report_set_source, package_fs_source, 3, "source");
    FILL_NUMBER(package_fs_report_set_blocks, uint64_t, "blocks");
    FILL_NUMBER(package_fs_report_set_block_size, uint32_t, "blockSize");
    FILL_NUMBER(package_fs_report_set_reads, uint64_t, "reads");
    FILL_NUMBER(package_fs_report_set_cache_hits, uint64_t, "cacheHits");
    FILL_NUMBER(package_fs_report_set_cache_misses, uint64_t, "cacheMisses");
    FILL_NUMBER(package_fs_report_set_io_errors, uint64_t, "ioErrors");
    FILL_NUMBER(package_fs_report_set_verified_blocks, uint64_t, "verifiedBlocks");
    FILL_NUMBER(package_fs_report_set_open_files, uint32_t, "openFiles");
    FILL_NUMBER(package_fs_report_set_image_version, uint64_t, "imageVersion");
    FILL_NUMBER(package_fs_report_set_hash_errors, uint64_t, "hashErrors");
}

static enum nx_status fill_fs_entry(const struct capnp_list_builder *list, uint32_t index,
                                    const char *path)
{
    struct package_fs_entry_builder builder;
    enum nx_status status = package_fs_entry_builder_at(list, index, &builder);
    if (status != NX_OK)
        return status;
    FILL_TEXT(package_fs_entry_set_name, "name");
    FILL_NUMBER(package_fs_entry_set_node, uint64_t, "node");
    FILL_NUMBER(package_fs_entry_set_size, uint64_t, "size");
    FILL_ENUM(package_fs_entry_set_type, package_fs_file_type, 4, "type");
    return status;
}

static enum nx_status fill_fs_answer(unsigned member, struct package_fs_response_builder builder)
{
    const char *path = "";
    enum nx_status status = NX_OK;
    struct package_fs_report_builder report;
    switch ((enum package_fs_response_which)member) {
    case PACKAGE_FS_RESPONSE_EMPTY:
        package_fs_response_set_empty(&builder);
        break;
    case PACKAGE_FS_RESPONSE_REPORT:
        FILL(package_fs_response_init_report(&builder, &report));
        if (status == NX_OK)
            fill_fs_report(report);
        break;
    case PACKAGE_FS_RESPONSE_OPEN:
        package_fs_response_init_open(&builder);
        FILL_NUMBER(package_fs_response_set_open_node, uint64_t, "open.node");
        FILL_NUMBER(package_fs_response_set_open_size, uint64_t, "open.size");
        FILL_NUMBER(package_fs_response_set_open_mode, uint16_t, "open.mode");
        FILL_ENUM(package_fs_response_set_open_type, package_fs_file_type, 4, "open.type");
        FILL_NUMBER(package_fs_response_set_open_valid, uint64_t, "open.valid");
        break;
    case PACKAGE_FS_RESPONSE_FETCH:
        package_fs_response_init_fetch(&builder);
        FILL_NUMBER(package_fs_response_set_fetch_offset, uint64_t, "fetch.offset");
        FILL_NUMBER(package_fs_response_set_fetch_length, uint64_t, "fetch.length");
        break;
    case PACKAGE_FS_RESPONSE_STAT:
        package_fs_response_init_stat(&builder);
        FILL_NUMBER(package_fs_response_set_stat_node, uint64_t, "stat.node");
        FILL_NUMBER(package_fs_response_set_stat_size, uint64_t, "stat.size");
        FILL_NUMBER(package_fs_response_set_stat_modified_seconds, uint64_t,
                    "stat.modifiedSeconds");
        FILL_NUMBER(package_fs_response_set_stat_links, uint32_t, "stat.links");
        FILL_NUMBER(package_fs_response_set_stat_mode, uint16_t, "stat.mode");
        FILL_ENUM(package_fs_response_set_stat_type, package_fs_file_type, 4, "stat.type");
        break;
    case PACKAGE_FS_RESPONSE_LIST:
        package_fs_response_init_list(&builder);
        FILL_LIST(package_fs_response_init_list_entries, "list.entries", fill_fs_entry);
        FILL_NUMBER(package_fs_response_set_list_next_cookie, uint64_t, "list.nextCookie");
        FILL_BOOL(package_fs_response_set_list_done, "list.done");
        break;
    case PACKAGE_FS_RESPONSE_READ_LINK:
        package_fs_response_init_read_link(&builder);
        FILL_TEXT(package_fs_response_set_read_link_target, "readLink.target");
        break;
    }
    return status;
}

static enum nx_status fill_fs_response(unsigned member, void *buffer, size_t size, size_t *length)
{
    const char *path = "";
    struct capnp_builder message;
    struct package_fs_response_builder builder;
    enum nx_status status = package_fs_response_begin(&message, buffer, size, &builder);
    if (status != NX_OK)
        return status;
    FILL_NUMBER(package_fs_response_set_status, uint16_t, "status");
    FILL(fill_fs_answer(member, builder));
    *length = capnp_builder_bytes(&message);
    return status;
}

// --- the roots ---

DUMP_ROOT(dump_blk_request_root, virtio_blk_request, dump_blk_request)
DUMP_ROOT(dump_blk_response_root, virtio_blk_response, dump_blk_response)
DUMP_ROOT(dump_fs_request_root, package_fs_request, dump_fs_request)
DUMP_ROOT(dump_fs_response_root, package_fs_response, dump_fs_response)

const struct ours ours_storage[] = {
    {"virtio_blk.capnp:Request", fill_blk_request, dump_blk_request_root},
    {"virtio_blk.capnp:Response", fill_blk_response, dump_blk_response_root},
    {"package_fs.capnp:Request", fill_fs_request, dump_fs_request_root},
    {"package_fs.capnp:Response", fill_fs_response, dump_fs_response_root},
};
const size_t ours_storage_count = sizeof(ours_storage) / sizeof(ours_storage[0]);
