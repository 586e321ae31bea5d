// SPDX-License-Identifier: Apache-2.0
// nx pkg info: what pkg:// is mounted from, and what packagefsd has read, verified and refused.
#include "command.h"
#include "nexus/packages.h"
#include <inttypes.h>
#include <stdio.h>

static const char *source_name(enum nx_package_source source)
{
    return source == NX_PACKAGE_SOURCE_VIRTIO_BLK ? "virtio-blk" : "fixtures";
}

static void report_json(struct json *out, const struct nx_package_report *report)
{
    json_object(out, NULL);
    json_text(out, "source", source_name(report->source));
    json_u64(out, "imageVersion", report->image_version);
    json_u64(out, "blocks", report->blocks);
    json_u64(out, "blockSize", report->block_size);
    json_u64(out, "reads", report->reads);
    json_u64(out, "verifiedBlocks", report->verified_blocks);
    json_u64(out, "hashErrors", report->hash_errors);
    json_u64(out, "ioErrors", report->io_errors);
    json_u64(out, "cacheHits", report->cache_hits);
    json_u64(out, "cacheMisses", report->cache_misses);
    json_u64(out, "openFiles", report->open_files);
    json_end(out);
}

static void report_print(const struct nx_package_report *report)
{
    printf("image       source=%s version=%" PRIu64 " blocks=%" PRIu64 " block size=%" PRIu32 "\n",
           source_name(report->source), report->image_version, report->blocks, report->block_size);
    printf("blocks      verified=%" PRIu64 " wrong=%" PRIu64 "\n", report->verified_blocks,
           report->hash_errors);
    printf("reads       requests=%" PRIu64 " failed=%" PRIu64 "\n", report->reads,
           report->io_errors);
    printf("cache       hits=%" PRIu64 " misses=%" PRIu64 " open files=%" PRIu32 "\n",
           report->cache_hits, report->cache_misses, report->open_files);
}

int package_info_run(struct invocation *invocation)
{
    struct nx_package_report report;
    enum nx_status status = nx_package_status(&report);

    if (status != NX_OK) {
        return command_failed(invocation, "pkg://", status);
    }
    if (invocation->json) {
        report_json(invocation->out, &report);
    } else {
        report_print(&report);
    }
    return EXIT_OK;
}
