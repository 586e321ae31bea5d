// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target without libFuzzer: every input that is kept, then a fixed number of mutations
// of them, the same on every machine. So each test run replays what was ever found, with gcc alone.
//
// usage: replay RUNS PATH...   a path is an input or a directory of inputs, taken in order of name
//
// A run that fails says which input it was, and keeps it: fuzz-failure in the working directory.
#include <dirent.h>
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUTS_MAX    2000u
#define INPUT_BYTES   65536u // of a mutated input
#define MUTATIONS_MAX 6u
#define SEED          UINT64_C(0x4e65787573) // any number, always the same
#define FAILURE_FILE  "fuzz-failure"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    char *name;
    uint8_t *bytes;
    size_t size;
};

static struct input inputs[INPUTS_MAX];
static size_t input_count;

// What runs at this moment, for the report of a failure.
static const uint8_t *current_bytes;
static size_t current_size;
static const char *current_name;
static unsigned long current_run;

static void die(const char *what, const char *about)
{
    fprintf(stderr, "replay: %s: %s\n", what, about);
    exit(EXIT_FAILURE);
}

// ---- Failures -----------------------------------------------------------------------------------

static void failure_keep(void)
{
    int file = open(FAILURE_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    bool kept = file >= 0 && write(file, current_bytes, current_size) == (ssize_t)current_size;
    fprintf(stderr, "replay: FAILED input=%s run=%lu bytes=%zu kept=%s\n", current_name,
            current_run, current_size, kept ? FAILURE_FILE : "no");
}

static void aborted(int signal_number)
{
    failure_keep();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

// ---- Inputs -------------------------------------------------------------------------------------

static void input_add(const char *path)
{
    struct stat facts;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &facts) != 0) {
        die("cannot read", path);
    }
    if (input_count == INPUTS_MAX) {
        die("more inputs than INPUTS_MAX", path);
    }
    struct input *input = &inputs[input_count++];
    input->size = (size_t)facts.st_size;
    input->bytes = malloc(input->size + 1);
    input->name = strdup(path);
    if (input->bytes == NULL || input->name == NULL ||
        fread(input->bytes, 1, input->size, file) != input->size) {
        die("cannot read", path);
    }
    fclose(file);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void inputs_add(const char *path)
{
    struct stat facts;
    struct dirent **entries;
    if (stat(path, &facts) != 0) {
        die("cannot read", path);
    }
    if (!S_ISDIR(facts.st_mode)) {
        input_add(path);
        return;
    }
    int count = scandir(path, &entries, is_visible, alphasort);
    if (count < 0) {
        die("cannot read", path);
    }
    for (int i = 0; i < count; i++) {
        char child[4096];
        snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);
        inputs_add(child);
        free(entries[i]);
    }
    free(entries);
}

// ---- Mutations ----------------------------------------------------------------------------------

static uint64_t random_state = SEED;

// xorshift64*: good enough to spread, the same everywhere.
static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return limit == 0 ? 0 : (random_state * UINT64_C(0x2545f4914f6cdd1d) >> 16) % limit;
}

// Numbers that lie at borders.
static const uint64_t interesting[] = {
    0,         1,          2,          0x7f,       0x80,
    0xff,      0x100,      0x1000,     0x7fff,     0x8000,
    0xffff,    0x7fffffff, 0x80000000, 0xffffffff, UINT64_C(0x7fffffffffffffff),
    UINT64_MAX};

static void mutate_once(uint8_t *bytes, size_t *size)
{
    size_t at = random_below(*size);
    size_t length = 1 + random_below(8);
    const struct input *other = &inputs[random_below(input_count)];
    uint64_t number = interesting[random_below(sizeof(interesting) / sizeof(interesting[0]))];
    length = length < *size - at ? length : *size - at;
    switch (random_below(7)) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << random_below(8));
        return;
    case 1:
        bytes[at] = (uint8_t)random_below(256);
        return;
    case 2: // a number, little-endian
        memcpy(bytes + at, &number, length);
        return;
    case 3: // the same, big-endian
        number = __builtin_bswap64(number);
        memcpy(bytes + at, (const uint8_t *)&number + 8 - length, length);
        return;
    case 4: // cut the end off
        *size = at + 1;
        return;
    case 5: // take some bytes out
        memmove(bytes + at, bytes + at + length, *size - at - length);
        *size -= length < *size ? length : 0;
        return;
    default: // another input's bytes at the same place
        length = random_below(64);
        for (size_t i = 0; i < length && at + i < *size && at + i < other->size; i++) {
            bytes[at + i] = other->bytes[at + i];
        }
        return;
    }
}

// ---- Running ------------------------------------------------------------------------------------

// In a block of exactly its size, so that a byte too far is noticed.
static void run_one(const uint8_t *bytes, size_t size, const char *name)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL) {
        die("out of memory", name);
    }
    memcpy(exact, bytes, size);
    current_bytes = bytes;
    current_size = size;
    current_name = name;
    current_run++;
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static void run_mutated(void)
{
    static uint8_t bytes[INPUT_BYTES];
    const struct input *input = &inputs[random_below(input_count)];
    size_t size = input->size < INPUT_BYTES ? input->size : INPUT_BYTES;
    memcpy(bytes, input->bytes, size);
    uint64_t mutations = 1 + random_below(MUTATIONS_MAX);
    for (uint64_t i = 0; i < mutations && size > 0; i++) {
        mutate_once(bytes, &size);
    }
    run_one(bytes, size, input->name);
}

int main(int argument_count, char **arguments)
{
    if (argument_count < 3) {
        die("usage", "replay RUNS PATH...");
    }
    for (int i = 2; i < argument_count; i++) {
        inputs_add(arguments[i]);
    }
    if (input_count == 0) {
        die("no inputs", arguments[2]);
    }
    __sanitizer_set_death_callback(failure_keep);
    signal(SIGABRT, aborted);
    for (size_t i = 0; i < input_count; i++) {
        run_one(inputs[i].bytes, inputs[i].size, inputs[i].name);
    }
    run_one((const uint8_t *)"", 0, "nothing");
    unsigned long mutated = strtoul(arguments[1], NULL, 10);
    for (unsigned long i = 0; i < mutated; i++) {
        run_mutated();
    }
    printf("replay: inputs=%zu mutated=%lu failed=0\n", input_count, mutated);
    return EXIT_SUCCESS;
}
