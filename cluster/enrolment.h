/* SPDX-License-Identifier: Apache-2.0
 *
 * How a node gets into the fleet, and how it changes its key: the token, the two requests, the reply. Bytes
 * in, bytes out; the transport carries them over the enrolment socket, whose server key the token tells.
 * docs/cluster.md.
 *
 * A token holds: the authority's grant; a *voucher*, by which the authority says that whoever knows the
 * secret of this token may use the grant; that secret; where the enroller listens, and its CURVE key. The
 * secret is told to that enroller only, so a grant, which all members see later, is of no use to anybody.
 */
#pragma once

#include "cluster/identity.h"
#include "cluster/ledger.h"
#include "cluster/voucher.h"

#define TOKEN_PREFIX      "picket-join-1."
#define TOKEN_TEXT_MAX    8192u
#define TOKEN_SECRET_SIZE 32u
#define TOKEN_GRANT_MAX   2560u

#define ENROLMENT_REQUEST_MAX 4096u
#define ENROLMENT_REPLY_MAX   131072u
#define ENROLMENT_RECORDS     64u

struct token {
    struct trust trust;
    struct grant grant;
    char name[NAME_MAX_SIZE]; /* that the node must have; empty: it may choose */
    uint8_t grant_encoded[TOKEN_GRANT_MAX];
    size_t grant_size;
    uint8_t voucher[VOUCHER_MAX_SIZE];
    size_t voucher_size;
    uint8_t secret[TOKEN_SECRET_SIZE];
    char endpoints[RECORD_ENDPOINTS][ENDPOINT_MAX_SIZE]; /* of the enrolment socket */
    unsigned endpoint_count;
    uint8_t enroller_key[PUBLIC_KEY_SIZE]; /* CURVE */
};

/* Fills grant_encoded, voucher and secret: `trust`, `grant`, `name`, endpoints and enroller_key must be
 * there. The token should be in secret_alloc()ed memory. `authority` signs with the authority's key. */
bool token_make(struct token *token, const struct cluster_crypto *authority);

/* One line without a newline into text[TOKEN_TEXT_MAX]; false when it does not fit. */
bool token_print(const struct token *token, char *text);

/* Reads a token, with spaces and newlines around it. Verifies all that the authority signed by the
 * authority's key that the token itself tells: whoever gave the token is trusted for that. */
bool token_parse(struct token *token, const char *text, struct fault *fault);

/* -- requests ----------------------------------------------------------------------------------- */

/* The joining node asks for a certificate for the key of `crypto`, which has `public_key`. Returns the size,
 * 0 when it does not fit. */
size_t enrolment_request(void *buffer, size_t capacity, const struct token *token, const char *name,
                         const uint8_t public_key[PUBLIC_KEY_SIZE], const struct cluster_crypto *crypto);

/* A member asks for a certificate for its next key: signed by both. */
size_t rotation_request(void *buffer, size_t capacity, const struct identity *identity);

/* -- replies ------------------------------------------------------------------------------------ */

enum enrolment_refusal {
    ENROLMENT_GRANTED,
    REFUSED_MALFORMED,
    REFUSED_NOT_OURS,     /* the grant is not of this fleet's authority */
    REFUSED_ELSEWHERE,    /* another enroller must be asked */
    REFUSED_NOT_ENROLLER, /* the policy does not list this node's key */
    REFUSED_EXPIRED,
    REFUSED_SECRET,     /* not the token's secret */
    REFUSED_USED,       /* the token was used already, for another key */
    REFUSED_NAME,       /* the token is for another name */
    REFUSED_NAME_TAKEN, /* another member has it */
    REFUSED_ID_TAKEN,   /* another member has the same short id */
    REFUSED_REVOKED,
    REFUSED_KEY,     /* the key is not good, or it is used already */
    REFUSED_OLD_KEY, /* rotation asked for by a key that is not the current one */
    REFUSED_BUSY,    /* cannot be done now: try again later */
    ENROLMENT_REFUSALS,
};
/* A sentence's end: "the token has expired". */
const char *enrolment_refusal_text(enum enrolment_refusal refusal);

struct enrolment_reply {
    enum enrolment_refusal
        refusal; /* the rest is there with ENROLMENT_GRANTED only; inside the reply's bytes */
    struct bytes certificate;
    struct bytes policy;
    const uint8_t *salt; /* SALT_SIZE */
    struct bytes records[ENROLMENT_RECORDS];
    unsigned record_count;
};

/* Reads a reply. Nothing in it is verified: identity_enrol() or identity_rotated() does. */
bool enrolment_reply_read(struct enrolment_reply *reply, struct bytes encoded);

/* -- the enroller --------------------------------------------------------------------------------- */

struct enrolment_desk {
    const struct trust *trust;
    struct node_id self;
    const uint8_t *public_key;               /* this node's */
    const struct cluster_crypto *crypto;     /* signs with this node's key; verifies */
    struct bytes policy;                     /* the newest, encoded */
    const uint8_t *salt;                     /* SALT_SIZE */
    struct bytes records[ENROLMENT_RECORDS]; /* the first is this node's own; sent while they fit */
    unsigned record_count;

    /* What this node knows of the members. */
    void *context;
    bool (*name_taken)(void *context, const char *name, const struct node_id *by_other_than);
    bool (*short_id_taken)(void *context, const struct node_id *by_other_than);
    /* The greatest generation of a key of `id` that it knows; false: not a member. */
    bool (*generation)(void *context, const struct node_id *id, uint32_t *generation);

    struct ledger *ledger;
    const struct disk *disk;
    const char *directory; /* of the ledger */
};

struct enrolment_outcome {
    enum enrolment_refusal refusal;
    bool rotation;
    bool again;                     /* the same was granted before: the reply had been lost */
    struct certificate certificate; /* when granted: this key may connect from now on */
};

/* Judges a request and writes the reply. When it grants, the ledger has been saved before. `now`: seconds
 * since 1970. Returns the reply's size; 0 only when the buffer cannot hold a refusal. */
size_t enrolment_answer(struct enrolment_desk *desk, struct bytes request, uint64_t now, void *buffer,
                        size_t capacity, struct enrolment_outcome *outcome);
