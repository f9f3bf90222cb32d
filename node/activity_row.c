/* SPDX-License-Identifier: Apache-2.0 */
#include "node/activity_row.h"

#include "node/result_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* Appends to a cell; what does not fit is cut. */
struct cell {
    char *text;
    size_t size;
};

static void cell_add(struct cell *cell, const char *text)
{
    size_t room = ROW_TEXT_MAX - 1 - cell->size;
    size_t n = strlen(text) < room ? strlen(text) : room;
    memcpy(cell->text + cell->size, text, n);
    cell->size += n;
    cell->text[cell->size] = '\0';
}

static struct cell cell_of(struct activity_row *row, enum row_column column)
{
    row->text[column][0] = '\0';
    return (struct cell){.text = row->text[column], .size = 0};
}

static void cell_add_value(struct cell *cell, const struct activity_value *value)
{
    char text[ROW_TEXT_MAX];
    activity_value_text(value, text, sizeof(text));
    cell_add(cell, text);
}

/* "2026-01-31 23:59:59.123": to the millisecond; the whole stands in the JSON. */
static void add_time(struct cell *cell, int64_t time)
{
    time_t seconds = (time_t)(time / 1000000000);
    struct tm tm;
    char text[64], date[40];
    if (!gmtime_r(&seconds, &tm))
        return;
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(text, sizeof(text), "%s.%03d", date, (int)(time % 1000000000 / 1000000));
    cell_add(cell, text);
}

static void add_destination(struct cell *cell, const struct activity *a)
{
    const struct activity_value *address = activity_get(a, FIELD_DESTINATION);
    const struct activity_value *port = activity_get(a, FIELD_DESTINATION_PORT);
    if (!address)
        return;
    cell_add_value(cell, address);
    if (port) {
        char text[16];
        snprintf(text, sizeof(text), " %" PRIu64, port->uint);
        cell_add(cell, text);
    }
}

static void add_account(struct cell *cell, const struct activity *a)
{
    const struct activity_value *account = activity_get(a, FIELD_ACCOUNT);
    const struct activity_value *domain = activity_get(a, FIELD_ACCOUNT_DOMAIN);
    if (account)
        cell_add_value(cell, account);
    if (account && domain && domain->bytes.size > 0) {
        cell_add(cell, "@");
        cell_add_value(cell, domain);
    }
}

static void add_result(struct cell *cell, const struct activity *a, struct activity_row *row)
{
    const struct activity_value *answered = activity_get(a, FIELD_ANSWERED);
    const struct activity_value *status = activity_get(a, FIELD_STATUS);
    row->pending = answered && !answered->boolean;
    row->failed = status && status->uint != 0;
    if (row->failed) {
        const char *name = result_name(a->kind, status->uint);
        char number[32];
        snprintf(number, sizeof(number), status->uint > 4096 ? "0x%08" PRIx64 : "%" PRIu64, status->uint);
        cell_add(cell, name ? name : number);
    } else if (row->pending) {
        cell_add(cell, "no answer");
    } else if (status) {
        cell_add(cell, "ok");
    }
}

/* Fields that have a column of their own or tell people little. */
static bool shown_elsewhere(enum activity_field field)
{
    switch (field) {
    case FIELD_VERSION:
    case FIELD_KIND:
    case FIELD_TIME:
    case FIELD_DURATION:
    case FIELD_SOURCE:
    case FIELD_SOURCE_PORT:
    case FIELD_DESTINATION:
    case FIELD_DESTINATION_PORT:
    case FIELD_TRANSPORT:
    case FIELD_FLOW:
    case FIELD_ANSWERED:
    case FIELD_ACCOUNT:
    case FIELD_ACCOUNT_DOMAIN:
    case FIELD_STATUS:
        return true;
    default:
        return false;
    }
}

static void add_what(struct cell *cell, const struct activity *a)
{
    for (uint32_t i = 0; i < a->count; i++) {
        const struct activity_value *value = &a->values[i];
        if (shown_elsewhere(value->field))
            continue;
        if (cell->size > 0)
            cell_add(cell, " ");
        cell_add(cell, activity_field_info(value->field)->name);
        cell_add(cell, "=");
        cell_add_value(cell, value);
    }
}

void activity_row_make(const struct activity *a, struct activity_row *row)
{
    struct cell cell = cell_of(row, ROW_TIME);
    add_time(&cell, a->time);
    cell = cell_of(row, ROW_KIND);
    const struct activity_kind_info *kind = activity_kind_info(a->kind);
    cell_add(&cell, kind ? kind->name : "unknown");
    cell = cell_of(row, ROW_SOURCE);
    const struct activity_value *source = activity_get(a, FIELD_SOURCE);
    if (source)
        cell_add_value(&cell, source);
    cell = cell_of(row, ROW_DESTINATION);
    add_destination(&cell, a);
    cell = cell_of(row, ROW_ACCOUNT);
    add_account(&cell, a);
    cell = cell_of(row, ROW_RESULT);
    add_result(&cell, a, row);
    cell = cell_of(row, ROW_WHAT);
    add_what(&cell, a);
}
