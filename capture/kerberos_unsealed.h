/* SPDX-License-Identifier: Apache-2.0
 *
 * What the sealed parts of Kerberos messages said (capture/unseal.h), as facts of an activity.
 */
#pragma once

#include "capture/unseal.h"

/* Puts what was read into the activity under construction; nothing when no part was. */
void krb_put_unsealed(struct dissect *d, const struct unsealed *facts);
