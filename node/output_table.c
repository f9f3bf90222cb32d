/* SPDX-License-Identifier: Apache-2.0
 *
 * Activities as a table for people, by libsmartcols, which also makes what came from the wire harmless to a
 * terminal. Rows are shown in groups, so that a file of any size takes the same memory; the columns' widths
 * only grow.
 */
#include "node/activity_row.h"
#include "node/output.h"

#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <unistd.h>

#define ROWS_HELD 256

struct output_table {
    struct output output;
    FILE *to;
    bool colour;
    struct libscols_table *table;
    struct libscols_column *columns[ROW_COLUMNS];
    uint32_t rows;
    struct activity activity;
    struct activity_row row;
};

static const struct {
    const char *heading;
    double width; /* at least; below 1: of the terminal */
    int flags;
} columns[ROW_COLUMNS] = {
    [ROW_TIME] = {"TIME (UTC)", 23, 0},         [ROW_KIND] = {"KIND", 20, 0},
    [ROW_SOURCE] = {"SOURCE", 15, 0},           [ROW_DESTINATION] = {"DESTINATION", 19, 0},
    [ROW_ACCOUNT] = {"ACCOUNT", 22, 0},         [ROW_RESULT] = {"RESULT", 12, 0},
    [ROW_WHAT] = {"WHAT", 0.4, SCOLS_FL_TRUNC},
};

static void table_flush(struct output *output)
{
    struct output_table *self = (struct output_table *)output;
    if (self->rows > 0) {
        scols_print_table(self->table);
        scols_table_remove_lines(self->table);
        scols_table_enable_noheadings(self->table, 1);
        self->rows = 0;
    }
    fflush(self->to);
}

static void table_record(struct output *output, struct bytes record)
{
    struct output_table *self = (struct output_table *)output;
    struct cursor c = cursor_of_bytes(record);
    if (!activity_decode(&c, &self->activity))
        return;
    activity_row_make(&self->activity, &self->row);
    struct libscols_line *line = scols_table_new_line(self->table, NULL);
    if (!line)
        return;
    for (size_t i = 0; i < ROW_COLUMNS; i++)
        scols_line_set_data(line, i, self->row.text[i]);
    if (self->colour) {
        const char *result = self->row.failed ? "red" : self->row.pending ? "yellow" : "green";
        scols_cell_set_color(scols_line_get_cell(line, ROW_RESULT), result);
        scols_cell_set_color(scols_line_get_cell(line, ROW_KIND), "bold");
    }
    if (++self->rows == ROWS_HELD)
        table_flush(output);
}

static bool table_close(struct output *output)
{
    struct output_table *self = (struct output_table *)output;
    table_flush(output);
    bool fine = !ferror(self->to);
    scols_unref_table(self->table);
    free(self);
    return fine;
}

static bool make_columns(struct output_table *self, bool terminal)
{
    for (size_t i = 0; i < ROW_COLUMNS; i++) {
        int flags = columns[i].flags;
        self->columns[i] =
            scols_table_new_column(self->table, columns[i].heading, columns[i].width, terminal ? flags : 0);
        if (!self->columns[i])
            return false;
    }
    return true;
}

struct output *output_table_new(FILE *to)
{
    struct output_table *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    bool terminal = isatty(fileno(to));
    const char *no_colour = getenv("NO_COLOR"); /* no-color.org */
    self->output = (struct output){.record = table_record, .flush = table_flush, .close = table_close};
    self->to = to;
    self->colour = terminal && !(no_colour && *no_colour);
    scols_init_debug(0);
    self->table = scols_new_table();
    if (!self->table || !make_columns(self, terminal)) {
        scols_unref_table(self->table);
        free(self);
        return NULL;
    }
    scols_table_set_stream(self->table, to);
    scols_table_enable_colors(self->table, self->colour);
    if (!terminal)
        scols_table_set_termforce(self->table, SCOLS_TERMFORCE_NEVER);
    return &self->output;
}
