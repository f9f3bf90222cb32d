/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_RPC_BIND, ACTIVITY_BACKUPKEY_RETRIEVE,
                                           ACTIVITY_LSA_SECRET, ACTIVITY_NONE};

#define AUTHENTICATION_NEGOTIATE 9 /* [MS-RPCE] 2.2.1.1.7 */

/* How the client of a connection authenticated to the backup key service. */
struct bind {
    uint64_t type;
};

static const struct state_form tables[] = {
    {.name = "binds",
     .version = 1,
     .value_size = sizeof(struct bind),
     .capacity = 4096,
     .lifetime = STATISTICS_HOUR},
    {0},
};

static struct subject key(const struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_RPC_BIND && !observation_list_has_text(o, FIELD_RPC_INTERFACES, "backupkey"))
        return (struct subject){0};
    return by_controller(d, o) ? (struct subject){0} : key_by_origin(d, o);
}

static struct subject connection(const struct detection *d, const struct observation *o)
{
    return subject_of_pair(detection_seed(d), detection_key(d),
                           subject_of_number(detection_seed(d), observation_uint(o, FIELD_FLOW, 0)));
}

static void remember(struct detection *d, const struct observation *o)
{
    uint64_t type = observation_uint(o, FIELD_RPC_AUTH_TYPE, 0);
    struct bind *bind = type ? detection_use(d, 0, connection(d, o), NULL) : NULL;
    if (bind)
        bind->type = type;
}

/* What Windows clients do not do: [MS-BKRP] 3.2.4. SPNEGO may end in NTLM: servers offer both, and such
 * clients only do without mutual authentication then (notes 4 and 17 of its appendix B). */
static const char *suspicion(const struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_LSA_SECRET) {
        if (text_begins(observation_text(o, FIELD_RPC_NAME), "G$BCKUPKEY_"))
            return "read the domain's DPAPI backup key out of the local security authority";
        return NULL;
    }
    if (!observation_bool(o, FIELD_SEALED))
        return text_is(observation_text(o, FIELD_BACKUPKEY_ACTION), "retrieve_backup_key")
                   ? "asked for the domain's DPAPI backup key, unsealed as no Windows client does"
                   : NULL;
    const struct bind *bind = detection_look(d, 0, connection(d, o));
    return bind && bind->type != AUTHENTICATION_NEGOTIATE
               ? "used the DPAPI backup key service with an authentication that Windows clients do not use "
                 "there"
               : NULL;
}

static void observe(struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_RPC_BIND) {
        remember(d, o);
        return;
    }
    const char *what = suspicion(d, o);
    if (!what)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o, what);
    alert_put_text(alert, "operation", observation_text(o, FIELD_RPC_OPERATION));
    if (o->kind == ACTIVITY_LSA_SECRET)
        alert_put_text(alert, "secret", observation_text(o, FIELD_RPC_NAME));
    else
        alert_explain(alert,
                      "The service gives away the public half of that key only, or secrets of the caller "
                      "([MS-BKRP] 3.1.4.1); tools that ask it look for the private half.");
    alert_explain(alert, "The private key opens everything that DPAPI keeps for the users of the domain: "
                         "passwords, certificates, cookies. It cannot be changed.");
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_dpapi_backup_key = {
    .external_id = 2020,
    .name = "RetrieveDataProtectionBackupKeySecurityAlert",
    .title = "Malicious request of Data Protection API master key",
    .word = "dpapi_backup_key",
    .severity = SEVERITY_HIGH,
    .mitre = "T1555.004",
    .doc =
        "The secret G$BCKUPKEY_... of a domain controller is opened or read through LSARPC ([MS-LSAD] "
        "3.1.4.6), which only tools do; or the backup key service ([MS-BKRP]) is asked by one that does not "
        "speak as Windows does: that specification demands SPNEGO and sealing (3.2.4), tools authenticate by "
        "NTLM alone or leave the call open. A sealed call with SPNEGO is what each Windows client makes when "
        "a user's password changes, whether SPNEGO ends in Kerberos or in NTLM (appendix B, notes 4 and 17), "
        "and the service gives the private key to nobody (3.1.4.1.3, 3.1.4.1.4): nothing is raised for it. "
        "Rule, no learning. Inside encrypted SMB 3 it is not seen.",
    .advice =
        "Take the source off the network; treat all that users of the domain keep by DPAPI as known to the "
        "attacker, for the key cannot be replaced without a new domain.",
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
