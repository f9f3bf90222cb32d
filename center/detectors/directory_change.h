/* SPDX-License-Identifier: Apache-2.0
 *
 * What detectors of changed names share: the new value of an attribute, and whose name it is. Pure.
 */
#pragma once

#include "center/detectors/authentication.h"

/* The value that an attribute gets, of attribute_values ("attribute=value", "replace:attribute=value"), not
 * one that it loses; empty: none. */
struct bytes changed_value(const struct observation *o, const char *attribute);
/* Whether the changed object is a computer: by what it was resolved to, by the event, or by where it stands.
 */
bool changes_computer(const struct observation *o);
/* The name of the changed object without a $: as it was resolved or the event says, else its first RDN. */
struct bytes own_name(const struct observation *o);
/* Letters in any case, without a $ at the end of either. */
bool names_equal(struct bytes a, struct bytes b);
/* Whether a name without $ is that of a controller: by the directory, or it is the one that is asked. */
bool names_controller(const struct detection *d, const struct observation *o, struct bytes name);
/* Whether it is that of a computer of the account's domain. */
bool names_computer(const struct detection *d, const struct observation *o, struct bytes name);
