// SPDX-License-Identifier: Apache-2.0
// See ring.h. The layout is linux/io_uring.h's; the three areas are mapped as io_uring_setup(2)
// says.
#include "ring.h"

#include "subject.h"

#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct area {
    char *start; // NULL while unmapped
    size_t bytes;
};

static int ring_fd = -1;
static struct io_uring_params layout;
static struct area submission, completion, entries;
static char *buffers;
static size_t slot_bytes;
static unsigned queued; // entries written since the last submission

static _Atomic(uint32_t) *index_at(const struct area *area, uint32_t offset)
{
    return (_Atomic(uint32_t) *)(area->start + offset);
}

static int area_map(struct area *area, size_t bytes, off_t offset)
{
    area->bytes = bytes;
    area->start =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring_fd, offset);
    if (area->start == MAP_FAILED) {
        area->start = NULL;
        return -errno;
    }
    return 0;
}

static void area_unmap(struct area *area)
{
    if (area->start != NULL) {
        munmap(area->start, area->bytes);
        area->start = NULL;
    }
}

static int map_areas(void)
{
    int status = area_map(&submission, layout.sq_off.array + layout.sq_entries * sizeof(uint32_t),
                          IORING_OFF_SQ_RING);
    if (status == 0) {
        status = area_map(&completion,
                          layout.cq_off.cqes + layout.cq_entries * sizeof(struct io_uring_cqe),
                          IORING_OFF_CQ_RING);
    }
    if (status == 0) {
        status =
            area_map(&entries, layout.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    }
    return status;
}

static int register_file_and_buffers(int file, unsigned depth)
{
    struct iovec pieces[RING_DEPTH_MAX];
    for (unsigned i = 0; i < depth; i++) {
        pieces[i] = (struct iovec){.iov_base = buffers + i * slot_bytes, .iov_len = slot_bytes};
    }
    if (syscall(SYS_io_uring_register, ring_fd, IORING_REGISTER_BUFFERS, pieces, depth) != 0 ||
        syscall(SYS_io_uring_register, ring_fd, IORING_REGISTER_FILES, &file, 1) != 0) {
        return -errno;
    }
    return 0;
}

int ring_open(int file, unsigned depth, size_t buffer_bytes)
{
    if (depth > RING_DEPTH_MAX) {
        return -EINVAL;
    }
    memset(&layout, 0, sizeof(layout));
    slot_bytes = buffer_bytes;
    queued = 0;
    buffers = aligned_alloc(PAGE_BYTES, depth * buffer_bytes);
    if (buffers == NULL) {
        return -ENOMEM;
    }
    memset(buffers, 0, depth * buffer_bytes);
    ring_fd = (int)syscall(SYS_io_uring_setup, depth, &layout);
    int status = status_of(ring_fd);
    if (status == 0) {
        status = map_areas();
    }
    if (status == 0) {
        status = register_file_and_buffers(file, depth);
    }
    if (status != 0) {
        ring_close();
    }
    return status;
}

void ring_close(void)
{
    area_unmap(&entries);
    area_unmap(&completion);
    area_unmap(&submission);
    if (ring_fd >= 0) {
        close(ring_fd);
        ring_fd = -1;
    }
    free(buffers);
    buffers = NULL;
}

void ring_queue_read(unsigned slot, uint64_t offset)
{
    _Atomic(uint32_t) *tail = index_at(&submission, layout.sq_off.tail);
    uint32_t index = atomic_load_explicit(tail, memory_order_relaxed);
    uint32_t place = index & (layout.sq_entries - 1);
    struct io_uring_sqe *entry = (struct io_uring_sqe *)entries.start + place;
    *entry = (struct io_uring_sqe){
        .opcode = IORING_OP_READ_FIXED,
        .flags = IOSQE_FIXED_FILE,
        .fd = 0, // the only registered file
        .off = offset,
        .addr = (uint64_t)(uintptr_t)ring_buffer(slot),
        .len = (uint32_t)slot_bytes,
        .buf_index = (uint16_t)slot,
        .user_data = slot,
    };
    *index_at(&submission, layout.sq_off.array + place * (uint32_t)sizeof(uint32_t)) = place;
    // Pairs with the kernel's acquire of the tail: the entry is whole before it counts.
    atomic_store_explicit(tail, index + 1, memory_order_release);
    queued++;
}

int ring_submit_and_wait(unsigned wanted)
{
    long submitted =
        syscall(SYS_io_uring_enter, ring_fd, queued, wanted, IORING_ENTER_GETEVENTS, NULL, 0);
    if (submitted < 0) {
        return -errno;
    }
    if ((unsigned)submitted != queued) {
        return -EIO;
    }
    queued = 0;
    return 0;
}

int ring_reap(void)
{
    _Atomic(uint32_t) *head = index_at(&completion, layout.cq_off.head);
    uint32_t index = atomic_load_explicit(head, memory_order_relaxed);
    // Pairs with the kernel's release of the tail: the completion is whole.
    if (index ==
        atomic_load_explicit(index_at(&completion, layout.cq_off.tail), memory_order_acquire)) {
        return -EAGAIN;
    }
    const struct io_uring_cqe *done =
        (const struct io_uring_cqe *)(completion.start + layout.cq_off.cqes) +
        (index & (layout.cq_entries - 1));
    int slot = done->res == (int32_t)slot_bytes ? (int)done->user_data : -EIO;
    atomic_store_explicit(head, index + 1, memory_order_release);
    return slot;
}

const char *ring_buffer(unsigned slot)
{
    return buffers + slot * slot_bytes;
}
