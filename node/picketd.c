/* SPDX-License-Identifier: Apache-2.0
 *
 * picketd: the node.
 */
#include "base/version.h"
#include "cluster/enrolment.h"
#include "node/command.h"
#include "node/daemon.h"
#include "node/join.h"
#include "node/privileges.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: picketd [--config FILE] [--join TOKEN | --join-file FILE] [--check]\n"
    "\n"
    "The node: captures, and is a member of the fleet. Runs in the foreground and logs to standard error.\n"
    "\n"
    "  --config FILE     its configuration (" NODE_CONFIG_FILE ")\n"
    "  --join TOKEN      joins a fleet first, with a token of `picket fleet invite`; - reads it from "
    "standard\n"
    "                    input. Better so: others see a command line\n"
    "  --join-file FILE  the same, with the token in a file\n"
    "  --check, --check-config\n"
    "                    only says whether the configuration is right\n"
    "  --version, --help\n"
    "\n"
    "Exit status: 0 stopped as asked, 1 failure, 2 wrong use, 4 the fleet revoked this node.\n";

struct job {
    const char *config;
    bool check;
    bool join;
    const char *join_file; /* NULL: the token is there already */
    char *token;           /* secret_alloc()ed, TOKEN_TEXT_MAX */
};

static int misused(const char *what)
{
    fprintf(stderr, "picketd: %s\nsee: picketd --help\n", what);
    return EXIT_USAGE;
}

/* The token leaves the command line, where `ps` would show it to everybody. */
static int hide_token(struct job *job, char *argument)
{
    size_t size = strlen(argument);
    if (size >= TOKEN_TEXT_MAX)
        return misused("--join: that is no token");
    memcpy(job->token, argument, size + 1);
    memset(argument, '*', size);
    return EXIT_FINE;
}

static int take(struct job *job, int c)
{
    switch (c) {
    case 'c':
        job->config = optarg;
        return EXIT_FINE;
    case 'k':
        job->check = true;
        return EXIT_FINE;
    case 'f':
    case 'j':
        if (job->join)
            return misused("one token is enough");
        job->join = true;
        if (c == 'f' || strcmp(optarg, "-") == 0) {
            job->join_file = optarg;
            return EXIT_FINE;
        }
        return hide_token(job, optarg);
    case 'v':
        printf("picketd %s\n", picket_version());
        exit(EXIT_FINE);
    case 'h':
        fputs(help, stdout);
        exit(EXIT_FINE);
    default:
        return misused("no such option, or its value is missing");
    }
}

static int parse(struct job *job, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"join", required_argument, NULL, 'j'},
        {"join-file", required_argument, NULL, 'f'},
        {"check", no_argument, NULL, 'k'},
        {"check-config", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c, status;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1)
        if ((status = take(job, c)) != EXIT_FINE)
            return status;
    return optind < argc ? misused("only options are wanted") : EXIT_FINE;
}

static int read_token(struct job *job)
{
    if (!job->join || !job->join_file)
        return EXIT_FINE;
    bool input = strcmp(job->join_file, "-") == 0;
    FILE *file = input ? stdin : fopen(job->join_file, "re");
    if (!file) {
        fprintf(stderr, "picketd: %s: %s\n", job->join_file, strerror(errno));
        return EXIT_FAILED;
    }
    setvbuf(file, NULL, _IONBF, 0); /* no copy of the secret in a buffer that nobody wipes */
    size_t size = fread(job->token, 1, TOKEN_TEXT_MAX - 1, file);
    job->token[size] = '\0';
    if (!input)
        fclose(file);
    return EXIT_FINE;
}

struct keys_to_start {
    const struct node_config *config;
    struct key_client *client;
};

/* No program can be run later. */
static bool start_keys(void *context, struct fault *fault)
{
    struct keys_to_start *keys = context;
    const struct node_config *config = keys->config;
    if (config->keys.keytab_count == 0)
        return true;
    keys->client = key_client_new(&config->keys, fault);
    return keys->client != NULL;
}

/* Before any thread is there and any byte of others is read. */
static bool give_up_rights(const struct node_config *config, struct key_client **keys_p)
{
    struct keys_to_start keys = {.config = config};
    char run[PATH_SIZE];
    struct fault fault;
    struct privileges wanted = {
        .user = config->user, .directories = {config->state, run}, .last = start_keys, .context = &keys};
    snprintf(run, sizeof(run), "%s", config->socket);
    char *slash = strrchr(run, '/');
    if (slash && slash != run)
        *slash = '\0';
    bool fine = privileges_drop(&wanted, &fault);
    *keys_p = keys.client;
    if (fine)
        return true;
    fprintf(stderr, "picketd: %s\n", fault.text);
    return false;
}

static int run(struct job *job)
{
    struct node_config *config = node_config_load(job->config);
    if (!config)
        return EXIT_FAILED;
    struct key_client *keys = NULL;
    int status = EXIT_FINE;
    if (job->check)
        printf("%s: fine\n", job->config);
    else if (!give_up_rights(config, &keys))
        status = EXIT_FAILED;
    else if (job->join)
        status = join_run(config->state, config->name, job->token);
    secret_free(job->token);
    job->token = NULL;
    if (status == EXIT_FINE && !job->check) {
        node_config_use_pushed(&config);
        status = daemon_run(config, keys);
    }
    key_client_destroy(&keys);
    node_config_free(&config);
    return status;
}

int main(int argc, char **argv)
{
    struct job job = {.config = NODE_CONFIG_FILE};
    if (!secret_forbid_dumps()) {
        fputs("picketd: core dumps cannot be forbidden\n", stderr);
        return EXIT_FAILED;
    }
    if (!crypto_sodium_start() || !(job.token = secret_alloc(TOKEN_TEXT_MAX))) {
        fputs("picketd: no randomness, or no memory for secrets\n", stderr);
        return EXIT_FAILED;
    }
    int status = parse(&job, argc, argv);
    if (status == EXIT_FINE)
        status = read_token(&job);
    if (status == EXIT_FINE)
        status = run(&job);
    secret_free(job.token);
    return status;
}
