/* SPDX-License-Identifier: Apache-2.0 */
#include "node/command.h"
#include "node/option.h"
#include "node/show.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Options without a bit are everybody's. */
static const struct {
    struct option option;
    unsigned bit;
} table[] = {
    {{"json", no_argument, NULL, 'j'}, 0},
    {{"socket", required_argument, NULL, 's'}, 0},
    {{"timeout", required_argument, NULL, 't'}, 0},
    {{"help", no_argument, NULL, 'h'}, 0},
    {{"no-header", no_argument, NULL, 'n'}, SHOW_HEADER},
    {{"wide", no_argument, NULL, 'w'}, SHOW_WIDE},
    {{"probe", no_argument, NULL, 'p'}, SHOW_PROBE},
    {{"site", required_argument, NULL, 'S'}, SHOW_SITE},
    {{"state", required_argument, NULL, 'T'}, SHOW_STATE},
    {{"domain", required_argument, NULL, 'D'}, SHOW_DOMAIN},
    {{"mode", required_argument, NULL, 'M'}, SHOW_MODE},
    {{"limit", required_argument, NULL, 'l'}, SHOW_LIMIT},
    {{"follow", no_argument, NULL, 'f'}, SHOW_FOLLOW},
    {{"quarantine", no_argument, NULL, 'q'}, SHOW_QUARANTINE},
    {{"every", required_argument, NULL, 'e'}, SHOW_EVERY},
};
#define OPTIONS (sizeof(table) / sizeof(table[0]))

static int take(struct show_options *options, const char *name, int c)
{
    int64_t number = 0;
    switch (c) {
    case 'j':
        options->json = true;
        break;
    case 's':
        options->control.socket = optarg;
        break;
    case 't':
        if (!option_number(optarg, 1, 3600, &number))
            return command_misused(name, "--timeout %s: seconds from 1 to 3600 are wanted", optarg);
        options->control.timeout = (int)number * 1000;
        break;
    case 'n':
        options->no_header = true;
        break;
    case 'w':
        options->wide = true;
        break;
    case 'p':
        options->probe = true;
        break;
    case 'f':
        options->follow = true;
        break;
    case 'q':
        options->quarantine = true;
        break;
    case 'S':
        options->site = optarg;
        break;
    case 'T':
        options->state = optarg;
        break;
    case 'D':
        options->domain = optarg;
        break;
    case 'M':
        if (strcmp(optarg, "sensor") != 0 && strcmp(optarg, "standalone") != 0)
            return command_misused(name, "--mode %s: sensor or standalone is wanted", optarg);
        options->mode = optarg;
        break;
    case 'l':
        if (!option_number(optarg, 1, 1000000, &number))
            return command_misused(name, "--limit %s: a number from 1 to 1000000 is wanted", optarg);
        options->limit = (unsigned)number;
        break;
    case 'e':
        if (!option_number(optarg, 1, 3600, &number))
            return command_misused(name, "--every %s: seconds from 1 to 3600 are wanted", optarg);
        options->every = (int)number * 1000;
        break;
    }
    return EXIT_FINE;
}

int show_parse(struct show_options *options, unsigned understood, int low, int high, int argc, char **argv)
{
    struct option accepted[OPTIONS + 1];
    size_t count = 0;
    for (size_t i = 0; i < OPTIONS; i++)
        if ((table[i].bit & understood) == table[i].bit)
            accepted[count++] = table[i].option;
    accepted[count] = (struct option){0};
    *options = (struct show_options){.every = 1000};
    int c, status;
    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", accepted, NULL)) != -1) {
        if (c == 'h') {
            command_print_help(command_find(argv[0]), stdout);
            return -1;
        }
        if (c == '?')
            return command_misused(argv[0], "%s: no such option, or its value is missing", argv[optind - 1]);
        if ((status = take(options, argv[0], c)) != EXIT_FINE)
            return status;
    }
    options->arguments = argv + optind;
    options->argument_count = argc - optind;
    if (options->argument_count < low)
        return command_misused(argv[0], "something is missing");
    if (options->argument_count > high)
        return command_misused(argv[0], "%s: too much", argv[optind + high]);
    return EXIT_FINE;
}

struct show_style show_style_of(const struct show_options *options)
{
    const char *no_colour = getenv("NO_COLOR");
    bool terminal = isatty(STDOUT_FILENO);
    return (struct show_style){
        .to = stdout,
        .terminal = terminal,
        .colour = terminal && !(no_colour && *no_colour),
        .header = !options->no_header,
        .wide = options->wide,
    };
}

/* --- filters and order --- */

static bool names(const json_t *item, const char *key, const char *domain)
{
    const json_t *list = json_object_get(item, key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name && strcasecmp(name, domain) == 0)
            return true;
    }
    return false;
}

static bool matches(const json_t *item, const char *key, const char *wanted)
{
    const char *value = show_text(item, key);
    return !wanted || !value || strcasecmp(value, wanted) == 0;
}

static bool wanted(const json_t *item, const struct show_options *options)
{
    if (!matches(item, "site", options->site) || !matches(item, "state", options->state) ||
        !matches(item, "mode", options->mode))
        return false;
    if (!options->domain)
        return true;
    if (json_object_get(item, "domain"))
        return show_text(item, "domain") && strcasecmp(show_text(item, "domain"), options->domain) == 0;
    return !json_object_get(item, "candidate_for") || names(item, "candidate_for", options->domain) ||
           names(item, "candidate_off", options->domain) || names(item, "holds", options->domain);
}

static int compare_texts(const json_t *a, const json_t *b, const char *key)
{
    const char *x = show_text(a, key), *y = show_text(b, key);
    return strcmp(x ? x : "", y ? y : "");
}

static int compare_items(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    static const char *const keys[] = {"site", "name", "domain", "address"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        int order = compare_texts(x, y, keys[i]);
        if (order)
            return order;
    }
    return 0;
}

static void arrange_array(json_t *array, const struct show_options *options, bool sorted)
{
    size_t size = json_array_size(array), kept = 0;
    json_t **items = calloc(size ? size : 1, sizeof(json_t *));
    if (!items)
        return;
    for (size_t i = 0; i < size; i++)
        if (wanted(json_array_get(array, i), options))
            items[kept++] = json_incref(json_array_get(array, i));
    if (sorted)
        qsort(items, kept, sizeof(json_t *), compare_items);
    json_array_clear(array);
    for (size_t i = 0; i < kept; i++)
        json_array_append_new(array, items[i]);
    free(items);
}

void show_arrange(json_t *answer, const struct show_options *options)
{
    static const char *const sorted[] = {"members", "domains", "peers", "directories"};
    for (size_t i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++)
        if (json_is_array(json_object_get(answer, sorted[i])))
            arrange_array(json_object_get(answer, sorted[i]), options, true);
    if (json_is_array(json_object_get(answer, "history")))
        arrange_array(json_object_get(answer, "history"), options, false);
}

void show_json(FILE *to, const json_t *answer, bool line)
{
    json_dumpf(answer, to, (line ? JSON_COMPACT : JSON_INDENT(2)) | JSON_REAL_PRECISION(9));
    fputc('\n', to);
}
