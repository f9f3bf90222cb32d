/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of the commands that ask the center, and what such a command consists of.
 */
#pragma once

#include "node/center_client.h"
#include "node/show_command.h"

#define CENTER_COMMON_OPTIONS                                                                                \
    "  --json              the answer as one JSON object (docs/api.md)\n"                                    \
    "  --config FILE       where the center is, and the token: center-client.conf\n"                         \
    "  --workspace NAME    of that workspace\n"                                                              \
    "  --timeout SECONDS   how long to wait for the answer (30)\n"                                           \
    "  --no-header         the rows alone\n"

/* What a command understands beside --json, --no-header, --config, --workspace, --timeout and --help. */
enum center_option {
    CENTER_STATUS = 1,    /* --status, --severity, --search */
    CENTER_LIMIT = 2,     /* --limit */
    CENTER_AS = 4,        /* --as */
    CENTER_ROLE = 8,      /* --role, --all-workspaces */
    CENTER_PASSWORD = 16, /* --password, --password-file */
    CENTER_TOKEN = 32,    /* --user, --days, --out */
    CENTER_TAG = 64,      /* --kind, --domain */
    CENTER_DETECTOR = 128 /* --detector */
};

struct center_arguments {
    struct center_options center;
    struct show_options show;
    const char *status, *severity, *search, *limit, *as, *role, *password_file, *user, *days, *out, *kind,
        *domain, *detector, *timeout;
    bool all_workspaces, password, help;
    bool center_named; /* --center, which `picket health` wants */
    char **left;       /* what is no option */
    int left_count;
};

/* Reads the options of the command argv[0]; between `low` and `high` words may be left. EXIT_FINE;
 * EXIT_USAGE, told; or -1 after the help was shown. */
int center_parse(struct center_arguments *to, unsigned understood, int low, int high, int argc, char **argv);

/* As JSON or as a table. */
void center_show(const struct center_arguments *arguments, const json_t *answer,
                 void (*table)(const struct show_style *, const json_t *));
/* Asks for a path and shows the answer. An exit status. */
int center_ask_and_show(const struct center_arguments *arguments, const char *path,
                        const struct center_argument *query,
                        void (*table)(const struct show_style *, const json_t *));
/* Changes something (`body` is taken over) and shows the answer: as JSON, or as the sentence. */
int center_change(const struct center_arguments *arguments, const char *method, const char *path,
                  json_t *body, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The item of a list whose `key` is `value`, in small or large letters, of which the caller owns a reference.
 * EXIT_FINE, or an exit status, told. `what` is what it is called: "user". */
int center_find(const struct center_arguments *arguments, const char *list, const char *key,
                const char *value, const char *what, json_t **item);

/* Removes what has that number behind the path; `command` is told when it is no number. */
int center_remove(const struct center_arguments *arguments, const char *command, const char *path,
                  const char *number, const char *what);

/* A command that lists something, or does with it what a word says: `picket users`, `picket users remove
 * bob`. */
struct center_verb {
    const char *name;
    int low, high; /* how many words follow */
    int (*run)(const struct center_arguments *arguments, char **words, int count);
};
/* `verbs` end with one without a name; `list` runs without a word. */
int center_run(const struct center_verb *verbs, int (*list)(const struct center_arguments *arguments),
               unsigned understood, int argc, char **argv);
