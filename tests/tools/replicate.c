/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-replicate: the directory's part of a node alone, without a fleet: for the tests against a real
 * directory. Replicates into a store until it is ended, and says each half second, in a line of JSON, how it
 * stands. SIGUSR1: compares its copy with the directory now.
 *
 *   picket-replicate DOMAIN ACCOUNT KEYTAB STORE CONTROLLER...
 */
#include "base/clock.h"
#include "base/text.h"
#include "sync/directory.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t ended, to_compare;

static void end(int number)
{
    (void)number;
    ended = 1;
}

static void compare(int number)
{
    (void)number;
    to_compare = 1;
}

/* No spool here: what is kept in the store is all that there is. */
static bool keep(void *context, const struct sync_token *token, uint64_t sequence, struct bytes batch)
{
    (void)context, (void)token, (void)sequence, (void)batch;
    return true;
}

static void tell_health(void *context, const char *domain, enum directory_issue issue, bool raised,
                        const char *text)
{
    (void)context;
    fprintf(stderr, "%s: %s %s: %s\n", domain, directory_issue_name(issue), raised ? "raised" : "cleared",
            text);
}

static void say_progress(void *context, const struct directory_progress *progress)
{
    (void)context, (void)progress;
}

static void say_resume(void *context, const char *domain, struct bytes point)
{
    (void)context, (void)domain, (void)point;
}

static void say_found(void *context, const struct lookup_key *key, const struct guid *found)
{
    (void)context, (void)key, (void)found;
}

static void print(const struct directory_progress *p)
{
    uint64_t objects = 0;
    for (unsigned kind = 0; kind < ENTITY_KINDS; kind++)
        objects += p->counts.kinds[kind];
    printf(
        "{\"controller\":\"%s\",\"method\":\"%s\",\"mode\":\"%s\",\"reachable\":%s,\"full_pass_ended\":%lld,"
        "\"last_increment\":%lld,\"last_reconciled\":%lld,\"lag_usn\":%llu,\"applied\":%llu,\"removed\":%llu,"
        "\"refused\":%llu,"
        "\"batches\":%llu,\"mismatches\":%llu,\"errors\":%llu,\"objects\":%llu,\"links\":%llu,\"reason\":\"%"
        "s\","
        "\"last_error\":\"%s\"}\n",
        p->controller, p->method == DIRECTORY_DIRSYNC ? "dirsync" : "usn",
        p->mode == DIRECTORY_PROACTIVE ? "proactive" : "reactive", p->reachable ? "true" : "false",
        (long long)p->full_pass_ended, (long long)p->last_increment, (long long)p->last_reconciled,
        (unsigned long long)p->lag_usn, (unsigned long long)p->applied, (unsigned long long)p->removed,
        (unsigned long long)p->refused, (unsigned long long)p->batches, (unsigned long long)p->mismatches,
        (unsigned long long)p->errors, (unsigned long long)objects, (unsigned long long)p->counts.links,
        p->reason, p->last_error);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 6 || argc - 5 > (int)LDAP_CONTROLLERS_MAX) {
        fprintf(stderr, "usage: picket-replicate DOMAIN ACCOUNT KEYTAB STORE CONTROLLER...\n");
        return 2;
    }
    static struct directory_config config = {
        .domain_count = 1, .increment_period = CLOCK_SECOND / 2, .reconciliation_period = 6 * CLOCK_HOUR};
    struct ldap_client_config *domain = &config.domains[0];
    domain->domain = argv[1];
    domain->account_count = 1;
    domain->accounts[0] = (struct ldap_account){.domain = argv[1],
                                                .principal = argv[2],
                                                .keytab = argv[3],
                                                .method = LDAP_BIND_GSSAPI,
                                                .security = LDAP_SECURITY_SASL};
    for (int i = 5; i < argc; i++)
        domain->controllers[domain->controller_count++] = argv[i];
    domain->connect_timeout = domain->bind_timeout = 5 * CLOCK_SECOND;
    domain->operation_timeout = 60 * CLOCK_SECOND;
    config.store.path = argv[4];
    lookup_limits_init(&config.lookup);

    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGUSR1, compare);
    const struct directory_callbacks callbacks = {.batch = keep,
                                                  .progress = say_progress,
                                                  .resume_point = say_resume,
                                                  .health = tell_health,
                                                  .looked_up = say_found};
    struct fault fault;
    struct directory *directory = directory_new(&config, &callbacks, &fault);
    if (!directory || !directory_start(directory, &fault)) {
        fprintf(stderr, "picket-replicate: %s\n", fault.text);
        directory_destroy(&directory);
        return 1;
    }
    struct sync_token token = {.term = 1, .incarnation = 1};
    snprintf(token.domain, sizeof token.domain, "%s", argv[1]);
    directory_synchronize(directory, &token, (struct bytes){0});
    while (!ended) {
        if (to_compare) {
            to_compare = 0;
            directory_reconcile(directory, argv[1]);
        }
        static struct directory_progress progress;
        if (directory_progress(directory, 0, &progress))
            print(&progress);
        usleep(500000);
    }
    directory_stop(directory);
    directory_destroy(&directory);
    return 0;
}
