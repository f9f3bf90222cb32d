/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/authentication.h"

#include "base/utf8.h"

#include <string.h>

/* RFC 4120 7.5.9 */
#define KDC_ERR_C_PRINCIPAL_UNKNOWN 6
#define KDC_ERR_CLIENT_REVOKED      18
#define KDC_ERR_KEY_EXPIRED         23
#define KDC_ERR_PREAUTH_FAILED      24
#define KDC_ERR_PREAUTH_REQUIRED    25
/* [MS-ERREF] 2.3.1 */
#define STATUS_NO_SUCH_USER         0xc0000064u
#define STATUS_WRONG_PASSWORD       0xc000006au
#define STATUS_LOGON_FAILURE        0xc000006du
#define STATUS_ACCOUNT_RESTRICTION  0xc000006eu
#define STATUS_INVALID_LOGON_HOURS  0xc000006fu
#define STATUS_INVALID_WORKSTATION  0xc0000070u
#define STATUS_PASSWORD_EXPIRED     0xc0000071u
#define STATUS_ACCOUNT_DISABLED     0xc0000072u
#define STATUS_ACCOUNT_EXPIRED      0xc0000193u
#define STATUS_PASSWORD_MUST_CHANGE 0xc0000224u
#define STATUS_ACCOUNT_LOCKED_OUT   0xc0000234u
/* RFC 4511 A.1; the Win32 errors that Active Directory puts behind it ([MS-ERREF] 2.2) */
#define LDAP_INVALID_CREDENTIALS 49
#define ERROR_NO_SUCH_USER       0x525
#define ERROR_ACCOUNT_DISABLED   0x533
#define ERROR_PASSWORD_EXPIRED   0x532
#define ERROR_ACCOUNT_EXPIRED    0x701
#define ERROR_PASSWORD_CHANGE    0x773
#define ERROR_LOCKED_OUT         0x775
#define HTTP_UNAUTHORIZED        401
/* [C706] E, [MS-RPCE] 3.3.1.5.2: Windows' and Samba's answer to the first call after a wrong password.
 * Windows also says that access is denied (5), but so it does when the password was right. */
#define RPC_S_SEC_PKG_ERROR 0x721
#define NCA_PROTO_ERROR     0x1c01000bu

/* PA-DATA types: RFC 4120 7.5.2, RFC 4556, RFC 6113. */
#define PA_ENC_TIMESTAMP       2
#define PA_PK_AS_REP_OLD       15
#define PA_PK_AS_REQ           16
#define PA_FX_FAST             136
#define PA_ENCRYPTED_CHALLENGE 138

void keep_name(char *to, size_t capacity, struct bytes name)
{
    bool cut = false;
    size_t size = name.size ? utf8_copy((uint8_t *)to, capacity - 1, name.data, name.size, &cut) : 0;
    to[size] = '\0';
}

bool request_is_preauthenticated(const struct observation *o)
{
    if (o->kind == ACTIVITY_WINDOWS_KERBEROS_AS)
        return observation_int(o, FIELD_PREAUTH_TYPE, 0) != 0;
    return observation_has(o, FIELD_PREAUTH_ETYPE) || observation_bool(o, FIELD_PKINIT) ||
           observation_bool(o, FIELD_FAST) ||
           observation_list_has_int(o, FIELD_PADATA_TYPES, PA_ENC_TIMESTAMP) ||
           observation_list_has_int(o, FIELD_PADATA_TYPES, PA_PK_AS_REQ) ||
           observation_list_has_int(o, FIELD_PADATA_TYPES, PA_PK_AS_REP_OLD) ||
           observation_list_has_int(o, FIELD_PADATA_TYPES, PA_FX_FAST) ||
           observation_list_has_int(o, FIELD_PADATA_TYPES, PA_ENCRYPTED_CHALLENGE);
}

static enum outcome of_kdc(const struct observation *o, uint64_t status)
{
    switch (status) {
    case 0:
        return request_is_preauthenticated(o) ? OUTCOME_SUCCESS : OUTCOME_NONE;
    case KDC_ERR_C_PRINCIPAL_UNKNOWN:
        return OUTCOME_UNKNOWN;
    case KDC_ERR_PREAUTH_FAILED:
        return OUTCOME_WRONG;
    case KDC_ERR_CLIENT_REVOKED:
    case KDC_ERR_KEY_EXPIRED:
        return OUTCOME_LOCKED;
    case KDC_ERR_PREAUTH_REQUIRED:
        return OUTCOME_EXISTS;
    default:
        return OUTCOME_NONE;
    }
}

static enum outcome of_ntstatus(uint64_t status)
{
    switch (status) {
    case 0:
        return OUTCOME_SUCCESS;
    case STATUS_NO_SUCH_USER:
        return OUTCOME_UNKNOWN;
    case STATUS_WRONG_PASSWORD:
    case STATUS_LOGON_FAILURE:
        return OUTCOME_WRONG;
    case STATUS_ACCOUNT_RESTRICTION:
    case STATUS_INVALID_LOGON_HOURS:
    case STATUS_INVALID_WORKSTATION:
    case STATUS_PASSWORD_EXPIRED:
    case STATUS_ACCOUNT_DISABLED:
    case STATUS_ACCOUNT_EXPIRED:
    case STATUS_PASSWORD_MUST_CHANGE:
    case STATUS_ACCOUNT_LOCKED_OUT:
        return OUTCOME_LOCKED;
    default:
        return OUTCOME_NONE;
    }
}

static enum outcome of_ldap(const struct observation *o, uint64_t status)
{
    if (status == 0)
        return OUTCOME_SUCCESS;
    if (status != LDAP_INVALID_CREDENTIALS)
        return OUTCOME_NONE;
    switch (observation_uint(o, FIELD_DIRECTORY_ERROR, 0)) {
    case ERROR_NO_SUCH_USER:
        return OUTCOME_UNKNOWN;
    case ERROR_ACCOUNT_DISABLED:
    case ERROR_PASSWORD_EXPIRED:
    case ERROR_ACCOUNT_EXPIRED:
    case ERROR_PASSWORD_CHANGE:
    case ERROR_LOCKED_OUT:
        return OUTCOME_LOCKED;
    default:
        return OUTCOME_WRONG;
    }
}

static enum outcome of_ntlm(const struct observation *o, uint64_t status)
{
    struct bytes carrier = observation_text(o, FIELD_CARRIER);
    if (text_is(observation_text(o, FIELD_NTLM_VARIANT), "anonymous"))
        return OUTCOME_NONE;
    if (text_is(carrier, "ldap"))
        return of_ldap(o, status);
    if (text_is(carrier, "http"))
        return status == HTTP_UNAUTHORIZED     ? OUTCOME_WRONG
               : status >= 200 && status < 400 ? OUTCOME_SUCCESS
                                               : OUTCOME_NONE;
    if (text_is(carrier, "dcerpc") && (status == RPC_S_SEC_PKG_ERROR || status == NCA_PROTO_ERROR))
        return OUTCOME_WRONG;
    return of_ntstatus(status);
}

enum outcome authentication_outcome(const struct observation *o)
{
    if (!observation_has(o, FIELD_STATUS) || !party_is(&o->account))
        return OUTCOME_NONE;
    uint64_t status = observation_uint(o, FIELD_STATUS, 0);
    switch (o->kind) {
    case ACTIVITY_KERBEROS_AS:
    case ACTIVITY_KERBEROS_ERROR:
    case ACTIVITY_WINDOWS_KERBEROS_AS:
        return of_kdc(o, status);
    case ACTIVITY_NTLM_AUTHENTICATE:
        return of_ntlm(o, status);
    case ACTIVITY_NTLM_VALIDATION:
        return of_ntstatus(status);
    case ACTIVITY_SMB_SESSION:
        /* SMB 1 without extended security; else it carries what tells it itself. */
        return text_is(observation_text(o, FIELD_SESSION_MECHANISM), "password") ? of_ntstatus(status)
                                                                                 : OUTCOME_NONE;
    case ACTIVITY_LDAP_BIND:
        /* The others are told by the exchange that they carry. */
        return text_is(observation_text(o, FIELD_BIND_METHOD), "simple") &&
                       observation_bool(o, FIELD_PASSWORD_SENT)
                   ? of_ldap(o, status)
                   : OUTCOME_NONE;
    default:
        return OUTCOME_NONE;
    }
}

const char *authentication_protocol(const struct observation *o)
{
    switch (o->kind) {
    case ACTIVITY_NTLM_AUTHENTICATE:
    case ACTIVITY_NTLM_VALIDATION:
    case ACTIVITY_SMB_SESSION:
        return "NTLM";
    case ACTIVITY_LDAP_BIND:
        return "LDAP";
    default:
        return "Kerberos";
    }
}

bool etype_is_strong(int64_t etype)
{
    return etype >= 17 && etype <= 20;
}

bool etype_is_weak(int64_t etype)
{
    return (etype >= 1 && etype <= 3) || etype == 23 || etype == 24 || (etype >= -135 && etype <= -128);
}

const char *etype_name(int64_t etype)
{
    switch (etype) {
    case 1:
        return "DES-CBC-CRC";
    case 3:
        return "DES-CBC-MD5";
    case 17:
        return "AES128";
    case 18:
        return "AES256";
    case 19:
        return "AES128-SHA2";
    case 20:
        return "AES256-SHA2";
    case 23:
        return "RC4";
    case 24:
        return "RC4-EXP";
    case 0:
        return "none";
    default:
        return etype_is_weak(etype) ? "old RC4" : "another type";
    }
}

bool offers_strong(const struct observation *o)
{
    for (int64_t etype = 17; etype <= 20; etype++)
        if (observation_list_has_int(o, FIELD_OFFERED_ETYPES, etype))
            return true;
    return false;
}

int64_t first_offered(const struct observation *o)
{
    const struct activity_value *list = activity_get(o->activity, FIELD_OFFERED_ETYPES);
    if (!list || list->list.count == 0)
        return 0;
    struct cursor items = list->list.items;
    return activity_next_item(&items, TYPE_INT).sint;
}

bool service_is_granting(struct bytes service)
{
    return text_is(service, "krbtgt") || text_begins(service, "krbtgt/");
}

static bool texts_equal(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        uint8_t x = a.data[i], y = b.data[i];
        x = x >= 'a' && x <= 'z' ? (uint8_t)(x - 32) : x;
        y = y >= 'a' && y <= 'z' ? (uint8_t)(y - 32) : y;
        if (x != y)
            return false;
    }
    return true;
}

bool service_is_own_granting(struct bytes service, struct bytes realm)
{
    static const size_t prefix = sizeof("krbtgt/") - 1;
    if (text_is(service, "krbtgt"))
        return true;
    if (!text_begins(service, "krbtgt/"))
        return false;
    return texts_equal((struct bytes){service.data + prefix, service.size - prefix}, realm);
}

bool name_is_computer(struct bytes name)
{
    return name.size > 1 && name.data[name.size - 1] == '$';
}

void tell_source(struct alert *alert, const struct observation *o)
{
    if (!party_is(&o->source)) {
        alert_explain(alert, "From where is not known.");
    } else if (o->source.kind == SUBJECT_ADDRESS) {
        alert_explain(alert, "No computer is known behind %.*s.", PRINTED(o->source.name));
    } else if (o->source.confidence < 100) {
        alert_explain(alert, "That the source is %.*s is %u%% sure.", PRINTED(o->source.name),
                      o->source.confidence);
    }
}

/* -- guesses ------------------------------------------------------------------------------------------- */

/* Each once. */
static void keep_hit(struct guessing *g, const struct party *account)
{
    uint32_t hash = (uint32_t)account->subject.low;
    uint32_t kept = g->hits < GUESS_HITS_MAX ? g->hits : GUESS_HITS_MAX;
    for (uint32_t i = 0; i < kept; i++)
        if (g->hit_hashes[i] == hash)
            return;
    uint32_t at = g->hits++ % GUESS_HITS_MAX;
    g->hit_hashes[at] = hash;
    keep_name(g->hit_names[at], sizeof(g->hit_names[at]), account->name);
}

bool outcome_failed(enum outcome outcome)
{
    return outcome == OUTCOME_WRONG || outcome == OUTCOME_LOCKED;
}

struct guessing_result guessing_count(struct guessing *g, const struct observation *o, enum outcome outcome,
                                      const struct guessing_limits *limits)
{
    struct guessing_result result = {.probability = 1};
    int64_t now = o->time;
    result.failures = count_window_value(&g->failures, now, limits->width);
    if (result.failures == 0) {
        g->raised = 0;
        g->hits = 0;
    }
    uint32_t today = g->days.today;
    if (outcome_failed(outcome)) {
        result.failures = count_window_add(&g->failures, 1, now, limits->width);
        result.accounts = distinct_window_add(&g->accounts, o->account.subject.low, now, limits->width);
        today = baseline_add(&g->days, now, 1);
    } else {
        result.accounts = distinct_window_value(&g->accounts, now, limits->width);
    }
    result.tries = count_window_add(&g->tries, 1, now, limits->width);
    if (outcome == OUTCOME_SUCCESS && result.failures)
        keep_hit(g, &o->account);
    result.known_days = g->days.known;
    if (g->days.known)
        result.probability = baseline_tail(&g->days, today);
    bool usual = g->days.known && result.probability > limits->rarity;
    bool many = result.failures - limits->forgiven >= limits->attempts &&
                result.failures * 100.0 >= result.tries * limits->share;
    result.above = outcome_failed(outcome) && many && !usual;
    if (result.above)
        g->raised = now;
    result.hit = outcome == OUTCOME_SUCCESS && g->raised && now - g->raised <= limits->width;
    return result;
}

void guessing_tell(struct alert *alert, const struct guessing *g, const struct guessing_result *result,
                   const struct guessing_limits *limits)
{
    alert_put_compared(alert, "attempts", result->failures, "attempts", limits->attempts);
    alert_put_number(alert, "tries", result->tries);
    alert_put_number(alert, "accounts", result->accounts);
    alert_put_compared(alert, "share_failed", 100.0 * result->failures / result->tries, "share",
                       limits->share);
    if (result->known_days) {
        alert_put_compared(alert, "probability", result->probability, "rarity", limits->rarity);
        alert_put_compared(alert, "failures_a_day", g->days.today, "learned", baseline_median(&g->days));
        alert_explain(alert, "On %u days before, the source failed %.0f times a day (median).",
                      result->known_days, baseline_median(&g->days));
    } else {
        alert_explain(alert, "Nothing was learned yet of how often this source fails.");
    }
    uint32_t kept = g->hits < GUESS_HITS_MAX ? g->hits : GUESS_HITS_MAX;
    for (uint32_t i = 0; i < kept; i++) {
        struct bytes name = {(const uint8_t *)g->hit_names[i], strlen(g->hit_names[i])};
        alert_add_named(alert, ALERT_ACCOUNT, SUBJECT_ACCOUNT, name, (struct bytes){0});
        alert_explain(alert, "%s was logged on to from there amid the failures.", g->hit_names[i]);
    }
    if (kept)
        alert_put_number(alert, "succeeded", g->hits);
}

bool slow_spray_count(struct slow_spray *spray, const struct observation *o, bool guess, double accounts,
                      double share)
{
    uint32_t tries = count_window_add(&spray->tries, 1, o->time, STATISTICS_DAY);
    if (!guess)
        return false;
    uint32_t failures = count_window_add(&spray->failures, 1, o->time, STATISTICS_DAY);
    uint32_t different =
        distinct_window_add(&spray->accounts, o->account.subject.low, o->time, STATISTICS_DAY);
    return different >= accounts && failures <= 3 * different && failures * 100.0 >= tries * share;
}

void slow_spray_tell(struct alert *alert, const struct slow_spray *spray, const struct observation *o,
                     double accounts, double share)
{
    uint32_t different = distinct_window_value(&spray->accounts, o->time, STATISTICS_DAY);
    uint32_t failures = count_window_value(&spray->failures, o->time, STATISTICS_DAY);
    uint32_t tries = count_window_value(&spray->tries, o->time, STATISTICS_DAY);
    alert_put_string(alert, "protocol", authentication_protocol(o));
    alert_put_string(alert, "shape", "slow spray");
    alert_put_compared(alert, "accounts_a_day", different, "day_accounts", accounts);
    alert_put_compared(alert, "share_failed", 100.0 * failures / tries, "share", share);
    alert_explain(alert,
                  "%.*s failed %u of %u authentications by %s within a day, as %u accounts: a few passwords "
                  "for many accounts, slowly.",
                  PRINTED(party_words(&o->source, "Somebody")), failures, tries, authentication_protocol(o),
                  different);
    tell_source(alert, o);
}
