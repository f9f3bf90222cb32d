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
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--version") == 0) {
        printf("picket %s\n", picket_version());
        return EXIT_FINE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        command_print_commands(argc > 1 ? stdout : stderr);
        return argc > 1 ? EXIT_FINE : EXIT_USAGE;
    }
    const struct command *command = command_find(name);
    if (!command) {
        fprintf(stderr, "picket: there is no command \"%s\"\nsee: picket --help\n", name);
        return EXIT_USAGE;
    }
    return command->run(argc - 1, argv + 1);
}
