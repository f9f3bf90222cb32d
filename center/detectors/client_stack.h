/* SPDX-License-Identifier: Apache-2.0
 *
 * Which program an activity comes from, by how it implements the protocol: the data in center/fingerprints.
 * Pure.
 */
#pragma once

#include "center/detectors/authentication.h"

enum stack_purpose { STACK_TOOLKIT, STACK_SCANNER, STACK_GUESSER, STACK_METASPLOIT, STACK_WANNACRY };

struct client_stack {
    const char *word;   /* of the fingerprint */
    const char *tool;   /* for people */
    const char *source; /* where the fingerprint is from */
    enum stack_purpose purpose;
};

/* The kinds that have one, to stand in a detector's list. */
#define STACK_KINDS ACTIVITY_KERBEROS_AS, ACTIVITY_KERBEROS_TGS, ACTIVITY_SMB_NEGOTIATE, ACTIVITY_SMB_SESSION

/* False: none that is known. */
bool client_stack_of(const struct observation *o, struct client_stack *to);

/* What several detectors do with a program that was recognised: an alert that says so, not yet raised. */
struct alert *client_stack_alert(struct detection *d, const struct observation *o,
                                 const struct client_stack *stack);

/* A program whose SMB tells it at once, by what it calls itself: by what to count, and the alert. */
struct subject client_stack_smb_key(const struct observation *o, enum stack_purpose purpose);
void client_stack_smb_observe(struct detection *d, const struct observation *o);

/* A program that was recognised at a source, and what it did since. */
struct stack_seen {
    char word[24];
    char tool[48];
    uint8_t purpose;
    int64_t time; /* when it was last */
    struct count_window failures;
};
void stack_seen_keep(struct stack_seen *seen, const struct client_stack *stack, int64_t now);
struct client_stack stack_seen_get(const struct stack_seen *seen);
