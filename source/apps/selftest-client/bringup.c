// SPDX-License-Identifier: Apache-2.0
// Self-tests of the bring-up: the console runs on interrupts, and so does the clock.
#include "nexus/console.h"
#include "nexus/log.h"
#include "selftest.h"

#define UART_DEADLINE (20 * NX_SECOND)
#define SLEEP_TIME    (20 * NX_MILLISECOND)
#define SLEEP_LATEST                                                                               \
    (20 * NX_SECOND) // a sleep that ends later than this was not woken by its timer

// ---- UART ---------------------------------------------------------------------------------------

// Longer than the transmit FIFO, so that its end cannot leave without an interrupt.
static const char begin_line[] = "SELFTEST: begin by a line that leaves the uart by interrupts";

struct uart_wait {
    struct nx_console_facts before;
    struct nx_console_facts after;
    enum nx_status status;
};

static bool uart_printed(void *context)
{
    struct uart_wait *wait = context;
    wait->status = nx_console_info(&wait->after);
    return wait->status != NX_OK ||
           (wait->after.kernel_log_bytes >= wait->before.kernel_log_bytes + sizeof(begin_line) &&
            wait->after.bytes_out >= wait->before.bytes_out + sizeof(begin_line) &&
            wait->after.interrupts > wait->before.interrupts);
}

// A line of the kernel log must leave through the service, by interrupts.
enum test_outcome test_uart(struct test_report *report)
{
    struct uart_wait wait;

    EXPECT_OK(report, nx_console_info(&wait.before));
    nx_log("%s", begin_line);
    bool printed = nx_wait_until(uart_printed, &wait, UART_DEADLINE);
    EXPECT_OK(report, wait.status);
    EXPECT(report, printed, "log bytes %llu->%llu, bytes out %llu->%llu, interrupts %llu->%llu",
           (unsigned long long)wait.before.kernel_log_bytes,
           (unsigned long long)wait.after.kernel_log_bytes,
           (unsigned long long)wait.before.bytes_out, (unsigned long long)wait.after.bytes_out,
           (unsigned long long)wait.before.interrupts, (unsigned long long)wait.after.interrupts);
    return TEST_PASS;
}

// ---- PLIC and timer -----------------------------------------------------------------------------

struct interrupt_sums {
    uint64_t plic;  // deliveries of the UART's source that a driver has acknowledged
    uint64_t timer; // timer interrupts on all harts
};

static enum nx_status interrupt_sums_read(uint32_t source, struct interrupt_sums *sums)
{
    struct nx_info_system system;
    enum nx_status status = machine_system(&system);

    *sums = (struct interrupt_sums){0};
    for (uint64_t i = 0; status == NX_OK && i < system.harts; i++) {
        struct nx_info_hart hart;
        status = machine_hart(i, &hart);
        sums->timer += status == NX_OK ? hart.timer_interrupts : 0;
    }
    for (uint64_t i = 0; status == NX_OK; i++) {
        struct nx_info_interrupt interrupt;
        status = nx_machine_record(NX_INFO_INTERRUPT, i, &interrupt, sizeof(interrupt));
        if (status == NX_OK && interrupt.source == source && interrupt.bound != 0) {
            sums->plic += interrupt.acknowledged;
        }
    }
    return status == NX_ERR_NOT_FOUND ? NX_OK : status; // the end of the interrupt records
}

struct interrupt_wait {
    struct nx_console_facts console;
    struct interrupt_sums before;
    struct interrupt_sums after;
    enum nx_status status;
};

static bool interrupts_rose(void *context)
{
    struct interrupt_wait *wait = context;
    wait->status = interrupt_sums_read(wait->console.interrupt_number, &wait->after);
    return wait->status != NX_OK ||
           (wait->after.plic > wait->before.plic && wait->after.timer > wait->before.timer);
}

enum test_outcome test_plic_timer(struct test_report *report)
{
    struct interrupt_wait wait;

    EXPECT_OK(report, nx_console_info(&wait.console));
    EXPECT_OK(report, interrupt_sums_read(wait.console.interrupt_number, &wait.before));
    uint64_t start = nx_clock_now();
    nx_sleep(SLEEP_TIME);
    uint64_t slept = nx_clock_now() - start;
    EXPECT(report, slept >= SLEEP_TIME, "a sleep of 20 ms took %llu us",
           (unsigned long long)(slept / NX_MICROSECOND));
    EXPECT(report, slept < SLEEP_LATEST, "a sleep of 20 ms took %llu ms",
           (unsigned long long)(slept / NX_MILLISECOND));
    nx_log("selftest-client: interrupts through source=%u", wait.console.interrupt_number);
    bool rose = nx_wait_until(interrupts_rose, &wait, UART_DEADLINE);
    EXPECT_OK(report, wait.status);
    EXPECT(report, rose, "source %u %llu->%llu, timer %llu->%llu", wait.console.interrupt_number,
           (unsigned long long)wait.before.plic, (unsigned long long)wait.after.plic,
           (unsigned long long)wait.before.timer, (unsigned long long)wait.after.timer);
    return TEST_PASS;
}
