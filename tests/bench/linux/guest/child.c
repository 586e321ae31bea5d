// SPDX-License-Identifier: Apache-2.0
// The program that the row spawn-wait starts: 64 KiB of file, no C library, straight to its exit.
#include "subject.h"

#include <sys/syscall.h>

enum { FILE_BYTES = 64 * 1024 };

__attribute__((used)) static const char filling[FILE_BYTES] = {1};

_Noreturn void _start(void);

_Noreturn void _start(void)
{
    for (;;) {
        system_call(SYS_exit_group, 0, 0, 0);
    }
}
