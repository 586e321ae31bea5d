// SPDX-License-Identifier: Apache-2.0
// Self-test of the kernel's refusals: every system call is made with arguments that it must refuse,
// and must name the reason.
//
// A row is one call. Its arguments are numbers, or one of the placeholders below, which stand for
// handles of this test.
#include "selftest.h"

#define PLACEHOLDER      0xf00d000000000000ull
#define PLACEHOLDER_MASK 0xffff000000000000ull

enum fixture {
    FIXTURE_PROCESS, // this process, all its rights
    FIXTURE_ENDPOINT,
    FIXTURE_NOTIFICATION,
    FIXTURE_MEMORY,     // one page
    FIXTURE_MACHINE,    // diagnosis only
    FIXTURE_HARTS,      // the machine, harts only
    FIXTURE_DEVICES,    // the machine, device memory and interrupts only
    FIXTURE_LOG,        // as granted: writing only
    FIXTURE_NO_RIGHTS,  // the endpoint, no right but one that no call here needs
    FIXTURE_MEMORY_RO,  // the memory, read only
    FIXTURE_NO_SIGNAL,  // the notification, wait only
    FIXTURE_NO_WAIT,    // the notification, signal only
    FIXTURE_PROCESS_RO, // this process, inspection only
    FIXTURE_BADGED,     // the endpoint with a badge, all its rights
    FIXTURE_COUNT
};

#define USE(fixture) (PLACEHOLDER | (uint64_t)(fixture))
#define PROCESS      USE(FIXTURE_PROCESS)
#define ENDPOINT     USE(FIXTURE_ENDPOINT)
#define NOTIFICATION USE(FIXTURE_NOTIFICATION)
#define MEMORY       USE(FIXTURE_MEMORY)
#define MACHINE      USE(FIXTURE_MACHINE)
#define HARTS        USE(FIXTURE_HARTS)
#define DEVICES      USE(FIXTURE_DEVICES)
#define KERNEL_LOG   USE(FIXTURE_LOG)
#define NO_RIGHTS    USE(FIXTURE_NO_RIGHTS)
#define MEMORY_RO    USE(FIXTURE_MEMORY_RO)
#define NO_SIGNAL    USE(FIXTURE_NO_SIGNAL)
#define NO_WAIT      USE(FIXTURE_NO_WAIT)
#define PROCESS_RO   USE(FIXTURE_PROCESS_RO)
#define BADGED       USE(FIXTURE_BADGED)
#define BAD          0x00ffffffull // no such handle
#define BIG          0xfffffffffffff000ull

// Where QEMU's virt machine has them.
#define UART      0x10000000ul
#define PLIC      0xc000000ul
#define PLIC_END  (PLIC + 0x600000)
#define RAM       0x80000000ul // the firmware first, then the kernel
#define RAM_LEAST (16ul << 20) // that a machine has
#define KERNEL    0x80200000ul
#define PHYSICAL  (1ul << 56) // addresses

struct refusal {
    uint64_t number;
    uint64_t arguments[7];
    enum nx_status wanted;
};

// SBI specification: extension and function numbers.
#define SBI_TIME            0x54494d45u
#define SBI_IPI             0x735049u
#define SBI_RFENCE          0x52464e43u
#define SBI_HSM             0x48534du
#define SBI_HSM_START       0u
#define SBI_HSM_STOP        1u
#define SBI_RESET           0x53525354u
#define SBI_LEGACY_SEND_IPI 4u
#define SBI_LEGACY_SHUTDOWN 8u

#define INVALID    NX_ERR_INVALID_ARGUMENT
#define BAD_HANDLE NX_ERR_BAD_HANDLE
#define WRONG_TYPE NX_ERR_WRONG_TYPE
#define DENIED     NX_ERR_ACCESS_DENIED
#define RANGE      NX_ERR_OUT_OF_RANGE
#define BAD_STATE  NX_ERR_BAD_STATE
#define RW         (NX_PROT_READ | NX_PROT_WRITE)

static const struct refusal refusals[] = {
    {NX_SYSCALL_COUNT, {0}, NX_ERR_BAD_SYSCALL},
    {0xff, {0}, NX_ERR_BAD_SYSCALL},
    // What the firmware would take for requests: the kernel looks at a7's low byte alone. In a6 is
    // the function of the SBI extension.
    {SBI_TIME, {0}, NX_ERR_BAD_SYSCALL},     // set this hart's timer
    {SBI_IPI, {0xf}, NX_ERR_BAD_SYSCALL},    // interrupt all harts
    {SBI_RFENCE, {0xf}, NX_ERR_BAD_SYSCALL}, // fence all harts
    {SBI_HSM, {1, 0, 0, 0, 0, 0, SBI_HSM_START}, NX_ERR_BAD_SYSCALL},
    {SBI_HSM, {0, 0, 0, 0, 0, 0, SBI_HSM_STOP}, NX_ERR_BAD_SYSCALL},
    {SBI_RESET, {0}, NX_ERR_BAD_SYSCALL},   // power off
    {SBI_LEGACY_SHUTDOWN, {0}, BAD_HANDLE}, // is notification_signal
    {SBI_LEGACY_SEND_IPI, {0}, BAD_HANDLE}, // is reply_receive

    {NX_SYS_CALL, {BAD}, BAD_HANDLE},
    {NX_SYS_CALL, {0}, BAD_HANDLE},
    {NX_SYS_CALL, {NOTIFICATION}, WRONG_TYPE},
    {NX_SYS_CALL, {NO_RIGHTS}, DENIED},
    {NX_SYS_RECEIVE, {BAD, 0}, BAD_HANDLE},
    {NX_SYS_RECEIVE, {MEMORY, 0}, WRONG_TYPE},
    {NX_SYS_RECEIVE, {NO_RIGHTS, 0}, DENIED},
    {NX_SYS_REPLY, {BAD}, BAD_HANDLE},
    {NX_SYS_REPLY, {0}, BAD_STATE},
    {NX_SYS_REPLY, {ENDPOINT}, WRONG_TYPE},
    {NX_SYS_REPLY_RECEIVE, {BAD}, BAD_HANDLE},
    {NX_SYS_REPLY_RECEIVE, {MEMORY}, WRONG_TYPE},
    {NX_SYS_REPLY_RECEIVE, {NO_RIGHTS}, DENIED},
    {NX_SYS_REPLY_SAVE, {0}, BAD_STATE},

    {NX_SYS_NOTIFICATION_SIGNAL, {BAD, 1}, BAD_HANDLE},
    {NX_SYS_NOTIFICATION_SIGNAL, {ENDPOINT, 1}, WRONG_TYPE},
    {NX_SYS_NOTIFICATION_SIGNAL, {NO_SIGNAL, 1}, DENIED},
    {NX_SYS_NOTIFICATION_SIGNAL, {NOTIFICATION, 0}, INVALID},
    {NX_SYS_NOTIFICATION_WAIT, {BAD, 0}, BAD_HANDLE},
    {NX_SYS_NOTIFICATION_WAIT, {ENDPOINT, 0}, WRONG_TYPE},
    {NX_SYS_NOTIFICATION_WAIT, {NO_WAIT, 0}, DENIED},
    {NX_SYS_NOTIFICATION_WAIT, {NOTIFICATION, 0, BAD, 1}, BAD_HANDLE},
    {NX_SYS_NOTIFICATION_WAIT, {NOTIFICATION, 0, ENDPOINT, 1}, WRONG_TYPE},
    {NX_SYS_NOTIFICATION_WAIT, {NOTIFICATION, 0, NO_SIGNAL, 1}, DENIED},
    {NX_SYS_NOTIFICATION_WAIT, {NOTIFICATION, 0, NOTIFICATION, 0}, INVALID},
    {NX_SYS_NOTIFICATION_BIND, {BAD}, BAD_HANDLE},
    {NX_SYS_NOTIFICATION_BIND, {MEMORY}, WRONG_TYPE},
    {NX_SYS_NOTIFICATION_BIND, {NO_WAIT}, DENIED},

    {NX_SYS_HANDLE_CLOSE, {BAD}, BAD_HANDLE},
    {NX_SYS_HANDLE_CLOSE, {0}, BAD_HANDLE},
    {NX_SYS_HANDLE_DUPLICATE, {BAD, 0, 0}, BAD_HANDLE},
    {NX_SYS_HANDLE_DUPLICATE, {NO_RIGHTS, 0, 0}, DENIED},
    {NX_SYS_HANDLE_DUPLICATE, {MEMORY, 0, 1}, WRONG_TYPE}, // only endpoints carry badges
    {NX_SYS_HANDLE_DUPLICATE, {BADGED, 0, 2}, DENIED},     // and keep them
    {NX_SYS_HANDLE_GRANT, {BAD, MEMORY, 0}, BAD_HANDLE},
    {NX_SYS_HANDLE_GRANT, {MEMORY, MEMORY, 0}, WRONG_TYPE},
    {NX_SYS_HANDLE_GRANT, {PROCESS, BAD, 0}, BAD_HANDLE},
    {NX_SYS_HANDLE_GRANT, {PROCESS, NO_SIGNAL, 0}, DENIED},
    {NX_SYS_HANDLE_GRANT, {PROCESS_RO, MEMORY, 0}, DENIED},
    {NX_SYS_HANDLE_INFO, {BAD}, BAD_HANDLE},

    {NX_SYS_MEMORY_CREATE, {0, 0}, INVALID},
    {NX_SYS_MEMORY_CREATE, {NX_MEMORY_SIZE_MAX + NX_PAGE_SIZE, 0}, NX_ERR_TOO_LARGE},
    {NX_SYS_MEMORY_CREATE, {BIG, 0}, NX_ERR_TOO_LARGE},
    {NX_SYS_MEMORY_CREATE, {NX_PAGE_SIZE, NX_MEMORY_DEVICE}, INVALID},
    {NX_SYS_MEMORY_CREATE,
     {NX_MEMORY_CONTIGUOUS_MAX + NX_PAGE_SIZE, NX_MEMORY_CONTIGUOUS},
     NX_ERR_TOO_LARGE},
    {NX_SYS_MEMORY_COMMIT, {BAD, 0, NX_PAGE_SIZE}, BAD_HANDLE},
    {NX_SYS_MEMORY_COMMIT, {ENDPOINT, 0, NX_PAGE_SIZE}, WRONG_TYPE},
    {NX_SYS_MEMORY_COMMIT, {MEMORY, NX_PAGE_SIZE, NX_PAGE_SIZE}, RANGE},
    {NX_SYS_MEMORY_COMMIT, {MEMORY, BIG, 2 * NX_PAGE_SIZE}, RANGE},
    {NX_SYS_MEMORY_MAP, {BAD, MEMORY, 0, 0, NX_PAGE_SIZE, RW}, BAD_HANDLE},
    {NX_SYS_MEMORY_MAP, {0, BAD, 0, 0, NX_PAGE_SIZE, RW}, BAD_HANDLE},
    {NX_SYS_MEMORY_MAP, {0, ENDPOINT, 0, 0, NX_PAGE_SIZE, RW}, WRONG_TYPE},
    {NX_SYS_MEMORY_MAP, {0, MEMORY_RO, 0, 0, NX_PAGE_SIZE, RW}, DENIED},
    {NX_SYS_MEMORY_MAP, {0, MEMORY, 0, 0, 2 * NX_PAGE_SIZE, RW}, RANGE},
    {NX_SYS_MEMORY_MAP, {0, MEMORY, BIG, 0, 2 * NX_PAGE_SIZE, RW}, RANGE},
    {NX_SYS_MEMORY_MAP, {0, MEMORY, 0, 0, 0, RW}, INVALID},
    {NX_SYS_MEMORY_MAP, {0, MEMORY, 0, 0, NX_PAGE_SIZE, 0}, INVALID},
    {NX_SYS_MEMORY_MAP, {0, MEMORY, 1, 0, NX_PAGE_SIZE, RW}, INVALID},
    {NX_SYS_MEMORY_MAP, {0, MEMORY, 0, 0, NX_PAGE_SIZE, RW | NX_PROT_EXECUTE}, INVALID},
    {NX_SYS_MEMORY_MAP, {0, MEMORY, 0, NX_USER_END, NX_PAGE_SIZE, RW}, RANGE},
    {NX_SYS_MEMORY_MAP, {0, MEMORY, 0, NX_PAGE_SIZE, NX_PAGE_SIZE, RW}, RANGE},
    {NX_SYS_MEMORY_MAP, {0, MEMORY, 0, 0xffffffc080200000, NX_PAGE_SIZE, RW}, RANGE},
    {NX_SYS_MEMORY_MAP, {PROCESS_RO, MEMORY, 0, 0, NX_PAGE_SIZE, RW}, DENIED},
    {NX_SYS_MEMORY_POPULATE, {BAD, NX_USER_BASE, 0}, BAD_HANDLE},
    {NX_SYS_MEMORY_POPULATE, {0, NX_USER_BASE, 1}, INVALID},
    {NX_SYS_MEMORY_POPULATE, {0, NX_USER_BASE, 0}, NX_ERR_NOT_FOUND},
    {NX_SYS_MEMORY_UNMAP, {BAD, NX_USER_BASE}, BAD_HANDLE},
    {NX_SYS_MEMORY_UNMAP, {0, NX_USER_BASE}, NX_ERR_NOT_FOUND},
    {NX_SYS_MEMORY_PHYSICAL, {BAD, MEMORY, 0, NX_PAGE_SIZE}, BAD_HANDLE},
    {NX_SYS_MEMORY_PHYSICAL, {MEMORY, MEMORY, 0, NX_PAGE_SIZE}, WRONG_TYPE},
    {NX_SYS_MEMORY_PHYSICAL, {MACHINE, MEMORY, 0, NX_PAGE_SIZE}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {BAD, 0x10000000, NX_PAGE_SIZE}, BAD_HANDLE},
    {NX_SYS_MEMORY_DEVICE_CREATE, {MACHINE, 0x10000000, NX_PAGE_SIZE}, DENIED},
    // Who may map devices may not map the interrupt controller, nor memory, from any side.
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, PLIC, NX_PAGE_SIZE}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, PLIC + 0x200000, NX_PAGE_SIZE}, DENIED}, // a context
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, PLIC - NX_PAGE_SIZE, NX_PAGE_SIZE + 1}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, PLIC_END - NX_PAGE_SIZE, 2 * NX_PAGE_SIZE}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, PLIC_END - 8, 8}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, 0, PLIC_END + NX_PAGE_SIZE}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, RAM, NX_PAGE_SIZE}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, KERNEL, NX_PAGE_SIZE}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, KERNEL + 8, 8}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, RAM + RAM_LEAST - NX_PAGE_SIZE, NX_PAGE_SIZE}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, RAM + RAM_LEAST - 8, NX_PAGE_SIZE}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, RAM - NX_PAGE_SIZE, NX_PAGE_SIZE + 1}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, RAM - NX_PAGE_SIZE, NX_MEMORY_SIZE_MAX}, DENIED},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, UART, 0}, INVALID},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, PLIC, 0}, INVALID},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, UART + 8, NX_PAGE_SIZE}, INVALID},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, UART + NX_PAGE_SIZE / 2, 8}, INVALID},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, UART, NX_MEMORY_SIZE_MAX + 1}, RANGE},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, UART, BIG}, RANGE},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, UART, UINT64_MAX}, RANGE},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, PHYSICAL - NX_PAGE_SIZE, 2 * NX_PAGE_SIZE}, RANGE},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, BIG, 2 * NX_PAGE_SIZE}, RANGE},
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, BIG, BIG}, RANGE},
    // The kernel's half of the virtual addresses is no physical address.
    {NX_SYS_MEMORY_DEVICE_CREATE, {DEVICES, 0xffffffc080200000, NX_PAGE_SIZE}, RANGE},
    {NX_SYS_MEMORY_INFO, {BAD}, BAD_HANDLE},
    {NX_SYS_MEMORY_INFO, {ENDPOINT}, WRONG_TYPE},

    {NX_SYS_PROCESS_CREATE, {16, 0, 0, 0, 0, NX_CLASS_COUNT}, DENIED},
    {NX_SYS_PROCESS_CREATE, {BIG, 0, 0, 0, 0, NX_CLASS_NORMAL}, NX_ERR_NO_MEMORY},
    {NX_SYS_PROCESS_CREATE, {16, 0x1b, 0, 0, 0, NX_CLASS_NORMAL}, INVALID},
    {NX_SYS_PROCESS_KILL, {BAD, 0}, BAD_HANDLE},
    {NX_SYS_PROCESS_KILL, {MEMORY, 0}, WRONG_TYPE},
    {NX_SYS_PROCESS_KILL, {PROCESS_RO, 0}, DENIED},
    {NX_SYS_PROCESS_INFO, {BAD}, BAD_HANDLE},
    {NX_SYS_PROCESS_INFO, {MEMORY}, WRONG_TYPE},
    {NX_SYS_PROCESS_BIND, {BAD, 0, 0, 0}, BAD_HANDLE},
    {NX_SYS_PROCESS_BIND, {PROCESS_RO, NOTIFICATION, 1, 0}, DENIED},

    {NX_SYS_THREAD_CREATE, {BAD, 0x400000, 0, 0, 0, MEMORY, 0}, BAD_HANDLE},
    {NX_SYS_THREAD_CREATE, {0, 0x400000, 0, 0, 0, BAD, 0}, BAD_HANDLE},
    {NX_SYS_THREAD_CREATE, {0, 0x400000, 0, 0, 0, ENDPOINT, 0}, WRONG_TYPE},
    {NX_SYS_THREAD_CREATE, {0, 0x400000, 0, 0, 0, MEMORY, NX_PAGE_SIZE}, RANGE},
    {NX_SYS_THREAD_CREATE, {0, 0x400000, 0, 0, 0, MEMORY, 8}, INVALID},
    {NX_SYS_THREAD_START, {BAD}, BAD_HANDLE},
    {NX_SYS_THREAD_START, {MEMORY}, WRONG_TYPE},
    {NX_SYS_THREAD_RESTART, {BAD}, BAD_HANDLE},
    {NX_SYS_THREAD_RESTART, {MEMORY}, WRONG_TYPE},
    {NX_SYS_THREAD_CONTROL, {BAD, NX_THREAD_SET_AFFINITY, 1, 0}, BAD_HANDLE},
    {NX_SYS_THREAD_CONTROL, {0, 99, 0, 0}, INVALID},
    {NX_SYS_THREAD_CONTROL, {0, NX_THREAD_SET_AFFINITY, 0, 0}, INVALID},
    {NX_SYS_THREAD_CONTROL, {0, NX_THREAD_SET_AFFINITY, 0xf0, 0}, INVALID},
    {NX_SYS_THREAD_CONTROL, {0, NX_THREAD_SET_CLASS, NX_CLASS_COUNT, 0}, DENIED},
    {NX_SYS_THREAD_YIELD, {NX_HARTS_MAX}, RANGE},

    {NX_SYS_INTERRUPT_CREATE, {BAD, 10}, BAD_HANDLE},
    {NX_SYS_INTERRUPT_CREATE, {MEMORY, 10}, WRONG_TYPE},
    {NX_SYS_INTERRUPT_CREATE, {MACHINE, 10}, DENIED},
    {NX_SYS_INTERRUPT_BIND, {BAD, NOTIFICATION, 1}, BAD_HANDLE},
    {NX_SYS_INTERRUPT_BIND, {MEMORY, NOTIFICATION, 1}, WRONG_TYPE},
    {NX_SYS_INTERRUPT_ACK, {BAD}, BAD_HANDLE},
    {NX_SYS_INTERRUPT_ACK, {NOTIFICATION}, WRONG_TYPE},

    {NX_SYS_HART_CONTROL, {BAD, 1, NX_HART_STOP}, BAD_HANDLE},
    {NX_SYS_HART_CONTROL, {MEMORY, 1, NX_HART_STOP}, WRONG_TYPE},
    {NX_SYS_HART_CONTROL, {MACHINE, 1, NX_HART_STOP}, DENIED},
    {NX_SYS_HART_CONTROL, {MACHINE, 1, NX_HART_START}, DENIED},
    {NX_SYS_HART_CONTROL, {HARTS, 0, NX_HART_STOP}, BAD_STATE}, // the boot hart always stays
    {NX_SYS_HART_CONTROL, {HARTS, 0, NX_HART_START}, BAD_STATE},
    {NX_SYS_HART_CONTROL, {HARTS, 0, 99}, INVALID},
    {NX_SYS_HART_CONTROL, {HARTS, NX_HARTS_MAX, NX_HART_STOP}, RANGE},
    {NX_SYS_HART_CONTROL, {HARTS, NX_HARTS_MAX, NX_HART_START}, RANGE},
    {NX_SYS_HART_CONTROL, {HARTS, BIG, NX_HART_STOP}, RANGE},
    {NX_SYS_SYSTEM_RESET, {BAD, 0}, BAD_HANDLE},
    {NX_SYS_SYSTEM_RESET, {MACHINE, NX_RESET_POWER_OFF}, DENIED},
    {NX_SYS_SYSTEM_INFO, {BAD, NX_INFO_SYSTEM, 0}, BAD_HANDLE},
    {NX_SYS_SYSTEM_INFO, {MEMORY, NX_INFO_SYSTEM, 0}, WRONG_TYPE},
    {NX_SYS_SYSTEM_INFO, {MACHINE, 99, 0}, INVALID},
    {NX_SYS_SYSTEM_INFO, {MACHINE, NX_INFO_HART, NX_HARTS_MAX}, NX_ERR_NOT_FOUND},

    {NX_SYS_LOG_WRITE, {BAD, 1}, BAD_HANDLE},
    {NX_SYS_LOG_WRITE, {MEMORY, 1}, WRONG_TYPE},
    {NX_SYS_LOG_WRITE, {KERNEL_LOG, NX_MESSAGE_BYTES_MAX + 1}, INVALID},
    {NX_SYS_LOG_WRITE, {KERNEL_LOG, 0}, INVALID},
    {NX_SYS_LOG_READ, {BAD, 0}, BAD_HANDLE},
    {NX_SYS_LOG_READ, {KERNEL_LOG, 0}, DENIED},
    {NX_SYS_LOG_BIND, {BAD, NOTIFICATION, 1}, BAD_HANDLE},
    {NX_SYS_LOG_BIND, {KERNEL_LOG, NOTIFICATION, 1}, DENIED},
};

// Calls that have nothing to refuse.
static bool never_refuses(uint64_t number)
{
    return number == NX_SYS_NULL || number == NX_SYS_ENDPOINT_CREATE ||
           number == NX_SYS_NOTIFICATION_CREATE || number == NX_SYS_PROCESS_EXIT ||
           number == NX_SYS_THREAD_EXIT;
}

static enum test_outcome fixtures_make(struct test_report *report, nx_handle *handles)
{
    nx_handle process = nx_start_handle(NX_START_PROCESS);
    nx_handle machine = nx_start_handle(NX_START_MACHINE);
    nx_handle endpoint;
    nx_handle notification;
    nx_handle memory;

    EXPECT_OK(report, nx_endpoint_create(&endpoint));
    EXPECT_OK(report, nx_notification_create(&notification));
    EXPECT_OK(report, nx_memory_create(NX_PAGE_SIZE, 0, &memory));
    handles[FIXTURE_PROCESS] = process;
    handles[FIXTURE_ENDPOINT] = endpoint;
    handles[FIXTURE_NOTIFICATION] = notification;
    handles[FIXTURE_MEMORY] = memory;
    EXPECT_OK(report, nx_handle_duplicate(machine, NX_RIGHT_INSPECT, 0, &handles[FIXTURE_MACHINE]));
    EXPECT_OK(report, nx_handle_duplicate(machine, NX_RIGHT_HARTS, 0, &handles[FIXTURE_HARTS]));
    EXPECT_OK(report, nx_handle_duplicate(machine, NX_RIGHT_DEVICE, 0, &handles[FIXTURE_DEVICES]));
    handles[FIXTURE_LOG] = nx_start_handle(NX_START_LOG);
    EXPECT_OK(report,
              nx_handle_duplicate(endpoint, NX_RIGHT_TRANSFER, 0, &handles[FIXTURE_NO_RIGHTS]));
    EXPECT_OK(report, nx_handle_duplicate(memory, NX_RIGHT_DUPLICATE | NX_RIGHT_READ, 0,
                                          &handles[FIXTURE_MEMORY_RO]));
    EXPECT_OK(report,
              nx_handle_duplicate(notification, NX_RIGHT_WAIT, 0, &handles[FIXTURE_NO_SIGNAL]));
    EXPECT_OK(report,
              nx_handle_duplicate(notification, NX_RIGHT_SIGNAL, 0, &handles[FIXTURE_NO_WAIT]));
    EXPECT_OK(report,
              nx_handle_duplicate(process, NX_RIGHT_INSPECT, 0, &handles[FIXTURE_PROCESS_RO]));
    EXPECT_OK(report, nx_handle_duplicate(endpoint, NX_RIGHTS_ALL, 1, &handles[FIXTURE_BADGED]));
    return TEST_PASS;
}

static void fixtures_drop(const nx_handle *handles)
{
    static const enum fixture made[] = {
        FIXTURE_ENDPOINT,  FIXTURE_NOTIFICATION, FIXTURE_MEMORY,  FIXTURE_NO_RIGHTS,
        FIXTURE_MEMORY_RO, FIXTURE_NO_SIGNAL,    FIXTURE_NO_WAIT, FIXTURE_PROCESS_RO,
        FIXTURE_BADGED,    FIXTURE_MACHINE,      FIXTURE_HARTS,   FIXTURE_DEVICES,
    };
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        nx_handle_drop(handles[made[i]]);
    }
}

static enum nx_status attempt(const struct refusal *row, const nx_handle *handles)
{
    uint64_t x[7];
    for (size_t i = 0; i < 7; i++) {
        bool placeholder = (row->arguments[i] & PLACEHOLDER_MASK) == PLACEHOLDER;
        x[i] = placeholder ? handles[row->arguments[i] & ~PLACEHOLDER_MASK] : row->arguments[i];
    }
    return (enum nx_status)nx_ecall7(row->number, x[0], x[1], x[2], x[3], x[4], x[5], x[6]).a0;
}

static enum test_outcome refuse_all(struct test_report *report, const nx_handle *handles)
{
    bool tried[NX_SYSCALL_COUNT] = {false};

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *row = &refusals[i];
        enum nx_status got = attempt(row, handles);
        EXPECT(report, got == row->wanted, "call %d row %d: status %d instead of %d",
               (int)row->number, (int)i, (int)got, (int)row->wanted);
        if (row->number < NX_SYSCALL_COUNT) {
            tried[row->number] = true;
        }
    }
    for (uint64_t number = 0; number < NX_SYSCALL_COUNT; number++) {
        EXPECT(report, tried[number] || never_refuses(number), "call %d has no row", (int)number);
    }
    return TEST_PASS;
}

enum test_outcome test_refusals(struct test_report *report)
{
    nx_handle handles[FIXTURE_COUNT] = {0};

    enum test_outcome outcome = fixtures_make(report, handles);
    if (outcome == TEST_PASS) {
        outcome = refuse_all(report, handles);
    }
    fixtures_drop(handles);
    return outcome;
}
