/* SPDX-License-Identifier: Apache-2.0
 *
 * PDUs with privacy, read by means of a key (docs/keytab.md). An association may have several security
 * contexts ([MS-RPCE] 3.3.1.5.2.1): the one being set up belongs to its GSS exchange, those before it and
 * NETLOGON's, which has no exchange, are kept here.
 */
#include "capture/dcerpc_association.h"
#include "capture/unseal.h"

enum { REQUEST_FIXED = 8, OBJECT_SIZE = 16 }; /* request, response: in front of the stub */

struct rpc_security {
    uint64_t context; /* of capture/unseal.h; 0: free */
    uint32_t auth_context;
};

enum { SECURITIES = 4 };

static struct rpc_security *kept(const struct dcerpc_association *a, uint32_t auth_context)
{
    for (int i = 0; a->securities && i < SECURITIES; i++)
        if (a->securities[i].context && a->securities[i].auth_context == auth_context)
            return &a->securities[i];
    return NULL;
}

static void keep(struct dissect *d, struct dcerpc_association *a, uint32_t auth_context, uint64_t context)
{
    if (!context)
        return;
    if (!a->securities)
        a->securities = dissect_alloc(d, SECURITIES * sizeof *a->securities);
    if (!a->securities) {
        unseal_forget(d, context);
        return;
    }
    struct rpc_security *place = kept(a, auth_context);
    for (int i = 0; !place && i < SECURITIES; i++)
        if (!a->securities[i].context)
            place = &a->securities[i];
    if (!place)
        place = &a->securities[a->security_next++ % SECURITIES];
    unseal_forget(d, place->context);
    *place = (struct rpc_security){.context = context, .auth_context = auth_context};
}

void dcerpc_unseal_keep(struct dissect *d, struct dcerpc_association *a)
{
    keep(d, a, a->auth_context, a->exchange->context);
    a->exchange->context = 0;
}

/* NL_AUTH_MESSAGE ([MS-NRPC] 2.2.1.3.1) names the computer whose secure channel seals what follows. */
void dcerpc_unseal_netlogon(struct dissect *d, struct dcerpc_association *a, const struct dcerpc_pdu *pdu)
{
    struct bytes names[2];
    if (!unseal_possible(d) || !dcerpc_netlogon_names(pdu->auth_token, names) || !names[1].size)
        return;
    keep(d, a, pdu->auth_context, unseal_netlogon_context(d, names[1]));
}

static uint64_t context_of(const struct dcerpc_association *a, uint32_t auth_context)
{
    if (a->exchange && a->exchange->context && a->auth_context == auth_context)
        return a->exchange->context;
    const struct rpc_security *security = kept(a, auth_context);
    return security ? security->context : 0;
}

bool dcerpc_unseal_possible(const struct dcerpc_association *a)
{
    return a->securities || (a->exchange && a->exchange->context);
}

/* NTLM's stream cipher goes on from one message to the next: all of them are needed. */
bool dcerpc_unseal_every(const struct dcerpc_association *a)
{
    return a->exchange && a->exchange->context && a->exchange->mechanism == GSS_NTLM;
}

/* Of a long answer that nobody collects only the ends say anything. */
static bool is_needed(const struct dcerpc_association *a, const struct dcerpc_pdu *pdu)
{
    return pdu->type == PDU_REQUEST || pdu->flags & (PFC_FIRST_FRAG | PFC_LAST_FRAG) ||
           a->stubs[TO_CLIENT].bytes || dcerpc_unseal_every(a);
}

/* There was no key for the log-on: no need to ask again. */
static void give_up(struct dcerpc_association *a, uint32_t auth_context)
{
    struct rpc_security *security = kept(a, auth_context);
    if (a->exchange && a->exchange->context && a->auth_context == auth_context)
        a->exchange->context = 0;
    else if (security)
        security->context = 0;
}

void dcerpc_unseal(struct dissect *d, struct dcerpc_association *a, struct dcerpc_pdu *pdu)
{
    if (!pdu->has_auth || pdu->auth_level != AUTH_LEVEL_PRIVACY || pdu->cut || pdu->auth_token.failed)
        return;
    uint64_t context = context_of(a, pdu->auth_context);
    if (!context || !is_needed(a, pdu))
        return;
    bool has_object = pdu->type == PDU_REQUEST && pdu->flags & PFC_OBJECT_UUID;
    size_t stub_at = DCERPC_HEADER_SIZE + REQUEST_FIXED + (has_object ? OBJECT_SIZE : 0);
    size_t end = (size_t)(pdu->body.end - pdu->whole.data);
    size_t token_at = (size_t)(pdu->auth_token.at - pdu->whole.data);
    if (stub_at > end)
        return;
    struct bytes plain;
    enum unseal_result result = unseal_rpc(d, context, (struct bytes){pdu->whole.data, pdu->size}, stub_at,
                                           end - stub_at, token_at, &plain);
    if (result == UNSEAL_NO_CONTEXT)
        give_up(a, pdu->auth_context);
    if (result != UNSEAL_FINE || plain.size != end - stub_at)
        return;
    /* The PDU as it would have been in clear, for what reads it to see no difference. */
    uint8_t *clear = arena_alloc(d->scratch, end);
    if (!clear)
        return;
    memcpy(clear, pdu->whole.data, stub_at);
    if (plain.size)
        memcpy(clear + stub_at, plain.data, plain.size);
    pdu->body = cursor_of(clear + DCERPC_HEADER_SIZE, end - DCERPC_HEADER_SIZE);
    pdu->unsealed = true;
}

void dcerpc_unseal_end(struct dissect *d, struct dcerpc_association *a)
{
    if (!a->securities)
        return;
    for (int i = 0; i < SECURITIES; i++)
        unseal_forget(d, a->securities[i].context);
    dissect_free(d, a->securities, SECURITIES * sizeof *a->securities);
}
