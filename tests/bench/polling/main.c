// SPDX-License-Identifier: Apache-2.0
// The yardstick of sequential reads: a program without an operating system that keeps DEPTH reads
// of 128 KiB in flight. It is a plain polling reader without interrupts, other programs or
// protection, which kicks after each look at the used ring. So it is a measure, not a bound: QEMU
// merges neighbouring reads that it finds at one kick, and another way of kicking, such as
// virtioblkd's in halves, can be faster.
//
// It uses the driver library of virtioblkd. What it does in a round, and what it prints, is the
// same as in source/apps/bench/throughput.c: `bench: rate sequential-128k NUMBER kB/s`.
#include "bench_disk.h"
#include "storage/virtio-blk/virtio_blk.h"

#define DEVICE       0x10001000ul // the first slot of QEMU's virt machine
#define TIMEBASE_HZ  10000000ul
#define SBI_PUTCHAR  1ul
#define SBI_SRST     0x53525354ul
#define READ_TIMEOUT UINT64_C(10000000000) // ns; nobody looks
#define NANOSECONDS  100ul                 // of a tick
#define ROUND_BYTES  ((uint64_t)BENCH_SEQUENTIAL_READS * BENCH_LARGE_BYTES)
#define DIGITS_MAX   20u

static _Alignas(4096) uint8_t rings[VIRTIO_BLK_DMA_BYTES];
static _Alignas(4096) uint8_t buffers[BENCH_SEQUENTIAL_DEPTH][BENCH_LARGE_BYTES];
static struct virtio_blk device;
static struct virtio_blk_request requests[BENCH_SEQUENTIAL_DEPTH];
static struct virtio_blk_segment segments[BENCH_SEQUENTIAL_DEPTH];

int main(void);

// ---- The machine --------------------------------------------------------------------------------

static void firmware_call(uint64_t extension, uint64_t argument)
{
    register uint64_t a0 __asm__("a0") = argument;
    register uint64_t a1 __asm__("a1") = 0;
    register uint64_t a6 __asm__("a6") = 0;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
}

static void print(const char *text)
{
    for (; *text != '\0'; text++) {
        firmware_call(SBI_PUTCHAR, (uint8_t)*text);
    }
}

static void print_number(uint64_t number)
{
    char text[DIGITS_MAX + 1] = "";
    char *place = text + DIGITS_MAX;
    do {
        *--place = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    print(place);
}

static uint64_t ticks(void)
{
    uint64_t count;
    __asm__ volatile("rdtime %0" : "=r"(count));
    return count;
}

static uint32_t register_read(void *context, uint32_t offset)
{
    (void)context;
    return *(volatile uint32_t *)(DEVICE + offset);
}

static void register_write(void *context, uint32_t offset, uint32_t value)
{
    (void)context;
    *(volatile uint32_t *)(DEVICE + offset) = value;
}

static void fence(void *context)
{
    (void)context;
    __asm__ volatile("fence iorw, iorw" : : : "memory");
}

static const struct virtio_blk_ops ops = {
    .read32 = register_read, .write32 = register_write, .fence = fence};

// ---- Reading ------------------------------------------------------------------------------------

static bool device_start(void)
{
    const struct virtio_blk_dma dma = {rings, (uint64_t)rings, sizeof(rings)};
    enum nx_status status = virtio_blk_attach(&device, &ops, NULL, &dma, 0);
    while (status == NX_ERR_BUSY) {
        status = virtio_blk_advance(&device, ticks() * NANOSECONDS);
    }
    return status == NX_OK && device.sectors * VIRTIO_BLK_SECTOR_BYTES >= BENCH_DISK_END;
}

static bool read_submit(uint32_t which, uint32_t number)
{
    struct virtio_blk_request *request = &requests[which];
    segments[which] = (struct virtio_blk_segment){(uint64_t)buffers[which], BENCH_LARGE_BYTES};
    request->first_sector = bench_sequential_offset(number) / VIRTIO_BLK_SECTOR_BYTES;
    request->sector_count = BENCH_LARGE_BYTES / VIRTIO_BLK_SECTOR_BYTES;
    request->segments = &segments[which];
    request->segment_count = 1;
    request->timeout_ns = READ_TIMEOUT;
    return virtio_blk_submit(&device, request, 0) == NX_OK;
}

static bool round_read(void)
{
    uint32_t sent = 0;
    uint32_t done = 0;
    bool good = true;
    for (; sent < BENCH_SEQUENTIAL_DEPTH; sent++) {
        good = good && read_submit(sent, sent);
    }
    virtio_blk_kick(&device);
    while (good && done < BENCH_SEQUENTIAL_READS) {
        struct virtio_blk_request *request;
        good = virtio_blk_poll(&device) == NX_OK;
        while (good && (request = virtio_blk_completed(&device)) != NULL) {
            uint32_t which = (uint32_t)(request - requests);
            good = request->status == NX_OK &&
                   bench_read_is(buffers[which], request->first_sector * VIRTIO_BLK_SECTOR_BYTES,
                                 BENCH_LARGE_BYTES, done);
            done++;
            if (good && sent < BENCH_SEQUENTIAL_READS) {
                good = read_submit(which, sent++);
            }
        }
        virtio_blk_kick(&device);
    }
    return good;
}

int main(void)
{
    bool good = device_start();
    for (uint32_t round = 0; good && round < BENCH_DISK_ROUNDS; round++) {
        uint64_t start = ticks();
        good = round_read();
        uint64_t microseconds = (ticks() - start) * NANOSECONDS / 1000;
        print("bench: rate sequential-128k ");
        print_number(ROUND_BYTES * 1000 / (microseconds + 1));
        print(" kB/s\n");
    }
    print(good ? "bench: end polling ok\n" : "bench: end polling FAIL reason=a read failed\n");
    firmware_call(SBI_SRST, 0);
    return 0;
}
