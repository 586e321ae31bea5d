// SPDX-License-Identifier: Apache-2.0
// Threads and processes: create and join a thread; start a static 64 KiB program and wait for it.
#include "subject.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static char token; // its address is what a thread returns
enum { SPAWN_ROUNDS = 1000 };

static const char child_path[] = "/bin/child";

static void *thread_body(void *argument)
{
    return argument;
}

static int thread_round(void)
{
    pthread_t thread;
    void *result = NULL;
    int error = pthread_create(&thread, NULL, thread_body, &token);
    if (error == 0) {
        error = pthread_join(thread, &result);
    }
    return error == 0 && result != &token ? -EBADMSG : -error;
}

// The child runs on this frame until it replaces itself; nothing here changes meanwhile.
static pid_t start_child(void)
{
    char *const arguments[] = {(char *)child_path, NULL};
    char *const environment[] = {NULL};
    pid_t child = vfork();
    if (child == 0) {
        execve(child_path, arguments, environment);
        _exit(1);
    }
    return child;
}

static int spawn_round(void)
{
    pid_t child = start_child();
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return -errno;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBADMSG;
}

const struct subject process_subjects[] = {
    {.name = "thread", .rounds = LAPS, .round = thread_round},
    {.name = "spawn", .rounds = SPAWN_ROUNDS, .round = spawn_round},
    {.name = NULL},
};
