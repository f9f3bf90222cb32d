/* SPDX-License-Identifier: Apache-2.0
 *
 * Security identifiers and GUIDs in their wire forms ([MS-DTYP] 2.4.2 and 2.3.4) and as text.
 */
#pragma once

#include "base/text.h"

#define SID_BYTES_MAX (8 + 15 * 4)
#define SID_TEXT_MAX  184 /* [MS-DTYP] 2.4.2.1; with the terminating zero it is 185 at most */

/* The bytes that the SID at the beginning of `size` bytes takes; 0 when there is none, or not whole. */
size_t sid_size(const void *sid, size_t size);

/* S-1-5-21-...; nothing for what is no SID. */
void sid_text(struct text *t, struct bytes sid);

/* The other way, any case: the size of the SID in `to`, 0 when the whole text is none. */
size_t sid_parse(const void *text, size_t size, uint8_t to[SID_BYTES_MAX]);

/* "00112233-4455-6677-8899-aabbccddeeff": the first three groups are little-endian on the wire. */
void uuid_text(struct text *t, const uint8_t uuid[16]);

/* The other way, any case; false when the whole text is none. */
bool uuid_parse(const void *text, size_t size, uint8_t to[16]);
