// SPDX-License-Identifier: Apache-2.0
// What the arguments of each system call look like, and one random call.
//
// A form gives each argument a kind. Values of a kind are mostly such that the call may succeed,
// and sometimes such that it must refuse. What a call makes goes into the pool.
#include "fuzz.h"
#include "nexus/clock.h"

#define WILD_ONE_IN      24u // arguments that are any number
#define FORMS_WEIGHT_MAX 255u

enum kind {
    NOTHING, // 0
    // Handles, by enum nx_object_type.
    PROCESS = NX_OBJECT_PROCESS,
    THREAD = NX_OBJECT_THREAD,
    MEMORY = NX_OBJECT_MEMORY,
    ENDPOINT = NX_OBJECT_ENDPOINT,
    NOTIFICATION = NX_OBJECT_NOTIFICATION,
    INTERRUPT = NX_OBJECT_INTERRUPT,
    REPLY = NX_OBJECT_REPLY,
    MACHINE = NX_OBJECT_MACHINE,
    KERNEL_LOG = NX_OBJECT_LOG,
    ANY_HANDLE,
    DOOMED_HANDLE, // taken out of the pool
    OPTIONAL_PROCESS,
    OPTIONAL_THREAD,
    OPTIONAL_NOTIFICATION,
    OPTIONAL_ENDPOINT,
    OPTIONAL_REPLY,
    WORD,
    SMALL, // up to 7
    BITS,
    RIGHTS,
    BADGE,
    DEADLINE,
    KEEP,
    SIZE,
    MEMORY_FLAGS,
    OFFSET,
    LENGTH,
    ADDRESS,
    MAPPED, // start of a mapping, perhaps
    PROTECTION,
    PAGES,
    NAME,
    CLASS,
    ENTRY,
    STACK,
    AFFINITY,
    HART,
    SOURCE,
    PHYSICAL,
    TEXT_LENGTH,
};

enum result { NO_RESULT, NEW_HANDLE, COPIED_HANDLE, NEW_MAPPING, MESSAGE };

struct fuzz_form {
    uint64_t number;
    const char *name;
    uint8_t weight;
    uint8_t result;   // enum result
    uint8_t type;     // enum nx_object_type of a new handle
    uint8_t sends;    // the call's number is joined with an info word
    uint8_t kinds[7]; // enum kind
};

#define WORDS WORD, WORD, WORD, WORD, WORD, WORD

// In the order of their numbers.
static const struct fuzz_form forms[] = {
    {NX_SYS_NULL, "null", 4, NO_RESULT, 0, 0, {WORDS}},
    {NX_SYS_CALL, "call", 60, MESSAGE, 0, 1, {ENDPOINT, WORDS}},
    {NX_SYS_RECEIVE, "receive", 60, MESSAGE, 0, 0, {ENDPOINT, DEADLINE, KEEP}},
    {NX_SYS_REPLY, "reply", 40, NO_RESULT, 0, 1, {OPTIONAL_REPLY, WORDS}},
    {NX_SYS_REPLY_RECEIVE, "reply_receive", 40, MESSAGE, 0, 1, {ENDPOINT, WORDS}},
    {NX_SYS_REPLY_SAVE, "reply_save", 20, NEW_HANDLE, NX_OBJECT_REPLY, 0, {0}},
    {NX_SYS_ENDPOINT_CREATE, "endpoint_create", 12, NEW_HANDLE, NX_OBJECT_ENDPOINT, 0, {0}},
    {NX_SYS_NOTIFICATION_CREATE,
     "notification_create",
     12,
     NEW_HANDLE,
     NX_OBJECT_NOTIFICATION,
     0,
     {0}},
    {NX_SYS_NOTIFICATION_SIGNAL, "notification_signal", 40, NO_RESULT, 0, 0, {NOTIFICATION, BITS}},
    {NX_SYS_NOTIFICATION_WAIT,
     "notification_wait",
     40,
     NO_RESULT,
     0,
     0,
     {OPTIONAL_NOTIFICATION, DEADLINE, OPTIONAL_NOTIFICATION, BITS}},
    {NX_SYS_NOTIFICATION_BIND, "notification_bind", 12, NO_RESULT, 0, 0, {OPTIONAL_NOTIFICATION}},
    {NX_SYS_HANDLE_CLOSE, "handle_close", 40, NO_RESULT, 0, 0, {DOOMED_HANDLE}},
    {NX_SYS_HANDLE_DUPLICATE,
     "handle_duplicate",
     20,
     COPIED_HANDLE,
     0,
     0,
     {ANY_HANDLE, RIGHTS, BADGE}},
    {NX_SYS_HANDLE_GRANT,
     "handle_grant",
     20,
     NO_RESULT,
     0,
     0,
     {OPTIONAL_PROCESS, ANY_HANDLE, RIGHTS}},
    {NX_SYS_HANDLE_INFO, "handle_info", 12, NO_RESULT, 0, 0, {ANY_HANDLE}},
    {NX_SYS_MEMORY_CREATE,
     "memory_create",
     16,
     NEW_HANDLE,
     NX_OBJECT_MEMORY,
     0,
     {SIZE, MEMORY_FLAGS}},
    {NX_SYS_MEMORY_COMMIT, "memory_commit", 16, NO_RESULT, 0, 0, {MEMORY, OFFSET, LENGTH}},
    {NX_SYS_MEMORY_MAP,
     "memory_map",
     40,
     NEW_MAPPING,
     0,
     0,
     {OPTIONAL_PROCESS, MEMORY, OFFSET, ADDRESS, LENGTH, PROTECTION}},
    {NX_SYS_MEMORY_UNMAP, "memory_unmap", 40, NO_RESULT, 0, 0, {OPTIONAL_PROCESS, MAPPED}},
    {NX_SYS_MEMORY_PHYSICAL,
     "memory_physical",
     12,
     NO_RESULT,
     0,
     0,
     {MACHINE, MEMORY, OFFSET, LENGTH}},
    {NX_SYS_MEMORY_DEVICE_CREATE,
     "memory_device_create",
     8,
     NEW_HANDLE,
     NX_OBJECT_MEMORY,
     0,
     {MACHINE, PHYSICAL, SIZE}},
    {NX_SYS_MEMORY_INFO, "memory_info", 12, NO_RESULT, 0, 0, {MEMORY}},
    {NX_SYS_PROCESS_CREATE,
     "process_create",
     4,
     NEW_HANDLE,
     NX_OBJECT_PROCESS,
     0,
     {PAGES, NAME, NOTHING, NAME, NOTHING, CLASS}},
    {NX_SYS_PROCESS_KILL, "process_kill", 6, NO_RESULT, 0, 0, {PROCESS, WORD}},
    {NX_SYS_PROCESS_INFO, "process_info", 12, NO_RESULT, 0, 0, {PROCESS}},
    {NX_SYS_PROCESS_BIND,
     "process_bind",
     12,
     NO_RESULT,
     0,
     0,
     {PROCESS, OPTIONAL_NOTIFICATION, BITS, OPTIONAL_ENDPOINT}},
    {NX_SYS_PROCESS_EXIT, "process_exit", 0, NO_RESULT, 0, 0, {WORD}},
    {NX_SYS_THREAD_CREATE,
     "thread_create",
     8,
     NEW_HANDLE,
     NX_OBJECT_THREAD,
     0,
     {PROCESS, ENTRY, STACK, WORD, WORD, MEMORY, OFFSET}},
    {NX_SYS_THREAD_START, "thread_start", 12, NO_RESULT, 0, 0, {THREAD}},
    {NX_SYS_THREAD_EXIT, "thread_exit", 1, NO_RESULT, 0, 0, {0}},
    {NX_SYS_THREAD_CONTROL,
     "thread_control",
     30,
     NO_RESULT,
     0,
     0,
     {OPTIONAL_THREAD, SMALL, SMALL, BITS}},
    {NX_SYS_THREAD_YIELD, "thread_yield", 20, NO_RESULT, 0, 0, {HART}},
    {NX_SYS_INTERRUPT_CREATE,
     "interrupt_create",
     8,
     NEW_HANDLE,
     NX_OBJECT_INTERRUPT,
     0,
     {MACHINE, SOURCE}},
    {NX_SYS_INTERRUPT_BIND, "interrupt_bind", 12, NO_RESULT, 0, 0, {INTERRUPT, NOTIFICATION, BITS}},
    {NX_SYS_INTERRUPT_ACK, "interrupt_ack", 12, NO_RESULT, 0, 0, {INTERRUPT}},
    {NX_SYS_HART_CONTROL, "hart_control", 2, NO_RESULT, 0, 0, {MACHINE, HART, SMALL}},
    {NX_SYS_SYSTEM_RESET, "system_reset", 4, NO_RESULT, 0, 0, {MACHINE, SMALL}},
    {NX_SYS_SYSTEM_INFO, "system_info", 8, NO_RESULT, 0, 0, {MACHINE, SMALL, SMALL}},
    {NX_SYS_LOG_WRITE, "log_write", 1, NO_RESULT, 0, 0, {KERNEL_LOG, TEXT_LENGTH}},
    {NX_SYS_LOG_READ, "log_read", 8, NO_RESULT, 0, 0, {KERNEL_LOG, WORD}},
    // Bits that are 0: a success would take the log away from its reader.
    {NX_SYS_LOG_BIND, "log_bind", 4, NO_RESULT, 0, 0, {KERNEL_LOG, NOTIFICATION, NOTHING}},
    {NX_SYS_MEMORY_POPULATE,
     "memory_populate",
     16,
     NO_RESULT,
     0,
     0,
     {OPTIONAL_PROCESS, MAPPED, OFFSET}},
    {NX_SYS_THREAD_RESTART,
     "thread_restart",
     12,
     NO_RESULT,
     0,
     0,
     {THREAD, ENTRY, STACK, WORD, WORD, AFFINITY, CLASS}},
};
_Static_assert(sizeof(forms) / sizeof(forms[0]) == NX_SYSCALL_COUNT, "each call has a form");

const char *fuzz_call_name(uint64_t number)
{
    return forms[number].name;
}

// ---- Values -------------------------------------------------------------------------------------

// Numbers at which arithmetic goes wrong.
static uint64_t wild(struct random *random)
{
    static const uint64_t edges[] = {
        0,
        1,
        NX_PAGE_SIZE - 1,
        NX_PAGE_SIZE,
        NX_USER_BASE - NX_PAGE_SIZE,
        NX_USER_BASE,
        NX_USER_END - NX_PAGE_SIZE,
        NX_USER_END,
        NX_USER_END + NX_PAGE_SIZE,
        NX_MEMORY_SIZE_MAX,
        NX_MEMORY_SIZE_MAX + 1,
        0x7fffffffull,
        0x80000000ull,
        0xffffffffull,
        0x100000000ull,
        0x4000000000ull,       // behind Sv39's lower half
        0x8000000000000000ull, // not canonical
        0xffffffc000000000ull, // the kernel's half
        0xffffffc080200000ull, // and its image
        0xfffffffffffff000ull,
        0x7fffffffffffffffull,
        UINT64_MAX - 1,
        UINT64_MAX,
    };
    uint64_t number = random_next(random);
    if (random_one_in(random, 2)) {
        return edges[number % (sizeof(edges) / sizeof(edges[0]))];
    }
    return number >> (number & 63);
}

// One that usually moves within pages.
static uint64_t page_count(struct random *random, uint64_t limit)
{
    uint64_t bytes = random_below(random, limit) * NX_PAGE_SIZE;
    return random_one_in(random, 16) ? bytes + 8 : bytes;
}

static uint64_t arena_address(struct random *random)
{
    return FUZZ_ARENA_BASE + page_count(random, FUZZ_ARENA_PAGES);
}

static uint64_t code_address(struct random *random)
{
    const uint8_t *code = random_one_in(random, 2) ? fuzz_code_leave : fuzz_code_calls;
    return random_one_in(random, 256) ? wild(random)
                                      : FUZZ_CODE + (uint64_t)(code - fuzz_code_start);
}

static uint64_t mapped_address(struct random *random)
{
    if (random_one_in(random, 3)) {
        return arena_address(random);
    }
    return atomic_load_explicit(&worker.mappings[random_below(random, FUZZ_POOL)],
                                memory_order_relaxed);
}

static uint64_t deadline(struct random *random)
{
    switch (random_below(random, 16)) {
    case 0:
        return NX_DEADLINE_NEVER; // whoever is stuck is killed
    case 1:
        return wild(random);
    case 2:
    case 3:
    case 4:
        return nx_clock_now() + random_below(random, 200 * NX_MICROSECOND);
    default:
        return 0;
    }
}

static uint64_t protection(struct random *random)
{
    static const uint8_t usual[] = {
        NX_PROT_READ,
        NX_PROT_READ | NX_PROT_WRITE,
        NX_PROT_READ | NX_PROT_WRITE | NX_PROT_POPULATE,
        NX_PROT_READ | NX_PROT_EXECUTE,
        NX_PROT_EXECUTE,
        NX_PROT_WRITE,
    };
    return random_one_in(random, 8) ? random_below(random, 33)
                                    : usual[random_below(random, sizeof(usual))];
}

// Windows that no device minds: the clock, places without a device, and what must be refused.
static uint64_t physical_address(struct random *random)
{
    static const uint64_t places[] = {
        FUZZ_CLOCK_BASE,
        FUZZ_CLOCK_BASE + NX_PAGE_SIZE,
        0x80000000ull, // firmware
        0x80200000ull, // kernel
        0x0c000000ull, // interrupt controller
        (1ull << 56) - NX_PAGE_SIZE,
        (1ull << 55) + 1,
        UINT64_MAX - NX_PAGE_SIZE + 1,
    };
    return places[random_below(random, sizeof(places) / sizeof(places[0]))];
}

static uint64_t rights(struct random *random)
{
    switch (random_below(random, 4)) {
    case 0:
        return random_next(random);
    case 1:
        return NX_RIGHTS_ALL & ~(1ull << random_below(random, 16));
    default:
        return NX_RIGHTS_ALL;
    }
}

static uint64_t interrupt_source(struct random *random)
{
    return random_one_in(random, 2) ? FUZZ_CLOCK_SOURCE : random_below(random, 128);
}

// ---- Handles ------------------------------------------------------------------------------------

static _Atomic nx_handle *pool_place(struct random *random, uint64_t type)
{
    return &worker.pool[type][random_below(random, FUZZ_POOL)];
}

static uint64_t pool_look(struct random *random, uint64_t type)
{
    return atomic_load_explicit(pool_place(random, type), memory_order_relaxed);
}

static uint64_t any_type(struct random *random)
{
    return 1 + random_below(random, NX_OBJECT_TYPES - 1);
}

uint64_t fuzz_handle(struct fuzzer *fuzzer, enum nx_object_type type)
{
    struct random *random = &fuzzer->random;
    switch (random_below(random, 48)) {
    case 0:
        return NX_HANDLE_NONE;
    case 1:
        return random_next(random) & UINT32_MAX;
    case 2:
        return pool_look(random, any_type(random));
    case 3:
        return pool_look(random, type) + (1u << 13); // the next generation of its slot
    case 4:
        return pool_look(random, type) | random_next(random) << 32;
    default:
        return pool_look(random, type);
    }
}

// The old one is closed, or now and then forgotten until the process dies.
void fuzz_keep(struct fuzzer *fuzzer, enum nx_object_type type, uint64_t handle)
{
    uint64_t old = atomic_exchange_explicit(pool_place(&fuzzer->random, type), (nx_handle)handle,
                                            memory_order_relaxed);
    if (old != NX_HANDLE_NONE && !random_one_in(&fuzzer->random, 16)) {
        (void)fuzz_call(fuzzer, NX_SYS_HANDLE_CLOSE, 0, (uint64_t[7]){old});
    }
}

// Keeps what the kernel says is a handle, under the type that it has.
static void keep_any(struct fuzzer *fuzzer, uint64_t handle)
{
    struct nx_registers r = fuzz_call(fuzzer, NX_SYS_HANDLE_INFO, 0, (uint64_t[7]){handle});
    if (r.a0 == NX_OK && r.a1 < NX_OBJECT_TYPES) {
        fuzz_keep(fuzzer, (enum nx_object_type)r.a1, handle);
    }
}

static uint64_t doomed_handle(struct fuzzer *fuzzer)
{
    struct random *random = &fuzzer->random;
    // The machine and the log are not made anew.
    uint64_t type = 1 + random_below(random, NX_OBJECT_MACHINE - 1);
    if (random_one_in(random, 4)) {
        return fuzz_handle(fuzzer, (enum nx_object_type)type); // and stays in the pool, stale
    }
    return atomic_exchange_explicit(pool_place(random, type), NX_HANDLE_NONE, memory_order_relaxed);
}

static uint64_t optional_handle(struct fuzzer *fuzzer, enum nx_object_type type)
{
    return random_one_in(&fuzzer->random, 2) ? NX_HANDLE_NONE : fuzz_handle(fuzzer, type);
}

// ---- From kinds to arguments --------------------------------------------------------------------

static uint64_t handle_argument(struct fuzzer *fuzzer, enum kind kind)
{
    switch (kind) {
    case ANY_HANDLE:
        return fuzz_handle(fuzzer, (enum nx_object_type)any_type(&fuzzer->random));
    case DOOMED_HANDLE:
        return doomed_handle(fuzzer);
    case OPTIONAL_PROCESS:
        return optional_handle(fuzzer, NX_OBJECT_PROCESS);
    case OPTIONAL_THREAD:
        return optional_handle(fuzzer, NX_OBJECT_THREAD);
    case OPTIONAL_NOTIFICATION:
        return optional_handle(fuzzer, NX_OBJECT_NOTIFICATION);
    case OPTIONAL_ENDPOINT:
        return optional_handle(fuzzer, NX_OBJECT_ENDPOINT);
    case OPTIONAL_REPLY:
        return optional_handle(fuzzer, NX_OBJECT_REPLY);
    default:
        return fuzz_handle(fuzzer, (enum nx_object_type)kind);
    }
}

static uint64_t memory_argument(struct random *random, enum kind kind)
{
    switch (kind) {
    case SIZE:
        return page_count(random, 17);
    case MEMORY_FLAGS:
        return random_one_in(random, 4) ? random_below(random, 4) : 0;
    case OFFSET:
        return page_count(random, 4);
    case LENGTH:
        return page_count(random, 5);
    case ADDRESS:
        return random_one_in(random, 4) ? 0 : arena_address(random);
    case MAPPED:
        return mapped_address(random);
    case PROTECTION:
        return protection(random);
    case PHYSICAL:
        return physical_address(random);
    default:
        return random_next(random);
    }
}

static uint64_t thread_argument(struct random *random, enum kind kind)
{
    switch (kind) {
    case PAGES:
        return random_below(random, 48);
    case NAME:
        return random_one_in(random, 8) ? random_next(random) : 0x7a7a7566ull; // "fuzz", "fuzz.."
    case CLASS:
        return random_below(random, NX_CLASS_COUNT + 1);
    case ENTRY:
        return code_address(random);
    case STACK:
        return FUZZ_ARENA_BASE;
    case AFFINITY:
        return random_below(random, 17);
    case HART:
        return random_one_in(random, 2) ? NX_HART_ANY : random_below(random, NX_HARTS_MAX + 1);
    default:
        return random_next(random);
    }
}

static uint64_t plain_argument(struct random *random, enum kind kind)
{
    switch (kind) {
    case NOTHING:
        return 0;
    case SMALL:
        return random_below(random, 8);
    case BITS:
        return random_below(random, 16);
    case RIGHTS:
        return rights(random);
    case BADGE:
        return random_one_in(random, 4) ? random_next(random) : 0;
    case DEADLINE:
        return deadline(random);
    case KEEP:
        return random_one_in(random, 2) ? NX_RECEIVE_KEEP : 0;
    case SOURCE:
        return interrupt_source(random);
    case TEXT_LENGTH:
        return random_one_in(random, 2) ? wild(random) : random_below(random, 32);
    default:
        return random_next(random);
    }
}

static uint64_t argument_of(struct fuzzer *fuzzer, enum kind kind)
{
    struct random *random = &fuzzer->random;
    if (kind != NOTHING && kind != DEADLINE && kind != PHYSICAL &&
        random_one_in(random, WILD_ONE_IN)) {
        return wild(random);
    }
    if (kind >= PROCESS && kind <= OPTIONAL_REPLY) {
        return handle_argument(fuzzer, kind);
    }
    if ((kind >= SIZE && kind <= PROTECTION) || kind == PHYSICAL) {
        return memory_argument(random, kind);
    }
    if (kind >= PAGES && kind <= HART) {
        return thread_argument(random, kind);
    }
    return plain_argument(random, kind);
}

// The info word of a message, and what it announces in the message page.
static uint64_t message_info(struct fuzzer *fuzzer)
{
    struct random *random = &fuzzer->random;
    uint64_t info = 0;
    if (random_one_in(random, 2)) {
        info = NX_INFO(random_below(random, NX_MESSAGE_BYTES_MAX + 2),
                       random_one_in(random, 2) ? random_below(random, 6) : 0);
        for (uint32_t i = 0; i < NX_MESSAGE_HANDLES_MAX; i++) {
            fuzzer->page->handles[i] = (nx_handle)handle_argument(fuzzer, ANY_HANDLE);
        }
    }
    if (!random_one_in(random, 16)) {
        info |= NX_INFO_DEADLINE;
        fuzzer->page->deadline = random_one_in(random, 2)
                                     ? nx_clock_now() + random_below(random, NX_MILLISECOND)
                                     : deadline(random);
    }
    if (random_one_in(random, 32)) {
        info |= random_next(random) & ~(NX_INFO_NUMBER_MASK | NX_INFO_DEADLINE);
    }
    return info;
}

// ---- The call -----------------------------------------------------------------------------------

static const struct fuzz_form *form_choose(struct random *random)
{
    static _Atomic uint32_t total;
    uint32_t sum = atomic_load_explicit(&total, memory_order_relaxed);
    if (sum == 0) {
        for (uint32_t i = 0; i < NX_SYSCALL_COUNT; i++) {
            sum += forms[i].weight;
        }
        atomic_store_explicit(&total, sum, memory_order_relaxed);
    }
    uint64_t left = random_below(random, sum);
    const struct fuzz_form *form = forms;
    while (left >= form->weight) {
        left -= form->weight;
        form++;
    }
    return form;
}

void fuzz_keep_received(struct fuzzer *fuzzer, uint64_t info)
{
    nx_handle handles[NX_MESSAGE_HANDLES_MAX];
    memcpy(handles, fuzzer->page->handles, sizeof(handles));
    for (uint32_t i = 0; i < NX_INFO_HANDLES(info) && i < NX_MESSAGE_HANDLES_MAX; i++) {
        keep_any(fuzzer, handles[i]);
    }
}

static void keep_result(struct fuzzer *fuzzer, const struct fuzz_form *form,
                        const uint64_t arguments[7], const struct nx_registers *r)
{
    switch (form->result) {
    case NEW_HANDLE:
        fuzz_keep(fuzzer, (enum nx_object_type)form->type, r->a1);
        break;
    case COPIED_HANDLE:
        keep_any(fuzzer, r->a1);
        break;
    case NEW_MAPPING:
        if (arguments[0] == NX_HANDLE_NONE && arguments[3] == 0) {
            atomic_store_explicit(&worker.mappings[random_below(&fuzzer->random, FUZZ_POOL)], r->a1,
                                  memory_order_relaxed);
        }
        break;
    case MESSAGE:
        fuzz_keep_received(fuzzer, r->a7);
        break;
    default:
        break;
    }
}

void fuzz_random_call(struct fuzzer *fuzzer)
{
    static const char noise[] = "attack: noise from the fuzzer\n";
    const struct fuzz_form *form = form_choose(&fuzzer->random);
    uint64_t arguments[7];
    for (uint32_t i = 0; i < 7; i++) {
        arguments[i] = argument_of(fuzzer, (enum kind)form->kinds[i]);
    }
    // The worker's own faults and end stay the campaign's.
    if (form->number == NX_SYS_PROCESS_BIND && arguments[0] == NX_HANDLE_NONE) {
        arguments[0] = UINT32_MAX;
    }
    if (form->number == NX_SYS_LOG_WRITE) {
        memcpy(fuzzer->page->data, noise, sizeof(noise) - 1);
    }
    struct nx_registers r =
        fuzz_call(fuzzer, form->number, form->sends != 0 ? message_info(fuzzer) : 0, arguments);
    if (r.a0 == NX_OK) {
        keep_result(fuzzer, form, arguments, &r);
    }
}
