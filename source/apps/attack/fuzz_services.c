// SPDX-License-Identifier: Apache-2.0
// Random messages to the services: requests as their schemas have them, with any numbers, paths and
// handles; the same damaged; requests of other services; and bytes that are nothing at all.
//
// Each must be answered with a status, or let the sender wait where the schema says so. That no
// service dies of it is for tests/qemu/attack.py to see: nexus-init says when it starts one anew.
#include "capnp/capnp.h"
#include "fuzz.h"
#include "nexus/block.h"
#include "nexus/clock.h"
#include "nexus/console.h"
#include "nexus/packages.h"
#include "nexus/registry.h"
#include "nexus/service.h"
#include "package_fs.capnp.h"
#include "uart.capnp.h"
#include "virtio_blk.capnp.h"

#define PATIENCE      (2 * NX_MILLISECOND)
#define KINDS_MAX     8u
#define LIST_LONG     4u
#define WARM_BYTES    NX_PAGE_SIZE
#define WORDS_MAX     (NX_MESSAGE_BYTES_MAX / CAPNP_WORD_BYTES)
#define SECTOR        512u
#define SESSIONS_MANY 16u           // more than virtioblkd has
#define CAPNP_ROWS    FUZZ_REGISTRY // that many services speak Cap'n Proto

// What a service's requests look like: a union whose number is the first field, and numbers; a
// pointer, which its members share, comes behind these.
struct service {
    const char *name;
    uint16_t data_words;
    uint16_t pointers;
    uint16_t kinds;             // members of the union
    uint8_t handles[KINDS_MAX]; // that each of them wants
};

static const struct service services[FUZZ_SERVICES] = {
    [FUZZ_PACKAGES] = {.name = "packages", .data_words = 4, .pointers = 1, .kinds = 7},
    [FUZZ_BLOCK] = {.name = "block",
                    .data_words = 3,
                    .kinds = 6,
                    .handles = {[VIRTIO_BLK_REQUEST_READ] = 1,
                                [VIRTIO_BLK_REQUEST_OPEN_QUEUE] = 3,
                                [VIRTIO_BLK_REQUEST_ATTACH] = 2,
                                [VIRTIO_BLK_REQUEST_DETACH] = 1,
                                [VIRTIO_BLK_REQUEST_CHECK_QUEUE] = 1}},
    [FUZZ_CONSOLE] = {.name = "console",
                      .data_words = 2,
                      .pointers = 1,
                      .kinds = 7,
                      .handles = {[UART_REQUEST_WATCH_INTERRUPT] = 1}},
    [FUZZ_REGISTRY] = {.name = "registry"},
};
_Static_assert(PACKAGE_FS_REQUEST_WORDS == 4 + 1 && VIRTIO_BLK_REQUEST_WORDS == 3 &&
                   UART_REQUEST_WORDS == 2 + 1,
               "as the schemas have them");

// Files that may be opened are in warm_files, too: packagefsd keeps what it has read.
static const char *const warm_files[] = {"pkg://fixtures/hello.txt", ATTACK_PATH};
static const char *const texts[] = {
    "",   "fixtures/hello.txt", "fixtures", "bin/attack", "bin/../fixtures/./hello.txt",
    "..", "no/such/file",       "///",      "\x1b[2J\r",  "attack: noise from the fuzzer\n",
};

const char *fuzz_service_name(enum fuzz_service service)
{
    return services[service].name;
}

// ---- Requests -----------------------------------------------------------------------------------

static uint64_t number(struct random *random)
{
    switch (random_below(random, 6)) {
    case 0:
        return 0;
    case 1:
        return random_below(random, 9);
    case 2:
        return random_below(random, 16) * NX_PAGE_SIZE;
    case 3:
        return random_below(random, 64) * SECTOR;
    case 4:
        return atomic_load_explicit(&worker.nodes[random_below(random, FUZZ_POOL)],
                                    memory_order_relaxed);
    default:
        return random_next(random) >> random_below(random, 64);
    }
}

static struct capnp_text text(struct random *random)
{
    return capnp_text_of(texts[random_below(random, sizeof(texts) / sizeof(texts[0]))]);
}

// Text, or sometimes a list of texts, at the pointer. What has no room is left out.
static void pointer_fill(struct fuzzer *fuzzer, struct capnp_builder *message, uint64_t *pointer)
{
    struct random *random = &fuzzer->random;
    struct capnp_list_builder list;
    uint32_t count = (uint32_t)random_below(random, LIST_LONG);
    if (!random_one_in(random, 4)) {
        (void)!capnp_build_text(message, pointer, text(random));
    } else if (capnp_build_list(message, pointer, CAPNP_ELEMENT_POINTER, count, &list) == NX_OK) {
        for (uint32_t i = 0; i < count; i++) {
            (void)!capnp_list_set_text(&list, i, text(random));
        }
    }
}

// A request of `kind` in the page; its bytes.
static size_t request_build(struct fuzzer *fuzzer, const struct service *service, uint64_t kind)
{
    struct random *random = &fuzzer->random;
    struct capnp_builder message;
    uint64_t *words;
    if (capnp_builder_init(&message, fuzzer->page->data, NX_MESSAGE_BYTES_MAX) != NX_OK ||
        capnp_place_struct(&message, message.words, service->data_words, service->pointers,
                           &words) != NX_OK) {
        return 0; // an empty page has room
    }
    for (uint32_t i = 0; i < service->data_words; i++) {
        words[i] = number(random);
    }
    // Beside the union's number are a small field, mostly 0, and a larger one.
    uint64_t small = random_one_in(random, 4) ? random_next(random) & UINT16_MAX : 0;
    words[0] = kind | small << 16 | words[0] << 32;
    for (uint32_t i = 0; i < service->pointers; i++) {
        words[service->data_words + i] = 0;
        pointer_fill(fuzzer, &message, &words[service->data_words + i]);
    }
    return capnp_builder_bytes(&message);
}

// Damages a request: its length, one of its words, or all of it.
static size_t request_damage(struct fuzzer *fuzzer, size_t bytes)
{
    struct random *random = &fuzzer->random;
    uint64_t *words = (uint64_t *)fuzzer->page->data;
    uint64_t *word = &words[random_below(random, bytes / CAPNP_WORD_BYTES + 1) % WORDS_MAX];
    switch (random_below(random, 8)) {
    case 0:
        return random_below(random, bytes + 1);
    case 1:
        *word ^= 1ull << random_below(random, 64);
        return bytes;
    case 2: // a pointer of any kind and shape, near enough to lead into the message
        *word = random_next(random) & ~0xfffffff0ull;
        *word |= random_below(random, 16);
        return bytes;
    case 3:
        for (uint32_t i = 0; i < WORDS_MAX; i++) {
            words[i] = random_next(random);
        }
        return random_below(random, NX_MESSAGE_BYTES_MAX + 2);
    default:
        return bytes;
    }
}

// The pool has many places that are empty: what takes three handles would hardly ever have them.
static nx_handle handle_find(struct fuzzer *fuzzer, enum nx_object_type type)
{
    uint64_t handle = NX_HANDLE_NONE;
    for (uint32_t i = 0; i < FUZZ_POOL && handle == NX_HANDLE_NONE; i++) {
        handle = fuzz_handle(fuzzer, type);
    }
    return (nx_handle)handle;
}

// Handles as the request wants them, or others, too few or too many; how many.
static uint32_t handles_fill(struct fuzzer *fuzzer, const struct service *service, uint64_t kind)
{
    static const uint8_t usual[] = {NX_OBJECT_MEMORY, NX_OBJECT_NOTIFICATION, NX_OBJECT_ENDPOINT};
    struct random *random = &fuzzer->random;
    uint32_t count = kind < KINDS_MAX ? service->handles[kind] : 0;
    bool memory = count == 2; // both are
    if (random_one_in(random, 4)) {
        count = (uint32_t)random_below(random, NX_MESSAGE_HANDLES_MAX + 1);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t type = memory || i >= sizeof(usual) ? NX_OBJECT_MEMORY : usual[i];
        if (random_one_in(random, 8)) {
            type = 1 + random_below(random, NX_OBJECT_TYPES - 1);
        }
        fuzzer->page->handles[i] = handle_find(fuzzer, (enum nx_object_type)type);
    }
    return count;
}

// ---- Answers ------------------------------------------------------------------------------------

// The status that a Response in the page begins with; NX_STATUS_COUNT: there is none.
static uint64_t response_status(const struct fuzzer *fuzzer, size_t bytes)
{
    struct capnp_reader message;
    struct capnp_struct response;
    if (capnp_reader_init(&message, fuzzer->page->data, bytes) != NX_OK ||
        capnp_root(&message, &response) != NX_OK) {
        return NX_STATUS_COUNT;
    }
    return capnp_struct_u16(&response, 0);
}

static void node_keep(struct fuzzer *fuzzer, size_t bytes)
{
    struct capnp_reader message;
    struct package_fs_response_reader response;
    if (package_fs_response_decode(fuzzer->page->data, bytes, &message, &response) == NX_OK &&
        package_fs_response_which(&response) == PACKAGE_FS_RESPONSE_OPEN) {
        atomic_store_explicit(&worker.nodes[random_below(&fuzzer->random, FUZZ_POOL)],
                              package_fs_response_open_node(&response), memory_order_relaxed);
    }
}

static void message_send(struct fuzzer *fuzzer, enum fuzz_service service,
                         const uint64_t arguments[7], size_t bytes, uint32_t handles)
{
    struct fuzz_answers *answers = &worker.counts->answers[service];
    atomic_fetch_add_explicit(&answers->sent, 1, memory_order_relaxed);
    fuzzer->page->deadline = nx_clock_now() + random_below(&fuzzer->random, PATIENCE);
    struct nx_registers r =
        fuzz_call(fuzzer, NX_SYS_CALL, NX_INFO(bytes, handles) | NX_INFO_DEADLINE, arguments);
    if (r.a0 == NX_ERR_PEER_CLOSED) {
        atomic_fetch_add_explicit(&answers->dropped, 1, memory_order_relaxed);
    }
    if (r.a0 != NX_OK) {
        return;
    }
    uint64_t status = r.a1;
    if (status == NX_OK && service < CAPNP_ROWS) {
        status = response_status(fuzzer, NX_INFO_BYTES(r.a7));
        if (service == FUZZ_PACKAGES) {
            node_keep(fuzzer, NX_INFO_BYTES(r.a7));
        }
    }
    atomic_fetch_add_explicit(status == NX_OK            ? &answers->done
                              : status < NX_STATUS_COUNT ? &answers->refused
                                                         : &answers->unclear,
                              1, memory_order_relaxed);
    fuzz_keep_received(fuzzer, r.a7);
}

// ---- Messages -----------------------------------------------------------------------------------

static void capnp_message(struct fuzzer *fuzzer, enum fuzz_service service)
{
    struct random *random = &fuzzer->random;
    const struct service *form = &services[service];
    const struct service *shape = form;
    if (random_one_in(random, 16)) {
        shape = &services[random_below(random, CAPNP_ROWS)]; // somebody else's, perhaps
    }
    uint64_t kind = random_one_in(random, 16) ? random_next(random) & UINT16_MAX
                                              : random_below(random, form->kinds + 1u);
    size_t bytes = request_damage(fuzzer, request_build(fuzzer, shape, kind));
    uint32_t handles = handles_fill(fuzzer, form, kind);
    // Of the words these services know nothing.
    const uint64_t arguments[7] = {worker.services[service], random_next(random)};
    message_send(fuzzer, service, arguments, bytes, handles);
}

// Operations with a name, or with any bytes. Whoever has this program's badge may kill services: a
// kill is asked for with a name that none has, and no name stays in the page for other calls.
static void registry_message(struct fuzzer *fuzzer)
{
    static const char *const names[] = {"nobody", "block", "packages", "console", "uartd", ""};
    struct random *random = &fuzzer->random;
    uint64_t operation =
        random_one_in(random, 8) ? random_next(random) : random_below(random, NX_REGISTRY_LIST + 2);
    bool kill = operation == NX_REGISTRY_KILL;
    const char *name = names[kill ? 0 : random_below(random, sizeof(names) / sizeof(names[0]))];
    size_t bytes = strlen(name) + 1;
    memcpy(fuzzer->page->data, name, bytes);
    if (!kill) {
        bytes = request_damage(fuzzer, bytes);
    }
    const uint64_t arguments[7] = {worker.services[FUZZ_REGISTRY], operation, number(random),
                                   number(random)};
    message_send(fuzzer, FUZZ_REGISTRY, arguments, bytes,
                 handles_fill(fuzzer, &services[FUZZ_REGISTRY], 0));
    memset(fuzzer->page->data, 0, sizeof(fuzzer->page->data));
}

void fuzz_service_message(struct fuzzer *fuzzer)
{
    enum fuzz_service service = random_below(&fuzzer->random, FUZZ_SERVICES);
    if (service < CAPNP_ROWS) {
        capnp_message(fuzzer, service);
    } else {
        registry_message(fuzzer);
    }
}

// ---- What services keep -------------------------------------------------------------------------

static enum nx_status file_read(const char *path)
{
    static uint8_t bytes[WARM_BYTES];
    struct nx_package_file *file;
    size_t length = 1;
    enum nx_status status = nx_package_open(path, &file);
    if (status != NX_OK) {
        return status;
    }
    for (uint64_t offset = 0; status == NX_OK && length > 0; offset += length) {
        status = nx_package_read(file, offset, bytes, sizeof(bytes), &length);
    }
    nx_package_close(file);
    return status;
}

// As many sessions at once as virtioblkd has: it keeps the stacks of the threads that watch over
// them.
static void sessions_open_and_close(void)
{
    static struct nx_block_queue queues[SESSIONS_MANY]; // too large for the stack's taste
    uint32_t count = 0;
    while (count < SESSIONS_MANY &&
           nx_block_queue_open(&queues[count], NX_HANDLE_NONE, 0) == NX_OK) {
        count++;
    }
    while (count > 0) {
        nx_block_queue_close(&queues[--count]);
    }
}

enum nx_status fuzz_services_warm_up(void)
{
    enum nx_status status = NX_OK;
    sessions_open_and_close();
    for (size_t i = 0; i < sizeof(warm_files) / sizeof(warm_files[0]) && status == NX_OK; i++) {
        status = file_read(warm_files[i]);
    }
    return status;
}

enum nx_status fuzz_services_forget(void)
{
    struct capnp_builder message;
    struct uart_request_builder request;
    struct nx_message reply;
    struct nx_retry retry = {0};
    enum nx_status status = nx_console_watch_interrupt(NX_HANDLE_NONE, 0);
    if (status == NX_OK) {
        status = uart_request_begin(&message, nx_page()->data, NX_MESSAGE_BYTES_MAX, &request);
    }
    if (status != NX_OK) {
        return status;
    }
    uart_request_init_read_bytes(&request);
    uart_request_set_read_bytes_maximum(&request, 1);
    status = nx_service_call_until(nx_start_handle(NX_START_CONSOLE), capnp_builder_bytes(&message),
                                   NX_HANDLE_NONE, nx_deadline_after(PATIENCE), &reply, &retry);
    return status == NX_ERR_TIMED_OUT ? NX_OK : status; // nobody types here
}
