// SPDX-License-Identifier: Apache-2.0
// The world around nexus-init in host tests: a kernel that knows processes, and a machine whose one
// device is a disk (tests/host/virtio-blk's model), driven by the real driver library until the
// driver dies.
//
// nexus-init keeps its state for as long as its process lives: world_run gives each test a process
// of its own, so there is one world, and it is new.
//
// The device moves whenever nexus-init does anything: it writes into the memory of what is in
// flight, and completes some of it. Memory that the driver has left goes to others at once, who
// fill it with bytes of their own; whatever the device writes after that is seen at the end
// (world_check_memory).
#ifndef TESTS_NEXUS_INIT_WORLD_H
#define TESTS_NEXUS_INIT_WORLD_H

#include "supervisor.h"
#include "virtio-blk/fixture.h"

#define WORLD_PROCESSES_MAX 64u
#define WORLD_THREADS_MAX   8u
#define WORLD_LOG_BYTES     16384u

struct process {
    char name[32];
    enum nx_process_state state;
    int64_t exit_status;
    uint64_t exit_bits;
    bool has_fixtures; // among its start handles
    bool has_disk;
    bool has_physical; // has called nx_memory_physical: held at its end
};

struct world {
    uint64_t now;
    struct bench *disk; // device model, driver, its rings and its clients' memory
    enum device_presence disk_presence;
    bool window_is_unmappable;
    bool memory_is_others;
    uint32_t interrupts_acknowledged;

    struct process processes[WORLD_PROCESSES_MAX];
    uint32_t process_count;
    uint64_t exit_bits;                   // signalled, not yet delivered
    nx_handle threads[WORLD_THREADS_MAX]; // the endpoint that each of nexus-init's answers
    uint32_t thread_count;
    char log[WORLD_LOG_BYTES];
    size_t log_length;
};

extern struct world world;

// Runs each test in a process of its own; the exit status of the program.
int world_run(const struct CMUnitTest *tests, size_t count);

// nexus-init starts on a machine with such a disk.
void world_start(enum device_presence disk);

// It starts on a machine with a disk, and its services report that they are ready. The driver of
// the disk, of a transport `version`, has `reads` reads in flight.
void world_boot(uint32_t version, uint32_t reads);

// The driver's newest process drives the disk, and has so many reads in flight.
void world_drive(uint32_t reads);

// A service's report; it must be starting.
void world_ready(enum program_id id);

// The service's process ends by itself, and nexus-init learns of it, and of all that follows.
void world_end(enum program_id id, int64_t exit_status);
// nexus-init learns of ends.
void world_deliver(void);

// Time passes, and nexus-init does what is due.
void world_pass(uint64_t nanoseconds);

// The newest process of the program; NULL: there was none.
struct process *world_process(enum program_id id);
// How many processes of it there have been.
uint32_t world_processes(enum program_id id);
enum nx_service_state world_state(enum program_id id);

// The device goes on for a while; fails the test when it wrote to memory that belongs to others.
void world_check_memory(void);

#define assert_logged(text) assert_non_null(strstr(world.log, text))

#endif
