/* SPDX-License-Identifier: Apache-2.0
 *
 * Network data representation: how the parameters of an RPC call stand in its stub ([C706] chapter 14 for
 * NDR, [MS-RPCE] 2.2.5 for NDR64). A reader over the cursor: it aligns, follows the sender's byte order and
 * bounds every count by the bytes that are there. Like the cursor it fails once and for all; what was read
 * before stays good, so a stub that was cut gives what it has.
 */
#pragma once

#include "base/cursor.h"

struct ndr {
    struct cursor cursor;
    const uint8_t *start; /* alignment counts from here */
    bool big_endian;      /* from the PDU's data representation label */
    bool ndr64;           /* the transfer syntax agreed on in the bind */
};

struct ndr ndr_of(struct bytes stub, bool big_endian, bool ndr64);

static inline bool ndr_failed(const struct ndr *n)
{
    return n->cursor.failed;
}

/* Steps to a multiple of `boundary` (a power of two) from the stub's start. */
void ndr_align(struct ndr *n, size_t boundary);

/* Integers, each aligned to its own size. */
uint8_t ndr_u8(struct ndr *n);
uint16_t ndr_u16(struct ndr *n);
uint32_t ndr_u32(struct ndr *n);
uint64_t ndr_u64(struct ndr *n);

/* An enum, or the discriminant of a union over an enum: 16 bits in NDR, 32 in NDR64. */
uint32_t ndr_enum(struct ndr *n);

/* A count or an offset of an array, or a LONG_PTR: 32 bits in NDR, 64 in NDR64. */
uint64_t ndr_size(struct ndr *n);

/* The referent of a unique or full pointer; false: it is null, and nothing follows for it. */
bool ndr_pointer(struct ndr *n);

/* Aligns as a structure that holds pointers or sizes is aligned: 4 in NDR, 8 in NDR64. */
void ndr_align_structure(struct ndr *n);

/* A conformant varying string of UTF-16 or of bytes ([string] wchar_t *, [string] char *), without its
 * terminating zero: maximum, offset, actual count, elements. UTF-16 stands in the sender's byte order. */
struct bytes ndr_string16(struct ndr *n);
struct bytes ndr_string8(struct ndr *n);

/* A pointer to one; empty when null. */
struct bytes ndr_string16_pointer(struct ndr *n);
struct bytes ndr_string8_pointer(struct ndr *n);

/* The fixed part of RPC_UNICODE_STRING ([MS-DTYP] 2.3.10); true when a string16 is to follow, deferred. */
bool ndr_unicode_string(struct ndr *n);

/* A conformant array of bytes. */
struct bytes ndr_byte_array(struct ndr *n);

/* A UUID, in the order of a little-endian sender, whoever sent it. */
void ndr_uuid(struct ndr *n, uint8_t to[16]);

/* A context handle: attributes (4) and UUID (16). */
void ndr_handle(struct ndr *n, uint8_t to[16]);

/* An RPC_SID with its conformance in front ([MS-DTYP] 2.4.2.3), as the bytes of a SID; empty when damaged. */
struct bytes ndr_sid(struct ndr *n);
