// SPDX-License-Identifier: Apache-2.0
// The lives of processes: start in order, wait for readiness, restart with back-off, give up.
//
// A service's states (enum nx_service_state):
//
//     WAITING --due--> STARTING --ready report--> READY
//        ^                |  deadline                |
//        +----------------+--------- death ----------+
//
//     any --reported failure, missing program or too many deaths--> DOWN
//     ABSENT: its device does not exist in this machine
//
// Not a service: a job (supervisor_run_job), which starts, ends and is not restarted.
// Everything runs on nexus-init's one thread; a service that is down is answered for by a thread of
// its own, so that its callers get their error at once.
#ifndef INIT_SUPERVISOR_H
#define INIT_SUPERVISOR_H

#include "nexus/registry.h"
#include "programs.h"

// Takes over all services of the table and starts those that depend on nothing. `registry` is the
// endpoint that messages arrive on, faults of supervised processes among them; `exits` is the
// notification bound to the thread. `settled` is called once, when every service is ready, down or
// absent: the boot has then done what it can.
NX_MUST_CHECK enum nx_status supervisor_begin(nx_handle registry, nx_handle exits,
                                              void (*settled)(void));

// Called with the bits of `exits`, a fault message (badge and words), and when the deadline passes.
void supervisor_exits(uint64_t bits);
void supervisor_fault(const struct nx_message *message);
void supervisor_expired(void);
uint64_t supervisor_deadline(void);

// A service's own report.
void supervisor_report(enum program_id id, bool ready, enum nx_status detail);

// Ends the service's process on a client's request; such a death is not counted as a crash.
NX_MUST_CHECK enum nx_status supervisor_kill(enum program_id id);

void supervisor_facts(enum program_id id, struct nx_service_facts *facts);

// Starts a program that is no service. `ended` is called with its exit status.
NX_MUST_CHECK enum nx_status
supervisor_run_job(enum program_id id, const char *const *arguments, uint32_t argument_count,
                   void (*ended)(enum program_id id, int64_t exit_status));

#endif
