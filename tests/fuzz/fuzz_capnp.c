// SPDX-License-Identifier: Apache-2.0
// Fuzzing of the Cap'n Proto reader: any bytes as a message of any of the schemas' roots.
//
// The first byte chooses the root; the rest is the message, in a heap buffer of exactly its size.
// Every field is read through the generated accessors, as in tests/host/capnp. Links with
// ours_services.c, ours_everything.c and dump.c from there, and with the runtime.
#include <stdlib.h>
#include <string.h>

#include "ours.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dump dump;
    if (size < 1)
        return 0;
    size_t choice = data[0] % (ours_services_count + ours_everything_count);
    size_t length = size - 1;
    void *exact = malloc(length != 0 ? length : 1);
    if (exact == NULL)
        abort();
    memcpy(exact, data + 1, length);
    const struct ours *root = choice < ours_services_count
                                  ? &ours_services[choice]
                                  : &ours_everything[choice - ours_services_count];
    root->dump(exact, length, &dump);
    free(exact);
    return 0;
}
