// SPDX-License-Identifier: Apache-2.0
// Calls to the firmware: see sbi.h.
#include "sbi.h"
#include "arch_inline.h"
#include "core/hart.h"
#include "core/machine.h"

#define SBI_BASE_PROBE_EXTENSION 3

#define SBI_TIME_SET_TIMER 0

#define SBI_IPI_SEND 0

#define SBI_RFNC_FENCE_I         0
#define SBI_RFNC_SFENCE_VMA      1
#define SBI_RFNC_SFENCE_VMA_ASID 2

#define SBI_HSM_START  0
#define SBI_HSM_STOP   1
#define SBI_HSM_STATUS 2

#define SBI_SRST_RESET 0

#define SBI_LEGACY_CONSOLE_PUTCHAR 1

struct sbiret {
    int64_t error;
    uint64_t value;
};

struct sbi_arguments {
    uint64_t a[5];
};

// The firmware preserves every register but a0 and a1 (SBI 3).
static struct sbiret sbi_ecall(uint64_t extension, uint64_t function,
                               struct sbi_arguments arguments)
{
    register uint64_t a0 __asm__("a0") = arguments.a[0];
    register uint64_t a1 __asm__("a1") = arguments.a[1];
    register uint64_t a2 __asm__("a2") = arguments.a[2];
    register uint64_t a3 __asm__("a3") = arguments.a[3];
    register uint64_t a4 __asm__("a4") = arguments.a[4];
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7)
                     : "memory");
    return (struct sbiret){.error = (int64_t)a0, .value = a1};
}

// Standard errors (SBI 3, table 1), by their negated number.
static enum nx_status status_of_error(int64_t error)
{
    static const enum nx_status statuses[] = {
        NX_OK,
        NX_ERR_IO,               // SBI_ERR_FAILED
        NX_ERR_UNSUPPORTED,      // SBI_ERR_NOT_SUPPORTED
        NX_ERR_INVALID_ARGUMENT, // SBI_ERR_INVALID_PARAM
        NX_ERR_ACCESS_DENIED,    // SBI_ERR_DENIED
        NX_ERR_OUT_OF_RANGE,     // SBI_ERR_INVALID_ADDRESS
        NX_ERR_ALREADY_EXISTS,   // SBI_ERR_ALREADY_AVAILABLE
        NX_ERR_BAD_STATE,        // SBI_ERR_ALREADY_STARTED
        NX_ERR_BAD_STATE,        // SBI_ERR_ALREADY_STOPPED
    };

    if (error > 0 || error <= -(int64_t)ARRAY_LENGTH(statuses))
        return NX_ERR_DEVICE;
    return statuses[-error];
}

static inline enum nx_status status_of(int64_t error)
{
    return error == 0 ? NX_OK : status_of_error(error);
}

static enum nx_status call_for_value(uint64_t extension, uint64_t function, uint64_t argument,
                                     uint64_t *value)
{
    const struct sbiret result =
        sbi_ecall(extension, function, (struct sbi_arguments){{argument, 0, 0, 0, 0}});

    if (result.error == 0)
        *value = result.value;
    return status_of(result.error);
}

static enum nx_status call(uint64_t extension, uint64_t function, struct sbi_arguments arguments)
{
    return status_of(sbi_ecall(extension, function, arguments).error);
}

// --- Base (4) and timer (6) ----------------------------------------------------------------------

enum nx_status sbi_get_base(enum sbi_base what, uint64_t *value)
{
    return call_for_value(SBI_EXT_BASE, what, 0, value);
}

enum nx_status sbi_probe_extension(uint64_t extension, bool *available)
{
    uint64_t value = 0;
    const enum nx_status status =
        call_for_value(SBI_EXT_BASE, SBI_BASE_PROBE_EXTENSION, extension, &value);

    *available = status == NX_OK && value != 0;
    return status;
}

enum nx_status sbi_set_timer(uint64_t deadline)
{
    return call(SBI_EXT_TIME, SBI_TIME_SET_TIMER, (struct sbi_arguments){{deadline, 0, 0, 0, 0}});
}

// --- IPI (7) and remote fences (8) ---------------------------------------------------------------

enum nx_status sbi_send_ipi(struct hart_id hart)
{
    return call(SBI_EXT_IPI, SBI_IPI_SEND, (struct sbi_arguments){{1, hart.value, 0, 0, 0}});
}

static uint64_t hart_id_of(unsigned index)
{
    return machine.harts[index].id.value;
}

// Takes the harts of *mask whose ids lie within 64 of the lowest one off it, and returns them as a
// mask of ids from *base on.
static uint64_t take_group(uint32_t *mask, uint64_t *base)
{
    uint64_t lowest = UINT64_MAX;
    uint64_t group = 0;

    for (uint32_t rest = *mask; rest != 0; rest &= rest - 1) {
        const uint64_t id = hart_id_of((unsigned)__builtin_ctz(rest));

        lowest = id < lowest ? id : lowest;
    }
    for (uint32_t rest = *mask; rest != 0; rest &= rest - 1) {
        const unsigned index = (unsigned)__builtin_ctz(rest);
        const uint64_t distance = hart_id_of(index) - lowest;

        if (distance < 64) {
            group |= 1ul << distance;
            *mask &= ~(1u << index);
        }
    }
    *base = lowest;
    return group;
}

static enum nx_status fence_harts(uint64_t function, uint32_t mask, uint64_t address,
                                  uint64_t length, uint32_t asid)
{
    enum nx_status first_error = NX_OK;
    struct arch_hart *self = arch_hart_of(hart_self());

    atomic_store_explicit(&self->fencing, true, memory_order_relaxed);
    // Full fence: announced before the look at who stays. Pairs with the one in hart_leave_now.
    atomic_thread_fence(memory_order_seq_cst);
    mask &= hart_online_mask();
    while (mask != 0) {
        uint64_t base = 0;
        const uint64_t group = take_group(&mask, &base);
        const enum nx_status status = call(
            SBI_EXT_RFNC, function, (struct sbi_arguments){{group, base, address, length, asid}});

        if (first_error == NX_OK)
            first_error = status;
    }
    // Release: pairs with arch_hart_offline.
    atomic_store_explicit(&self->fencing, false, memory_order_release);
    return first_error;
}

enum nx_status sbi_remote_fence_i(uint32_t mask)
{
    return fence_harts(SBI_RFNC_FENCE_I, mask, 0, 0, 0);
}

enum nx_status sbi_remote_sfence_vma(uint32_t mask, uint64_t address, uint64_t length)
{
    return fence_harts(SBI_RFNC_SFENCE_VMA, mask, address, length, 0);
}

enum nx_status sbi_remote_sfence_vma_asid(uint32_t mask, uint64_t address, uint64_t length,
                                          uint32_t asid)
{
    return fence_harts(SBI_RFNC_SFENCE_VMA_ASID, mask, address, length, asid);
}

// --- Hart state management (9) and system reset (10) ---------------------------------------------

enum nx_status sbi_hsm_hart_start(struct hart_id hart, paddr_t entry, uint64_t argument)
{
    return call(SBI_EXT_HSM, SBI_HSM_START,
                (struct sbi_arguments){{hart.value, entry.value, argument, 0, 0}});
}

enum nx_status sbi_hsm_hart_stop(void)
{
    return call(SBI_EXT_HSM, SBI_HSM_STOP, (struct sbi_arguments){{0, 0, 0, 0, 0}});
}

enum nx_status sbi_hsm_hart_status(struct hart_id hart, enum sbi_hart_state *state)
{
    uint64_t value = 0;
    const enum nx_status status = call_for_value(SBI_EXT_HSM, SBI_HSM_STATUS, hart.value, &value);

    *state = (enum sbi_hart_state)value;
    return status;
}

// Legacy calls have no function number; firmware without them returns an error, and the text is
// lost.
void sbi_console_putchar(char character)
{
    (void)sbi_ecall(SBI_LEGACY_CONSOLE_PUTCHAR, 0,
                    (struct sbi_arguments){{(uint8_t)character, 0, 0, 0, 0}});
}

enum nx_status sbi_system_reset(uint32_t type, uint32_t reason)
{
    return call(SBI_EXT_SRST, SBI_SRST_RESET, (struct sbi_arguments){{type, reason, 0, 0, 0}});
}
