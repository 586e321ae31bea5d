// SPDX-License-Identifier: Apache-2.0
// The virtio-blk driver library against the device model: all groups of checks. With an argument,
// --catalogue, it prints the table of hostile devices instead.
#include "fixture.h"

#include <string.h>

int main(int argument_count, char **arguments)
{
    if (argument_count == 2 && strcmp(arguments[1], "--catalogue") == 0) {
        hostile_print();
        return 0;
    }
    int failed = run_virtqueue();
    failed += run_reads() + run_patience();
    failed += run_life_cycle();
    failed += run_refusals();
    failed += run_hostile();
    return failed == 0 ? 0 : 1;
}
