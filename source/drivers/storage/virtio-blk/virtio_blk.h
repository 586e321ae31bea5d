// SPDX-License-Identifier: Apache-2.0
// The virtio-mmio block driver library: reads sectors from one device, trusts nothing it says.
//
// Follows virtio 1.2: section 4.2 (transport, version 2 and legacy version 1), 2.7 (split queue),
// 5.2 (block device). It makes no OS call, takes no lock, allocates nothing, prints nothing and
// reads no clock: registers, DMA memory and the time in nanoseconds come from the caller. One
// thread owns a `struct virtio_blk` and makes all calls on it. There is no write path.
//
// Typical call sequence, with the events that drive it:
//
//   start        status = virtio_blk_attach(&device, &ops, context, &dma, now);
//                while (status == NX_ERR_BUSY) { sleep 1 ms; status = virtio_blk_advance(&device,
//                now); } NX_OK: READY. Else: virtio_blk_fault_name(device.fault) says why it was
//                refused.
//   read         fill a request; virtio_blk_submit(&device, &request, now); more of them;
//                virtio_blk_kick(&device);                    // once for the whole batch
//                arm a timer for virtio_blk_next_deadline(&device)
//   interrupt    status = virtio_blk_interrupt(&device); acknowledge the interrupt at its
//                controller;
//                while ((request = virtio_blk_completed(&device)) != NULL) answer request->cookie;
//                status NX_ERR_DEVICE: go to "reset"
//   timer        status = virtio_blk_expire(&device, now); take completed requests as above;
//                NX_ERR_TIMED_OUT or NX_ERR_DEVICE: go to "reset"
//   reset        status = virtio_blk_reset(&device, now);
//                while (status == NX_ERR_BUSY) { sleep 1 ms; status = virtio_blk_advance(&device,
//                now); } take completed requests: each that was in flight comes back here, once,
//                with NX_ERR_TIMED_OUT, NX_ERR_DEVICE or NX_ERR_CANCELLED; submit it again or fail
//                it. NX_ERR_TIMED_OUT: LOST, see virtio_blk_abandoned. Bound the number of resets.
//   stop         virtio_blk_stop(&device, now), then advance as for reset; STOPPED: memory is
//   yours.
//
// States:
//
//   STOPPED --attach--> RESETTING --STATUS reads 0, negotiated--> READY --violation, time-out-->
//   BROKEN
//                        |   |  ^                                   | | |   |  +----------------
//                        reset ------------+------------------------------+ |   +--STATUS never
//                        reads 0--> LOST --reset--> RESETTING
//                        +--STATUS reads 0, cannot be driven--> REFUSED --reset--> RESETTING
//
// Ownership of memory. The device may write to a request's segments from submit until the request
// comes back through virtio_blk_completed, and to the DMA area until the state is STOPPED. A
// request comes back only when its used element was checked, or when STATUS has read back 0 and
// MagicValue what it should (a device that has gone may read 0 everywhere): never reuse, unmap or
// free its memory earlier, whatever happened.
#ifndef VIRTIO_BLK_VIRTIO_BLK_H
#define VIRTIO_BLK_VIRTIO_BLK_H

#include "nexus/status.h"
#include "virtio_blk_format.h"
#include "virtqueue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTIO_BLK_SECTOR_BYTES 512u
#define VIRTIO_BLK_MAX_SECTORS  256u // of one request: 128 KiB
#define VIRTIO_BLK_MAX_SEGMENTS 33u  // of one request: 32 pages that begin in the middle of one

#define VIRTIO_BLK_RESET_TIMEOUT_NS UINT64_C(1000000000) // STATUS must read 0 within this time
// Interrupts in a row that completed nothing: beyond this the device is called broken.
#define VIRTIO_BLK_QUIET_INTERRUPT_LIMIT 1000u

// What the environment supplies. `context` is passed through.
struct virtio_blk_ops {
    // One aligned 32-bit access at `offset` bytes into the device's register window, neither
    // merged, split, repeated nor elided (volatile).
    uint32_t (*read32)(void *context, uint32_t offset);
    void (*write32)(void *context, uint32_t offset, uint32_t value);
    // Orders every earlier memory and device access before every later one: `fence iorw, iorw` on
    // RISC-V. C11 fences order memory with memory only.
    void (*fence)(void *context);
};

// The memory for rings, request headers and indirect tables: contiguous, coherent with the device.
struct virtio_blk_dma {
    void *address;        // as the library sees it; aligned to 4096
    uint64_t bus_address; // as the device sees it; aligned to 4096; below 2^44 for legacy devices
    size_t length;        // at least VIRTIO_BLK_DMA_BYTES
};

// Why a device was refused or called broken. Append only: names go into logs and tests.
enum virtio_blk_fault {
    VIRTIO_BLK_FAULT_NONE,
    // The device cannot be driven: state STOPPED for the first four when attach finds them, LOST
    // for RESET_STUCK, else REFUSED.
    VIRTIO_BLK_FAULT_BAD_MAGIC,
    VIRTIO_BLK_FAULT_BAD_VERSION,
    VIRTIO_BLK_FAULT_EMPTY_SLOT,        // device id 0: nothing here, not an error of the device
    VIRTIO_BLK_FAULT_NOT_BLOCK,         // a virtio device of another kind
    VIRTIO_BLK_FAULT_RESET_STUCK,       // STATUS did not read back 0 in time
    VIRTIO_BLK_FAULT_FEATURES_UNSTABLE, // two reads of the feature bits differ
    VIRTIO_BLK_FAULT_NO_VERSION_1,      // version 2 transport without VIRTIO_F_VERSION_1
    VIRTIO_BLK_FAULT_FEATURES_REFUSED,  // FEATURES_OK did not stay set
    VIRTIO_BLK_FAULT_CONFIG_UNSTABLE,   // the configuration kept changing while it was read
    VIRTIO_BLK_FAULT_CAPACITY_ZERO,
    VIRTIO_BLK_FAULT_CAPACITY_OVERFLOW,  // capacity * 512 exceeds 64 bits
    VIRTIO_BLK_FAULT_CAPACITY_TOO_SMALL, // not one whole block
    VIRTIO_BLK_FAULT_BAD_BLOCK_SIZE,     // not a power of two from 512 to 4096
    VIRTIO_BLK_FAULT_BAD_SEGMENT_LIMITS, // size_max or seg_max so small that no block fits
    VIRTIO_BLK_FAULT_QUEUE_ABSENT,       // QueueNumMax is 0
    VIRTIO_BLK_FAULT_QUEUE_TOO_SMALL,    // fewer than the 3 descriptors of the smallest read
    VIRTIO_BLK_FAULT_QUEUE_IN_USE,       // the queue is live straight after a reset
    VIRTIO_BLK_FAULT_QUEUE_NOT_READY,    // the queue did not accept its address
    VIRTIO_BLK_FAULT_START_FAILED,       // DRIVER_OK did not stay set, or FAILED appeared
    // The device broke the protocol while READY: state BROKEN.
    VIRTIO_BLK_FAULT_USED_INDEX,      // used.idx jumped or went back
    VIRTIO_BLK_FAULT_USED_ID_RANGE,   // used.id is not a descriptor
    VIRTIO_BLK_FAULT_USED_ID_STALE,   // used.id is not the head of a request in flight
    VIRTIO_BLK_FAULT_USED_LENGTH,     // used.len is 0 or more than was posted
    VIRTIO_BLK_FAULT_USED_SHORT,      // success, yet less was written than was posted
    VIRTIO_BLK_FAULT_STATUS_MISSING,  // the status byte was not written
    VIRTIO_BLK_FAULT_STATUS_UNKNOWN,  // the status byte has no meaning
    VIRTIO_BLK_FAULT_NEEDS_RESET,     // DEVICE_NEEDS_RESET is set
    VIRTIO_BLK_FAULT_STATUS_LOST,     // STATUS is not what the driver wrote
    VIRTIO_BLK_FAULT_CONFIG_CHANGED,  // the configuration changed into one that cannot be used
    VIRTIO_BLK_FAULT_INTERRUPT_STORM, // interrupts without completions, over the limit
    VIRTIO_BLK_FAULT_REQUEST_TIMEOUT, // a request passed its deadline
    VIRTIO_BLK_FAULT_GONE,            // STATUS reads all ones: nobody answers at that address
    VIRTIO_BLK_FAULT_COUNT
};

enum virtio_blk_state {
    VIRTIO_BLK_STOPPED,   // the device holds no memory of ours
    VIRTIO_BLK_RESETTING, // STATUS 0 is written and not read back yet: call virtio_blk_advance
    VIRTIO_BLK_READY,
    VIRTIO_BLK_BROKEN,  // requests may still be in flight: call virtio_blk_reset
    VIRTIO_BLK_REFUSED, // nothing in flight; virtio_blk_reset tries again
    VIRTIO_BLK_LOST,    // the device ignores resets and may write to our memory for ever
};

// One piece of a client's memory. Bus address plus length does not wrap.
struct virtio_blk_segment {
    uint64_t bus_address;
    uint32_t length; // bytes; a non-zero multiple of VIRTIO_BLK_SECTOR_BYTES
};

// A read. The caller owns the struct and keeps it, its segment array and the memory behind the
// segments unchanged from submit until it comes back. Zero it before its first use; after that it
// may be submitted again and again.
struct virtio_blk_request {
    // Filled by the caller.
    uint64_t first_sector;  // in units of 512 bytes, a multiple of info.block_size / 512
    uint32_t sector_count;  // 1..VIRTIO_BLK_MAX_SECTORS, a multiple of info.block_size / 512
    uint32_t segment_count; // 1..VIRTIO_BLK_MAX_SEGMENTS
    const struct virtio_blk_segment *segments; // lengths add up to sector_count * 512
    uint64_t timeout_ns;                       // from submit to time-out
    void *cookie;                              // the caller's; untouched

    // Filled by the library when the request comes back. The memory holds the sectors if and only
    // if this is NX_OK. NX_ERR_IO: the device reports a failed read. NX_ERR_UNSUPPORTED: it does
    // not know reads. NX_ERR_TIMED_OUT, NX_ERR_DEVICE, NX_ERR_CANCELLED: in flight at a reset, in
    // this order: overdue; the device broke the protocol; innocent bystander.
    enum nx_status status;

    // Library only.
    struct virtio_blk_request *next; // in the list of completed requests
    uint64_t deadline_ns;
    uint32_t segment_index;  // where the next part begins
    uint32_t segment_offset; // bytes into that segment
    uint32_t bytes_done;     // of all parts before the one in flight
    uint32_t part_bytes;     // of the part in flight
    bool submitted;          // from submit until virtio_blk_completed or _abandoned
    bool overdue;
};

struct virtio_blk_counters {
    uint64_t requests; // accepted by submit
    uint64_t
        device_requests; // chains published: more than requests when the device's limits split them
    uint64_t completions;         // requests that came back through a checked used element
    uint64_t errors;              // of these, those with a status other than NX_OK
    uint64_t returned_by_reset;   // requests that came back because of a reset
    uint64_t abandoned;           // requests that virtio_blk_abandoned gave back
    uint64_t resets;              // virtio_blk_reset calls
    uint64_t timeouts;            // requests that passed their deadline
    uint64_t faults;              // refusals and protocol violations, time-outs included
    uint64_t interrupts;          // virtio_blk_interrupt calls
    uint64_t spurious_interrupts; // of these, without completion and without configuration change
    uint64_t rescued; // completions that virtio_blk_expire found: their interrupt was lost
    uint64_t kicks;   // QueueNotify writes
};

struct virtio_blk_info {
    enum virtio_blk_state state;
    enum virtio_blk_fault fault; // the latest; stays readable after a reset that worked
    uint64_t sectors;            // of 512 bytes
    uint32_t block_size;         // bytes; the unit that requests are multiples of: 512..4096
    uint32_t transport_version;  // 1 legacy, 2 modern
    uint32_t vendor;
    uint64_t features; // negotiated VIRTIO_F_* and VIRTIO_BLK_F_* bits
    bool read_only;    // what the device says of itself; this library never writes either way
    uint16_t queue_size;
    uint16_t in_flight; // requests
    struct virtio_blk_counters counters;
};

// Per descriptor head: what the device reads and writes beside the data of one request.
struct virtio_blk_slot {
    struct virtio_blk_req_header header;
    _Atomic uint8_t status; // the device writes; 0xff until then
    uint8_t reserved[15];
    struct virtq_desc table[VIRTIO_BLK_MAX_SEGMENTS + 2]; // when INDIRECT_DESC is negotiated
};
static_assert(sizeof(struct virtio_blk_slot) % 16 == 0, "descriptor tables are 16-byte aligned");

#define VIRTIO_BLK_DMA_BYTES                                                                       \
    ((VIRTQUEUE_MAX_BYTES + VIRTQUEUE_MAX_SIZE * sizeof(struct virtio_blk_slot) + 4095u) &         \
     ~(size_t)4095u)

// One device. The caller supplies the storage; all fields are the library's, `state` and `fault`
// may be read.
struct virtio_blk {
    enum virtio_blk_state state;
    enum virtio_blk_fault fault; // the latest

    // Constant after attach.
    const struct virtio_blk_ops *ops;
    void *context;
    struct virtio_blk_dma dma;
    uint32_t transport_version;
    uint32_t vendor;

    // Constant from one start of the device to the next reset.
    uint64_t features;
    uint64_t sectors; // may change with a configuration interrupt
    uint32_t block_size;
    uint32_t piece_limit;          // bytes that one descriptor may cover
    uint16_t data_limit;           // data descriptors that one device request may have
    struct virtio_blk_slot *slots; // [queue.size], indexed by descriptor head

    // Owner only.
    struct virtqueue queue;
    struct virtio_blk_request *requests[VIRTQUEUE_MAX_SIZE]; // by descriptor head; NULL: no request
    struct virtio_blk_request *completed_first;              // came back, not yet taken
    struct virtio_blk_request *completed_last;
    uint64_t reset_deadline_ns;    // while RESETTING
    uint64_t earliest_deadline_ns; // no request in flight is due earlier; UINT64_MAX when none is
    uint32_t quiet_interrupts;     // in a row, without a completion
    uint16_t interrupt_after;      // chains that are to be used before the next interrupt
    enum nx_status return_status;  // of requests that a reset hands back, unless overdue
    bool stopping;                 // RESETTING leads to STOPPED, not to READY
    struct virtio_blk_counters counters;
};

// Takes possession of the device behind `ops` and begins its reset. Overwrites *device. `ops` and
// the memory behind `dma` stay valid until STOPPED. Looks at STATUS once: most devices are READY
// on return.
//   NX_OK                    READY.
//   NX_ERR_BUSY              RESETTING: call virtio_blk_advance until it says otherwise.
//   NX_ERR_INVALID_ARGUMENT  something is NULL, or `dma` is too short or misaligned.
//   NX_ERR_NOT_FOUND         an empty slot (EMPTY_SLOT). STOPPED: nothing was written to it.
//   NX_ERR_UNSUPPORTED       REFUSED for what the device is: see device->fault. STOPPED, and
//   nothing
//                            was written, for BAD_MAGIC, BAD_VERSION and NOT_BLOCK.
//   NX_ERR_DEVICE            REFUSED for what the device did: see device->fault.
NX_MUST_CHECK enum nx_status virtio_blk_attach(struct virtio_blk *device,
                                               const struct virtio_blk_ops *ops, void *context,
                                               const struct virtio_blk_dma *dma, uint64_t now_ns);

// One step of a reset: looks at STATUS, and MagicValue, once. When they say that it is done, every
// request in flight becomes completed and the device is started again (or, after virtio_blk_stop,
// is STOPPED).
//   NX_OK, NX_ERR_BUSY, NX_ERR_UNSUPPORTED, NX_ERR_DEVICE  as virtio_blk_attach; NX_OK for STOPPED.
//   NX_ERR_TIMED_OUT   LOST: STATUS did not read 0 within VIRTIO_BLK_RESET_TIMEOUT_NS.
//   NX_ERR_BAD_STATE   not RESETTING.
NX_MUST_CHECK enum nx_status virtio_blk_advance(struct virtio_blk *device, uint64_t now_ns);

// Begins a reset, from any state but STOPPED, and makes the first step of it.
// Returns as virtio_blk_advance.
NX_MUST_CHECK enum nx_status virtio_blk_reset(struct virtio_blk *device, uint64_t now_ns);

// As virtio_blk_reset, but leaves the device reset: STOPPED. The DMA area may then be reused.
NX_MUST_CHECK enum nx_status virtio_blk_stop(struct virtio_blk *device, uint64_t now_ns);

// Queues a read; the device learns of it at the next virtio_blk_kick. Every argument is checked
// before the device sees anything, and a refused request stays the caller's. The data goes straight
// into the segments. One device request, unless the device's size_max, seg_max or queue size force
// more: these then run one after the other, and the request comes back when all are done.
//   NX_ERR_INVALID_ARGUMENT  sector_count is 0; no segments; a segment of length 0 or not a
//   multiple
//                            of 512; lengths that do not add up; not a multiple of block_size.
//   NX_ERR_TOO_LARGE         over VIRTIO_BLK_MAX_SECTORS or _MAX_SEGMENTS, or scattered in pieces
//   so
//                            small that the device's limits allow not one block per device request.
//   NX_ERR_OVERFLOW          first_sector + sector_count, or a segment's end, wraps around.
//   NX_ERR_OUT_OF_RANGE      past the end of the device.
//   NX_ERR_ALREADY_EXISTS    the request is submitted already.
//   NX_ERR_BUSY              no descriptors left: submit again after a completion.
//   NX_ERR_BAD_STATE         not READY.
NX_MUST_CHECK enum nx_status virtio_blk_submit(struct virtio_blk *device,
                                               struct virtio_blk_request *request, uint64_t now_ns);

// Tells the device of everything submitted since the last kick, unless it asked not to be told or
// there is nothing. Cheap to call in vain.
void virtio_blk_kick_fresh(struct virtio_blk *device); // for virtio_blk_kick alone
static inline void virtio_blk_kick(struct virtio_blk *device)
{
    if (device->queue.avail_index != device->queue.kicked_index) {
        virtio_blk_kick_fresh(device);
    }
}

// Serves one interrupt: acknowledges it at the device, takes every finished request (get them with
// virtio_blk_completed) and restarts split ones. Bounded: work is at most that of the requests in
// flight. Acknowledge at the interrupt controller afterwards.
//   NX_ERR_DEVICE     BROKEN, see device->fault: call virtio_blk_reset. Completed requests are
//   good. NX_ERR_BAD_STATE  not READY and not BROKEN: acknowledged at the device (unless STOPPED),
//   no more.
NX_MUST_CHECK enum nx_status virtio_blk_interrupt(struct virtio_blk *device);

// Takes back what the last virtio_blk_interrupt noted if the interrupt controller says that there
// was no interrupt, so that nobody who can cause such calls makes the device look broken.
void virtio_blk_interrupt_was_none(struct virtio_blk *device);

// As virtio_blk_interrupt, without an interrupt: takes what is finished.
NX_MUST_CHECK enum nx_status virtio_blk_poll(struct virtio_blk *device);

// Asks for the next interrupt when `requests` more have been finished, or all that are in flight:
// for an owner whose clients do not wait for each of them. Holds until it is called again; 1 after
// every start. True: some are finished already and may cause no interrupt: call virtio_blk_poll.
// Without VIRTIO_F_EVENT_IDX each of them interrupts. Call it last, after all submits: it counts
// what is in flight at that moment.
NX_MUST_CHECK bool virtio_blk_interrupt_after(struct virtio_blk *device, uint32_t requests);

// The next request that came back, in order of completion, or NULL. It is the caller's again.
struct virtio_blk_request *virtio_blk_completed(struct virtio_blk *device);

// Applies the clock: first takes completions whose interrupt was lost, then checks deadlines.
//   NX_ERR_TIMED_OUT  a request is overdue: BROKEN, call virtio_blk_reset.
//   NX_ERR_DEVICE     BROKEN for another reason, see device->fault.
//   NX_ERR_BAD_STATE  not READY and not BROKEN.
NX_MUST_CHECK enum nx_status virtio_blk_expire(struct virtio_blk *device, uint64_t now_ns);

// When to call virtio_blk_expire (READY) or, at the latest, virtio_blk_advance (RESETTING);
// UINT64_MAX: no need. It may be earlier than the earliest deadline, never later.
uint64_t virtio_blk_next_deadline(const struct virtio_blk *device);

// LOST only, NULL otherwise: takes one request that was in flight, status NX_ERR_DEVICE. Answer its
// client, but THE DEVICE MAY STILL WRITE TO ITS MEMORY: keep that and the DMA area pinned for ever.
struct virtio_blk_request *virtio_blk_abandoned(struct virtio_blk *device);

// Requests in flight: what was accepted and has not come back in one of the three ways.
static inline uint64_t virtio_blk_in_flight(const struct virtio_blk *device)
{
    const struct virtio_blk_counters *counters = &device->counters;
    return counters->requests - counters->completions - counters->returned_by_reset -
           counters->abandoned;
}

void virtio_blk_info(const struct virtio_blk *device, struct virtio_blk_info *info);

// Lower-case words with dashes, such as "used-index"; never NULL.
const char *virtio_blk_fault_name(enum virtio_blk_fault fault);
const char *virtio_blk_state_name(enum virtio_blk_state state);

#endif
