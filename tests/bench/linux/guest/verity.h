// SPDX-License-Identifier: Apache-2.0
// The disk's file system through dm-verity.
#pragma once

// Mounts it at `where`, which is made. 0, or a negative errno: -ENOENT where the boot did not ask
// for it or the kernel has no device mapper.
int verity_mount(const char *where);
