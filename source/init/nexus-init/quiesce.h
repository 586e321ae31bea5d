// SPDX-License-Identifier: Apache-2.0
// Devices whose driver has died: docs/adr/0016-a-driver-is-held-until-its-device-is-still.md.
#ifndef INIT_QUIESCE_H
#define INIT_QUIESCE_H

#include "machine.h"

#include <stdbool.h>

// Makes a device harmless after its driver has died: no DMA of the dead driver's goes on, and no
// interrupt of its is left unanswered. Takes up to a second. False: it does not reset, and may
// write to memory for ever.
NX_MUST_CHECK bool device_quiesce(enum device_id id);

#endif
