/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-center: what the fleet's nodes deliver to.
 */
#include "base/version.h"
#include "center/center_command.h"
#include "cluster/crypto_sodium.h"

#include <stdio.h>
#include <string.h>

const struct center_command center_commands[] = {
    {"run", "[OPTION]...", "Receives what nodes send, keeps it, and tells what is suspicious.",
     center_run_options, center_run},
    {"receive", "[OPTION]...", "Only receives what nodes send, and keeps it.", center_receive_options,
     center_receive},
    {"key", "[OPTION]...", "Prints the center's public key, which nodes are told.", center_key_options,
     center_key},
    {"log", "[OPTION]... [DIR]", "Prints what was received, one JSON object a line.", center_log_options,
     center_log},
    {"token", "VERB [OPTION]...", "Makes, lists and removes tokens of the API.", center_token_options,
     center_token},
    {"replay", "[OPTION]... FILE...", "Looks for attacks in captures or exported activities.",
     center_replay_options, center_replay},
    {"sensors", "[OPTION]... [SENSOR]", "Lists the sensors, and sets what they are to do.",
     center_sensors_options, center_sensors},
    {"backup", "[OPTION]... DIR", "Copies the center's state, also while it runs.", center_backup_options,
     center_backup},
    {"restore", "[OPTION]... DIR", "Puts a backup back.", center_restore_options, center_restore},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct center_command *find(const char *name)
{
    for (const struct center_command *c = center_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

int center_misused(const char *name, const char *what)
{
    fprintf(stderr, "picket-center %s: %s\nsee: picket-center %s --help\n", name, what, name);
    return EXIT_USAGE;
}

int center_help(const char *name)
{
    const struct center_command *command = find(name);
    printf("usage: picket-center %s %s\n\n%s\n\n%s", command->name, command->arguments, command->sentence,
           command->options);
    return EXIT_FINE;
}

static int print_commands(FILE *out, int status)
{
    fputs("usage: picket-center COMMAND [ARGUMENT]...\n\nReceives and keeps what Picket's nodes "
          "collect.\n\ncommands:\n",
          out);
    for (const struct center_command *c = center_commands; c->name; c++)
        fprintf(out, "  %-8s %s\n", c->name, c->sentence);
    fputs("\npicket-center COMMAND --help tells more; picket-center --version shows the version.\n"
          "Exit status: 0 fine, 1 failure, 2 wrong use.\n",
          out);
    return status;
}

int main(int argc, char **argv)
{
    if (!secret_forbid_dumps() || !crypto_sodium_start()) {
        fputs("picket-center: core dumps cannot be forbidden, or there is no randomness\n", stderr);
        return EXIT_FAILED;
    }
    if (argc < 2)
        return print_commands(stderr, EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return print_commands(stdout, EXIT_FINE);
    if (strcmp(argv[1], "--version") == 0) {
        printf("picket-center %s\n", picket_version());
        return EXIT_FINE;
    }
    const struct center_command *command = find(argv[1]);
    if (command)
        return command->run(argc - 1, argv + 1);
    fprintf(stderr, "picket-center: there is no command \"%s\"\n", argv[1]);
    return print_commands(stderr, EXIT_USAGE);
}
