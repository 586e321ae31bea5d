// SPDX-License-Identifier: Apache-2.0
// The virtio-blk driver library against the device model: all groups of checks.
#include "fixture.h"

int main(void)
{
    int failed = run_virtqueue();
    failed += run_reads() + run_patience();
    failed += run_life_cycle();
    failed += run_refusals();
    failed += run_hostile();
    failed += run_hostile_behaviour();
    return failed == 0 ? 0 : 1;
}
