// SPDX-License-Identifier: Apache-2.0
// nx ls, nx cat and nx stat: looking at pkg://.
#include "package.h"
#include "command.h"
#include "nexus/memory.h"
#include "nexus/process.h"
#include <inttypes.h>
#include <stdio.h>

enum nx_status file_view_open(const char *path, struct file_view *view)
{
    void *bytes = NULL;

    *view = (struct file_view){0};
    enum nx_status status = nx_package_open(path, &view->file);
    if (status != NX_OK) {
        return status;
    }
    view->size = nx_package_size(view->file);
    if (view->size > 0) {
        status = nx_package_map(view->file, 0, view->size, NX_PROT_READ, &bytes);
    }
    view->bytes = bytes;
    if (status != NX_OK) {
        nx_package_close(view->file);
    }
    return status;
}

void file_view_close(struct file_view *view)
{
    nx_unmap(view->bytes);
    nx_package_close(view->file);
}

static const char *type_name(enum nx_package_type type)
{
    switch (type) {
    case NX_PACKAGE_REGULAR:
        return "file";
    case NX_PACKAGE_DIRECTORY:
        return "directory";
    case NX_PACKAGE_SYMLINK:
        return "symlink";
    default:
        return "unknown";
    }
}

static void entry_show(struct invocation *invocation, const struct nx_package_entry *entry)
{
    struct json *out = invocation->out;

    if (!invocation->json) {
        printf("%-9s %10" PRIu64 "  %s\n", type_name(entry->type), entry->size, entry->name);
        return;
    }
    json_object(out, NULL);
    json_text(out, "name", entry->name);
    json_text(out, "type", type_name(entry->type));
    json_u64(out, "size", entry->size);
    json_u64(out, "node", entry->node);
    json_end(out);
}

int list_run(struct invocation *invocation)
{
    const char *path = invocation->arguments[0];
    static struct nx_package_entry entries[NX_PACKAGE_LIST_BATCH];
    uint64_t cookie = 0;
    uint32_t count = 0;
    bool done = false;

    enum nx_status status =
        nx_package_list(path, &cookie, entries, NX_PACKAGE_LIST_BATCH, &count, &done);
    if (status != NX_OK) {
        return command_failed(invocation, path, status);
    }
    if (invocation->json) {
        json_array(invocation->out, NULL);
    }
    for (;;) {
        for (uint32_t i = 0; i < count; i++) {
            entry_show(invocation, &entries[i]);
        }
        if (done || status != NX_OK) {
            break;
        }
        count = 0;
        status = nx_package_list(path, &cookie, entries, NX_PACKAGE_LIST_BATCH, &count, &done);
    }
    if (invocation->json) {
        json_end(invocation->out);
    } else if (status != NX_OK) {
        return command_failed(invocation, path, status);
    }
    return status == NX_OK ? EXIT_OK : EXIT_FAILED;
}

int cat_run(struct invocation *invocation)
{
    const char *path = invocation->arguments[0];
    struct file_view view;

    enum nx_status status = file_view_open(path, &view);
    if (status != NX_OK) {
        return command_failed(invocation, path, status);
    }
    if (invocation->json) {
        json_object(invocation->out, NULL);
        json_text(invocation->out, "path", path);
        json_u64(invocation->out, "size", view.size);
        json_bytes(invocation->out, "content", view.bytes, view.size);
        json_end(invocation->out);
    } else if (view.size > 0) {
        (void)fwrite(view.bytes, 1, view.size, stdout);
    }
    file_view_close(&view);
    return EXIT_OK;
}

static void facts_json(struct json *out, const char *path, const struct nx_package_facts *facts)
{
    json_object(out, NULL);
    json_text(out, "path", path);
    json_text(out, "type", type_name(facts->type));
    json_u64(out, "size", facts->size);
    json_u64(out, "mode", facts->mode);
    json_u64(out, "links", facts->links);
    json_u64(out, "node", facts->node);
    json_u64(out, "modifiedSeconds", facts->modified_seconds);
    json_end(out);
}

int stat_run(struct invocation *invocation)
{
    const char *path = invocation->arguments[0];
    struct nx_package_facts facts;

    enum nx_status status = nx_package_stat(path, &facts);
    if (status != NX_OK) {
        return command_failed(invocation, path, status);
    }
    if (invocation->json) {
        facts_json(invocation->out, path, &facts);
        return EXIT_OK;
    }
    printf("%s: %s size=%" PRIu64 " mode=%04o links=%" PRIu32 " node=%" PRIu64 " modified=%" PRIu64
           "\n",
           path, type_name(facts.type), facts.size, (unsigned)facts.mode, facts.links, facts.node,
           facts.modified_seconds);
    return EXIT_OK;
}
