// SPDX-License-Identifier: Apache-2.0
// Self-test of protection: nothing is writable and executable, no program reaches devices, other
// harts' timers or the supervisor's registers, and whoever touches what it may not is reported to
// its supervisor with cause and address, and resumed or killed as that says.
#include "nexus/memory.h"
#include "child.h"
#include <stdio.h>

#define FAULT_PATIENCE (20 * NX_SECOND)
#define EXIT_BIT       1u
#define KERNEL_ADDRESS 0xffffffc080200000ul // the upper half belongs to the kernel

// RISC-V privileged specification, table of scause.
enum fault_cause {
    CAUSE_NONE = 0, // an instruction address that is misaligned: no case here
    CAUSE_ILLEGAL = 2,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_FETCH = 12,
    CAUSE_LOAD = 13,
    CAUSE_STORE = 15,
};

// Where QEMU's virt machine has them: none is at its physical address, or anywhere, for a program.
#define CLINT    0x2000000ul // msip and mtimecmp of every hart
#define PLIC     0xc000000ul
#define UART     0x10000000ul
#define DISK     0x10001000ul
#define POWER    0x100000ul
#define CLOCK    0x101000ul // its registers are words
#define FIRMWARE 0x80000000ul

struct fault_case {
    const char *what;
    const uint8_t *snippet;
    uint64_t argument;
    enum fault_cause cause;
    uint64_t address;
};

static const struct fault_case fault_cases[] = {
    {"store to the null guard", child_store, 0, CAUSE_STORE, 0},
    {"load from a hole", child_load, CHILD_SPARE, CAUSE_LOAD, CHILD_SPARE},
    {"store to code", child_store, CHILD_CODE, CAUSE_STORE, CHILD_CODE},
    {"jump to data", child_jump, CHILD_STACK, CAUSE_FETCH, CHILD_STACK},
    {"load from the kernel", child_load, KERNEL_ADDRESS, CAUSE_LOAD, KERNEL_ADDRESS},
    {"stack overflow", child_overflow, 0, CAUSE_STORE, CHILD_STACK - 16},
    {"start an interrupt on hart 1", child_store, CLINT + 4, CAUSE_STORE, CLINT + 4},
    {"set hart 1's timer", child_store, CLINT + 0x4008, CAUSE_STORE, CLINT + 0x4008},
    {"load from the interrupt controller", child_load, PLIC, CAUSE_LOAD, PLIC},
    {"store to the interrupt controller", child_store, PLIC, CAUSE_STORE, PLIC},
    {"load from the UART", child_load, UART, CAUSE_LOAD, UART},
    {"store to the UART", child_store, UART, CAUSE_STORE, UART},
    {"load from the disk's registers", child_load, DISK, CAUSE_LOAD, DISK},
    {"store to the power switch", child_store, POWER, CAUSE_STORE, POWER},
    {"load from the firmware", child_load, FIRMWARE, CAUSE_LOAD, FIRMWARE},
    {"jump to the firmware", child_jump, FIRMWARE, CAUSE_FETCH, FIRMWARE},
};

struct supervisor {
    nx_handle endpoint;     // where the faults arrive
    nx_handle notification; // where the end is signalled
};

// Waits for the child's end and compares its exit status.
static enum test_outcome child_ends(struct test_report *report, const struct supervisor *supervisor,
                                    const struct child *child, const char *what, int64_t wanted)
{
    struct nx_process_facts facts;
    uint64_t bits;

    EXPECT_OK(report, nx_notification_wait(supervisor->notification,
                                           nx_deadline_after(FAULT_PATIENCE), &bits));
    EXPECT_OK(report, nx_process_info(child->process, &facts));
    EXPECT(report, facts.exit_status == wanted, "%s: exit status %lld instead of %lld", what,
           (long long)facts.exit_status, (long long)wanted);
    return TEST_PASS;
}

static enum test_outcome fault_arrives(struct test_report *report,
                                       const struct supervisor *supervisor,
                                       const struct fault_case *row)
{
    struct nx_message message;

    EXPECT_OK(report, nx_endpoint_receive(supervisor->endpoint, nx_deadline_after(FAULT_PATIENCE),
                                          &message));
    EXPECT(report, (message.info & NX_INFO_FAULT) != 0, "%s: not a fault message", row->what);
    EXPECT(report, message.words[NX_FAULT_CAUSE] == row->cause, "%s: cause %llu instead of %d",
           row->what, (unsigned long long)message.words[NX_FAULT_CAUSE], (int)row->cause);
    // Of an illegal instruction, some machines report the instruction, others nothing.
    EXPECT(report, row->cause == CAUSE_ILLEGAL || message.words[NX_FAULT_ADDRESS] == row->address,
           "%s: address %#llx", row->what, (unsigned long long)message.words[NX_FAULT_ADDRESS]);
    return TEST_PASS;
}

static enum test_outcome child_begin(struct test_report *report,
                                     const struct supervisor *supervisor, struct child *child,
                                     const struct fault_case *row)
{
    EXPECT_OK(report, child_create(child));
    EXPECT_OK(report, nx_process_bind(child->process, supervisor->notification, EXIT_BIT,
                                      supervisor->endpoint));
    EXPECT_OK(report, child_start(child, row->snippet, row->argument, 0));
    return TEST_PASS;
}

// The fault is reported; refusing to resume kills the child.
static enum test_outcome fault_is_reported(struct test_report *report,
                                           const struct supervisor *supervisor,
                                           const struct fault_case *row)
{
    struct child child = {0};
    struct nx_message refuse = {.words = {0}};

    enum test_outcome outcome = child_begin(report, supervisor, &child, row);
    if (outcome == TEST_PASS) {
        outcome = fault_arrives(report, supervisor, row);
    }
    if (outcome == TEST_PASS) {
        (void)!nx_endpoint_reply(NX_HANDLE_NONE, &refuse); // the exit status shows if it arrived
        outcome = child_ends(report, supervisor, &child, row->what, NX_EXIT_FAULTED);
    }
    child_end(&child);
    return outcome;
}

// The supervisor gives the child the page that it missed, and it goes on.
static enum test_outcome fault_is_resumed(struct test_report *report,
                                          const struct supervisor *supervisor)
{
    static const struct fault_case row = {"resumed store", child_store, CHILD_SPARE, CAUSE_STORE,
                                          CHILD_SPARE};
    struct child child = {0};
    struct nx_message resume = {.words = {NX_FAULT_RESUME}};
    uint64_t address = CHILD_SPARE;

    enum test_outcome outcome = child_begin(report, supervisor, &child, &row);
    if (outcome == TEST_PASS) {
        outcome = fault_arrives(report, supervisor, &row);
    }
    if (outcome == TEST_PASS) {
        enum nx_status mapped = nx_memory_map(child.process, child.stack, 0, NX_PAGE_SIZE,
                                              NX_PROT_READ | NX_PROT_WRITE, &address);
        enum nx_status replied = nx_endpoint_reply(NX_HANDLE_NONE, &resume);
        outcome = mapped == NX_OK && replied == NX_OK
                      ? child_ends(report, supervisor, &child, row.what, CHILD_EXIT_STATUS)
                      : test_fail(report, "%s: %s, %s", row.what, nx_status_text(mapped),
                                  nx_status_text(replied));
    }
    child_end(&child);
    return outcome;
}

// A process with a window of devices at CHILD_SPARE runs the row's snippet.
static enum nx_status window_child_begin(const struct supervisor *supervisor, struct child *child,
                                         const struct fault_case *row, nx_handle window)
{
    uint64_t address = CHILD_SPARE;
    enum nx_status status = child_create(child);
    if (status == NX_OK) {
        status = nx_memory_map(child->process, window, 0, NX_PAGE_SIZE,
                               NX_PROT_READ | NX_PROT_WRITE, &address);
    }
    if (status == NX_OK) {
        status = nx_process_bind(child->process, supervisor->notification, EXIT_BIT,
                                 supervisor->endpoint);
    }
    return status == NX_OK ? child_start(child, row->snippet, row->argument, 0) : status;
}

static enum test_outcome window_child_ends(struct test_report *report,
                                           const struct supervisor *supervisor,
                                           const struct child *child, const struct fault_case *row)
{
    struct nx_message refuse = {.words = {0}};
    if (row->cause == CAUSE_NONE) {
        return child_ends(report, supervisor, child, row->what, CHILD_EXIT_STATUS);
    }
    enum test_outcome outcome = fault_arrives(report, supervisor, row);
    if (outcome != TEST_PASS) {
        return outcome;
    }
    (void)!nx_endpoint_reply(NX_HANDLE_NONE, &refuse); // the exit status shows if it arrived
    return child_ends(report, supervisor, child, row->what, NX_EXIT_FAULTED);
}

struct window_case {
    struct fault_case row;
    uint64_t physical;
};

static enum test_outcome window_is_tried(struct test_report *report,
                                         const struct supervisor *supervisor,
                                         const struct window_case *window)
{
    struct child child = {0};
    nx_handle memory;
    enum nx_status status = nx_memory_device_create(nx_start_handle(NX_START_MACHINE),
                                                    window->physical, NX_PAGE_SIZE, &memory);
    if (status == NX_ERR_ACCESS_DENIED && window->row.cause != CAUSE_NONE) {
        return TEST_PASS; // barred already
    }
    EXPECT(report, status == NX_OK, "%s: %s", window->row.what, nx_status_text(status));
    status = window_child_begin(supervisor, &child, &window->row, memory);
    enum test_outcome outcome =
        status == NX_OK ? window_child_ends(report, supervisor, &child, &window->row)
                        : test_fail(report, "%s: %s", window->row.what, nx_status_text(status));
    child_end(&child);
    nx_handle_drop(memory);
    return outcome;
}

// Whoever may map devices may ask for the CLINT, for the kernel does not know where it is. The
// firmware bars it to all but itself, so no program reaches other harts' interrupts and timers.
// That such accesses get through elsewhere, the clock shows.
static enum test_outcome clint_is_barred(struct test_report *report,
                                         const struct supervisor *supervisor)
{
    static const struct window_case cases[] = {
        {{"mapped: load from the clock", child_load_word, CHILD_SPARE, CAUSE_NONE, 0}, CLOCK},
        {{"mapped: start an interrupt on hart 1", child_store_word, CHILD_SPARE + 4,
          CAUSE_STORE_ACCESS, CHILD_SPARE + 4},
         CLINT},
        {{"mapped: load hart 0's interrupt", child_load_word, CHILD_SPARE, CAUSE_LOAD_ACCESS,
          CHILD_SPARE},
         CLINT},
        {{"mapped: set hart 1's timer", child_store, CHILD_SPARE + 8, CAUSE_STORE_ACCESS,
          CHILD_SPARE + 8},
         CLINT + 0x4000},
    };
    enum test_outcome outcome = TEST_PASS;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) && outcome == TEST_PASS; i++) {
        outcome = window_is_tried(report, supervisor, &cases[i]);
    }
    return outcome;
}

static enum test_outcome faults_are_reported(struct test_report *report)
{
    struct supervisor supervisor;
    enum test_outcome outcome = TEST_PASS;

    EXPECT_OK(report, nx_endpoint_create(&supervisor.endpoint));
    EXPECT_OK(report, nx_notification_create(&supervisor.notification));
    for (size_t i = 0; i < sizeof(fault_cases) / sizeof(fault_cases[0]) && outcome == TEST_PASS;
         i++) {
        outcome = fault_is_reported(report, &supervisor, &fault_cases[i]);
    }
    for (uint64_t i = 0; i < CHILD_PRIVILEGED && outcome == TEST_PASS; i++) {
        char what[NX_NAME_BYTES];
        (void)snprintf(what, sizeof(what), "privileged instruction %u", (unsigned)i);
        const struct fault_case row = {what, child_privileged, i, CAUSE_ILLEGAL, 0};
        outcome = fault_is_reported(report, &supervisor, &row);
    }
    if (outcome == TEST_PASS) {
        outcome = fault_is_resumed(report, &supervisor);
    }
    if (outcome == TEST_PASS) {
        outcome = clint_is_barred(report, &supervisor);
    }
    nx_handle_drop(supervisor.endpoint);
    nx_handle_drop(supervisor.notification);
    return outcome;
}

static enum test_outcome write_and_execute_refused(struct test_report *report, nx_handle memory)
{
    void *address;
    const uint32_t all = NX_PROT_READ | NX_PROT_WRITE | NX_PROT_EXECUTE;

    EXPECT_STATUS(report, nx_map(memory, 0, NX_PAGE_SIZE, all, &address), NX_ERR_INVALID_ARGUMENT);
    EXPECT_STATUS(report,
                  nx_map(memory, 0, NX_PAGE_SIZE, NX_PROT_WRITE | NX_PROT_EXECUTE, &address),
                  NX_ERR_INVALID_ARGUMENT);
    return TEST_PASS;
}

// Two mappings of one object show the same bytes; fresh pages are zero; facts add up.
static enum test_outcome sharing_works(struct test_report *report, nx_handle memory)
{
    struct nx_memory_facts facts;
    void *first;
    void *second;

    EXPECT_OK(report, nx_map(memory, 0, 2 * NX_PAGE_SIZE, NX_PROT_READ | NX_PROT_WRITE, &first));
    EXPECT_OK(report, nx_map(memory, NX_PAGE_SIZE, NX_PAGE_SIZE, NX_PROT_READ, &second));
    volatile uint8_t *bytes = first;
    const volatile uint8_t *alias = second;
    for (size_t i = 0; i < 2 * NX_PAGE_SIZE; i++) {
        EXPECT(report, bytes[i] == 0, "a fresh page holds %u at %d", bytes[i], (int)i);
    }
    bytes[NX_PAGE_SIZE + 5] = 99;
    EXPECT(report, alias[5] == 99, "two mappings of one page differ");
    EXPECT_OK(report, nx_memory_info(memory, &facts));
    EXPECT(report, facts.size == 2 * NX_PAGE_SIZE && facts.committed_bytes == 2 * NX_PAGE_SIZE,
           "size %llu committed %llu", (unsigned long long)facts.size,
           (unsigned long long)facts.committed_bytes);
    nx_unmap(first);
    nx_unmap(second);
    return TEST_PASS;
}

enum test_outcome test_memory(struct test_report *report)
{
    nx_handle memory;

    EXPECT_OK(report, nx_memory_create(2 * NX_PAGE_SIZE, 0, &memory));
    enum test_outcome outcome = write_and_execute_refused(report, memory);
    if (outcome == TEST_PASS) {
        outcome = sharing_works(report, memory);
    }
    nx_handle_drop(memory);
    return outcome == TEST_PASS ? faults_are_reported(report) : outcome;
}
