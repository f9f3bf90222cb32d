/* SPDX-License-Identifier: Apache-2.0
 *
 * picket sensors, center: what delivers to the center, and how the center itself stands.
 */
#include "base/fault.h"
#include "node/center_commands.h"
#include "node/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SETTINGS_MAX 8192u
#define ID_SIZE      32u

const char command_sensors_options[] =
    "  settings SENSOR     shows what is set for it from here\n"
    "  set SENSOR FILE     sets what stands in the file (- is standard input), in the form of picketd's\n"
    "                      configuration, in place of what was set before: docs/sensor-settings.md\n"
    "  place SENSOR WORKSPACE  puts it into a workspace; one that has not come yet by its id\n"
    "  unplace SENSOR      its token and the center's rules say again\n"
    "\noptions:\n" CENTER_COMMON_OPTIONS "\nSENSOR is a name or an id.\n";
const char command_center_options[] = CENTER_COMMON_OPTIONS;

static int list_sensors(const struct center_arguments *arguments)
{
    return center_ask_and_show(arguments, "/sensors", NULL, show_sensors);
}

/* By its name among those that came; an id need not have come. */
static int find_sensor(const struct center_arguments *arguments, const char *word, char id[ID_SIZE + 1])
{
    json_t *sensor;
    if (strlen(word) == ID_SIZE && strspn(word, "0123456789abcdefABCDEF") == ID_SIZE) {
        memcpy(id, word, ID_SIZE + 1);
        return EXIT_FINE;
    }
    int status = center_find(arguments, "/sensors", "name", word, "sensor", &sensor);
    if (status != EXIT_FINE)
        return status;
    snprintf(id, ID_SIZE + 1, "%s", show_text(sensor, "id"));
    json_decref(sensor);
    return EXIT_FINE;
}

static void print_settings(const struct show_style *style, const json_t *answer)
{
    const char *text = show_text(answer, "configuration"), *state = show_text(answer, "state"),
               *why = show_text(answer, "text");
    fprintf(style->to, "%s%s", text ? text : "", text && *text && text[strlen(text) - 1] != '\n' ? "\n" : "");
    if (style->header)
        show_line(style, NULL, "# version %lld: %s%s%s", (long long)show_number(answer, "version", 0),
                  state ? state : "-", why && *why ? ": " : "", why ? why : "");
}

static int show_settings_of(const struct center_arguments *arguments, char **words, int count)
{
    char id[ID_SIZE + 1], path[80];
    (void)count;
    int status = find_sensor(arguments, words[0], id);
    if (status != EXIT_FINE)
        return status;
    snprintf(path, sizeof(path), "/sensors/%s/settings", id);
    return center_ask_and_show(arguments, path, NULL, print_settings);
}

static bool read_settings(const char *path, char text[SETTINGS_MAX + 1], struct fault *fault)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file)
        return fault_say(fault, "%s", strerror(errno));
    size_t size = fread(text, 1, SETTINGS_MAX + 1, file);
    bool fine = !ferror(file) || fault_say(fault, "%s", strerror(errno));
    if (file != stdin)
        fclose(file);
    if (fine && size > SETTINGS_MAX)
        return fault_say(fault, "more than %u bytes", SETTINGS_MAX);
    if (fine && memchr(text, '\0', size))
        return fault_say(fault, "this is no text");
    if (fine)
        text[size] = '\0';
    return fine;
}

static int set_sensor(const struct center_arguments *arguments, char **words, int count)
{
    char id[ID_SIZE + 1], path[80], text[SETTINGS_MAX + 1];
    struct fault fault;
    (void)count;
    if (!read_settings(words[1], text, &fault))
        return command_failed(words[1], fault.text);
    json_t *body = json_pack("{ss}", "configuration", text);
    if (!body)
        return command_failed(words[1], "UTF-8 is wanted");
    int status = find_sensor(arguments, words[0], id);
    if (status != EXIT_FINE) {
        json_decref(body);
        return status;
    }
    snprintf(path, sizeof(path), "/sensors/%s/settings", id);
    return center_change(arguments, "PATCH", path, body,
                         "it is sent when the sensor is connected; picket sensors tells what it answers");
}

static int place(const struct center_arguments *arguments, const char *sensor, const char *workspace)
{
    char id[ID_SIZE + 1], path[80];
    int status = find_sensor(arguments, sensor, id);
    if (status != EXIT_FINE)
        return status;
    snprintf(path, sizeof(path), "/sensors/%s", id);
    json_t *body = json_pack("{ss?}", "workspace", workspace);
    return workspace ? center_change(arguments, "PATCH", path, body, "sensor %s is in %s", sensor, workspace)
                     : center_change(arguments, "PATCH", path, body,
                                     "sensor %s is where its token and the rules say, from its next hello on",
                                     sensor);
}

static int place_sensor(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    return place(arguments, words[0], words[1]);
}

static int unplace_sensor(const struct center_arguments *arguments, char **words, int count)
{
    (void)count;
    return place(arguments, words[0], NULL);
}

int command_sensors(int argc, char **argv)
{
    static const struct center_verb verbs[] = {{"settings", 1, 1, show_settings_of},
                                               {"set", 2, 2, set_sensor},
                                               {"place", 2, 2, place_sensor},
                                               {"unplace", 1, 1, unplace_sensor},
                                               {NULL, 0, 0, NULL}};
    return center_run(verbs, list_sensors, 0, argc, argv);
}

int command_center(int argc, char **argv)
{
    struct center_arguments arguments;
    int status = center_parse(&arguments, 0, 0, 0, argc, argv);
    return status == EXIT_FINE ? center_ask_and_show(&arguments, "/status", NULL, show_center)
                               : show_after_help(status);
}
