// SPDX-License-Identifier: Apache-2.0
// What this machine is: the devices that the device tree names and the boot arguments.
//
// Everything here is found once, at start, and constant afterwards.
#ifndef INIT_MACHINE_H
#define INIT_MACHINE_H

#include "nexus/status.h"
#include "nexus/system.h"

enum device_id {
    DEVICE_NONE,
    DEVICE_UART,  // the console that /chosen names
    DEVICE_BLOCK, // the virtio block device
    DEVICE_COUNT
};

enum device_presence {
    DEVICE_ABSENT,   // the machine has none
    DEVICE_UNUSABLE, // it has one, or may have one, that no driver can be given
    DEVICE_PRESENT
};

// A device as one driver gets it: a window of registers and one interrupt source, nothing else.
struct device {
    enum device_presence presence;
    uint64_t base; // physical
    uint64_t size; // bytes
    uint32_t interrupt_number;
    nx_handle window;    // device memory
    nx_handle interrupt; // kept over restarts of the driver
};

// Reads the tree that the kernel handed over and creates the objects of each device found. A device
// that is missing is reported, not an error. The block device is ABSENT only when every virtio
// window of the tree was looked into and says that it holds none.
NX_MUST_CHECK enum nx_status machine_discover(void);

const struct device *machine_device(enum device_id id);

// /chosen/bootargs, "" when there is none.
const char *machine_bootargs(void);

// NX_HART_EXTENSION_* for programs.
uint32_t machine_hart_extensions(void);
// Harts that the tree has and that may be used, at most NX_HARTS_MAX.
uint32_t machine_hart_count(void);

// The tree was wrong about them: a service met an illegal instruction. Programs get none from now
// on.
void machine_distrust_hart_extensions(void);

__attribute__((noreturn)) void machine_power_off(void);

#endif
