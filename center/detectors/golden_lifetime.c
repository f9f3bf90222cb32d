/* SPDX-License-Identifier: Apache-2.0
 *
 * 2022: a ticket-granting ticket outlives what the domain allows.
 */
#include "center/detectors/authentication.h"

enum { SETTING_SLACK, SETTING_ASKED, SETTING_ABSURD };

static const struct detector_setting settings[] = {
    [SETTING_SLACK] = {"slack", "h", 4, 1, 0.25, 0, 100,
                       "How much longer it may be used, for clocks that differ."},
    [SETTING_ASKED] = {"asked", "d", 60, 30, 10, 1, 10000,
                       "How far ahead the end may be that is asked for a ticket by means of it."},
    [SETTING_ABSURD] = {"absurd", "d", 5475, 5475, 5475, 1, 100000,
                        "Further ahead than this it is taken for a clock that is wrong, as without a battery "
                        "they begin at 1970 or 2000."},
    {0},
};

struct ticket_age {
    int64_t first; /* when it was first presented or issued */
};

static const struct state_form tables[] = {
    {"tickets", 1, sizeof(struct ticket_age), 262144, 14 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_TGS, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    uint64_t fingerprint = observation_uint(o, FIELD_TICKET_FINGERPRINT, 0);
    bool granting = service_is_own_granting(observation_text(o, FIELD_TICKET_SERVICE),
                                            observation_text(o, FIELD_TICKET_REALM));
    return fingerprint && granting ? subject_of_number(detection_seed(d), fingerprint) : (struct subject){0};
}

/* Ends that clients ask for when they mean "as long as you like": Windows' 2037-09-13 and 2100-09-13/14, and
 * the last second of 31 bits. */
static bool means_for_ever(int64_t till)
{
    static const int64_t ends[] = {2136422885, 2147483647, 4124486885, 4124573285};
    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (till / STATISTICS_SECOND == ends[i])
            return true;
    return false;
}

static struct alert *new_alert(struct detection *d, const struct observation *o)
{
    struct alert *alert =
        detection_alert(d, o, subject_of_pair(detection_seed(d), o->account.subject, o->origin));
    alert_put_text(alert, "service", observation_text(o, FIELD_SERVICE));
    alert_explain(alert, "Suspicious usage of the Kerberos ticket of %.*s from %.*s.",
                  PRINTED(party_words(&o->account, "somebody")),
                  PRINTED(party_words(&o->source, "an unknown place")));
    return alert;
}

static void judge_age(struct detection *d, const struct observation *o, int64_t first)
{
    const int64_t life = o->ticket_life.life;
    int64_t age = o->time - first;
    int64_t limit = life + (int64_t)(detection_setting(d, SETTING_SLACK) * (double)STATISTICS_HOUR);
    if (age <= limit)
        return;
    struct alert *alert = new_alert(d, o);
    alert_put_duration(alert, "age", age);
    alert_put_compared(alert, "age_hours", (double)age / (double)STATISTICS_HOUR,
                       o->ticket_life.from == LIFE_SET ? "policy" : "life",
                       (double)life / (double)STATISTICS_HOUR);
    alert_explain(
        alert,
        "The ticket-granting ticket was %s %.1f hours ago and is still used; tickets of this domain "
        "live %.1f hours%s, and a renewed one would be another one.",
        o->ticket ? "issued" : "first seen", (double)age / (double)STATISTICS_HOUR,
        (double)life / (double)STATISTICS_HOUR, ticket_life_words(o->ticket_life.from));
    tell_source(alert, o);
    detection_raise(d);
}

static void judge_asked(struct detection *d, const struct observation *o)
{
    const int64_t life = o->ticket_life.life;
    int64_t till = observation_int(o, FIELD_REQUESTED_TILL, 0);
    double asked = detection_setting(d, SETTING_ASKED) * (double)STATISTICS_DAY;
    double ahead = (double)till - (double)o->time;
    if (till <= 0 || means_for_ever(till) || ahead <= asked || ahead <= (double)life ||
        ahead > detection_setting(d, SETTING_ABSURD) * (double)STATISTICS_DAY)
        return;
    struct alert *alert = new_alert(d, o);
    alert_put_time(alert, "end", till);
    alert_put_compared(alert, "days_ahead", ahead / (double)STATISTICS_DAY, "asked",
                       detection_setting(d, SETTING_ASKED));
    alert_explain(
        alert,
        "By means of its ticket-granting ticket it asked for one until %.0f days from then, which is "
        "what clients do that have one that lives so long; tickets of this domain live %.1f hours%s.",
        ahead / (double)STATISTICS_DAY, (double)life / (double)STATISTICS_HOUR,
        ticket_life_words(o->ticket_life.from));
    tell_source(alert, o);
    detection_raise(d);
}

static void observe(struct detection *d, const struct observation *o)
{
    bool added;
    struct ticket_age *t = detection_use(d, 0, detection_key(d), &added);
    if (!t)
        return;
    if (added)
        t->first = o->time;
    if (o->ticket && o->ticket->issued < t->first)
        t->first = o->ticket->issued;
    /* What the controller refuses as expired is used up, not forged. And one that a controller gave to who
     * proved himself lives as long as the policy lets it: then that is longer than was thought. */
    if (observation_uint(o, FIELD_STATUS, 1) == 0 && !(o->ticket && o->ticket->initial))
        judge_age(d, o, t->first);
    if (!o->ticket) /* else a controller made it, whatever is asked for */
        judge_asked(d, o);
}

const struct detector detector_golden_lifetime = {
    .external_id = 2022,
    .name = "GoldenTicketSecurityAlert",
    .title = "Suspected golden ticket usage (time anomaly)",
    .word = "golden_lifetime",
    .severity = SEVERITY_HIGH,
    .mitre = "T1558.001",
    .doc =
        "Compares how long one and the same ticket-granting ticket is accepted with the longest life of a "
        "ticket in the domain (docs/processor.md tells from where it is known): controllers issue none that "
        "lives longer, and a renewed ticket is another one. One that a controller of the directory was seen "
        "to issue for a proof of identity is not judged: it tells how long they live. Second, the end that "
        "a client asks for in a TGS request (RFC 4120 5.4.1 till): many clients put there the end of the "
        "ticket-granting ticket that they have, so an end years ahead tells one that lives for years. The "
        "values by which clients say \"as long as you like\" are left out.",
    .advice =
        "Find out how krbtgt's key was taken (look for DCSync, 2006); reset krbtgt's password twice, and "
        "look what the account did from the source.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
