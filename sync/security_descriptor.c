/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/security_descriptor.h"

#include "base/endian.h"
#include "base/sid.h"

enum { /* [MS-DTYP] 2.4.6 */
       SELF_RELATIVE = 0x8000,
       DACL_PRESENT = 0x0004,
       DACL_PROTECTED = 0x1000,
       DACL_AUTO_INHERITED = 0x0400,
       /* 2.4.4.1 */
       ACE_ACCESS_ALLOWED = 0,
       ACE_ACCESS_DENIED = 1,
       ACE_ACCESS_ALLOWED_OBJECT = 5,
       ACE_ACCESS_DENIED_OBJECT = 6,
       ACE_HEAD = 4,
       /* 2.4.4.3 */
       OBJECT_TYPE_PRESENT = 1,
       INHERITED_TYPE_PRESENT = 2,
};

static struct cursor at_offset(struct bytes bytes, uint32_t offset)
{
    struct cursor c = cursor_of_bytes(bytes);
    cursor_skip(&c, offset);
    return c;
}

/* Offset zero: there is none. */
static bool read_sid_at(struct bytes bytes, uint32_t offset, struct bytes *sid)
{
    *sid = (struct bytes){0};
    if (!offset)
        return true;
    struct cursor c = at_offset(bytes, offset);
    size_t size = c.failed ? 0 : sid_size(c.at, cursor_left(&c));
    *sid = cursor_take(&c, size);
    return size > 0;
}

/* [MS-DTYP] 2.4.5: AclRevision (1) Sbz1 (1) AclSize (2) AceCount (2) Sbz2 (2) */
static bool read_dacl(struct bytes bytes, uint32_t offset, struct security_descriptor *to)
{
    if (!(to->control & DACL_PRESENT) || !offset)
        return true;
    struct cursor c = at_offset(bytes, offset);
    cursor_skip(&c, 2);
    uint16_t size = cursor_le16(&c);
    to->ace_count = cursor_le16(&c);
    cursor_skip(&c, 2);
    if (c.failed || size < 8)
        return false;
    to->aces = cursor_sub(&c, size - 8u);
    to->has_dacl = true;
    return !c.failed;
}

bool security_descriptor_read(struct bytes bytes, struct security_descriptor *to)
{
    memset(to, 0, sizeof *to);
    struct cursor c = cursor_of_bytes(bytes);
    uint8_t revision = cursor_u8(&c);
    cursor_skip(&c, 1);
    to->control = cursor_le16(&c);
    uint32_t owner = cursor_le32(&c), group = cursor_le32(&c);
    cursor_skip(&c, 4); /* the SACL's */
    uint32_t dacl = cursor_le32(&c);
    if (c.failed || revision != 1 || !(to->control & SELF_RELATIVE))
        return false;
    return read_sid_at(bytes, owner, &to->owner) && read_sid_at(bytes, group, &to->group) &&
           read_dacl(bytes, dacl, to);
}

static void read_object(struct cursor *c, struct ace *ace)
{
    uint32_t present = cursor_le32(c);
    ace->has_object_type = present & OBJECT_TYPE_PRESENT;
    ace->has_inherited_type = present & INHERITED_TYPE_PRESENT;
    if (ace->has_object_type)
        cursor_copy(c, ace->object_type, sizeof ace->object_type);
    if (ace->has_inherited_type)
        cursor_copy(c, ace->inherited_type, sizeof ace->inherited_type);
}

bool security_descriptor_next(struct security_descriptor *descriptor, struct ace *ace)
{
    memset(ace, 0, sizeof *ace);
    struct cursor *c = &descriptor->aces;
    if (!descriptor->ace_count || cursor_done(c))
        return false;
    descriptor->ace_count--;
    ace->type = cursor_u8(c);
    ace->flags = cursor_u8(c);
    uint16_t size = cursor_le16(c);
    if (c->failed || size < ACE_HEAD) {
        cursor_fail(c);
        return false;
    }
    struct cursor body = cursor_sub(c, size - (size_t)ACE_HEAD);
    bool object = ace->type == ACE_ACCESS_ALLOWED_OBJECT || ace->type == ACE_ACCESS_DENIED_OBJECT;
    bool allow = ace->type == ACE_ACCESS_ALLOWED || ace->type == ACE_ACCESS_ALLOWED_OBJECT;
    bool deny = ace->type == ACE_ACCESS_DENIED || ace->type == ACE_ACCESS_DENIED_OBJECT;
    ace->effect = allow ? ACE_ALLOW : deny ? ACE_DENY : ACE_OTHER;
    if (ace->effect == ACE_OTHER)
        return !c->failed;
    ace->mask = cursor_le32(&body);
    if (object)
        read_object(&body, ace);
    size_t sid = body.failed ? 0 : sid_size(body.at, cursor_left(&body));
    ace->sid = cursor_take(&body, sid);
    if (!sid)
        cursor_fail(c);
    return !c->failed;
}

static void put_ace(struct text *t, const struct ace *ace)
{
    static const struct {
        uint8_t bit;
        const char *text;
    } flags[] = {{1, "OI"}, {2, "CI"}, {4, "NP"}, {8, "IO"}, {16, "ID"}};
    text_string(t, ace->effect == ACE_ALLOW ? "(A" : "(D");
    bool object = ace->type == ACE_ACCESS_ALLOWED_OBJECT || ace->type == ACE_ACCESS_DENIED_OBJECT;
    text_string(t, object ? "O" : "");
    text_char(t, ';');
    for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++)
        text_string(t, ace->flags & flags[i].bit ? flags[i].text : "");
    uint8_t mask[4];
    endian_put_be32(mask, ace->mask);
    text_string(t, ";0x");
    text_hex(t, (struct bytes){mask, sizeof mask});
    text_char(t, ';');
    if (ace->has_object_type)
        uuid_text(t, ace->object_type);
    text_char(t, ';');
    if (ace->has_inherited_type)
        uuid_text(t, ace->inherited_type);
    text_char(t, ';');
    sid_text(t, ace->sid);
    text_char(t, ')');
}

void security_descriptor_text(struct text *t, struct security_descriptor descriptor)
{
    if (descriptor.owner.size) {
        text_string(t, "O:");
        sid_text(t, descriptor.owner);
    }
    if (descriptor.group.size) {
        text_string(t, "G:");
        sid_text(t, descriptor.group);
    }
    text_string(t, "D:");
    if (!descriptor.has_dacl) {
        text_string(t, "NO_ACCESS_CONTROL");
        return;
    }
    text_string(t, descriptor.control & DACL_PROTECTED ? "P" : "");
    text_string(t, descriptor.control & DACL_AUTO_INHERITED ? "AI" : "");
    struct ace ace;
    while (security_descriptor_next(&descriptor, &ace)) {
        if (ace.effect != ACE_OTHER)
            put_ace(t, &ace);
    }
}
