/* SPDX-License-Identifier: Apache-2.0
 *
 * picket activities: what a running node saw last, with the identities that it knows.
 */
#include "node/command.h"
#include "node/show_command.h"

#include <string.h>
#include <time.h>

#define LIMIT 20

const char command_activities_options[] = SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION
    "  --limit N           the last N (20; the node keeps 1,000)\n"
    "  --follow            goes on with what comes, until interrupted\n"
    "\nA computer's name stands in the place of its address when it is known. --json gives each activity on "
    "a line of\n"
    "its own (docs/activities.md).\n";

enum column { COLUMN_TIME, COLUMN_KIND, COLUMN_SOURCE, COLUMN_DESTINATION, COLUMN_ACCOUNT, COLUMN_TARGET };

static const struct show_column columns[] = {
    [COLUMN_TIME] = {"TIME (UTC)", 23, SHOW_LEFT, false},
    [COLUMN_KIND] = {"KIND", 22, SHOW_LEFT, false},
    [COLUMN_SOURCE] = {"SOURCE", 16, SHOW_LEFT, false},
    [COLUMN_DESTINATION] = {"DESTINATION", 16, SHOW_LEFT, false},
    [COLUMN_ACCOUNT] = {"ACCOUNT", 20, SHOW_LEFT, false},
    [COLUMN_TARGET] = {"WHOM OR WHAT", 0.2, SHOW_CUT, false},
};

static const char *first_of(const json_t *activity, const char *const *keys)
{
    for (; *keys; keys++)
        if (show_text(activity, *keys))
            return show_text(activity, *keys);
    return "-";
}

static void row(struct show_table *table, const json_t *activity)
{
    static const char *const source[] = {"source_computer", "source", NULL};
    static const char *const destination[] = {"destination_computer", "destination", NULL};
    static const char *const account[] = {"account_name", "account", "source_account", NULL};
    static const char *const target[] = {"target_name", "group_name", "service_owner", "dns_name", NULL};
    const char *time = show_text(activity, "time"), *group = show_text(activity, "group_name");
    const char *what = first_of(activity, target);
    show_table_row(table);
    show_table_cell(table, COLUMN_TIME, "%.10s %.12s", time ? time : "-",
                    time && strlen(time) > 11 ? time + 11 : "");
    show_table_cell(table, COLUMN_KIND, "%s",
                    show_text(activity, "kind") ? show_text(activity, "kind") : "-");
    show_table_cell(table, COLUMN_SOURCE, "%s", first_of(activity, source));
    show_table_cell(table, COLUMN_DESTINATION, "%s", first_of(activity, destination));
    show_table_cell(table, COLUMN_ACCOUNT, "%s", first_of(activity, account));
    if (group && group != what)
        show_table_cell(table, COLUMN_TARGET, "%s in %s", what, group);
    else
        show_table_cell(table, COLUMN_TARGET, "%s", what);
}

void show_activities(const struct show_style *style, const json_t *answer)
{
    const json_t *activities = json_object_get(answer, "activities");
    if (json_array_size(activities) == 0)
        return;
    struct show_table *table = show_table_new(style, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < json_array_size(activities); i++)
        row(table, json_array_get(activities, i));
    show_table_print(&table);
}

static void present(const struct show_options *options, const struct show_style *style, const json_t *answer)
{
    const json_t *activities = json_object_get(answer, "activities");
    if (!options->json) {
        show_activities(style, answer);
        return;
    }
    for (size_t i = 0; i < json_array_size(activities); i++)
        show_json(stdout, json_array_get(activities, i), true);
}

static int ask(const struct show_options *options, json_int_t after, unsigned limit, json_t **answer)
{
    return control_ask(&options->control,
                       json_pack("{sssIsi}", "verb", "activities", "after", after, "limit", (int)limit),
                       answer);
}

int command_activities(int argc, char **argv)
{
    const struct timespec pause = {.tv_nsec = 500000000};
    struct show_options options;
    json_t *answer;
    int status = show_parse(&options, SHOW_HEADER | SHOW_LIMIT | SHOW_FOLLOW, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    struct show_style style = show_style_of(&options);
    status = ask(&options, 0, options.limit ? options.limit : LIMIT, &answer);
    while (status == EXIT_FINE) {
        json_int_t last = show_number(answer, "last", 0);
        present(&options, &style, answer);
        json_decref(answer);
        status = show_finish(EXIT_FINE);
        if (!options.follow || status != EXIT_FINE)
            break;
        style.header = false; /* one heading is enough */
        nanosleep(&pause, NULL);
        status = ask(&options, last, 1000, &answer);
    }
    return status;
}
