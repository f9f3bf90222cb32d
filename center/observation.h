/* SPDX-License-Identifier: Apache-2.0
 *
 * An activity as detectors and profiles get it: what it says, who is in it, and what the processor tied to
 * it. Views, valid during the call.
 */
#pragma once

#include "base/activity.h"
#include "center/subject.h"

/* Where an activity stands: the entry of the log, and which of its batch's records. It never changes, so a
 * repetition of the same activity after a crash is known by it. */
struct activity_place {
    uint64_t position;
    uint32_t index;
};

static inline bool activity_place_behind(struct activity_place a, struct activity_place b)
{
    return a.position > b.position || (a.position == b.position && a.index > b.index);
}

/* A ticket that was seen being issued: who got it, where, and what it is. */
struct ticket {
    uint64_t fingerprint;
    int64_t issued;                   /* ns since 1970 */
    int64_t till;                     /* end of life that was asked for; 0: not seen */
    struct subject account, computer; /* who got it, and on which computer (or address) */
    struct ip_address address;        /* where it was handed to */
    int32_t etype;                    /* of the ticket */
    int32_t reply_etype;              /* of the reply: the client's long-term key, with AS */
    bool granting;                    /* a ticket-granting ticket */
    bool
        initial; /* by a controller that the directory knows, to who proved himself, not for another ticket */
    bool renewed, forwarded, delegated;
    uint8_t computer_confidence; /* percent that it is that computer; 0: `computer` is an address */
    char computer_name[24];      /* of that computer */
    char account_name[64], account_domain[64], service[128];
};

/* How long the ticket-granting tickets of a domain live at most: its policy stands in files (SYSVOL) that
 * nobody reads here. */
struct ticket_life {
    int64_t life; /* ns */
    enum ticket_life_source {
        LIFE_ASSUMED, /* ten hours, the default of all domains */
        LIFE_USED,    /* twice as long as one was accepted, which was more than that */
        LIFE_READ,    /* as of one that was issued, read by a key */
        LIFE_SET,     /* a person said so */
    } from;
};
const char *ticket_life_words(enum ticket_life_source from); /* "by default", ... */

struct observation {
    const struct activity *activity;
    enum activity_kind kind;
    int64_t time; /* ns since 1970, never far ahead of when it was received */
    struct activity_place place;
    struct bytes record; /* encoded */

    struct ip_address source_address, destination_address; /* family 0: none */
    /* Who asked: the computer behind the source address where that is known well enough, else the address;
     * with events the workstation that they name. */
    struct party source;
    /* Who was asked: the server, likewise; with events the computer that logged it. */
    struct party destination;
    /* Whose requests to count together: the source address, which does not change as names become known;
     * where there is none, `source`. */
    struct subject origin;
    bool source_is_controller, destination_is_controller;

    struct party account; /* who acts: named, or by its ticket or connection */
    struct party service; /* owner of the service that a ticket is for */
    struct party
        target; /* the object that is changed, replicated, asked for; the member, when a group changes */
    struct party group;
    struct ticket_life ticket_life; /* of the presented ticket's domain; 0: it presents none */
    bool renamed;                   /* the memory of one of these is not its subject */
    const struct ticket *ticket;    /* the presented ticket, where it was seen being issued; NULL else */

    /* The same logon was told before, with the same outcome: this is its event, or, when that came first,
     * what was seen of it on the wire. It says something more (what does not is left out), and is not to be
     * counted once more. */
    bool told;

    /* Of what is watched here: all that the tickets and accounts come from was seen from the beginning. */
    bool tickets_watched; /* a ticket that was not seen issued was not issued by a watched controller (for as
                             long as tickets live everything was seen, without loss) */
};

/* The key under which something of `key` is remembered. */
static inline struct subject observation_memory(const struct observation *o, struct subject key)
{
    const struct party *const parties[] = {&o->account, &o->source, &o->destination,
                                           &o->service, &o->target, &o->group};
    for (unsigned i = 0; o->renamed && i < sizeof(parties) / sizeof(parties[0]); i++)
        if (subject_equal(parties[i]->subject, key))
            return parties[i]->memory;
    return key;
}

/* Values of fields, absent ones as `otherwise`. */
static inline uint64_t observation_uint(const struct observation *o, enum activity_field field,
                                        uint64_t otherwise)
{
    const struct activity_value *v = activity_get(o->activity, field);
    return v ? v->uint : otherwise;
}

static inline int64_t observation_int(const struct observation *o, enum activity_field field,
                                      int64_t otherwise)
{
    const struct activity_value *v = activity_get(o->activity, field);
    return v ? v->sint : otherwise;
}

static inline bool observation_bool(const struct observation *o, enum activity_field field)
{
    const struct activity_value *v = activity_get(o->activity, field);
    return v && v->boolean;
}

/* Empty when absent. */
static inline struct bytes observation_text(const struct observation *o, enum activity_field field)
{
    const struct activity_value *v = activity_get(o->activity, field);
    return v ? v->bytes : (struct bytes){0};
}

static inline bool observation_has(const struct observation *o, enum activity_field field)
{
    return activity_get(o->activity, field) != NULL;
}

/* Whether a text is that word, ASCII letters in any case. */
bool text_is(struct bytes text, const char *word);
/* Whether it begins or ends so, or has it somewhere, likewise. */
bool text_begins(struct bytes text, const char *word);
bool text_ends(struct bytes text, const char *word);
bool text_has(struct bytes text, const char *word);
/* Whether a list of integers or of strings has that value. */
bool observation_list_has_int(const struct observation *o, enum activity_field field, int64_t value);
bool observation_list_has_text(const struct observation *o, enum activity_field field, const char *word);
