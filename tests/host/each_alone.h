// SPDX-License-Identifier: Apache-2.0
// Runs each cmocka test in a process of its own, for code that keeps its state until its process
// ends.
#ifndef TESTS_EACH_ALONE_H
#define TESTS_EACH_ALONE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

// cmocka.h wants the four at the top first.
#include <cmocka.h>

// How many of them failed: the program's exit status.
static inline int each_alone(const char *name, const struct CMUnitTest *tests, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        int status = EXIT_FAILURE;
        (void)fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            exit(_cmocka_run_group_tests(name, &tests[i], 1, NULL, NULL));
        }
        failed += child < 0 || waitpid(child, &status, 0) != child || status != 0;
    }
    return failed;
}

#endif
