// SPDX-License-Identifier: Apache-2.0
// What the firmware offers, and the system reset.
#include "arch/arch.h"
#include "arch_inline.h"
#include "nexus/info.h"
#include "nexus/syscall.h"
#include "sbi.h"
#include "timer.h"

struct arch_firmware arch_firmware;

static const struct {
    uint64_t id;
    uint32_t flag;
} extensions[] = {
    {SBI_EXT_TIME, NX_SBI_TIME}, {SBI_EXT_IPI, NX_SBI_IPI},   {SBI_EXT_RFNC, NX_SBI_RFNC},
    {SBI_EXT_HSM, NX_SBI_HSM},   {SBI_EXT_SRST, NX_SBI_SRST}, {SBI_EXT_PMU, NX_SBI_PMU},
    {SBI_EXT_DBCN, NX_SBI_DBCN},
};

static enum nx_status probe_extensions(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(extensions); i++) {
        bool available = false;
        TRY(sbi_probe_extension(extensions[i].id, &available));
        if (available)
            arch_firmware.extensions |= extensions[i].flag;
    }
    return NX_OK;
}

enum nx_status arch_firmware_probe(void)
{
    TRY(sbi_get_base(SBI_BASE_GET_SPEC_VERSION, &arch_firmware.spec_version));
    TRY(sbi_get_base(SBI_BASE_GET_IMPL_ID, &arch_firmware.implementation_id));
    TRY(sbi_get_base(SBI_BASE_GET_IMPL_VERSION, &arch_firmware.implementation_version));
    TRY(probe_extensions());
    timer_choose();
    const uint32_t needed = NX_SBI_IPI | NX_SBI_RFNC | (arch_has_sstc() ? 0 : NX_SBI_TIME);

    return (arch_firmware.extensions & needed) == needed ? NX_OK : NX_ERR_UNSUPPORTED;
}

enum nx_status arch_system_reset(uint32_t kind)
{
    switch ((enum nx_reset_kind)kind) {
    case NX_RESET_POWER_OFF:
        return sbi_system_reset(SBI_RESET_SHUTDOWN, SBI_RESET_NO_REASON);
    case NX_RESET_REBOOT:
        return sbi_system_reset(SBI_RESET_COLD_REBOOT, SBI_RESET_NO_REASON);
    case NX_RESET_FAILURE:
        return sbi_system_reset(SBI_RESET_SHUTDOWN, SBI_RESET_SYSTEM_FAILURE);
    }
    return NX_ERR_INVALID_ARGUMENT;
}
