/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory's client on the command line, for the tests that run it against a real directory:
 * ldap_probe KEY=VALUE ... ; every step is said on standard output, a line each.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "sync/directory_check.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe {
    struct ldap_client *client;
    const char *base, *filter, *attributes[16];
    bool dirsync, extended_dn, show_deleted;
    uint32_t flags, page, abandon_after, searches;
    uint64_t bytes_max;
    uint8_t cookie[4096];
    size_t cookie_size;
    unsigned pending; /* operations in flight */
    uint64_t objects, values;
    bool quiet, done, verbose;
    bool once; /* ends when nobody could be bound to, instead of trying again */
    int rounds;
    int64_t every, asked_at; /* ns: asks again and again until the time is up */
};

static void print_bytes(struct bytes b)
{
    char shown[512];
    struct text t = text_to(shown, sizeof shown);
    bool plain = true;
    for (size_t i = 0; i < b.size; i++)
        plain &= b.data[i] >= 0x20 && b.data[i] < 0x7f;
    if (plain)
        text_display(&t, b);
    else
        text_hex(&t, b);
    text_end(&t);
    fputs(shown, stdout);
}

static void object(void *context, uint32_t operation, const struct directory_object *is)
{
    struct probe *p = context;
    p->objects++;
    if (!p->quiet) {
        printf("object ");
        print_bytes(is->dn);
        putchar('\n');
    }
    for (uint32_t i = 0; i < is->attribute_count; i++) {
        p->values += is->attributes[i].value_count;
        for (uint32_t j = 0; p->verbose && j < is->attributes[i].value_count; j++) {
            printf("  %.*s: ", (int)is->attributes[i].name.size, (const char *)is->attributes[i].name.data);
            print_bytes(is->attributes[i].values[j]);
            putchar('\n');
        }
    }
    if (p->abandon_after && p->objects == p->abandon_after)
        ldap_client_abandon(p->client, operation);
}

static void ask(struct probe *p)
{
    struct ldap_query query = {
        .base = p->base ? p->base : ldap_client_peer(p->client)->default_context,
        .scope = LDAP_SUBTREE,
        .filter = p->filter,
        .attributes = p->attributes[0] ? p->attributes : NULL,
        .bytes_max = p->bytes_max,
        .extended_dn = p->extended_dn,
        .show_deleted = p->show_deleted,
        .dirsync = p->dirsync,
        .dirsync_flags = p->flags,
        .dirsync_bytes = 1u << 20,
        .cookie = {p->cookie, p->cookie_size},
        .page_size = p->page,
    };
    p->asked_at = clock_monotonic(clock_system());
    for (uint32_t i = 0; i < p->searches; i++)
        if (ldap_client_search(p->client, &query))
            p->pending++;
        else
            puts("not asked");
}

static void result(void *context, uint32_t operation, const struct ldap_result *is)
{
    struct probe *p = context;
    printf("result %u outcome=%d code=%d objects=%llu bytes=%llu referrals=%llu more=%d cookie=%zu text=%s\n",
           operation - 1000, is->outcome, is->code, (unsigned long long)is->objects,
           (unsigned long long)is->bytes, (unsigned long long)is->referrals, is->more, is->cookie.size,
           is->text);
    fflush(stdout);
    if (is->cookie.size <= sizeof p->cookie) {
        memcpy(p->cookie, is->cookie.data ? is->cookie.data : (const uint8_t *)"", is->cookie.size);
        p->cookie_size = is->cookie.size;
    }
    if (--p->pending > 0 || p->every)
        return;
    if (is->outcome == LDAP_OUTCOME_DONE && (is->more || --p->rounds > 0))
        ask(p);
    else
        p->done = true;
}

static void state(void *context, enum ldap_client_state is, const struct ldap_peer *peer, const char *reason)
{
    static const char *const names[] = {"idle", "connecting", "bound", "waiting", "refused"};
    struct probe *p = context;
    printf("state %s %s\n", names[is], reason);
    if (peer) {
        printf("peer %s %s %s usn=%llu dirsync=%d level=%u clock=%lld ms invocation=", peer->dns_host_name,
               peer->account, peer->default_context, (unsigned long long)peer->highest_usn, peer->dirsync,
               peer->functional_level, (long long)(peer->clock_difference / CLOCK_MILLISECOND));
        print_bytes((struct bytes){peer->invocation_id, 16});
        putchar('\n');
        if (!p->filter)
            p->done = true;
        else if (!p->every)
            ask(p);
    }
    fflush(stdout);
    if ((is == LDAP_CLIENT_REFUSED && !p->every) || (is == LDAP_CLIENT_WAITING && p->once))
        p->done = true;
}

static void checked(void *context, const struct check_result *is)
{
    static const char *const verdicts[] = {"passed", "failed", "skipped"};
    (void)context;
    printf("check %s %s %s %s: %s\n", verdicts[is->verdict], check_kind_name(is->kind), is->controller,
           is->account, is->what);
    if (is->grant_windows[0])
        printf("windows %s\n", is->grant_windows);
    if (is->grant_samba[0])
        printf("samba %s\n", is->grant_samba);
}

static int check(const struct ldap_client_config *config)
{
    static const atomic_bool never;
    struct fault fault = {.text = ""};
    bool passed = directory_check(config, checked, NULL, &never, &fault);
    printf("%s %s\n", passed ? "fine" : "not fine", fault.text);
    return passed ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct probe probe = {.rounds = 1, .searches = 1};
    struct ldap_client_config config = {.connect_timeout = 5 * CLOCK_SECOND,
                                        .bind_timeout = 10 * CLOCK_SECOND,
                                        .operation_timeout = CLOCK_MINUTE};
    int64_t seconds = 100;
    unsigned attribute = 0;
    bool checking = false;
    int64_t jump = 0, ahead = 0; /* once bound the client is told that so much time has passed */
    struct ldap_account *account = config.accounts;
    config.account_count = 1;
    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value)
            return 2;
        *value++ = 0;
        const char *key = argv[i];
        if (!strcmp(key, "domain"))
            config.domain = value;
        else if (!strcmp(key, "site"))
            config.site = value;
        else if (!strcmp(key, "dc"))
            config.controllers[config.controller_count++] = value;
        else if (!strcmp(key, "ca"))
            config.ca_file = value;
        else if (!strcmp(key, "account")) {
            if (account->principal)
                account = &config.accounts[config.account_count++];
            account->principal = value;
            account->domain = config.domain;
        } else if (!strcmp(key, "of"))
            account->domain = value;
        else if (!strcmp(key, "keytab"))
            account->keytab = value;
        else if (!strcmp(key, "password"))
            account->password_file = value;
        else if (!strcmp(key, "bind"))
            account->method = !strcmp(value, "simple")   ? LDAP_BIND_SIMPLE
                              : !strcmp(value, "spnego") ? LDAP_BIND_SPNEGO
                                                         : LDAP_BIND_GSSAPI;
        else if (!strcmp(key, "security"))
            account->security = !strcmp(value, "ldaps")      ? LDAP_SECURITY_LDAPS
                                : !strcmp(value, "starttls") ? LDAP_SECURITY_STARTTLS
                                                             : LDAP_SECURITY_SASL;
        else if (!strcmp(key, "base"))
            probe.base = value;
        else if (!strcmp(key, "filter"))
            probe.filter = value;
        else if (!strcmp(key, "attribute") && attribute < 15)
            probe.attributes[attribute++] = value;
        else if (!strcmp(key, "dirsync")) {
            probe.dirsync = true;
            probe.flags = (uint32_t)strtoul(value, NULL, 0);
        } else if (!strcmp(key, "page"))
            probe.page = (uint32_t)atoi(value);
        else if (!strcmp(key, "extended"))
            probe.extended_dn = true;
        else if (!strcmp(key, "deleted"))
            probe.show_deleted = true;
        else if (!strcmp(key, "rounds"))
            probe.rounds = atoi(value);
        else if (!strcmp(key, "searches"))
            probe.searches = (uint32_t)atoi(value);
        else if (!strcmp(key, "abandon"))
            probe.abandon_after = (uint32_t)atoi(value);
        else if (!strcmp(key, "bytes"))
            probe.bytes_max = strtoull(value, NULL, 10);
        else if (!strcmp(key, "seconds"))
            seconds = atoi(value);
        else if (!strcmp(key, "timeout"))
            config.operation_timeout = atoi(value) * CLOCK_SECOND;
        else if (!strcmp(key, "patience"))
            config.connect_timeout = config.bind_timeout = atoi(value) * CLOCK_SECOND;
        else if (!strcmp(key, "once"))
            probe.once = true;
        else if (!strcmp(key, "every"))
            probe.every = atoi(value) * CLOCK_MILLISECOND;
        else if (!strcmp(key, "jump"))
            jump = atoi(value) * CLOCK_SECOND;
        else if (!strcmp(key, "log")) {
            log_set_level(LOG_LEVEL_INFO);
            log_set_output(1);
        } else if (!strcmp(key, "quiet"))
            probe.quiet = true;
        else if (!strcmp(key, "verbose"))
            probe.verbose = true;
        else if (!strcmp(key, "check"))
            checking = true;
        else {
            fprintf(stderr, "%s?\n", key);
            return 2;
        }
    }
    if (checking)
        return check(&config);
    struct ldap_callbacks callbacks = {.object = object, .result = result, .state = state, .context = &probe};
    struct fault fault;
    probe.client = ldap_client_new(&config, &callbacks, &fault);
    if (!probe.client) {
        printf("no client: %s\n", fault.text);
        return 1;
    }
    int64_t end = clock_monotonic(clock_system()) + seconds * CLOCK_SECOND;
    while (!probe.done) {
        int64_t now = clock_monotonic(clock_system());
        if (now >= end) {
            puts("time is up");
            break;
        }
        ldap_client_run(probe.client, now + ahead, 100 * CLOCK_MILLISECOND);
        if (probe.done)
            break;
        bool bound = ldap_client_peer(probe.client) != NULL;
        if (bound && jump && probe.objects) {
            ahead = jump;
            jump = 0;
        }
        if (bound && probe.every && !probe.pending && now - probe.asked_at >= probe.every)
            ask(&probe);
        struct pollfd descriptors[8];
        int64_t deadline;
        unsigned count = ldap_client_poll(probe.client, descriptors, 8, &deadline);
        now = clock_monotonic(clock_system());
        int64_t left = (deadline - ahead < end ? deadline - ahead : end) - now;
        if (probe.every && left > probe.every)
            left = probe.every;
        poll(descriptors, count, left <= 0 ? 0 : (int)(left / CLOCK_MILLISECOND) + 1);
    }
    ldap_client_destroy(&probe.client);
    printf("objects %llu values %llu\n", (unsigned long long)probe.objects, (unsigned long long)probe.values);
    return probe.done ? 0 : 1;
}
