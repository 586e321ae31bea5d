// SPDX-License-Identifier: Apache-2.0
// What the two files of the device model share. Numbers are written out from virtio 1.2 again.
#ifndef TESTS_VIRTIO_BLK_DEVICE_MODEL_PRIVATE_H
#define TESTS_VIRTIO_BLK_DEVICE_MODEL_PRIVATE_H

#include "device_model.h"

// 2.1
enum {
    S_ACK = 1,
    S_DRIVER = 2,
    S_DRIVER_OK = 4,
    S_FEATURES_OK = 8,
    S_NEEDS_RESET = 64,
    S_FAILED = 128
};

#define BIT(n) (UINT64_C(1) << (n))
enum {
    F_SIZE_MAX = 1,
    F_SEG_MAX = 2,
    F_RO = 5,
    F_BLK_SIZE = 6,
    F_INDIRECT = 28,
    F_EVENT = 29,
    F_V1 = 32
};

static inline bool model_has(const struct device_model *model, int feature)
{
    return (model->accepted & BIT(feature)) != 0;
}

// Notes a rule that the driver broke; the first one stays.
void model_complain(struct device_model *model, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// device_model_queue.c
bool model_queue_live(const struct device_model *model);
void model_queue_fetch(struct device_model *model);
void model_line_raise(struct device_model *model, uint32_t bits);

#endif
