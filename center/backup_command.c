/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-center backup, and picket-center restore.
 */
#include "base/clock.h"
#include "center/backup.h"
#include "center/center_command.h"
#include "center/center_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

const char center_backup_options[] =
    "options:\n"
    "  --config FILE  configuration (" CENTER_CONFIG_FILE ")\n"
    "  --help         shows this help\n"
    "\nDIR is made, or is empty. The center may run. A backup has its key, and is as secret as its state.\n";

const char center_restore_options[] =
    "options:\n"
    "  --config FILE  configuration (" CENTER_CONFIG_FILE ")\n"
    "  --help         shows this help\n"
    "\nDIR is what picket-center backup made. The center is stopped, and its state has neither database nor "
    "log.\n";

static int tell(const char *what, const struct backup_result *result)
{
    char time[CLOCK_RFC3339_MAX];
    printf("%s: %" PRIu64 " files, %" PRIu64 " bytes, of %s", what, result->files, result->bytes,
           clock_rfc3339(result->at, time));
    if (result->position != UINT64_MAX)
        printf(", looked at up to entry %" PRIu64, result->position);
    putchar('\n');
    return EXIT_FINE;
}

static int fail(const struct fault *fault)
{
    fprintf(stderr, "picket-center: %s\n", fault->text);
    return EXIT_FAILED;
}

static int backup(const struct center_config *config, const char *directory)
{
    struct backup_result result;
    struct fault fault;
    return backup_make(config->state, directory, &result, &fault) ? tell("backed up", &result) : fail(&fault);
}

static int restore(const struct center_config *config, const char *directory)
{
    struct backup_result result;
    struct fault fault;
    int lock = -1;
    bool fine = directory_prepare(config->state, &fault) &&
                (lock = directory_lock(config->state, &fault)) >= 0 &&
                backup_restore(directory, config->state, &result, &fault);
    if (lock >= 0)
        close(lock);
    return fine ? tell("restored", &result) : fail(&fault);
}

static int run(const char *name, int argc, char **argv,
               int (*act)(const struct center_config *config, const char *directory))
{
    const char *path = CENTER_CONFIG_FILE;
    const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'h')
            return center_help(name);
        if (c != 'c')
            return center_misused(name, "an option that is not known, or without its value");
        path = optarg;
    }
    if (optind + 1 != argc)
        return center_misused(name, "one directory is wanted");
    struct center_config *config = center_config_load(path);
    if (!config)
        return EXIT_USAGE;
    int status = act(config, argv[optind]);
    center_config_free(&config);
    return status;
}

int center_backup(int argc, char **argv)
{
    return run("backup", argc, argv, backup);
}

int center_restore(int argc, char **argv)
{
    return run("restore", argc, argv, restore);
}
