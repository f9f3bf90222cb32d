/* SPDX-License-Identifier: Apache-2.0
 *
 * AP exchanges: from a ticket and an authenticator a security context.
 */
#include "keys/kerberos.h"

#include <sodium.h>

#define AP_MUTUAL_REQUIRED (UINT32_C(1) << 29) /* bit 2 of APOptions */

/* A forwarded TGT: its session key stands in the KRB-CRED, sealed with the context's key. */
static void learn_delegated(struct key_holder *holder, const struct krb_authenticator *authenticator,
                            const struct context_kerberos *context)
{
    struct bytes bytes = delegated_credentials(authenticator);
    struct cursor c = cursor_of_bytes(bytes);
    struct krb_message message;
    if (!bytes.size || !krb_parse(&c, &message) || message.type != KRB_CRED)
        return;
    struct unsealed_part part = {.result = UNSEAL_NO_KEY};
    const struct krb_encrypted *sealed = &message.credentials;
    if (sealed->etype == 0)
        part.plain = sealed->cipher;
    else if (kerberos_decrypt_session(holder, &context->session, USAGE_CREDENTIALS, sealed, &part) !=
             UNSEAL_FINE)
        kerberos_decrypt_session(holder, &context->subkey, USAGE_CREDENTIALS, sealed, &part);
    struct cursor list = credentials_begin(part.plain);
    struct krb_ticket ticket;
    struct key_material key;
    while (krb_next_ticket(&message.tickets, &ticket) && credentials_next(&list, &key))
        if (key.size && ticket.sealed.cipher.size)
            keyring_put_ticket(holder->keyring, ticket.sealed.cipher, &key);
    sodium_memzero(&key, sizeof key);
}

void operation_ap_request(struct key_request *r)
{
    struct bytes message = request_bytes(r);
    struct krb_ap_req ap_req;
    if (r->c.failed || !krb_read_ap_req(cursor_of_bytes(message), &ap_req)) {
        answer_result(r, UNSEAL_MALFORMED);
        return;
    }
    if (keyring_empty(r->holder->keyring)) {
        answer_result(r, UNSEAL_SILENT);
        return;
    }
    struct unsealed parts = {.count = 0};
    struct context_kerberos found = {.mutual = ap_req.options & AP_MUTUAL_REQUIRED};
    struct krb_authenticator authenticator;
    struct security_context *context = NULL;
    if (kerberos_open_ticket(r->holder, UNSEALED_PRESENTED, &ap_req.ticket, NULL, 0, &parts,
                             &found.session) &&
        kerberos_open_authenticator(r->holder, &ap_req.authenticator, USAGE_AP_AUTHENTICATOR, &found.session,
                                    &parts, &authenticator, &found.subkey)) {
        learn_delegated(r->holder, &authenticator, &found);
        context = context_new(r->holder->contexts, CONTEXT_KERBEROS, r->line);
        context->kerberos = found;
    }
    answer_parts_in_context(r, &parts, context);
    sodium_memzero(&found, sizeof found);
}

/* Without an answer. The client's AP-REP (DCE style's third leg) has no key of its own. */
void operation_ap_reply(struct key_request *r)
{
    uint64_t id = request_uint(r);
    uint64_t direction = request_uint(r);
    struct bytes bytes = request_bytes(r);
    struct cursor c = cursor_of_bytes(bytes);
    struct krb_message message;
    struct krb_ap_rep_part inside;
    struct unsealed_part part = {.result = UNSEAL_NO_KEY};
    struct security_context *context = r->c.failed ? NULL : context_find(r->holder->contexts, id, r->line);
    if (!context || context->kind != CONTEXT_KERBEROS || direction != TO_CLIENT)
        return;
    if (!krb_parse(&c, &message) || message.type != KRB_AP_REP)
        return;
    struct context_kerberos *k = &context->kerberos;
    if (kerberos_decrypt_session(r->holder, &k->session, USAGE_AP_REPLY, &message.sealed, &part) ==
            UNSEAL_FINE &&
        krb_read_ap_rep_part(cursor_of_bytes(part.plain), &inside))
        key_take(&inside.subkey, &k->acceptor);
    count_result(r->holder, part.result);
}
