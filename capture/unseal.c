/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/unseal.h"

#include "base/msgpack.h"

#include <string.h>

/* What stands around the bytes of a message in a request: the array, numbers, lengths. */
#define ENVELOPE_MAX 256u

/* What stands around the bytes of an answer that was posted, at most but for those with parts. */
#define ANSWER_HEAD 24u

bool unseal_possible(const struct dissect *d)
{
    return dissect_unsealer(d) != NULL;
}

/* --- requests --- */

struct request {
    struct msgpack_writer w;
    const struct unsealer *unsealer;
    uint64_t number; /* of what is named or posted */
};

/* False: nobody to ask, or no memory for a request around `bytes` of messages. */
static bool begin(struct dissect *d, struct request *r, enum unseal_operation operation, uint32_t arguments,
                  size_t bytes)
{
    r->unsealer = dissect_unsealer(d);
    if (!r->unsealer || bytes > UNSEAL_MESSAGE_MAX)
        return false;
    uint8_t *buffer = arena_alloc(d->scratch, bytes + ENVELOPE_MAX);
    if (!buffer)
        return false;
    msgpack_writer_init(&r->w, buffer, bytes + ENVELOPE_MAX);
    msgpack_put_array(&r->w, arguments + 1);
    msgpack_put_uint(&r->w, operation);
    return true;
}

/* One request within another: what is posted, or is to get a number. */
static bool begin_within(struct dissect *d, struct request *r, enum unseal_operation outer,
                         enum unseal_operation operation, uint32_t arguments, size_t bytes, size_t answer)
{
    if (!begin(d, r, outer, 2, bytes))
        return false;
    r->number = dissect_unseal_number(d, answer);
    msgpack_put_uint(&r->w, r->number);
    msgpack_put_array(&r->w, arguments + 1);
    msgpack_put_uint(&r->w, operation);
    return true;
}

static bool begin_context(struct dissect *d, struct request *r, enum unseal_operation operation,
                          uint32_t arguments, size_t bytes)
{
    return begin_within(d, r, UNSEAL_NAMED, operation, arguments, bytes, 0);
}

/* `answer`: bytes that it will have at most. */
static bool begin_posted(struct dissect *d, struct request *r, enum unseal_operation operation,
                         uint32_t arguments, size_t bytes, size_t answer)
{
    return begin_within(d, r, UNSEAL_POST, operation, arguments, bytes, answer + ANSWER_HEAD);
}

static void put_bytes(struct request *r, struct bytes bytes)
{
    msgpack_put_binary(&r->w, bytes.data, bytes.size);
}

static void tell(struct request *r)
{
    if (!r->w.full)
        r->unsealer->tell(r->unsealer->context, (struct bytes){r->w.data, r->w.size});
}

static uint64_t tell_named(struct request *r)
{
    tell(r);
    return r->w.full ? 0 : r->number;
}

/* --- answers --- */

struct answer {
    struct cursor c;
    uint32_t left; /* items */
    bool stays;    /* the bytes are there until all is read: nothing is asked meanwhile */
    enum unseal_result result;
};

static uint64_t next_uint(struct answer *a)
{
    if (!a->left)
        return 0;
    a->left--;
    struct msgpack_item item = msgpack_next(&a->c);
    if (item.type == MSGPACK_UINT)
        return item.uint;
    cursor_fail(&a->c);
    return 0;
}

static int64_t next_int(struct answer *a)
{
    if (!a->left)
        return 0;
    a->left--;
    struct msgpack_item item = msgpack_next(&a->c);
    if (item.type == MSGPACK_INT)
        return item.sint;
    if (item.type == MSGPACK_UINT && item.uint <= INT32_MAX)
        return (int64_t)item.uint;
    cursor_fail(&a->c);
    return 0;
}

/* Bytes of the answer, which the next question will overwrite, in the scratch memory. */
static struct bytes next_bytes(struct dissect *d, struct answer *a)
{
    struct bytes none = {0};
    if (!a->left)
        return none;
    a->left--;
    struct msgpack_item item = msgpack_next(&a->c);
    if (item.type != MSGPACK_BINARY) {
        cursor_fail(&a->c);
        return none;
    }
    if (a->stays || !item.bytes.size)
        return item.bytes;
    uint8_t *copy = arena_alloc(d->scratch, item.bytes.size);
    if (!copy) {
        cursor_fail(&a->c);
        return none;
    }
    memcpy(copy, item.bytes.data, item.bytes.size);
    return (struct bytes){.data = copy, .size = item.bytes.size};
}

static enum unseal_result result_of(uint64_t number)
{
    return number <= UNSEAL_UNSUPPORTED ? (enum unseal_result)number : UNSEAL_MALFORMED;
}

/* An answer is an array whose first item is the result. */
static bool read_result(struct answer *a)
{
    struct msgpack_item item = msgpack_next(&a->c);
    if (item.type != MSGPACK_ARRAY || !item.count)
        return false;
    a->left = item.count;
    uint64_t result = next_uint(a);
    if (a->c.failed)
        return false;
    a->result = result_of(result);
    return true;
}

/* Sends the request, and begins to read the answer. */
static bool ask(struct request *r, struct answer *a)
{
    struct bytes bytes;
    *a = (struct answer){.result = UNSEAL_SILENT};
    if (r->w.full || !r->unsealer->ask(r->unsealer->context, (struct bytes){r->w.data, r->w.size}, &bytes))
        return false;
    a->c = cursor_of_bytes(bytes);
    return read_result(a);
}

/* An answer that was collected. */
static bool begin_answer(struct answer *a, struct bytes bytes)
{
    *a = (struct answer){.c = cursor_of_bytes(bytes), .stays = true, .result = UNSEAL_SILENT};
    return bytes.size && read_result(a);
}

static enum unseal_result read_plain(struct dissect *d, struct answer *a, struct bytes *plain)
{
    if (a->result != UNSEAL_FINE)
        return a->result;
    struct bytes bytes = next_bytes(d, a);
    if (a->c.failed)
        return UNSEAL_MALFORMED;
    *plain = bytes;
    return UNSEAL_FINE;
}

/* Of one that answers with plain text. */
static enum unseal_result ask_plain(struct dissect *d, struct request *r, struct bytes *plain)
{
    struct answer a;
    *plain = (struct bytes){0};
    return ask(r, &a) ? read_plain(d, &a, plain) : a.result;
}

static uint64_t ask_context(struct request *r)
{
    struct answer a;
    uint64_t context = 0;
    if (ask(r, &a) && a.result == UNSEAL_FINE)
        context = next_uint(&a);
    return a.c.failed ? 0 : context;
}

/* [kind, result, etype, kvno, plain text, PAC, server, KDC, ticket, full] */
static bool read_part(struct dissect *d, struct answer *a, struct unsealed_part *part)
{
    struct msgpack_item list = msgpack_next(&a->c);
    if (list.type != MSGPACK_ARRAY)
        return false;
    struct answer items = {.c = a->c, .left = list.count, .stays = a->stays};
    part->kind = (enum unsealed_kind)(next_uint(&items) & 0xff);
    part->result = result_of(next_uint(&items));
    part->etype = (int32_t)next_int(&items);
    part->kvno = (uint32_t)next_uint(&items);
    part->plain = next_bytes(d, &items);
    part->pac = next_uint(&items) != 0;
    for (int i = 0; i < PAC_SIGNATURES; i++) {
        uint64_t verdict = next_uint(&items);
        part->signatures[i] = verdict <= PAC_SIGNATURE_UNKNOWN ? (uint8_t)verdict : PAC_SIGNATURE_UNKNOWN;
    }
    while (items.left && !items.c.failed) {
        items.left--;
        msgpack_skip(&items.c);
    }
    a->c = items.c;
    return !items.c.failed;
}

static void read_parts(struct dissect *d, struct answer *a, struct unsealed *to)
{
    if (!a->left)
        return;
    struct msgpack_item list = msgpack_next(&a->c);
    if (list.type != MSGPACK_ARRAY)
        return;
    for (uint32_t i = 0; i < list.count && to->count < UNSEALED_PARTS_MAX; i++) {
        if (!read_part(d, a, &to->parts[to->count]))
            return;
        to->count++;
    }
}

/* --- Kerberos --- */

void unseal_kdc_request(struct dissect *d, uint64_t exchange, struct bytes message)
{
    struct request r;
    if (!begin(d, &r, UNSEAL_KDC_REQUEST, 2, message.size))
        return;
    msgpack_put_uint(&r.w, exchange);
    put_bytes(&r, message);
    tell(&r);
}

uint64_t unseal_kdc_reply(struct dissect *d, uint64_t exchange, struct bytes message)
{
    struct request r;
    /* The parts of the reply, and of its request, which is about as long. */
    if (!begin_posted(d, &r, UNSEAL_KDC_REPLY, 2, message.size, 2 * message.size))
        return 0;
    msgpack_put_uint(&r.w, exchange);
    put_bytes(&r, message);
    return tell_named(&r);
}

/* Until an answer says more. */
static void nothing_yet(struct unsealed *to)
{
    to->count = 0;
    to->result = UNSEAL_SILENT;
}

void unseal_kdc_read(struct dissect *d, struct bytes answer, struct unsealed *to)
{
    struct answer a;
    nothing_yet(to);
    if (!begin_answer(&a, answer))
        return;
    to->result = a.result;
    read_parts(d, &a, to);
}

static uint64_t read_ap(struct dissect *d, struct answer *a, struct unsealed *to)
{
    to->result = a->result;
    uint64_t context = next_uint(a);
    read_parts(d, a, to);
    return a->c.failed ? 0 : context;
}

uint64_t unseal_ap_request(struct dissect *d, struct bytes message, struct unsealed *to)
{
    struct request r;
    struct answer a;
    nothing_yet(to);
    if (!begin(d, &r, UNSEAL_AP_REQUEST, 1, message.size))
        return 0;
    put_bytes(&r, message);
    return ask(&r, &a) ? read_ap(d, &a, to) : 0;
}

uint64_t unseal_ap_post(struct dissect *d, struct bytes message)
{
    struct request r;
    if (!begin_posted(d, &r, UNSEAL_AP_REQUEST, 1, message.size, message.size))
        return 0;
    put_bytes(&r, message);
    return tell_named(&r);
}

bool unseal_ap_read(struct dissect *d, struct bytes answer, struct unsealed *to)
{
    struct answer a;
    nothing_yet(to);
    return begin_answer(&a, answer) && read_ap(d, &a, to);
}

void unseal_ap_reply(struct dissect *d, uint64_t context, struct bytes message)
{
    struct request r;
    if (!context || !begin(d, &r, UNSEAL_AP_REPLY, 3, message.size))
        return;
    msgpack_put_uint(&r.w, context);
    msgpack_put_uint(&r.w, d->direction);
    put_bytes(&r, message);
    tell(&r);
}

/* --- what contexts protect --- */

static bool begin_in_context(struct dissect *d, struct request *r, enum unseal_operation operation,
                             uint64_t context, uint32_t arguments, size_t bytes)
{
    if (!context || !begin(d, r, operation, 2 + arguments, bytes))
        return false;
    msgpack_put_uint(&r->w, context);
    msgpack_put_uint(&r->w, d->direction);
    return true;
}

static enum unseal_result plain_of(struct dissect *d, enum unseal_operation operation, uint64_t context,
                                   struct bytes message, struct bytes *plain)
{
    struct request r;
    *plain = (struct bytes){0};
    if (!begin_in_context(d, &r, operation, context, 1, message.size))
        return UNSEAL_SILENT;
    put_bytes(&r, message);
    return ask_plain(d, &r, plain);
}

enum unseal_result unseal_priv(struct dissect *d, uint64_t context, struct bytes message, struct bytes *plain)
{
    return plain_of(d, UNSEAL_PRIV, context, message, plain);
}

uint64_t unseal_wrap(struct dissect *d, uint64_t context, struct bytes token)
{
    struct request r;
    if (!context || !begin_posted(d, &r, UNSEAL_WRAP, 3, token.size, token.size))
        return 0;
    msgpack_put_uint(&r.w, context);
    msgpack_put_uint(&r.w, d->direction);
    put_bytes(&r, token);
    return tell_named(&r);
}

enum unseal_result unseal_plain_read(struct dissect *d, struct bytes answer, struct bytes *plain)
{
    struct answer a;
    *plain = (struct bytes){0};
    return begin_answer(&a, answer) ? read_plain(d, &a, plain) : UNSEAL_SILENT;
}

enum unseal_result unseal_rpc(struct dissect *d, uint64_t context, struct bytes pdu, size_t stub_at,
                              size_t stub_size, size_t token_at, struct bytes *plain)
{
    struct request r;
    *plain = (struct bytes){0};
    if (!begin_in_context(d, &r, UNSEAL_RPC, context, 4, pdu.size))
        return UNSEAL_SILENT;
    put_bytes(&r, pdu);
    msgpack_put_uint(&r.w, stub_at);
    msgpack_put_uint(&r.w, stub_size);
    msgpack_put_uint(&r.w, token_at);
    return ask_plain(d, &r, plain);
}

enum unseal_result unseal_mic(struct dissect *d, uint64_t context, struct bytes message, struct bytes token)
{
    struct request r;
    struct answer a;
    if (!begin_in_context(d, &r, UNSEAL_MIC, context, 2, message.size + token.size))
        return UNSEAL_SILENT;
    put_bytes(&r, message);
    put_bytes(&r, token);
    ask(&r, &a);
    return a.result;
}

void unseal_forget(struct dissect *d, uint64_t context)
{
    struct request r;
    if (!context || !begin(d, &r, UNSEAL_FORGET, 1, 0))
        return;
    msgpack_put_uint(&r.w, context);
    tell(&r);
}

/* --- NTLM, SMB --- */

uint64_t unseal_ntlm(struct dissect *d, const uint8_t challenge[8], struct bytes message)
{
    struct request r;
    if (!begin_context(d, &r, UNSEAL_NTLM, 2, message.size))
        return 0;
    put_bytes(&r, (struct bytes){challenge, 8});
    put_bytes(&r, message);
    return tell_named(&r);
}

uint64_t unseal_smb(struct dissect *d, uint64_t context, const struct unseal_smb_session *session)
{
    struct request r;
    if (!context || !begin_context(d, &r, UNSEAL_SMB, 5, sizeof session->preauth_hash))
        return 0;
    msgpack_put_uint(&r.w, context);
    msgpack_put_uint(&r.w, session->dialect);
    msgpack_put_uint(&r.w, session->cipher);
    msgpack_put_uint(&r.w, session->signing);
    put_bytes(&r, (struct bytes){session->preauth_hash, sizeof session->preauth_hash});
    return tell_named(&r);
}

enum unseal_result unseal_smb_message(struct dissect *d, uint64_t session, struct bytes message,
                                      struct bytes *plain)
{
    return plain_of(d, UNSEAL_SMB_MESSAGE, session, message, plain);
}

uint64_t unseal_smb_signature(struct dissect *d, uint64_t session, struct bytes message)
{
    struct request r;
    if (!session || !begin_posted(d, &r, UNSEAL_SMB_SIGNATURE, 2, message.size, 0))
        return 0;
    msgpack_put_uint(&r.w, session);
    put_bytes(&r, message);
    return tell_named(&r);
}

enum unseal_result unseal_result_read(struct bytes answer)
{
    struct answer a;
    return begin_answer(&a, answer) ? a.result : UNSEAL_SILENT;
}

/* --- NETLOGON --- */

enum unseal_result unseal_netlogon(struct dissect *d, const struct unseal_netlogon_handshake *handshake)
{
    struct request r;
    struct answer a;
    if (!begin(d, &r, UNSEAL_NETLOGON, 6, handshake->account.size + handshake->computer.size))
        return UNSEAL_SILENT;
    put_bytes(&r, handshake->account);
    put_bytes(&r, handshake->computer);
    put_bytes(&r, (struct bytes){handshake->client_challenge, 8});
    put_bytes(&r, (struct bytes){handshake->server_challenge, 8});
    msgpack_put_uint(&r.w, handshake->flags);
    put_bytes(&r, (struct bytes){handshake->client_credential, 8});
    ask(&r, &a);
    return a.result;
}

uint64_t unseal_netlogon_context(struct dissect *d, struct bytes computer)
{
    struct request r;
    if (!begin(d, &r, UNSEAL_NETLOGON_CONTEXT, 1, computer.size))
        return 0;
    put_bytes(&r, computer);
    return ask_context(&r);
}

/* --- what was posted --- */

bool unseal_collect(const struct unsealer *unsealer, struct unseal_collected *to)
{
    uint8_t buffer[16];
    struct request r = {.unsealer = unsealer};
    struct answer a;
    msgpack_writer_init(&r.w, buffer, sizeof buffer);
    msgpack_put_array(&r.w, 1);
    msgpack_put_uint(&r.w, UNSEAL_COLLECT);
    *to = (struct unseal_collected){.left = 0};
    if (!ask(&r, &a) || a.result != UNSEAL_FINE || !a.left)
        return false;
    struct msgpack_item list = msgpack_next(&a.c);
    if (list.type != MSGPACK_ARRAY)
        return false;
    to->c = a.c;
    to->left = list.count / 2;
    return true;
}

bool unseal_collected_next(struct unseal_collected *collected, uint64_t *number, struct bytes *answer)
{
    if (!collected->left)
        return false;
    collected->left--;
    struct msgpack_item item = msgpack_next(&collected->c);
    const uint8_t *from = collected->c.at;
    if (item.type != MSGPACK_UINT || !msgpack_skip(&collected->c)) {
        collected->left = 0;
        return false;
    }
    *number = item.uint;
    *answer = (struct bytes){.data = from, .size = (size_t)(collected->c.at - from)};
    return true;
}
