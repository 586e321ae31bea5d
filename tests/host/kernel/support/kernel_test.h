// SPDX-License-Identifier: Apache-2.0
// What the kernel's host tests share: running programs in a process, and checks that work on any
// stack.
#ifndef KERNEL_TEST_H
#define KERNEL_TEST_H

#include "../fake/fake.h"
#include "../fake/user.h"
#include <stdatomic.h>
#include <stdio.h>

// Prints and aborts; for programs and harts, where cmocka's assertions cannot unwind.
#define CHECK(condition) FAKE_CHECK(condition)
#define CHECK_EQUAL(left, right)                                                                   \
    do {                                                                                           \
        const uint64_t check_left_ = (uint64_t)(left);                                             \
        const uint64_t check_right_ = (uint64_t)(right);                                           \
        if (check_left_ != check_right_)                                                           \
            check_equal_failed(__FILE__, __LINE__, #left " == " #right, check_left_,               \
                               check_right_);                                                      \
    } while (0)
_Noreturn void check_equal_failed(const char *file, int line, const char *what, uint64_t left,
                                  uint64_t right);

// Runs `program(argument)` as the first thread of a process with every machine right, on `harts`
// harts, until the machine is quiet. Afterwards no process may be left and every frame must be free
// again.
void kernel_run(uint32_t harts, user_program program, void *argument);

// Handles of the first process, for its programs.
extern nx_handle first_process;
extern nx_handle first_machine;
extern nx_handle first_log;

// Seeded, one state per user.
struct random {
    uint64_t state;
};
static inline struct random random_seed(uint64_t seed)
{
    return (struct random){seed * 0x9e3779b97f4a7c15ull + 0x632be59bd9b4e019ull};
}
uint64_t random_next(struct random *random);
uint64_t random_below(struct random *random, uint64_t bound);

// --- For programs --------------------------------------------------------------------------------

nx_handle user_endpoint(void);
nx_handle user_notification(void);
nx_handle user_memory(uint64_t size);
// A process with `pages` of budget and the classes up to DRIVER.
nx_handle user_process(uint64_t pages);
// A started thread of `process` (0: one's own). Its message page is made for it.
nx_handle user_thread(nx_handle process, user_program program, void *argument);
// As user_thread but not started; fails with the status of the system call.
enum nx_status user_thread_new(nx_handle process, user_program program, void *argument,
                               nx_handle *thread);
// A program that spends a few moments in user mode.
void user_pause_program(void *argument);
// A copy of one's handle in another process.
nx_handle user_grant(nx_handle process, nx_handle handle, uint32_t rights);
enum nx_status user_close(nx_handle handle);
enum nx_status user_kill(nx_handle process);
// A deadline from now, in nanoseconds of the machine's clock.
uint64_t user_deadline(uint64_t nanoseconds);
void user_sleep(uint64_t nanoseconds);
// Waits for bits; -> the bits, 0 when the deadline passed.
uint64_t user_wait(nx_handle notification, uint64_t deadline);
enum nx_status user_signal(nx_handle notification, uint64_t bits);
struct user_result user_call(nx_handle endpoint, uint64_t word);
// As user_call with a deadline.
struct user_result user_call_until(nx_handle endpoint, uint64_t word, uint64_t deadline);
struct user_result user_receive(nx_handle endpoint, uint64_t deadline);
enum nx_status user_reply(uint64_t word);

// A counter that several threads bring down to zero; the last one signals.
struct barrier {
    _Atomic uint32_t left;
    nx_handle notification;
};
void barrier_open(struct barrier *barrier, uint32_t count);
void barrier_arrive(struct barrier *barrier);
void barrier_wait(struct barrier *barrier);

#endif
