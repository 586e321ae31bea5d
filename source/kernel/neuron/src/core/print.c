// SPDX-License-Identifier: Apache-2.0
// Formatted text: see print.h. No state, no locks; uses little stack, because panics run on 4 KiB.
#include "core/print.h"
#include "arch/arch.h"
#include <string.h>

struct output {
    char *buffer;
    size_t capacity;
    size_t length; // of the whole text, also what did not fit
};

// One conversion's flags.
struct conversion {
    unsigned width;
    bool zero_padded;
    bool left;
    bool is_long; // 64 bits
    char letter;
};

static void put(struct output *output, char character)
{
    if (output->length + 1 < output->capacity)
        output->buffer[output->length] = character;
    output->length++;
}

static void put_repeated(struct output *output, char character, size_t count)
{
    while (count-- > 0)
        put(output, character);
}

// Text with its sign or 0x in front, padded to the width: zeros go between prefix and text.
static void put_padded(struct output *output, const struct conversion *conversion,
                       const char *prefix, const char *text, size_t length)
{
    const size_t prefix_length = strlen(prefix);
    const size_t total = prefix_length + length;
    const size_t padding = conversion->width > total ? conversion->width - total : 0;

    if (!conversion->left && !conversion->zero_padded)
        put_repeated(output, ' ', padding);
    for (size_t i = 0; i < prefix_length; i++)
        put(output, prefix[i]);
    if (!conversion->left && conversion->zero_padded)
        put_repeated(output, '0', padding);
    for (size_t i = 0; i < length; i++)
        put(output, text[i]);
    if (conversion->left)
        put_repeated(output, ' ', padding);
}

#define DIGITS_MAX 20 // of 2^64 - 1

static void put_number(struct output *output, const struct conversion *conversion,
                       const char *prefix, uint64_t value, unsigned base)
{
    char digits[DIGITS_MAX];
    size_t start = DIGITS_MAX;

    do {
        digits[--start] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put_padded(output, conversion, prefix, digits + start, DIGITS_MAX - start);
}

static void put_string(struct output *output, const struct conversion *conversion, const char *text)
{
    struct conversion blanks = *conversion;

    if (text == NULL)
        text = "(null)";
    blanks.zero_padded = false;
    put_padded(output, &blanks, "", text, strlen(text));
}

// `format` is behind a '%'. Returns what follows the conversion, whose letter is '\0' at the end of
// the format.
static const char *parse_conversion(const char *format, struct conversion *conversion)
{
    *conversion = (struct conversion){0};
    for (; *format == '0' || *format == '-'; format++)
        if (*format == '0')
            conversion->zero_padded = true;
        else
            conversion->left = true;
    for (; *format >= '0' && *format <= '9'; format++)
        conversion->width = conversion->width * 10 + (unsigned)(*format - '0');
    for (; *format == 'l' || *format == 'z' || *format == 'j'; format++)
        conversion->is_long = true;
    conversion->letter = *format;
    return *format != '\0' ? format + 1 : format;
}

// A va_list inside a struct can be passed on by address on every ABI.
struct argument_list {
    va_list list;
};

static uint64_t take_unsigned(struct argument_list *arguments, const struct conversion *conversion)
{
    return conversion->is_long ? va_arg(arguments->list, uint64_t)
                               : va_arg(arguments->list, unsigned);
}

static void put_conversion(struct output *output, struct conversion *conversion,
                           struct argument_list *arguments)
{
    int64_t number;

    switch (conversion->letter) {
    case 'd':
        number =
            conversion->is_long ? va_arg(arguments->list, int64_t) : va_arg(arguments->list, int);
        put_number(output, conversion, number < 0 ? "-" : "",
                   number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10);
        return;
    case 'u':
        put_number(output, conversion, "", take_unsigned(arguments, conversion), 10);
        return;
    case 'x':
        put_number(output, conversion, "", take_unsigned(arguments, conversion), 16);
        return;
    case 'p':
        conversion->width = 18;
        conversion->zero_padded = true;
        put_number(output, conversion, "0x", (uint64_t)va_arg(arguments->list, void *), 16);
        return;
    case 's':
        put_string(output, conversion, va_arg(arguments->list, const char *));
        return;
    case 'c':
        put(output, (char)va_arg(arguments->list, int));
        return;
    default:
        put(output, '%');
        if (conversion->letter != '%' && conversion->letter != '\0')
            put(output, conversion->letter);
    }
}

int print_format(char *buffer, size_t capacity, const char *format, va_list arguments)
{
    struct output output = {.buffer = buffer, .capacity = capacity, .length = 0};
    struct argument_list copy;

    va_copy(copy.list, arguments);
    while (*format != '\0') {
        struct conversion conversion;

        if (*format != '%') {
            put(&output, *format++);
            continue;
        }
        format = parse_conversion(format + 1, &conversion);
        put_conversion(&output, &conversion, &copy);
    }
    va_end(copy.list);
    if (capacity > 0)
        buffer[output.length < capacity ? output.length : capacity - 1] = '\0';
    return (int)output.length;
}

int print_to(char *buffer, size_t capacity, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    const int length = print_format(buffer, capacity, format, arguments);
    va_end(arguments);
    return length;
}

void kprint(const char *format, ...)
{
    char line[PRINT_LINE_MAX + 2];
    va_list arguments;

    va_start(arguments, format);
    const int whole = print_format(line, PRINT_LINE_MAX + 1, format, arguments);
    va_end(arguments);
    const size_t length = (size_t)whole < PRINT_LINE_MAX ? (size_t)whole : PRINT_LINE_MAX;

    line[length] = '\n';
    arch_console_write(line, length + 1);
}
