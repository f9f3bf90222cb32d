/* SPDX-License-Identifier: Apache-2.0
 *
 * 2018: one ticket is used on two computers.
 */
#include "center/detectors/authentication.h"

#include <string.h>
#include <strings.h>

enum { SETTING_OVERLAP, SETTING_CONFIDENCE };

static const struct detector_setting settings[] = {
    [SETTING_OVERLAP] =
        {"overlap", "s", 600, 3600, 36000, 1, 864000,
         "Within which time the first one must use it again after the other, where only "
         "addresses are known: a laptop that changes its network does not come back so soon."},
    [SETTING_CONFIDENCE] = {"confidence", "%", 90, 75, 50, 50, 100,
                            "How sure the names of both computers must be to do without that."},
    {0},
};

struct ticket_user {
    struct subject computer, origin;
    int64_t first, last;
    struct ip_address address;
    uint8_t named; /* it is a computer that is known by name, not an address */
    uint8_t confidence;
    char name[64];
};

struct ticket_users {
    struct ticket_user users[2]; /* the first; the newest other one */
};

static const struct state_form tables[] = {
    {"tickets", 1, sizeof(struct ticket_users), 262144, 10 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_TGS, ACTIVITY_KERBEROS_AP, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    uint64_t fingerprint = observation_uint(o, FIELD_TICKET_FINGERPRINT, 0);
    /* A reverse proxy passes on what its clients present; a ticket that was handed over belongs to both. */
    bool lawful = text_is(observation_text(o, FIELD_CARRIER), "http") ||
                  observation_bool(o, FIELD_SOURCE_SHARED) ||
                  (o->ticket && (o->ticket->forwarded || o->ticket->delegated));
    return fingerprint && !lawful && party_is(&o->source) ? subject_of_number(detection_seed(d), fingerprint)
                                                          : (struct subject){0};
}

static void fill_in(struct ticket_user *u, const struct observation *o)
{
    memset(u, 0, sizeof(*u));
    u->computer = o->source.subject;
    u->origin = o->origin;
    u->first = u->last = o->time;
    u->address = o->source_address;
    u->named = o->source.kind == SUBJECT_COMPUTER;
    u->confidence = o->source.confidence;
    keep_name(u->name, sizeof(u->name), o->source.name);
}

/* Who got it had it first, even if it is first seen used elsewhere. False: it is the same. */
static bool fill_in_issued(const struct detection *d, struct ticket_user *u, const struct observation *o)
{
    struct subject origin = subject_of_address(detection_seed(d), &o->ticket->address);
    if (subject_is_none(origin) || subject_equal(origin, o->origin) ||
        subject_equal(o->ticket->computer, o->source.subject))
        return false;
    memset(u, 0, sizeof(*u));
    u->computer = o->ticket->computer;
    u->origin = origin;
    u->first = u->last = o->ticket->issued;
    u->address = o->ticket->address;
    u->named = o->ticket->computer_confidence > 0;
    u->confidence = u->named ? o->ticket->computer_confidence : 100;
    char text[IP_ADDRESS_TEXT_MAX];
    const char *name = u->named ? o->ticket->computer_name : ip_address_text(&u->address, text);
    keep_name(u->name, sizeof(u->name), (struct bytes){(const uint8_t *)name, strlen(name)});
    return true;
}

static bool is_user(const struct ticket_user *u, const struct observation *o)
{
    return subject_equal(u->computer, o->source.subject) || subject_equal(u->origin, o->origin);
}

/* Two computers, not two addresses of one, nor one that is known with its domain now and without it then. */
static bool surely_two(const struct detection *d, const struct ticket_user *a, const struct ticket_user *b)
{
    double enough = detection_setting(d, SETTING_CONFIDENCE);
    return a->named && b->named && a->confidence >= enough && b->confidence >= enough &&
           strcasecmp(a->name, b->name) != 0;
}

static void raise_alert(struct detection *d, const struct observation *o, const struct ticket_users *t,
                        bool sure)
{
    const struct ticket_user *from = &t->users[0], *to = &t->users[1];
    struct alert *alert = detection_bare_alert(d, o, detection_key(d));
    const struct ticket_user *both[2] = {to, from};
    for (unsigned i = 0; i < 2; i++) {
        struct party party = {.kind = both[i]->named ? SUBJECT_COMPUTER : SUBJECT_ADDRESS,
                              .subject = both[i]->computer,
                              .name = {(const uint8_t *)both[i]->name, strlen(both[i]->name)},
                              .address = both[i]->address,
                              .confidence = both[i]->confidence};
        alert_add_party(alert, ALERT_SOURCE, &party);
    }
    alert_add_party(alert, ALERT_ACCOUNT, &o->account);
    alert_add_party(alert, ALERT_DESTINATION, &o->destination);
    struct bytes service =
        observation_text(o, o->kind == ACTIVITY_KERBEROS_TGS ? FIELD_SERVICE : FIELD_TICKET_SERVICE);
    alert_put_text(alert, "ticket", observation_text(o, FIELD_TICKET_SERVICE));
    alert_put_text(alert, "service", service);
    alert_put_string(alert, "ticket_source", from->name);
    alert_put_time(alert, "used_there_last", from->last);
    alert_explain(alert, "A Kerberos ticket of %.*s was stolen from %s to %s and used to access %.*s.",
                  PRINTED(party_words(&o->account, "somebody")), from->name, to->name, PRINTED(service));
    if (sure) {
        alert_explain(alert, "The two are different computers: their names are %u%% and %u%% sure.",
                      from->confidence, to->confidence);
    } else {
        double gap = (double)(from->last - to->first) / (double)STATISTICS_SECOND;
        alert_put_compared(alert, "overlap", gap, "overlap", detection_setting(d, SETTING_OVERLAP));
        alert_explain(
            alert,
            "Not both have a name that is sure enough, but both use it in turn: the first one again "
            "%.0f s after the second began.",
            gap);
    }
    detection_raise(d);
}

static void observe(struct detection *d, const struct observation *o)
{
    bool added;
    struct ticket_users *t = detection_use(d, 0, detection_key(d), &added);
    if (!t)
        return;
    struct ticket_user *first = &t->users[0], *other = &t->users[1];
    if (added && (!o->ticket || !fill_in_issued(d, first, o)))
        fill_in(first, o);
    if (is_user(first, o)) {
        first->last = o->time;
        if (other->first && other->address.family == first->address.family &&
            o->time - other->first <= (int64_t)detection_setting(d, SETTING_OVERLAP) * STATISTICS_SECOND)
            raise_alert(d, o, t, surely_two(d, first, other));
        return;
    }
    if (other->first && is_user(other, o))
        other->last = o->time;
    else
        fill_in(other, o);
    if (surely_two(d, first, other))
        raise_alert(d, o, t, true);
}

const struct detector detector_pass_the_ticket = {
    .external_id = 2018,
    .name = "PassTheTicketSecurityAlert",
    .title = "Suspected identity theft (pass-the-ticket)",
    .word = "pass_the_ticket",
    .severity = SEVERITY_HIGH,
    .mitre = "T1550.003",
    .doc =
        "Knows each ticket by a keyed hash of its cipher text and follows who presents it, to the controller "
        "(TGS request) and to services (AP request). A ticket and its session key stay on the computer that "
        "they were given to - which is known from the exchange that issued it -, so the same ticket from two "
        "computers was taken from one of them. Raised when both computers are known by name, surely enough, "
        "and are not the same; or, where only addresses "
        "are known, when both use it in turn: one computer that changes its address goes on with the new "
        "one. Tickets that were forwarded or delegated, HTTP (reverse proxies pass tickets on) and "
        "addresses shared by several computers are left out.",
    .advice = "Log the account off on both computers, purge its tickets and reset its password; look for "
              "credential theft on the first and for who sits at the second.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
