/* SPDX-License-Identifier: Apache-2.0
 *
 * picket inputs: what a running node hears of events, and what it does not understand of that.
 */
#include "base/text.h"
#include "node/command.h"
#include "node/show_command.h"

#include <inttypes.h>

#define QUARANTINE_SHOWN 20
#define KNOWN_SHOWN      20u

const char command_inputs_options[] = SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION
    "  --quarantine        also the last messages that were not understood, newest first\n"
    "  --limit N           so many of them (20; the node keeps 256)\n"
    "\nOf the messages that were received some were understood, some ignored (known, and nothing that Picket "
    "reads), some\n"
    "invalid (not understood), some dropped (no room).\n";

enum input_column {
    INPUT_NAME,
    INPUT_WHERE,
    INPUT_RECEIVED,
    INPUT_UNDERSTOOD,
    INPUT_IGNORED,
    INPUT_INVALID,
    INPUT_DROPPED,
    INPUT_LAST,
};

static const struct show_column input_columns[] = {
    [INPUT_NAME] = {"INPUT", 0, SHOW_LEFT, false},
    [INPUT_WHERE] = {"WHERE", 0.3, SHOW_CUT, false},
    [INPUT_RECEIVED] = {"RECEIVED", 0, SHOW_RIGHT, false},
    [INPUT_UNDERSTOOD] = {"UNDERSTOOD", 0, SHOW_RIGHT, false},
    [INPUT_IGNORED] = {"IGNORED", 0, SHOW_RIGHT, false},
    [INPUT_INVALID] = {"INVALID", 0, SHOW_RIGHT, false},
    [INPUT_DROPPED] = {"DROPPED", 0, SHOW_RIGHT, false},
    [INPUT_LAST] = {"LAST", 0, SHOW_RIGHT, false},
};

enum source_column { SOURCE_INPUT, SOURCE_ADDRESS, SOURCE_FORMAT, SOURCE_COUNT, SOURCE_LAST };

static const struct show_column source_columns[] = {
    [SOURCE_INPUT] = {"NOT UNDERSTOOD", 0, SHOW_LEFT, false},
    [SOURCE_ADDRESS] = {"FROM", 0, SHOW_LEFT, false},
    [SOURCE_FORMAT] = {"FORMAT", 0, SHOW_LEFT, false},
    [SOURCE_COUNT] = {"COUNT", 0, SHOW_RIGHT, false},
    [SOURCE_LAST] = {"LAST", 0, SHOW_RIGHT, false},
};

enum known_column {
    KNOWN_NAME,
    KNOWN_ADDRESS,
    KNOWN_STATE,
    KNOWN_EVENTS,
    KNOWN_REFUSED,
    KNOWN_LAST,
    KNOWN_COUNTS
};

static const struct show_column known_columns[] = {
    [KNOWN_NAME] = {"SOURCE", 0.3, SHOW_CUT, false},     [KNOWN_ADDRESS] = {"ADDRESS", 0, SHOW_LEFT, false},
    [KNOWN_STATE] = {"STATE", 0, SHOW_LEFT, false},      [KNOWN_EVENTS] = {"EVENTS", 0, SHOW_RIGHT, false},
    [KNOWN_REFUSED] = {"REFUSED", 0, SHOW_RIGHT, false}, [KNOWN_LAST] = {"LAST", 0, SHOW_RIGHT, false},
    [KNOWN_COUNTS] = {"OF THEM", 0.3, SHOW_CUT, false},
};

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

static void put_count(struct show_table *table, unsigned column, const json_t *object, const char *key,
                      const char *colour)
{
    int64_t n = show_number(object, key, 0);
    show_table_cell(table, column, "%" PRId64, n);
    if (n > 0)
        show_table_colour(table, column, colour);
}

/* Since then, as the node's clock says. */
static void put_since(struct show_table *table, unsigned column, const json_t *answer, const json_t *object)
{
    int64_t last = show_time(object, "last");
    show_table_duration(table, column, last > 0 ? show_time(answer, "time") - last : -1);
}

static void show_table_of_inputs(const struct show_style *style, const json_t *answer, const json_t *inputs)
{
    struct show_table *table =
        show_table_new(style, input_columns, sizeof(input_columns) / sizeof(input_columns[0]));
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        const json_t *input = json_array_get(inputs, i);
        bool running = json_is_true(json_object_get(input, "running"));
        show_table_row(table);
        show_table_cell(table, INPUT_NAME, "%s", or_dash(show_text(input, "input")));
        show_table_cell(table, INPUT_WHERE, "%s", or_dash(show_text(input, running ? "where" : "reason")));
        if (!running)
            show_table_colour(table, INPUT_WHERE, "red");
        put_count(table, INPUT_RECEIVED, input, "received", NULL);
        put_count(table, INPUT_UNDERSTOOD, input, "understood", NULL);
        put_count(table, INPUT_IGNORED, input, "ignored", NULL);
        put_count(table, INPUT_INVALID, input, "invalid", "yellow");
        put_count(table, INPUT_DROPPED, input, "dropped", "red");
        put_since(table, INPUT_LAST, answer, input);
    }
    show_table_print(&table);
}

static void show_table_of_sources(const struct show_style *style, const json_t *answer, const json_t *sources)
{
    struct show_table *table =
        show_table_new(style, source_columns, sizeof(source_columns) / sizeof(source_columns[0]));
    for (size_t i = 0; i < json_array_size(sources); i++) {
        const json_t *source = json_array_get(sources, i);
        show_table_row(table);
        show_table_cell(table, SOURCE_INPUT, "%s", or_dash(show_text(source, "input")));
        show_table_cell(table, SOURCE_ADDRESS, "%s", or_dash(show_text(source, "address")));
        show_table_cell(table, SOURCE_FORMAT, "%s", or_dash(show_text(source, "format")));
        put_count(table, SOURCE_COUNT, source, "count", NULL);
        put_since(table, SOURCE_LAST, answer, source);
    }
    show_table_print(&table);
}

/* "12 repeated, 3 wrong secret": those that are not 0. */
static void put_counts(struct show_table *table, json_t *counts)
{
    char text[256];
    struct text t = text_to(text, sizeof(text));
    const char *name;
    json_t *count;
    bool first = true;
    json_object_foreach(counts, name, count)
    {
        if (json_integer_value(count) == 0)
            continue;
        if (!first)
            text_string(&t, ", ");
        first = false;
        text_uint(&t, (uint64_t)json_integer_value(count));
        text_string(&t, " ");
        for (const char *c = name; *c; c++)
            text_char(&t, *c == '_' ? ' ' : *c);
    }
    text_end(&t);
    show_table_cell(table, KNOWN_COUNTS, "%s", first ? "" : text);
}

static void add_known(struct show_table *table, const json_t *answer, const json_t *source)
{
    bool silent = json_is_true(json_object_get(source, "silent"));
    bool ended = json_is_true(json_object_get(source, "ended"));
    show_table_row(table);
    show_table_cell(table, KNOWN_NAME, "%s", or_dash(show_text(source, "name")));
    show_table_cell(table, KNOWN_ADDRESS, "%s", or_dash(show_text(source, "address")));
    show_table_cell(table, KNOWN_STATE, "%s", silent ? "silent" : ended ? "ended" : "heard");
    if (silent)
        show_table_colour(table, KNOWN_STATE, "red");
    put_count(table, KNOWN_EVENTS, source, "events", NULL);
    put_count(table, KNOWN_REFUSED, source, "refused", "yellow");
    put_since(table, KNOWN_LAST, answer, source);
    put_counts(table, json_object_get(source, "counts"));
}

/* Those that are silent first. */
static void show_table_of_known(const struct show_style *style, const json_t *answer, const json_t *sources)
{
    size_t count = json_array_size(sources), shown = 0;
    if (count == 0)
        return;
    if (style->header)
        fputc('\n', style->to);
    struct show_table *table =
        show_table_new(style, known_columns, sizeof(known_columns) / sizeof(known_columns[0]));
    for (unsigned silent = 2; silent-- > 0;)
        for (size_t i = 0; i < count && shown < KNOWN_SHOWN; i++) {
            const json_t *source = json_array_get(sources, i);
            if (json_is_true(json_object_get(source, "silent")) != (silent == 1))
                continue;
            add_known(table, answer, source);
            shown++;
        }
    show_table_print(&table);
    if (shown < count)
        show_line(style, NULL, "and %zu more (--json)", count - shown);
}

static void show_quarantine(const struct show_style *style, const json_t *entries)
{
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        show_line(style, "1", "%.19s %s from %s, %s: %s", or_dash(show_text(entry, "time")),
                  or_dash(show_text(entry, "input")), or_dash(show_text(entry, "address")),
                  or_dash(show_text(entry, "format")), or_dash(show_text(entry, "reason")));
        show_line(style, NULL, "    %s", or_dash(show_text(entry, "message")));
    }
}

void show_inputs(const struct show_style *style, const json_t *answer)
{
    const json_t *inputs = json_object_get(answer, "inputs");
    const json_t *sources = json_object_get(answer, "not_understood");
    if (json_array_size(inputs) == 0) {
        show_line(style, NULL, "this node hears no events: its configuration names no input");
        return;
    }
    show_table_of_inputs(style, answer, inputs);
    show_table_of_known(style, answer, json_object_get(answer, "sources"));
    if (json_array_size(sources) > 0 && style->header)
        fputc('\n', style->to);
    if (json_array_size(sources) > 0)
        show_table_of_sources(style, answer, sources);
    show_quarantine(style, json_object_get(answer, "quarantine"));
}

int command_inputs(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, SHOW_HEADER | SHOW_QUARANTINE | SHOW_LIMIT, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    int limit = options.quarantine ? (int)(options.limit ? options.limit : QUARANTINE_SHOWN) : 0;
    return show_ask(&options, json_pack("{sssi}", "verb", "inputs", "limit", limit), show_inputs);
}
