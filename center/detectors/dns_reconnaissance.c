/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_DNS_TRANSFER, ACTIVITY_DNS_QUERY,
                                           ACTIVITY_DNSSERVER_MANAGE, ACTIVITY_NONE};

enum { SETTING_NAMES, SETTING_BITS };
static const struct detector_setting settings[] = {
    {"names", "", 500, 200, 100, 20, 1000000,
     "Different names of the server's own zones that one source asks for within an hour, from which on it "
     "may be mapping the network."},
    {"surprise", "bits", 20, 13, 10, 1, 100,
     "How improbable the day's number of such new names must be after the source's own last four weeks; 13 "
     "bits is once in 8,192 days."},
    {0},
};

struct source {
    struct distinct_window names; /* of own zones, an hour */
    struct daily_baseline days;   /* of names that were new in their hour */
    uint32_t told;
    uint8_t transfers; /* was seen transferring while learning */
    uint8_t lists;     /* likewise, listing a zone over the server's management */
};

static const struct state_form tables[] = {
    {.name = "sources",
     .version = 2,
     .value_size = sizeof(struct source),
     .capacity = 100000,
     .lifetime = 60 * STATISTICS_DAY},
    {0},
};

static bool is_server(const struct detection *d, const struct observation *o)
{
    return by_controller(d, o) || detection_is(d, &o->source, FACT_DNS_SERVER);
}

/* Over the management of the server ([MS-DNSP] 3.1.4): the records of a zone from its top, which gives what a
 * transfer gives; and, by an account that is known to administer nothing, the list of zones. Who administers
 * the domain does both in its console. */
static bool lists_zones(const struct detection *d, const struct observation *o)
{
    struct facts facts;
    struct bytes node = observation_text(o, FIELD_DNSSERVER_NODE);
    bool known = detection_facts(d, &o->account, &facts);
    if (known && facts.bits & FACT_SENSITIVE)
        return false;
    if (text_begins(observation_text(o, FIELD_RPC_OPERATION), "DnssrvEnumRecords"))
        return node.size == 0 || text_is(node, "@");
    return known && text_is(observation_text(o, FIELD_DNSSERVER_OPERATION), "EnumZones");
}

/* A query counts when the server answers of its own zone: names of the network itself, found or not. */
static struct subject key(const struct detection *d, const struct observation *o)
{
    bool counts = o->kind == ACTIVITY_DNS_TRANSFER ||
                  (o->kind == ACTIVITY_DNSSERVER_MANAGE ? lists_zones(d, o)
                                                        : observation_bool(o, FIELD_DNS_AUTHORITATIVE));
    return counts && !is_server(d, o) ? key_by_origin(d, o) : (struct subject){0};
}

static void transfer(struct detection *d, const struct observation *o, struct source *source)
{
    if (detection_learning(d))
        source->transfers = 1;
    if (source->transfers)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct words zone;
    bool whole = observation_uint(o, FIELD_DNS_TYPE, 252) == 252;
    alert_add_named(alert, ALERT_RESOURCE, SUBJECT_OBJECT, observation_text(o, FIELD_DNS_ZONE),
                    (struct bytes){0});
    alert_put_text(alert, "zone", observation_text(o, FIELD_DNS_ZONE));
    alert_put_number(alert, "records", (double)observation_uint(o, FIELD_DNS_RECORDS, 0));
    struct words from, on;
    alert_explain(alert, "%s, not known as a DNS server, asked %s to transfer zone %s (%s).",
                  words_party(&from, &o->source, "Somebody"), words_party(&on, &o->destination, "a server"),
                  words_text(&zone, observation_text(o, FIELD_DNS_ZONE), 100), whole ? "AXFR" : "IXFR");
    alert_explain(alert, "It got %.0f records. In the eight days of learning it did not transfer zones.",
                  (double)observation_uint(o, FIELD_DNS_RECORDS, 0));
    explain_end(alert, o);
    detection_raise(d);
}

static void list(struct detection *d, const struct observation *o, struct source *source)
{
    if (detection_learning(d))
        source->lists = 1;
    if (source->lists)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct words zone, from, on;
    struct bytes name = observation_text(o, FIELD_DNSSERVER_ZONE);
    alert_add_named(alert, ALERT_RESOURCE, SUBJECT_OBJECT, name, (struct bytes){0});
    alert_explain(alert, "%s, not known as a DNS server, listed %s%s of %s over its management.",
                  words_party(&from, &o->source, "Somebody"), name.size ? "zone " : "the zones",
                  words_text(&zone, name, 100), words_party(&on, &o->destination, "a server"));
    alert_explain(
        alert,
        "That tells what the network is made of, to anybody who may log on. In the eight days of learning it "
        "did not do so.");
    explain_end(alert, o);
    detection_raise(d);
}

static void query(struct detection *d, const struct observation *o, struct source *source)
{
    struct subject name = subject_of_name(detection_seed(d), SUBJECT_OBJECT,
                                          observation_text(o, FIELD_DNS_NAME), (struct bytes){0});
    uint32_t before = distinct_window_value(&source->names, o->time, STATISTICS_HOUR);
    uint32_t names = distinct_window_add(&source->names, name.low, o->time, STATISTICS_HOUR);
    uint32_t today = baseline_add(&source->days, o->time, names > before ? names - before : 0);
    if (names < source->told)
        source->told = 0;
    double limit = detection_setting(d, SETTING_NAMES);
    double bits = source->days.known ? surprise(baseline_tail(&source->days, today)) : 1000;
    if (names < limit || bits < detection_setting(d, SETTING_BITS) ||
        (source->told && names < 2 * source->told))
        return;
    source->told = names;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct words from, on;
    alert_explain(alert, "%s asked %s for about %u different names of its own zones within an hour.",
                  words_party(&from, &o->source, "Somebody"), words_party(&on, &o->destination, "a server"),
                  names);
    alert_put_compared(alert, "names", names, settings[SETTING_NAMES].name, limit);
    if (source->days.known) {
        alert_put_compared(alert, "today", today, "learned", baseline_median(&source->days));
        alert_explain(alert, "%u of them new today; its %u last days had %.0f in the middle.", today,
                      source->days.known, baseline_median(&source->days));
    } else {
        alert_explain(alert, "Nothing is known of what it asks for on other days.");
    }
    explain_end(alert, o);
    detection_raise(d);
}

static void observe(struct detection *d, const struct observation *o)
{
    struct source *source = detection_use(d, 0, detection_key(d), NULL);
    if (!source)
        return;
    if (o->kind == ACTIVITY_DNS_TRANSFER)
        transfer(d, o, source);
    else if (o->kind == ACTIVITY_DNSSERVER_MANAGE)
        list(d, o, source);
    else
        query(d, o, source);
}

const struct detector detector_dns_reconnaissance = {
    .external_id = 2007,
    .name = "DnsReconnaissanceSecurityAlert",
    .title = "Network-mapping reconnaissance (DNS)",
    .word = "dns_reconnaissance",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1590.002",
    .learning = 8 * STATISTICS_DAY,
    .doc = "A zone is transferred (AXFR, IXFR), or is tried to be, by one that is no DNS server and did not "
           "do so in the eight days of learning (published). Or it lists a zone or the zones over the "
           "server's management (MS-DNSP), which gives the same, and its account is not known as sensitive. "
           "Or a source asks for many different names of the server's own zones within an hour (answers "
           "marked authoritative, found or not: what the outside is called does not count): a sliding count "
           "of different names (HyperLogLog), and the day's number must be improbable after the source's own "
           "last 28 days (docs/learning.md, counts a day), so that a monitoring server with a steady volume "
           "is not told.",
    .advice = "Ask what ran on the source. Restrict zone transfers to the secondary servers. Tag secondary "
              "DNS servers and exclude scanners of your own.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
