/* SPDX-License-Identifier: Apache-2.0
 *
 * From a domain controller's name to a bound connection, step by step: its addresses, a socket, TLS, the
 * bind, who it is. All of this blocks, up to the time-outs (name servers and KDCs have their own), so it has
 * a thread.
 */
#pragma once

#include "sync/controllers.h"
#include "sync/ldap_account.h"
#include "sync/ldap_settings.h"
#include "sync/ldap_stream.h"
#include "sync/ldap_tls.h"

/* How far it came. */
enum ldap_dial_stage {
    LDAP_DIAL_NOTHING,
    LDAP_DIAL_RESOLVED,
    LDAP_DIAL_CONNECTED,
    LDAP_DIAL_SECURED, /* under TLS; at once where there is none */
    LDAP_DIAL_BOUND,
    LDAP_DIAL_IDENTIFIED, /* all of it */
};

struct ldap_dial_order {
    const struct ldap_client_config *config;
    struct controller controller;
    const struct ldap_account *account;
    const atomic_bool *cancelled;
};

struct ldap_dial_outcome {
    enum ldap_dial_stage stage;
    enum ldap_blame blame; /* when it failed */
    struct fault fault;
    struct ldap_stream *stream; /* NULL when it failed; the taker's */
    struct ldap_peer peer;
    char address[64]; /* connected to, with its port */
    int64_t expires;  /* wall ns at which the bind ends; 0: it does not */
    struct ldap_certificate certificate;
};

void ldap_dial(const struct ldap_dial_order *order, struct ldap_dial_outcome *outcome);

/* The domain's controllers as DNS names them, `list` of CONTROLLERS_MAX. False, with the reason, when it
 * names none. */
bool ldap_find_controllers(const struct ldap_client_config *config, struct controller *list, unsigned *count,
                           struct fault *fault);

/* One question on a stream that nobody else uses; blocks. `object` (may be NULL) hears of each entry. The
 * answer's views hold until the next read. False when there was no answer. */
struct ldap_exchange {
    struct ldap_stream *stream;
    uint32_t last_id;
    int64_t deadline; /* mono ns */
    const atomic_bool *cancelled;
};
bool ldap_ask(struct ldap_exchange *exchange, const struct ldap_query *query,
              void (*object)(void *context, const struct directory_object *object), void *context,
              struct ldap_reply *reply, struct ldap_answer *answer, struct fault *fault);

/* The same on a thread of its own. */
struct ldap_dialling;

/* The client's ids of operations begin above those of dialling. */
#define LDAP_DIAL_IDS 1000u

/* With no controller: asks DNS. NULL when it cannot be done (memory, too many threads that are stuck). */
struct ldap_dialling *ldap_dialling_start(struct ldap_settings *settings, const struct controller *controller,
                                          unsigned account);
/* Becomes readable when it is done. */
int ldap_dialling_descriptor(const struct ldap_dialling *dialling);
bool ldap_dialling_done(const struct ldap_dialling *dialling);
/* Only when done. The stream in it is the taker's. */
struct ldap_dial_outcome *ldap_dialling_outcome(struct ldap_dialling *dialling);
const struct controller *ldap_dialling_found(const struct ldap_dialling *dialling, unsigned *count);
/* Lets go of it, done or not: what it then still reaches is closed. */
void ldap_dialling_drop(struct ldap_dialling **dialling);
