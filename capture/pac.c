/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/pac.h"

#include "base/sid.h"

/* FILETIME counts 100 ns since 1601; all bits but the sign mean never. */
#define FILETIME_NEVER UINT64_C(0x7fffffffffffffff)
#define FILETIME_1970  UINT64_C(116444736000000000)

int64_t pac_filetime(uint64_t value)
{
    if (value >= FILETIME_NEVER || value < FILETIME_1970)
        return 0;
    uint64_t since = value - FILETIME_1970;
    return since > INT64_MAX / 100 ? INT64_MAX : (int64_t)since * 100;
}

/* PACTYPE: cBuffers (4), Version (4), then for each PAC_INFO_BUFFER: type (4), size (4), offset (8) from the
 * PAC's first byte. */
enum { PAC_HEAD = 8, PAC_INFO = 16 };

bool pac_next_buffer(struct bytes pac, uint32_t *index, struct pac_buffer *to)
{
    struct cursor c = cursor_of_bytes(pac);
    uint32_t count = cursor_le32(&c);
    if (c.failed || *index >= count || *index >= PAC_BUFFERS_MAX)
        return false;
    cursor_skip(&c, PAC_HEAD - 4 + (size_t)*index * PAC_INFO);
    to->type = cursor_le32(&c);
    uint32_t size = cursor_le32(&c);
    uint64_t offset = cursor_le64(&c);
    if (c.failed)
        return false;
    ++*index;
    to->data = (struct bytes){0};
    if (offset <= pac.size && size <= pac.size - offset)
        to->data = (struct bytes){.data = pac.data + offset, .size = size};
    return true;
}

struct bytes pac_find(struct bytes pac, uint32_t type)
{
    struct pac_buffer buffer;
    for (uint32_t index = 0; pac_next_buffer(pac, &index, &buffer);)
        if (buffer.type == type)
            return buffer.data;
    return (struct bytes){0};
}

bool pac_signature_read(struct bytes buffer, struct pac_signature_data *to)
{
    struct cursor c = cursor_of_bytes(buffer);
    to->type = (int32_t)cursor_le32(&c);
    /* Behind it a read-only controller's number may stand (2 bytes): the type says how long it is. */
    size_t size = to->type == -138 ? 16 : to->type == 19 ? 16 : to->type == 20 ? 24 : 12;
    to->signature = cursor_take(&c, size);
    to->rodc = cursor_left(&c) >= 2 ? cursor_le16(&c) : 0;
    return !c.failed;
}

/* ClientId (8, FILETIME), NameLength (2), Name. */
bool pac_client_info_read(struct bytes buffer, struct pac_client_info *to)
{
    struct cursor c = cursor_of_bytes(buffer);
    to->time = pac_filetime(cursor_le64(&c));
    to->name = cursor_take(&c, cursor_le16(&c));
    return !c.failed;
}

/* A length and an offset from the buffer's first byte, of 2 bytes each. */
static struct bytes placed(struct bytes buffer, struct cursor *c)
{
    size_t size = cursor_le16(c), at = cursor_le16(c);
    if (c->failed || at > buffer.size || size > buffer.size - at)
        return (struct bytes){0};
    return (struct bytes){.data = buffer.data + at, .size = size};
}

/* UPN (length, offset), DNS domain (length, offset), Flags (4), and with flag 2: account, SID. */
bool pac_upn_info_read(struct bytes buffer, struct pac_upn_info *to)
{
    *to = (struct pac_upn_info){.flags = 0};
    struct cursor c = cursor_of_bytes(buffer);
    to->upn = placed(buffer, &c);
    to->dns_domain = placed(buffer, &c);
    to->flags = cursor_le32(&c);
    if (to->flags & 2) {
        to->account = placed(buffer, &c);
        to->sid = placed(buffer, &c);
        to->sid.size = sid_size(to->sid.data, to->sid.size);
    }
    return !c.failed;
}

/* FlagsLength (4), in bits; Flags (4 for each 32). */
bool pac_attributes_read(struct bytes buffer, uint32_t *flags)
{
    struct cursor c = cursor_of_bytes(buffer);
    cursor_skip(&c, 4);
    *flags = cursor_le32(&c);
    return !c.failed;
}

struct bytes pac_requestor_read(struct bytes buffer)
{
    return (struct bytes){.data = buffer.data, .size = sid_size(buffer.data, buffer.size)};
}
