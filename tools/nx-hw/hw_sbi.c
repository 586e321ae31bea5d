// SPDX-License-Identifier: Apache-2.0
// nx hw sbi: the firmware below the kernel.
#include "command.h"
#include "nexus/machine.h"
#include <inttypes.h>
#include <stdio.h>

static const struct {
    uint32_t bit;
    const char *name;
} extensions[] = {
    {NX_SBI_TIME, "TIME"}, {NX_SBI_IPI, "IPI"}, {NX_SBI_RFNC, "RFNC"}, {NX_SBI_HSM, "HSM"},
    {NX_SBI_SRST, "SRST"}, {NX_SBI_PMU, "PMU"}, {NX_SBI_DBCN, "DBCN"},
};

#define EXTENSIONS (sizeof(extensions) / sizeof(extensions[0]))

// Implementation ids of the SBI specification, chapter "Base Extension".
static const char *implementation_name(uint64_t id)
{
    static const char *const names[] = {"BBL",       "OpenSBI",  "Xvisor", "KVM",
                                        "RustSBI",   "Diosix",   "Coffer", "Xen",
                                        "PolarFire", "coreboot", "oreboot"};
    return id < sizeof(names) / sizeof(names[0]) ? names[id] : "unknown";
}

// Of the specification: major in bits 24 to 30, minor below. OpenSBI's own: major in the upper
// half.
static uint64_t spec_major(const struct nx_info_system *system)
{
    return system->sbi_spec_version >> 24 & 0x7f;
}

static uint64_t spec_minor(const struct nx_info_system *system)
{
    return system->sbi_spec_version & 0xffffff;
}

static void sbi_json(struct json *out, const struct nx_info_system *system)
{
    json_object(out, NULL);
    json_u64(out, "specMajor", spec_major(system));
    json_u64(out, "specMinor", spec_minor(system));
    json_u64(out, "implementationId", system->sbi_implementation_id);
    json_text(out, "implementation", implementation_name(system->sbi_implementation_id));
    json_u64(out, "implementationVersion", system->sbi_implementation_version);
    json_array(out, "extensions");
    for (size_t i = 0; i < EXTENSIONS; i++) {
        if ((system->sbi_extensions & extensions[i].bit) != 0) {
            json_text(out, NULL, extensions[i].name);
        }
    }
    json_end(out);
    json_text(out, "timers", system->sstc != 0 ? "sstc" : "sbi");
    json_u64(out, "bootHartId", system->boot_hart_id);
    json_end(out);
}

static void sbi_print(const struct nx_info_system *system)
{
    printf("specification   %" PRIu64 ".%" PRIu64 "\n", spec_major(system), spec_minor(system));
    printf("implementation  %s id=%" PRIu64 " version=%" PRIu64 ".%" PRIu64 "\n",
           implementation_name(system->sbi_implementation_id), system->sbi_implementation_id,
           system->sbi_implementation_version >> 16, system->sbi_implementation_version & 0xffff);
    printf("extensions     ");
    for (size_t i = 0; i < EXTENSIONS; i++) {
        bool present = (system->sbi_extensions & extensions[i].bit) != 0;
        printf(" %s=%s", extensions[i].name, present ? "yes" : "no");
    }
    printf("\ntimers          %s\n",
           system->sstc != 0 ? "stimecmp (Sstc)" : "set_timer of the firmware");
    printf("nx: hw sbi time=%d\n", (system->sbi_extensions & NX_SBI_TIME) != 0 ? 1 : 0);
}

int sbi_run(struct invocation *invocation)
{
    struct nx_info_system system;

    enum nx_status status = nx_machine_record(NX_INFO_SYSTEM, 0, &system, sizeof(system));
    if (status != NX_OK) {
        return command_failed(invocation, "system record", status);
    }
    if (invocation->json) {
        sbi_json(invocation->out, &system);
    } else {
        sbi_print(&system);
    }
    return EXIT_OK;
}
