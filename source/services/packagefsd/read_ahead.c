// SPDX-License-Identifier: Apache-2.0
// When to read ahead, and how far.
#include "read_ahead.h"

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

struct page_run read_ahead_note(struct read_ahead *state, struct page_run asked, uint64_t pages)
{
    // A client that fetches again what it has, and more, goes on sequentially.
    bool sequential = asked.first <= state->next && asked.end > state->next;

    state->next = asked.end;
    if (!sequential) {
        read_ahead_stop(state);
        return (struct page_run){asked.end, asked.end};
    }
    if (state->window == 0) {
        state->window = READ_AHEAD_FIRST;
        state->end = asked.end;
    }
    if (state->end < asked.end) {
        state->end = asked.end;
    }
    struct page_run run = {state->end, smaller(asked.end + state->window, pages)};
    if (state->end - asked.end > state->window / 2 || run.first >= run.end) {
        return (struct page_run){state->end, state->end};
    }
    state->end = run.end;
    state->window = smaller(state->window * 2, READ_AHEAD_MAX);
    return run;
}

void read_ahead_stop(struct read_ahead *state)
{
    state->window = 0;
}
