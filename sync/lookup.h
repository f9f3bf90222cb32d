/* SPDX-License-Identifier: Apache-2.0
 *
 * Reactive look-up: names that traffic shows and the store lacks are asked of the directory, each once, a few
 * at a time, never faster than allowed. Pure: keys and a clock in, questions out; docs/directory.md.
 */
#pragma once

#include "base/address.h"
#include "sync/entity.h"

#define LOOKUP_VALUE_MAX 256u /* a longer name is none of the directory's */

enum lookup_kind {
    LOOKUP_SID,
    LOOKUP_ACCOUNT, /* sAMAccountName, in `domain` when that is known */
    LOOKUP_UPN,
    LOOKUP_SPN,
    LOOKUP_GUID,
    LOOKUP_DN,
    LOOKUP_DNS_NAME,
    LOOKUP_KINDS
};

struct lookup_key {
    enum lookup_kind kind;
    uint16_t size;
    uint8_t value[LOOKUP_VALUE_MAX]; /* SID and GUID as bytes; text folded to lower case; the rest is zero */
    char domain[256];                /* DNS or NetBIOS name, lower case; "": any */
};

/* False when it cannot be the name of anything (empty, too long, not UTF-8, no SID). */
bool lookup_key_text(struct lookup_key *key, enum lookup_kind kind, struct bytes text, struct bytes domain);
bool lookup_key_sid(struct lookup_key *key, struct bytes sid);
bool lookup_key_guid(struct lookup_key *key, const struct guid *guid);

enum lookup_priority { LOOKUP_BACKGROUND, LOOKUP_TRAFFIC, LOOKUP_PERSON, LOOKUP_PRIORITIES };

struct lookup_limits {
    uint32_t queue_max;      /* keys that wait: 16,384 */
    uint32_t negative_max;   /* keys known to be in vain: 65,536 */
    int64_t negative_period; /* ns for which they stay so: 10 min */
    double queries_per_s;    /* to one domain controller: 20 */
    uint32_t burst;          /* of queries: 20 */
    uint32_t keys_per_query; /* joined in one filter: 32 */
    uint32_t flights_max;    /* queries under way: 4 */
};
void lookup_limits_init(struct lookup_limits *limits);

struct lookup;
struct lookup *lookup_new(const struct lookup_limits *limits, uint64_t seed);
void lookup_destroy(struct lookup **lookup);

enum lookup_admitted {
    LOOKUP_QUEUED,
    LOOKUP_JOINED,  /* it waits or is under way already */
    LOOKUP_IN_VAIN, /* asked lately, there is no such */
    LOOKUP_FULL,    /* counted; of a full queue the lowest priority goes first */
};
enum lookup_admitted lookup_ask(struct lookup *lookup, const struct lookup_key *key,
                                enum lookup_priority priority, int64_t now);

/* The next question when one may be sent now: its keys (views, valid until answered), and its number for
 * lookup_answered. 0: nothing to send before `*again` (INT64_MAX: before something is asked). */
uint32_t lookup_next(struct lookup *lookup, int64_t now, const struct lookup_key **keys, uint32_t *count,
                     int64_t *again);

/* The filter of a question (RFC 4515); false when it does not fit. */
bool lookup_filter(char *to, size_t capacity, const struct lookup_key *keys, uint32_t count);

/* Which of the question's keys the object answers: bit by bit. */
uint64_t lookup_matches(const struct lookup_key *keys, uint32_t count, const struct entity_change *change);

/* The question ended: `found` has a bit for each key that was answered; the others are in vain, unless
 * `failed` (then they wait again, three times at most). */
void lookup_answered(struct lookup *lookup, uint32_t question, uint64_t found, bool failed, int64_t now);

struct lookup_counters {
    uint64_t asked, joined, in_vain, refused, questions, found, missing, failed, waiting;
};
void lookup_counters(const struct lookup *lookup, struct lookup_counters *counters);
