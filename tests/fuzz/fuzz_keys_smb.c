/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB's operations of who holds the keys, with right keys and without. Input: cipher (1), signing (1), what
 * is changed (2, little-endian), a message. The message is asked about as it is; then it is sealed as its
 * session would, and must come back as it was; a sealed one that was changed must not.
 */
#include "keys/operations.h"

#include <nettle/ccm.h>
#include <nettle/gcm.h>
#include <sodium.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE = 1, TRANSFORM_SIZE = 52, MESSAGE_MAX = 4096 };

static struct key_holder holder;
static uint8_t answer_bytes[UNSEAL_REQUEST_MAX];

static void check(bool right)
{
    if (!right)
        abort();
}

struct answer {
    enum unseal_result result;
    uint64_t context;
    struct bytes plain;
};

static struct answer ask(key_operation operation, const uint64_t *numbers, uint32_t count, struct bytes bytes)
{
    static uint8_t request[MESSAGE_MAX + 256];
    struct msgpack_writer w, a;
    msgpack_writer_init(&w, request, sizeof request);
    for (uint32_t i = 0; i < count; i++)
        msgpack_put_uint(&w, numbers[i]);
    msgpack_put_binary(&w, bytes.data, bytes.size);
    check(!w.full);
    msgpack_writer_init(&a, answer_bytes, sizeof answer_bytes);
    struct key_request r = {
        .holder = &holder, .line = LINE, .c = cursor_of(request, w.size), .left = count + 1, .answer = &a};
    holder.plain_used = 0; /* as after each request: key_holder_answer */
    operation(&r);
    struct cursor c = cursor_of(answer_bytes, a.size);
    struct answer answer = {0};
    uint32_t items = msgpack_next(&c).count;
    answer.result = (enum unseal_result)msgpack_next(&c).uint;
    struct msgpack_item item = items > 1 ? msgpack_next(&c) : (struct msgpack_item){.type = MSGPACK_NIL};
    if (item.type == MSGPACK_UINT)
        answer.context = item.uint;
    else if (item.type == MSGPACK_BINARY)
        answer.plain = item.bytes;
    check(a.size && !c.failed && cursor_done(&c));
    check(answer.result == UNSEAL_FINE || !answer.plain.size);
    return answer;
}

static uint64_t session_of(uint8_t cipher, uint8_t signing)
{
    static const uint8_t hash[64] = {7};
    struct security_context *base = context_new(holder.contexts, CONTEXT_KERBEROS, LINE);
    base->kerberos.acceptor = (struct key_material){.size = 32, .bytes = {1, 2, 3}};
    uint64_t numbers[] = {base->id, 0x0311, cipher, signing};
    struct answer answer = ask(operation_smb, numbers, 4, (struct bytes){hash, sizeof hash});
    check(answer.result == UNSEAL_FINE && answer.context);
    return answer.context;
}

static void seal_gcm(const struct context_smb *smb, struct bytes text, uint8_t *to)
{
    struct gcm_aes256_ctx gcm;
    gcm_aes256_set_key(&gcm, smb->encryption[TO_SERVER]);
    gcm_aes256_set_iv(&gcm, 12, to + 20);
    gcm_aes256_update(&gcm, 32, to + 20);
    gcm_aes256_encrypt(&gcm, text.size, to + TRANSFORM_SIZE, text.data);
    gcm_aes256_digest(&gcm, 16, to + 4);
}

static void seal_ccm(const struct context_smb *smb, struct bytes text, uint8_t *to)
{
    struct ccm_aes256_ctx ccm;
    ccm_aes256_set_key(&ccm, smb->encryption[TO_SERVER]);
    ccm_aes256_set_nonce(&ccm, 11, to + 20, 32, text.size, 16);
    ccm_aes256_update(&ccm, 32, to + 20);
    ccm_aes256_encrypt(&ccm, text.size, to + TRANSFORM_SIZE, text.data);
    ccm_aes256_digest(&ccm, 16, to + 4);
}

static void round_trip(uint8_t cipher, struct bytes text, size_t changed)
{
    uint64_t session = session_of(cipher, 1);
    const struct context_smb *smb = &context_find(holder.contexts, session, LINE)->smb;
    uint8_t *sealed = calloc(1, TRANSFORM_SIZE + text.size); /* of its own size */
    check(sealed != NULL);
    memcpy(sealed, "\xfdSMB", 4);
    sealed[36] = (uint8_t)text.size;
    sealed[37] = (uint8_t)(text.size >> 8);
    if (cipher == 4)
        seal_gcm(smb, text, sealed);
    else
        seal_ccm(smb, text, sealed);
    uint64_t numbers[] = {session, TO_SERVER};
    struct bytes message = {sealed, TRANSFORM_SIZE + text.size};
    struct answer answer = ask(operation_smb_message, numbers, 2, message);
    check(answer.result == UNSEAL_FINE && answer.plain.size == text.size);
    check(memcmp(answer.plain.data, text.data, text.size) == 0);
    sealed[changed % message.size] ^= 1;
    check(ask(operation_smb_message, numbers, 2, message).result != UNSEAL_FINE);
    free(sealed);
}

static bool begin(void)
{
    if (holder.contexts)
        return true;
    if (sodium_init() < 0)
        return false;
    holder.contexts = contexts_new(16);
    holder.plain = sodium_malloc(UNSEAL_REQUEST_MAX);
    holder.signers = smb_signers_new();
    return holder.contexts && holder.plain && holder.signers;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!begin() || size < 5 || size > MESSAGE_MAX)
        return 0;
    struct bytes message = {data + 4, size - 4};
    uint64_t numbers[] = {session_of(data[0], data[1]), data[3] & 1};
    ask(operation_smb_message, numbers, 2, message);
    ask(operation_smb_signature, numbers, 1, message);
    ask(operation_smb, numbers, 2, message);
    round_trip(data[0] & 1 ? 3 : 4, message, (size_t)data[2] | (size_t)data[3] << 8);
    return 0;
}
