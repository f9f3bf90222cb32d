/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/complaints.h"
#include "keys/ntlm_keys.h"
#include "keys/operations.h"

#include "base/utf8.h"

#include <sodium.h>
#include <string.h>

#define NAME_MAX_BYTES 512

/* A name of the message as UTF-8. What is in an OEM code page is taken for Latin-1: ASCII is the same in all.
 */
static struct bytes name_utf8(struct bytes name, bool unicode, uint8_t to[NAME_MAX_BYTES])
{
    bool cut = false;
    size_t size = 0;
    if (unicode) {
        size = utf8_from_utf16(to, NAME_MAX_BYTES, name.data, name.size / 2, &cut);
    } else {
        for (size_t i = 0; i < name.size && size + UTF8_BYTES_MAX <= NAME_MAX_BYTES; i++)
            size += utf8_encode(name.data[i], to + size);
    }
    return (struct bytes){.data = to, .size = size};
}

static void complain_of(struct key_holder *holder, struct bytes account, struct bytes domain)
{
    struct key_holder_complaint c = {.result = UNSEAL_NO_KEY, .etype = ETYPE_RC4};
    size_t room = sizeof c.principal - 2;
    size_t size = account.size < room ? account.size : room;
    if (size)
        memcpy(c.principal, account.data, size);
    c.principal[size++] = '@';
    room = sizeof c.principal - 1 - size;
    size_t part = domain.size < room ? domain.size : room;
    if (part)
        memcpy(c.principal + size, domain.data, part);
    complaints_add(holder->complaints, &c);
}

/* Server challenge, AUTHENTICATE message -> result, context. The hash that made the response proves itself;
 * accounts of the same name in other domains do not harm. */
void operation_ntlm(struct key_request *r)
{
    uint8_t user[NAME_MAX_BYTES];
    uint8_t from[NAME_MAX_BYTES];
    struct bytes challenge = request_bytes(r);
    struct bytes message = request_bytes(r);
    struct ntlm_message m;
    if (r->c.failed || challenge.size != 8 || !ntlm_parse(cursor_of_bytes(message), 0, &m) ||
        m.type != NTLM_AUTHENTICATE || m.cut) {
        answer_context(r, UNSEAL_MALFORMED, NULL);
        return;
    }
    if (m.variant == NTLM_VARIANT_ANONYMOUS || m.variant == NTLM_VARIANT_LM) {
        answer_context(r, UNSEAL_UNSUPPORTED, NULL);
        return;
    }
    struct bytes account = name_utf8(m.user, m.unicode, user);
    struct bytes domain = name_utf8(m.domain, m.unicode, from);
    struct context_ntlm made = {0};
    enum unseal_result result = UNSEAL_WRONG_KEY;
    bool any = false;
    uint32_t at = 0;
    const uint8_t *hash;
    while (result == UNSEAL_WRONG_KEY && (hash = keyring_nt_hash(r->holder->keyring, account, domain, &at))) {
        any = true;
        result = ntlm_keys_derive(hash, challenge.data, &m, &made);
    }
    /* A wrong password is everyday, and no fault of a keytab: only an account without a key is told. */
    if (!any)
        complain_of(r->holder, account, domain);
    if (result == UNSEAL_WRONG_KEY)
        result = UNSEAL_NO_KEY;
    struct security_context *context = NULL;
    if (result == UNSEAL_FINE)
        context = context_new(r->holder->contexts, CONTEXT_NTLM, r->line);
    if (context)
        context->ntlm = made;
    answer_context(r, result, context);
    sodium_memzero(&made, sizeof made);
}
