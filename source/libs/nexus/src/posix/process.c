// SPDX-License-Identifier: Apache-2.0
// Signals, as far as a program has them: raise(), and so abort() and assert(), end it.
//
// picolibc keeps the handlers that signal() sets; a signal without one comes here through kill().
// A program knows no process but itself.
#include "posix.h"
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define SELF           1
#define EXIT_BY_SIGNAL 128 // plus the signal's number, as shells report it

pid_t getpid(void)
{
    return SELF;
}

int kill(pid_t process, int signal_number)
{
    if (process != SELF) {
        errno = ESRCH;
        return -1;
    }
    if (signal_number == 0) { // asks only whether the process exists
        return 0;
    }
    posix_log_stream_flush(); // an assertion's text, even without its line end
    _exit(EXIT_BY_SIGNAL + signal_number);
}
