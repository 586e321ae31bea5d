// SPDX-License-Identifier: Apache-2.0
// selftest-client: proves from user space that the system does what its markers say.
//
//   selftest-client             every test of the table; one line each, exit status 1 on a failure
//   selftest-client --measure   instruction counts of system calls and messages (measure.c)
#include "nexus/log.h"
#include "selftest.h"
#include <stdlib.h>

struct test {
    const char *name; // of its marker
    enum test_outcome (*run)(struct test_report *report);
};

// Adding a test is one row.
static const struct test tests[] = {
    {"bringup uart early+userspace", test_uart},
    {"bringup plic+timer", test_plic_timer},
    {"smp per-hart ticks", test_hart_ticks},
    {"smp ipi", test_ipi},
    {"syscall refusals", test_refusals},
    {"ipc", test_ipc},
    {"memory", test_memory},
    {"fpu", test_fpu},
    {"hart stop+start", test_hart_stop},
    {"quiet harts", test_quiet_harts},
    {"races", test_races},
    {"pkgfs virtio ro", test_package_disk},
    {"block queue", test_block_queue},
    {"pkgfs fixtures ro", test_package_fixtures},
};

static bool test_passes(const struct test *test)
{
    struct test_report report = {.reason = ""};

    switch (test->run(&report)) {
    case TEST_PASS:
        nx_log("SELFTEST: %s ok", test->name);
        return true;
    case TEST_SKIP:
        return true;
    default:
        nx_log("SELFTEST: %s FAIL reason=%s", test->name, report.reason);
        return false;
    }
}

int main(int argc, char **argv)
{
    int failures = 0;

    if (argc == 2 && strcmp(argv[1], "--measure") == 0) {
        return measure_run();
    }
    if (argc > 1) {
        nx_log("usage: selftest-client [--measure]");
        return EXIT_FAILURE;
    }
    if (nx_start_handle(NX_START_MACHINE) == NX_HANDLE_NONE) {
        nx_log("selftest-client: it needs what nexus-init grants it: boot with nexus.selftest=1");
        return EXIT_FAILURE;
    }
    // The tests wait with deadlines, which need a timer that works: the boot hart's, as everything
    // before this has shown. A fault of another hart then ends in a reason, not in silence.
    if (nx_thread_control(NX_HANDLE_NONE, NX_THREAD_SET_AFFINITY, 1, 0) != NX_OK) {
        nx_log("SELFTEST: setup FAIL reason=cannot stay on the boot hart");
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        failures += test_passes(&tests[i]) ? 0 : 1;
    }
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
