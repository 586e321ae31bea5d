// SPDX-License-Identifier: Apache-2.0
// Fuzzing of the Cap'n Proto reader: any bytes as a message of any of the schemas' roots.
//
// The first byte chooses the root; the rest is the message, in a heap buffer of exactly its size.
// Every field is read through the generated accessors, as in tests/host/capnp.
//
// fuzz-sources: tests/host/capnp/ours_storage.c tests/host/capnp/ours_uart.c
// fuzz-sources: tests/host/capnp/ours_everything.c tests/host/capnp/dump.c
// fuzz-includes: tests/host/capnp build/tests/host/capnp build/schemas
#include <stdlib.h>
#include <string.h>

#include "capnp/ours.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ours *root_at(size_t choice)
{
    if (choice < ours_storage_count)
        return &ours_storage[choice];
    choice -= ours_storage_count;
    return choice < ours_uart_count ? &ours_uart[choice]
                                    : &ours_everything[choice - ours_uart_count];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dump dump;
    if (size < 1)
        return 0;
    size_t choice = data[0] % (ours_storage_count + ours_uart_count + ours_everything_count);
    size_t length = size - 1;
    void *exact = malloc(length != 0 ? length : 1);
    if (exact == NULL)
        abort();
    memcpy(exact, data + 1, length);
    const struct ours *root = root_at(choice);
    root->dump(exact, length, &dump);
    free(exact);
    return 0;
}
