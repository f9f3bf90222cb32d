/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts of the center: their table, and one of them.
 */
#include "node/center_commands.h"

#include <inttypes.h>
#include <string.h>

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

static const char *colour_of(const char *severity)
{
    if (severity && strcmp(severity, "high") == 0)
        return "red";
    return severity && strcmp(severity, "medium") == 0 ? "yellow" : NULL;
}

/* "2026-11-22 03:27:13" of a time in RFC 3339. */
static void cell_time(struct show_table *table, unsigned column, const char *time)
{
    if (time && strlen(time) >= 20)
        show_table_cell(table, column, "%.10s %.8s", time, time + 11);
    else
        show_table_cell(table, column, "-");
}

/* Names of those in a role, as they stand in an alert's JSON: strings, or objects with a name. */
static void put_names(const json_t *list, char *to, size_t capacity)
{
    size_t size = 0;
    to[0] = '\0';
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *name = json_is_string(item) ? json_string_value(item) : show_text(item, "name");
        int n = name ? snprintf(to + size, capacity - size, "%s%s", size ? ", " : "", name) : 0;
        if (n < 0 || (size_t)n >= capacity - size)
            return;
        size += (size_t)n;
    }
}

/* --- alerts --- */

enum {
    ALERT_NUMBER,
    ALERT_SEVERITY,
    ALERT_STATUS,
    ALERT_LAST,
    ALERT_COUNT,
    ALERT_EXTERNAL,
    ALERT_TITLE,
    ALERT_TEXT
};

static const struct show_column alert_columns[] = {
    [ALERT_NUMBER] = {"ALERT", 0, SHOW_RIGHT, false}, [ALERT_SEVERITY] = {"SEVERITY", 0, SHOW_LEFT, false},
    [ALERT_STATUS] = {"STATUS", 0, SHOW_LEFT, false}, [ALERT_LAST] = {"LAST", 0, SHOW_LEFT, false},
    [ALERT_COUNT] = {"COUNT", 0, SHOW_RIGHT, false},  [ALERT_EXTERNAL] = {"ID", 0, SHOW_RIGHT, false},
    [ALERT_TITLE] = {"WHAT", 0.3, SHOW_CUT, false},   [ALERT_TEXT] = {"EXPLANATION", 0.3, SHOW_CUT, false},
};

void show_alerts(const struct show_style *style, const json_t *answer)
{
    const json_t *items = json_object_get(answer, "items");
    if (json_array_size(items) == 0) {
        show_line(style, NULL, "no such alerts");
        return;
    }
    struct show_table *table =
        show_table_new(style, alert_columns, sizeof(alert_columns) / sizeof(alert_columns[0]));
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *alert = json_array_get(items, i);
        const char *severity = show_text(alert, "severity");
        show_table_row(table);
        show_table_cell(table, ALERT_NUMBER, "%" PRId64, show_number(alert, "number", 0));
        show_table_cell(table, ALERT_SEVERITY, "%s", or_dash(severity));
        show_table_colour(table, ALERT_SEVERITY, colour_of(severity));
        show_table_cell(table, ALERT_STATUS, "%s", or_dash(show_text(alert, "status")));
        cell_time(table, ALERT_LAST, show_text(alert, "end"));
        show_table_cell(table, ALERT_COUNT, "%" PRId64, show_number(alert, "count", 0));
        show_table_cell(table, ALERT_EXTERNAL, "%" PRId64, show_number(alert, "external_id", 0));
        show_table_cell(table, ALERT_TITLE, "%s", or_dash(show_text(alert, "title")));
        show_table_cell(table, ALERT_TEXT, "%s", or_dash(show_text(alert, "explanation")));
    }
    show_table_print(&table);
    if (style->header && show_text(answer, "next"))
        show_line(style, NULL, "there are older ones: --limit, --search");
}

/* Everything else that an alert's JSON has: numbers, texts, lists. */
static void show_member(const struct show_style *style, const char *key, const json_t *value)
{
    char text[900] = "";
    if (json_is_string(value))
        snprintf(text, sizeof(text), "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, sizeof(text), "%g", json_real_value(value));
    else if (json_is_array(value))
        put_names(value, text, sizeof(text));
    if (*text)
        show_line(style, NULL, "  %-16s %s", key, text);
}

static void show_evidence(const struct show_style *style, const json_t *evidence)
{
    for (size_t i = 0; i < json_array_size(evidence); i++) {
        const json_t *item = json_array_get(evidence, i);
        const json_t *seconds = json_object_get(item, "seconds");
        char *value = json_dumps(seconds ? seconds : json_object_get(item, "value"),
                                 JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        char *limit = json_dumps(json_object_get(item, "limit"),
                                 JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        const char *name = show_text(item, "limit_name");
        if (limit)
            show_line(style, NULL, "  %-24s %s (%s: %s)", or_dash(show_text(item, "name")), or_dash(value),
                      or_dash(name), limit);
        else
            show_line(style, NULL, "  %-24s %s", or_dash(show_text(item, "name")), or_dash(value));
        free(value);
        free(limit);
    }
}

void show_alert(const struct show_style *style, const json_t *alert, const json_t *history)
{
    static const char *const keys[] = {
        "status", "classification", "severity", "external_id",  "mitre",   "start",     "end",
        "count",  "source",         "accounts", "destinations", "targets", "resources", "id"};
    show_line(style, "1", "%" PRId64 ": %s", show_number(alert, "number", 0),
              or_dash(show_text(alert, "title")));
    show_line(style, NULL, "%s", or_dash(show_text(alert, "explanation")));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        show_member(style, keys[i], json_object_get(alert, keys[i]));
    if (json_array_size(json_object_get(alert, "evidence")) > 0) {
        show_line(style, NULL, "evidence:");
        show_evidence(style, json_object_get(alert, "evidence"));
    }
    if (show_text(alert, "advice"))
        show_line(style, NULL, "what to do: %s", show_text(alert, "advice"));
    for (size_t i = 0; i < json_array_size(history); i++) {
        const json_t *entry = json_array_get(history, i);
        show_line(style, NULL, "%.19s %s by %s: %s", or_dash(show_text(entry, "at")),
                  or_dash(show_text(entry, "what")), or_dash(show_text(entry, "who")),
                  or_dash(show_text(entry, "after")));
    }
}
