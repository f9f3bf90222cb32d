/* SPDX-License-Identifier: Apache-2.0
 *
 * What detectors of what is done to the directory and its controllers share: who is a controller or the
 * system, lists of changes, names of groups, what is habit for a source, and the sentences that every
 * explanation has.
 */
#pragma once

#include "center/detector.h"
#include "center/statistics.h"

/* -- keys ------------------------------------------------------------------------------------------------ */

/* The origin; of an event that names no computer the account. */
struct subject key_by_origin(const struct detection *d, const struct observation *o);
/* The account; where none is named, the origin. */
struct subject key_by_account(const struct detection *d, const struct observation *o);

/* -- who ------------------------------------------------------------------------------------------------- */

/* It comes from a domain controller; of an event: a controller's account acts, or the system itself. */
bool by_controller(const struct detection *d, const struct observation *o);
/* Against a domain controller: sensors watch those, so a server that nothing is known of counts as one.
 * Events are logged by the computer that it was done to. */
bool on_controller(const struct detection *d, const struct observation *o);
/* An event of a computer's own accounts and groups, not of the domain's. */
bool is_local(const struct detection *d, const struct observation *o);
/* SYSTEM, LOCAL SERVICE or NETWORK SERVICE (S-1-5-18 to 20), or the controller by its own right. */
bool by_system(const struct observation *o);
/* The account's name ends with $. */
bool by_computer_account(const struct observation *o);
/* By the server: a status other than 0, or a fault. What is sealed or was not answered did not fail. */
bool has_failed(const struct observation *o);
/* The account that acts and the object that is changed are one: by GUID, or a computer's account and an
 * object of its name. */
bool acts_on_itself(const struct observation *o);
/* A party by its name alone, in the domain of the account that acts: for what a filter or a list names. */
struct party party_named(const struct detection *d, const struct observation *o, enum subject_kind kind,
                         struct bytes name);

/* Two ends of replication, the same in both directions: a key for what both say. */
struct subject replication_pair(const struct detection *d, const struct observation *o);
/* What was seen between them: whether each end was asked as a server of DRSUAPI. An end that nothing is known
 * of and that the other one asked first, or that logged on by the principal of replication
 * ([MS-DRSR] 2.2.3.2), is a partner: this is all that tells controllers without a directory. */
struct replication {
    uint8_t asked[2];
};
bool replication_add(struct replication *replication, const struct detection *d, const struct observation *o);
/* A log-on by that principal, which the server accepted. */
bool is_replication_logon(const struct observation *o);

/* -- groups ---------------------------------------------------------------------------------------------- */

/* One of the built-in sensitive groups, as sync/entity_sensitivity.h has them; `sid` may be empty. */
bool is_sensitive_group(struct bytes sid, struct bytes name);
/* By the RID in a domain or in Builtin. */
bool is_sensitive_rid(uint64_t rid);

/* -- lists ----------------------------------------------------------------------------------------------- */

/* Each string of a list; the visitor ends it by true, and then so does this. */
bool list_each(const struct observation *o, enum activity_field field,
               bool (*visit)(void *context, struct bytes text), void *context);
/* Whether a change of that attribute stands among `changes`: added or replaced ("add:x", "replace:x"). */
bool changes_set(const struct observation *o, const char *attribute);
/* ... in any way. */
bool changes_touch(const struct observation *o, const char *attribute);
/* The text behind "prefix" (ASCII letters in any case) of the first item of a list that begins so. */
struct bytes list_after(const struct observation *o, enum activity_field field, const char *prefix);

/* -- habit ----------------------------------------------------------------------------------------------- */

/* Kinds of behaviour of one source, a bit each: what it does is learned until the detector's learning is
 * over, and for as long after as the source itself is new. */
struct source_habit {
    int64_t first;  /* the source was seen first */
    int64_t window; /* when `fresh` began */
    uint32_t known; /* learned */
    uint32_t fresh; /* was not known when it came, since `window`; also while learning */
};
/* Takes in `bits`; the ones that are not habit in the last `width` ns, 0 while learning. */
uint32_t source_habit_add(struct source_habit *habit, const struct detection *d, const struct observation *o,
                          uint32_t bits, int64_t own_learning, int64_t width);

/* Who administers the directory from a source: the two accounts that changed it from there last. */
struct administrators {
    struct {
        uint32_t account; /* hash of its name: CORP and corp.example are one */
        uint32_t since;   /* day, since 1970 */
    } of[2];
};
/* The kinds that tell a change, to stand in a detector's list. */
#define ADMINISTRATION_KINDS                                                                                 \
    ACTIVITY_LDAP_ADD, ACTIVITY_LDAP_MODIFY, ACTIVITY_LDAP_DELETE, ACTIVITY_LDAP_MODIFY_DN,                  \
        ACTIVITY_SAMR_CHANGE, ACTIVITY_DNSSERVER_MANAGE
/* Takes in a change that the server was seen to accept, of something else than the account itself; whether it
 * is of those kinds, and so nothing else. */
bool administrators_add(struct administrators *of, const struct detection *d, const struct observation *o);
/* The account has administered from this source for a week: what it reads there it may know. Not so when the
 * directory knows it as nobody special. */
bool administrators_has(const struct administrators *of, const struct detection *d,
                        const struct observation *o);
/* Then it is told with low severity only, and why. */
void explain_administrator(struct alert *alert);

/* -- words ----------------------------------------------------------------------------------------------- */

struct words {
    char text[320];
};
/* "CORP\bob", "WS01 (10.0.0.5)", "an unknown account". */
const char *words_party(struct words *to, const struct party *party, const char *otherwise);
/* Cut to `most` bytes, and "..." behind it. */
const char *words_text(struct words *to, struct bytes text, size_t most);
/* The first sentence: "ACCOUNT on SOURCE WHAT DESTINATION." with what the format says between them. */
void explain_who(struct alert *alert, const struct observation *o, const char *what);
/* The last sentences: how sure the names are, and whether the server refused. */
void explain_end(struct alert *alert, const struct observation *o);
