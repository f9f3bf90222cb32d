/* SPDX-License-Identifier: Apache-2.0
 *
 * 2039: an NTLM authentication was changed on its way.
 */
#include "center/detectors/authentication.h"

/* [MS-NLMP] 2.2.2.1: MsvAvFlags. */
#define AV_FLAG_MIC_PROVIDED 2u

struct tampering {
    struct distinct_count accounts, servers;
};

static const struct state_form tables[] = {
    {"sources", 1, sizeof(struct tampering), 8192, 7 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_NTLM_AUTHENTICATE, ACTIVITY_NONE};

static bool mic_missing(const struct observation *o)
{
    return observation_has(o, FIELD_NTLM_MIC) && !observation_bool(o, FIELD_NTLM_MIC) &&
           text_is(observation_text(o, FIELD_NTLM_VARIANT), "ntlmv2") && party_is(&o->account);
}

/* The response, which only who has the password can make, says that there is one. */
static bool mic_promised(const struct observation *o)
{
    return observation_uint(o, FIELD_NTLM_AV_FLAGS, 0) & AV_FLAG_MIC_PROVIDED;
}

/* [MS-NLMP] 3.1.5.1.2: who is given the server's time answers with a MIC; since Windows Vista and 2008 all
 * do.
 */
static bool mic_due(const struct observation *o)
{
    struct bytes version = observation_text(o, FIELD_NTLM_CLIENT_VERSION);
    return observation_has(o, FIELD_NTLM_SERVER_TIME) &&
           (text_begins(version, "6.") || text_begins(version, "10."));
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    return mic_missing(o) && (mic_promised(o) || mic_due(o)) ? o->origin : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct tampering *t = detection_use(d, 0, detection_key(d), NULL);
    if (!t)
        return;
    distinct_add(&t->accounts, o->account.subject.low);
    distinct_add(&t->servers, o->destination.subject.low);
    uint32_t accounts = distinct_value(&t->accounts), servers = distinct_value(&t->servers);
    bool refused = observation_has(o, FIELD_STATUS) && authentication_outcome(o) != OUTCOME_SUCCESS;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_put_text(alert, "carrier", observation_text(o, FIELD_CARRIER));
    alert_put_text(alert, "client_version", observation_text(o, FIELD_NTLM_CLIENT_VERSION));
    alert_put_string(alert, "method", mic_promised(o) ? "mic_removed" : "mic_missing");
    alert_put_number(alert, "accounts", accounts);
    alert_put_number(alert, "servers", servers);
    alert_put_string(alert, "outcome", refused ? "failure" : "success");
    alert_explain(alert,
                  "%u account%s on %.*s suspiciously tried to authenticate against %u computer%s over NTLM.",
                  accounts, accounts == 1 ? "" : "s", PRINTED(party_words(&o->source, "an unknown place")),
                  servers, servers == 1 ? "" : "s");
    if (mic_promised(o))
        alert_explain(alert,
                      "The response of %.*s says that an integrity code (MIC) comes with it, and none does: "
                      "somebody on the way removed it.",
                      PRINTED(o->account.name));
    else
        alert_explain(
            alert,
            "The client of %.*s says to be Windows %.*s, which answers a challenge that has a time with "
            "an integrity code (MIC), and there is none.",
            PRINTED(o->account.name), PRINTED(observation_text(o, FIELD_NTLM_CLIENT_VERSION)));
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_ntlm_tampering = {
    .external_id = 2039,
    .name = "AbnormalNtlmSigningSecurityAlert",
    .title = "Suspected NTLM authentication tampering",
    .word = "ntlm_tampering",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1557",
    .doc =
        "Looks for NTLMv2 authenticate messages whose integrity code (MIC, [MS-NLMP] 2.2.1.3) is missing "
        "though it cannot be: MsvAvFlags in the response, which is protected by the password, says that "
        "there is one (\"Drop the MIC\", CVE-2019-1040, CVE-2019-1166); or the client is a Windows that "
        "always sends one when the server's challenge has a time ([MS-NLMP] 3.1.5.1.2). Programs that are no "
        "Windows and say so are left out.",
    .advice =
        "Make sure that all servers have their updates. Look for an NTLM relay (2037) from the same source; "
        "require signing.",
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
