// SPDX-License-Identifier: Apache-2.0
// Subjects: the empty loop, a system call that does nothing, and call + reply between two
// processes.
#include "bench.h"
#include "nexus/thread.h"

#define WORD_BASE 0x1234000u

bool subject_empty(void)
{
    BENCH_LAPS({}, {});
    return true;
}

bool subject_null_call(void)
{
    uint64_t failed = 0;
    BENCH_LAPS(failed |= nx_system_null(), {});
    return failed == 0 || bench_fail("a null call failed");
}

// Ends the partner; the words of the last answers, compared outside the rounds, are in `wrong`.
static bool calls_end(struct partner *partner, uint64_t failed, uint64_t wrong)
{
    bool lived = partner_end(partner);
    if (failed != 0) {
        return bench_fail("a call failed");
    }
    return lived && (wrong == 0 || bench_fail("wrong words in %lu answers", (unsigned long)wrong));
}

// The words of the answer that `message` holds are those that go with `base`.
static bool words_are(const struct nx_message *message, uint64_t base)
{
    for (uint32_t i = 0; i < NX_MESSAGE_WORDS; i++) {
        if (message->words[i] != base + i) {
            return false;
        }
    }
    return true;
}

NX_INLINE struct nx_message six_words(uint64_t base)
{
    return (struct nx_message){
        .words = {base, base + 1, base + 2, base + 3, base + 4, base + 5},
    };
}

static bool call_0_with(const struct partner_options *options)
{
    struct partner partner;
    uint64_t failed = 0;
    uint64_t wrong = 0;
    BENCH_OK(partner_start(&partner, options));
    BENCH_LAPS(
        {
            struct nx_message message = {0};
            failed |= nx_endpoint_call(partner.endpoint, &message);
        },
        {
            struct nx_message message = six_words(WORD_BASE);
            failed |= nx_endpoint_call(partner.endpoint, &message);
            wrong += !words_are(&message, WORD_BASE);
        });
    return calls_end(&partner, failed, wrong);
}

bool subject_call_0(void)
{
    const struct partner_options options = {
        .role = "echo", .harts = HART_HERE, .class = NX_CLASS_NORMAL};
    return call_0_with(&options);
}

bool subject_call_two_harts(void)
{
    const struct partner_options options = {
        .role = "echo", .harts = HART_OTHER, .class = NX_CLASS_NORMAL};
    return call_0_with(&options);
}

// The rounds drop their answers; a call between them compares each word.
bool subject_call_6(void)
{
    const struct partner_options options = {
        .role = "echo", .harts = HART_HERE, .class = NX_CLASS_NORMAL};
    struct partner partner;
    uint64_t failed = 0;
    uint64_t wrong = 0;
    BENCH_OK(partner_start(&partner, &options));
    BENCH_LAPS(
        {
            struct nx_message message = six_words(1);
            failed |= nx_endpoint_call(partner.endpoint, &message);
        },
        {
            struct nx_message message = six_words(WORD_BASE);
            failed |= nx_endpoint_call(partner.endpoint, &message);
            wrong += !words_are(&message, WORD_BASE);
        });
    return calls_end(&partner, failed, wrong);
}

// The server answers with the bytes that its page holds: they come back after ours are cleared.
static bool bytes_come_back(nx_handle endpoint, const uint8_t *sent)
{
    struct nx_message_page *page = nx_page();
    struct nx_message message = {.info = NX_INFO(PARTNER_BYTES, 0)};
    memcpy(page->data, sent, PARTNER_BYTES);
    bool called = nx_endpoint_call(endpoint, &message) == NX_OK;
    memset(page->data, 0, PARTNER_BYTES);
    message = (struct nx_message){0};
    called = nx_endpoint_call(endpoint, &message) == NX_OK && called;
    return called && NX_INFO_BYTES(message.info) == PARTNER_BYTES &&
           memcmp(page->data, sent, PARTNER_BYTES) == 0;
}

bool subject_call_64_bytes(void)
{
    const struct partner_options options = {
        .role = "bytes", .harts = HART_HERE, .class = NX_CLASS_NORMAL};
    struct partner partner;
    uint64_t failed = 0;
    uint64_t wrong = 0;
    uint8_t sent[PARTNER_BYTES];
    for (uint32_t i = 0; i < PARTNER_BYTES; i++) {
        sent[i] = (uint8_t)(i * 7 + 1);
    }
    BENCH_OK(partner_start(&partner, &options));
    BENCH_LAPS(
        {
            struct nx_message message = {.info = NX_INFO(PARTNER_BYTES, 0)};
            failed |= nx_endpoint_call(partner.endpoint, &message);
        },
        {
            wrong += !bytes_come_back(partner.endpoint, sent);
            sent[0]++;
        });
    return calls_end(&partner, failed, wrong);
}

bool subject_call_handle(void)
{
    const struct partner_options options = {
        .role = "take", .harts = HART_HERE, .class = NX_CLASS_NORMAL};
    struct partner partner;
    uint64_t failed = 0;
    nx_handle sent;
    struct nx_message_page *page = nx_page();
    BENCH_OK(nx_notification_create(&sent));
    BENCH_OK(partner_start(&partner, &options));
    BENCH_LAPS(
        {
            struct nx_message message = {.info = NX_INFO(0, 1)};
            page->handles[0] = sent;
            failed |= nx_endpoint_call(partner.endpoint, &message);
        },
        {});
    nx_handle_drop(sent);
    return calls_end(&partner, failed, 0);
}

// A thread that has once used the FPU keeps paying for it, so the client is one of its own.
#define FPU_STEP 0.25

struct fpu_client {
    nx_handle endpoint;
    uint64_t failed;
    double sum;
};

static void fpu_client_thread(void *argument)
{
    struct fpu_client *client = argument;
    nx_handle endpoint = client->endpoint;
    uint64_t failed = 0;
    double sum = 0;
    BENCH_LAPS(
        {
            struct nx_message message = {0};
            sum += FPU_STEP;
            __asm__ volatile("" : "+f"(sum));
            failed |= nx_endpoint_call(endpoint, &message);
        },
        {});
    client->failed = failed;
    client->sum = sum;
}

// The same of one that does not compute.
static void plain_client_thread(void *argument)
{
    struct fpu_client *client = argument;
    nx_handle endpoint = client->endpoint;
    uint64_t failed = 0;
    BENCH_LAPS(
        {
            struct nx_message message = {0};
            failed |= nx_endpoint_call(endpoint, &message);
        },
        {});
    client->failed = failed;
    client->sum = LAPS * FPU_STEP;
}

static bool call_fpu(void (*client_thread)(void *argument), const char *role)
{
    const struct partner_options options = {
        .role = role, .harts = HART_HERE, .class = NX_CLASS_NORMAL};
    const struct nx_thread_options here = {.affinity = HART_HERE, .class = -1};
    struct partner partner;
    struct nx_thread thread;
    BENCH_OK(partner_start(&partner, &options));
    struct fpu_client client = {.endpoint = partner.endpoint};
    BENCH_OK(nx_thread_spawn(&here, client_thread, &client, &thread));
    BENCH_OK(nx_thread_join(&thread));
    bool done = calls_end(&partner, client.failed, 0);
    return done &&
           (client.sum == LAPS * FPU_STEP || bench_fail("floating-point registers were lost"));
}

bool subject_call_fpu(void)
{
    return call_fpu(fpu_client_thread, "echo");
}

bool subject_call_fpu_server(void)
{
    return call_fpu(plain_client_thread, "fpu");
}

bool subject_call_fpu_both(void)
{
    return call_fpu(fpu_client_thread, "fpu");
}
