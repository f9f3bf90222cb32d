/* SPDX-License-Identifier: Apache-2.0
 *
 * 2037: an NTLM authentication is passed on by somebody in between.
 */
#include "center/detectors/directory_change.h"

#include <string.h>

enum { SETTING_CONFIDENCE, SETTING_WINDOW };

static const struct detector_setting settings[] = {
    [SETTING_CONFIDENCE] =
        {"confidence", "%", 95, 85, 70, 50, 100,
         "How sure the name of the source must be, to say that it is not the computer whose "
         "account authenticates."},
    [SETTING_WINDOW] = {"window", "s", 60, 300, 600, 1, 3600,
                        "Within which time the same response is seen twice."},
    {0},
};

/* A response, by its fingerprint: between whom it was seen first. */
struct response_seen {
    struct ip_address from, to;
    int64_t time;
};

static const struct state_form tables[] = {
    {"responses", 1, sizeof(struct response_seen), 131072, STATISTICS_HOUR},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_NTLM_AUTHENTICATE, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    uint64_t fingerprint = observation_uint(o, FIELD_NTLM_RESPONSE_FINGERPRINT, 0);
    bool anonymous = text_is(observation_text(o, FIELD_NTLM_VARIANT), "anonymous");
    return fingerprint && !anonymous && party_is(&o->account)
               ? subject_of_number(detection_seed(d), fingerprint)
               : (struct subject){0};
}

/* The host part of the service that the client believes to speak to: "cifs/10.0.0.1", "cifs/dc1.corp:445". */
static struct bytes meant_host(const struct observation *o)
{
    struct bytes spn = observation_text(o, FIELD_NTLM_TARGET_SPN);
    const uint8_t *slash = spn.size ? memchr(spn.data, '/', spn.size) : NULL;
    if (!slash)
        return (struct bytes){0};
    struct bytes host = {slash + 1, (size_t)(spn.data + spn.size - slash - 1)};
    return host;
}

static bool host_address(struct bytes host, struct ip_address *to)
{
    char text[IP_ADDRESS_TEXT_MAX];
    if (host.size == 0 || host.size >= sizeof(text))
        return false;
    memcpy(text, host.data, host.size);
    text[host.size] = '\0';
    return ip_address_parse(text, to);
}

/* The client meant to speak to the very computer that this comes from. */
static bool meant_the_sender(const struct observation *o)
{
    struct bytes host = meant_host(o);
    struct ip_address meant;
    if (o->source_address.family == 0 || ip_address_equal(&o->source_address, &o->destination_address))
        return false;
    if (host_address(host, &meant))
        return ip_address_equal(&meant, &o->source_address);
    struct bytes label = host;
    for (size_t i = 0; i < host.size; i++)
        if (host.data[i] == '.' || host.data[i] == ':') {
            label.size = i;
            break;
        }
    return o->source.kind == SUBJECT_COMPUTER && names_equal(label, o->source.name) &&
           !(o->destination.kind == SUBJECT_COMPUTER && names_equal(label, o->destination.name));
}

/* A computer's account, by the right password, from what is surely another computer. */
static bool not_that_computer(const struct detection *d, const struct observation *o)
{
    return o->account.kind == SUBJECT_COMPUTER && o->source.kind == SUBJECT_COMPUTER &&
           authentication_outcome(o) == OUTCOME_SUCCESS &&
           o->source.confidence >= detection_setting(d, SETTING_CONFIDENCE) &&
           !names_equal(o->account.name, o->source.name);
}

/* The one who got it sends it on (or, packets out of order, sent it on). */
static bool passed_on(const struct detection *d, const struct observation *o, const struct response_seen *s)
{
    int64_t gap = o->time - s->time;
    if (gap < 0)
        gap = -gap;
    if (gap > (int64_t)detection_setting(d, SETTING_WINDOW) * STATISTICS_SECOND)
        return false;
    return (ip_address_equal(&o->source_address, &s->to) &&
            !ip_address_equal(&o->destination_address, &s->from)) ||
           (ip_address_equal(&o->destination_address, &s->from) &&
            !ip_address_equal(&o->source_address, &s->to));
}

static void observe(struct detection *d, const struct observation *o)
{
    bool added;
    struct response_seen *s = detection_use(d, 0, detection_key(d), &added);
    if (!s)
        return;
    if (added)
        *s = (struct response_seen){o->source_address, o->destination_address, o->time};
    bool twice = !added && passed_on(d, o, s), sender = meant_the_sender(o), other = not_that_computer(d, o);
    if (!twice && !sender && !other)
        return;
    struct subject by = subject_of_pair(detection_seed(d), o->origin, o->account.subject);
    struct alert *alert = detection_alert(d, o, by);
    bool refused = observation_has(o, FIELD_STATUS) && authentication_outcome(o) != OUTCOME_SUCCESS;
    struct bytes workstation = observation_text(o, FIELD_WORKSTATION);
    alert_put_text(alert, "carrier", observation_text(o, FIELD_CARRIER));
    alert_put_text(alert, "workstation", workstation);
    alert_put_text(alert, "meant_service", observation_text(o, FIELD_NTLM_TARGET_SPN));
    alert_put_string(alert, "outcome", refused ? "failure" : "success");
    alert_explain(alert,
                  "%.*s authenticated by NTLM to %.*s from %.*s, which seems to pass on what it got from "
                  "somebody else.",
                  PRINTED(o->account.name), PRINTED(party_words(&o->destination, "a server")),
                  PRINTED(party_words(&o->source, "somebody")));
    if (sender)
        alert_explain(alert, "The response was made for %.*s, which is the very computer that sends it.",
                      PRINTED(observation_text(o, FIELD_NTLM_TARGET_SPN)));
    if (twice) {
        char from[IP_ADDRESS_TEXT_MAX], to[IP_ADDRESS_TEXT_MAX];
        alert_explain(alert, "The same response was seen from %s to %s.", ip_address_text(&s->from, from),
                      ip_address_text(&s->to, to));
    }
    if (other)
        alert_explain(alert, "It is a computer's account, and the source is another computer (%u%% sure).",
                      o->source.confidence);
    if (workstation.size)
        alert_explain(alert, "The client calls itself %.*s.", PRINTED(workstation));
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_ntlm_relay = {
    .external_id = 2037,
    .name = "NtlmRelaySecurityAlert",
    .title = "Suspected NTLM relay attack",
    .word = "ntlm_relay",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1557.001",
    .doc =
        "Looks for NTLM responses ([MS-NLMP] 2.2.1.3) that another than the client sends on: the target name "
        "in the response (MsvAvTargetName, [MS-NLMP] 2.2.2.1), which the client fills in and nobody can "
        "change without the password, names the very computer or address that the response comes from; the "
        "same response, known by a keyed hash, is seen going to a computer and out of it again; or a "
        "computer's account authenticates with the right password from what is surely another computer. "
        "That the client calls itself otherwise than the source is told, and alone not raised.",
    .advice = "Find the computer in between. Require SMB and LDAP signing and channel binding, so that "
              "relays fail; reset what the account could do there.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
