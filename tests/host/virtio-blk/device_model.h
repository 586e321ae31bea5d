// SPDX-License-Identifier: Apache-2.0
// A virtio-mmio block device: the device side of virtio 1.2, read independently of the driver.
//
// It shares no header and no constant with the driver under test. Two roles: it is a correct
// device that notes every rule the driver breaks (`complaint`), and with a lie set it is a hostile
// one. Completion is manual (device_model_complete, any order) or automatic at each notification.
#ifndef TESTS_VIRTIO_BLK_DEVICE_MODEL_H
#define TESTS_VIRTIO_BLK_DEVICE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_MAX_PENDING 256

// What register reads lie about. Reads of one register are counted from 0 since the model's start.
struct model_register_lie {
    enum {
        REGISTER_HONEST,
        REGISTER_REPLACE,   // answer `value`
        REGISTER_SET_BITS,  // answer truth | value
        REGISTER_CLEAR_BITS // answer truth & ~value
    } kind;
    uint32_t offset;
    uint32_t value;
    uint32_t first_read; // from this read on
    uint32_t every;      // and then every n-th; 0: each
    bool after_start;    // only while DRIVER_OK is set
};

// What the device does wrong when it completes a request.
struct model_used_lie {
    enum {
        USED_HONEST,
        USED_ID,             // used.id = value
        USED_ID_REPEAT,      // the element is there twice
        USED_ID_PREVIOUS,    // the id of the request that came back before
        USED_ID_NOT_HEAD,    // the second descriptor of the request's chain
        USED_LENGTH,         // used.len = value
        USED_LENGTH_ADD,     // used.len = truth + value
        USED_NO_STATUS,      // the status byte is not written
        USED_STATUS,         // the status byte is value
        USED_INDEX_ADD,      // used.idx moves by value instead of 1
        USED_NO_INTERRUPT,   // all right, but silent
        USED_NEVER,          // the request is swallowed
        USED_EARLY_INDEX,    // used.idx moves, the element stays as it was
        USED_STATUS_IN_SLOT, // the status byte of another request in flight is written instead
        USED_NEEDS_RESET,    // swallows it, sets DEVICE_NEEDS_RESET, config interrupt
        USED_FAILED,         // swallows it, sets FAILED, config interrupt
        USED_STATUS_CLEARED, // swallows it, STATUS reads 0, interrupt
        USED_CONFIG_CAPACITY_ZERO, // swallows it, capacity becomes 0, config interrupt
        USED_CONFIG_CAPACITY_HUGE,
        USED_CONFIG_BLOCK_SIZE,
        USED_CONFIG_SEG_MAX,
        USED_CONFIG_RESTLESS, // swallows it; from then on the configuration changes at each read
        USED_GONE_ONES,       // swallows it and disappears
        USED_GONE_ZEROS,
    } kind;
    uint32_t value;
    uint32_t at;     // at the n-th completion since the model's start
    uint32_t repeat; // for so many completions; 0: one
};

struct model_request {
    uint16_t head;
    uint16_t second; // second descriptor of the chain in the ring, or head when there is none
    uint64_t sector;
    uint32_t segment_count;
    struct {
        uint64_t address;
        uint32_t length;
    } segments[64];
    uint64_t status_address;
    uint32_t data_length;
};

struct device_model {
    // What the device is; set before use.
    uint32_t version;      // 1 or 2
    uint64_t feature_bits; // offered
    uint64_t capacity;     // sectors of 512 bytes
    uint32_t size_max;
    uint32_t seg_max;
    uint32_t blk_size;
    uint32_t queue_num_max;
    bool automatic;            // complete everything at each notification
    bool rejects_features;     // takes FEATURES_OK back
    bool config_restless;      // the configuration changes at each read of it
    uint32_t config_change_at; // after so many reads of it (0: never) the capacity becomes
    uint64_t capacity_afterwards;
    enum {
        GONE_NOT,
        GONE_ALL_ONES, // every register reads so, and writes go nowhere
        GONE_ZEROS
    } gone;
    uint32_t reset_delay; // STATUS reads so often non-zero after a reset; UINT32_MAX: for ever
    bool resets_late;     // requests in flight go on until STATUS reads 0
    uint64_t bad_sector;  // reads that touch it fail with IOERR
    bool interrupt_stuck; // InterruptStatus stays set whatever is acknowledged
    struct model_register_lie register_lie;
    struct model_used_lie used_lie;

    // Guest memory the device may reach.
    struct {
        uint64_t bus;
        uint8_t *host;
        uint64_t length;
    } memory[4];

    // Device state.
    uint32_t status;
    uint32_t features_page;
    uint32_t driver_features_page;
    uint64_t accepted;
    uint32_t page_size;
    uint32_t queue_num;
    uint32_t queue_align;
    uint32_t queue_pfn;
    bool queue_ready;
    uint64_t queue_address[3]; // descriptors, driver area, device area, as written
    uint32_t interrupt_status;
    uint32_t generation;
    uint32_t config_reads;
    uint16_t seen_available; // next avail entry to fetch
    uint16_t used_index;
    uint16_t previous_head;
    struct model_request pending[MODEL_MAX_PENDING];
    uint32_t pending_count;
    bool resetting;

    // For tests.
    uint64_t fetched;     // requests seen
    uint64_t completions; // requests answered or swallowed
    uint64_t interrupts;  // times the line went up
    uint64_t notifications;
    uint64_t resets;
    uint64_t writes; // register writes of any kind
    uint32_t reads_of[0x200 / 4];
    char complaint[160]; // first rule the driver broke; empty: none
};

// A correct device of 64 Ki sectors with all features the driver knows, queue of 256.
void device_model_init(struct device_model *model, uint32_t version);

// Lets the device reach `length` bytes of memory as `bus`.
void device_model_map(struct device_model *model, uint64_t bus, void *host, uint64_t length);

uint32_t device_model_read(struct device_model *model, uint32_t offset);
void device_model_write(struct device_model *model, uint32_t offset, uint32_t value);

// Answers the n-th pending request (any order is allowed) and interrupts if the driver asked to.
void device_model_complete(struct device_model *model, uint32_t which);
void device_model_complete_all(struct device_model *model);

// Writes what the n-th pending request asks for into memory, and goes on with it.
void device_model_write_early(struct device_model *model, uint32_t which);

// The interrupt line.
bool device_model_line(const struct device_model *model);

// Raises the configuration interrupt, or with 1 the used-buffer interrupt, for no reason.
void device_model_raise(struct device_model *model, uint32_t bits);

// What the disk holds: eight bytes of content for each eight bytes of disk.
uint64_t device_model_word(uint64_t sector, uint32_t word);

#endif
