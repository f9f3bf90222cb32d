/* SPDX-License-Identifier: Apache-2.0
 *
 * What the change-password protocol (RFC 3244) says inside of KRB-PRIV, where there is a key for it: whose
 * password is set, and what came of it. The new password itself never leaves who holds the keys.
 */
#pragma once

#include "capture/dissect.h"

#define KPASSWD_CONTEXTS 4 /* requests of a flow that wait for their reply with a context */

struct kpasswd_contexts {
    uint64_t context[KPASSWD_CONTEXTS]; /* by the request's number; 0: none */
};

/* The AP-REQ of request `number` begins a context; its facts are put into the activity under construction. */
void kpasswd_begin(struct dissect *d, struct kpasswd_contexts *contexts, uint32_t number,
                   struct bytes ap_req);
/* The AP-REP of its reply. */
void kpasswd_reply(struct dissect *d, const struct kpasswd_contexts *contexts, uint32_t number,
                   struct bytes ap_rep);
/* KRB-PRIV of either side; true when it was read, and its facts put. */
bool kpasswd_put_private(struct dissect *d, const struct kpasswd_contexts *contexts, uint32_t number,
                         struct bytes priv);
/* The exchange is over, or lost. */
void kpasswd_end(struct dissect *d, struct kpasswd_contexts *contexts, uint32_t number);
void kpasswd_end_all(struct dissect *d, struct kpasswd_contexts *contexts);
