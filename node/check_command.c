/* SPDX-License-Identifier: Apache-2.0
 *
 * picket directory check: whether the domains of a configuration can be read as they must be, and what to
 * grant. Needs no running node, but the right to read the accounts' secrets.
 */
#include "node/command.h"
#include "node/node_config.h"
#include "node/show_command.h"
#include "sync/directory_check.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRANTS_MAX 32u
#define RED        "31"
#define GREEN      "32"
#define YELLOW     "33"

const char command_directory_options[] =
    "check [DOMAIN]        tests every domain controller with every account of the configuration: name, "
    "port, certificate,\n"
    "                      bind, clock, rights; tells the command that grants what is missing\n"
    "  --config FILE       picketd's configuration (" NODE_CONFIG_FILE ")\n"
    "  --json              one JSON object\n"
    "\nExit status 1: a domain cannot be read.\n";

struct check {
    struct show_style style;
    bool json;
    const char *domain;
    json_t *results;
    char grants_windows[GRANTS_MAX][512], grants_samba[GRANTS_MAX][512];
    unsigned grant_count;
    char controller[256], account[256]; /* of the last line */
};

static const char *word_of(const struct check_result *result)
{
    if (result->verdict == CHECK_PASSED)
        return "ok";
    if (result->verdict == CHECK_SKIPPED)
        return "skipped";
    return result->required ? "FAILED" : "missing";
}

static const char *colour_of(const struct check_result *result)
{
    if (result->verdict == CHECK_PASSED)
        return GREEN;
    if (result->verdict == CHECK_SKIPPED)
        return NULL;
    return result->required ? RED : YELLOW;
}

/* Each command once, whichever controller found it missing. */
static void keep_grant(struct check *check, const struct check_result *result)
{
    if (!*result->grant_windows && !*result->grant_samba)
        return;
    for (unsigned i = 0; i < check->grant_count; i++)
        if (strcmp(check->grants_windows[i], result->grant_windows) == 0 &&
            strcmp(check->grants_samba[i], result->grant_samba) == 0)
            return;
    if (check->grant_count == GRANTS_MAX)
        return;
    unsigned i = check->grant_count++;
    snprintf(check->grants_windows[i], sizeof(check->grants_windows[i]), "%s", result->grant_windows);
    snprintf(check->grants_samba[i], sizeof(check->grants_samba[i]), "%s", result->grant_samba);
}

static void add_json(struct check *check, const struct check_result *result)
{
    static const char *const verdicts[] = {
        [CHECK_PASSED] = "passed", [CHECK_FAILED] = "failed", [CHECK_SKIPPED] = "skipped"};
    json_array_append_new(check->results,
                          json_pack("{sssssssssssbssssss}", "domain", check->domain, "controller",
                                    result->controller, "account", result->account, "check",
                                    check_kind_name(result->kind), "verdict", verdicts[result->verdict],
                                    "required", result->required, "what", result->what, "grant_windows",
                                    result->grant_windows, "grant_samba", result->grant_samba));
}

static void hear(void *context, const struct check_result *result)
{
    struct check *check = context;
    if (check->json) {
        add_json(check, result);
        return;
    }
    if (strcmp(check->controller, result->controller) != 0 || strcmp(check->account, result->account) != 0) {
        snprintf(check->controller, sizeof(check->controller), "%s", result->controller);
        snprintf(check->account, sizeof(check->account), "%s", result->account);
        if (*result->controller)
            show_line(&check->style, NULL, "  %s as %s", result->controller, result->account);
    }
    show_line(&check->style, colour_of(result), "    %-8s %-24s %s", word_of(result),
              check_kind_name(result->kind), result->what);
    keep_grant(check, result);
}

static void show_grants(const struct check *check)
{
    for (unsigned i = 0; i < check->grant_count; i++) {
        show_line(&check->style, NULL,
                  i ? "  or, for the next:" : "  to grant what is missing, on a domain controller:");
        show_line(&check->style, NULL, "    Windows: %s", check->grants_windows[i]);
        show_line(&check->style, NULL, "    Samba:   %s", check->grants_samba[i]);
    }
}

/* False: the domain cannot be read. */
static bool check_domain(struct check *check, const struct ldap_client_config *domain)
{
    static const atomic_bool never;
    struct fault fault = {""};
    check->domain = domain->domain;
    check->grant_count = 0;
    check->controller[0] = check->account[0] = '\0';
    if (!check->json)
        show_line(&check->style, "1", "%s", domain->domain);
    bool fine = directory_check(domain, hear, check, &never, &fault);
    if (*fault.text)
        fprintf(stderr, "picket: %s: %s\n", domain->domain, fault.text);
    if (check->json)
        return fine;
    show_grants(check);
    show_line(&check->style, fine ? GREEN : RED, "  %s", fine ? "it can be read" : "it cannot be read");
    return fine;
}

static int check_all(struct check *check, const struct directory_config *directory, const char *only)
{
    bool fine = true;
    unsigned checked = 0;
    for (unsigned i = 0; i < directory->domain_count; i++) {
        if (only && strcasecmp(only, directory->domains[i].domain) != 0)
            continue;
        checked++;
        fine &= check_domain(check, &directory->domains[i]);
    }
    if (checked == 0) {
        fprintf(stderr,
                "picket: directory check: the configuration has no account%s%s (directory/accounts)\n",
                only ? " for " : "", only ? only : "");
        return EXIT_FAILED;
    }
    return fine ? EXIT_FINE : EXIT_FAILED;
}

static int run_check(const char *path, bool json, const char *only)
{
    struct node_config *config = node_config_load(path);
    const struct show_options plain = {.json = json};
    if (!config)
        return EXIT_FAILED;
    struct check *check = calloc(1, sizeof(*check));
    int status = EXIT_FAILED;
    if (check) {
        check->style = show_style_of(&plain);
        check->json = json;
        check->results = json_array();
        status = check_all(check, &config->directory, only);
        if (json) {
            json_t *answer =
                json_pack("{sisbso}", "schema", 1, "passed", status == EXIT_FINE, "results", check->results);
            show_json(stdout, answer, false);
            json_decref(answer);
        } else {
            json_decref(check->results);
        }
    }
    free(check);
    node_config_free(&config);
    return show_finish(status);
}

int command_directory(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *path = NODE_CONFIG_FILE;
    bool json = false;
    int c;
    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'h') {
            command_print_help(command_find(argv[0]), stdout);
            return EXIT_FINE;
        }
        if (c == '?')
            return command_misused(argv[0], "%s: no such option, or its value is missing", argv[optind - 1]);
        if (c == 'c')
            path = optarg;
        json |= c == 'j';
    }
    if (optind == argc || strcmp(argv[optind], "check") != 0)
        return command_misused(argv[0], "check is wanted");
    if (argc - optind > 2)
        return command_misused(argv[0], "%s: too much", argv[optind + 2]);
    return run_check(path, json, argc - optind == 2 ? argv[optind + 1] : NULL);
}
