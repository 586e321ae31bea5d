// SPDX-License-Identifier: Apache-2.0
// The first process: nexus-init, loaded from the boot archive.
#ifndef NEURON_BOOTSTRAP_H
#define NEURON_BOOTSTRAP_H

// Creates nexus-init with every machine right and all free memory as its budget, and makes its
// first thread ready. Panics with the reason when the archive or the program is missing or
// malformed.
void bootstrap_start_init(void);

#endif
