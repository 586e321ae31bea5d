// SPDX-License-Identifier: Apache-2.0
// System calls and messages: the null system call, round trips between two processes, yield.
#include "subject.h"

#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 64 };

static pid_t partner = -1;
static int to_partner = -1;   // written by this process
static int from_partner = -1; // read by this process

static int null_round(void)
{
    return system_call(SYS_getppid, 0, 0, 0) > 0 ? 0 : -EPROTO;
}

// The partner answers each message of `size` bytes with as many until it is killed.
static _Noreturn void answer(int in, int out, size_t size)
{
    char message[MESSAGE_BYTES];
    for (;;) {
        if (system_call(SYS_read, in, (long)message, (long)size) != (long)size ||
            system_call(SYS_write, out, (long)message, (long)size) != (long)size) {
            _exit(1);
        }
    }
}

static void ipc_finish(void)
{
    if (partner > 0) {
        kill(partner, SIGKILL);
        waitpid(partner, NULL, 0);
        partner = -1;
    }
    if (to_partner >= 0) {
        close(to_partner);
    }
    if (from_partner >= 0 && from_partner != to_partner) {
        close(from_partner);
    }
    to_partner = from_partner = -1;
}

static char sent[MESSAGE_BYTES] = {1};
static char answered[MESSAGE_BYTES];

static inline int round_trip(size_t size)
{
    if (system_call(SYS_write, to_partner, (long)sent, (long)size) != (long)size ||
        system_call(SYS_read, from_partner, (long)answered, (long)size) != (long)size) {
        return -EPIPE;
    }
    return 0;
}

static int answer_check(void)
{
    return answered[0] == sent[0] ? 0 : -EBADMSG;
}

// Takes the four descriptors; each side keeps its own two.
static int start_partner(int partner_in, int partner_out, int own_out, int own_in, size_t size)
{
    partner = fork();
    if (partner < 0) {
        return -errno;
    }
    if (partner == 0) {
        answer(partner_in, partner_out, size);
    }
    to_partner = own_out;
    from_partner = own_in;
    // The first trip pays for page faults.
    return round_trip(size);
}

static int pipe_start(size_t size)
{
    int there[2], back[2];
    if (pipe(there) != 0 || pipe(back) != 0) {
        return -errno;
    }
    int status = start_partner(there[0], back[1], there[1], back[0], size);
    close(there[0]);
    close(back[1]);
    return status;
}

static int pipe_prepare(void)
{
    return pipe_start(1);
}

static int pipe_round(void)
{
    return round_trip(1);
}

static int pipe_64_prepare(void)
{
    return pipe_start(MESSAGE_BYTES);
}

static int pipe_64_round(void)
{
    return round_trip(MESSAGE_BYTES);
}

static int eventfd_prepare(void)
{
    int there = eventfd(0, 0), back = eventfd(0, 0);
    if (there < 0 || back < 0) {
        return -errno;
    }
    return start_partner(there, back, there, back, sizeof(uint64_t));
}

static int eventfd_round(void)
{
    return round_trip(sizeof(uint64_t));
}

static int seqpacket_prepare(void)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) {
        return -errno;
    }
    int status = start_partner(ends[1], ends[1], ends[0], ends[0], MESSAGE_BYTES);
    close(ends[1]);
    return status;
}

static int seqpacket_round(void)
{
    return round_trip(MESSAGE_BYTES);
}

static long switches_before;

static long switches_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw + usage.ru_nivcsw;
}

static int yield_prepare(void)
{
    partner = fork();
    if (partner < 0) {
        return -errno;
    }
    while (partner == 0) {
        system_call(SYS_sched_yield, 0, 0, 0);
    }
    switches_before = switches_now();
    return 0;
}

// The partner yields back: two switches.
static int yield_round(void)
{
    system_call(SYS_sched_yield, 0, 0, 0);
    return 0;
}

// Each round must have been one switch away and one back, up to what the timer does.
static int yield_check(void)
{
    long switches = switches_now() - switches_before;
    return switches >= LAPS && switches <= LAPS + LAPS / 50 ? 0 : -EPROTO;
}

const struct subject ipc_subjects[] = {
    {.name = "null-call", .rounds = LAPS, .round = null_round},
    {.name = "pipe",
     .rounds = LAPS,
     .prepare = pipe_prepare,
     .round = pipe_round,
     .check = answer_check,
     .finish = ipc_finish},
    {.name = "pipe-64",
     .rounds = LAPS,
     .prepare = pipe_64_prepare,
     .round = pipe_64_round,
     .check = answer_check,
     .finish = ipc_finish},
    {.name = "eventfd",
     .rounds = LAPS,
     .prepare = eventfd_prepare,
     .round = eventfd_round,
     .check = answer_check,
     .finish = ipc_finish},
    {.name = "seqpacket-64",
     .rounds = LAPS,
     .prepare = seqpacket_prepare,
     .round = seqpacket_round,
     .check = answer_check,
     .finish = ipc_finish},
    {.name = "yield",
     .rounds = LAPS,
     .prepare = yield_prepare,
     .round = yield_round,
     .check = yield_check,
     .finish = ipc_finish},
    {.name = NULL},
};
