// SPDX-License-Identifier: Apache-2.0
// A virtioblkd under test: all of it but its messages, on the device model of the virtio-blk tests,
// and the kernel as far as it asks for it. fake/nexus shadows the runtime's headers.
//
// Memory is an arena that the device sees at ARENA_BUS; world->memories says of each handle what
// has become of it. Time is world->now. A client is its ring and its session.
#ifndef VIRTIOBLKD_WORLD_H
#define VIRTIOBLKD_WORLD_H

#include "nexus/clock.h"
#include "virtio-blk/device_model.h"
#include "virtioblkd/virtioblkd.h"

#define WORLD_PAGE    NX_PAGE_SIZE
#define ARENA_BUS     UINT64_C(0x90000000)
#define ARENA_BYTES   (8u << 20)
#define HANDLES_MAX   256u
#define OTHER_HANDLE  1000u // of what is no memory: never minded
#define NOTIFICATION  1001u
#define LIFELINE      1002u
#define CLIENT_TAG    7u
#define CLIENT_NOTICE 1u
#define READ_SECTORS  8u
#define PATIENCE      (10 * NX_SECOND)
#define NEVER         UINT32_MAX

struct memory {
    uint64_t size;
    uint64_t at; // in the arena
    uint32_t flags;
    bool dropped;
};

struct world {
    struct virtioblkd service;
    struct device_model model;
    uint64_t now;
    struct memory memories[HANDLES_MAX]; // by handle
    uint32_t memory_count;
    uint64_t arena_used;
    uint32_t answers; // to messages
    enum nx_status answer_status;
    uint32_t notices;
    uint32_t lifeline_rights;
};

extern struct world *world;

// cmocka's setup and teardown: a service whose device is correct, and attached.
int world_begin(void **state);
int world_end(void **state);

struct memory *memory_of(nx_handle handle);
nx_handle memory_make(void); // a page

// A read that comes as a message, with memory of its own; the memory.
nx_handle message_read(void);

struct client {
    nx_handle ring_memory;
    struct block_ring *ring;
    struct session *session;
    uint32_t submitted;
};

// Makes *client, and what it asks to be let in with.
struct session_request client_request(struct client *client);
void client_open(struct client *client);
// -> the slot
uint32_t client_attach(struct client *client, nx_handle memory);
// Puts a read of `sectors` from the disk's start into the ring; settle() has the service see it.
void client_read(struct client *client, uint32_t slot, uint32_t sectors);
void client_dies(const struct client *client);
void assert_client_told(const struct client *client, enum nx_status expected);

enum nx_status settle(void);
// Time passes: the service does what is due, and then settles, as its loop does.
enum nx_status expire_after(uint64_t nanoseconds);
// What is in flight runs into its time-out, and the device ignores the reset.
void lose_device(void);
void assert_kept(nx_handle memory);
void assert_given_back(nx_handle memory);

#endif
