/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-center sensors: the sensors that ever delivered here, and what is set for them.
 */
#include "base/clock.h"
#include "center/center_command.h"
#include "center/center_config.h"
#include "center/sensor_settings.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>

const char center_sensors_options[] =
    "options:\n"
    "  --config FILE  configuration (" CENTER_CONFIG_FILE ")\n"
    "  --show         prints what is set for the sensor\n"
    "  --set FILE     sets what stands in the file (- is standard input), in the form of picketd's "
    "configuration,\n"
    "                 in place of what was set before; the sensor gets it when it is connected\n"
    "  --help         shows this help\n"
    "\nSENSOR is a name or an id. Without any, all sensors are listed, and what became of their settings. "
    "Which keys can\n"
    "be set: docs/sensor-settings.md.\n";

struct job {
    const struct center_config *config;
    const char *wanted; /* name or id */
    struct node_id found;
    unsigned found_count;
    struct libscols_table *table;
};

static const char *how_text(const struct sensor_settings *settings, const struct sensor_settled *settled)
{
    if (settings->version == 0)
        return "";
    if (settled->version < settings->version)
        return "not told yet";
    return settled->how == DELIVERY_IN_EFFECT    ? "in effect"
           : settled->how == DELIVERY_NEXT_START ? "some with its next start"
                                                 : "refused";
}

static void add_line(void *context, const struct node_id *node)
{
    struct job *job = context;
    struct sensor_settings settings;
    struct sensor_settled settled;
    struct fault fault;
    char name[NAME_MAX_SIZE], id[NODE_ID_TEXT_SIZE], version[24], at[CLOCK_RFC3339_MAX] = "";
    const char *directory = job->config->sensors;
    struct libscols_line *line = scols_table_new_line(job->table, NULL);
    if (!line)
        return;
    sensor_name_load(name, disk_system(), directory, node);
    sensor_settings_load(&settings, disk_system(), directory, node, &fault);
    sensor_settled_load(&settled, disk_system(), directory, node, &fault);
    snprintf(version, sizeof(version), "%" PRIu64, settings.version);
    if (settled.version) {
        clock_rfc3339(settled.at, at);
        at[19] = '\0';
    }
    scols_line_set_data(line, 0, name);
    scols_line_set_data(line, 1, node_id_text(node, id));
    scols_line_set_data(line, 2, version);
    scols_line_set_data(line, 3, how_text(&settings, &settled));
    scols_line_set_data(line, 4, at);
    scols_line_set_data(line, 5, settled.version == settings.version ? settled.text : "");
}

static int list(struct job *job)
{
    static const char *const headings[] = {"NAME", "ID", "SETTINGS", "THEY ARE", "SINCE (UTC)", "WHY"};
    struct fault fault;
    job->table = scols_new_table();
    if (!job->table) {
        fputs("picket-center: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < sizeof(headings) / sizeof(*headings); i++)
        scols_table_new_column(job->table, headings[i], 0, 0);
    bool fine = sensors_each(job->config->sensors, add_line, job, &fault);
    if (fine)
        scols_print_table(job->table);
    else
        fprintf(stderr, "picket-center: %s\n", fault.text);
    scols_unref_table(job->table);
    return fine ? EXIT_FINE : EXIT_FAILED;
}

static void look_for(void *context, const struct node_id *node)
{
    struct job *job = context;
    char name[NAME_MAX_SIZE], id[NODE_ID_TEXT_SIZE];
    sensor_name_load(name, disk_system(), job->config->sensors, node);
    if (strcmp(name, job->wanted) != 0 && strcmp(node_id_text(node, id), job->wanted) != 0)
        return;
    job->found = *node;
    job->found_count++;
}

/* A name may have been given to several nodes in the course of time. */
static bool find(struct job *job)
{
    struct fault fault;
    if (!sensors_each(job->config->sensors, look_for, job, &fault))
        fprintf(stderr, "picket-center: %s\n", fault.text);
    else if (job->found_count == 0)
        fprintf(stderr, "picket-center: no sensor \"%s\" ever was here\n", job->wanted);
    else if (job->found_count > 1)
        fprintf(stderr, "picket-center: several sensors are called \"%s\": say the id\n", job->wanted);
    return job->found_count == 1;
}

static int show(struct job *job)
{
    static struct sensor_settings settings;
    struct fault fault;
    if (!find(job))
        return EXIT_FAILED;
    if (sensor_settings_load(&settings, disk_system(), job->config->sensors, &job->found, &fault) ==
        DISK_FAILED) {
        fprintf(stderr, "picket-center: %s\n", fault.text);
        return EXIT_FAILED;
    }
    fwrite(settings.text, 1, settings.size, stdout);
    return fflush(stdout) == 0 ? EXIT_FINE : EXIT_FAILED;
}

static int set(struct job *job, const char *path)
{
    static uint8_t text[DELIVERY_SETTINGS_MAX + 1];
    struct fault fault;
    if (!find(job))
        return EXIT_FAILED;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file) {
        fprintf(stderr, "picket-center: %s: %s\n", path, strerror(errno));
        return EXIT_FAILED;
    }
    size_t size = fread(text, 1, sizeof(text), file);
    bool fine = !ferror(file) || fault_say(&fault, "%s: %s", path, strerror(errno));
    fine = fine && sensor_settings_save((struct bytes){text, size}, disk_system(), job->config->sensors,
                                        &job->found, &fault);
    if (file != stdin)
        fclose(file);
    if (!fine)
        fprintf(stderr, "picket-center: %s\n", fault.text);
    return fine ? EXIT_FINE : EXIT_FAILED;
}

int center_sensors(int argc, char **argv)
{
    int shown = 0;
    const char *path = CENTER_CONFIG_FILE, *from = NULL;
    const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                     {"show", no_argument, &shown, 1},
                                     {"set", required_argument, NULL, 's'},
                                     {"help", no_argument, NULL, 'h'},
                                     {0}};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'c')
            path = optarg;
        else if (c == 's')
            from = optarg;
        else if (c == 'h')
            return center_help("sensors");
        else if (c != 0)
            return center_misused("sensors", "an option that is not known, or without its value");
    }
    if (argc - optind > 1 || ((shown || from) && optind == argc) || (shown && from))
        return center_misused("sensors", "one sensor is wanted, and one of --show and --set");
    struct center_config *config = center_config_load(path);
    if (!config)
        return EXIT_USAGE;
    struct job job = {.config = config, .wanted = argv[optind]};
    int status = from ? set(&job, from) : shown ? show(&job) : list(&job);
    center_config_free(&config);
    return status;
}
