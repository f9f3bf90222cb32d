/* SPDX-License-Identifier: Apache-2.0
 *
 * picket alerts, alert, entities, sensors: what the center knows.
 */
#include "node/center_commands.h"

#include "node/command.h"
#include "node/option.h"
#include "node/show_command.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
const char command_sensors_options[] = CENTER_COMMON_OPTIONS;

struct center_arguments {
    struct center_options center;
    struct show_options show;
    const char *status, *severity, *search, *as, *limit;
    char **left;
    int left_count;
};

enum { OPTION_STATUS = 1, OPTION_LIMIT = 2, OPTION_AS = 4 };

static int take(struct center_arguments *to, const char *name, int c)
{
    int64_t number = 0;
    switch (c) {
    case 'j':
        to->show.json = true;
        break;
    case 'n':
        to->show.no_header = true;
        break;
    case 'c':
        to->center.config = optarg;
        break;
    case 'w':
        to->center.workspace = optarg;
        break;
    case 't':
        if (!option_number(optarg, 1, 3600, &number))
            return command_misused(name, "--timeout %s: seconds from 1 to 3600 are wanted", optarg);
        to->center.timeout = (int)number * 1000;
        break;
    case 's':
        to->status = optarg;
        break;
    case 'y':
        to->severity = optarg;
        break;
    case 'q':
        to->search = optarg;
        break;
    case 'a':
        to->as = optarg;
        break;
    case 'l':
        if (!option_number(optarg, 1, 200, &number))
            return command_misused(name, "--limit %s: a number from 1 to 200 is wanted", optarg);
        to->limit = optarg;
        break;
    }
    return EXIT_FINE;
}

/* As show_parse(). */
static int parse(struct center_arguments *to, unsigned understood, int low, int high, int argc, char **argv)
{
    static const struct {
        struct option option;
        unsigned bit;
    } table[] = {{{"json", no_argument, NULL, 'j'}, 0},
                 {{"no-header", no_argument, NULL, 'n'}, 0},
                 {{"config", required_argument, NULL, 'c'}, 0},
                 {{"workspace", required_argument, NULL, 'w'}, 0},
                 {{"timeout", required_argument, NULL, 't'}, 0},
                 {{"help", no_argument, NULL, 'h'}, 0},
                 {{"center", no_argument, NULL, 'C'}, 0},
                 {{"status", required_argument, NULL, 's'}, OPTION_STATUS},
                 {{"severity", required_argument, NULL, 'y'}, OPTION_STATUS},
                 {{"search", required_argument, NULL, 'q'}, OPTION_STATUS},
                 {{"limit", required_argument, NULL, 'l'}, OPTION_LIMIT},
                 {{"as", required_argument, NULL, 'a'}, OPTION_AS}};
    struct option options[sizeof(table) / sizeof(table[0]) + 1];
    size_t count = 0;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if ((table[i].bit & understood) == table[i].bit)
            options[count++] = table[i].option;
    options[count] = (struct option){0};
    *to = (struct center_arguments){.status = NULL};
    opterr = 0;
    optind = 1;
    for (int c, status; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'h') {
            command_print_help(command_find(argv[0]), stdout);
            return -1;
        }
        if (c == '?')
            return command_misused(argv[0], "%s: no such option, or its value is missing", argv[optind - 1]);
        if ((status = take(to, argv[0], c)) != EXIT_FINE)
            return status;
    }
    to->left = argv + optind;
    to->left_count = argc - optind;
    if (to->left_count < low)
        return command_misused(argv[0], "something is missing");
    if (to->left_count > high)
        return command_misused(argv[0], "%s: too much", argv[optind + high]);
    return EXIT_FINE;
}

static void show(const struct center_arguments *arguments, const json_t *answer,
                 void (*table)(const struct show_style *, const json_t *))
{
    struct show_style style = show_style_of(&arguments->show);
    if (arguments->show.json)
        show_json(stdout, answer, false);
    else
        table(&style, answer);
}

static int ask_and_show(const struct center_arguments *arguments, const char *path,
                        const struct center_argument *query,
                        void (*table)(const struct show_style *, const json_t *))
{
    json_t *answer;
    int status = center_ask(&arguments->center, "GET", path, query, NULL, &answer);
    if (status != EXIT_FINE)
        return status;
    show(arguments, answer, table);
    json_decref(answer);
    return show_finish(EXIT_FINE);
}

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
    int status = parse(&arguments, OPTION_STATUS | OPTION_LIMIT, 0, 0, argc, argv);
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
    show(&arguments, answer, show_alerts);
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
    int status = parse(&arguments, OPTION_AS, 1, 3, argc, argv);
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
    int status = parse(&arguments, OPTION_LIMIT, 1, 1, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    const struct center_argument query[] = {
        {"q", arguments.left[0]}, {"limit", arguments.limit ? arguments.limit : "50"}, {NULL, NULL}};
    return ask_and_show(&arguments, "/search", query, show_entities);
}

int command_sensors(int argc, char **argv)
{
    struct center_arguments arguments;
    int status = parse(&arguments, 0, 0, 0, argc, argv);
    return status == EXIT_FINE ? ask_and_show(&arguments, "/sensors", NULL, show_sensors)
                               : show_after_help(status);
}

int center_health(int argc, char **argv)
{
    struct center_arguments arguments;
    json_t *answer;
    int status = parse(&arguments, 0, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    status = center_ask(&arguments.center, "GET", "/health", NULL, NULL, &answer);
    if (status != EXIT_FINE)
        return status;
    show(&arguments, answer, show_health);
    status = json_array_size(json_object_get(answer, "issues")) > 0 ? EXIT_DEGRADED : EXIT_FINE;
    json_decref(answer);
    return show_finish(status);
}
