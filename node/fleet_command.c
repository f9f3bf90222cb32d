/* SPDX-License-Identifier: Apache-2.0
 *
 * picket fleet: who belongs to the fleet. Options, and the table of verbs.
 */
#include "base/clock.h"
#include "node/command.h"
#include "node/fleet.h"
#include "node/option.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char command_fleet_options[] =
    "create                makes a fleet: its authority, and this host's node as its first member\n"
    "  --name NAME         of this node\n"
    "  --enrol-at ENDPOINT HOST:PORT where this node will listen for nodes that join; several with commas\n"
    "invite                prints a token with which one node can join\n"
    "  --name NAME         that the node must have; otherwise it chooses\n"
    "  --expires TIME      the token is good for so long: 90s, 30min, 1h (1h), at most 7d\n"
    "  --enroller NODE     that the new node shall ask; needed when the fleet has several\n"
    "  --enrol-at ENDPOINT where that one listens, when this host does not know it\n"
    "create, invite:\n"
    "  --site NAME         where the node is\n"
    "  --mode MODE         sensor (on a domain controller; the default) or standalone\n"
    "  --candidate-for DOMAIN  that the node may become synchronizer of; several with commas\n"
    "  --workspace NAME    of the center, where what the node delivers belongs; otherwise the center's rules "
    "say\n"
    "revoke NODE...        throws nodes out, at once and for good\n"
    "rotate                gives this node a new key; with --authority: offline, signed by the authority\n"
    "enroller add NODE     lets a node enrol others\n"
    "enroller remove NODE  ends that; nodes that it enrolled stay\n"
    "publish               tells this host's node the authority's newest policy\n"
    "passphrase            sets another passphrase\n"
    "  --new-passphrase-file FILE  the new one\n"
    "show                  what this host knows of the fleet\n"
    "  --json              as one JSON object\n"
    "\n"
    "  --directory DIR     of the node's identity (/var/lib/picket)\n"
    "  --authority FILE    the authority (authority, in the directory)\n"
    "  --passphrase-file FILE  its passphrase, instead of asking on the terminal\n"
    "  --cost COST         of guessing a passphrase that is set: interactive, moderate (the default) or\n"
    "                      sensitive: 64 MiB, 256 MiB, 1 GiB of memory\n"
    "  --socket PATH       the node's control socket ($PICKET_SOCKET, /run/picket/control)\n"
    "  --timeout SECONDS   how long to wait for the node (5)\n"
    "\n"
    "NODE is a name, or an id of 32 digits.\n";

static const struct verb {
    const char *name;
    int low, high; /* further arguments */
    int (*run)(struct fleet_job *job);
} verbs[] = {
    {"create", 0, 0, fleet_create},
    {"invite", 0, 0, fleet_invite},
    {"revoke", 1, 256, fleet_revoke},
    {"rotate", 0, 0, fleet_rotate},
    {"enroller", 2, 2, fleet_enroller},
    {"publish", 0, 0, fleet_publish},
    {"passphrase", 0, 0, fleet_change_passphrase},
    {"show", 0, 0, fleet_show},
};

/* -- options -------------------------------------------------------------------------------------- */

/* Each item between commas, in lower case when they are `lower`. */
static bool add_list(const char *text, char *rows, size_t capacity, unsigned max, unsigned *count, bool lower,
                     bool (*valid)(const char *))
{
    while (*text) {
        size_t size = strcspn(text, ",");
        if (*count == max || size >= capacity)
            return false;
        char *row = rows + *count * capacity;
        for (size_t i = 0; i < size; i++)
            row[i] = lower && text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
        row[size] = '\0';
        if (!valid(row))
            return false;
        ++*count;
        text += size;
        if (*text)
            text++;
    }
    return true;
}

/* Seconds of "90s", "30min", "1h", "2d". */
static bool parse_time(const char *text, uint64_t *seconds)
{
    static const struct {
        const char *unit;
        uint64_t seconds;
    } units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    char *unit;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long number = strtoul(text, &unit, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].unit) != 0)
            continue;
        *seconds = number * units[i].seconds;
        return number > 0 && number <= FLEET_LONGEST && *seconds <= FLEET_LONGEST;
    }
    return false;
}

static bool parse_cost(const char *text, struct authority_cost *cost)
{
    static const struct {
        const char *name;
        struct authority_cost cost;
    } costs[] = {
        {"interactive",
         {crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE, crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE}},
        {"moderate", {crypto_pwhash_argon2id_OPSLIMIT_MODERATE, crypto_pwhash_argon2id_MEMLIMIT_MODERATE}},
        {"sensitive", {crypto_pwhash_argon2id_OPSLIMIT_SENSITIVE, crypto_pwhash_argon2id_MEMLIMIT_SENSITIVE}},
    };
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        if (strcmp(costs[i].name, text) == 0) {
            *cost = costs[i].cost;
            return true;
        }
    }
    return false;
}

static bool parse_mode(const char *text, enum node_mode *mode)
{
    *mode = strcmp(text, "standalone") == 0 ? MODE_STANDALONE : MODE_SENSOR;
    return *mode == MODE_STANDALONE || strcmp(text, "sensor") == 0;
}

static bool parse_name(const char *text, char to[NAME_MAX_SIZE])
{
    if (!name_valid(text))
        return false;
    memcpy(to, text, strlen(text) + 1);
    return true;
}

static bool parse_timeout(const char *text, int *ms)
{
    int64_t seconds;
    if (!option_number(text, 1, 3600, &seconds))
        return false;
    *ms = (int)seconds * 1000;
    return true;
}

static const struct option options[] = {
    {"directory", required_argument, NULL, 'd'},
    {"authority", required_argument, NULL, 'a'},
    {"passphrase-file", required_argument, NULL, 'p'},
    {"new-passphrase-file", required_argument, NULL, 'P'},
    {"cost", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, 'j'},
    {"socket", required_argument, NULL, 'S'},
    {"timeout", required_argument, NULL, 't'},
    {"name", required_argument, NULL, 'n'},
    {"site", required_argument, NULL, 's'},
    {"mode", required_argument, NULL, 'm'},
    {"candidate-for", required_argument, NULL, 'f'},
    {"workspace", required_argument, NULL, 'w'},
    {"expires", required_argument, NULL, 'x'},
    {"enroller", required_argument, NULL, 'e'},
    {"enrol-at", required_argument, NULL, 'E'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* Returns what is wanted instead; NULL when the value is fine. */
static const char *take_option(struct fleet_job *job, int option, const char *value)
{
    switch (option) {
    case 'd':
        job->directory = value;
        return NULL;
    case 'a':
        job->authority_given = true;
        return snprintf(job->authority_path, PATH_SIZE, "%s", value) < PATH_SIZE ? NULL : "a shorter path";
    case 'p':
        job->passphrase_file = value;
        return NULL;
    case 'P':
        job->new_passphrase_file = value;
        return NULL;
    case 'c':
        return parse_cost(value, &job->cost) ? NULL : "interactive, moderate or sensitive";
    case 'j':
        job->json = true;
        return NULL;
    case 'S':
        job->control.socket = value;
        return NULL;
    case 't':
        return parse_timeout(value, &job->control.timeout) ? NULL : "a number of seconds from 1 to 3600";
    case 'n':
        job->name = value;
        return name_valid(value) ? NULL : "1 to 63 letters, digits, dots, hyphens, underscores";
    case 's':
        return parse_name(value, job->site) ? NULL : "1 to 63 letters, digits, dots, hyphens, underscores";
    case 'w':
        return parse_name(value, job->workspace) ? NULL
                                                 : "1 to 63 letters, digits, dots, hyphens, underscores";
    case 'm':
        return parse_mode(value, &job->mode) ? NULL : "sensor or standalone";
    case 'f':
        return add_list(value, job->domains[0], DOMAIN_MAX_SIZE, GRANT_DOMAINS, &job->domain_count, true,
                        domain_valid)
                   ? NULL
                   : "at most 8 DNS names of domains, with commas";
    case 'x':
        return parse_time(value, &job->expires) ? NULL : "a time like 90s, 30min, 1h, at most 7d";
    case 'e':
        job->enroller = value;
        return NULL;
    default: /* 'E' */
        return add_list(value, job->endpoints[0], ENDPOINT_MAX_SIZE, RECORD_ENDPOINTS, &job->endpoint_count,
                        false, endpoint_valid)
                   ? NULL
                   : "at most 4 of HOST:PORT, with commas";
    }
}

/* EXIT_FINE; EXIT_USAGE, told; -1 after the help was shown. */
static int parse(struct fleet_job *job, int argc, char **argv)
{
    int option, index = 0;
    optind = 1;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == 'h') {
            command_print_help(command_find(argv[0]), stdout);
            return -1;
        }
        if (option == '?')
            return command_misused(argv[0], "%s: no such option, or its value is missing", argv[optind - 1]);
        const char *wanted = take_option(job, option, optarg);
        if (wanted)
            return command_misused(argv[0], "--%s %s: wanted is %s", options[index].name, optarg, wanted);
    }
    if (optind == argc)
        return command_misused(argv[0], "a verb is wanted: create, invite, revoke, ...");
    job->verb = argv[optind++];
    job->arguments = argv + optind;
    job->argument_count = argc - optind;
    if (!job->authority_given && !path_join(job->authority_path, job->directory, "authority", &job->fault))
        return fleet_failed(job);
    return EXIT_FINE;
}

/* -- the command ---------------------------------------------------------------------------------- */

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int run(struct fleet_job *job)
{
    const struct verb *verb = find_verb(job->verb);
    if (!verb)
        return command_misused("fleet", "there is no verb \"%s\"", job->verb);
    if (job->argument_count < verb->low)
        return command_misused("fleet", "%s: something is missing", verb->name);
    if (job->argument_count > verb->high)
        return command_misused("fleet", "%s: \"%s\" is too much", verb->name, job->arguments[verb->high]);
    job->authority = calloc(1, sizeof *job->authority);
    job->secret = secret_alloc(sizeof *job->secret);
    if (!job->authority || !job->secret)
        return command_failed("fleet", "no memory");
    return verb->run(job);
}

int command_fleet(int argc, char **argv)
{
    struct fleet_job *job = calloc(1, sizeof *job);
    if (!job || !secret_forbid_dumps() || !crypto_sodium_start())
        return command_failed("fleet", "no memory, no randomness, or core dumps cannot be forbidden");
    job->directory = FLEET_DIRECTORY;
    job->cost = authority_cost_default;
    job->expires = FLEET_EXPIRES;
    job->lock = -1;
    int status = parse(job, argc, argv);
    if (status == EXIT_FINE)
        status = run(job);
    free(job->authority);
    secret_free(job->secret);
    if (job->lock >= 0)
        close(job->lock);
    free(job);
    return status < 0 ? EXIT_FINE : status;
}
