// SPDX-License-Identifier: Apache-2.0
// The other process of a subject: how it is started, and what it does in each role.
#include "bench.h"
#include "nexus/memory.h"
#include <stdatomic.h>
#include <stdlib.h>

#define BENCH_PATH     "pkg://bin/bench"
#define PARTNER_BUDGET 256u // pages
#define HANDLES_KEPT   64u  // that the taker closes in one go, between counted rounds
#define CALLS_A_LOOK   16u  // at the clock
#define GRANTS_MAX     4u
#define GRANTS_LEAST   2u

// ---- Starting and ending ------------------------------------------------------------------------

static enum nx_status partner_spawn(struct partner *partner, const struct partner_options *options)
{
    const char *const words[] = {"bench", "--partner", options->role};
    const struct nx_grant grants[GRANTS_MAX] = {
        {PARTNER_ENDPOINT, partner->endpoint, NX_RIGHT_RECEIVE},
        {PARTNER_NOTIFICATION, partner->notification, NX_RIGHT_WAIT},
        {PARTNER_MEMORY, options->memory, NX_RIGHT_READ | NX_RIGHT_WRITE},
        {PARTNER_SERVER, options->server, NX_RIGHT_CALL},
    };
    const struct nx_spawn_options spawn = {
        .name = "bench-partner",
        .arguments = words,
        .argument_count = 3,
        .grants = grants,
        .grant_count = options->memory != NX_HANDLE_NONE ? GRANTS_MAX : GRANTS_LEAST,
        .budget_pages = PARTNER_BUDGET,
        .highest_class = options->class,
        .affinity = options->harts,
    };
    return nx_spawn_package(BENCH_PATH, &spawn, &partner->child);
}

// Keeps the right to call only: a partner that ends then fails our calls.
static enum nx_status endpoint_give_up(nx_handle *endpoint)
{
    nx_handle ours;
    enum nx_status status = nx_handle_duplicate(
        *endpoint, NX_RIGHT_CALL | NX_RIGHT_TRANSFER | NX_RIGHT_DUPLICATE, 0, &ours);
    if (status == NX_OK) {
        nx_handle_drop(*endpoint);
        *endpoint = ours;
    }
    return status;
}

enum nx_status partner_start(struct partner *partner, const struct partner_options *options)
{
    *partner = (struct partner){0};
    enum nx_status status = nx_endpoint_create(&partner->endpoint);
    if (status == NX_OK) {
        status = nx_notification_create(&partner->notification);
    }
    if (status == NX_OK) {
        status = partner_spawn(partner, options);
    }
    if (status == NX_OK) {
        status = endpoint_give_up(&partner->endpoint);
    }
    if (status == NX_OK) {
        nx_sleep(SETTLE_TIME);
    } else {
        nx_handle_drop(partner->endpoint);
        nx_handle_drop(partner->notification);
    }
    return status;
}

bool partner_end(struct partner *partner)
{
    struct nx_process_facts facts;
    int64_t exit_status;
    bool lived = nx_process_info(partner->child.process, &facts) == NX_OK &&
                 facts.state == NX_PROCESS_ALIVE &&
                 nx_process_kill(partner->child.process, NX_EXIT_KILLED) == NX_OK;
    bool waited = nx_child_wait(&partner->child, NX_DEADLINE_NEVER, &exit_status) == NX_OK;
    nx_child_close(&partner->child);
    nx_handle_drop(partner->endpoint);
    nx_handle_drop(partner->notification);
    char how[NX_EXIT_TEXT_BYTES];
    return (lived && waited) ||
           bench_fail("the partner %s", waited ? nx_exit_text(exit_status, how) : "does not end");
}

// ---- Roles --------------------------------------------------------------------------------------

// Answers each message with its own words, and as many of its bytes.
static void role_echo(void)
{
    nx_handle endpoint = nx_start_handle(PARTNER_ENDPOINT);
    struct nx_message message;
    enum nx_status status = nx_endpoint_receive(endpoint, NX_DEADLINE_NEVER, &message);
    while (status == NX_OK) {
        status = nx_endpoint_reply_receive(endpoint, &message);
    }
}

// Answers each message with PARTNER_BYTES of what its page holds.
static void role_bytes(void)
{
    nx_handle endpoint = nx_start_handle(PARTNER_ENDPOINT);
    struct nx_message message;
    enum nx_status status = nx_endpoint_receive(endpoint, NX_DEADLINE_NEVER, &message);
    while (status == NX_OK) {
        message = (struct nx_message){.info = NX_INFO(PARTNER_BYTES, 0)};
        status = nx_endpoint_reply_receive(endpoint, &message);
    }
}

// Answers as role_echo does, and computes with floating-point registers in each round.
static void role_fpu(void)
{
    nx_handle endpoint = nx_start_handle(PARTNER_ENDPOINT);
    struct nx_message message;
    double sum = 0;
    enum nx_status status = nx_endpoint_receive(endpoint, NX_DEADLINE_NEVER, &message);
    while (status == NX_OK) {
        sum += 0.5;
        __asm__ volatile("" : "+f"(sum));
        status = nx_endpoint_reply_receive(endpoint, &message);
    }
}

// Takes a handle in each message and drops them when it has many: one round in HANDLES_KEPT.
static void role_take(void)
{
    nx_handle endpoint = nx_start_handle(PARTNER_ENDPOINT);
    nx_handle kept[HANDLES_KEPT];
    uint32_t count = 0;
    struct nx_message message;
    enum nx_status status = nx_endpoint_receive(endpoint, NX_DEADLINE_NEVER, &message);
    while (status == NX_OK) {
        kept[count++] = nx_page()->handles[0];
        if (count == HANDLES_KEPT) {
            while (count > 0) {
                nx_handle_drop(kept[--count]);
            }
        }
        message.info = 0;
        status = nx_endpoint_reply_receive(endpoint, &message);
    }
}

static void role_yield(void)
{
    while (nx_thread_yield(NX_HART_ANY) == NX_OK) {
    }
}

static void role_wait(void)
{
    nx_handle notification = nx_start_handle(PARTNER_NOTIFICATION);
    uint64_t bits;
    while (nx_notification_wait(notification, NX_DEADLINE_NEVER, &bits) == NX_OK) {
        NX_MARK(NX_MARK_STOP);
    }
}

// Calls the server until the deadline, each time that it is told to, and says how often it did.
static void role_client(void)
{
    nx_handle notification = nx_start_handle(PARTNER_NOTIFICATION);
    nx_handle server = nx_start_handle(PARTNER_SERVER);
    uint64_t bits;
    void *base;
    enum nx_status status = nx_map(nx_start_handle(PARTNER_MEMORY), 0, NX_PAGE_SIZE,
                                   NX_PROT_READ | NX_PROT_WRITE, &base);
    struct pair_page *page = base;
    while (status == NX_OK &&
           nx_notification_wait(notification, NX_DEADLINE_NEVER, &bits) == NX_OK) {
        uint64_t calls = 0;
        while (status == NX_OK && nx_clock_now() < page->deadline) {
            for (uint32_t i = 0; i < CALLS_A_LOOK && status == NX_OK; i++) {
                struct nx_message message = {.words = {calls}};
                status = nx_endpoint_call(server, &message);
                status = message.words[0] == calls++ ? status : NX_ERR_BAD_STATE;
            }
        }
        // Release: pairs with the load of pairs_work.
        atomic_store_explicit(&page->calls, calls, memory_order_release);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} roles[] = {
    {"echo", role_echo},   {"bytes", role_bytes}, {"fpu", role_fpu},       {"take", role_take},
    {"yield", role_yield}, {"wait", role_wait},   {"client", role_client},
};

int partner_main(const char *role)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(roles[i].name, role) == 0) {
            roles[i].run();
        }
    }
    return EXIT_FAILURE;
}
