// SPDX-License-Identifier: Apache-2.0
// Marks for a plugin of QEMU: on the host nobody looks.
#ifndef NEXUS_MARK_H
#define NEXUS_MARK_H

#define NX_MARK_MOUNTED     6
#define NX_MARK_CHECK_BEGIN 9
#define NX_MARK_CHECK_END   10

#define NX_MARK(number) ((void)(number))

#endif
