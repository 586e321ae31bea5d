// SPDX-License-Identifier: Apache-2.0
// Mounting: what must be read before pkg:// is said to be there.
#include "mount.h"
#include "nexus/log.h"
#include "nexus/mark.h"
#include "nexus/process.h"
#include <string.h>

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
        *refusal = "blocks-smaller-than-hashed";
        return NX_ERR_UNSUPPORTED;
    }
    if (status == NX_OK) {
        *refusal = "root-listing";
        status = root_list(&mount->fs);
    }
    return status;
}

static void refusal_tell(const struct image_refusal *refusal, enum nx_status status)
{
    if (refusal->reason == NULL) { // the way to it is at fault
        nx_log("pkgfs: not mounted detail=%s status=%s", refusal->detail, nx_status_text(status));
        return;
    }
    nx_log("pkgfs: refused reason=%s detail=%s status=%s", refusal->reason, refusal->detail,
           nx_status_text(status));
}

static void mounted_tell(const struct image *image)
{
    if (image->source != PACKAGE_FS_SOURCE_VIRTIO_BLK) {
        nx_log("pkgfs: mounted from in-memory fixtures ro");
        return;
    }
    uint64_t id;
    memcpy(&id, image->signed_.key_id, sizeof(id)); // as minisign prints it
    nx_log("pkgfs: image signed key=%016llX version=%llu", (unsigned long long)id,
           (unsigned long long)image->signed_.version);
    nx_log("pkgfs: mounted from virtio-blk ro");
}

enum nx_status mount_open(struct mount *mount)
{
    struct image_refusal refusal;
    enum nx_status status = image_open(&mount->image, &refusal);

    if (status == NX_OK) {
        status = file_system_open(mount, &refusal.detail);
        refusal.reason = image_fault_name(status);
    }
    if (status != NX_OK) {
        refusal_tell(&refusal, status);
        return status;
    }
    NX_MARK(NX_MARK_MOUNTED);
    mounted_tell(&mount->image);
    return NX_OK;
}
