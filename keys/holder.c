/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/collection.h"
#include "keys/complaints.h"
#include "keys/exchanges.h"
#include "keys/kerberos.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MAX 65536u

/* --- the life of it --- */

struct key_holder *key_holder_new(const struct key_holder_limits *limits)
{
    static const struct key_holder_limits none;
    if (!limits)
        limits = &none;
    if (sodium_init() < 0)
        return NULL;
    struct key_holder *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->keyring = keyring_new(limits->tickets ? limits->tickets : DEFAULT_MAX);
    h->contexts = contexts_new(limits->contexts ? limits->contexts : DEFAULT_MAX);
    h->channels = channels_new();
    h->complaints = complaints_new();
    h->derived = derived_keys_new();
    h->opened = ticket_cache_new();
    h->signers = smb_signers_new();
    h->exchanges = exchanges_new();
    h->collections = collections_new();
    h->plain = sodium_malloc(UNSEAL_REQUEST_MAX);
    if (!h->keyring || !h->contexts || !h->channels || !h->complaints || !h->derived || !h->opened ||
        !h->signers || !h->exchanges || !h->collections || !h->plain)
        key_holder_destroy(&h);
    return h;
}

void key_holder_destroy(struct key_holder **holder_p)
{
    struct key_holder *h = *holder_p;
    if (!h)
        return;
    keyring_destroy(&h->keyring);
    contexts_destroy(&h->contexts);
    channels_destroy(&h->channels);
    complaints_destroy(&h->complaints);
    derived_keys_destroy(&h->derived);
    ticket_cache_destroy(&h->opened);
    smb_signers_destroy(&h->signers);
    exchanges_destroy(&h->exchanges);
    collections_destroy(&h->collections);
    sodium_free(h->plain);
    free(h);
    *holder_p = NULL;
}

bool key_holder_load(struct key_holder *holder, const char *name, struct bytes keytab, struct fault *fault)
{
    bool fine = keyring_load(holder->keyring, name, keytab, fault);
    if (fine)
        ticket_cache_clear(holder->opened); /* verdicts on signatures may be others now */
    return fine;
}

void key_holder_line_ended(struct key_holder *holder, uint32_t line)
{
    contexts_line_ended(holder->contexts, line);
    exchanges_line_ended(holder->exchanges, line);
    collections_line_ended(holder->collections, line);
}

/* --- arguments and answers --- */

static struct msgpack_item next_argument(struct key_request *r)
{
    if (!r->left)
        cursor_fail(&r->c);
    else
        r->left--;
    return msgpack_next(&r->c);
}

uint64_t request_uint(struct key_request *r)
{
    struct msgpack_item item = next_argument(r);
    if (item.type == MSGPACK_UINT)
        return item.uint;
    cursor_fail(&r->c);
    return 0;
}

struct bytes request_bytes(struct key_request *r)
{
    struct msgpack_item item = next_argument(r);
    if (item.type == MSGPACK_BINARY)
        return item.bytes;
    cursor_fail(&r->c);
    return (struct bytes){0};
}

struct security_context *request_context(struct key_request *r, enum direction *direction)
{
    uint64_t id = request_uint(r);
    uint64_t number = request_uint(r);
    if (r->c.failed || number > TO_CLIENT) {
        answer_result(r, UNSEAL_MALFORMED);
        return NULL;
    }
    *direction = (enum direction)number;
    struct security_context *context = context_find(r->holder->contexts, id, r->line);
    if (!context)
        answer_result(r, UNSEAL_NO_CONTEXT);
    return context;
}

void count_result(struct key_holder *holder, enum unseal_result result)
{
    struct key_holder_status *s = &holder->status;
    s->unsealed += result == UNSEAL_FINE;
    s->missing += result == UNSEAL_NO_KEY;
    s->other_kvno += result == UNSEAL_OTHER_KVNO;
    s->wrong += result == UNSEAL_WRONG_KEY;
    s->refused_etype += result == UNSEAL_ETYPE;
}

void answer_result(struct key_request *r, enum unseal_result result)
{
    count_result(r->holder, result);
    msgpack_put_array(r->answer, 1);
    msgpack_put_uint(r->answer, result);
}

void answer_plain(struct key_request *r, enum unseal_result result, const void *plain, size_t size)
{
    if (result != UNSEAL_FINE) {
        answer_result(r, result);
        return;
    }
    count_result(r->holder, result);
    msgpack_put_array(r->answer, 2);
    msgpack_put_uint(r->answer, result);
    msgpack_put_binary(r->answer, plain, size);
}

void answer_context(struct key_request *r, enum unseal_result result, const struct security_context *context)
{
    count_result(r->holder, result);
    msgpack_put_array(r->answer, 2);
    msgpack_put_uint(r->answer, result);
    msgpack_put_uint(r->answer, context ? context->id : 0);
}

void complain(struct key_holder *holder, enum unseal_result result, struct bytes realm,
              const struct krb_principal *principal, int32_t etype, uint32_t kvno, uint32_t kvno_held)
{
    struct key_holder_complaint c = {.result = result, .etype = etype, .kvno = kvno, .kvno_held = kvno_held};
    size_t size = principal ? krb_principal_text(principal, c.principal, sizeof c.principal - 2) : 0;
    c.principal[size++] = '@';
    size_t room = sizeof c.principal - 1 - size;
    size_t part = realm.size < room ? realm.size : room;
    if (part)
        memcpy(c.principal + size, realm.data, part);
    c.principal[size + part] = '\0';
    complaints_add(holder->complaints, &c);
}

/* --- plain text --- */

uint8_t *plain_take(struct key_holder *holder, size_t size)
{
    if (size > UNSEAL_REQUEST_MAX - holder->plain_used)
        return NULL;
    uint8_t *to = holder->plain + holder->plain_used;
    holder->plain_used += size;
    return to;
}

void plain_give_back(struct key_holder *holder, size_t size)
{
    holder->plain_used -= size;
    sodium_memzero(holder->plain + holder->plain_used, size);
}

static void wipe_plain(struct key_holder *holder)
{
    sodium_memzero(holder->plain, holder->plain_used);
    holder->plain_used = 0;
}

/* --- operations --- */

static void operation_forget(struct key_request *r)
{
    struct security_context *context = context_find(r->holder->contexts, request_uint(r), r->line);
    if (context)
        context_forget(r->holder->contexts, context);
}

static void operation_named(struct key_request *r);
static void operation_post(struct key_request *r);

static void operation_collect(struct key_request *r)
{
    msgpack_put_array(r->answer, 2);
    msgpack_put_uint(r->answer, UNSEAL_FINE);
    collection_take(r->holder->collections, r->line, r->answer);
}

static const key_operation operations[] = {
    [UNSEAL_NTLM] = operation_ntlm,
    [UNSEAL_WRAP] = operation_wrap,
    [UNSEAL_RPC] = operation_rpc,
    [UNSEAL_PRIV] = operation_priv,
    [UNSEAL_MIC] = operation_mic,
    [UNSEAL_KDC_REQUEST] = operation_kdc_request,
    [UNSEAL_KDC_REPLY] = operation_kdc_reply,
    [UNSEAL_AP_REQUEST] = operation_ap_request,
    [UNSEAL_AP_REPLY] = operation_ap_reply,
    [UNSEAL_SMB] = operation_smb,
    [UNSEAL_SMB_MESSAGE] = operation_smb_message,
    [UNSEAL_SMB_SIGNATURE] = operation_smb_signature,
    [UNSEAL_NETLOGON] = operation_netlogon,
    [UNSEAL_NETLOGON_CONTEXT] = operation_netlogon_context,
    [UNSEAL_FORGET] = operation_forget,
    [UNSEAL_NAMED] = operation_named,
    [UNSEAL_POST] = operation_post,
    [UNSEAL_COLLECT] = operation_collect,
};

static void operate(struct key_request *r)
{
    struct msgpack_item list = msgpack_next(&r->c);
    if (list.type != MSGPACK_ARRAY || !list.count) {
        answer_result(r, UNSEAL_MALFORMED);
        return;
    }
    r->left = list.count;
    uint64_t operation = request_uint(r);
    if (r->c.failed || operation >= sizeof operations / sizeof *operations || !operations[operation])
        answer_result(r, UNSEAL_UNSUPPORTED);
    else
        operations[operation](r);
}

/* A request within a request; those that hold one themselves are none. */
static bool open_inner(struct key_request *r, uint64_t *number, struct key_request *inner)
{
    *number = request_uint(r);
    struct cursor peek = r->c;
    msgpack_next(&peek);
    struct msgpack_item operation = msgpack_next(&peek);
    *inner = (struct key_request){.holder = r->holder, .line = r->line, .c = r->c};
    return !r->c.failed && *number && operation.type == MSGPACK_UINT && operation.uint < UNSEAL_NAMED;
}

/* The context that was made, when one was, gets the number that its caller chose. */
static void name_context(struct key_request *r, struct cursor answer, uint64_t number)
{
    struct msgpack_item list = msgpack_next(&answer);
    msgpack_next(&answer); /* the result */
    if (answer.failed || list.type != MSGPACK_ARRAY || list.count < 2)
        return;
    struct msgpack_item id = msgpack_next(&answer);
    bool made = !answer.failed && id.type == MSGPACK_UINT;
    struct security_context *context = made ? context_find(r->holder->contexts, id.uint, r->line) : NULL;
    if (context)
        context_rename(r->holder->contexts, context, number);
}

/* Number, request that makes a context -> (nothing) */
static void operation_named(struct key_request *r)
{
    uint64_t number;
    uint8_t buffer[64];
    struct msgpack_writer w;
    struct key_request inner;
    if (!open_inner(r, &number, &inner))
        return;
    msgpack_writer_init(&w, buffer, sizeof buffer);
    inner.answer = &w;
    operate(&inner);
    if (!w.full)
        name_context(r, cursor_of(buffer, w.size), number);
}

/* Number, request -> (nothing): what it answers waits until it is collected. */
static void operation_post(struct key_request *r)
{
    uint64_t number;
    struct key_request inner;
    if (!open_inner(r, &number, &inner))
        return;
    inner.answer = collection_open(r->holder->collections, r->line, number);
    if (!inner.answer)
        return;
    size_t before = inner.answer->size;
    operate(&inner);
    name_context(r, cursor_of(inner.answer->data + before, inner.answer->size - before), number);
    collection_close(r->holder->collections, r->line, inner.answer->size > before);
}

void key_holder_answer(struct key_holder *holder, uint32_t line, struct bytes request,
                       struct msgpack_writer *answer)
{
    struct key_request r = {.holder = holder, .line = line, .c = cursor_of_bytes(request), .answer = answer};
    holder->status.asked++;
    size_t before = answer->size;
    operate(&r);
    wipe_plain(holder);
    /* What did not fit is no answer: half of one would be read as something else. */
    if (answer->full) {
        answer->size = before;
        answer->full = false;
        answer_result(&r, UNSEAL_MALFORMED);
    }
}

void key_holder_status(const struct key_holder *holder, struct key_holder_status *to)
{
    *to = holder->status;
    to->contexts = contexts_count(holder->contexts);
    struct keyring_counts counts;
    keyring_count(holder->keyring, &counts);
    to->keytabs = counts.keytabs;
    to->keys = counts.keys;
    to->refused = counts.refused;
    to->tickets = counts.tickets;
}

bool key_holder_complaint_at(const struct key_holder *holder, size_t index, struct key_holder_complaint *to)
{
    return complaints_at(holder->complaints, index, to);
}
