/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of LDAP attributes as Active Directory answers them (RFC 4517, [MS-ADTS] 3.1.1.2.2.2), decoded.
 * False or 0: it is none.
 */
#pragma once

#include "base/cursor.h"

/* Decimal, with a sign, of 64 bits. */
bool attribute_integer(struct bytes text, int64_t *value);
/* Integers of 32 bits that are sets of flags are answered with a sign: -2147483646 is 0x80000002. */
bool attribute_unsigned(struct bytes text, uint64_t *value);
/* TRUE or FALSE. */
bool attribute_boolean(struct bytes text, bool *value);

/* Generalized time ("20261122100307.0Z", RFC 4517 3.3.13, with an offset too) or FILETIME in decimal (100 ns
 * since 1601): wall ns since 1970. Never (0, 2^63-1 and what lies outside an int64 of ns) is 0. */
bool attribute_time(struct bytes text, int64_t *time);

/* An interval, a negative count of 100 ns: ns. Forever (-2^63, and all too long for 64 bits) is 0. */
bool attribute_duration(struct bytes text, uint64_t *duration);
