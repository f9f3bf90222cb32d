/* SPDX-License-Identifier: Apache-2.0
 *
 * SLDC, the compression of forwarded events: ECMA-321 (June 2001), as [MS-WSMV] 2.2.9.2 uses it. Decoding
 * only; pure.
 */
#pragma once

#include "base/cursor.h"

/* A message of [MS-WSMV]: one encoded record, and after it the size of what it holds (4 bytes,
 * little-endian). Whether it is one: it begins with a Reset symbol. Windows says "Content-Encoding: SLDC" of
 * messages too that it did not compress; text in UTF-16 or UTF-8 never begins so. */
bool sldc_is_message(struct bytes message);

/* The size that the message says it holds: what sldc_decode needs. 0 when it is too short to be one. Not to
 * be believed: the caller bounds it. */
uint32_t sldc_size(struct bytes message);

/* Decodes the record into `size` bytes. False when it is damaged, or holds another number of bytes than that:
 * what was written is then of no use. */
bool sldc_decode(struct bytes message, uint8_t *to, size_t size);
