/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "node/duration.h"
#include "node/show.h"

#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 20
#define CELL_MAX    1024

struct show_table {
    const struct show_style *style;
    const struct show_column *columns;
    unsigned count;
    int place[COLUMNS_MAX]; /* of a column in the table that is drawn; -1: not shown */
    struct libscols_table *table;
    struct libscols_line *line;
};

const char *show_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t show_number(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

int64_t show_time(const json_t *object, const char *key)
{
    const char *text = show_text(object, key);
    int64_t time;
    return text && clock_rfc3339_parse(text, strlen(text), &time) ? time / CLOCK_MILLISECOND : 0;
}

int64_t show_since(const json_t *answer, const json_t *object, const char *key)
{
    int64_t then = show_time(object, key), now = show_time(json_object_get(answer, "view"), "time");
    if (then == 0 || now == 0)
        return -1;
    return now > then ? now - then : 0;
}

static bool add_columns(struct show_table *table)
{
    int place = 0;
    for (unsigned i = 0; i < table->count; i++) {
        const struct show_column *column = &table->columns[i];
        table->place[i] = -1;
        if (column->wide && !table->style->wide)
            continue;
        int flags = column->kind == SHOW_RIGHT ? SCOLS_FL_RIGHT : 0;
        if (column->kind == SHOW_CUT && table->style->terminal)
            flags |= SCOLS_FL_TRUNC;
        if (!scols_table_new_column(table->table, column->heading, column->width, flags))
            return false;
        table->place[i] = place++;
    }
    return true;
}

struct show_table *show_table_new(const struct show_style *style, const struct show_column *columns,
                                  unsigned count)
{
    struct show_table *table = calloc(1, sizeof(*table));
    if (!table || count > COLUMNS_MAX) {
        free(table);
        return NULL;
    }
    scols_init_debug(0);
    *table = (struct show_table){.style = style, .columns = columns, .count = count};
    table->table = scols_new_table();
    if (!table->table || !add_columns(table)) {
        scols_unref_table(table->table);
        free(table);
        return NULL;
    }
    scols_table_set_stream(table->table, style->to);
    scols_table_enable_colors(table->table, style->colour);
    scols_table_enable_noheadings(table->table, !style->header);
    scols_table_set_termforce(table->table, style->terminal ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
    if (style->width)
        scols_table_set_termwidth(table->table, style->width);
    return table;
}

void show_table_row(struct show_table *table)
{
    if (table)
        table->line = scols_table_new_line(table->table, NULL);
}

static struct libscols_cell *cell_of(struct show_table *table, unsigned column)
{
    if (!table || !table->line || table->place[column] < 0)
        return NULL;
    return scols_line_get_cell(table->line, (size_t)table->place[column]);
}

void show_table_cell(struct show_table *table, unsigned column, const char *format, ...)
{
    struct libscols_cell *cell = cell_of(table, column);
    if (!cell)
        return;
    char text[CELL_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    scols_cell_set_data(cell, text);
}

void show_table_duration(struct show_table *table, unsigned column, int64_t ms)
{
    char text[32];
    struct text t = text_to(text, sizeof(text));
    duration_short(&t, ms);
    text_end(&t);
    show_table_cell(table, column, "%s", text);
}

void show_table_list(struct show_table *table, unsigned column, const json_t *strings)
{
    char text[CELL_MAX];
    struct text t = text_to(text, sizeof(text));
    for (size_t i = 0; i < json_array_size(strings); i++) {
        const char *string = json_string_value(json_array_get(strings, i));
        if (i > 0)
            text_char(&t, ',');
        text_string(&t, string ? string : "?");
    }
    if (t.length == 0)
        text_char(&t, '-');
    text_end(&t);
    show_table_cell(table, column, "%s", text);
}

void show_table_colour(struct show_table *table, unsigned column, const char *colour)
{
    struct libscols_cell *cell = cell_of(table, column);
    if (cell && colour)
        scols_cell_set_color(cell, colour);
}

void show_table_print(struct show_table **table)
{
    if (!*table)
        return;
    fflush((*table)->style->to);
    scols_print_table((*table)->table);
    scols_unref_table((*table)->table);
    free(*table);
    *table = NULL;
}

void show_line(const struct show_style *style, const char *colour, const char *format, ...)
{
    char raw[CELL_MAX], safe[4 * CELL_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof(raw), format, arguments);
    va_end(arguments);
    struct text t = text_to(safe, sizeof(safe));
    text_display(&t, (struct bytes){(const uint8_t *)raw, strlen(raw)});
    text_end(&t);
    if (colour && style->colour)
        fprintf(style->to, "\033[%sm%s\033[0m\n", colour, safe);
    else
        fprintf(style->to, "%s\n", safe);
}

const char *show_state_colour(const char *state)
{
    static const struct {
        const char *state, *colour;
    } colours[] = {{"online", "green"}, {"late", "yellow"}, {"offline", "red"}, {"revoked", "red"}};
    for (size_t i = 0; state && i < sizeof(colours) / sizeof(colours[0]); i++)
        if (strcmp(colours[i].state, state) == 0)
            return colours[i].colour;
    return NULL;
}

const char *show_domain_colour(const char *state)
{
    if (!state)
        return NULL;
    if (strcmp(state, "held") == 0)
        return "green";
    return strcmp(state, "unassigned") == 0 ? "red" : "yellow";
}

void show_footer(const struct show_style *style, const json_t *answer, const char *what)
{
    const json_t *view = json_object_get(answer, "view");
    const char *name = show_text(view, "name");
    int64_t converged = show_number(view, "converged_ago_ms", -1);
    int64_t neighbours = show_number(view, "neighbours", 0);
    char agreed[96];
    struct text t = text_to(agreed, sizeof(agreed));
    if (neighbours == 0) {
        text_string(&t, "which has no neighbour");
    } else {
        text_uint(&t, (uint64_t)neighbours);
        text_string(&t, neighbours == 1 ? " neighbour" : " neighbours");
        if (converged >= 0) {
            text_string(&t, ", last agreed with one ");
            duration_short(&t, converged);
            text_string(&t, " ago");
        } else {
            text_string(&t, ", has not agreed with one yet");
        }
    }
    text_end(&t);
    show_line(style, NULL, "%s%sview of %s, %s", what, *what ? "; " : "", name ? name : "this node", agreed);
}
