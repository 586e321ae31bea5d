// SPDX-License-Identifier: Apache-2.0
// Lines for the kernel log. A line is built on the stack and moved into the message page in one
// step, so that formatting may itself make calls that use the page.
#include "nexus/log.h"
#include "nexus/process.h"
#include <stdarg.h>
#include <stdio.h>

void nx_log_text(const char *text, size_t length)
{
    nx_handle log = nx_start_handle(NX_START_LOG);
    if (log == NX_HANDLE_NONE) {
        return;
    }
    if (length > 0 && text[length - 1] == '\n') {
        length--;
    }
    if (length > NX_LOG_LINE_MAX - 1) {
        length = NX_LOG_LINE_MAX - 1;
    }
    struct nx_message_page *page = nx_page();
    memcpy(page->data, text, length);
    page->data[length] = '\n';
    // A log that refuses a line has nowhere to report that.
    (void)!nx_log_write(log, length + 1);
}

void nx_log(const char *format, ...)
{
    char line[NX_LOG_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length < 0) {
        return;
    }
    size_t bytes = (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1;
    nx_log_text(line, bytes);
}
