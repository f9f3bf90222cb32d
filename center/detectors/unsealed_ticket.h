/* SPDX-License-Identifier: Apache-2.0
 *
 * What detectors of forged tickets share: the inside of a presented ticket and its PAC, as keys let it be
 * read (docs/keytab.md), against itself, against the directory, and against the tickets that controllers of
 * the same realm were seen to issue. Without keys nothing of it is there, and nothing is found. Pure.
 */
#pragma once

#include "center/detectors/authentication.h"

/* [MS-PAC] 2.4 */
#define PAC_BUFFER_UPN       12
#define PAC_BUFFER_REQUESTOR 18
#define PAC_BUFFER_LOGON     1

/* What tickets of a realm look like that its controllers were seen to issue. */
struct realm_tickets {
    uint32_t granting, requestors, upns; /* ticket-granting tickets; with that buffer in their PAC */
    uint32_t etypes;                     /* ticket-granting tickets were of: a bit for each encryption type */
    uint32_t kvno;                       /* highest version of krbtgt's key */
    int64_t longest;                     /* ns that one lives at most */
    uint32_t services, ticket_signatures, full_signatures; /* tickets for services; with that signature */
    uint8_t pac_domain_size;
    char pac_domain[63]; /* NetBIOS name that they carry */
};

#define REALM_TICKETS_TABLE                                                                                  \
    {                                                                                                        \
        "realms", 2, sizeof(struct realm_tickets), 1024, 0                                                   \
    }
/* So many tickets were seen issued, before what they have in common is taken for what all have. */
#define REALM_TICKETS_LEAST 3u

/* The realm that a ticket is of, as key; none: nothing was unsealed. */
struct subject unsealed_realm(const struct detection *d, const struct observation *o);
/* A ticket-granting ticket of its own realm is presented, and was read. */
bool unsealed_granting(const struct observation *o);
/* A ticket for any other service but those of the KDC is presented, and was read. */
bool unsealed_service(const struct observation *o);
/* Takes what was issued: an AS exchange, or a presented ticket for a service that was seen being issued. */
void realm_tickets_learn(struct realm_tickets *r, const struct observation *o);

/* The key belongs to a read-only controller, which has one of its own ([MS-KILE] 3.1.5.8: upper half of the
 * version). */
#define KVNO_IS_READ_ONLY(kvno) ((kvno) > 0xffff)

/* Whether a signature ("good", "bad", "absent", "unknown") is that. */
bool signature_is(const struct observation *o, enum activity_field field, const char *verdict);

/* -- findings: each tells one thing that does not fit, as evidence and as a sentence ----------------------
 */

struct findings {
    struct detection *d;
    const struct observation *o;
    struct alert *alert;        /* made when the first is found */
    struct subject key;         /* of that alert */
    unsigned certain, possible; /* how many were found of each sort */
    const char *what;           /* "used a ticket-granting ticket that no controller made" */
};

/* Who used it, from where; `detector` tells those apart that have one external id. */
struct subject findings_key(const struct detection *d, const struct observation *o, uint64_t detector);
/* `certain`: it never holds of a ticket that a controller made. */
void finding(struct findings *f, bool certain, const char *word, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* What the directory has of the account whose SID the PAC has. False: nothing. */
bool account_facts(const struct findings *f, struct facts *to);
/* Raises what was found, when something certain was, or at least `enough` things. */
void findings_raise(struct findings *f, unsigned enough);

/* PAC_CLIENT_INFO against the ticket: name and time of authentication ([MS-PAC] 2.7). */
void find_client_info(struct findings *f);
/* The parts of the PAC and the ticket against each other: accounts and SIDs. */
void find_disagreement(struct findings *f);
/* Groups that give power, against the directory's nested memberships, and SIDs of other accounts; the SID of
 * the account. */
void find_groups(struct findings *f);
/* All other groups: possible only, for who left one keeps it in his ticket. */
void find_common_groups(struct findings *f);
void find_account_sid(struct findings *f);
