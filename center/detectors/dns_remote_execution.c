/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_DNS_QUERY, ACTIVITY_DNS_UPDATE, ACTIVITY_NONE};

enum { SETTING_BYTES };
static const struct detector_setting settings[] = {
    {"record_bytes", "bytes", 32768, 16384, 8192, 1024, 65535,
     "Data of one record from which on it is too large."},
    {0},
};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    return observation_has(o, FIELD_DNS_RECORD_MAX) ? o->destination.subject : (struct subject){0};
}

/* Who asks: sensors watch controllers, so one that nothing is known of counts as one. */
static bool may_be_controller(const struct detection *d, const struct observation *o)
{
    struct facts facts;
    return by_controller(d, o) || !detection_facts(d, &o->source, &facts);
}

static void observe(struct detection *d, const struct observation *o)
{
    double bytes = (double)observation_uint(o, FIELD_DNS_RECORD_MAX, 0);
    double limit = detection_setting(d, SETTING_BYTES);
    /* An update is sent to the controller; an answer comes to it, when it is the one that asks. */
    bool update = o->kind == ACTIVITY_DNS_UPDATE;
    if (bytes < limit || (update ? !on_controller(d, o) : !may_be_controller(d, o)))
        return;
    struct alert *alert = detection_bare_alert(d, o, detection_key(d));
    const struct party *attacker = update ? &o->source : &o->destination;
    const struct party *victim = update ? &o->destination : &o->source;
    struct words from, on, name;
    alert_add_party(alert, ALERT_SOURCE, attacker);
    alert_add_party(alert, ALERT_DESTINATION, victim);
    struct bytes asked = observation_text(o, update ? FIELD_DNS_ZONE : FIELD_DNS_NAME);
    alert_explain(alert, "%s sent %s, a domain controller, a DNS %s for %s with a record of %.0f bytes.",
                  words_party(&from, attacker, "Somebody"), words_party(&on, victim, "somebody"),
                  update ? "update" : "answer", words_text(&name, asked, 120), bytes);
    alert_put_compared(alert, "record_bytes", bytes, settings[SETTING_BYTES].name, limit);
    alert_put_text(alert, "name", asked);
    alert_explain(
        alert,
        "No lawful record comes near that size; Windows' DNS server was made to overflow by such ones.");
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_dns_remote_execution = {
    .external_id = 2036,
    .name = "DnsRemoteCodeExecutionSecurityAlert",
    .title = "Remote code execution attempt over DNS",
    .word = "dns_remote_execution",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1210",
    .doc = "A DNS record of a size that only attacks on a server's heap have is sent to a domain controller: "
           "in a dynamic update, or in the answer to a question that the controller itself asked. That is "
           "the form of the heap overflows of Windows' DNS server: CVE-2018-8626, whose details its maker "
           "has not published, and CVE-2020-1350, a SIG record that makes a 16-bit sum of sizes run over "
           "(Check Point Research, \"SIGRed\", 2020). Lawful records stay far below: keys and signatures of "
           "DNSSEC below 1 KB (RFC 6781 3.4.2), text a few KB. Rule, no learning.",
    .advice = "Patch the DNS servers (MSRC's pages of both CVEs; TcpReceivePacketSize for the second) and "
              "look whether the controller began connections of its own to the other end.",
    .settings = settings,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
