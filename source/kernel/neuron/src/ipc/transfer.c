// SPDX-License-Identifier: Apache-2.0
// Moving one message from a sender's registers, page and handles to a receiver's.
#include "ipc/transfer.h"

#include "arch/arch.h"
#include "arch_inline.h"
#include "nexus/message.h"
#include "object/process.h"
#include "sched/thread.h"
#include <string.h>

bool transfer_info_is_valid(uint64_t info)
{
    return NX_INFO_BYTES(info) <= NX_MESSAGE_BYTES_MAX &&
           NX_INFO_HANDLES(info) <= NX_MESSAGE_HANDLES_MAX;
}

// Undoes the installation of the first `count` handles.
static void take_back(struct thread *receiver, const nx_handle *installed, uint32_t count)
{
    while (count-- > 0) {
        // The receiver's other threads may have closed it already: nothing is left to undo then.
        if (handle_close(receiver->process, installed[count]) != NX_OK)
            continue;
    }
}

enum nx_status transfer_handles(struct thread *sender, struct thread *receiver, uint32_t count)
{
    nx_handle installed[NX_MESSAGE_HANDLES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        // Read once: the page is ordinary memory that its process may be changing.
        nx_handle handle = *(volatile nx_handle *)&sender->page->handles[i];
        struct handle_value value;
        enum nx_status status = handle_lookup_any(&sender->process->handles, handle, &value);
        if (status == NX_OK && (value.rights & NX_RIGHT_TRANSFER) == 0)
            status = NX_ERR_ACCESS_DENIED;
        if (status == NX_OK)
            status = handle_install(receiver->process, &value, &installed[i]);
        if (status != NX_OK) {
            take_back(receiver, installed, i);
            return status;
        }
    }
    memcpy(receiver->page->handles, installed, count * sizeof(nx_handle));
    return NX_OK;
}

enum nx_status transfer_message(struct thread *sender, struct thread *receiver, uint64_t info,
                                const uint64_t words[6])
{
    uint32_t bytes = NX_INFO_BYTES(info);
    uint32_t handles = NX_INFO_HANDLES(info);
    if (handles > 0)
        TRY(transfer_handles(sender, receiver, handles));
    if (bytes > 0)
        memcpy(receiver->page->data, sender->page->data, bytes);
    arch_set_status(receiver, NX_OK);
    for (unsigned i = 0; i < NX_MESSAGE_WORDS; i++)
        arch_set_result(receiver, i, words[i]);
    arch_set_info(receiver, NX_INFO(bytes, handles));
    return NX_OK;
}
