// SPDX-License-Identifier: Apache-2.0
// The programs of the system: one row each says what a program is given and what it may ask for.
//
// Adding a service is one row in programs.c and one identifier here; see
// docs/howto/add-a-service.md.
#ifndef INIT_PROGRAMS_H
#define INIT_PROGRAMS_H

#include "machine.h"
#include "nexus/spawn.h"

#include <stdbool.h>

enum program_id {
    PROGRAM_UARTD,
    PROGRAM_VIRTIOBLKD,
    PROGRAM_PACKAGEFSD,
    PROGRAM_SELFTEST,
    PROGRAM_NX,
    PROGRAM_COUNT,
    PROGRAM_NONE = PROGRAM_COUNT
};

#define PROGRAM_BIT(id) (1u << (id))

// Where a handle for a program comes from.
enum grant_source {
    GRANT_END = 0,  // ends the list
    GRANT_HANDLE,   // one of nexus-init's own, found under `id`
    GRANT_REGISTRY, // a call handle to the registry, badged with the program
    GRANT_SERVED,   // the endpoint that the program serves
    GRANT_CLIENT,   // a call handle to the service `service`; left out when that is absent
    GRANT_WINDOW,   // registers of the program's device
    GRANT_INTERRUPT,
    GRANT_FIXTURES, // left out when there is a block device, or may be one
    GRANT_TRUST,    // whose package images are accepted
};

struct grant_row {
    enum grant_source source;
    enum nx_start_id id;
    uint32_t rights;         // GRANT_HANDLE; GRANT_SERVED: besides RECEIVE
    enum program_id service; // GRANT_CLIENT
};

#define PROGRAM_GRANTS_MAX    10u
#define PROGRAM_ARGUMENTS_MAX 33u // "nx" and the words of one nx command

struct program_row {
    const char *file;      // in the boot archive; also the process's name
    const char *service;   // name in the registry; NULL: the program serves nothing
    enum program_id after; // this one starts once that one is ready, absent, or down
    bool needs_after;      // and is down itself when that one is down
    enum device_id device; // without it the program is absent; with an unusable one it is down
    enum nx_class class;
    uint64_t least_pages;  // it does not work with less
    uint64_t budget_pages; // where the machine has enough for all of them
    uint32_t may_find;     // PROGRAM_BITs of the services that it may look up
    bool may_kill;         // may ask for the kill of a service
    struct grant_row grants[PROGRAM_GRANTS_MAX];
};

const struct program_row *program_row(enum program_id id);

// The service called `name`, or whose program is, or PROGRAM_NONE.
enum program_id program_find_service(const char *name);

// Shares out the memory, creates the endpoints of all services and the badged handles to the
// registry. NX_ERR_NO_MEMORY: the machine has less than the programs need.
NX_MUST_CHECK enum nx_status programs_prepare(nx_handle registry);

// The endpoint that the service answers on; it outlives the service's processes.
nx_handle program_endpoint(enum program_id service);

// A call handle to `service` that carries `client`'s identity; made once and kept.
NX_MUST_CHECK enum nx_status program_client_handle(enum program_id service, enum program_id client,
                                                   nx_handle *handle);

// One word that every process of a service gets as its argument from now on. `word` stays valid.
void program_set_argument(enum program_id service, const char *word);

// Takes another program of the boot archive from now on, which gets more rights on the machine and
// the log than the row says. `file` stays valid.
struct program_other {
    const char *file; // NULL: what the row says
    uint32_t machine_rights;
    uint32_t log_rights;
};
void program_replace(enum program_id id, const struct program_other *other);

// Starts a process of the program with what its row says. `arguments` follow the program's name.
NX_MUST_CHECK enum nx_status program_spawn(enum program_id id, const char *const *arguments,
                                           uint32_t argument_count, nx_handle exit_notification,
                                           nx_handle fault_endpoint, struct nx_child *child);

// Badges of messages on the registry's endpoint.
#define BADGE_CLIENT(id)     ((uint64_t)(id) + 1)
#define BADGE_FAULT          0x100u
#define BADGE_PROGRAM(badge) ((enum program_id)(((badge)&0xffu) - 1))

#endif
