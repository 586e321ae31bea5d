// SPDX-License-Identifier: Apache-2.0
// The lives of processes. See supervisor.h for the states.
#include "supervisor.h"
#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/process.h"
#include "nexus/thread.h"
#include "quiesce.h"

#define READY_PATIENCE    (10 * NX_SECOND)
#define TARDY_MAX         3u // starts in a row that exceed it; then the service is down
#define BACK_OFF_FIRST    (10 * NX_MILLISECOND)
#define BACK_OFF_DOUBLING 4u // up to 160 ms
#define CRASHES_MAX       5u // in CRASH_WINDOW; one more and the service is down
#define CRASH_WINDOW      (10 * NX_SECOND)

struct supervised {
    enum nx_service_state state; // services only
    bool running;                // `child` is a process that has not ended
    struct nx_child child;
    uint64_t due; // WAITING: when to start; STARTING: when to lose patience
    uint64_t restarts;
    uint64_t crash_times[CRASHES_MAX]; // ring of the last ones
    uint32_t crashes;                  // in all; index into the ring modulo its size
    bool kill_requested;               // the coming death is not a crash
    uint32_t tardy;                    // starts in a row that were not ready in time
    nx_handle fault_endpoint;          // the registry's, badged
    struct nx_thread undertaker;
    void (*ended)(enum program_id id, int64_t exit_status); // jobs only
};

static struct supervised programs[PROGRAM_COUNT];
static nx_handle exit_notification;
static void (*when_settled)(void); // NULL once it has been called

static bool is_service(enum program_id id)
{
    return program_row(id)->service != NULL;
}

// ---- Giving up ----------------------------------------------------------------------------------

// Answers every caller of a service that is down. Ends with the machine.
static void undertaker_main(void *argument)
{
    nx_handle endpoint = (nx_handle)(uintptr_t)argument;
    struct nx_message message = {0};
    enum nx_status status = nx_endpoint_receive(endpoint, NX_DEADLINE_NEVER, &message);
    while (status == NX_OK || status == NX_ERR_CANCELLED) {
        for (uint32_t i = 0; status == NX_OK && i < NX_INFO_HANDLES(message.info); i++) {
            nx_handle_drop(nx_page()->handles[i]);
        }
        message = (struct nx_message){.words = {NX_ERR_PEER_CLOSED}};
        status = nx_endpoint_reply_receive(endpoint, &message);
    }
}

static void service_down(enum program_id id, const char *reason)
{
    struct supervised *program = &programs[id];
    program->state = NX_SERVICE_DOWN;
    program->due = NX_DEADLINE_NEVER;
    nx_log("init: service %s down reason=%s", program_row(id)->service, reason);
    enum nx_status status = nx_thread_spawn(
        NULL, undertaker_main, (void *)(uintptr_t)program_endpoint(id), &program->undertaker);
    if (status != NX_OK) {
        nx_log("init: service %s has no answering machine reason=%s", program_row(id)->service,
               nx_status_text(status));
    }
}

// ---- Back-off -----------------------------------------------------------------------------------

// How many of the last crashes are recent: the back-off grows with them.
static uint32_t crashes_recent(const struct supervised *program, uint64_t now)
{
    uint32_t kept = program->crashes < CRASHES_MAX ? program->crashes : CRASHES_MAX;
    uint32_t recent = 0;
    for (uint32_t i = 0; i < kept; i++) {
        recent += now - program->crash_times[i] < CRASH_WINDOW;
    }
    return recent;
}

// Counts a crash and puts the restart off accordingly. False: there were too many of late.
static bool restart_after_crash(struct supervised *program, uint64_t now)
{
    uint32_t recent = crashes_recent(program, now);
    program->crash_times[program->crashes % CRASHES_MAX] = now;
    program->crashes++;
    program->due =
        now + (BACK_OFF_FIRST << (recent < BACK_OFF_DOUBLING ? recent : BACK_OFF_DOUBLING));
    return recent < CRASHES_MAX;
}

// A failure that another attempt may well not meet again.
static bool failure_is_transient(enum nx_status detail)
{
    return detail == NX_ERR_IO || detail == NX_ERR_TIMED_OUT || detail == NX_ERR_PEER_CLOSED ||
           detail == NX_ERR_NO_MEMORY || detail == NX_ERR_BUSY;
}

// ---- Starting -----------------------------------------------------------------------------------

static void service_start(enum program_id id)
{
    struct supervised *program = &programs[id];
    enum nx_status status =
        program_spawn(id, NULL, 0, exit_notification, program->fault_endpoint, &program->child);
    if (failure_is_transient(status) && restart_after_crash(program, nx_clock_now())) {
        nx_log("init: service %s not started reason=%s", program_row(id)->service,
               nx_status_text(status));
        program->restarts++;
        return;
    }
    if (status != NX_OK) {
        service_down(id, nx_status_text(status));
        return;
    }
    program->running = true;
    program->state = NX_SERVICE_STARTING;
    program->due = nx_deadline_after(READY_PATIENCE);
}

// Whether what `id` comes after allows it to start; *down: it never will.
static bool prerequisite_is_met(enum program_id id, bool *down)
{
    enum program_id after = program_row(id)->after;
    *down = false;
    if (after == PROGRAM_NONE || programs[id].restarts > 0) {
        return true;
    }
    switch (programs[after].state) {
    case NX_SERVICE_READY:
        return true;
    case NX_SERVICE_DOWN:
        *down = program_row(id)->needs_after;
        return !*down;
    case NX_SERVICE_ABSENT: // passes the question on to what it would come after itself
        return prerequisite_is_met(after, down);
    default:
        return false;
    }
}

static bool services_are_settled(void)
{
    for (enum program_id id = 0; id < PROGRAM_COUNT; id++) {
        enum nx_service_state state = programs[id].state;
        if (is_service(id) && (state == NX_SERVICE_STARTING || state == NX_SERVICE_WAITING)) {
            return false;
        }
    }
    return true;
}

// Starts every waiting service whose time has come. The table is in the order of dependence, so one
// pass is enough.
static void services_advance(void)
{
    uint64_t now = nx_clock_now();
    for (enum program_id id = 0; id < PROGRAM_COUNT; id++) {
        struct supervised *program = &programs[id];
        if (!is_service(id) || program->state != NX_SERVICE_WAITING || program->due > now) {
            continue;
        }
        bool prerequisite_down;
        if (prerequisite_is_met(id, &prerequisite_down)) {
            service_start(id);
        } else if (prerequisite_down) {
            service_down(id, "what it needs is down");
        }
    }
    if (when_settled != NULL && services_are_settled()) {
        void (*settled)(void) = when_settled;
        when_settled = NULL;
        settled();
    }
}

static void program_begin(enum program_id id)
{
    enum device_id device = program_row(id)->device;
    enum device_presence presence =
        device != DEVICE_NONE ? machine_device(device)->presence : DEVICE_PRESENT;
    if (presence == DEVICE_UNUSABLE) {
        service_down(id, "its device cannot be used");
        return;
    }
    programs[id].state = presence == DEVICE_ABSENT ? NX_SERVICE_ABSENT : NX_SERVICE_WAITING;
}

enum nx_status supervisor_begin(nx_handle registry, nx_handle exits, void (*settled)(void))
{
    exit_notification = exits;
    when_settled = settled;
    for (enum program_id id = 0; id < PROGRAM_COUNT; id++) {
        enum nx_status status =
            nx_handle_duplicate(registry, NX_RIGHT_CALL | NX_RIGHT_TRANSFER | NX_RIGHT_DUPLICATE,
                                BADGE_FAULT | BADGE_CLIENT(id), &programs[id].fault_endpoint);
        if (status != NX_OK) {
            return status;
        }
        program_begin(id);
    }
    services_advance();
    return NX_OK;
}

// ---- Readiness ----------------------------------------------------------------------------------

static enum nx_status process_kill(enum program_id id, int64_t exit_status)
{
    return nx_process_kill(programs[id].child.process, exit_status);
}

void supervisor_report(enum program_id id, bool ready, enum nx_status detail)
{
    struct supervised *program = &programs[id];
    if (program->state != NX_SERVICE_STARTING) {
        return;
    }
    if (ready) {
        program->tardy = 0;
        program->state = NX_SERVICE_READY;
        program->due = NX_DEADLINE_NEVER;
        services_advance();
        return;
    }
    nx_log("init: service %s failed reason=%s", program_row(id)->service, nx_status_text(detail));
    (void)!process_kill(id, NX_EXIT_KILLED);
    if (!failure_is_transient(detail)) {
        service_down(id, nx_status_text(detail));
        services_advance();
    }
}

void supervisor_facts(enum program_id id, struct nx_service_facts *facts)
{
    *facts = (struct nx_service_facts){programs[id].state, programs[id].restarts};
}

// ---- Death --------------------------------------------------------------------------------------

// A driver without threads, whose device may still write to what it holds: its own memory, and its
// clients', which may be dead, too. All of it goes back to nobody before the device is still.
static void held_release(enum program_id id)
{
    if (device_quiesce(program_row(id)->device)) {
        (void)!process_kill(id, NX_EXIT_LET_GO); // its death is what supervisor_exits hears of next
        return;
    }
    programs[id].running = false; // and its process stays as it is
    if (programs[id].state != NX_SERVICE_DOWN) {
        service_down(id, "its device does not reset");
        services_advance();
    }
}

static void service_ended(enum program_id id, int64_t exit_status)
{
    struct supervised *program = &programs[id];
    const struct program_row *row = program_row(id);
    // Of a driver that was not held: there is no memory to mind.
    (void)!device_quiesce(row->device);
    if (program->state == NX_SERVICE_DOWN) {
        return;
    }
    uint64_t now = nx_clock_now();
    bool requested = program->kill_requested;
    program->kill_requested = false;
    program->due = now;
    bool too_tardy = program->tardy == TARDY_MAX;
    if (too_tardy || (!requested && !restart_after_crash(program, now))) {
        service_down(id, too_tardy ? "it does not become ready" : "it ends too often");
        services_advance();
        return;
    }
    program->restarts++;
    program->state = NX_SERVICE_WAITING;
    char how[NX_EXIT_TEXT_BYTES];
    nx_log("init: service %s %s restart=%lu delay_ms=%lu", row->service,
           nx_exit_text(exit_status, how), (unsigned long)program->restarts,
           (unsigned long)((program->due - now) / NX_MILLISECOND));
    services_advance();
}

void supervisor_exits(uint64_t bits)
{
    for (enum program_id id = 0; id < PROGRAM_COUNT; id++) {
        struct supervised *program = &programs[id];
        struct nx_process_facts facts;
        if ((bits & PROGRAM_BIT(id)) == 0 || !program->running ||
            nx_process_info(program->child.process, &facts) != NX_OK ||
            facts.state < NX_PROCESS_HELD) {
            continue;
        }
        if (facts.state == NX_PROCESS_HELD) {
            held_release(id);
            continue;
        }
        program->running = false;
        nx_child_close(&program->child);
        if (is_service(id)) {
            service_ended(id, facts.exit_status);
        } else {
            program->ended(id, facts.exit_status);
        }
    }
}

enum nx_status supervisor_kill(enum program_id id)
{
    struct supervised *program = &programs[id];
    if (!program->running) {
        return NX_ERR_BAD_STATE;
    }
    program->kill_requested = true;
    return process_kill(id, NX_EXIT_KILLED);
}

// ---- Faults -------------------------------------------------------------------------------------

void supervisor_fault(const struct nx_message *message)
{
    enum program_id id = BADGE_PROGRAM(message->badge);
    // A client may name its handle to the registry as the fault endpoint of a process of its own:
    // such a fault is that process's, whom the answer ends.
    if ((message->badge & BADGE_FAULT) == 0 || id >= PROGRAM_COUNT) {
        return;
    }
    const uint64_t *words = message->words;
    nx_log("init: %s fault cause=%lu (%s) pc=0x%lx address=0x%lx ra=0x%lx sp=0x%lx",
           program_row(id)->file, words[NX_FAULT_CAUSE], nx_fault_text(words[NX_FAULT_CAUSE]),
           words[NX_FAULT_PC], words[NX_FAULT_ADDRESS], words[NX_FAULT_RETURN],
           words[NX_FAULT_STACK]);
    if (words[NX_FAULT_CAUSE] == NX_FAULT_ILLEGAL_INSTRUCTION && is_service(id)) {
        machine_distrust_hart_extensions();
    }
    if (programs[id].running) {
        (void)!process_kill(id, NX_EXIT_FAULTED);
    }
}

// ---- Time ---------------------------------------------------------------------------------------

uint64_t supervisor_deadline(void)
{
    uint64_t earliest = NX_DEADLINE_NEVER;
    for (enum program_id id = 0; id < PROGRAM_COUNT; id++) {
        const struct supervised *program = &programs[id];
        // A service that waits for another one has no time of its own.
        bool timed =
            is_service(id) && (program->state == NX_SERVICE_STARTING ||
                               (program->state == NX_SERVICE_WAITING && program->restarts > 0));
        if (timed && program->due < earliest) {
            earliest = program->due;
        }
    }
    return earliest;
}

void supervisor_expired(void)
{
    uint64_t now = nx_clock_now();
    for (enum program_id id = 0; id < PROGRAM_COUNT; id++) {
        struct supervised *program = &programs[id];
        if (is_service(id) && program->state == NX_SERVICE_STARTING && program->due <= now) {
            nx_log("init: service %s not ready after %lu ms", program_row(id)->service,
                   (unsigned long)(READY_PATIENCE / NX_MILLISECOND));
            program->due = NX_DEADLINE_NEVER; // its death is what counts next
            program->tardy++;
            (void)!process_kill(id, NX_EXIT_KILLED);
        }
    }
    services_advance();
}

// ---- Jobs ---------------------------------------------------------------------------------------

enum nx_status supervisor_run_job(enum program_id id, const char *const *arguments,
                                  uint32_t argument_count,
                                  void (*ended)(enum program_id id, int64_t exit_status))
{
    struct supervised *program = &programs[id];
    enum nx_status status = program_spawn(id, arguments, argument_count, exit_notification,
                                          program->fault_endpoint, &program->child);
    if (status == NX_OK) {
        program->running = true;
        program->ended = ended;
    }
    return status;
}
