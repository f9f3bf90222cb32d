/* SPDX-License-Identifier: Apache-2.0 */
#include "node/center_options.h"

#include "node/command.h"
#include "node/option.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Where the value of an option goes: a text, of which a number is one between bounds; or a flag. */
struct rule {
    const char *name;
    unsigned bit; /* 0: everybody's */
    enum { TEXT, NUMBER, FLAG } kind;
    size_t at;
    int64_t low, high;
};
#define AT(member) offsetof(struct center_arguments, member)

static const struct rule rules[] = {
    {"json", 0, FLAG, AT(show.json), 0, 0},
    {"no-header", 0, FLAG, AT(show.no_header), 0, 0},
    {"config", 0, TEXT, AT(center.config), 0, 0},
    {"workspace", 0, TEXT, AT(center.workspace), 0, 0},
    {"timeout", 0, NUMBER, AT(timeout), 1, 3600},
    {"center", 0, FLAG, AT(center_named), 0, 0},
    {"help", 0, FLAG, AT(help), 0, 0},
    {"status", CENTER_STATUS, TEXT, AT(status), 0, 0},
    {"severity", CENTER_STATUS, TEXT, AT(severity), 0, 0},
    {"search", CENTER_STATUS, TEXT, AT(search), 0, 0},
    {"limit", CENTER_LIMIT, NUMBER, AT(limit), 1, 200},
    {"as", CENTER_AS, TEXT, AT(as), 0, 0},
    {"role", CENTER_ROLE, TEXT, AT(role), 0, 0},
    {"all-workspaces", CENTER_ROLE, FLAG, AT(all_workspaces), 0, 0},
    {"password", CENTER_PASSWORD, FLAG, AT(password), 0, 0},
    {"password-file", CENTER_PASSWORD, TEXT, AT(password_file), 0, 0},
    {"user", CENTER_TOKEN, TEXT, AT(user), 0, 0},
    {"days", CENTER_TOKEN, NUMBER, AT(days), 1, 3660},
    {"out", CENTER_TOKEN, TEXT, AT(out), 0, 0},
    {"kind", CENTER_TAG, TEXT, AT(kind), 0, 0},
    {"domain", CENTER_TAG, TEXT, AT(domain), 0, 0},
    {"detector", CENTER_DETECTOR, TEXT, AT(detector), 0, 0},
};
#define RULES (sizeof(rules) / sizeof(rules[0]))

static int take(struct center_arguments *to, const char *command, const struct rule *rule)
{
    int64_t number;
    void *member = (char *)to + rule->at;
    if (rule->kind == FLAG) {
        *(bool *)member = true;
        return EXIT_FINE;
    }
    if (rule->kind == NUMBER && !option_number(optarg, rule->low, rule->high, &number))
        return command_misused(command, "--%s %s: a number from %d to %d is wanted", rule->name, optarg,
                               (int)rule->low, (int)rule->high);
    *(const char **)member = optarg;
    return EXIT_FINE;
}

static int read_options(struct center_arguments *to, unsigned understood, int argc, char **argv)
{
    struct option options[RULES + 1] = {{0}};
    size_t count = 0;
    for (size_t i = 0; i < RULES; i++)
        if ((rules[i].bit & understood) == rules[i].bit)
            options[count++] = (struct option){
                rules[i].name, rules[i].kind == FLAG ? no_argument : required_argument, NULL, 256 + (int)i};
    opterr = 0;
    optind = 1;
    for (int c, status; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == '?')
            return command_misused(argv[0], "%s: no such option, or its value is missing", argv[optind - 1]);
        if (c == 'h')
            to->help = true;
        else if ((status = take(to, argv[0], &rules[c - 256])) != EXIT_FINE)
            return status;
    }
    return EXIT_FINE;
}

int center_parse(struct center_arguments *to, unsigned understood, int low, int high, int argc, char **argv)
{
    int64_t timeout;
    *to = (struct center_arguments){.status = NULL};
    int status = read_options(to, understood, argc, argv);
    if (status != EXIT_FINE)
        return status;
    if (to->help) {
        command_print_help(command_find(argv[0]), stdout);
        return -1;
    }
    if (to->timeout && option_number(to->timeout, 1, 3600, &timeout))
        to->center.timeout = (int)timeout * 1000;
    to->left = argv + optind;
    to->left_count = argc - optind;
    if (to->left_count < low)
        return command_misused(argv[0], "something is missing");
    if (to->left_count > high)
        return command_misused(argv[0], "%s: too much", argv[optind + high]);
    return EXIT_FINE;
}

void center_show(const struct center_arguments *arguments, const json_t *answer,
                 void (*table)(const struct show_style *, const json_t *))
{
    struct show_style style = show_style_of(&arguments->show);
    if (arguments->show.json)
        show_json(stdout, answer, false);
    else
        table(&style, answer);
}

int center_ask_and_show(const struct center_arguments *arguments, const char *path,
                        const struct center_argument *query,
                        void (*table)(const struct show_style *, const json_t *))
{
    json_t *answer;
    int status = center_ask(&arguments->center, "GET", path, query, NULL, &answer);
    if (status != EXIT_FINE)
        return status;
    center_show(arguments, answer, table);
    json_decref(answer);
    return show_finish(EXIT_FINE);
}

int center_change(const struct center_arguments *arguments, const char *method, const char *path,
                  json_t *body, const char *format, ...)
{
    struct show_style style = show_style_of(&arguments->show);
    char sentence[1024];
    json_t *answer;
    va_list values;
    va_start(values, format);
    vsnprintf(sentence, sizeof(sentence), format, values);
    va_end(values);
    int status = center_ask(&arguments->center, method, path, NULL, body, &answer);
    if (status != EXIT_FINE)
        return status;
    if (arguments->show.json && answer)
        show_json(stdout, answer, false);
    else if (!arguments->show.json)
        show_line(&style, NULL, "%s", sentence);
    json_decref(answer);
    return show_finish(EXIT_FINE);
}

int center_find(const struct center_arguments *arguments, const char *list, const char *key,
                const char *value, const char *what, json_t **item)
{
    json_t *answer;
    unsigned found = 0;
    char text[512];
    int status = center_ask(&arguments->center, "GET", list, NULL, NULL, &answer);
    if (status != EXIT_FINE)
        return status;
    const json_t *items = json_object_get(answer, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const char *name = show_text(json_array_get(items, i), key);
        const char *id = show_text(json_array_get(items, i), "id");
        if (!(name && strcasecmp(name, value) == 0) && !(id && strcasecmp(id, value) == 0))
            continue;
        *item = json_array_get(items, i);
        found++;
    }
    if (found == 1) {
        json_incref(*item);
    } else {
        snprintf(text, sizeof(text),
                 found == 0 ? "there is no %s %.200s" : "there are several %ss called %.200s: say the id",
                 what, value);
        status = command_failed("the center", text);
    }
    json_decref(answer);
    return status;
}

int center_remove(const struct center_arguments *arguments, const char *command, const char *path,
                  const char *number, const char *what)
{
    char one[96];
    int64_t id;
    if (!option_number(number, 1, INT64_MAX - 1, &id))
        return command_misused(command, "remove %s: a number is wanted", number);
    snprintf(one, sizeof(one), "%s/%lld", path, (long long)id);
    return center_change(arguments, "DELETE", one, NULL, "%s %lld is removed", what, (long long)id);
}

static int misused(const struct center_verb *verbs, const char *command)
{
    char names[256] = "";
    for (size_t size = 0; verbs->name && size < sizeof(names); verbs++) {
        int n = snprintf(names + size, sizeof(names) - size, "%s%s", size ? ", " : "", verbs->name);
        size += n > 0 ? (size_t)n : 0;
    }
    return command_misused(command, "one of these is wanted, with what belongs to it: %s", names);
}

int center_run(const struct center_verb *verbs, int (*list)(const struct center_arguments *arguments),
               unsigned understood, int argc, char **argv)
{
    struct center_arguments arguments;
    int status = center_parse(&arguments, understood, 0, 64, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    if (arguments.left_count == 0)
        return list(&arguments);
    int words = arguments.left_count - 1;
    for (const struct center_verb *verb = verbs; verb->name; verb++)
        if (strcmp(arguments.left[0], verb->name) == 0 && words >= verb->low && words <= verb->high)
            return verb->run(&arguments, arguments.left + 1, words);
    return misused(verbs, argv[0]);
}
