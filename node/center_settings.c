/* SPDX-License-Identifier: Apache-2.0
 *
 * picket detectors, settings, exclusions, tags: what the center looks for, and of whom.
 */
#include "node/center_commands.h"
#include "node/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char command_detectors_options[] =
    CENTER_COMMON_OPTIONS "\nDETECTOR: the settings of that one, by its word or its number.\n";
const char command_settings_options[] =
    "  set NAME=VALUE...   sensitivity=low, medium or high; or DETECTOR/SETTING=NUMBER\n"
    "  reset NAME...       DETECTOR/SETTING: what the sensitivity says again\n"
    "  off DETECTOR...     raises nothing any more\n"
    "  on DETECTOR...\n"
    "\noptions:\n" CENTER_COMMON_OPTIONS
    "\nAll that is named is changed, or nothing. picket detectors tells the names and bounds.\n";
const char command_exclusions_options[] =
    "  add KIND:VALUE      KIND is account, computer, address (also a subnet) or domain\n"
    "  remove NUMBER\n"
    "\noptions:\n" CENTER_COMMON_OPTIONS "  --detector WORD     (add) of that detector alone; else of all\n";
const char command_tags_options[] =
    "  add TAG NAME        TAG is sensitive, honeytoken, synchronizer or dns-server; NAME an account,\n"
    "                      or an objectGUID\n"
    "  remove NUMBER\n"
    "\noptions:\n" CENTER_COMMON_OPTIONS "  --kind KIND         (add) account, computer or group (account)\n"
    "  --domain NAME       (add) whose domain that is\n";

/* --- detectors --- */

static bool is_detector(const json_t *detector, const char *word)
{
    char number[24];
    const char *name = show_text(detector, "word");
    snprintf(number, sizeof(number), "%lld", (long long)show_number(detector, "external_id", 0));
    return (name && strcasecmp(name, word) == 0) || strcmp(number, word) == 0;
}

static int show_one(const struct center_arguments *arguments, const char *word)
{
    json_t *answer;
    bool found = false;
    int status = center_ask(&arguments->center, "GET", "/detectors", NULL, NULL, &answer);
    if (status != EXIT_FINE)
        return status;
    const json_t *items = json_object_get(answer, "items");
    for (size_t i = 0; i < json_array_size(items); i++)
        if (is_detector(json_array_get(items, i), word)) {
            center_show(arguments, json_array_get(items, i), show_detector);
            found = true;
        }
    json_decref(answer);
    return found ? show_finish(EXIT_FINE)
                 : command_failed(word, "there is no such detector: picket detectors");
}

int command_detectors(int argc, char **argv)
{
    struct center_arguments arguments;
    int status = center_parse(&arguments, 0, 0, 1, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    return arguments.left_count ? show_one(&arguments, arguments.left[0])
                                : center_ask_and_show(&arguments, "/detectors", NULL, show_detectors);
}

/* --- settings --- */

static int list_settings(const struct center_arguments *arguments)
{
    return center_ask_and_show(arguments, "/settings", NULL, show_settings);
}

static int patch_settings(const struct center_arguments *arguments, json_t *body)
{
    json_t *answer;
    int status = center_ask(&arguments->center, "PATCH", "/settings", NULL, body, &answer);
    if (status != EXIT_FINE)
        return status;
    center_show(arguments, answer, show_settings);
    json_decref(answer);
    return show_finish(EXIT_FINE);
}

/* "NAME=VALUE" into the body. False: it is none. */
static bool put_pair(json_t *body, json_t *settings, const char *pair)
{
    const char *sign = strchr(pair, '=');
    char *end = NULL;
    if (!sign || sign == pair)
        return false;
    size_t size = (size_t)(sign - pair);
    if (size == strlen("sensitivity") && strncmp(pair, "sensitivity", size) == 0)
        return json_object_set_new(body, "sensitivity", json_string(sign + 1)) == 0;
    double number = strtod(sign + 1, &end);
    json_t *name = json_stringn(pair, size);
    bool done = name && end > sign + 1 && *end == '\0' &&
                json_object_set_new(settings, json_string_value(name), json_real(number)) == 0;
    json_decref(name);
    return done;
}

static int set_settings(const struct center_arguments *arguments, char **words, int count)
{
    json_t *settings = json_object(), *body = json_pack("{so}", "settings", settings);
    for (int i = 0; i < count; i++)
        if (!put_pair(body, settings, words[i])) {
            json_decref(body);
            return command_misused("settings", "%s: sensitivity=WORD or DETECTOR/SETTING=NUMBER is wanted",
                                   words[i]);
        }
    return patch_settings(arguments, body);
}

static int reset_settings(const struct center_arguments *arguments, char **words, int count)
{
    json_t *settings = json_object();
    for (int i = 0; i < count; i++)
        json_object_set_new(settings, words[i], json_null());
    return patch_settings(arguments, json_pack("{so}", "settings", settings));
}

static int switch_detectors(const struct center_arguments *arguments, char **words, int count, bool off)
{
    json_t *detectors = json_object();
    for (int i = 0; i < count; i++)
        json_object_set_new(detectors, words[i], json_boolean(off));
    return patch_settings(arguments, json_pack("{so}", "off", detectors));
}

static int switch_off(const struct center_arguments *arguments, char **words, int count)
{
    return switch_detectors(arguments, words, count, true);
}

static int switch_on(const struct center_arguments *arguments, char **words, int count)
{
    return switch_detectors(arguments, words, count, false);
}

int command_settings(int argc, char **argv)
{
    static const struct center_verb verbs[] = {{"set", 1, 64, set_settings},
                                               {"reset", 1, 64, reset_settings},
                                               {"off", 1, 64, switch_off},
                                               {"on", 1, 64, switch_on},
                                               {NULL, 0, 0, NULL}};
    return center_run(verbs, list_settings, 0, argc, argv);
}

/* --- exclusions --- */

static int list_exclusions(const struct center_arguments *arguments)
{
    return center_ask_and_show(arguments, "/exclusions", NULL, show_exclusions);
}

static int add_exclusion(const struct center_arguments *arguments, char **words, int count)
{
    const char *colon = strchr(words[0], ':');
    (void)count;
    if (!colon)
        return command_misused("exclusions",
                               "%s: account:NAME, computer:NAME, address:ADDRESS or domain:NAME "
                               "is wanted",
                               words[0]);
    json_t *body = json_pack("{ss#ssss*}", "kind", words[0], (int)(colon - words[0]), "value", colon + 1,
                             "detector", arguments->detector);
    return center_change(arguments, "POST", "/exclusions", body, "%s is left alone by %s", words[0],
                         arguments->detector ? arguments->detector : "all detectors");
}

static int remove_exclusion(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    return center_remove(arguments, "exclusions", "/exclusions", words[0], "exclusion");
}

int command_exclusions(int argc, char **argv)
{
    static const struct center_verb verbs[] = {
        {"add", 1, 1, add_exclusion}, {"remove", 1, 1, remove_exclusion}, {NULL, 0, 0, NULL}};
    return center_run(verbs, list_exclusions, CENTER_DETECTOR, argc, argv);
}

/* --- tags --- */

static int list_tags(const struct center_arguments *arguments)
{
    return center_ask_and_show(arguments, "/tags", NULL, show_tags);
}

/* 00112233-4455-6677-8899-aabbccddeeff */
static bool is_guid(const char *word)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (strlen(word) != sizeof(form) - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == '-' ? word[i] != '-' : !strchr("0123456789abcdefABCDEF", word[i]))
            return false;
    return true;
}

static int add_tag(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    json_t *body = json_pack("{ssssss*ss*}", "tag", words[0], is_guid(words[1]) ? "guid" : "name", words[1],
                             "kind", arguments->kind, "domain", arguments->domain);
    return center_change(arguments, "POST", "/tags", body, "%s is tagged %s", words[1], words[0]);
}

static int remove_tag(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    return center_remove(arguments, "tags", "/tags", words[0], "tag");
}

int command_tags(int argc, char **argv)
{
    static const struct center_verb verbs[] = {
        {"add", 2, 2, add_tag}, {"remove", 1, 1, remove_tag}, {NULL, 0, 0, NULL}};
    return center_run(verbs, list_tags, CENTER_TAG, argc, argv);
}
