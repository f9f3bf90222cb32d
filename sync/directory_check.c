/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/directory_check.h"

#include "base/clock.h"
#include "base/sid.h"
#include "base/text.h"
#include "sync/ldap_dial.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DN_MAX      768u
#define COMMAND_MAX 2048u
#define CLOCK_LIMIT (5 * CLOCK_MINUTE)                     /* Kerberos' own, RFC 4120 section 1.6 */
#define GET_CHANGES "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2" /* DS-Replication-Get-Changes */
#define DELETED     "CN=Deleted Objects,"

static const char *const names[CHECK_KINDS] = {
    [CHECK_CONTROLLERS] = "controllers",
    [CHECK_RESOLVE] = "resolve",
    [CHECK_CONNECT] = "connect",
    [CHECK_CERTIFICATE] = "certificate",
    [CHECK_BIND] = "bind",
    [CHECK_DOMAIN] = "domain",
    [CHECK_CLOCK] = "clock",
    [CHECK_DIRSYNC] = "dirsync",
    [CHECK_DIRSYNC_CONFIGURATION] = "dirsync-configuration",
    [CHECK_DELETED] = "deleted-objects",
    [CHECK_CONFIGURATION] = "configuration",
    [CHECK_RANGES] = "ranges",
    [CHECK_READING] = "reading",
};

const char *check_kind_name(enum check_kind kind)
{
    return names[kind];
}

/* Without these nothing works: a domain that is only polled and reconciled is still read. */
static bool is_required(enum check_kind kind)
{
    return kind <= CHECK_CLOCK;
}

struct check {
    const struct ldap_client_config *config;
    void (*result)(void *context, const struct check_result *result);
    void *context;
    const atomic_bool *cancelled;
    bool any_passed; /* everything required, with one controller and account */
    bool refused[LDAP_ACCOUNTS_MAX];
    /* of the controller and account at hand */
    const struct controller *controller;
    const struct ldap_account *account;
    struct ldap_dial_outcome dialled;
    struct ldap_exchange exchange;
    bool failed;
    bool replicates;   /* the domain's changes */
    char trustee[300]; /* the account, as dsacls takes it */
    char sid[192];     /* of the account; "": not found */
};

static void tell(struct check *c, enum check_kind kind, enum check_verdict verdict, const char *what,
                 const char *windows, const char *samba)
{
    struct check_result result = {
        .kind = kind,
        .controller = c->controller ? c->controller->host : "",
        .account = c->account ? c->account->principal : "",
        .verdict = verdict,
        .required = is_required(kind),
        .what = what,
        .grant_windows = windows,
        .grant_samba = samba,
    };
    if (verdict == CHECK_FAILED && result.required)
        c->failed = true;
    c->result(c->context, &result);
}

static void say(struct check *c, enum check_kind kind, bool passed, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void say(struct check *c, enum check_kind kind, bool passed, const char *format, ...)
{
    char what[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    tell(c, kind, passed ? CHECK_PASSED : CHECK_FAILED, what, "", "");
}

static void skip(struct check *c, enum check_kind first, const char *why)
{
    for (enum check_kind kind = first; kind < CHECK_KINDS; kind++)
        tell(c, kind, CHECK_SKIPPED, why, "", "");
}

/* --- questions --- */

/* What every account or unit has some of. */
static const char *const sampled[] = {
    "objectGUID", "sAMAccountName", "userAccountControl", "pwdLastSet", "whenCreated", "objectClass", NULL};

struct seen {
    uint64_t objects;
    uint64_t attributes; /* of those sampled */
    bool guid;           /* an object's GUID came: it can be read, not only named */
    bool range;          /* an attribute came with a range */
    char account[160];
    uint8_t sid[SID_BYTES_MAX];
    size_t sid_size;
};

static void see(void *context, const struct directory_object *object)
{
    struct seen *seen = context;
    seen->objects++;
    for (size_t i = 0; sampled[i]; i++) {
        const struct directory_attribute *one = directory_object_find(object, sampled[i]);
        seen->attributes += one && one->value_count;
    }
    const struct directory_attribute *a = directory_object_find(object, "objectSid");
    if (a && a->value_count == 1 && a->values[0].size <= sizeof seen->sid) {
        seen->sid_size = a->values[0].size;
        memcpy(seen->sid, a->values[0].data, seen->sid_size);
    }
    a = directory_object_find(object, "objectGUID");
    seen->guid |= a && a->value_count == 1;
    a = directory_object_find(object, "sAMAccountName");
    if (a && a->value_count == 1) {
        struct text t = text_to(seen->account, sizeof seen->account);
        text_display(&t, a->values[0]);
        text_end(&t);
    }
    a = directory_object_find(object, "member");
    if (a && a->name.size > strlen("member;range=") && memcmp(a->name.data, "member;range=", 13) == 0)
        seen->range = a->value_count > 0;
}

static bool ask(struct check *c, const struct ldap_query *query, struct seen *seen, int *code,
                struct fault *fault)
{
    struct ldap_reply reply;
    struct ldap_answer answer;
    *seen = (struct seen){0};
    c->exchange.deadline = clock_monotonic(clock_system()) + c->config->operation_timeout;
    if (!ldap_ask(&c->exchange, query, see, seen, &reply, &answer, fault))
        return false;
    *code = answer.code;
    return true;
}

/* What a directory says goes into a command that an administrator will run: nothing in it may mean anything
 * to a shell.
 */
static bool is_safe(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=,._- @")] == 0;
}

/* Its SID and name, as commands take them. */
static void find_account(struct check *c)
{
    static const char *const wanted[] = {"objectSid", "sAMAccountName", NULL};
    const char *principal = c->account->principal;
    const char *at = strrchr(principal, '@');
    bool is_dn = strchr(principal, '=') != NULL;
    char name[512], escaped[1024], whole[1024], filter[2200];
    (void)snprintf(name, sizeof name, "%.*s", at ? (int)(at - principal) : (int)strlen(principal), principal);
    (void)snprintf(c->trustee, sizeof c->trustee, "%.290s", principal);
    c->sid[0] = 0;
    if (!ldap_filter_escape(escaped, sizeof escaped, (struct bytes){(const uint8_t *)name, strlen(name)}) ||
        !ldap_filter_escape(whole, sizeof whole,
                            (struct bytes){(const uint8_t *)principal, strlen(principal)}))
        return;
    (void)snprintf(filter, sizeof filter, "(|(sAMAccountName=%s)(userPrincipalName=%s))", escaped, whole);
    struct ldap_query query = {
        .base = is_dn ? principal : c->dialled.peer.default_context,
        .scope = is_dn ? LDAP_BASE : LDAP_SUBTREE,
        .filter = is_dn ? "(objectClass=*)" : filter,
        .attributes = wanted,
        .size_limit = 2,
    };
    struct seen seen;
    struct fault ignored;
    int code;
    if (!ask(c, &query, &seen, &code, &ignored) || seen.objects != 1)
        return;
    if (seen.account[0] && is_safe(seen.account))
        (void)snprintf(c->trustee, sizeof c->trustee, "%s@%.120s", seen.account, c->config->domain);
    struct text t = text_to(c->sid, sizeof c->sid);
    sid_text(&t, (struct bytes){seen.sid, seen.sid_size});
    text_end(&t);
}

/* --- rights --- */

static void lacks(struct check *c, enum check_kind kind, const char *dn, const char *what,
                  const char *windows, const char *samba)
{
    bool can = is_safe(dn) && is_safe(c->trustee);
    tell(c, kind, CHECK_FAILED, what, can ? windows : "", can && c->sid[0] ? samba : "");
}

static void check_dirsync(struct check *c, enum check_kind kind, const char *context)
{
    static const char *const wanted[] = {"objectGUID", NULL};
    struct ldap_query query = {
        .base = context,
        .scope = LDAP_SUBTREE,
        .filter = "(objectClass=domainDNS)", /* few or none: the right is what is asked for */
        .attributes = wanted,
        .dirsync = true,
        .dirsync_bytes = 4096,
    };
    struct seen seen;
    struct fault fault = {.text = ""};
    int code = 0;
    if (!ask(c, &query, &seen, &code, &fault)) {
        say(c, kind, false, "%s", fault.text);
        return;
    }
    if (code == LDAP_CODE_SUCCESS) {
        c->replicates |= kind == CHECK_DIRSYNC;
        say(c, kind, true, "changes of %s can be replicated", context);
        return;
    }
    char what[DN_MAX + 128], windows[COMMAND_MAX], samba[COMMAND_MAX];
    (void)snprintf(what, sizeof what, "no right \"Replicating Directory Changes\" on %s (code %d)", context,
                   code);
    (void)snprintf(windows, sizeof windows, "dsacls \"%s\" /G \"%s:CA;Replicating Directory Changes\"",
                   context, c->trustee);
    (void)snprintf(samba, sizeof samba,
                   "samba-tool dsacl set --objectdn=\"%s\" --sddl=\"(OA;;CR;" GET_CHANGES ";;%s)\"", context,
                   c->sid);
    lacks(c, kind, context, what, windows, samba);
}

/* samba-tool does not see the container of deleted objects: its own Python modules do. */
static void samba_for_deleted(char *to, size_t capacity, const char *dn, const char *sid)
{
    (void)snprintf(
        to, capacity,
        "python3 -c 'from samba.param import LoadParm; from samba.samdb import SamDB; from samba.auth import "
        "system_session; from samba.sd_utils import SDUtils; from samba.dcerpc.security import dom_sid; lp = "
        "LoadParm(); lp.load_default(); db = SamDB(session_info=system_session(), lp=lp); u = SDUtils(db); c "
        "= [\"show_deleted:1\"]; dn = \"%s\"; sd = u.read_sd_on_dn(dn, "
        "c).as_sddl(dom_sid(str(db.get_domain_sid()))); i = sd.index(\"(\", sd.index(\"D:\")); "
        "u.modify_sd_on_dn(dn, sd[:i] + \"(A;CI;RPLCLORC;;;%s)\" + sd[i:], c)'",
        dn, sid);
}

static void check_deleted(struct check *c)
{
    static const char *const wanted[] = {"objectGUID", NULL};
    char dn[DN_MAX];
    (void)snprintf(dn, sizeof dn, DELETED "%s", c->dialled.peer.default_context);
    struct ldap_query query = {.base = dn,
                               .scope = LDAP_BASE,
                               .filter = "(objectClass=*)",
                               .attributes = wanted,
                               .show_deleted = true};
    struct seen seen;
    struct fault fault = {.text = ""};
    int code = 0;
    if (!ask(c, &query, &seen, &code, &fault)) {
        say(c, CHECK_DELETED, false, "%s", fault.text);
        return;
    }
    if (code == LDAP_CODE_SUCCESS && seen.guid) {
        say(c, CHECK_DELETED, true, "deleted objects can be read");
        return;
    }
    char what[128], windows[COMMAND_MAX], samba[COMMAND_MAX];
    (void)snprintf(what, sizeof what,
                   "deleted objects cannot be read (code %d): deletions are found only by reconciliation",
                   code);
    (void)snprintf(windows, sizeof windows, "dsacls \"%s\" /takeownership && dsacls \"%s\" /G \"%s:LCRP\"",
                   dn, dn, c->trustee);
    samba_for_deleted(samba, sizeof samba, dn, c->sid);
    lacks(c, CHECK_DELETED, dn, what, windows, samba);
}

static void check_configuration(struct check *c)
{
    static const char *const wanted[] = {"objectGUID", NULL};
    char dn[DN_MAX];
    (void)snprintf(dn, sizeof dn, "CN=Sites,%s", c->dialled.peer.configuration_context);
    struct ldap_query query = {
        .base = dn, .scope = LDAP_ONE_LEVEL, .filter = "(objectClass=site)", .attributes = wanted};
    struct seen seen;
    struct fault fault = {.text = ""};
    int code = 0;
    if (!ask(c, &query, &seen, &code, &fault)) {
        say(c, CHECK_CONFIGURATION, false, "%s", fault.text);
        return;
    }
    if (code == LDAP_CODE_SUCCESS && seen.objects > 0) {
        say(c, CHECK_CONFIGURATION, true, "sites can be read: %llu", (unsigned long long)seen.objects);
        return;
    }
    char what[DN_MAX + 128], windows[COMMAND_MAX], samba[COMMAND_MAX];
    (void)snprintf(what, sizeof what, "no site can be read in %s (code %d)", dn, code);
    (void)snprintf(windows, sizeof windows, "dsacls \"%s\" /I:T /G \"%s:GR\"", dn, c->trustee);
    (void)snprintf(samba, sizeof samba,
                   "samba-tool dsacl set --objectdn=\"%s\" --sddl=\"(A;CI;RPLCLORC;;;%s)\"", dn, c->sid);
    lacks(c, CHECK_CONFIGURATION, dn, what, windows, samba);
}

/* Administrators has two members or more in every domain. */
static void check_ranges(struct check *c)
{
    static const char *const wanted[] = {"member;range=0-0", NULL};
    char dn[DN_MAX];
    (void)snprintf(dn, sizeof dn, "CN=Administrators,CN=Builtin,%s", c->dialled.peer.default_context);
    struct ldap_query query = {
        .base = dn, .scope = LDAP_BASE, .filter = "(objectClass=*)", .attributes = wanted};
    struct seen seen;
    struct fault fault = {.text = ""};
    int code = 0;
    if (!ask(c, &query, &seen, &code, &fault))
        say(c, CHECK_RANGES, false, "%s", fault.text);
    else if (seen.range)
        say(c, CHECK_RANGES, true, "members of groups come in ranges");
    else
        say(c, CHECK_RANGES, false, "members of %s do not come in ranges (code %d)", dn, code);
}

/* Replication is above access rights. Units, for they hide what is below them, and two accounts that every
 * domain has, one of them protected. Windows may tell only the first of them in one answer. */
static void check_reading(struct check *c)
{
    struct ldap_query query = {
        .base = c->dialled.peer.default_context,
        .scope = LDAP_SUBTREE,
        .filter = "(|(objectClass=organizationalUnit)(sAMAccountName=krbtgt)(sAMAccountName=Guest))",
        .attributes = sampled,
    };
    struct seen shown, replicated;
    struct fault fault = {.text = ""};
    int code = 0;
    if (!c->replicates) {
        tell(c, CHECK_READING, CHECK_SKIPPED, "what replication shows is not known", "", "");
        return;
    }
    bool asked = ask(c, &query, &shown, &code, &fault) && code == LDAP_CODE_SUCCESS;
    query.dirsync = true;
    query.dirsync_bytes = 1 << 20;
    asked = asked && ask(c, &query, &replicated, &code, &fault) && code == LDAP_CODE_SUCCESS;
    if (!asked) {
        say(c, CHECK_READING, false, "%s (code %d)", fault.text, code);
        return;
    }
    if (shown.objects >= replicated.objects && shown.attributes >= replicated.attributes) {
        say(c, CHECK_READING, true, "searches show what replication shows");
        return;
    }
    const char *context = c->dialled.peer.default_context;
    char what[256], windows[COMMAND_MAX], samba[COMMAND_MAX];
    (void)snprintf(what, sizeof what,
                   "searches show %llu of %llu objects and %llu of %llu attributes that replication shows: "
                   "the copy cannot be compared with the directory",
                   (unsigned long long)shown.objects, (unsigned long long)replicated.objects,
                   (unsigned long long)shown.attributes, (unsigned long long)replicated.attributes);
    (void)snprintf(windows, sizeof windows, "dsacls \"%s\" /I:T /G \"%s:GR\"", context, c->trustee);
    (void)snprintf(samba, sizeof samba,
                   "samba-tool dsacl set --objectdn=\"%s\" --sddl=\"(A;CI;RPLCLORC;;;%s)\"", context, c->sid);
    lacks(c, CHECK_READING, context, what, windows, samba);
}

/* --- a controller with an account --- */

static void check_certificate(struct check *c, bool secured)
{
    const struct ldap_certificate *certificate = &c->dialled.certificate;
    char until[CLOCK_RFC3339_MAX];
    if (c->account->security == LDAP_SECURITY_SASL) {
        tell(c, CHECK_CERTIFICATE, CHECK_SKIPPED, "not used: Kerberos seals this connection", "", "");
        return;
    }
    if (!certificate->present) {
        say(c, CHECK_CERTIFICATE, false, "%s", c->dialled.fault.text);
        return;
    }
    say(c, CHECK_CERTIFICATE, secured, "%s%sissued by %s to %s (%s), until %s",
        secured ? "" : c->dialled.fault.text, secured ? "" : "; ", certificate->issuer, certificate->subject,
        certificate->names[0] ? certificate->names : "no DNS names",
        clock_rfc3339(certificate->expires, until));
}

static void check_clock(struct check *c)
{
    int64_t difference = c->dialled.peer.clock_difference;
    bool fine = difference < CLOCK_LIMIT && difference > -CLOCK_LIMIT;
    long long seconds = (long long)(difference / CLOCK_SECOND);
    if (seconds >= -1 && seconds <= 1) /* its clock is told in whole seconds */
        say(c, CHECK_CLOCK, fine, "its clock is ours");
    else
        say(c, CHECK_CLOCK, fine, "its clock is %lld s %s ours", seconds < 0 ? -seconds : seconds,
            seconds < 0 ? "behind" : "ahead of");
}

static void check_rights(struct check *c)
{
    c->exchange = (struct ldap_exchange){
        .stream = c->dialled.stream, .last_id = LDAP_DIAL_IDS, .cancelled = c->cancelled};
    find_account(c);
    check_dirsync(c, CHECK_DIRSYNC, c->dialled.peer.default_context);
    check_dirsync(c, CHECK_DIRSYNC_CONFIGURATION, c->dialled.peer.configuration_context);
    check_deleted(c);
    check_configuration(c);
    check_ranges(c);
    check_reading(c);
}

/* As far as the dialling came; what it failed at is told, the rest could not be tried. */
static void check_stages(struct check *c)
{
    const struct ldap_dial_outcome *d = &c->dialled;
    enum ldap_dial_stage stage = d->stage;
    if (stage < LDAP_DIAL_RESOLVED) {
        say(c, CHECK_RESOLVE, false, "%s", d->fault.text);
        skip(c, CHECK_CONNECT, "the name has no address");
        return;
    }
    say(c, CHECK_RESOLVE, true, "%s has an address: %s", c->controller->host, d->address);
    if (stage < LDAP_DIAL_CONNECTED) {
        say(c, CHECK_CONNECT, false, "%s", d->fault.text);
        skip(c, CHECK_CERTIFICATE, "no connection");
        return;
    }
    say(c, CHECK_CONNECT, true, "%s answers", d->address);
    check_certificate(c, stage >= LDAP_DIAL_SECURED);
    if (stage < LDAP_DIAL_SECURED) {
        skip(c, CHECK_BIND, "no TLS");
        return;
    }
    if (stage < LDAP_DIAL_BOUND) {
        say(c, CHECK_BIND, false, "%s", d->fault.text);
        skip(c, CHECK_DOMAIN, "no bind");
        return;
    }
    say(c, CHECK_BIND, true, "bound as %s", c->account->principal);
    if (stage < LDAP_DIAL_IDENTIFIED) {
        say(c, CHECK_DOMAIN, false, "%s", d->fault.text);
        skip(c, CHECK_CLOCK, "not this domain's");
        return;
    }
    say(c, CHECK_DOMAIN, true, "%s is a domain controller of %s", d->peer.dns_host_name, c->config->domain);
    check_clock(c);
    check_rights(c);
}

static void check_one(struct check *c, unsigned account)
{
    c->account = &c->config->accounts[account];
    c->failed = c->replicates = false;
    if (c->refused[account]) {
        skip(c, CHECK_RESOLVE, "the account was refused before and is not tried again");
        return;
    }
    struct ldap_dial_order order = {
        .config = c->config, .controller = *c->controller, .account = c->account, .cancelled = c->cancelled};
    ldap_dial(&order, &c->dialled);
    check_stages(c);
    if (!c->dialled.stream && c->dialled.blame == LDAP_BLAME_ACCOUNT)
        c->refused[account] = true;
    else if (!c->failed && c->dialled.stream)
        c->any_passed = true;
    ldap_stream_destroy(&c->dialled.stream);
}

static bool find_controllers(struct check *c, struct controller *list, unsigned *count)
{
    const struct ldap_client_config *config = c->config;
    *count = 0;
    for (unsigned i = 0; i < config->controller_count; i++)
        if (controller_parse(config->controllers[i], &list[*count]))
            (*count)++;
    if (*count > 0) {
        say(c, CHECK_CONTROLLERS, true, "%u domain controllers are configured", *count);
        return true;
    }
    struct fault fault = {.text = ""};
    bool found = ldap_find_controllers(config, list, count, &fault);
    if (found)
        say(c, CHECK_CONTROLLERS, true, "DNS names %u domain controllers of %s", *count, config->domain);
    else
        say(c, CHECK_CONTROLLERS, false, "%s", fault.text);
    return found;
}

bool directory_check(const struct ldap_client_config *config,
                     void (*result)(void *context, const struct check_result *result), void *context,
                     const atomic_bool *cancelled, struct fault *fault)
{
    if (sodium_init() < 0)
        return fault_say(fault, "no randomness");
    struct ldap_settings *settings = ldap_settings_new(config, fault);
    if (!settings)
        return false;
    struct check *c = calloc(1, sizeof *c);
    struct controller *list = calloc(CONTROLLERS_MAX, sizeof *list);
    bool passed = false;
    if (c && list) {
        *c = (struct check){
            .config = &settings->config, .result = result, .context = context, .cancelled = cancelled};
        unsigned count;
        bool found = find_controllers(c, list, &count);
        for (unsigned i = 0; found && i < count; i++)
            for (unsigned j = 0; j < config->account_count && !atomic_load(cancelled); j++) {
                c->controller = &list[i];
                check_one(c, settings->account_order[j]);
            }
        passed = c->any_passed;
        if (!passed)
            fault_say(fault, "%s cannot be read with any of its accounts", config->domain);
    } else {
        fault_say(fault, "no memory");
    }
    free(list);
    free(c);
    ldap_settings_release(&settings);
    return passed;
}
