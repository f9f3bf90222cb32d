/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of lists that the center answers with: an object a row, a member a cell.
 */
#include "node/center_commands.h"

#include <inttypes.h>
#include <string.h>

enum cell { TEXT, NUMBER, DECIMAL, TIME, FLAG, WORDS, WORKSPACE };

/* `key` is a member, or one of a member with a full stop between. */
struct list_column {
    struct show_column column;
    const char *key;
    enum cell cell;
};
#define LIST_COLUMNS_MAX 12u
#define COUNT(columns)   ((unsigned)(sizeof(columns) / sizeof((columns)[0])))

static const json_t *member(const json_t *object, const char *key)
{
    const char *stop = strchr(key, '.');
    if (!stop)
        return json_object_get(object, key);
    char first[32] = "";
    strncat(first, key, (size_t)(stop - key) < sizeof(first) ? (size_t)(stop - key) : sizeof(first) - 1);
    return json_object_get(json_object_get(object, first), stop + 1);
}

static void put_cell(struct show_table *table, unsigned place, const struct list_column *column,
                     const json_t *item)
{
    const json_t *value = member(item, column->key);
    const char *text = json_string_value(value);
    if (json_is_string(value) && column->cell == TIME && strlen(text) >= 20)
        show_table_cell(table, place, "%.10s %.8s", text, text + 11);
    else if (json_is_string(value) && *text)
        show_table_cell(table, place, "%s", text);
    else if (column->cell == WORDS)
        show_table_list(table, place, value);
    else if (column->cell == DECIMAL && json_is_number(value))
        show_table_cell(table, place, "%g", json_number_value(value));
    else if (column->cell == FLAG)
        show_table_cell(table, place, "%s", json_is_true(value) ? "yes" : "no");
    else if (json_is_integer(value))
        show_table_cell(table, place, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        show_table_cell(table, place, column->cell == WORKSPACE ? "all" : "-");
}

static void show_list(const struct show_style *style, const json_t *items, const struct list_column *columns,
                      unsigned count, const char *none)
{
    struct show_column shown[LIST_COLUMNS_MAX];
    if (json_array_size(items) == 0) {
        show_line(style, NULL, "%s", none);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        shown[i] = columns[i].column;
    struct show_table *table = show_table_new(style, shown, count);
    for (size_t i = 0; i < json_array_size(items); i++) {
        show_table_row(table);
        for (unsigned place = 0; place < count; place++)
            put_cell(table, place, &columns[place], json_array_get(items, i));
    }
    show_table_print(&table);
}

static void show_items(const struct show_style *style, const json_t *answer,
                       const struct list_column *columns, unsigned count, const char *none)
{
    show_list(style, json_object_get(answer, "items"), columns, count, none);
}

void show_entities(const struct show_style *style, const json_t *answer)
{
    static const struct list_column columns[] = {{{"NAME", 0, SHOW_LEFT, false}, "name", TEXT},
                                                 {{"KIND", 0, SHOW_LEFT, false}, "kind", TEXT},
                                                 {{"DOMAIN", 0, SHOW_LEFT, false}, "domain", TEXT},
                                                 {{"DELETED", 0, SHOW_LEFT, false}, "deleted", TIME},
                                                 {{"GUID", 0, SHOW_LEFT, false}, "guid", TEXT}};
    show_items(style, answer, columns, COUNT(columns), "nobody is called so");
}

void show_sensors(const struct show_style *style, const json_t *answer)
{
    static const struct list_column columns[] = {
        {{"SENSOR", 0, SHOW_LEFT, false}, "name", TEXT},
        {{"SITE", 0, SHOW_LEFT, false}, "site", TEXT},
        {{"DOMAINS", 0.3, SHOW_CUT, false}, "domains", WORDS},
        {{"LAST HELLO", 0, SHOW_LEFT, false}, "heard", TIME},
        {{"SETTINGS", 0, SHOW_LEFT, false}, "settings.state", TEXT},
        {{"WHY", 0.2, SHOW_CUT, false}, "settings.text", TEXT},
        {{"PLACED BY", 0, SHOW_LEFT, false}, "placed_by", TEXT},
        {{"ID", 0, SHOW_LEFT, false}, "id", TEXT},
    };
    show_items(style, answer, columns, COUNT(columns), "no sensor delivers to this center");
}

void show_users(const struct show_style *style, const json_t *answer)
{
    static const struct list_column columns[] = {
        {{"USER", 0, SHOW_LEFT, false}, "name", TEXT},
        {{"ROLE", 0, SHOW_LEFT, false}, "role", TEXT},
        {{"WORKSPACE", 0, SHOW_RIGHT, false}, "workspace", WORKSPACE},
        {{"DISABLED", 0, SHOW_LEFT, false}, "disabled", FLAG},
        {{"SINCE", 0, SHOW_LEFT, false}, "created", TIME},
        {{"ID", 0, SHOW_RIGHT, false}, "id", NUMBER}};
    show_items(style, answer, columns, COUNT(columns), "there are no users");
}

void show_tokens(const struct show_style *style, const json_t *answer)
{
    static const struct list_column columns[] = {
        {{"NUMBER", 0, SHOW_RIGHT, false}, "id", NUMBER},
        {{"TOKEN", 0, SHOW_LEFT, false}, "name", TEXT},
        {{"USER", 0, SHOW_LEFT, false}, "user", TEXT},
        {{"ROLE", 0, SHOW_LEFT, false}, "role", TEXT},
        {{"WORKSPACE", 0, SHOW_RIGHT, false}, "workspace", WORKSPACE},
        {{"CREATED", 0, SHOW_LEFT, false}, "created", TIME},
        {{"EXPIRES", 0, SHOW_LEFT, false}, "expires", TIME},
        {{"USED", 0, SHOW_LEFT, false}, "used", TIME}};
    show_items(style, answer, columns, COUNT(columns), "there are no tokens");
}

void show_workspaces(const struct show_style *style, const json_t *answer)
{
    static const struct list_column columns[] = {{{"NUMBER", 0, SHOW_RIGHT, false}, "id", NUMBER},
                                                 {{"WORKSPACE", 0, SHOW_LEFT, false}, "name", TEXT},
                                                 {{"CREATED", 0, SHOW_LEFT, false}, "created", TIME}};
    show_items(style, answer, columns, COUNT(columns), "there are no workspaces");
}

void show_tags(const struct show_style *style, const json_t *answer)
{
    static const struct list_column columns[] = {
        {{"NUMBER", 0, SHOW_RIGHT, false}, "id", NUMBER},  {{"TAG", 0, SHOW_LEFT, false}, "tag", TEXT},
        {{"KIND", 0, SHOW_LEFT, false}, "kind", TEXT},     {{"NAME", 0, SHOW_LEFT, false}, "name", TEXT},
        {{"DOMAIN", 0, SHOW_LEFT, false}, "domain", TEXT}, {{"GUID", 0, SHOW_LEFT, false}, "guid", TEXT}};
    show_items(style, answer, columns, COUNT(columns), "nothing is tagged");
}

void show_exclusions(const struct show_style *style, const json_t *answer)
{
    static const struct list_column columns[] = {{{"NUMBER", 0, SHOW_RIGHT, false}, "id", NUMBER},
                                                 {{"DETECTOR", 0, SHOW_LEFT, false}, "detector", TEXT},
                                                 {{"KIND", 0, SHOW_LEFT, false}, "kind", TEXT},
                                                 {{"VALUE", 0, SHOW_LEFT, false}, "value", TEXT}};
    show_items(style, answer, columns, COUNT(columns), "nothing is excluded");
}

void show_audit(const struct show_style *style, const json_t *answer)
{
    static const struct list_column columns[] = {
        {{"AT", 0, SHOW_LEFT, false}, "at", TIME},          {{"WHO", 0, SHOW_LEFT, false}, "who", TEXT},
        {{"WHAT", 0, SHOW_LEFT, false}, "what", TEXT},      {{"OF", 0.2, SHOW_CUT, false}, "object", TEXT},
        {{"BEFORE", 0.1, SHOW_CUT, false}, "before", TEXT}, {{"AFTER", 0.2, SHOW_CUT, false}, "after", TEXT}};
    show_items(style, answer, columns, COUNT(columns), "nothing was changed");
}

void show_detectors(const struct show_style *style, const json_t *answer)
{
    static const struct list_column columns[] = {{{"DETECTOR", 0, SHOW_LEFT, false}, "word", TEXT},
                                                 {{"ID", 0, SHOW_RIGHT, false}, "external_id", NUMBER},
                                                 {{"SEVERITY", 0, SHOW_LEFT, false}, "severity", TEXT},
                                                 {{"OFF", 0, SHOW_LEFT, false}, "off", FLAG},
                                                 {{"WHAT", 0.4, SHOW_CUT, false}, "title", TEXT}};
    show_items(style, answer, columns, COUNT(columns), "there are no detectors");
}

void show_detector(const struct show_style *style, const json_t *detector)
{
    static const struct list_column columns[] = {{{"SETTING", 0, SHOW_LEFT, false}, "name", TEXT},
                                                 {{"VALUE", 0, SHOW_RIGHT, false}, "value", DECIMAL},
                                                 {{"UNIT", 0, SHOW_LEFT, false}, "unit", TEXT},
                                                 {{"LOW", 0, SHOW_RIGHT, false}, "low", DECIMAL},
                                                 {{"MEDIUM", 0, SHOW_RIGHT, false}, "medium", DECIMAL},
                                                 {{"HIGH", 0, SHOW_RIGHT, false}, "high", DECIMAL},
                                                 {{"LEAST", 0, SHOW_RIGHT, false}, "least", DECIMAL},
                                                 {{"MOST", 0, SHOW_RIGHT, false}, "most", DECIMAL},
                                                 {{"WHAT", 0.3, SHOW_CUT, false}, "doc", TEXT}};
    const char *title = show_text(detector, "title"), *doc = show_text(detector, "doc");
    show_line(style, "1", "%" PRId64 ": %s", show_number(detector, "external_id", 0), title ? title : "-");
    show_line(style, NULL, "%s", doc ? doc : "-");
    show_list(style, json_object_get(detector, "settings"), columns, COUNT(columns), "it has no settings");
}

void show_settings(const struct show_style *style, const json_t *answer)
{
    const char *sensitivity = show_text(answer, "sensitivity"), *name;
    json_t *settings = json_object_get(answer, "settings"), *off = json_object_get(answer, "off"), *value;
    show_line(style, NULL, "sensitivity: %s", sensitivity ? sensitivity : "-");
    json_object_foreach(settings, name, value)
        show_line(style, NULL, "%s = %g", name, json_number_value(value));
    for (size_t i = 0; i < json_array_size(off); i++)
        show_line(style, NULL, "off: %s", json_string_value(json_array_get(off, i)));
}

void show_center(const struct show_style *style, const json_t *answer)
{
    static const struct list_column pipelines[] = {
        {{"WORKSPACE", 0, SHOW_RIGHT, false}, "workspace", NUMBER},
        {{"POSITION", 0, SHOW_RIGHT, false}, "position", NUMBER},
        {{"COMMITTED", 0, SHOW_RIGHT, false}, "committed", NUMBER},
        {{"BEHIND MS", 0, SHOW_RIGHT, false}, "behind_ms", NUMBER},
        {{"ACTIVITIES", 0, SHOW_RIGHT, false}, "activities", NUMBER},
        {{"ALERTS", 0, SHOW_RIGHT, false}, "alerts", NUMBER},
        {{"STATES", 0, SHOW_RIGHT, false}, "states", NUMBER},
        {{"DAMAGED", 0, SHOW_RIGHT, false}, "damaged", NUMBER},
        {{"STUCK", 0, SHOW_LEFT, false}, "stuck", FLAG}};
    static const struct list_column outputs[] = {{{"OUTPUT", 0, SHOW_LEFT, false}, "name", TEXT},
                                                 {{"WORKS", 0, SHOW_LEFT, false}, "working", FLAG},
                                                 {{"SENT", 0, SHOW_RIGHT, false}, "sent", NUMBER},
                                                 {{"FAILED", 0, SHOW_RIGHT, false}, "failed", NUMBER},
                                                 {{"REFUSED", 0, SHOW_RIGHT, false}, "refused", NUMBER},
                                                 {{"DROPPED", 0, SHOW_RIGHT, false}, "dropped", NUMBER}};
    const char *version = show_text(answer, "version");
    show_line(style, NULL, "picket-center %s", version ? version : "-");
    show_list(style, json_object_get(answer, "shards"), pipelines, COUNT(pipelines), "no pipeline runs");
    show_list(style, json_object_get(answer, "outputs"), outputs, COUNT(outputs), "nobody is told of alerts");
}
