/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/ldap_kerberos.h"

#include "base/clock.h"
#include "base/secret.h"

#include <ctype.h>
#include <errno.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <profile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_ 512u
/* What this side takes in one sealed token, RFC 4752 section 3.1. */
#define OWN_TOKEN_MAX 0x100000u
#define LAYER_NONE    1u
#define LAYER_SEALED  4u

enum step { STEP_CONTEXT, STEP_LAYER, STEP_FINISHED };

struct ldap_kerberos {
    bool spnego, under_tls;
    enum step step;
    /* Own settings for libkrb5, over those of the system: see setting(). */
    profile_t system, own;
    char realm[NAME_MAX_]; /* of the account */
    char host_realm[NAME_MAX_];
    char kdc[64];
    krb5_context context;
    krb5_ccache cache;
    gss_cred_id_t credentials;
    gss_name_t target;
    gss_ctx_id_t security;
    gss_buffer_desc token; /* last made */
    struct gss_channel_bindings_struct binding;
    uint8_t binding_data[96];
    uint32_t peer_max;
};

/* --- settings of libkrb5 --- */

static void upper(char *to, size_t capacity, const char *from)
{
    size_t i = 0;
    for (; from[i] && i + 1 < capacity; i++)
        to[i] = (char)toupper((unsigned char)from[i]);
    to[i] = 0;
}

static bool path_is(const char *const *names, const char *a, const char *b, const char *c)
{
    if (!names[0] || strcmp(names[0], a) != 0 || !names[1] || strcmp(names[1], b) != 0)
        return false;
    return c ? names[2] && strcmp(names[2], c) == 0 && !names[3] : !names[2];
}

/* What is set here rather than by the system: no name is made out of DNS, the controller that is dialled is
 * the first KDC that is asked, by TCP (a ticket with a PAC outgrows UDP). NULL: the system's. */
static const char *setting(const struct ldap_kerberos *k, const char *const *names)
{
    if (path_is(names, "libdefaults", "default_realm", NULL))
        return k->realm;
    if (path_is(names, "libdefaults", "dns_canonicalize_hostname", NULL) ||
        path_is(names, "libdefaults", "rdns", NULL))
        return "false";
    if (path_is(names, "libdefaults", "udp_preference_limit", NULL))
        return "1";
    /* A wrong password is tried once: libkrb5 would try it at the "primary" KDC too, if DNS named one. */
    if (path_is(names, "libdefaults", "dns_lookup_kdc", NULL) && strcmp(k->realm, k->host_realm) == 0)
        return "false";
    return NULL;
}

static void free_values(void *context, char **values)
{
    (void)context;
    for (char **v = values; v && *v; v++)
        free(*v);
    free(values);
}

/* A list of `first` (may be NULL) and then the system's. */
static long join_values(const struct ldap_kerberos *k, const char *first, bool more, const char *const *names,
                        char ***values)
{
    char **system = NULL;
    long rc = more && k->system ? profile_get_values(k->system, names, &system) : PROF_NO_RELATION;
    size_t count = 0;
    while (rc == 0 && system && system[count])
        count++;
    if (!first && count == 0) {
        if (rc == 0)
            profile_free_list(system);
        return rc ? rc : PROF_NO_RELATION;
    }
    char **list = calloc(count + 2, sizeof *list);
    bool kept = list != NULL;
    size_t at = 0;
    if (kept && first)
        kept = (list[at++] = strdup(first)) != NULL;
    for (size_t i = 0; kept && i < count; i++)
        kept = (list[at++] = strdup(system[i])) != NULL;
    if (rc == 0)
        profile_free_list(system);
    if (!kept) {
        free_values(NULL, list);
        return ENOMEM;
    }
    *values = list;
    return 0;
}

static long get_values(void *context, const char *const *names, char ***values)
{
    const struct ldap_kerberos *k = context;
    const char *own = setting(k, names);
    if (own)
        return join_values(k, own, false, names, values);
    if (path_is(names, "realms", k->host_realm, "kdc"))
        return join_values(k, k->kdc, true, names, values);
    return join_values(k, NULL, true, names, values);
}

static krb5_error_code make_context(struct ldap_kerberos *k)
{
    krb5_context plain = NULL;
    krb5_error_code rc = krb5_init_secure_context(&plain);
    if (rc == 0)
        rc = krb5_get_profile(plain, &k->system);
    if (plain)
        krb5_free_context(plain);
    if (rc)
        return rc;
    struct profile_vtable table = {.minor_ver = 1, .get_values = get_values, .free_values = free_values};
    rc = (krb5_error_code)profile_init_vtable(&table, k, &k->own);
    if (rc)
        return rc;
    return krb5_init_context_profile(k->own, KRB5_INIT_CONTEXT_SECURE, &k->context);
}

/* --- tickets --- */

static const struct {
    krb5_error_code code;
    const char *meaning;
} refusals[] = {
    {KRB5KDC_ERR_PREAUTH_FAILED, "the key in the keytab, or the password, is not the account's (any more)"},
    {KRB5KRB_AP_ERR_BAD_INTEGRITY, "the key in the keytab, or the password, is not the account's (any more)"},
    {KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN, "there is no such account"},
    {KRB5KDC_ERR_CLIENT_REVOKED, "the account is disabled, locked or expired"},
    {KRB5KDC_ERR_KEY_EXP, "its password has expired"},
    {KRB5KDC_ERR_NAME_EXP, "the account has expired"},
    {KRB5KDC_ERR_CLIENT_NOTYET, "the account is not valid yet"},
    {KRB5KDC_ERR_POLICY, "the domain's policy forbids it (time, place, or protected users)"},
    {KRB5KDC_ERR_ETYPE_NOSUPP, "the domain has no key of the account of a kind that is in the keytab"},
    {KRB5_KT_NOTFOUND, "the keytab has no key of this account"},
    {KRB5_KT_FORMAT, "the keytab cannot be read"},
    {KRB5_KEYTAB_BADVNO, "the keytab cannot be read"},
};

static enum ldap_blame explain(struct ldap_kerberos *k, const char *doing, krb5_error_code rc,
                               struct fault *fault)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (refusals[i].code == rc) {
            fault_say(fault, "%s", refusals[i].meaning);
            return LDAP_BLAME_ACCOUNT;
        }
    if (rc == KRB5KRB_AP_ERR_SKEW) {
        fault_say(fault, "the clocks of this host and the domain controller differ too much");
        return LDAP_BLAME_CONTROLLER;
    }
    const char *text = krb5_get_error_message(k->context, rc);
    fault_say(fault, "%s: %s", doing, text);
    krb5_free_error_message(k->context, text);
    return LDAP_BLAME_CONTROLLER;
}

static krb5_error_code by_keytab(struct ldap_kerberos *k, krb5_principal client, const char *path,
                                 krb5_get_init_creds_opt *options, krb5_creds *creds)
{
    char name[NAME_MAX_ + 8];
    (void)snprintf(name, sizeof name, "FILE:%s", path);
    krb5_keytab keytab;
    krb5_error_code rc = krb5_kt_resolve(k->context, name, &keytab);
    if (rc)
        return rc;
    rc = krb5_get_init_creds_keytab(k->context, creds, client, keytab, 0, NULL, options);
    krb5_kt_close(k->context, keytab);
    return rc;
}

static krb5_error_code by_password(struct ldap_kerberos *k, krb5_principal client,
                                   const struct secret *secret, krb5_get_init_creds_opt *options,
                                   krb5_creds *creds)
{
    return krb5_get_init_creds_password(k->context, creds, client, (const char *)secret->bytes, NULL, NULL, 0,
                                        NULL, options);
}

static krb5_error_code store(struct ldap_kerberos *k, krb5_principal client, krb5_creds *creds)
{
    krb5_error_code rc = krb5_cc_new_unique(k->context, "MEMORY", NULL, &k->cache);
    if (rc == 0)
        rc = krb5_cc_initialize(k->context, k->cache, client);
    if (rc == 0)
        rc = krb5_cc_store_cred(k->context, k->cache, creds);
    return rc;
}

static krb5_error_code first_ticket(struct ldap_kerberos *k, const struct ldap_account *account,
                                    const struct secret *secret, krb5_principal client)
{
    krb5_get_init_creds_opt *options = NULL;
    krb5_error_code rc = krb5_get_init_creds_opt_alloc(k->context, &options);
    if (rc)
        return rc;
    krb5_get_init_creds_opt_set_forwardable(options, 0);
    krb5_get_init_creds_opt_set_proxiable(options, 0);
    krb5_creds creds;
    memset(&creds, 0, sizeof creds);
    rc = secret->bytes ? by_password(k, client, secret, options, &creds)
                       : by_keytab(k, client, account->keytab, options, &creds);
    if (rc == 0)
        rc = store(k, client, &creds);
    krb5_free_cred_contents(k->context, &creds);
    krb5_get_init_creds_opt_free(k->context, options);
    return rc;
}

/* The ticket for the controller: in the cache before GSS-API looks for it, which then needs no network. */
static krb5_error_code service_ticket(struct ldap_kerberos *k, krb5_principal client, const char *service,
                                      int64_t *expires)
{
    krb5_creds want;
    memset(&want, 0, sizeof want);
    krb5_creds *got = NULL;
    want.client = client;
    krb5_error_code rc = krb5_parse_name(k->context, service, &want.server);
    if (rc == 0)
        rc = krb5_get_credentials(k->context, 0, k->cache, &want, &got);
    if (rc == 0) {
        *expires = (int64_t)(uint32_t)got->times.endtime * CLOCK_SECOND;
        krb5_free_creds(k->context, got);
    }
    krb5_free_principal(k->context, want.server);
    return rc;
}

static bool get_tickets(struct ldap_kerberos *k, const struct ldap_kerberos_order *order, const char *service,
                        const struct secret *secret, int64_t *expires, enum ldap_blame *blame,
                        struct fault *fault)
{
    char name[2 * NAME_MAX_];
    const char *principal = order->account->principal;
    const char *at = strrchr(principal, '@');
    size_t account_size = at ? (size_t)(at - principal) : strlen(principal);
    (void)snprintf(name, sizeof name, "%.*s@%.500s",
                   account_size < NAME_MAX_ ? (int)account_size : (int)NAME_MAX_ - 1, principal, k->realm);
    krb5_principal client = NULL;
    krb5_error_code rc = krb5_parse_name(k->context, name, &client);
    if (rc) {
        (void)explain(k, "the account's name", rc, fault);
        *blame = LDAP_BLAME_ACCOUNT;
        return false;
    }
    rc = first_ticket(k, order->account, secret, client);
    if (rc) {
        *blame = explain(k, "no ticket from the domain's KDC", rc, fault);
    } else {
        rc = service_ticket(k, client, service, expires);
        if (rc) { /* the account itself was proved good */
            (void)explain(k, "no ticket for the domain controller", rc, fault);
            *blame = LDAP_BLAME_CONTROLLER;
        }
    }
    krb5_free_principal(k->context, client);
    return rc == 0;
}

/* --- GSS-API --- */

static bool say_status(const char *doing, OM_uint32 major, OM_uint32 minor, gss_OID mechanism,
                       struct fault *fault)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    OM_uint32 ignored, more = 0;
    bool mechanism_knows = minor != 0;
    (void)gss_display_status(&ignored, mechanism_knows ? minor : major,
                             mechanism_knows ? GSS_C_MECH_CODE : GSS_C_GSS_CODE, mechanism, &more, &text);
    fault_say(fault, "%s: %.*s", doing, (int)text.length, text.value ? (const char *)text.value : "");
    (void)gss_release_buffer(&ignored, &text);
    return false;
}

/* 1.3.6.1.5.5.2 */
static gss_OID_desc spnego_oid = {6, (void *)(uintptr_t) "\x2b\x06\x01\x05\x05\x02"};
/* GSS_KRB5_CRED_NO_CI_FLAGS_X, 1.2.752.43.13.29: offers no sealing, which a directory under TLS refuses. */
static gss_OID_desc no_sealing_oid = {6, (void *)(uintptr_t) "\x2a\x85\x70\x2b\x0d\x1d"};

static gss_OID mechanism_of(const struct ldap_kerberos *k)
{
    return k->spnego ? &spnego_oid : (gss_OID)(uintptr_t)gss_mech_krb5;
}

static bool take_credentials(struct ldap_kerberos *k, struct fault *fault)
{
    char *name = NULL;
    if (krb5_cc_get_full_name(k->context, k->cache, &name))
        return fault_say(fault, "no memory for a ticket");
    gss_key_value_element_desc element = {.key = "ccache", .value = name};
    gss_key_value_set_desc store = {.count = 1, .elements = &element};
    gss_OID_set_desc mechanisms = {.count = 1, .elements = mechanism_of(k)};
    OM_uint32 minor, major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechanisms,
                                                   GSS_C_INITIATE, &store, &k->credentials, NULL, NULL);
    krb5_free_string(k->context, name);
    if (GSS_ERROR(major))
        return say_status("the ticket cannot be used", major, minor, mechanism_of(k), fault);
    if (k->under_tls)
        (void)gss_set_cred_option(&minor, &k->credentials, &no_sealing_oid, GSS_C_NO_BUFFER);
    return true;
}

static bool name_target(struct ldap_kerberos *k, const char *service, struct fault *fault)
{
    gss_buffer_desc name = {.value = (void *)(uintptr_t)service, .length = strlen(service)};
    OM_uint32 minor,
        major = gss_import_name(&minor, &name, (gss_OID)(uintptr_t)GSS_KRB5_NT_PRINCIPAL_NAME, &k->target);
    return !GSS_ERROR(major) || say_status("the controller's name", major, minor, mechanism_of(k), fault);
}

static void bind_channel(struct ldap_kerberos *k, struct bytes end_point)
{
    static const char kind[] = "tls-server-end-point:";
    size_t size = sizeof kind - 1;
    if (end_point.size == 0 || end_point.size > sizeof k->binding_data - size)
        return;
    memcpy(k->binding_data, kind, size);
    memcpy(k->binding_data + size, end_point.data, end_point.size);
    k->binding.application_data =
        (gss_buffer_desc){.value = k->binding_data, .length = size + end_point.size};
}

struct ldap_kerberos *ldap_kerberos_open(const struct ldap_kerberos_order *order, int64_t *expires,
                                         enum ldap_blame *blame, struct fault *fault)
{
    const struct ldap_account *account = order->account;
    *blame = LDAP_BLAME_ACCOUNT;
    struct secret secret = {0};
    if (account->keytab ? !secret_file_check(account->keytab, fault)
                        : !secret_read(account->password_file, &secret, fault))
        return NULL;
    *blame = LDAP_BLAME_CONTROLLER;
    struct ldap_kerberos *k = calloc(1, sizeof *k);
    if (!k) {
        secret_wipe(&secret);
        fault_say(fault, "no memory for a ticket");
        return NULL;
    }
    k->spnego = account->method == LDAP_BIND_SPNEGO;
    k->under_tls = order->under_tls;
    const char *at = strrchr(account->principal, '@');
    upper(k->realm, sizeof k->realm, at ? at + 1 : account->domain);
    upper(k->host_realm, sizeof k->host_realm, order->domain);
    (void)snprintf(k->kdc, sizeof k->kdc, "%s", order->kdc);
    bind_channel(k, order->end_point);
    char service[2 * NAME_MAX_];
    (void)snprintf(service, sizeof service, "ldap/%s@%s", order->host, k->host_realm);
    krb5_error_code rc = make_context(k);
    bool done = false;
    if (rc)
        (void)explain(k, "the settings of Kerberos", rc, fault);
    else
        done = get_tickets(k, order, service, &secret, expires, blame, fault) && take_credentials(k, fault) &&
               name_target(k, service, fault);
    secret_wipe(&secret);
    if (!done)
        ldap_kerberos_close(&k);
    return k;
}

void ldap_kerberos_close(struct ldap_kerberos **k_p)
{
    struct ldap_kerberos *k = *k_p;
    if (!k)
        return;
    *k_p = NULL;
    OM_uint32 minor;
    (void)gss_release_buffer(&minor, &k->token);
    if (k->security)
        (void)gss_delete_sec_context(&minor, &k->security, GSS_C_NO_BUFFER);
    (void)gss_release_name(&minor, &k->target);
    (void)gss_release_cred(&minor, &k->credentials);
    if (k->cache)
        krb5_cc_destroy(k->context, k->cache);
    if (k->context)
        krb5_free_context(k->context);
    if (k->own)
        profile_release(k->own);
    if (k->system)
        profile_release(k->system);
    free(k);
}

const char *ldap_kerberos_mechanism(const struct ldap_kerberos *k)
{
    return k->spnego ? "GSS-SPNEGO" : "GSSAPI";
}

static bool context_step(struct ldap_kerberos *k, struct bytes from, struct fault *fault)
{
    gss_buffer_desc in = {.value = (void *)(uintptr_t)from.data, .length = from.size};
    OM_uint32 want = GSS_C_MUTUAL_FLAG | GSS_C_SEQUENCE_FLAG | GSS_C_REPLAY_FLAG;
    if (!k->under_tls)
        want |= GSS_C_INTEG_FLAG | GSS_C_CONF_FLAG;
    bool bound = k->binding.application_data.length > 0;
    OM_uint32 minor, got = 0;
    OM_uint32 major = gss_init_sec_context(&minor, k->credentials, &k->security, k->target, mechanism_of(k),
                                           want, 0, bound ? &k->binding : GSS_C_NO_CHANNEL_BINDINGS,
                                           from.size ? &in : GSS_C_NO_BUFFER, NULL, &k->token, &got, NULL);
    if (GSS_ERROR(major))
        return say_status("Kerberos with the directory", major, minor, mechanism_of(k), fault);
    if (major & GSS_S_CONTINUE_NEEDED)
        return true;
    if (!(got & GSS_C_MUTUAL_FLAG) || (!k->under_tls && !(got & GSS_C_CONF_FLAG)))
        return fault_say(fault, "the directory does not prove itself, or does not seal");
    k->step = k->spnego ? STEP_FINISHED : STEP_LAYER;
    return true;
}

/* The directory says which layers it has and how much it takes; this side chooses. */
static bool layer_step(struct ldap_kerberos *k, struct bytes from, struct fault *fault)
{
    gss_buffer_desc in = {.value = (void *)(uintptr_t)from.data, .length = from.size};
    gss_buffer_desc offer = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor, ignored;
    OM_uint32 major = gss_unwrap(&minor, k->security, &in, &offer, NULL, NULL);
    if (GSS_ERROR(major) || offer.length != 4) {
        (void)gss_release_buffer(&ignored, &offer);
        return fault_say(fault, "the directory's offer of a security layer is damaged");
    }
    uint8_t octets[4];
    memcpy(octets, offer.value, sizeof octets);
    (void)gss_release_buffer(&ignored, &offer);
    uint8_t layer = k->under_tls ? LAYER_NONE : LAYER_SEALED;
    if (!(octets[0] & layer))
        return fault_say(fault, k->under_tls ? "the directory demands sealing even under TLS"
                                             : "the directory does not seal");
    k->peer_max = (uint32_t)octets[1] << 16 | (uint32_t)octets[2] << 8 | octets[3];
    uint32_t own = k->under_tls ? 0 : OWN_TOKEN_MAX;
    uint8_t choice[4] = {layer, (uint8_t)(own >> 16), (uint8_t)(own >> 8), (uint8_t)own};
    gss_buffer_desc plain = {.value = choice, .length = sizeof choice};
    major = gss_wrap(&minor, k->security, 0, GSS_C_QOP_DEFAULT, &plain, NULL, &k->token);
    if (GSS_ERROR(major))
        return say_status("the choice of a security layer", major, minor, mechanism_of(k), fault);
    k->step = STEP_FINISHED;
    return true;
}

bool ldap_kerberos_step(struct ldap_kerberos *k, struct bytes from, struct bytes *to, struct fault *fault)
{
    OM_uint32 minor;
    (void)gss_release_buffer(&minor, &k->token);
    bool fine = false;
    if (k->step == STEP_CONTEXT)
        fine = context_step(k, from, fault);
    else if (k->step == STEP_LAYER)
        fine = layer_step(k, from, fault);
    else
        fault_say(fault, "the directory goes on with a bind that is complete");
    *to = (struct bytes){k->token.value, k->token.length};
    return fine;
}

bool ldap_kerberos_finish(struct ldap_kerberos *k, struct bytes from, gss_ctx_id_t *context,
                          uint32_t *peer_max, struct fault *fault)
{
    struct bytes rest = {0};
    if (k->step == STEP_CONTEXT && from.size > 0 && !ldap_kerberos_step(k, from, &rest, fault))
        return false;
    if (k->step != STEP_FINISHED || rest.size > 0)
        return fault_say(fault, "the directory says that the bind is done before it has proved itself");
    *context = GSS_C_NO_CONTEXT;
    if (k->under_tls)
        return true;
    uint32_t limit = k->spnego ? 0x10000u : k->peer_max;
    OM_uint32 minor, size = 0;
    OM_uint32 major = gss_wrap_size_limit(&minor, k->security, 1, GSS_C_QOP_DEFAULT, limit, &size);
    if (GSS_ERROR(major) || size == 0)
        return fault_say(fault, "the directory takes sealed tokens of only %u bytes", limit);
    *peer_max = size;
    *context = k->security;
    k->security = GSS_C_NO_CONTEXT;
    return true;
}
