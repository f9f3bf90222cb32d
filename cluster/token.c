/* SPDX-License-Identifier: Apache-2.0
 *
 * The token as one printable line: prefix, then base64url of a body and its checksum.
 */
#include "cluster/enrolment.h"
#include "cluster/voucher.h"

#include <sodium.h>

#define CHECKSUM_SIZE 4u
#define TOKEN_MAX     4096u

enum token_key {
    TOKEN_FLEET,
    TOKEN_AUTHORITY,
    TOKEN_GRANT,
    TOKEN_VOUCHER,
    TOKEN_SECRET,
    TOKEN_ENDPOINTS,
    TOKEN_ENROLLER_KEY,
};
#define HAS(key) (UINT32_C(1) << (key))

bool token_make(struct token *token, const struct cluster_crypto *authority)
{
    if (token->name[0] && !name_valid(token->name))
        return false;
    crypto_random(token->secret, TOKEN_SECRET_SIZE);
    token->grant_size =
        grant_write(token->grant_encoded, sizeof token->grant_encoded, &token->grant, authority);
    struct voucher voucher = {.id = token->grant.id};
    crypto_digest(voucher.digest, token->secret, TOKEN_SECRET_SIZE);
    memcpy(voucher.name, token->name, sizeof voucher.name);
    token->voucher_size = voucher_write(token->voucher, sizeof token->voucher, &voucher, authority);
    return token->grant_size > 0 && token->voucher_size > 0;
}

/* -- text ----------------------------------------------------------------------------------------- */

static void checksum(uint8_t sum[CHECKSUM_SIZE], const uint8_t *data, size_t size)
{
    uint8_t digest[DIGEST_SIZE];
    crypto_digest(digest, data, size);
    memcpy(sum, digest, CHECKSUM_SIZE);
}

static size_t encode(const struct token *token, uint8_t *buffer)
{
    struct body_writer writer;
    body_begin(&writer, buffer, TOKEN_MAX - CHECKSUM_SIZE, BODY_FILE);
    body_put_binary(&writer, TOKEN_FLEET, token->trust.fleet, FLEET_ID_SIZE);
    body_put_binary(&writer, TOKEN_AUTHORITY, token->trust.authority, PUBLIC_KEY_SIZE);
    body_put_binary(&writer, TOKEN_GRANT, token->grant_encoded, token->grant_size);
    body_put_binary(&writer, TOKEN_VOUCHER, token->voucher, token->voucher_size);
    body_put_binary(&writer, TOKEN_SECRET, token->secret, TOKEN_SECRET_SIZE);
    body_put_texts(&writer, TOKEN_ENDPOINTS, token->endpoints[0], ENDPOINT_MAX_SIZE, token->endpoint_count);
    body_put_binary(&writer, TOKEN_ENROLLER_KEY, token->enroller_key, PUBLIC_KEY_SIZE);
    size_t size = body_finish(&writer);
    if (size == 0)
        return 0;
    checksum(buffer + size, buffer, size);
    return size + CHECKSUM_SIZE;
}

bool token_print(const struct token *token, char *text)
{
    const size_t prefix = sizeof TOKEN_PREFIX - 1;
    uint8_t *buffer = secret_alloc(TOKEN_MAX);
    size_t size = buffer ? encode(token, buffer) : 0;
    bool fits =
        size > 0 &&
        prefix + sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_URLSAFE_NO_PADDING) <= TOKEN_TEXT_MAX;
    if (fits) {
        memcpy(text, TOKEN_PREFIX, prefix);
        sodium_bin2base64(text + prefix, TOKEN_TEXT_MAX - prefix, buffer, size,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    }
    secret_free(buffer);
    return fits;
}

static void read_field(struct token *token, struct body *body, int key)
{
    struct bytes run;
    switch (key) {
    case TOKEN_FLEET:
        body_binary(body, token->trust.fleet, FLEET_ID_SIZE);
        break;
    case TOKEN_AUTHORITY:
        body_binary(body, token->trust.authority, PUBLIC_KEY_SIZE);
        break;
    case TOKEN_GRANT:
        run = body_bytes(body, sizeof token->grant_encoded);
        if (run.size)
            memcpy(token->grant_encoded, run.data, run.size);
        token->grant_size = run.size;
        break;
    case TOKEN_VOUCHER:
        run = body_bytes(body, sizeof token->voucher);
        if (run.size)
            memcpy(token->voucher, run.data, run.size);
        token->voucher_size = run.size;
        break;
    case TOKEN_SECRET:
        body_binary(body, token->secret, TOKEN_SECRET_SIZE);
        break;
    case TOKEN_ENDPOINTS:
        token->endpoint_count =
            body_texts(body, token->endpoints[0], ENDPOINT_MAX_SIZE, RECORD_ENDPOINTS, endpoint_valid);
        break;
    case TOKEN_ENROLLER_KEY:
        body_binary(body, token->enroller_key, PUBLIC_KEY_SIZE);
        break;
    default:
        body_skip(body);
    }
}

static bool decode(struct token *token, struct bytes content, struct fault *fault)
{
    uint8_t sum[CHECKSUM_SIZE];
    struct voucher voucher;
    if (content.size <= CHECKSUM_SIZE)
        return fault_say(fault, "the token is cut off");
    size_t size = content.size - CHECKSUM_SIZE;
    checksum(sum, content.data, size);
    if (memcmp(sum, content.data + size, CHECKSUM_SIZE) != 0)
        return fault_say(fault, "the token is incomplete or was altered: copy it again, whole");
    struct body body = body_open((struct bytes){content.data, size}, BODY_FILE);
    int key;
    while ((key = body_next(&body)) >= 0)
        read_field(token, &body, key);
    if (!body_end(&body, HAS(TOKEN_FLEET) | HAS(TOKEN_AUTHORITY) | HAS(TOKEN_GRANT) | HAS(TOKEN_VOUCHER) |
                             HAS(TOKEN_SECRET) | HAS(TOKEN_ENDPOINTS) | HAS(TOKEN_ENROLLER_KEY)) ||
        token->endpoint_count == 0)
        return fault_say(fault, "the token is not one that this version understands");
    if (!grant_read(&token->grant, (struct bytes){token->grant_encoded, token->grant_size}, &token->trust,
                    crypto_verifier()) ||
        !voucher_read(&voucher, (struct bytes){token->voucher, token->voucher_size}, &token->trust,
                      crypto_verifier()))
        return fault_say(fault, "the token is not signed by the authority that it names");
    memcpy(token->name, voucher.name, sizeof token->name);
    return true;
}

bool token_parse(struct token *token, const char *text, struct fault *fault)
{
    const size_t prefix = sizeof TOKEN_PREFIX - 1;
    static const char spaces[] = " \t\r\n";
    memset(token, 0, sizeof *token);
    text += strspn(text, spaces);
    size_t length = strcspn(text, spaces);
    if (length < prefix || memcmp(text, TOKEN_PREFIX, prefix) != 0)
        return fault_say(fault, "not a token: it must begin with %s", TOKEN_PREFIX);
    if (text[length + strspn(text + length, spaces)] != '\0')
        return fault_say(fault, "something follows the token");
    uint8_t *buffer = secret_alloc(TOKEN_MAX);
    size_t size = 0;
    if (!buffer)
        return fault_say(fault, "no memory");
    bool fine = sodium_base642bin(buffer, TOKEN_MAX, text + prefix, length - prefix, NULL, &size, NULL,
                                  sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
    fine = fine ? decode(token, (struct bytes){buffer, size}, fault)
                : fault_say(fault, "the token is incomplete or was altered: copy it again, whole");
    secret_free(buffer);
    return fine;
}
