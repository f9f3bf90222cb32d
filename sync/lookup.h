/* SPDX-License-Identifier: Apache-2.0
 *
 * Reactive look-up: names that traffic shows and the store lacks are asked of the directory, each once, a few
 * at a time, never faster than allowed. Pure: keys and a clock in, questions out; docs/directory.md. For one
 * thread.
 */
#pragma once

#include "base/address.h"
#include "sync/entity.h"

#define LOOKUP_VALUE_MAX 256u /* a longer name is none of the directory's */
#define LOOKUP_KEYS_MAX  64u  /* in one question */
#define LOOKUP_TRIES     4u   /* a failed question is asked again three times */

/* Of the filter of that many keys. */
#define LOOKUP_FILTER_SIZE(keys) ((keys)*2048u + 16u)

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

/* False when it cannot be the name of anything (empty, too long, not UTF-8, with control characters; a UPN
 * without @, an SPN without host; no SID). What does not tell is left out: the realm of an SPN, the final dot
 * of a DNS name. `domain` may be empty; one that is too long is refused. */
bool lookup_key_text(struct lookup_key *key, enum lookup_kind kind, struct bytes text, struct bytes domain);
bool lookup_key_sid(struct lookup_key *key, struct bytes sid);
bool lookup_key_guid(struct lookup_key *key, const struct guid *guid);

/* Of kind, value and domain, the same for the same name; for tables (`seed` that the other side does not
 * know). */
uint64_t lookup_key_hash(const struct lookup_key *key, uint64_t seed);

/* A person's question is asked even when it was in vain a moment ago. */
enum lookup_priority { LOOKUP_BACKGROUND, LOOKUP_TRAFFIC, LOOKUP_PERSON, LOOKUP_PRIORITIES };

struct lookup_limits {
    uint32_t queue_max;      /* keys that wait: 16,384 */
    uint32_t negative_max;   /* keys known to be in vain: 65,536 */
    int64_t negative_period; /* ns for which they stay so: 10 min */
    double queries_per_s;    /* to one domain controller: 20 */
    uint32_t burst;          /* of queries: 20 */
    uint32_t keys_per_query; /* joined in one filter: 32; at most LOOKUP_KEYS_MAX */
    uint32_t flights_max;    /* queries under way: 4 */
};
void lookup_limits_init(struct lookup_limits *limits);

struct lookup;
/* All memory is taken here. NULL without it, or with limits of zero. */
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

/* The next question when one may be sent now: its keys (valid until answered), and its number for
 * lookup_answered. 0: nothing to send before `*again` (INT64_MAX: before something is asked or answered).
 * In any period of t seconds there are at most burst + t * queries_per_s of them. Keys that failed twice are
 * asked alone: one that the directory chokes on takes no others down. */
uint32_t lookup_next(struct lookup *lookup, int64_t now, const struct lookup_key **keys, uint32_t *count,
                     int64_t *again);

/* The filter of a question (RFC 4515); false when it does not fit. */
bool lookup_filter(char *to, size_t capacity, const struct lookup_key *keys, uint32_t count);

/* What a domain is called; `netbios` may be empty: then the first label of its DNS name stands for it. */
struct lookup_domain {
    struct bytes dns, netbios;
};

/* Which of the keys (at most LOOKUP_KEYS_MAX) the object answers, which is of that domain: bit by bit. */
uint64_t lookup_matches(const struct lookup_key *keys, uint32_t count, const struct entity_change *change,
                        const struct lookup_domain *domain);

/* The question ended: `found` has a bit for each key that was answered; the others are in vain, unless
 * `failed` (then they wait a second and are asked again, three times at most). A number that is not under way
 * is passed over. */
void lookup_answered(struct lookup *lookup, uint32_t question, uint64_t found, bool failed, int64_t now);

struct lookup_counters {
    uint64_t asked;     /* calls of lookup_ask */
    uint64_t joined;    /* of them: waiting or under way already */
    uint64_t in_vain;   /* of them: asked lately, there is no such */
    uint64_t refused;   /* of them: the queue was full */
    uint64_t displaced; /* waiting keys that gave way to more important ones */
    uint64_t questions; /* sent */
    uint64_t found, missing;
    uint64_t failed;   /* keys given up after the last try */
    uint64_t retried;  /* keys of failed questions that wait again */
    uint64_t waiting;  /* now, those under way included */
    uint64_t negative; /* names known to be in vain, now */
    uint64_t memory;   /* bytes, all of it */
};
void lookup_counters(const struct lookup *lookup, struct lookup_counters *counters);
