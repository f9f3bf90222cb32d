/* SPDX-License-Identifier: Apache-2.0
 *
 * What detectors of authentications share: how one came out, whatever protocol told it; encryption types;
 * counting of guesses. Pure.
 */
#pragma once

#include "center/detector.h"
#include "center/statistics.h"

/* For printf: "%.*s". */
#define PRINTED(text) (int)(text).size, (const char *)(text).data

/* Who could be named, for sentences. */
static inline struct bytes party_words(const struct party *party, const char *otherwise)
{
    return party_is(party) ? party->name : (struct bytes){(const uint8_t *)otherwise, strlen(otherwise)};
}

/* Keeps a name in a state, cut at a character's end and terminated. */
void keep_name(char *to, size_t capacity, struct bytes name);

enum outcome {
    OUTCOME_NONE,    /* it told nothing of a password */
    OUTCOME_SUCCESS, /* the password (key, certificate) was right */
    OUTCOME_WRONG,   /* it was wrong */
    OUTCOME_UNKNOWN, /* there is no such account */
    OUTCOME_LOCKED,  /* there is, but locked out, disabled or expired */
    OUTCOME_EXISTS,  /* there is, nothing was proved yet: the KDC asks for pre-authentication */
};

/* The kinds that tell an outcome, to stand in a detector's list. */
#define AUTHENTICATION_KINDS                                                                                 \
    ACTIVITY_KERBEROS_AS, ACTIVITY_KERBEROS_ERROR, ACTIVITY_NTLM_AUTHENTICATE, ACTIVITY_SMB_SESSION,         \
        ACTIVITY_LDAP_BIND, ACTIVITY_NTLM_VALIDATION, ACTIVITY_WINDOWS_KERBEROS_AS

enum outcome authentication_outcome(const struct observation *o);
/* The account exists, and was not let in. */
bool outcome_failed(enum outcome outcome);
/* "Kerberos", "NTLM", "LDAP". */
const char *authentication_protocol(const struct observation *o);
/* Whether an AS request proves who asks: time stamp, certificate or armor. */
bool request_is_preauthenticated(const struct observation *o);

/* Encryption types (RFC 3961, 3962, 4757, 8009): AES; RC4 and DES. Others (PKINIT's, Camellia's) are neither.
 */
bool etype_is_strong(int64_t etype);
bool etype_is_weak(int64_t etype);
const char *etype_name(int64_t etype);
/* Whether the client offers AES at all; the first type that it offers (0: none). */
bool offers_strong(const struct observation *o);
int64_t first_offered(const struct observation *o);

/* Whether a service is the ticket-granting one of any realm; of that realm itself, not of another (whose
 * tickets are encrypted with the key of the trust). */
bool service_is_granting(struct bytes service);
bool service_is_own_granting(struct bytes service, struct bytes realm);
/* Whether an account's name is that of a computer. */
bool name_is_computer(struct bytes name);

/* How sure the source's name is, in words, as evidence and in the explanation: everything hangs on it when
 * the address is not the computer's own. */
void tell_source(struct alert *alert, const struct observation *o);

/* -- guesses from one source ----------------------------------------------------------------------------
 *
 * Failures and tries in a sliding time, the accounts that failed, and what the source usually fails in a
 * day: a service with an old password fails every day, and is told by that. */

#define GUESS_HITS_MAX 4u

struct guessing {
    struct count_window failures, tries;
    struct distinct_window accounts; /* that failed */
    struct daily_baseline days;      /* failures */
    int64_t raised;                  /* when it last was above the threshold; 0: never */
    uint32_t hits;                   /* accounts that succeeded amid failures */
    uint32_t hit_hashes[GUESS_HITS_MAX];
    char hit_names[GUESS_HITS_MAX][48];
};

struct guessing_limits {
    double attempts; /* failures */
    double forgiven; /* failures of now that are not counted among them */
    double share;    /* percent of all tries that must have failed */
    double rarity;   /* probability of so many failures in a day, by what was learned */
    int64_t width;   /* ns */
};

struct guessing_result {
    bool above; /* above all limits now */
    bool hit;   /* this one succeeded, and the source was above them */
    uint32_t failures, tries, accounts;
    double probability; /* of so many failures in a day; 1: not one whole day is known */
    uint32_t known_days;
};

/* Counts one outcome. */
struct guessing_result guessing_count(struct guessing *g, const struct observation *o, enum outcome outcome,
                                      const struct guessing_limits *limits);
/* What was counted and compared; limit names are those of the settings "attempts" and "share". */
void guessing_tell(struct alert *alert, const struct guessing *g, const struct guessing_result *result,
                   const struct guessing_limits *limits);

/* -- a spray that takes its time ------------------------------------------------------------------------
 *
 * Different accounts that fail within a day, each a few times, from a source that hardly does anything else.
 */

struct slow_spray {
    struct distinct_window accounts; /* that failed */
    struct count_window failures, tries;
};

/* The settings of both detectors, so that they read alike. */
#define SLOW_SPRAY_SETTING                                                                                   \
    {                                                                                                        \
        "day_accounts", "", 40, 20, 10, 3, 100000,                                                           \
            "How many different accounts fail within a day (2023: that do not usually log on from there): "  \
            "a spray that takes its time."                                                                   \
    }

/* Counts one outcome; `guess`: a failure that counts. Whether it is one, from `accounts` on, of which `share`
 * percent of all tries failed. */
bool slow_spray_count(struct slow_spray *spray, const struct observation *o, bool guess, double accounts,
                      double share);
/* What was counted and compared, whole. */
void slow_spray_tell(struct alert *alert, const struct slow_spray *spray, const struct observation *o,
                     double accounts, double share);
