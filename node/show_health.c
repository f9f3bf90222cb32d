/* SPDX-License-Identifier: Apache-2.0
 *
 * picket health: the health issues of this node.
 */
#include "node/center_commands.h"
#include "node/command.h"
#include "node/show_command.h"

#include <inttypes.h>
#include <string.h>

const char command_health_options[] = SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION
    "  --center            those of the center instead (with picket alerts' options)\n"
    "\nExit status 3: the node answered, and there is an issue.\n";

enum column { COLUMN_NUMBER, COLUMN_SEVERITY, COLUMN_SINCE, COLUMN_ABOUT, COLUMN_NAME };

static const struct show_column columns[] = {
    [COLUMN_NUMBER] = {"ISSUE", 0, SHOW_RIGHT, false}, [COLUMN_SEVERITY] = {"SEVERITY", 0, SHOW_LEFT, false},
    [COLUMN_SINCE] = {"SINCE", 0, SHOW_RIGHT, false},  [COLUMN_ABOUT] = {"ABOUT", 0, SHOW_LEFT, false},
    [COLUMN_NAME] = {"WHAT", 0.4, SHOW_CUT, false},
};

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

static void row(struct show_table *table, const json_t *answer, const json_t *issue)
{
    const char *severity = show_text(issue, "severity");
    show_table_row(table);
    show_table_cell(table, COLUMN_NUMBER, "%" PRId64, show_number(issue, "number", 0));
    show_table_cell(table, COLUMN_SEVERITY, "%s", or_dash(severity));
    show_table_colour(table, COLUMN_SEVERITY, colour_of(severity));
    show_table_duration(table, COLUMN_SINCE, show_since(answer, issue, "since"));
    show_table_cell(table, COLUMN_ABOUT, "%s", or_dash(show_text(issue, "subject")));
    show_table_cell(table, COLUMN_NAME, "%s", or_dash(show_text(issue, "name")));
}

void show_health(const struct show_style *style, const json_t *answer)
{
    const json_t *issues = json_object_get(answer, "issues");
    size_t count = json_array_size(issues);
    if (count == 0) {
        show_line(style, NULL, "no health issue is raised");
        return;
    }
    struct show_table *table = show_table_new(style, columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; i < count; i++)
        row(table, answer, json_array_get(issues, i));
    show_table_print(&table);
    for (size_t i = 0; i < count && style->header; i++) {
        const json_t *issue = json_array_get(issues, i);
        show_line(style, NULL, "\n%" PRId64 ", %s: %s", show_number(issue, "number", 0),
                  or_dash(show_text(issue, "subject")), or_dash(show_text(issue, "text")));
        show_line(style, NULL, "  what to do: %s", or_dash(show_text(issue, "action")));
    }
}

int command_health(int argc, char **argv)
{
    struct show_options options;
    json_t *answer;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--center") == 0)
            return center_health(argc, argv);
    int status = show_parse(&options, SHOW_HEADER, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    status = control_ask(&options.control, json_pack("{ss}", "verb", "health"), &answer);
    if (status != EXIT_FINE)
        return status;
    show_answer(&options, answer, show_health);
    status = json_array_size(json_object_get(answer, "issues")) > 0 ? EXIT_DEGRADED : EXIT_FINE;
    json_decref(answer);
    return show_finish(status);
}
