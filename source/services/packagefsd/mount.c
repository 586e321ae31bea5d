// SPDX-License-Identifier: Apache-2.0
// Mounting: what must be read before pkg:// is said to be there.
#include "mount.h"
#include "nexus/log.h"
#include "nexus/mark.h"
#include "nexus/process.h"

static enum nx_status root_list(const struct erofs *fs)
{
    struct erofs_inode root;
    struct erofs_entry entry;
    uint64_t cookie = 0;

    enum nx_status status = erofs_inode_load(fs, fs->root_nid, &root);
    while (status == NX_OK) { // ends: each step moves the cookie on in a directory of known size
        status = erofs_directory_next(fs, &root, &cookie, &entry);
    }
    return status == NX_ERR_NOT_FOUND ? NX_OK : status;
}

static enum nx_status file_system_open(struct mount *mount, const char **refusal)
{
    struct erofs_source source = {
        .read = image_read,
        .context = &mount->image,
        .size = mount->image.size,
    };
    enum erofs_refusal erofs_refusal;

    enum nx_status status = erofs_mount(&mount->fs, &source, &erofs_refusal);
    *refusal = erofs_refusal_name(erofs_refusal);
    if (status == NX_OK && (1u << mount->fs.block_bits) < mount->image.unit) {
        *refusal = "blocks-smaller-than-sectors";
        return NX_ERR_UNSUPPORTED;
    }
    if (status == NX_OK) {
        *refusal = "root-listing";
        status = root_list(&mount->fs);
    }
    return status;
}

// Whether the image itself is at fault, not the way to it.
static bool is_format(enum nx_status status)
{
    return status == NX_ERR_BAD_FORMAT || status == NX_ERR_TRUNCATED || status == NX_ERR_HASH ||
           status == NX_ERR_UNSUPPORTED || status == NX_ERR_OUT_OF_RANGE;
}

enum nx_status mount_open(struct mount *mount)
{
    const char *refusal = "source";
    enum nx_status status = image_open(&mount->image);

    if (status == NX_OK) {
        status = file_system_open(mount, &refusal);
    }
    if (status != NX_OK) {
        nx_log("pkgfs: refused reason=%s detail=%s status=%s", is_format(status) ? "format" : "io",
               refusal, nx_status_text(status));
        return status;
    }
    NX_MARK(NX_MARK_MOUNTED);
    nx_log("pkgfs: mounted from %s ro", mount->image.source == PACKAGE_FS_SOURCE_VIRTIO_BLK
                                            ? "virtio-blk"
                                            : "in-memory fixtures");
    return NX_OK;
}
