// SPDX-License-Identifier: Apache-2.0
// What nexus-init makes of the device tree and of the virtio windows in it: a machine is without a
// disk only when every window says so, and what one hart lacks none has. The program's argument is
// a device tree of this repository, which has eight windows; each test changes it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "each_alone.h"
#include "machine.h"
#include "nexus/clock.h"
#include "nexus/log.h"
#include "nexus/memory.h"
#include "nexus/mmio.h"
#include "nexus/process.h"

#include <libfdt.h>
#include <string.h>

#define PAGE             4096u
#define WINDOWS          8u
#define FIRST_WINDOW     0x10001000u
#define UARTS_INTERRUPT  10u
#define TREE_BYTES       65536u
#define REGISTERS        64u
#define MAGIC_VALUE      0x000u
#define DEVICE_ID        0x008u
#define QUEUE_NUM_MAX    0x034u
#define MAGIC            0x74726976u
#define ID_NONE          0u
#define ID_NETWORK       1u
#define ID_BLOCK         2u
#define TREE_HANDLE      7u
#define WINDOW_HANDLE(i) (100u + (i))
#define UART_HANDLE      99u

static const char *tree_path;
static struct world {
    uint32_t registers[WINDOWS][REGISTERS];
    bool is_unmappable[WINDOWS];
    _Alignas(8) uint8_t tree[TREE_BYTES];
    bool interrupt_is_taken[64];
    char log[4096];
    size_t log_length;
} world;

// ---- The fake kernel ----------------------------------------------------------------------------

struct nx_start_info nx_start_record;
nx_handle nx_start_handles[NX_START_HANDLES_MAX];

nx_handle nx_start_handle_find(enum nx_start_id id)
{
    (void)id;
    return NX_HANDLE_NONE;
}

enum nx_status nx_memory_device_create(nx_handle machine, uint64_t physical, uint64_t size,
                                       nx_handle *memory)
{
    (void)machine;
    if (physical % PAGE != 0 || size == 0) {
        return NX_ERR_INVALID_ARGUMENT;
    }
    *memory = UART_HANDLE;
    if (physical >= FIRST_WINDOW) {
        *memory = WINDOW_HANDLE((uint32_t)(physical - FIRST_WINDOW) / PAGE);
    }
    return NX_OK;
}

enum nx_status nx_interrupt_create(nx_handle machine, uint32_t source, nx_handle *interrupt)
{
    (void)machine;
    if (world.interrupt_is_taken[source]) {
        return NX_ERR_ALREADY_EXISTS;
    }
    world.interrupt_is_taken[source] = true;
    *interrupt = 1;
    return NX_OK;
}

enum nx_status nx_map(nx_handle memory, uint64_t offset, uint64_t length, uint32_t protection,
                      void **address)
{
    assert_int_equal(offset, 0);
    assert_int_equal(protection, NX_PROT_READ);
    if (memory == TREE_HANDLE) {
        assert_in_range(length, 1, TREE_BYTES);
        *address = world.tree;
        return NX_OK;
    }
    assert_in_range(memory, WINDOW_HANDLE(0), WINDOW_HANDLE(WINDOWS - 1));
    *address = world.registers[memory - WINDOW_HANDLE(0)];
    return world.is_unmappable[memory - WINDOW_HANDLE(0)] ? NX_ERR_NO_MEMORY : NX_OK;
}

void nx_unmap(const void *address)
{
    (void)address;
}

uint32_t nx_mmio_read32(const volatile void *window, uint32_t offset)
{
    return ((const volatile uint32_t *)window)[offset / sizeof(uint32_t)];
}

void nx_handle_drop(nx_handle handle)
{
    (void)handle;
}

enum nx_status nx_system_reset(nx_handle machine, enum nx_reset_kind kind)
{
    (void)machine;
    (void)kind;
    return NX_ERR_UNSUPPORTED;
}

void nx_sleep(uint64_t nanoseconds)
{
    (void)nanoseconds;
}

void nx_log(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof(world.log) - world.log_length;
    int length = vsnprintf(world.log + world.log_length, room, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length + 1 < room);
    world.log_length += (size_t)length;
    world.log[world.log_length++] = '\n';
}

// ---- What tests do ------------------------------------------------------------------------------

static void set_window(uint32_t index, uint32_t magic, uint32_t id, uint32_t queue_num_max)
{
    world.registers[index][MAGIC_VALUE / sizeof(uint32_t)] = magic;
    world.registers[index][DEVICE_ID / sizeof(uint32_t)] = id;
    world.registers[index][QUEUE_NUM_MAX / sizeof(uint32_t)] = queue_num_max;
}

// The node of a window, in a tree that may be changed.
static int window_node(uint32_t index)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/soc/virtio_mmio@%x", FIRST_WINDOW + index * PAGE);
    int node = fdt_path_offset(world.tree, path);
    assert_true(node >= 0);
    return node;
}

// QEMU's machine: windows in which nothing is, and no device of the first kind.
static int machine_without_disk(void **state)
{
    (void)state;
    static uint8_t file[TREE_BYTES];
    FILE *stream = fopen(tree_path, "rb");
    if (stream == NULL || fread(file, 1, sizeof(file), stream) == 0 || fclose(stream) != 0 ||
        fdt_open_into(file, world.tree, TREE_BYTES) != 0) {
        return -1;
    }
    nx_start_record.devicetree_bytes = TREE_BYTES;
    nx_start_handles[NX_START_DEVICETREE] = TREE_HANDLE;
    for (uint32_t i = 0; i < WINDOWS; i++) {
        set_window(i, MAGIC, ID_NONE, 0);
    }
    return 0;
}

static void assert_disk(enum device_presence presence)
{
    assert_int_equal(machine_discover(), NX_OK);
    assert_int_equal(machine_device(DEVICE_UART)->presence, DEVICE_PRESENT);
    assert_int_equal(machine_device(DEVICE_BLOCK)->presence, presence);
}

static void assert_disk_unusable(const char *said)
{
    assert_disk(DEVICE_UNUSABLE);
    assert_non_null(strstr(world.log, said));
}

#define UNUSABLE_FIRST "init: virtio device cannot be used node=virtio_mmio@10001000 reason="

// ---- Without a disk -----------------------------------------------------------------------------

static void test_windows_that_are_empty_are_no_disk(void **state)
{
    (void)state;
    assert_disk(DEVICE_ABSENT);
    assert_string_equal(world.log, "");
}

static void test_other_devices_are_no_disk(void **state)
{
    (void)state;
    set_window(0, MAGIC, ID_NETWORK, 1024);
    assert_disk(DEVICE_ABSENT);
}

static void test_a_node_that_is_switched_off_is_no_disk(void **state)
{
    (void)state;
    set_window(0, ~0u, ~0u, ~0u);
    assert_int_equal(fdt_setprop_string(world.tree, window_node(0), "status", "disabled"), 0);
    assert_disk(DEVICE_ABSENT);
}

// ---- A disk -------------------------------------------------------------------------------------

static void test_the_lowest_disk_is_the_package_disk(void **state)
{
    (void)state;
    set_window(5, MAGIC, ID_BLOCK, 1024);
    set_window(2, MAGIC, ID_BLOCK, 1024);
    assert_disk(DEVICE_PRESENT);
    assert_int_equal(machine_device(DEVICE_BLOCK)->base, FIRST_WINDOW + 2 * PAGE);
    assert_int_equal(machine_device(DEVICE_BLOCK)->window, WINDOW_HANDLE(2));
    assert_int_equal(machine_device(DEVICE_BLOCK)->interrupt_number, 3);
}

// Its image is judged by its signature, wherever it lies.
static void test_a_disk_beside_a_window_that_cannot_be_read_is_used(void **state)
{
    (void)state;
    set_window(0, ~0u, ~0u, ~0u);
    set_window(3, MAGIC, ID_BLOCK, 1024);
    assert_disk(DEVICE_PRESENT);
    assert_non_null(strstr(world.log, UNUSABLE_FIRST));
}

// ---- A disk that cannot be used, or what may be one ---------------------------------------------

static void test_a_disk_with_the_interrupt_of_another_device_is_unusable(void **state)
{
    (void)state;
    set_window(0, MAGIC, ID_BLOCK, 1024);
    assert_int_equal(fdt_setprop_u32(world.tree, window_node(0), "interrupts", UARTS_INTERRUPT), 0);
    assert_disk_unusable("init: block device without interrupt mmio=0x10001000 irq=10");
}

static void test_a_node_without_interrupt_is_unusable(void **state)
{
    (void)state;
    set_window(0, MAGIC, ID_BLOCK, 1024);
    assert_int_equal(fdt_delprop(world.tree, window_node(0), "interrupts"), 0);
    assert_disk_unusable(UNUSABLE_FIRST);
}

static void test_a_node_without_window_is_unusable(void **state)
{
    (void)state;
    assert_int_equal(fdt_delprop(world.tree, window_node(0), "reg"), 0);
    assert_disk_unusable(UNUSABLE_FIRST);
}

static void test_a_window_that_the_kernel_refuses_is_unusable(void **state)
{
    (void)state;
    const fdt32_t reg[] = {0, cpu_to_fdt32(FIRST_WINDOW + 16), 0, cpu_to_fdt32(PAGE)};
    assert_int_equal(fdt_setprop(world.tree, window_node(0), "reg", reg, sizeof(reg)), 0);
    assert_disk_unusable(UNUSABLE_FIRST);
}

static void test_a_window_that_cannot_be_mapped_is_unusable(void **state)
{
    (void)state;
    world.is_unmappable[0] = true;
    assert_disk_unusable(UNUSABLE_FIRST);
}

static void test_a_device_that_lies_about_its_magic_is_unusable(void **state)
{
    (void)state;
    set_window(0, MAGIC ^ 1, ID_BLOCK, 1024);
    assert_disk_unusable(UNUSABLE_FIRST);
}

static void test_an_empty_window_that_has_a_queue_is_unusable(void **state)
{
    (void)state;
    set_window(0, MAGIC, ID_NONE, 1024);
    assert_disk_unusable(UNUSABLE_FIRST);
}

// ---- Harts --------------------------------------------------------------------------------------

static int cpu_node(uint32_t index)
{
    char path[32];
    (void)snprintf(path, sizeof(path), "/cpus/cpu@%u", index);
    int node = fdt_path_offset(world.tree, path);
    assert_true(node >= 0);
    return node;
}

static void set_isa(uint32_t index, const char *isa)
{
    int length = (int)strlen(isa) + 1;
    assert_int_equal(fdt_setprop(world.tree, cpu_node(index), "riscv,isa", isa, length), 0);
}

static void assert_hart_extensions(uint32_t expected)
{
    assert_int_equal(machine_discover(), NX_OK);
    assert_int_equal(machine_hart_extensions(), expected);
}

static void test_what_all_harts_have_may_be_used_until_it_proves_wrong(void **state)
{
    (void)state;
    assert_hart_extensions(NX_HART_EXTENSION_ZBB);
    assert_int_equal(machine_hart_count(), NX_HARTS_MAX);
    machine_distrust_hart_extensions();
    assert_int_equal(machine_hart_extensions(), 0);
}

static void test_what_one_hart_lacks_none_has(void **state)
{
    (void)state;
    set_isa(2, "rv64imafdc_zba_zbbx_zbb1");
    assert_hart_extensions(0);
}

static void test_a_hart_that_is_switched_off_may_lack_anything(void **state)
{
    (void)state;
    set_isa(2, "rv64imac");
    assert_int_equal(fdt_setprop_string(world.tree, cpu_node(2), "status", "disabled"), 0);
    assert_hart_extensions(NX_HART_EXTENSION_ZBB);
    assert_int_equal(machine_hart_count(), NX_HARTS_MAX - 1);
}

static void test_extensions_may_come_as_a_list(void **state)
{
    (void)state;
    static const char list[] = "zba\0zbb";
    set_isa(2, "rv64imac");
    assert_int_equal(
        fdt_setprop(world.tree, cpu_node(2), "riscv,isa-extensions", list, sizeof(list)), 0);
    assert_hart_extensions(NX_HART_EXTENSION_ZBB);
}

// ---- Each in a process of its own: nexus-init finds its devices once ----------------------------

#define TEST(function) cmocka_unit_test_setup(function, machine_without_disk)

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        TEST(test_windows_that_are_empty_are_no_disk),
        TEST(test_other_devices_are_no_disk),
        TEST(test_a_node_that_is_switched_off_is_no_disk),
        TEST(test_the_lowest_disk_is_the_package_disk),
        TEST(test_a_disk_beside_a_window_that_cannot_be_read_is_used),
        TEST(test_a_disk_with_the_interrupt_of_another_device_is_unusable),
        TEST(test_a_node_without_interrupt_is_unusable),
        TEST(test_a_node_without_window_is_unusable),
        TEST(test_a_window_that_the_kernel_refuses_is_unusable),
        TEST(test_a_window_that_cannot_be_mapped_is_unusable),
        TEST(test_a_device_that_lies_about_its_magic_is_unusable),
        TEST(test_an_empty_window_that_has_a_queue_is_unusable),
        TEST(test_what_all_harts_have_may_be_used_until_it_proves_wrong),
        TEST(test_what_one_hart_lacks_none_has),
        TEST(test_a_hart_that_is_switched_off_may_lack_anything),
        TEST(test_extensions_may_come_as_a_list),
    };
    if (count != 2) {
        (void)fprintf(stderr, "usage: test_nexus_init_machine TREE\n");
        return EXIT_FAILURE;
    }
    tree_path = arguments[1];
    return each_alone("nexus-init", tests, sizeof(tests) / sizeof(tests[0]));
}
