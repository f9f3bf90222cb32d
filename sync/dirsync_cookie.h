/* SPDX-License-Identifier: Apache-2.0
 *
 * What a DirSync cookie says, for people and for suspicion only: to the client it is opaque ([MS-ADTS]
 * 3.1.1.3.4.1.3), and nothing that replication needs depends on its being readable.
 *
 *   "MSDS" (4)  version 3 (4)  FILETIME (8)  reserved (8)  size of the rest (4)
 *   tmp_highest_usn (8)  reserved (8)  highest_usn (8)  invocationId (16)
 *   up-to-date vector, when there is one: version 1 (4)  reserved (4)  count (4)  reserved (4)  count times
 *   {invocationId (16)  usn (8)}                                              all little-endian
 */
#pragma once

#include "base/cursor.h"

#define DIRSYNC_COOKIE_PARTNERS_MAX 4096u /* domain controllers that ever were; more are not believed */

struct dirsync_partner {
    uint8_t invocation_id[16];
    uint64_t usn;
};

struct dirsync_cookie {
    uint64_t filetime;
    uint64_t highest_usn;
    uint8_t invocation_id[16];
    uint32_t partner_count;
    struct cursor partners; /* dirsync_cookie_next */
};

/* False when it is none of the form above. */
bool dirsync_cookie_read(struct bytes cookie, struct dirsync_cookie *to);

/* The next partner; false at the end. */
bool dirsync_cookie_next(struct dirsync_cookie *cookie, struct dirsync_partner *partner);

/* Whether the vector names this database, and how far. */
bool dirsync_cookie_knows(const struct dirsync_cookie *cookie, const uint8_t invocation_id[16],
                          uint64_t *usn);
