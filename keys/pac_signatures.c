/* SPDX-License-Identifier: Apache-2.0
 *
 * The signatures of a PAC ([MS-PAC] 2.8): by the service's key over the PAC, by the KDC's over that
 * signature, over the ticket (2.8.3) and over the PAC (2.8.4).
 */
#include "base/ber.h"
#include "capture/pac.h"
#include "keys/kerberos.h"

#include <sodium.h>

#define DEPTH_MAX 16

/* --- checksums --- */

static bool verifies(struct key_holder *holder, const struct key_material *key,
                     const struct pac_signature_data *signature, struct bytes over)
{
    return key->etype == kerberos_checksum_etype(signature->type) &&
           kerberos_checksum_fits(holder->derived, key, USAGE_PAC, &over, 1, signature->signature);
}

/* With the key that opened the ticket. A signature of another type than the key's was made without it. */
static enum pac_verdict server_verdict(struct key_holder *holder, const struct key_material *key,
                                       const struct pac_signature_data *signature, struct bytes over)
{
    if (!key || !kerberos_checksum_etype(signature->type))
        return PAC_SIGNATURE_UNKNOWN;
    return verifies(holder, key, signature, over) ? PAC_SIGNATURE_GOOD : PAC_SIGNATURE_BAD;
}

/* krbtgt/REALM as DER. */
struct krbtgt {
    uint8_t names[512];
    struct krb_principal principal;
};

static bool krbtgt_of(struct bytes realm, struct krbtgt *to)
{
    static const uint8_t begin[] = {BER_GENERAL_STRING, 6,   'k', 'r', 'b', 't', 'g', 't',
                                    BER_GENERAL_STRING, 0x82};
    if (!realm.size || realm.size > sizeof to->names - sizeof begin - 2)
        return false;
    memcpy(to->names, begin, sizeof begin);
    to->names[sizeof begin] = (uint8_t)(realm.size >> 8);
    to->names[sizeof begin + 1] = (uint8_t)realm.size;
    memcpy(to->names + sizeof begin + 2, realm.data, realm.size);
    to->principal = (struct krb_principal){
        .present = true, .type = 2, .names = cursor_of(to->names, sizeof begin + 2 + realm.size)};
    return true;
}

/* With any version of the KDC's key: which one is not said. A read-only controller signs with its own. */
static enum pac_verdict kdc_verdict(struct key_holder *holder, struct bytes realm,
                                    const struct pac_signature_data *signature, struct bytes over)
{
    struct krbtgt krbtgt;
    int32_t etype = kerberos_checksum_etype(signature->type);
    if (!etype || !krbtgt_of(realm, &krbtgt))
        return PAC_SIGNATURE_UNKNOWN;
    struct keyring_search search = {.realm = realm,
                                    .principal = &krbtgt.principal,
                                    .etype = etype,
                                    .kvno = (uint32_t)signature->rodc << 16,
                                    .service = true,
                                    .named = true};
    enum pac_verdict verdict = PAC_SIGNATURE_UNKNOWN;
    struct long_term_key *key;
    while ((key = keyring_next(holder->keyring, &search)) != NULL) {
        if (verifies(holder, &key->material, signature, over))
            return PAC_SIGNATURE_GOOD;
        verdict = PAC_SIGNATURE_BAD;
    }
    return verdict;
}

/* --- what they are over --- */

static bool find_signature(struct bytes pac, enum pac_type type, struct pac_signature_data *to)
{
    return pac_signature_read(pac_find(pac, type), to);
}

static void zero_signature(struct bytes pac, enum pac_type type, uint8_t *copy)
{
    struct pac_signature_data signature;
    if (find_signature(pac, type, &signature))
        memset(copy + (signature.signature.data - pac.data), 0, signature.signature.size);
}

/* An element around the PAC: where it begins, where its value does, where it ends. */
struct level {
    const uint8_t *begin, *value, *end;
    size_t size; /* of its value, once the PAC is one zero byte */
};

/* The elements around `target`, from the ticket to the OCTET STRING that is the PAC. */
static int levels_to(struct bytes plain, struct bytes target, struct level levels[DEPTH_MAX])
{
    struct cursor c = cursor_of_bytes(plain);
    int depth = 0;
    while (depth < DEPTH_MAX && !cursor_done(&c)) {
        const uint8_t *begin = c.at;
        struct ber e = ber_next(&c);
        if (!e.tag || e.value.failed)
            return 0;
        if (target.data < e.value.at || target.data >= e.value.end)
            continue;
        levels[depth++] = (struct level){.begin = begin, .value = e.value.at, .end = e.value.end};
        if (e.tag == BER_OCTET_STRING && e.value.at == target.data)
            return e.value.end == target.data + target.size ? depth : 0;
        c = e.value;
    }
    return 0;
}

static size_t length_octets(size_t size)
{
    return size < 0x80 ? 1 : size < 0x100 ? 2 : size < 0x10000 ? 3 : 4;
}

static uint8_t *put_length(uint8_t *to, size_t size)
{
    size_t octets = length_octets(size) - 1;
    *to++ = octets ? (uint8_t)(0x80 | octets) : (uint8_t)size;
    while (octets--)
        *to++ = (uint8_t)(size >> (8 * octets));
    return to;
}

static uint8_t *put_run(uint8_t *to, const uint8_t *from, const uint8_t *end)
{
    size_t size = (size_t)(end - from);
    if (size)
        memcpy(to, from, size);
    return to + size;
}

/* The EncTicketPart as the KDC signed it: DER anew, with one zero byte in the PAC's place. `to` has room for
 * it as it was. The size; 0 when the PAC does not stand where it should. */
static size_t without_pac(struct bytes plain, struct bytes pac, uint8_t *to)
{
    struct level levels[DEPTH_MAX];
    int depth = levels_to(plain, pac, levels);
    if (!depth)
        return 0;
    levels[depth - 1].size = 1;
    for (int i = depth - 2; i >= 0; i--) {
        const struct level *inner = &levels[i + 1];
        levels[i].size = (size_t)(inner->begin - levels[i].value) + 1 + length_octets(inner->size) +
                         inner->size + (size_t)(levels[i].end - inner->end);
    }
    if (1 + length_octets(levels[0].size) + levels[0].size > plain.size)
        return 0;
    uint8_t *at = to;
    for (int i = 0; i < depth; i++) {
        *at++ = *levels[i].begin;
        at = put_length(at, levels[i].size);
        if (i + 1 < depth)
            at = put_run(at, levels[i].value, levels[i + 1].begin);
    }
    *at++ = 0;
    for (int i = depth - 2; i >= 0; i--)
        at = put_run(at, levels[i + 1].end, levels[i].end);
    return (size_t)(at - to);
}

/* --- verdicts --- */

static enum pac_verdict ticket_verdict(struct key_holder *holder, const struct krb_ticket *ticket,
                                       const struct pac_signature_data *signature, struct bytes plain,
                                       struct bytes pac, uint8_t *room)
{
    size_t size = without_pac(plain, pac, room);
    return size ? kdc_verdict(holder, ticket->realm, signature, (struct bytes){room, size})
                : PAC_SIGNATURE_UNKNOWN;
}

void pac_verify(struct key_holder *holder, const struct krb_ticket *ticket, const struct key_material *key,
                struct bytes plain, struct bytes pac, uint8_t verdicts[PAC_SIGNATURES])
{
    struct pac_signature_data server, other;
    uint8_t *room = plain_take(holder, plain.size);
    if (!room)
        return;
    if (find_signature(pac, PAC_TICKET_CHECKSUM, &other))
        verdicts[PAC_TICKET] = (uint8_t)ticket_verdict(holder, ticket, &other, plain, pac, room);
    /* The PAC, with the signatures that came after what is signed as zeros. */
    struct bytes over = {room, pac.size};
    memcpy(room, pac.data, pac.size);
    zero_signature(pac, PAC_SERVER_CHECKSUM, room);
    zero_signature(pac, PAC_KDC_CHECKSUM, room);
    if (find_signature(pac, PAC_SERVER_CHECKSUM, &server)) {
        verdicts[PAC_SERVER] = (uint8_t)server_verdict(holder, key, &server, over);
        if (find_signature(pac, PAC_KDC_CHECKSUM, &other))
            verdicts[PAC_KDC] = (uint8_t)kdc_verdict(holder, ticket->realm, &other, server.signature);
    }
    if (find_signature(pac, PAC_FULL_CHECKSUM, &other)) {
        zero_signature(pac, PAC_FULL_CHECKSUM, room);
        verdicts[PAC_FULL] = (uint8_t)kdc_verdict(holder, ticket->realm, &other, over);
    }
    plain_give_back(holder, plain.size);
}
