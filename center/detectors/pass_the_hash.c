/* SPDX-License-Identifier: Apache-2.0
 *
 * 2017: an account authenticates by NTLM from a computer that it never logged on to.
 */
#include "center/detectors/authentication.h"

enum { SETTING_LOGONS, SETTING_DAYS, SETTING_COMPUTERS, SETTING_NTLM, SETTING_FOREIGN };

#define PLACES_MAX 16u

static const struct detector_setting settings[] = {
    [SETTING_LOGONS] = {"logons", "", 50, 20, 10, 1, 100000,
                        "How many authentications of the account must have been seen before."},
    [SETTING_DAYS] = {"days", "", 10, 5, 3, 1, 60, "On how many different days."},
    [SETTING_COMPUTERS] =
        {"computers", "", 2, 4, 8, 1, PLACES_MAX,
         "From how many computers at most: who goes everywhere has no habit to differ from."},
    [SETTING_NTLM] = {"ntlm", "%", 5, 20, 50, 0, 100,
                      "How large a part of them at most was by NTLM: some programs know nothing else."},
    [SETTING_FOREIGN] =
        {"foreign_logons", "", 20, 5, 3, 1, 100000,
         "The same as logons, where the NTLM message is one that Windows does not make; and instead of "
         "different days it is so many since the account was seen first."},
    {0},
};

/* A computer, and the address that it had last: its name may become known only later. */
struct place {
    uint32_t hash, address;
    uint32_t day; /* when it was last used, since 1970 */
};

struct account_habit {
    int64_t first;           /* seen */
    uint32_t kerberos, ntlm; /* successful authentications */
    uint32_t days, day;
    struct place places[PLACES_MAX];
};

static const struct state_form tables[] = {
    {"accounts", 2, sizeof(struct account_habit), 1048576, 60 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AS, ACTIVITY_NTLM_AUTHENTICATE, ACTIVITY_NONE};

#define PLACE_LIFE_DAYS 45u

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    bool user = o->account.kind == SUBJECT_ACCOUNT && authentication_outcome(o) == OUTCOME_SUCCESS;
    return user && party_is(&o->source) && !observation_bool(o, FIELD_SOURCE_SHARED) ? o->account.subject
                                                                                     : (struct subject){0};
}

/* Where it is, else which is to make room: one that is free, else the oldest. */
static struct place *find_place(struct account_habit *h, uint32_t hash, uint32_t address, uint32_t day,
                                bool *known)
{
    struct place *room = &h->places[0];
    *known = false;
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        struct place *p = &h->places[i];
        if ((p->hash == hash || p->address == address) && p->day + PLACE_LIFE_DAYS >= day) {
            *known = true;
            return p;
        }
        if (p->day < room->day)
            room = p;
    }
    return room;
}

static uint32_t usual_places(const struct account_habit *h, uint32_t day)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < PLACES_MAX; i++)
        count += h->places[i].hash && h->places[i].day + PLACE_LIFE_DAYS >= day;
    return count;
}

/* [MS-NLMP] 3.1.5.1.2: who is given the server's time answers with an integrity code (MIC), and Windows names
 * its workstation. Tools that log on by a hash come from libraries that do neither. */
static bool is_foreign(const struct observation *o)
{
    return observation_has(o, FIELD_NTLM_SERVER_TIME) && observation_has(o, FIELD_NTLM_MIC) &&
           !observation_bool(o, FIELD_NTLM_MIC) && observation_text(o, FIELD_WORKSTATION).size == 0;
}

/* Whether enough is known of the account for a new place to mean something; for any message, or for a foreign
 * one. */
static bool is_settled(const struct detection *d, const struct account_habit *h)
{
    return h->kerberos + h->ntlm >= detection_setting(d, SETTING_LOGONS) &&
           h->days >= detection_setting(d, SETTING_DAYS);
}

static bool is_known(const struct detection *d, const struct account_habit *h)
{
    int64_t days = (int64_t)detection_setting(d, SETTING_DAYS) * STATISTICS_DAY;
    return h->kerberos + h->ntlm >= detection_setting(d, SETTING_FOREIGN) &&
           !detection_learning_since(d, h->first, days);
}

static void raise_alert(struct detection *d, const struct observation *o, const struct account_habit *h,
                        uint32_t places)
{
    bool settled = is_settled(d, h);
    struct alert *alert =
        detection_alert(d, o, subject_of_pair(detection_seed(d), o->account.subject, o->origin));
    uint32_t all = h->kerberos + h->ntlm;
    double share = 100.0 * h->ntlm / all;
    unsigned logons = settled ? SETTING_LOGONS : SETTING_FOREIGN;
    if (!settled)
        alert->severity = SEVERITY_MEDIUM;
    alert_put_compared(alert, "logons_before", all, settings[logons].name, detection_setting(d, logons));
    alert_put_compared(alert, "days_before", h->days, "days", detection_setting(d, SETTING_DAYS));
    alert_put_compared(alert, "computers_before", places, "computers",
                       detection_setting(d, SETTING_COMPUTERS));
    alert_put_compared(alert, "share_ntlm", share, "ntlm", detection_setting(d, SETTING_NTLM));
    alert_explain(
        alert,
        "%.*s authenticated by NTLM from %.*s to %.*s, where it was never seen before: neither there "
        "nor from there did anybody give its password to a controller by Kerberos.",
        PRINTED(o->account.name), PRINTED(o->source.name), PRINTED(party_words(&o->destination, "a server")));
    alert_explain(
        alert,
        "It was learned from %u authentications on %u days: from %u computer%s, %.0f%% by NTLM. Its "
        "hash may have been stolen from one of them.",
        all, h->days, places, places == 1 ? "" : "s", share);
    if (is_foreign(o))
        alert_explain(alert,
                      "The message names no workstation and has no integrity code (MIC) though it was due: "
                      "Windows makes none like it, while tools that log on by a hash do.");
    tell_source(alert, o);
    detection_raise(d);
}

static void observe(struct detection *d, const struct observation *o)
{
    struct account_habit *h = detection_use(d, 0, detection_key(d), NULL);
    if (!h)
        return;
    uint32_t day = (uint32_t)(o->time / STATISTICS_DAY);
    bool ntlm = o->kind == ACTIVITY_NTLM_AUTHENTICATE, known;
    uint32_t hash = (uint32_t)o->source.subject.low | 1, address = (uint32_t)o->origin.low | 1;
    struct place *place = find_place(h, hash, address, day, &known);
    uint32_t places = usual_places(h, day), all = h->kerberos + h->ntlm;
    if (h->first == 0)
        h->first = o->time;
    if (ntlm && !known && places && places <= detection_setting(d, SETTING_COMPUTERS) &&
        (is_settled(d, h) || (is_foreign(o) && is_known(d, h))) &&
        h->ntlm * 100.0 <= all * detection_setting(d, SETTING_NTLM)) {
        raise_alert(d, o, h, places);
        return; /* what is raised is not learned from */
    }
    place->hash = hash;
    place->address = address;
    place->day = day;
    if (ntlm)
        h->ntlm++;
    else
        h->kerberos++;
    h->days += h->day != day;
    h->day = day;
}

const struct detector detector_pass_the_hash = {
    .external_id = 2017,
    .name = "PassTheHashSecurityAlert",
    .title = "Suspected identity theft (pass-the-hash)",
    .word = "pass_the_hash",
    .severity = SEVERITY_HIGH,
    .mitre = "T1550.002",
    .doc =
        "Learns, for each user account, from which computers it authenticates (those of the last 45 days), "
        "on how many days, and by what: who logs on to a computer of the domain gives the password to a "
        "controller by Kerberos (AS exchange) first. Raised when an account with such a habit - few "
        "computers, mostly Kerberos - succeeds by NTLM from a computer that is none of them: on the wire a "
        "stolen hash looks just like the password, but its user never logged on there. Less has to be known "
        "of the account when the message is none that Windows makes: the server told its time, and there is "
        "neither an integrity code ([MS-NLMP] 3.1.5.1.2) nor a workstation's name. An account of which not "
        "enough was seen is never raised; addresses shared by several computers are left out.",
    .advice =
        "Ask the account's owner whether they use that computer. If not, reset the password and look for "
        "credential theft on the computers that the account usually uses.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
