// SPDX-License-Identifier: Apache-2.0
// misbehave: a program that ends badly, in the way its argument says. Tests run it to see what the
// runtime and nx make of it; whoever writes a program may see here what its mistakes will look
// like.
#include "nexus/registry.h"
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALLOCATION 65536u
#define FAULTING   0x123450u // in no mapping

static int loop(void)
{
    printf("misbehave: looping\n");
    volatile uint64_t rounds = 1;
    while (rounds != 0) {
        rounds++;
    }
    return 0;
}

static int wait_for_input(void)
{
    printf("misbehave: reading\n");
    return getchar() == EOF ? 0 : 1;
}

static int fault(void)
{
    *(volatile uint32_t *)FAULTING = 1;
    return 0;
}

static int fail_assertion(void)
{
    volatile int zero = 0;
    assert(zero != 0);
    return 0;
}

static int fail_by_abort(void)
{
    abort();
}

static int fail_by_raise(void)
{
    return raise(SIGTERM);
}

// Takes all memory there is, uses it, and gives it back.
static int exhaust(void)
{
    void *newest = NULL;
    size_t count = 0;
    for (void **block = malloc(ALLOCATION); block != NULL; block = malloc(ALLOCATION)) {
        memset(block, 0x5a, ALLOCATION);
        *block = newest;
        newest = block;
        count++;
    }
    printf("misbehave: malloc refused after %zu KiB errno=%s\n", count * (ALLOCATION / 1024),
           errno == ENOMEM ? "ENOMEM" : strerror(errno));
    while (newest != NULL) {
        void *next = *(void **)newest;
        free(newest);
        newest = next;
    }
    return count > 0 && malloc(ALLOCATION) != NULL ? 0 : 1;
}

// Asks for what it was given no handle for.
static int kill_service(void)
{
    enum nx_status status = nx_registry_kill("block");
    printf("misbehave: kill of block: %s\n", nx_status_text(status));
    return status == NX_OK ? 0 : 1;
}

static const struct {
    const char *name;
    int (*run)(void);
} ways[] = {
    {"loop", loop},           {"read", wait_for_input},
    {"fault", fault},         {"assert", fail_assertion},
    {"abort", fail_by_abort}, {"raise", fail_by_raise},
    {"exhaust", exhaust},     {"kill", kill_service},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(argv[1], ways[i].name) == 0) {
            return ways[i].run();
        }
    }
    printf("usage: misbehave");
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        printf("%s%s", i == 0 ? " " : "|", ways[i].name);
    }
    printf("\n");
    return 2;
}
