/* SPDX-License-Identifier: Apache-2.0
 *
 * The holder of keys: keytabs in, requests of capture/unseal.h in, answers out. Pure; one thread. Everything
 * in it is bounded, whatever is asked: tables have fixed sizes and the entry used longest ago goes first.
 */
#pragma once

#include "base/fault.h"
#include "base/msgpack.h"
#include "capture/unseal.h"

#define KEY_HOLDER_KEYTABS_MAX 16
#define KEY_HOLDER_KEYS_MAX    65536u
#define KEYTAB_BYTES_MAX       ((size_t)16 * 1024 * 1024)

struct key_holder;

struct key_holder_limits {
    uint32_t tickets;  /* session keys learnt from tickets; 0: 65,536 */
    uint32_t contexts; /* security contexts; 0: 65,536 */
};

/* NULL without memory (or when memory cannot be locked away from dumps). Limits NULL: the defaults. */
struct key_holder *key_holder_new(const struct key_holder_limits *limits);
/* Wipes everything. Clears the pointer. */
void key_holder_destroy(struct key_holder **holder_p);

/* A keytab's bytes (MIT format, version 0x502 or 0x501), which take the place of what `name` gave before; the
 * caller wipes its copy. Size 0: the keytab is gone, its keys are forgotten. False with the reason, the keys
 * as before: damaged (where), too many. Entries with etypes that are refused are counted, not an error. */
bool key_holder_load(struct key_holder *holder, const char *name, struct bytes keytab, struct fault *fault);

/* One request; its answer, whole, is written to `answer` (of UNSEAL_REQUEST_MAX bytes); nothing is written
 * for operations without an answer. Whatever the bytes are, there is an answer or none, never damage. `line`
 * tells the callers apart: exchanges are numbered by each for itself. */
void key_holder_answer(struct key_holder *holder, uint32_t line, struct bytes request,
                       struct msgpack_writer *answer);

/* A caller is gone: what it numbered is forgotten. */
void key_holder_line_ended(struct key_holder *holder, uint32_t line);

/* --- what is told of the keys, by name and version and never by value --- */

struct key_holder_status {
    uint32_t keytabs;
    uint32_t keys;    /* usable */
    uint32_t refused; /* entries of refused or unknown types */
    uint32_t tickets; /* session keys learnt */
    uint32_t contexts;
    uint64_t asked;
    uint64_t unsealed; /* parts and messages that were read */
    uint64_t missing;  /* for want of a key */
    uint64_t other_kvno;
    uint64_t wrong; /* integrity checks that failed with the key that should fit */
    uint64_t refused_etype;
};
void key_holder_status(const struct key_holder *holder, struct key_holder_status *to);

/* A principal that traffic wanted a key of and the keytabs do not have, have in another version, or have
 * wrongly: what an administrator must know of an old or wrong keytab. Bounded (256, the latest). */
struct key_holder_complaint {
    enum unseal_result result; /* NO_KEY, OTHER_KVNO, WRONG_KEY, ETYPE */
    int32_t etype;
    uint32_t kvno;      /* wanted; 0: not stated */
    uint32_t kvno_held; /* the newest held; 0: none */
    uint64_t times;
    char principal[256]; /* name@REALM, UTF-8, cut */
};
/* False behind the last. */
bool key_holder_complaint_at(const struct key_holder *holder, size_t index, struct key_holder_complaint *to);
