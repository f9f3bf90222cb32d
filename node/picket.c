/* SPDX-License-Identifier: Apache-2.0
 *
 * picket: the command line.
 */
#include "base/version.h"
#include "node/command.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static char *no_arguments[] = {"status", NULL};
    if (argc < 2)
        return command_status(1, no_arguments);
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0) {
        printf("picket %s\n", picket_version());
        return EXIT_FINE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        command_print_commands(stdout);
        return EXIT_FINE;
    }
    if (name[0] == '-') { /* options alone are those of status */
        argv[0] = no_arguments[0];
        return command_status(argc, argv);
    }
    const struct command *command = command_find(name);
    if (!command) {
        fprintf(stderr, "picket: there is no command \"%s\"\nsee: picket --help\n", name);
        return EXIT_USAGE;
    }
    return command->run(argc - 1, argv + 1);
}
