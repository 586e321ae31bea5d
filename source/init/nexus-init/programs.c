// SPDX-License-Identifier: Apache-2.0
// The table of programs, and how a row becomes a process.
#include "programs.h"
#include "archive.h"
#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/process.h"

// What nexus-init keeps of its own budget: records of its children, fixtures, mappings of images.
#define OWN_PAGES        256u
#define RECLAIM_LOOKS    20u
#define RECLAIM_INTERVAL (5 * NX_MILLISECOND)

// A client may call a service, and pass that right on to programs that it starts.
#define CLIENT_RIGHTS (NX_RIGHT_CALL | NX_RIGHT_TRANSFER | NX_RIGHT_DUPLICATE)

#define REGISTRY                                                                                   \
    {                                                                                              \
        .source = GRANT_REGISTRY, .id = NX_START_REGISTRY                                          \
    }
#define SERVED                                                                                     \
    {                                                                                              \
        .source = GRANT_SERVED, .id = NX_START_SERVICE                                             \
    }
// Also gives its clients handles of its endpoint, each with a badge of its own.
#define SERVED_WITH_BADGES                                                                         \
    {                                                                                              \
        .source = GRANT_SERVED, .id = NX_START_SERVICE,                                            \
        .rights = NX_RIGHT_CALL | NX_RIGHT_TRANSFER | NX_RIGHT_DUPLICATE | NX_RIGHT_MANAGE         \
    }
#define WINDOW                                                                                     \
    {                                                                                              \
        .source = GRANT_WINDOW, .id = NX_START_DEVICE                                              \
    }
#define INTERRUPT                                                                                  \
    {                                                                                              \
        .source = GRANT_INTERRUPT, .id = NX_START_INTERRUPT                                        \
    }
#define FIXTURES                                                                                   \
    {                                                                                              \
        .source = GRANT_FIXTURES, .id = NX_START_FIXTURES                                          \
    }
#define TRUST                                                                                      \
    {                                                                                              \
        .source = GRANT_TRUST, .id = NX_START_TRUST                                                \
    }
#define LOG(which)                                                                                 \
    {                                                                                              \
        .source = GRANT_HANDLE, .id = NX_START_LOG, .rights = (which)                              \
    }
#define MACHINE(which)                                                                             \
    {                                                                                              \
        .source = GRANT_HANDLE, .id = NX_START_MACHINE, .rights = (which)                          \
    }
#define DEVICETREE                                                                                 \
    {                                                                                              \
        .source = GRANT_HANDLE, .id = NX_START_DEVICETREE, .rights = NX_RIGHT_READ                 \
    }
#define CLIENT(name, of)                                                                           \
    {                                                                                              \
        .source = GRANT_CLIENT, .id = (name), .service = (of)                                      \
    }

static const struct program_row rows[PROGRAM_COUNT] = {
    [PROGRAM_UARTD] =
        {
            .file = "uartd",
            .service = "console",
            .after = PROGRAM_NONE,
            .device = DEVICE_UART,
            .class = NX_CLASS_DRIVER,
            .least_pages = 64,
            .budget_pages = 512,
            .grants = {REGISTRY, SERVED, WINDOW, INTERRUPT, LOG(NX_RIGHT_READ | NX_RIGHT_WRITE)},
        },
    [PROGRAM_VIRTIOBLKD] =
        {
            .file = "virtioblkd",
            .service = "block",
            .after = PROGRAM_UARTD,
            .device = DEVICE_BLOCK,
            .class = NX_CLASS_DRIVER,
            .least_pages = 256,
            .budget_pages = 512,
            .grants = {REGISTRY, SERVED_WITH_BADGES, WINDOW, INTERRUPT, LOG(NX_RIGHT_WRITE),
                       MACHINE(NX_RIGHT_DMA)},
        },
    [PROGRAM_PACKAGEFSD] =
        {
            .file = "packagefsd",
            .service = "packages",
            .after = PROGRAM_VIRTIOBLKD,
            .needs_after = true,
            .device = DEVICE_NONE,
            .class = NX_CLASS_SERVICE,
            .least_pages = 512,
            .budget_pages = 12288,
            .grants = {REGISTRY, SERVED, LOG(NX_RIGHT_WRITE), FIXTURES, TRUST,
                       CLIENT(NX_START_BLOCK, PROGRAM_VIRTIOBLKD)},
        },
    [PROGRAM_SELFTEST] =
        {
            .file = "selftest-client",
            .after = PROGRAM_PACKAGEFSD,
            .device = DEVICE_NONE,
            .class = NX_CLASS_NORMAL,
            .least_pages = 1024,
            .budget_pages = 8192,
            .may_find = PROGRAM_BIT(PROGRAM_UARTD) | PROGRAM_BIT(PROGRAM_VIRTIOBLKD) |
                        PROGRAM_BIT(PROGRAM_PACKAGEFSD),
            .may_kill = true,
            .grants = {REGISTRY, LOG(NX_RIGHT_WRITE),
                       MACHINE(NX_RIGHT_INSPECT | NX_RIGHT_HARTS | NX_RIGHT_DEVICE |
                               NX_RIGHT_DUPLICATE),
                       CLIENT(NX_START_CONSOLE, PROGRAM_UARTD),
                       CLIENT(NX_START_BLOCK, PROGRAM_VIRTIOBLKD),
                       CLIENT(NX_START_PACKAGES, PROGRAM_PACKAGEFSD)},
        },
    [PROGRAM_NX] =
        {
            .file = "nx",
            .after = PROGRAM_PACKAGEFSD,
            .device = DEVICE_NONE,
            .class = NX_CLASS_NORMAL,
            .least_pages = 512,
            .budget_pages = 8192,
            .may_find = PROGRAM_BIT(PROGRAM_UARTD) | PROGRAM_BIT(PROGRAM_VIRTIOBLKD) |
                        PROGRAM_BIT(PROGRAM_PACKAGEFSD),
            .may_kill = true,
            .grants = {REGISTRY, LOG(NX_RIGHT_WRITE | NX_RIGHT_TRANSFER | NX_RIGHT_DUPLICATE),
                       MACHINE(NX_RIGHT_INSPECT | NX_RIGHT_POWER), DEVICETREE,
                       CLIENT(NX_START_CONSOLE, PROGRAM_UARTD),
                       CLIENT(NX_START_BLOCK, PROGRAM_VIRTIOBLKD),
                       CLIENT(NX_START_PACKAGES, PROGRAM_PACKAGEFSD)},
        },
};

static nx_handle endpoints[PROGRAM_COUNT];                     // of services, for ever
static nx_handle registry_handles[PROGRAM_COUNT];              // badged with the client
static nx_handle client_handles[PROGRAM_COUNT][PROGRAM_COUNT]; // [service][client], on demand
static const char *service_arguments[PROGRAM_COUNT];           // NULL: none
static struct program_other others[PROGRAM_COUNT];

const struct program_row *program_row(enum program_id id)
{
    return &rows[id];
}

nx_handle program_endpoint(enum program_id service)
{
    return endpoints[service];
}

enum program_id program_find_service(const char *name)
{
    for (enum program_id id = 0; id < PROGRAM_COUNT; id++) {
        if (rows[id].service != NULL &&
            (strcmp(rows[id].service, name) == 0 || strcmp(rows[id].file, name) == 0)) {
            return id;
        }
    }
    return PROGRAM_NONE;
}

// ---- Budgets ------------------------------------------------------------------------------------

static uint64_t spare_pages;  // of what this machine has, beyond the least of all programs
static uint64_t wanted_pages; // by all programs, beyond their least

// All programs may exist at once, and of a service two instances: memory that a client still holds
// keeps the budget of a dead one. Where the machine has less than they want, each gets its least
// and a share of the rest.
static enum nx_status budgets_plan(void)
{
    struct nx_process_facts self;
    enum nx_status status = nx_process_info(NX_HANDLE_NONE, &self);
    if (status != NX_OK) {
        return status;
    }
    uint64_t available = self.pages_budget - self.pages_used;
    uint64_t least = OWN_PAGES;
    for (enum program_id id = 0; id < PROGRAM_COUNT; id++) {
        uint64_t instances = rows[id].service != NULL ? 2 : 1;
        least += instances * rows[id].least_pages;
        wanted_pages += instances * (rows[id].budget_pages - rows[id].least_pages);
    }
    if (available < least) {
        nx_log("init: not enough memory free_KiB=%lu needed_KiB=%lu",
               (unsigned long)(available * (NX_PAGE_SIZE / 1024)),
               (unsigned long)(least * (NX_PAGE_SIZE / 1024)));
        return NX_ERR_NO_MEMORY;
    }
    spare_pages = available - least;
    return NX_OK;
}

static uint64_t budget_of(const struct program_row *row)
{
    uint64_t wish = row->budget_pages - row->least_pages;
    if (spare_pages < wanted_pages) {
        wish = wish * spare_pages / wanted_pages;
    }
    return row->least_pages + wish;
}

enum nx_status programs_prepare(nx_handle registry)
{
    enum nx_status status = budgets_plan();
    for (enum program_id id = 0; id < PROGRAM_COUNT && status == NX_OK; id++) {
        status =
            nx_handle_duplicate(registry, CLIENT_RIGHTS, BADGE_CLIENT(id), &registry_handles[id]);
        if (status == NX_OK && rows[id].service != NULL) {
            status = nx_endpoint_create(&endpoints[id]);
        }
    }
    return status;
}

enum nx_status program_client_handle(enum program_id service, enum program_id client,
                                     nx_handle *handle)
{
    nx_handle *kept = &client_handles[service][client];
    enum nx_status status = NX_OK;
    if (*kept == NX_HANDLE_NONE) {
        status = nx_handle_duplicate(endpoints[service], CLIENT_RIGHTS, BADGE_CLIENT(client), kept);
    }
    *handle = *kept;
    return status;
}

// ---- From a row to a process --------------------------------------------------------------------

static bool program_is_absent(enum program_id id)
{
    return rows[id].device != DEVICE_NONE &&
           machine_device(rows[id].device)->presence == DEVICE_ABSENT;
}

static uint32_t more_rights(enum program_id id, enum nx_start_id handle)
{
    switch (handle) {
    case NX_START_MACHINE:
        return others[id].machine_rights;
    case NX_START_LOG:
        return others[id].log_rights;
    default:
        return 0;
    }
}

// Fills *grant. Its handle stays NX_HANDLE_NONE when the row's condition leaves it out.
static enum nx_status grant_resolve(enum program_id id, const struct grant_row *row,
                                    struct nx_start_info *facts, struct nx_grant *grant)
{
    const struct device *device = machine_device(rows[id].device);
    *grant = (struct nx_grant){.id = row->id, .rights = row->rights};
    switch (row->source) {
    case GRANT_HANDLE:
        grant->handle = nx_start_handle(row->id);
        grant->rights |= more_rights(id, row->id);
        return NX_OK;
    case GRANT_REGISTRY:
        grant->handle = registry_handles[id];
        grant->rights = CLIENT_RIGHTS;
        return NX_OK;
    case GRANT_SERVED:
        grant->handle = endpoints[id];
        grant->rights = NX_RIGHT_RECEIVE | row->rights;
        return NX_OK;
    case GRANT_CLIENT:
        grant->rights = CLIENT_RIGHTS;
        return program_is_absent(row->service)
                   ? NX_OK
                   : program_client_handle(row->service, id, &grant->handle);
    case GRANT_WINDOW:
        grant->handle = device->window;
        grant->rights = NX_RIGHT_READ | NX_RIGHT_WRITE;
        return NX_OK;
    case GRANT_INTERRUPT:
        grant->handle = device->interrupt;
        grant->rights = NX_RIGHT_WAIT;
        return NX_OK;
    case GRANT_FIXTURES:
        grant->rights = NX_RIGHT_READ;
        return machine_device(DEVICE_BLOCK)->presence == DEVICE_ABSENT
                   ? archive_fixtures(&grant->handle, &facts->fixtures_bytes)
                   : NX_OK;
    case GRANT_TRUST:
        grant->rights = NX_RIGHT_READ;
        return archive_trust(&grant->handle, &facts->trust_bytes);
    default:
        return NX_ERR_BAD_STATE;
    }
}

static enum nx_status grants_resolve(enum program_id id, struct nx_start_info *facts,
                                     struct nx_grant *grants, uint32_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < PROGRAM_GRANTS_MAX && rows[id].grants[i].source != GRANT_END; i++) {
        enum nx_status status = grant_resolve(id, &rows[id].grants[i], facts, &grants[*count]);
        if (status != NX_OK) {
            return status;
        }
        *count += grants[*count].handle != NX_HANDLE_NONE;
    }
    return NX_OK;
}

void program_set_argument(enum program_id service, const char *word)
{
    service_arguments[service] = word;
}

void program_replace(enum program_id id, const struct program_other *other)
{
    others[id] = *other;
}

enum nx_status program_spawn(enum program_id id, const char *const *arguments,
                             uint32_t argument_count, nx_handle exit_notification,
                             nx_handle fault_endpoint, struct nx_child *child)
{
    const struct program_row *row = &rows[id];
    const struct device *device = machine_device(row->device);
    struct nx_start_info facts = {
        .device_base = device->base,
        .interrupt_number = device->interrupt_number,
        .hart_extensions = machine_hart_extensions(),
        .hart_count = machine_hart_count(),
        .devicetree_bytes = nx_start()->devicetree_bytes,
        .devicetree_offset = nx_start()->devicetree_offset,
    };
    struct nx_grant grants[PROGRAM_GRANTS_MAX];
    const char *file = others[id].file != NULL ? others[id].file : row->file;
    const char *words[PROGRAM_ARGUMENTS_MAX + 1] = {file};
    if (argument_count > PROGRAM_ARGUMENTS_MAX) {
        return NX_ERR_TOO_LARGE;
    }
    if (argument_count == 0 && service_arguments[id] != NULL) {
        arguments = &service_arguments[id];
        argument_count = 1;
    }
    for (uint32_t i = 0; i < argument_count; i++) {
        words[i + 1] = arguments[i];
    }
    struct nx_spawn_options options = {
        .name = file,
        .arguments = words,
        .argument_count = argument_count + 1,
        .grants = grants,
        .facts = &facts,
        .budget_pages = budget_of(row),
        .highest_class = row->class,
        .exit_notification = exit_notification,
        .exit_bits = PROGRAM_BIT(id),
        .fault_endpoint = fault_endpoint,
    };
    enum nx_status status = archive_program(file, &options.image);
    if (status == NX_OK) {
        status = grants_resolve(id, &facts, grants, &options.grant_count);
    }
    if (status == NX_OK) {
        status = nx_spawn(&options, child);
    }
    // The budget of a process that has ended comes back a moment later.
    for (uint32_t i = 0; i < RECLAIM_LOOKS && status == NX_ERR_NO_MEMORY; i++) {
        nx_sleep(RECLAIM_INTERVAL);
        status = nx_spawn(&options, child);
    }
    return status;
}
