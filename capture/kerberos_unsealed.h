/* SPDX-License-Identifier: Apache-2.0
 *
 * What the sealed parts of Kerberos messages said (capture/unseal.h), as facts of an activity.
 */
#pragma once

#include "capture/unseal.h"

/* Puts what was read into the activity under construction (an AS, TGS or AP exchange or a password change):
 * tickets, authenticators, times, the PAC; and why a ticket could not be read. Nothing when there was nobody
 * to ask. */
void krb_put_unsealed(struct dissect *d, const struct unsealed *facts);

/* The client that the presented ticket is for, each cut and terminated; false, and they are untouched, when
 * it was not read. For the activities that come after on the session. */
bool krb_unsealed_client(const struct unsealed *facts, char *account, size_t account_size, char *realm,
                         size_t realm_size);
