/* SPDX-License-Identifier: Apache-2.0
 *
 * The subcommands of picket-center: a table in main.c, a file each.
 */
#pragma once

#include <getopt.h>
#include <stdbool.h>

#define EXIT_FINE   0
#define EXIT_FAILED 1
#define EXIT_USAGE  2

struct center_command {
    const char *name, *arguments, *sentence, *options;
    int (*run)(int argc, char **argv);
};
extern const struct center_command center_commands[]; /* ends with one without a name */

extern const char center_run_options[], center_receive_options[], center_key_options[], center_log_options[],
    center_replay_options[], center_sensors_options[], center_backup_options[], center_restore_options[];
int center_run(int argc, char **argv);
int center_receive(int argc, char **argv);
int center_key(int argc, char **argv);
int center_log(int argc, char **argv);
int center_replay(int argc, char **argv);
int center_sensors(int argc, char **argv);
int center_backup(int argc, char **argv);
int center_restore(int argc, char **argv);

/* A command that works as the configuration says: reads its options and the configuration, and runs it, or
 * with --check only says whether it is right; `check` (may be NULL) looks beyond its form. */
struct center_config;
struct fault;
int center_configured(const char *name, int argc, char **argv,
                      bool (*check)(const struct center_config *config, struct fault *fault),
                      int (*run)(const struct center_config *config));
/* A descriptor that is readable when the program is to end. -1: none to be had. */
int center_stop_signals(void);
/* Likewise of SIGHUP: read the configuration again. */
int center_reload_signals(void);

extern const char center_token_options[];
int center_token(int argc, char **argv);

/* Tells what was wrong with how a command was used; EXIT_USAGE. */
int center_misused(const char *name, const char *what);
/* The help of a command; EXIT_FINE. */
int center_help(const char *name);
