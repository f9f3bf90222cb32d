/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sid.h"

/* [MS-DTYP] 2.4.2.2:
 *
 *   Revision (1, is 1)  SubAuthorityCount (1, at most 15)  IdentifierAuthority (6, big-endian)
 *   SubAuthority (4 each, little-endian)
 */
enum {
    SID_REVISION = 1,
    SID_HEAD = 8,
    SID_SUB_AUTHORITIES_MAX = 15,
};

size_t sid_size(const void *sid, size_t size)
{
    const uint8_t *bytes = sid;
    if (size < SID_HEAD || bytes[0] != SID_REVISION || bytes[1] > SID_SUB_AUTHORITIES_MAX)
        return 0;
    size_t whole = SID_HEAD + 4u * bytes[1];
    return whole <= size ? whole : 0;
}

/* [MS-DTYP] 2.4.2.1: an identifier authority of 2^32 and above is written in hexadecimal. */
void sid_text(struct text *t, struct bytes sid)
{
    if (!sid_size(sid.data, sid.size))
        return;
    struct cursor c = cursor_of_bytes(sid);
    cursor_skip(&c, 1);
    unsigned count = cursor_u8(&c);
    struct bytes authority = cursor_take(&c, 6);
    struct cursor value = cursor_of_bytes(authority);
    uint64_t high = cursor_be16(&value);
    uint64_t number = high << 32 | cursor_be32(&value);
    text_string(t, "S-1-");
    if (high) {
        text_string(t, "0x");
        text_hex(t, authority);
    } else {
        text_uint(t, number);
    }
    while (count--) {
        text_char(t, '-');
        text_uint(t, cursor_le32(&c));
    }
}

void uuid_text(struct text *t, const uint8_t uuid[16])
{
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text_char(t, '-');
        text_hex(t, (struct bytes){.data = uuid + order[i], .size = 1});
    }
}
