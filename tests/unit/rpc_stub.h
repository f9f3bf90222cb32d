/* SPDX-License-Identifier: Apache-2.0
 *
 * Stubs and PDUs of DCE/RPC, made by tests in each form that they come in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum rpc_form { RPC_LITTLE, RPC_BIG, RPC_NDR64, RPC_FORMS };

/* -- stubs ---------------------------------------------------------------------------------------------- */

struct stub {
    uint8_t data[16384];
    size_t size;
    enum rpc_form form;
};

static inline void stub_align(struct stub *s, size_t boundary)
{
    while (s->size % boundary)
        s->data[s->size++] = 0;
}

static inline void stub_number(struct stub *s, uint64_t value, size_t size)
{
    stub_align(s, size);
    for (size_t i = 0; i < size; i++)
        s->data[s->size++] = (uint8_t)(value >> 8 * (s->form == RPC_BIG ? size - 1 - i : i));
}

static inline void stub8(struct stub *s, uint8_t value)
{
    stub_number(s, value, 1);
}

static inline void stub16(struct stub *s, uint16_t value)
{
    stub_number(s, value, 2);
}

static inline void stub32(struct stub *s, uint32_t value)
{
    stub_number(s, value, 4);
}

static inline void stub64(struct stub *s, uint64_t value)
{
    stub_number(s, value, 8);
}

static inline void stub_enum(struct stub *s, uint32_t value)
{
    stub_number(s, value, s->form == RPC_NDR64 ? 4 : 2);
}

static inline void stub_size(struct stub *s, uint64_t value)
{
    stub_number(s, value, s->form == RPC_NDR64 ? 8 : 4);
}

static inline void stub_structure(struct stub *s)
{
    stub_align(s, s->form == RPC_NDR64 ? 8 : 4);
}

static inline void stub_pointer(struct stub *s, bool there)
{
    stub_size(s, there ? 0x20000 : 0);
}

static inline void stub_bytes(struct stub *s, const void *data, size_t size)
{
    memcpy(s->data + s->size, data, size);
    s->size += size;
}

static inline void stub_zero(struct stub *s, size_t size)
{
    memset(s->data + s->size, 0, size);
    s->size += size;
}

static inline void stub_wide(struct stub *s, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        stub16(s, (uint8_t)text[i]);
}

static inline void stub_string16(struct stub *s, const char *text)
{
    size_t count = strlen(text) + 1;
    stub_size(s, count);
    stub_size(s, 0);
    stub_size(s, count);
    stub_wide(s, text, count);
}

static inline void stub_string8(struct stub *s, const char *text)
{
    size_t count = strlen(text) + 1;
    stub_size(s, count);
    stub_size(s, 0);
    stub_size(s, count);
    stub_bytes(s, text, count);
}

/* A [unique] pointer and, at once, the string; NULL: a null pointer. */
static inline void stub_pointer16(struct stub *s, const char *text)
{
    stub_pointer(s, text != NULL);
    if (text)
        stub_string16(s, text);
}

static inline void stub_pointer8(struct stub *s, const char *text)
{
    stub_pointer(s, text != NULL);
    if (text)
        stub_string8(s, text);
}

/* RPC_UNICODE_STRING's fixed part; its text comes later, without a zero. */
static inline void stub_unicode(struct stub *s, const char *text)
{
    stub_structure(s);
    stub16(s, (uint16_t)(2 * strlen(text)));
    stub16(s, (uint16_t)(2 * strlen(text)));
    stub_pointer(s, true);
}

static inline void stub_unicode_text(struct stub *s, const char *text)
{
    size_t count = strlen(text);
    stub_size(s, count);
    stub_size(s, 0);
    stub_size(s, count);
    stub_wide(s, text, count);
}

static inline void stub_uuid_bytes(struct stub *s, const uint8_t u[16])
{
    static const uint8_t swapped[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int i = 0; i < 16; i++)
        s->data[s->size++] = u[s->form == RPC_BIG ? swapped[i] : i];
}

/* A UUID whose sixteen bytes are alike: its text is the same in each byte order. */
static inline void stub_uuid(struct stub *s, uint8_t byte)
{
    stub_align(s, 4);
    memset(s->data + s->size, byte, 16);
    s->size += 16;
}

static inline void stub_handle(struct stub *s, uint8_t byte)
{
    stub32(s, 0);
    stub_uuid(s, byte);
}

/* S-1-5-32-RID */
static inline void stub_sid(struct stub *s, uint32_t rid)
{
    stub_size(s, 2);
    stub_bytes(s, "\x01\x02\0\0\0\0\0\x05", 8);
    stub32(s, 32);
    stub32(s, rid);
}

/* DSNAME, as drsuapi has it. */
static inline void stub_dsname(struct stub *s, const char *name)
{
    uint32_t length = (uint32_t)strlen(name);
    stub_size(s, length + 1);
    stub32(s, 58 + 2 * length);
    stub32(s, 0);
    stub_uuid(s, 0x11);
    stub_zero(s, 28);
    stub32(s, length);
    stub_wide(s, name, length + 1);
}

/* -- PDUs ----------------------------------------------------------------------------------------------- */

/* What a PDU's head and trailer are made of. */
struct pdu_form {
    enum rpc_form form;
    uint32_t call_id;
    uint8_t auth_type;
    uint8_t auth_level;   /* 0: no trailer */
    const uint8_t *token; /* NULL: sixteen zero bytes */
    size_t token_size;
};

/* One PDU of a body, which stands behind the 16 bytes of header. Returns its size. */
static inline size_t pdu_make(const struct pdu_form *form, uint8_t *to, unsigned type, unsigned flags,
                              const struct stub *body)
{
    size_t token = form->auth_level ? form->token ? form->token_size : 16 : 0;
    struct stub p = {.form = form->form};
    stub8(&p, 5);
    stub8(&p, 0);
    stub8(&p, (uint8_t)type);
    stub8(&p, (uint8_t)flags);
    stub8(&p, form->form == RPC_BIG ? 0 : 0x10);
    stub_zero(&p, 3);
    stub16(&p, (uint16_t)(16 + body->size + (token ? 8 + token : 0)));
    stub16(&p, (uint16_t)token);
    stub32(&p, form->call_id);
    stub_bytes(&p, body->data, body->size);
    if (token) {
        stub8(&p, form->auth_type);
        stub8(&p, form->auth_level);
        stub_zero(&p, 6);
        if (form->token)
            stub_bytes(&p, form->token, token);
        else
            stub_zero(&p, token);
    }
    memcpy(to, p.data, p.size);
    return p.size;
}

static inline void stub_syntax(struct stub *b)
{
    static const uint8_t ndr[16] = {0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11,
                                    0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60};
    static const uint8_t ndr64[16] = {0x33, 0x05, 0x71, 0x71, 0xba, 0xbe, 0x37, 0x49,
                                      0x83, 0x19, 0xb5, 0xdb, 0xef, 0x9c, 0xcc, 0x36};
    stub_uuid_bytes(b, b->form == RPC_NDR64 ? ndr64 : ndr);
    stub32(b, 2);
}

/* The body of a bind or alter_context of one context. */
static inline void stub_bind(struct stub *b, uint16_t context, const uint8_t uuid[16])
{
    stub16(b, 4280);
    stub16(b, 4280);
    stub32(b, 0);
    stub8(b, 1);
    stub_zero(b, 3);
    stub16(b, context);
    stub8(b, 1);
    stub8(b, 0);
    stub_uuid_bytes(b, uuid);
    stub32(b, 1);
    stub_syntax(b);
}

/* The body of its answer. */
static inline void stub_bind_ack(struct stub *b, uint16_t result, uint16_t reason)
{
    stub16(b, 4280);
    stub16(b, 4280);
    stub32(b, 0);
    stub16(b, 4);
    stub_bytes(b, "135", 4);
    stub_align(b, 4);
    stub8(b, 1);
    stub_zero(b, 3);
    stub16(b, result);
    stub16(b, reason);
    stub_syntax(b);
}
