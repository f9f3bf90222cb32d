/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands about the directory: what a node replicates, knows and looks up.
 */
#include "node/command.h"
#include "node/show.h"
#include "node/show_command.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char command_sync_options[] = SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION SHOW_DOMAIN_OPTION
    "\n"
    "reconcile DOMAIN      compares the copy with the directory now, and mends it\n"
    "tail [--limit N]      shows the last batches of entities in the spool\n"
    "\nFULL PASS, INCREMENT, CHANGE, PROVED: how long ago. Figures are the synchronizer's own, as it "
    "reported them\n"
    "when it is another node.\n";
const char command_entity_options[] = SHOW_COMMON_OPTIONS
    "\nNAME: an account, DOMAIN\\account, UPN, SPN, DNS name, DN, SID or GUID. Exit status 1: not known.\n";
const char command_search_options[] = SHOW_COMMON_OPTIONS SHOW_HEADER_OPTION
    "  --limit N           at most N (100)\n"
    "  --wide              also SIDs\n"
    "\nFinds TEXT in names, accounts, UPNs, SPNs, DNS names and descriptions, in any case.\n";
const char command_lookup_options[] =
    SHOW_COMMON_OPTIONS "\nAsks the directory for NAME (as `picket entity`) although it may be known, waits "
                        "for the answer, and shows it.\n"
                        "Exit status 1: the directory has no such.\n";

int command_sync(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, SHOW_HEADER | SHOW_DOMAIN | SHOW_LIMIT, 0, 2, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    if (options.argument_count == 0) {
        json_t *request = json_pack("{ss}", "verb", "sync");
        if (options.domain)
            json_object_set_new(request, "domain", json_string(options.domain));
        return show_ask(&options, request, show_sync);
    }
    if (strcmp(options.arguments[0], "reconcile") == 0) {
        if (options.argument_count < 2)
            return command_misused(argv[0], "reconcile: of which domain?");
        return show_change(&options, "reconcile", options.arguments[1], -1);
    }
    if (strcmp(options.arguments[0], "tail") == 0 && options.argument_count == 1)
        return show_ask(
            &options,
            json_pack("{sssi}", "verb", "spool", "limit", (int)(options.limit ? options.limit : 20)),
            show_spool);
    return command_misused(argv[0], "%s: reconcile or tail is wanted", options.arguments[0]);
}

static json_t *entity_request(const char *verb, const char *name)
{
    return json_pack("{ssss}", "verb", verb, "name", name);
}

/* EXIT_FINE when it is known, else EXIT_FAILED; `answer` is the caller's when it is not NULL. */
static int ask_entity(const struct show_options *options, json_t **answer)
{
    int status = control_ask(&options->control, entity_request("entity", options->arguments[0]), answer);
    if (status != EXIT_FINE)
        *answer = NULL;
    return status == EXIT_FINE && !show_entity_found(*answer) ? EXIT_FAILED : status;
}

static int present_entity(const struct show_options *options, int status, json_t *answer)
{
    if (!answer)
        return status;
    show_answer(options, answer, show_entity);
    json_decref(answer);
    return show_finish(status);
}

int command_entity(int argc, char **argv)
{
    struct show_options options;
    json_t *answer;
    int status = show_parse(&options, 0, 1, 1, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    status = ask_entity(&options, &answer);
    return present_entity(&options, status, answer);
}

int command_search(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, SHOW_HEADER | SHOW_LIMIT | SHOW_WIDE, 1, 1, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    json_t *request = entity_request("search", options.arguments[0]);
    if (options.limit)
        json_object_set_new(request, "limit", json_integer(options.limit));
    return show_ask(&options, request, show_search);
}

/* Waits until the node has its answer: it says whether the name is still being asked for. */
static int await_look_up(const struct show_options *options)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    int patience = options->control.timeout ? options->control.timeout : 5000;
    for (; patience > 0; patience -= 100) {
        json_t *answer;
        int status = control_ask(&options->control, entity_request("lookup", options->arguments[0]), &answer);
        if (status != EXIT_FINE)
            return status;
        bool waiting = json_is_true(json_object_get(answer, "waiting"));
        json_decref(answer);
        if (!waiting)
            return EXIT_FINE;
        nanosleep(&pause, NULL);
    }
    return command_failed(options->arguments[0], "the directory has not answered in time");
}

int command_lookup(int argc, char **argv)
{
    struct show_options options;
    json_t *answer;
    int status = show_parse(&options, 0, 1, 1, argc, argv);
    if (status != EXIT_FINE)
        return show_after_help(status);
    status = await_look_up(&options);
    if (status != EXIT_FINE)
        return status;
    status = ask_entity(&options, &answer);
    return present_entity(&options, status, answer);
}
