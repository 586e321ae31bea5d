// SPDX-License-Identifier: Apache-2.0
// What a cpu node says its hart can do.
#include "fdt.h"
#include <string.h>

// "rv64imac_zicsr_sstc": a name of several letters stands between underscores.
static bool isa_names(const char *isa, const char *extension)
{
    const size_t length = strlen(extension);

    for (const char *at = isa; *at != '\0'; at++)
        if (at[0] == '_' && strncmp(at + 1, extension, length) == 0 &&
            (at[1 + length] == '_' || at[1 + length] == '\0'))
            return true;
    return false;
}

bool dtb_cpu_has_extension(const struct dtb *tree, struct dtb_node cpu, const char *extension)
{
    struct dtb_property extensions;
    const char *isa;

    if (dtb_find_property(tree, cpu, "riscv,isa-extensions", &extensions) &&
        dtb_property_contains(&extensions, extension))
        return true;
    return dtb_read_string(tree, cpu, "riscv,isa", &isa) == NX_OK && isa_names(isa, extension);
}
