/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/ndr.h"

struct ndr ndr_of(struct bytes stub, bool big_endian, bool ndr64)
{
    struct ndr n = {.cursor = cursor_of_bytes(stub), .big_endian = big_endian, .ndr64 = ndr64};
    n.start = n.cursor.at;
    return n;
}

void ndr_align(struct ndr *n, size_t boundary)
{
    size_t at = (size_t)(n->cursor.at - n->start);
    size_t padding = (boundary - (at & (boundary - 1))) & (boundary - 1);
    if (padding)
        cursor_skip(&n->cursor, padding);
}

uint8_t ndr_u8(struct ndr *n)
{
    return cursor_u8(&n->cursor);
}

uint16_t ndr_u16(struct ndr *n)
{
    ndr_align(n, 2);
    return n->big_endian ? cursor_be16(&n->cursor) : cursor_le16(&n->cursor);
}

uint32_t ndr_u32(struct ndr *n)
{
    ndr_align(n, 4);
    return n->big_endian ? cursor_be32(&n->cursor) : cursor_le32(&n->cursor);
}

uint64_t ndr_u64(struct ndr *n)
{
    ndr_align(n, 8);
    return n->big_endian ? cursor_be64(&n->cursor) : cursor_le64(&n->cursor);
}

uint32_t ndr_enum(struct ndr *n)
{
    return n->ndr64 ? ndr_u32(n) : ndr_u16(n);
}

uint64_t ndr_size(struct ndr *n)
{
    return n->ndr64 ? ndr_u64(n) : ndr_u32(n);
}

bool ndr_pointer(struct ndr *n)
{
    return ndr_size(n) != 0;
}

void ndr_align_structure(struct ndr *n)
{
    ndr_align(n, n->ndr64 ? 8 : 4);
}

/* Conformant varying array ([C706] 14.3.3.4): maximum count, offset, actual count, then the elements. One
 * that was cut gives the elements that are there, and the reader fails. */
static struct bytes conformant_varying(struct ndr *n, size_t element)
{
    ndr_size(n);
    ndr_size(n);
    uint64_t count = ndr_size(n);
    size_t left = cursor_left(&n->cursor) / element;
    struct bytes run = cursor_take(&n->cursor, element * (size_t)(count < left ? count : left));
    if (count > left)
        cursor_fail(&n->cursor);
    return run;
}

struct bytes ndr_string16(struct ndr *n)
{
    struct bytes text = conformant_varying(n, 2);
    while (text.size >= 2 && text.data[text.size - 1] == 0 && text.data[text.size - 2] == 0)
        text.size -= 2;
    return text;
}

struct bytes ndr_string8(struct ndr *n)
{
    struct bytes text = conformant_varying(n, 1);
    while (text.size && text.data[text.size - 1] == 0)
        text.size--;
    return text;
}

static struct bytes nothing(const struct ndr *n)
{
    return (struct bytes){.data = n->cursor.at, .size = 0};
}

struct bytes ndr_string16_pointer(struct ndr *n)
{
    return ndr_pointer(n) ? ndr_string16(n) : nothing(n);
}

struct bytes ndr_string8_pointer(struct ndr *n)
{
    return ndr_pointer(n) ? ndr_string8(n) : nothing(n);
}

/* Length (2), MaximumLength (2), Buffer (pointer). */
bool ndr_unicode_string(struct ndr *n)
{
    ndr_align_structure(n);
    ndr_u16(n);
    ndr_u16(n);
    return ndr_pointer(n);
}

struct bytes ndr_byte_array(struct ndr *n)
{
    uint64_t count = ndr_size(n);
    size_t left = cursor_left(&n->cursor);
    struct bytes run = cursor_take(&n->cursor, (size_t)(count < left ? count : left));
    if (count > left)
        cursor_fail(&n->cursor);
    return run;
}

static void swap(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size / 2; i++) {
        uint8_t other = bytes[i];
        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = other;
    }
}

void ndr_uuid(struct ndr *n, uint8_t to[16])
{
    ndr_align(n, 4);
    cursor_copy(&n->cursor, to, 16);
    if (!n->big_endian)
        return;
    swap(to, 4);
    swap(to + 4, 2);
    swap(to + 6, 2);
}

void ndr_handle(struct ndr *n, uint8_t to[16])
{
    ndr_u32(n);
    ndr_uuid(n, to);
}

/* MaximumCount, Revision (1), SubAuthorityCount (1), IdentifierAuthority (6), SubAuthority (4 each). Only
 * little-endian senders have it in the form of a SID ([MS-DTYP] 2.4.2.2); others' is left out. */
struct bytes ndr_sid(struct ndr *n)
{
    uint64_t count = ndr_size(n);
    if (count > 15 || n->big_endian)
        cursor_fail(&n->cursor);
    struct bytes sid = cursor_take(&n->cursor, 8 + 4 * (size_t)count);
    if (sid.size && sid.data[1] != count) {
        cursor_fail(&n->cursor);
        return nothing(n);
    }
    return sid;
}
