/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands that ask a running node: one question, one table or JSON object.
 */
#include "node/command.h"
#include "node/probe.h"
#include "node/show_command.h"

#include <errno.h>
#include <string.h>

#define MEMBER_FILTERS                                                                                       \
    "  --site NAME         only members of that site\n"                                                      \
    "  --state STATE       only members in that state: online, late, offline, unheard, left, revoked\n"      \
    "  --domain NAME       only candidates of that domain\n"                                                 \
    "  --mode MODE         only sensors, or standalone ones: sensor, standalone\n"

const char command_status_options[] = SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION
    "\nExit status 3: the node answered, and the fleet has a problem (those that stand first).\n";
const char command_members_options[] = SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION MEMBER_FILTERS
    "  --wide              also addresses, generation of the key, id\n"
    "\nLAST HEARD: how long ago something new of the member came, by whomever. A star stands behind a "
    "domain\n"
    "that the member is synchronizer of.\n";
const char command_synchronizer_options[] = SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION SHOW_DOMAIN_OPTION
    "  --state STATE       only domains in that state: held, silent, electing, released, unassigned, "
    "starting\n"
    "  --wide              also this node's own state in the election\n"
    "\n"
    "yield DOMAIN          the synchronizer, whoever it is, gives the domain up: the candidates draw anew\n"
    "pin DOMAIN            this node takes the domain whenever it can, until unpin\n"
    "unpin DOMAIN          ends that\n";
const char command_why_options[] = SHOW_COMMON_OPTIONS;
const char command_peers_options[] = SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION;
const char command_reach_options[] = SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION MEMBER_FILTERS
    "  --probe             dials every address from here and tells what came of it\n";
const char command_history_options[] =
    SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION SHOW_DOMAIN_OPTION "  --limit N           only the last N\n";
const char command_reload_options[] = SHOW_COMMON_OPTIONS
    "\nWhat changes at once: the log's level and form, the reserve of the host, what is captured "
    "(capture/controllers,\n"
    "ports, bpf). What else was changed is named: it takes effect at the next start.\n";
const char command_candidate_options[] = SHOW_COMMON_OPTIONS
    "\non DOMAIN             this node may become synchronizer of the domain (its grant must name it)\n"
    "off DOMAIN            it may not; if it is, it gives the domain up\n";

int command_status(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, SHOW_HEADER, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    json_t *answer;
    status = control_ask(&options.control, json_pack("{ss}", "verb", "status"), &answer);
    if (status != EXIT_FINE)
        return status;
    show_answer(&options, answer, show_status);
    status = show_degraded(answer) ? EXIT_DEGRADED : EXIT_FINE;
    json_decref(answer);
    return show_finish(status);
}

int command_members(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, SHOW_HEADER | SHOW_FILTERS | SHOW_WIDE, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    return show_ask(&options, json_pack("{ss}", "verb", "members"), show_members);
}

int command_peers(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, SHOW_HEADER, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    return show_ask(&options, json_pack("{ss}", "verb", "peers"), show_peers);
}

int command_why(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, 0, 1, 1, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    return show_ask(&options, json_pack("{ssss}", "verb", "why", "domain", options.arguments[0]), show_why);
}

int command_history(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, SHOW_HEADER | SHOW_DOMAIN | SHOW_LIMIT, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    json_t *request = json_pack("{sssi}", "verb", "history", "limit", (int)options.limit);
    if (options.domain)
        json_object_set_new(request, "domain", json_string(options.domain));
    return show_ask(&options, request, show_history);
}

int command_reach(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, SHOW_HEADER | SHOW_FILTERS | SHOW_PROBE, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    json_t *answer;
    status = control_ask(&options.control, json_pack("{ss}", "verb", "reach"), &answer);
    if (status != EXIT_FINE)
        return status;
    show_arrange(answer, &options);
    if (options.probe)
        probe_members(answer);
    show_answer(&options, answer, show_reach);
    json_decref(answer);
    return show_finish(EXIT_FINE);
}

/* --- changes --- */

int command_reload(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, 0, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    return show_change(&options, "reload", NULL, -1);
}

int command_synchronizer(int argc, char **argv)
{
    static const struct {
        const char *word, *verb;
        int on;
    } changes[] = {{"yield", "yield", -1}, {"pin", "pin", 1}, {"unpin", "pin", 0}};
    struct show_options options;
    int status = show_parse(&options, SHOW_HEADER | SHOW_DOMAIN | SHOW_STATE | SHOW_WIDE, 0, 2, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    if (options.argument_count == 0)
        return show_ask(&options, json_pack("{ss}", "verb", "synchronizer"), show_synchronizer);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        if (strcmp(changes[i].word, options.arguments[0]) != 0)
            continue;
        if (options.argument_count < 2)
            return command_misused(argv[0], "%s: of which domain?", options.arguments[0]);
        return show_change(&options, changes[i].verb, options.arguments[1], changes[i].on);
    }
    return command_misused(argv[0], "%s: yield, pin or unpin is wanted", options.arguments[0]);
}

int command_candidate(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, 0, 2, 2, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    bool on = strcmp(options.arguments[0], "on") == 0;
    if (!on && strcmp(options.arguments[0], "off") != 0)
        return command_misused(argv[0], "%s: on or off is wanted", options.arguments[0]);
    return show_change(&options, "candidate", options.arguments[1], on);
}
