/* SPDX-License-Identifier: Apache-2.0
 *
 * KRB-PRIV (RFC 4120 5.7), as kpasswd uses it (RFC 3244): a new password never leaves this process.
 */
#include "base/ber.h"
#include "keys/operations.h"

#include <sodium.h>
#include <string.h>

enum { USAGE_PRIV = 13, KPASSWD_RESULT_MAX = 7 };

/* EncKrbPrivPart ::= [APPLICATION 28] SEQUENCE { user-data [0] OCTET STRING, ... } */
static bool user_data(struct bytes plain, struct bytes *to)
{
    struct cursor c = cursor_of_bytes(plain);
    struct ber part = ber_next(&c);
    struct ber sequence = ber_next(&part.value);
    struct ber member = ber_next(&sequence.value);
    struct ber data = ber_next(&member.value);
    if (part.tag != BER_APPLICATION(28) || sequence.tag != BER_SEQUENCE ||
        member.tag != BER_CONTEXT_CONS(0) || data.tag != BER_OCTET_STRING || data.value.failed)
        return false;
    *to = (struct bytes){.data = data.value.at, .size = cursor_left(&data.value)};
    return true;
}

/* ChangePasswdData ::= SEQUENCE { newpasswd [0] OCTET STRING, targname [1] PrincipalName OPTIONAL, targrealm
 * [2] Realm OPTIONAL }: whole, and nothing else; the password in it. */
static bool new_password(struct bytes data, struct bytes *password)
{
    struct cursor c = cursor_of_bytes(data);
    struct ber sequence = ber_next(&c);
    if (sequence.tag != BER_SEQUENCE || sequence.value.failed || !cursor_done(&c))
        return false;
    struct ber member = ber_next(&sequence.value);
    struct ber octets = ber_next(&member.value);
    if (member.tag != BER_CONTEXT_CONS(0) || octets.tag != BER_OCTET_STRING || octets.value.failed ||
        !cursor_done(&member.value))
        return false;
    *password = (struct bytes){.data = octets.value.at, .size = cursor_left(&octets.value)};
    while (!cursor_done(&sequence.value)) {
        member = ber_next(&sequence.value);
        if ((member.tag != BER_CONTEXT_CONS(1) && member.tag != BER_CONTEXT_CONS(2)) || member.value.failed)
            return false;
    }
    return !sequence.value.failed;
}

/* The answer to a request: result code 2, text (RFC 3244 2). */
static bool is_outcome(struct bytes data, enum direction direction)
{
    return direction == TO_CLIENT && data.size >= 2 && data.data[0] == 0 &&
           data.data[1] <= KPASSWD_RESULT_MAX;
}

static enum unseal_result decrypt(struct key_holder *holder, const struct context_kerberos *context,
                                  const struct krb_encrypted *sealed, uint8_t *to, size_t *size)
{
    const struct key_material *keys[] = {&context->acceptor, &context->subkey, &context->session};
    enum unseal_result result = kerberos_etype_known(sealed->etype) ? UNSEAL_NO_CONTEXT : UNSEAL_ETYPE;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && result != UNSEAL_FINE; i++)
        if (keys[i]->size && keys[i]->etype == sealed->etype)
            result = kerberos_decrypt(holder->derived, keys[i], USAGE_PRIV, sealed->cipher, to, size);
    return result;
}

/* Context, direction, KRB-PRIV -> result, user data. In version 1 of the protocol the user data is the
 * password: then, and whenever it is not known to be something else, nothing is answered but that it could be
 * read. */
void operation_priv(struct key_request *r)
{
    enum direction direction;
    struct security_context *context = request_context(r, &direction);
    if (!context)
        return;
    struct bytes message = request_bytes(r);
    struct cursor c = cursor_of_bytes(message);
    struct krb_message m;
    if (r->c.failed || context->kind != CONTEXT_KERBEROS || !krb_parse(&c, &m) || m.type != KRB_PRIV ||
        !m.sealed.cipher.size) {
        answer_result(r, UNSEAL_MALFORMED);
        return;
    }
    uint8_t *plain = plain_take(r->holder, m.sealed.cipher.size);
    size_t size = 0;
    enum unseal_result result =
        plain ? decrypt(r->holder, &context->kerberos, &m.sealed, plain, &size) : UNSEAL_MALFORMED;
    struct bytes data = {0};
    if (result == UNSEAL_FINE && !user_data((struct bytes){.data = plain, .size = size}, &data))
        result = UNSEAL_MALFORMED;
    if (result != UNSEAL_FINE) {
        answer_result(r, result);
        return;
    }
    struct bytes password;
    if (new_password(data, &password)) {
        if (password.size)
            memset(plain + (password.data - plain), 0, password.size);
    } else if (!is_outcome(data, direction)) {
        data.size = 0;
    }
    answer_plain(r, UNSEAL_FINE, data.data, data.size);
}
