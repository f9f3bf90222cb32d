/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_scan.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "base/utf8.h"

enum {
    INDENT = 4, /* spaces, RFC 4/ZPL */
    FAULT_LINE_MAX = 1024,
};

void config_fault(struct config_scan *scan, uint32_t line, const char *format, ...)
{
    if (++scan->faults > CONFIG_REPORT_MAX)
        return;
    char what[FAULT_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);

    char whole[2 * FAULT_LINE_MAX];
    struct text t = text_to(whole, sizeof whole);
    text_string(&t, scan->name);
    text_char(&t, ':');
    if (line) {
        text_uint(&t, line);
        text_char(&t, ':');
    }
    text_char(&t, ' ');
    text_display(&t, (struct bytes){.data = (const uint8_t *)what, .size = strlen(what)});
    text_end(&t);
    scan->report(scan->context, whole);
}

/* One line while it is looked at. */
struct line {
    const char *at;
    const char *end;
    uint32_t number;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_space(struct line *line)
{
    while (line->at < line->end && is_space(*line->at))
        line->at++;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Nothing more, or a comment. */
static bool at_end(struct line *line)
{
    skip_space(line);
    return line->at == line->end || *line->at == '#';
}

static bool is_clean(const struct line *line)
{
    const uint8_t *text = (const uint8_t *)line->at;
    size_t size = (size_t)(line->end - line->at);
    for (size_t at = 0; at < size;) {
        uint32_t code;
        bool valid;
        at += utf8_decode(text + at, size - at, &code, &valid);
        if (!valid || (code < 0x20 && code != '\t') || code == 0x7f)
            return false;
    }
    return true;
}

static void scan_value(struct config_scan *scan, struct line *line)
{
    line->at++; /* = */
    if (at_end(line)) {
        config_fault(scan, line->number, "a value must follow the =");
        return;
    }
    char quote = *line->at;
    if (quote != '"' && quote != '\'')
        return; /* up to the comment or the end */
    const char *close = memchr(line->at + 1, quote, (size_t)(line->end - line->at - 1));
    if (!close) {
        config_fault(scan, line->number, "the quote is not closed");
        return;
    }
    line->at = close + 1;
    if (!at_end(line))
        config_fault(scan, line->number, "something follows the closing quote");
}

static uint32_t scan_indent(struct config_scan *scan, struct line *line)
{
    const char *start = line->at;
    while (line->at < line->end && *line->at == ' ')
        line->at++;
    size_t spaces = (size_t)(line->at - start);
    if (line->at < line->end && *line->at == '\t')
        config_fault(scan, line->number, "a tab: indent by four spaces");
    else if (spaces % INDENT)
        config_fault(scan, line->number, "indented by %zu spaces: indent by four for each level", spaces);
    return (uint32_t)(spaces / INDENT);
}

static void add_entry(struct config_scan *scan, const struct line *line, uint32_t depth)
{
    uint32_t deepest = scan->count ? scan->entries[scan->count - 1].depth + 1 : 0;
    if (depth > deepest)
        config_fault(scan, line->number, "indented deeper than below its section");
    else if (depth >= CONFIG_DEPTH_MAX)
        config_fault(scan, line->number, "more than %d levels", CONFIG_DEPTH_MAX);
    if (scan->count < CONFIG_ENTRIES_MAX)
        scan->entries[scan->count++] = (struct config_entry){.line = line->number, .depth = depth};
    else
        config_fault(scan, line->number, "more than %d entries", CONFIG_ENTRIES_MAX);
}

static void scan_line(struct config_scan *scan, struct line line)
{
    if (line.end - line.at > CONFIG_LINE_MAX) {
        config_fault(scan, line.number, "longer than %d bytes", CONFIG_LINE_MAX);
        return;
    }
    while (line.end > line.at && is_space(line.end[-1]))
        line.end--;
    if (line.at == line.end)
        return;
    if (!is_clean(&line)) {
        config_fault(scan, line.number, "not plain UTF-8 text");
        return;
    }
    uint32_t depth = scan_indent(scan, &line);
    if (at_end(&line))
        return;
    const char *name = line.at;
    while (line.at < line.end && is_name(*line.at))
        line.at++;
    if (line.at == name) {
        config_fault(scan, line.number, "a name must come first (letters, digits, - and _)");
        return;
    }
    add_entry(scan, &line, depth);
    if (at_end(&line))
        return;
    if (*line.at == '=')
        scan_value(scan, &line);
    else
        config_fault(scan, line.number, "after the name comes = or the end of the line");
}

bool config_scan_text(struct config_scan *scan, const char *text, size_t size)
{
    if (size > CONFIG_FILE_MAX) {
        config_fault(scan, 0, "larger than %d bytes", CONFIG_FILE_MAX);
        return false;
    }
    const char *end = text + size;
    uint32_t number = 0;
    while (text < end && scan->faults <= CONFIG_REPORT_MAX) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline ? newline : end;
        scan_line(scan, (struct line){.at = text, .end = line_end, .number = ++number});
        text = newline ? newline + 1 : end;
    }
    return scan->faults == 0;
}
