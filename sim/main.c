/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-sim: runs scenarios, swarms and measurements of the fleet's core in virtual time.
 */
#include <string.h>

#include "base/version.h"
#include "sim/sim.h"

static int help_command(int argc, char **argv);

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *parameters, *doc;
} commands[] = {
    {"run", sim_run_command, "SCENARIO", "run a scenario file, show what happened and the verdicts"},
    {"swarm", sim_swarm_command, "--seeds A..B", "run random fault plans, shrink what fails"},
    {"bench", sim_bench_command, "WHAT", "measure: fail-over, uniform, convergence, traffic, speed"},
    {"help", help_command, "", "this text"},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static void tell_usage(FILE *to)
{
    fprintf(to, "usage: picket-sim COMMAND [OPTION]...\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-6s %-14s %s\n", commands[i].name, commands[i].parameters, commands[i].doc);
    fprintf(to, "\nExit status: 0 all held, 1 something was violated, 2 wrong usage.\n");
}

static int help_command(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    tell_usage(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return help_command(argc, argv);
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("picket-sim %s\n", picket_version());
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (argc > 1)
        fprintf(stderr, "picket-sim: there is no command %s\n", argv[1]);
    tell_usage(stderr);
    return 2;
}
