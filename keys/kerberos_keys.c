/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys inside of plain text: taken, and blanked before it leaves.
 */
#include "capture/kerberos_elements.h"
#include "keys/kerberos.h"

#include <sodium.h>

enum {
    GSS_CHECKSUM = 0x8003,   /* RFC 4121 4.1.1 */
    PA_KEY_LIST_REPLY = 162, /* [MS-KILE] 2.2.12: SEQUENCE OF EncryptionKey */
    ENC_CREDENTIALS = 29,    /* EncKrbCredPart */
    ETYPE_NULL = 0,
};

bool key_take(const struct krb_key *from, struct key_material *to)
{
    memset(to, 0, sizeof *to);
    size_t size = from->present ? kerberos_key_size(from->etype) : 0;
    if (!size || from->value.size != size)
        return false;
    to->etype = from->etype;
    to->size = (uint8_t)size;
    memcpy(to->bytes, from->value.data, size);
    return true;
}

/* All of these stand in memory that is the holder's own. */
static void wipe(struct cursor value)
{
    size_t size = cursor_left(&value);
    if (size)
        sodium_memzero((uint8_t *)value.at, size);
}

/* EncryptionKey ::= SEQUENCE { keytype [0], keyvalue [1] OCTET STRING }: the octets, and whatever else
 * should stand in their place. */
static void blank_key(struct cursor key)
{
    struct cursor c = krb_inner(key, BER_SEQUENCE);
    for (struct ber e; (e = ber_next(&c)).tag;) {
        if (e.tag != EXPLICIT(1))
            continue;
        struct cursor octets = e.value;
        if (ber_peek(&octets) == BER_OCTET_STRING)
            octets = ber_next(&octets).value;
        wipe(octets);
    }
}

static void blank_members(struct cursor members, uint8_t tag)
{
    for (struct ber e; (e = ber_next(&members)).tag;)
        if (e.tag == tag)
            blank_key(e.value);
}

static void blank_padata(struct cursor members, uint8_t tag)
{
    for (struct ber e; (e = ber_next(&members)).tag;) {
        if (e.tag != tag)
            continue;
        struct cursor list = krb_inner(e.value, BER_SEQUENCE);
        struct krb_padata padata;
        while (krb_next_padata(&list, &padata)) {
            if (padata.type != PA_KEY_LIST_REPLY)
                continue;
            struct cursor keys = krb_enter_sequence(padata.value);
            while (ber_peek(&keys) == BER_SEQUENCE) {
                struct cursor key = keys;
                ber_next(&keys);
                blank_key(key);
            }
        }
    }
}

/* --- delegated credentials --- */

/* Checksum ::= Lgth 4 (16), Bnd 16, Flags 4, and with GSS_C_DELEG_FLAG: DlgOpt 2 (1), Dlgth 2, Deleg; little-
 * endian (RFC 4121 4.1.1) */
struct bytes delegated_credentials(const struct krb_authenticator *authenticator)
{
    enum {
        DELEGATES = 1,
    };
    struct cursor c = cursor_of_bytes(authenticator->checksum);
    if (!authenticator->has_checksum || authenticator->checksum_type != GSS_CHECKSUM)
        return (struct bytes){0};
    cursor_skip(&c, cursor_le32(&c));
    uint32_t flags = cursor_le32(&c);
    cursor_le16(&c);
    size_t size = cursor_le16(&c);
    if (c.failed || !(flags & DELEGATES))
        return (struct bytes){0};
    return cursor_take(&c, size);
}

/* EncKrbCredPart ::= [APPLICATION 29] SEQUENCE { ticket-info [0] SEQUENCE OF KrbCredInfo, ... } (RFC 4120
 * 5.8.1) */
struct cursor credentials_begin(struct bytes plain)
{
    struct cursor c =
        krb_inner(krb_inner(cursor_of_bytes(plain), BER_APPLICATION(ENC_CREDENTIALS)), BER_SEQUENCE);
    struct cursor list = {.at = c.end, .end = c.end};
    for (struct ber e; (e = ber_next(&c)).tag;)
        if (e.tag == EXPLICIT(0))
            list = krb_inner(e.value, BER_SEQUENCE);
    return list;
}

/* KrbCredInfo ::= SEQUENCE { key [0] EncryptionKey, ... } */
bool credentials_next(struct cursor *list, struct key_material *key)
{
    struct ber info = ber_next(list);
    if (info.tag != BER_SEQUENCE)
        return false;
    struct krb_key found = {.present = false};
    for (struct ber e; (e = ber_next(&info.value)).tag;)
        if (e.tag == EXPLICIT(0))
            krb_inner_key(e.value, &found);
    key_take(&found, key);
    return true;
}

/* In a KRB-CRED with type 0 they are not sealed. */
static void blank_credentials(struct bytes message)
{
    struct cursor c = cursor_of_bytes(message);
    struct krb_message credentials;
    if (!krb_parse(&c, &credentials) || credentials.type != KRB_CRED ||
        credentials.credentials.etype != ETYPE_NULL)
        return;
    struct cursor plain = cursor_of_bytes(credentials.credentials.cipher);
    struct cursor members = krb_inner(krb_inner(plain, BER_APPLICATION(ENC_CREDENTIALS)), BER_SEQUENCE);
    for (struct ber e; (e = ber_next(&members)).tag;) {
        if (e.tag != EXPLICIT(0))
            continue;
        struct cursor list = krb_inner(e.value, BER_SEQUENCE);
        for (struct ber info; (info = ber_next(&list)).tag;)
            blank_members(info.value, EXPLICIT(0));
    }
}

/* --- blanking --- */

static struct cursor members_of(struct bytes plain, unsigned application)
{
    return krb_inner(krb_inner(cursor_of_bytes(plain), (uint8_t)BER_APPLICATION(application)), BER_SEQUENCE);
}

static void blank_authenticator(struct bytes plain)
{
    struct krb_authenticator authenticator;
    if (krb_read_authenticator(cursor_of_bytes(plain), &authenticator))
        blank_credentials(delegated_credentials(&authenticator));
    blank_members(members_of(plain, 2), EXPLICIT(6));
}

static void blank_reply(struct bytes plain)
{
    for (unsigned application = 25; application <= 26; application++) {
        blank_members(members_of(plain, application), EXPLICIT(0));
        blank_padata(members_of(plain, application), EXPLICIT(12));
    }
}

void keys_blank(enum unsealed_kind kind, struct bytes plain)
{
    switch (kind) {
    case UNSEALED_PRESENTED:
    case UNSEALED_ISSUED:
    case UNSEALED_ARMOR:
    case UNSEALED_ADDITIONAL:
        blank_members(members_of(plain, 3), EXPLICIT(1));
        break;
    case UNSEALED_AUTHENTICATOR:
        blank_authenticator(plain);
        break;
    case UNSEALED_REPLY:
        blank_reply(plain);
        break;
    case UNSEALED_FAST_RESPONSE:
        blank_members(krb_inner(cursor_of_bytes(plain), BER_SEQUENCE), EXPLICIT(1));
        blank_padata(krb_inner(cursor_of_bytes(plain), BER_SEQUENCE), EXPLICIT(0));
        break;
    case UNSEALED_TIMESTAMP:
    case UNSEALED_FAST_REQUEST:
    case UNSEALED_AUTHORIZATION:
        break;
    }
}
