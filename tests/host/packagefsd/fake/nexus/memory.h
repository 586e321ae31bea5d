// SPDX-License-Identifier: Apache-2.0
// Memory objects: all that the file cache needs is in system.h.
#include "system.h"
