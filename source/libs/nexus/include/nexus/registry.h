// SPDX-License-Identifier: Apache-2.0
// The name registry of nexus-init: finding services, reporting ready, asking for a kill.
//
// Requests carry the operation in word 0, a name as NUL-terminated text in the page's data where
// one is needed; answers carry an enum nx_status in word 0. Who may do what is nexus-init's table.
#ifndef NEXUS_REGISTRY_H
#define NEXUS_REGISTRY_H

#include "nexus/process.h"

enum nx_registry_operation {
    NX_REGISTRY_LOOKUP = 1, // name -> a call handle to its endpoint rides along
    NX_REGISTRY_READY = 2,  // word 1: 1 ready, 0 failed; word 2: detail
    NX_REGISTRY_KILL = 3,   // name: kills the service's process; nexus-init starts it anew
    NX_REGISTRY_STATUS = 4, // name -> word 1 enum nx_service_state, word 2 restarts so far
    NX_REGISTRY_LIST = 5,   // word 1 index -> the service's and its program's name, NUL-terminated
};

enum nx_service_state {
    NX_SERVICE_ABSENT = 0,   // not started in this boot
    NX_SERVICE_STARTING = 1, // its process runs and has not reported ready
    NX_SERVICE_READY = 2,
    NX_SERVICE_WAITING = 3, // died; waits for its restart
    NX_SERVICE_DOWN = 4,    // died too often: callers get NX_ERR_PEER_CLOSED at once
};

#define NX_REGISTRY_NAME_MAX 31u // characters

struct nx_service_names {
    char service[NX_REGISTRY_NAME_MAX + 1];
    char program[NX_REGISTRY_NAME_MAX + 1];
};

struct nx_service_facts {
    enum nx_service_state state;
    uint64_t restarts;
};

// *endpoint belongs to the caller. NX_ERR_NOT_FOUND: no such name. NX_ERR_ACCESS_DENIED: not for
// this program.
NX_MUST_CHECK enum nx_status nx_registry_lookup(const char *name, nx_handle *endpoint);

// A service's report that it serves (`detail` NX_OK) or cannot: `detail` then says why. Failures
// that may pass (i/o, time-out, memory) are met with a restart, all others take the service down.
NX_MUST_CHECK enum nx_status nx_registry_ready(enum nx_status detail);

// The services there are, by index from 0. NX_ERR_NOT_FOUND: no more.
NX_MUST_CHECK enum nx_status nx_registry_list(uint64_t index, struct nx_service_names *names);

// Both take the name of the service or of its program.
NX_MUST_CHECK enum nx_status nx_registry_kill(const char *name);
NX_MUST_CHECK enum nx_status nx_registry_status(const char *name, struct nx_service_facts *facts);

#endif
