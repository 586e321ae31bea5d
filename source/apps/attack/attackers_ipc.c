// SPDX-License-Identifier: Apache-2.0
// Attackers that lie to those they talk to: servers that do not answer or answer twice, senders
// with another's name, clients of the disk that take no answers. See attackers.h.
#include "attackers.h"
#include "nexus/block.h"
#include "nexus/clock.h"
#include "nexus/memory.h"
#include "random.h"

#define QUEUES_MAX    16u
#define QUEUE_SECTORS 8u
#define GUESSES       4096u
#define OWN_HANDLES   64u // indices below that: what this process was given itself

// ---- Servers ------------------------------------------------------------------------------------

static nx_handle served(void)
{
    return nx_start_handle((enum nx_start_id)ATTACK_SERVED);
}

// Takes a call and keeps the right to answer it, which it never uses.
void attack_by_silence(void)
{
    struct nx_message message;
    nx_handle reply;
    for (;;) {
        enum nx_status status = nx_endpoint_receive(served(), NX_DEADLINE_NEVER, &message);
        if (status == NX_OK) {
            status = nx_reply_save(&reply);
        }
        // The caller may give up between the two.
        attacker_count(status == NX_ERR_CANCELLED ? NX_OK : status, NX_ERR_BAD_STATE);
    }
}

// Answers each call, and then with a second answer in every way there is.
void attack_by_two_replies(void)
{
    struct nx_message message;
    nx_handle reply;
    nx_handle copy;
    for (;;) {
        if (nx_endpoint_receive(served(), NX_DEADLINE_NEVER, &message) != NX_OK) {
            continue; // the caller has given up
        }
        const struct nx_message again = {.words = {~message.words[0]}};
        message.info = 0;
        if (message.words[0] % 2 == 0) {
            attacker_count(nx_endpoint_reply(NX_HANDLE_NONE, &message), NX_ERR_UNSUPPORTED);
            attacker_must_fail(nx_endpoint_reply(NX_HANDLE_NONE, &again), NX_ERR_BAD_STATE);
            attacker_must_fail(nx_reply_save(&reply), NX_ERR_BAD_STATE);
            continue;
        }
        reply = NX_HANDLE_NONE;
        attacker_count(nx_reply_save(&reply), NX_ERR_UNSUPPORTED);
        attacker_must_fail(nx_handle_duplicate(reply, NX_RIGHTS_ALL, 0, &copy),
                           NX_ERR_ACCESS_DENIED);
        attacker_must_fail(nx_endpoint_reply(NX_HANDLE_NONE, &again), NX_ERR_BAD_STATE);
        attacker_count(nx_endpoint_reply(reply, &message), NX_ERR_UNSUPPORTED);
        attacker_must_fail(nx_endpoint_reply(reply, &again), NX_ERR_BAD_HANDLE);
    }
}

// ---- A sender in another's name -----------------------------------------------------------------

// A handle with the neighbour's badge would do; a number that happens to be one would, too.
static void badge_forge(nx_handle stranger, uint64_t badge)
{
    nx_handle forged;
    attacker_must_fail(nx_handle_duplicate(stranger, NX_RIGHTS_ALL, badge, &forged),
                       NX_ERR_ACCESS_DENIED);
}

static void handles_guess(struct random *random)
{
    for (uint32_t i = 0; i < GUESSES; i++) {
        struct nx_message message = {.words = {i}};
        nx_handle guess = (nx_handle)random_next(random);
        if (guess % NX_HANDLES_MAX >= OWN_HANDLES) {
            attacker_must_fail(nx_endpoint_call(guess, &message), NX_ERR_BAD_HANDLE);
        }
    }
}

// Messages that say they come from the neighbour, from the kernel, or from nexus-init, in every
// place that the sender writes.
void attack_by_forgery(void)
{
    static const uint64_t flags[] = {0, NX_INFO_NOTIFICATION, NX_INFO_FAULT,
                                     NX_INFO_FAULT | NX_INFO_NOTIFICATION};
    nx_handle stranger = nx_start_handle((enum nx_start_id)ATTACK_ECHO);
    struct random random = {3};
    handles_guess(&random);
    for (uint64_t turn = 0;; turn++) {
        uint64_t badge = random_next(&random);
        struct nx_message message = {.words = {badge, badge, badge, badge, badge, badge},
                                     .info = flags[turn % (sizeof(flags) / sizeof(flags[0]))],
                                     .badge = badge};
        // Flags that only the kernel sets are ignored, or the call is refused.
        attacker_count(nx_endpoint_call(stranger, &message), NX_ERR_INVALID_ARGUMENT);
        badge_forge(stranger, badge | 1);
    }
}

// ---- A client of the disk that takes no answers -------------------------------------------------

static uint32_t queues_open(struct nx_block_queue *queues, nx_handle memory)
{
    uint32_t count = 0;
    enum nx_status status = NX_OK;
    while (count < QUEUES_MAX && status == NX_OK) {
        uint32_t slot;
        struct nx_block_queue *queue = &queues[count];
        status = nx_block_queue_open(queue, NX_HANDLE_NONE, 0);
        attacker_count(status, NX_ERR_BUSY);
        if (status != NX_OK || nx_block_queue_attach(queue, memory, &slot) != NX_OK) {
            return count;
        }
        for (uint32_t i = 0; i < NX_BLOCK_QUEUE_DEPTH; i++) {
            (void)!nx_block_queue_add(queue, i, QUEUE_SECTORS, slot, 0, NULL);
        }
        nx_block_queue_submit(queue);
        count++;
    }
    return count;
}

// All sessions there are, each full of reads whose results nobody takes, and their doorbells rung
// for ever.
void attack_by_queues(void)
{
    static struct nx_block_queue queues[QUEUES_MAX];
    nx_handle memory;
    void *address;
    if (nx_memory_new(QUEUE_SECTORS * NX_BLOCK_SECTOR_BYTES, 0, &memory, &address) != NX_OK) {
        count_up(&attacker_tally->wrong);
        return;
    }
    uint32_t count = queues_open(queues, memory);
    if (count == 0) {
        return;
    }
    for (uint64_t turn = 0;; turn++) {
        const struct nx_block_queue *queue = &queues[turn % count];
        attacker_count(nx_notification_signal(queue->doorbell, queue->doorbell_bits), NX_ERR_BUSY);
    }
}
