/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that a context protects: by its kind to who understands them.
 */
#include "keys/operations.h"

/* Context, direction, token -> result, plain text */
void operation_wrap(struct key_request *r)
{
    enum direction direction;
    struct security_context *context = request_context(r, &direction);
    if (!context)
        return;
    struct bytes token = request_bytes(r);
    uint8_t *to = r->c.failed ? NULL : plain_take(r->holder, token.size);
    size_t size = 0;
    enum unseal_result result = UNSEAL_UNSUPPORTED;
    if (!to)
        result = UNSEAL_MALFORMED;
    else if (context->kind == CONTEXT_KERBEROS)
        result = gss_krb5_unwrap(r->holder, &context->kerberos, direction, token, to, &size);
    else if (context->kind == CONTEXT_NTLM)
        result = ntlm_unwrap(&context->ntlm, direction, token, to, &size);
    answer_plain(r, result, to, size);
}

/* Context, direction, PDU, stub at, stub size, token at -> result, plain text */
void operation_rpc(struct key_request *r)
{
    enum direction direction;
    struct security_context *context = request_context(r, &direction);
    if (!context)
        return;
    struct rpc_sealed sealed = {.pdu = request_bytes(r)};
    sealed.stub_at = request_uint(r);
    sealed.stub_size = request_uint(r);
    sealed.token_at = request_uint(r);
    uint8_t *to = r->c.failed ? NULL : plain_take(r->holder, sealed.pdu.size);
    size_t size = 0;
    enum unseal_result result = UNSEAL_UNSUPPORTED;
    if (!to)
        result = UNSEAL_MALFORMED;
    else if (context->kind == CONTEXT_KERBEROS)
        result = gss_krb5_rpc(r->holder, &context->kerberos, direction, &sealed, to, &size);
    else if (context->kind == CONTEXT_NTLM)
        result = ntlm_rpc(&context->ntlm, direction, &sealed, to, &size);
    else if (context->kind == CONTEXT_NETLOGON)
        result = netlogon_rpc(&context->netlogon, direction, &sealed, to, &size);
    answer_plain(r, result, to, size);
}

/* Context, direction, message, token -> result */
void operation_mic(struct key_request *r)
{
    enum direction direction;
    struct security_context *context = request_context(r, &direction);
    if (!context)
        return;
    struct bytes message = request_bytes(r);
    struct bytes token = request_bytes(r);
    enum unseal_result result = UNSEAL_UNSUPPORTED;
    if (r->c.failed)
        result = UNSEAL_MALFORMED;
    else if (context->kind == CONTEXT_KERBEROS)
        result = gss_krb5_mic(r->holder, &context->kerberos, direction, message, token);
    answer_result(r, result);
}
