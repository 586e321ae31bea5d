// SPDX-License-Identifier: Apache-2.0
// The catalogue of hostile devices as a whole: one check for each case and transport, and the table
// for people.
#include "hostile.h"

#include <stdio.h>

static struct hostile_case cases[HOSTILE_CASES_MAX];

void reads_submit(struct bench *bench, struct read *reads, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        read_prepare(&reads[index], 8 * index, 8, index);
        read_submit(bench, &reads[index]);
    }
    virtio_blk_kick(&bench->device);
}

void serves_again(struct bench *bench)
{
    struct read read;
    read_prepare(&read, 40, 8, 7);
    assert_status(bench_read(bench, &read), NX_OK);
    assert_content(bench, &read);
}

size_t life_cases_fill(struct hostile_case *filled, const struct life_case *rows, size_t count)
{
    for (size_t row = 0; row < count; row++) {
        filled[row] = (struct hostile_case){
            .moment = "life",
            .device = rows[row].device,
            .transports = BOTH,
            .run = rows[row].run,
        };
        snprintf(filled[row].outcome, sizeof(filled[row].outcome), "%s", rows[row].outcome);
    }
    return count;
}

static size_t cases_collect(void)
{
    size_t count = hostile_attach_cases(cases);
    count += hostile_serve_cases(cases + count);
    count += hostile_life_cases(cases + count);
    return count + hostile_ring_cases(cases + count);
}

struct check {
    const struct hostile_case *hostile;
    uint32_t version;
    char name[128];
};

static void test_case(void **state)
{
    const struct check *check = *state;
    check->hostile->run(check->hostile->row, check->version);
}

int run_hostile(void)
{
    static struct check checks[2 * HOSTILE_CASES_MAX];
    static struct CMUnitTest tests[2 * HOSTILE_CASES_MAX];
    size_t case_count = cases_collect();
    size_t count = 0;
    for (size_t number = 0; number < case_count; number++) {
        for (uint32_t version = 1; version <= 2; version++) {
            const struct hostile_case *hostile = &cases[number];
            struct check *check = &checks[count];
            if ((hostile->transports & version) == 0) {
                continue;
            }
            *check = (struct check){.hostile = hostile, .version = version};
            snprintf(check->name, sizeof(check->name), "%zu %s, %s: %s", number + 1,
                     version == 1 ? "legacy" : "modern", hostile->moment, hostile->device);
            tests[count++] = (struct CMUnitTest){
                .name = check->name, .test_func = test_case, .initial_state = check};
        }
    }
    return _cmocka_run_group_tests("virtio-blk hostile devices", tests, count, NULL, NULL);
}

void hostile_print(void)
{
    static const char *const transports[] = {
        [LEGACY] = "legacy", [MODERN] = "modern", [BOTH] = "both"};
    size_t count = cases_collect();
    for (size_t number = 0; number < count; number++) {
        const struct hostile_case *hostile = &cases[number];
        printf("| %zu | %s | %s | %s | %s |\n", number + 1, hostile->moment, hostile->device,
               transports[hostile->transports], hostile->outcome);
    }
}
