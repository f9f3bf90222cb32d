/* SPDX-License-Identifier: Apache-2.0
 *
 * picket alerts, alert, entities, health --center: what the center knows.
 */
#include "node/center_commands.h"

#include "base/clock.h"
#include "node/command.h"
#include "node/option.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char command_alerts_options[] =
    CENTER_COMMON_OPTIONS "  --status WORDS      open, closed, suppressed; with commas (open)\n"
                          "  --severity WORDS    informational, low, medium, high; with commas\n"
                          "  --search TEXT       in the title, or the name of who is in it\n"
                          "  --limit N           the newest N (50)\n"
                          "\nExit status 3: there are open ones of high severity among them.\n";
const char command_alert_options[] = CENTER_COMMON_OPTIONS
    "  --as WORD           when closing: none, true-positive, benign-true-positive or\n"
    "                      false-positive\n"
    "\nID is the number that picket alerts shows, or the id. `classify` wants one of those "
    "words.\n";
const char command_entities_options[] = CENTER_COMMON_OPTIONS "  --limit N           at most N (50)\n";

/* --- alerts --- */

static bool any_urgent(const json_t *answer)
{
    const json_t *items = json_object_get(answer, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const char *severity = show_text(json_array_get(items, i), "severity");
        const char *status = show_text(json_array_get(items, i), "status");
        if (severity && status && strcmp(severity, "high") == 0 && strcmp(status, "open") == 0)
            return true;
    }
    return false;
}

int command_alerts(int argc, char **argv)
{
    struct center_arguments arguments;
    json_t *answer;
    int status = center_parse(&arguments, CENTER_STATUS | CENTER_LIMIT, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    const struct center_argument query[] = {{"status", arguments.status ? arguments.status : "open"},
                                            {"severity", arguments.severity},
                                            {"q", arguments.search},
                                            {"limit", arguments.limit ? arguments.limit : "50"},
                                            {NULL, NULL}};
    status = center_ask(&arguments.center, "GET", "/alerts", query, NULL, &answer);
    if (status != EXIT_FINE)
        return status;
    center_show(&arguments, answer, show_alerts);
    status = any_urgent(answer) ? EXIT_DEGRADED : EXIT_FINE;
    json_decref(answer);
    return show_finish(status);
}

/* The id of the alert with that number. */
static int find_number(const struct center_options *options, int64_t number, char id[33])
{
    char cursor[24];
    json_t *answer;
    snprintf(cursor, sizeof(cursor), "%" PRId64, number + 1);
    const struct center_argument query[] = {
        {"cursor", cursor}, {"limit", "1"}, {"status", "open,closed,suppressed"}, {NULL, NULL}};
    int status = center_ask(options, "GET", "/alerts", query, NULL, &answer);
    if (status != EXIT_FINE)
        return status;
    const json_t *item = json_array_get(json_object_get(answer, "items"), 0);
    const char *found = show_text(item, "id");
    bool is_it = found && strlen(found) == 32 && show_number(item, "number", 0) == number;
    if (is_it)
        memcpy(id, found, 33);
    json_decref(answer);
    return is_it ? EXIT_FINE : command_failed("the center", "there is no such alert");
}

static int path_of(const struct center_options *options, const char *word, char path[64])
{
    char id[33];
    int64_t number;
    if (strlen(word) == 32 && strspn(word, "0123456789abcdefABCDEF") == 32) {
        memcpy(id, word, 33);
    } else if (option_number(word, 1, INT64_MAX - 1, &number)) {
        int status = find_number(options, number, id);
        if (status != EXIT_FINE)
            return status;
    } else {
        return command_misused("alert", "%s: a number or an id of 32 hexadecimal digits is wanted", word);
    }
    snprintf(path, 64, "/alerts/%s", id);
    return EXIT_FINE;
}

static int show_one(const struct center_arguments *arguments, const char *path)
{
    struct show_style style = show_style_of(&arguments->show);
    char history_path[80];
    json_t *alert, *history = NULL;
    int status = center_ask(&arguments->center, "GET", path, NULL, NULL, &alert);
    if (status != EXIT_FINE)
        return status;
    snprintf(history_path, sizeof(history_path), "%s/history", path);
    if (!arguments->show.json)
        status = center_ask(&arguments->center, "GET", history_path, NULL, NULL, &history);
    if (arguments->show.json)
        show_json(stdout, alert, false);
    else if (status == EXIT_FINE)
        show_alert(&style, alert, json_object_get(history, "items"));
    json_decref(alert);
    json_decref(history);
    return show_finish(status);
}

static int change_one(const struct center_arguments *arguments, const char *path, json_t *body)
{
    struct show_style style = show_style_of(&arguments->show);
    json_t *answer;
    int status = center_ask(&arguments->center, "PATCH", path, NULL, body, &answer);
    if (status != EXIT_FINE)
        return status;
    if (arguments->show.json)
        show_json(stdout, answer, false);
    else
        show_line(&style, NULL, "alert %" PRId64 " is %s, classified as %s", show_number(answer, "number", 0),
                  show_text(answer, "status"), show_text(answer, "classification"));
    json_decref(answer);
    return show_finish(EXIT_FINE);
}

/* What a verb asks for; NULL: it is misused. */
static json_t *body_of(const struct center_arguments *arguments)
{
    static const struct {
        const char *verb, *status;
    } verbs[] = {{"close", "closed"}, {"reopen", "open"}, {"suppress", "suppressed"}, {"delete", "deleted"}};
    const char *verb = arguments->left[1];
    if (strcmp(verb, "classify") == 0)
        return arguments->left_count == 3 ? json_pack("{ss}", "classification", arguments->left[2]) : NULL;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verb, verbs[i].verb) == 0 && arguments->left_count == 2)
            return json_pack("{ssss*}", "status", verbs[i].status, "classification", arguments->as);
    return NULL;
}

int command_alert(int argc, char **argv)
{
    struct center_arguments arguments;
    char path[64];
    json_t *body = NULL;
    int status = center_parse(&arguments, CENTER_AS, 1, 3, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    if (arguments.left_count > 1 && !(body = body_of(&arguments)))
        return command_misused("alert", "close, reopen, suppress, delete, or classify and a word is wanted");
    status = path_of(&arguments.center, arguments.left[0], path);
    if (status != EXIT_FINE) {
        json_decref(body);
        return status;
    }
    return body ? change_one(&arguments, path, body) : show_one(&arguments, path);
}

/* --- the rest --- */

int command_entities(int argc, char **argv)
{
    struct center_arguments arguments;
    int status = center_parse(&arguments, CENTER_LIMIT, 1, 1, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    const struct center_argument query[] = {
        {"q", arguments.left[0]}, {"limit", arguments.limit ? arguments.limit : "50"}, {NULL, NULL}};
    return center_ask_and_show(&arguments, "/search", query, show_entities);
}

int center_health(int argc, char **argv)
{
    struct center_arguments arguments;
    json_t *answer;
    int status = center_parse(&arguments, 0, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    status = center_ask(&arguments.center, "GET", "/health", NULL, NULL, &answer);
    if (status != EXIT_FINE)
        return status;
    if (!arguments.show.json) { /* by our clock, for that of the center is not told */
        char now[CLOCK_RFC3339_MAX];
        clock_rfc3339(clock_wall(clock_system()), now);
        json_object_set_new(answer, "view", json_pack("{ss}", "time", now));
    }
    center_show(&arguments, answer, show_health);
    status = json_array_size(json_object_get(answer, "issues")) > 0 ? EXIT_DEGRADED : EXIT_FINE;
    json_decref(answer);
    return show_finish(status);
}
