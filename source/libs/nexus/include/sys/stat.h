// SPDX-License-Identifier: Apache-2.0
// picolibc's <sys/stat.h> with the one call that it keeps from systems it does not know.
#ifndef NEXUS_SYS_STAT_H
#define NEXUS_SYS_STAT_H

#include_next <sys/stat.h>

int lstat(const char *__restrict path, struct stat *__restrict result);

#endif
