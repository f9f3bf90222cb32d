/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom the center keeps knowledge about: an account, a computer, a group, an address, a domain; and its key.
 * What the directory knows is keyed by objectGUID, everything else by a keyed hash of its name; so a computer
 * and its account ("WS01$") are one subject. Pure.
 */
#pragma once

#include "base/address.h"
#include "base/cursor.h"

enum subject_kind {
    SUBJECT_NONE,
    SUBJECT_ACCOUNT,  /* of a user or a service */
    SUBJECT_COMPUTER, /* and its account */
    SUBJECT_GROUP,
    SUBJECT_ADDRESS,
    SUBJECT_DOMAIN,
    SUBJECT_OBJECT, /* anything else in the directory; and what is named by other keys: a ticket, a zone */
    SUBJECT_KINDS
};
const char *subject_kind_name(enum subject_kind kind);

/* 128 bits; all zero: nobody. Compared as bytes. */
struct subject {
    uint64_t high, low;
};

static inline bool subject_is_none(struct subject s)
{
    return (s.high | s.low) == 0;
}

static inline bool subject_equal(struct subject a, struct subject b)
{
    return a.high == b.high && a.low == b.low;
}

/* Secret to the installation, or whoever chooses names could make two of them one. */
struct subject_seed {
    uint64_t value;
};

/* `guid`: 16 bytes. */
struct subject subject_of_guid(const uint8_t guid[16]);
/* Names are compared as names are (entity_fold). An account whose name ends with $ is a computer. */
struct subject subject_of_name(struct subject_seed seed, enum subject_kind kind, struct bytes name,
                               struct bytes domain);
struct subject subject_of_address(struct subject_seed seed, const struct ip_address *address);
/* Any other thing that has a number: a ticket's fingerprint, a flow. */
struct subject subject_of_number(struct subject_seed seed, uint64_t number);
/* A pair is a subject too: "this account from this computer". The order counts. */
struct subject subject_of_pair(struct subject_seed seed, struct subject first, struct subject second);

/* Somebody in an activity, as well as is known. Views into the activity or the processor's tables: valid
 * while the observation is. */
struct party {
    enum subject_kind kind; /* SUBJECT_NONE: nobody is named */
    struct subject subject;
    struct subject memory; /* what is known of it is kept under this: `subject`, or the name that it was known
                              by before its objectGUID was */
    struct bytes name;     /* sAMAccountName, host name, group, address as text; as people write it */
    struct bytes domain;   /* DNS name where it is known, else what stood on the wire; may be empty */
    const uint8_t *guid;   /* objectGUID; NULL: the directory is not known to have it */
    struct ip_address address; /* of a computer: where it was seen; family 0: none */
    uint8_t confidence;        /* percent that it is that one: 100 when the activity names it itself */
};

static inline bool party_is(const struct party *party)
{
    return party->kind != SUBJECT_NONE;
}
