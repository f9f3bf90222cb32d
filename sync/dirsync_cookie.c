/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/dirsync_cookie.h"

enum { COOKIE_VERSION = 3, VECTOR_VERSION = 1, PARTNER_SIZE = 24 };

static bool read_vector(struct cursor *c, struct dirsync_cookie *to)
{
    if (cursor_done(c))
        return true;
    if (cursor_le32(c) != VECTOR_VERSION)
        return false;
    cursor_skip(c, 4);
    to->partner_count = cursor_le32(c);
    cursor_skip(c, 4);
    if (c->failed || to->partner_count > DIRSYNC_COOKIE_PARTNERS_MAX)
        return false;
    to->partners = cursor_sub(c, (size_t)to->partner_count * PARTNER_SIZE);
    return !c->failed;
}

bool dirsync_cookie_read(struct bytes cookie, struct dirsync_cookie *to)
{
    memset(to, 0, sizeof *to);
    struct cursor c = cursor_of_bytes(cookie);
    if (!cursor_match(&c, "MSDS", 4) || cursor_le32(&c) != COOKIE_VERSION)
        return false;
    to->filetime = cursor_le64(&c);
    cursor_skip(&c, 8 + 4 + 8 + 8);
    to->highest_usn = cursor_le64(&c);
    cursor_copy(&c, to->invocation_id, sizeof to->invocation_id);
    return !c.failed && read_vector(&c, to);
}

bool dirsync_cookie_next(struct dirsync_cookie *cookie, struct dirsync_partner *partner)
{
    if (cursor_done(&cookie->partners))
        return false;
    cursor_copy(&cookie->partners, partner->invocation_id, sizeof partner->invocation_id);
    partner->usn = cursor_le64(&cookie->partners);
    return !cookie->partners.failed;
}

bool dirsync_cookie_knows(const struct dirsync_cookie *cookie, const uint8_t invocation_id[16], uint64_t *usn)
{
    struct dirsync_cookie walk = *cookie;
    struct dirsync_partner partner;
    while (dirsync_cookie_next(&walk, &partner)) {
        if (memcmp(partner.invocation_id, invocation_id, sizeof partner.invocation_id) != 0)
            continue;
        *usn = partner.usn;
        return true;
    }
    return false;
}
