// SPDX-License-Identifier: Apache-2.0
// Flushes of uartd: who waits until all earlier output has left the device.
//
// A flush goes through three stages, each begun by what the main loop does anyway:
//   1. the kernel log is read to its end (log_fill in output.c tells), and that text and the writes
//      that came before are in the transmit ring;
//   2. the ring's position is noted; the device gives interrupts until that position has left it;
//   3. the last byte may still be in the shift register, whose end gives no interrupt: the line is
//      looked at again after a character's time.
#include "uartd.h"

// Where a stage's goal is not known yet.
#define UNKNOWN UINT64_MAX
// One character on a line of 9600 baud. A slower line, or one that the other end holds up, is
// looked at after ever longer times.
#define CHARACTER_TIME NX_MILLISECOND
#define WAIT_LONGEST   (1000 * NX_MILLISECOND)

enum nx_status uartd_flush_begin(struct uartd *uartd)
{
    struct flush *flush = &uartd->flushes[uartd->flush_count];

    if (uartd->flush_count == FLUSHES_MAX) {
        return NX_ERR_BUSY;
    }
    enum nx_status status = nx_reply_save(&flush->reply);
    if (status != NX_OK) {
        return status;
    }
    flush->writes_before = uartd->writes_taken;
    flush->log_goal = UNKNOWN;
    flush->position = UNKNOWN;
    uartd->flush_count++;
    uartd->drain.pending = true; // its signal may still be on the way
    return NX_OK;
}

void uartd_flush_log_end(struct uartd *uartd, uint64_t log_bytes)
{
    for (size_t i = 0; i < uartd->flush_count; i++) {
        if (uartd->flushes[i].log_goal == UNKNOWN) {
            uartd->flushes[i].log_goal = log_bytes;
        }
    }
}

static bool output_is_in_the_ring(const struct uartd *uartd, const struct flush *flush)
{
    if (flush->log_goal == UNKNOWN || uartd->drain.bytes_printed < flush->log_goal) {
        return false;
    }
    for (size_t i = 0; i < uartd->writer_count; i++) {
        if (uartd->writers[i].number < flush->writes_before) {
            return false;
        }
    }
    return true;
}

// Flushes are done in the order of their arrival: none has less before it than an earlier one.
static void first_answer(struct uartd *uartd)
{
    nx_handle reply = uartd->flushes[0].reply;

    uartd->flush_count--;
    memmove(&uartd->flushes[0], &uartd->flushes[1], uartd->flush_count * sizeof(uartd->flushes[0]));
    uartd_answer_status(reply, NX_OK);
}

// Notes the positions that are known by now. Whether somebody waits for the device.
static bool positions_note(struct uartd *uartd)
{
    bool waiting = false;

    for (size_t i = 0; i < uartd->flush_count; i++) {
        struct flush *flush = &uartd->flushes[i];
        if (flush->position == UNKNOWN && output_is_in_the_ring(uartd, flush)) {
            flush->position = ns16550_accepted(&uartd->port);
        }
        waiting |= flush->position != UNKNOWN;
    }
    return waiting;
}

// Keeps the time after which the shift register is looked at.
static void line_look(struct uartd *uartd)
{
    if (uartd->look_deadline <= nx_clock_now()) {
        ns16550_look(&uartd->port);
        uartd->look_wait *= uartd->look_wait < WAIT_LONGEST ? 2 : 1;
        uartd->look_deadline = nx_deadline_after(uartd->look_wait);
    } else if (uartd->look_deadline == NX_DEADLINE_NEVER) {
        uartd->look_wait = CHARACTER_TIME;
        uartd->look_deadline = nx_deadline_after(uartd->look_wait);
    }
}

void uartd_flush(struct uartd *uartd)
{
    bool waiting = positions_note(uartd);

    ns16550_watch(&uartd->port, waiting);
    if (waiting && ns16550_shifting(&uartd->port)) {
        line_look(uartd);
    }
    while (uartd->flush_count > 0 && uartd->flushes[0].position <= ns16550_departed(&uartd->port)) {
        first_answer(uartd);
    }
    if (uartd->flush_count == 0 || !ns16550_shifting(&uartd->port)) {
        uartd->look_deadline = NX_DEADLINE_NEVER;
    }
}

uint64_t uartd_flush_deadline(const struct uartd *uartd)
{
    return uartd->look_deadline;
}
