/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes to an enroller from anybody, what comes back to a node, and the token that people paste.
 * Signatures are taken as good, so that what is behind them is reached.
 */
#include <sodium.h>
#include <stdlib.h>

#include "cluster/enrolment.h"
#include "tests/fuzz/signatures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool nobody_named(void *context, const char *name, const struct node_id *id)
{
    (void)context, (void)name, (void)id;
    return false;
}

static bool nobody_near(void *context, const struct node_id *id)
{
    (void)context, (void)id;
    return false;
}

static bool no_member(void *context, const struct node_id *id, uint32_t *generation)
{
    (void)context, (void)id, (void)generation;
    return false;
}

/* -- a disk that takes everything --------------------------------------------------------------------- */

static int no_open(void *context, const char *path, int flags, mode_t mode)
{
    (void)context, (void)path, (void)flags, (void)mode;
    return 3;
}

static ssize_t no_write(void *context, int file, const void *data, size_t size, off_t at)
{
    (void)context, (void)file, (void)data, (void)at;
    return (ssize_t)size;
}

static int no_call(void *context, int file)
{
    (void)context, (void)file;
    return 0;
}

static int no_rename(void *context, const char *from, const char *to)
{
    (void)context, (void)from, (void)to;
    return 0;
}

static int no_path_call(void *context, const char *path)
{
    (void)context, (void)path;
    return 0;
}

static const struct disk disk = {.open = no_open,
                                 .write = no_write,
                                 .sync = no_call,
                                 .close = no_call,
                                 .rename = no_rename,
                                 .remove = no_path_call,
                                 .sync_directory = no_path_call};

static const struct cluster_crypto crypto = {.sign = sign_anything, .verify = verify_anything};
static const struct trust trust;
static const uint8_t salt[SALT_SIZE], public_key[PUBLIC_KEY_SIZE];
static uint8_t policy[512];
static size_t policy_size;

static void answer(struct bytes request)
{
    static uint8_t reply[8192];
    struct enrolment_outcome outcome;
    struct enrolment_reply read;
    struct enrolment_desk desk = {.trust = &trust,
                                  .public_key = public_key,
                                  .crypto = &crypto,
                                  .policy = {policy, policy_size},
                                  .salt = salt,
                                  .name_taken = nobody_named,
                                  .short_id_taken = nobody_near,
                                  .generation = no_member,
                                  .ledger = ledger_new(),
                                  .disk = &disk,
                                  .directory = "d"};
    memset(desk.self.bytes, 1, NODE_ID_SIZE);
    for (int i = 0; i < 2; i++) {
        size_t size = enrolment_answer(&desk, request, 1000, reply, sizeof reply, &outcome);
        require(size > 0 && enrolment_reply_read(&read, (struct bytes){reply, size}));
        require(read.refusal == outcome.refusal);
        require(outcome.refusal != ENROLMENT_GRANTED || outcome.again == (i == 1) || outcome.rotation);
    }
    ledger_destroy(&desk.ledger);
}

static void start(void)
{
    struct policy wish = {.version = 1, .enroller_count = 1};
    memset(wish.enrollers[0].id.bytes, 1, NODE_ID_SIZE);
    wish.enrollers[0].until = UINT64_MAX;
    policy_size = policy_write(policy, sizeof policy, &wish, &crypto);
    require(crypto_sodium_start() && policy_size > 0);
}

/* The input as what a token holds: with its checksum, in base64. */
static void parse_as_token(const uint8_t *data, size_t size)
{
    static struct token token;
    static uint8_t content[4096];
    static char text[TOKEN_TEXT_MAX];
    uint8_t digest[DIGEST_SIZE];
    struct fault fault;
    if (size > sizeof content - 4)
        return;
    memcpy(content, data, size);
    crypto_digest(digest, data, size);
    memcpy(content + size, digest, 4);
    memcpy(text, TOKEN_PREFIX, sizeof TOKEN_PREFIX);
    sodium_bin2base64(text + sizeof TOKEN_PREFIX - 1, sizeof text - sizeof TOKEN_PREFIX + 1, content,
                      size + 4, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    (void)token_parse(&token, text, &fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct token token;
    struct enrolment_reply reply;
    struct fault fault;
    if (policy_size == 0)
        start();
    uint8_t *input = malloc(size ? size : 1);
    char *text = malloc(size + 1);
    memcpy(input, data, size);
    memcpy(text, data, size);
    text[size] = '\0';
    answer((struct bytes){input, size});
    if (enrolment_reply_read(&reply, (struct bytes){input, size}))
        require(reply.record_count <= ENROLMENT_RECORDS);
    (void)token_parse(&token, text, &fault);
    parse_as_token(input, size);
    free(input);
    free(text);
    return 0;
}
