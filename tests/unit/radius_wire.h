/* SPDX-License-Identifier: Apache-2.0
 *
 * RADIUS requests as a client makes them.
 */
#pragma once

#include <assert.h>
#include <md5.h>
#include <stdint.h>
#include <string.h>

struct radius_request {
    uint8_t bytes[4096];
    size_t size;
};

static inline void request_put(struct radius_request *r, uint8_t type, const void *value, size_t size)
{
    assert(size <= 253 && r->size + size + 2 <= sizeof r->bytes);
    r->bytes[r->size++] = type;
    r->bytes[r->size++] = (uint8_t)(size + 2);
    memcpy(r->bytes + r->size, value, size);
    r->size += size;
}

static inline void request_uint(struct radius_request *r, uint8_t type, uint32_t value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                             (uint8_t)value};
    request_put(r, type, bytes, sizeof bytes);
}

static inline void request_text(struct radius_request *r, uint8_t type, const char *text)
{
    request_put(r, type, text, strlen(text));
}

/* An Accounting-Request of that status and session; more may be added before it is signed. */
static inline void request_begin(struct radius_request *r, uint8_t identifier, uint32_t status,
                                 const char *session)
{
    memset(r->bytes, 0, 20);
    r->bytes[0] = 4;
    r->bytes[1] = identifier;
    r->size = 20;
    request_uint(r, 40, status);
    request_text(r, 44, session);
}

/* RFC 2866 3: MD5(Code + Identifier + Length + 16 zeros + attributes + secret) */
static inline void request_sign(struct radius_request *r, const char *secret)
{
    MD5_CTX md5;
    r->bytes[2] = (uint8_t)(r->size >> 8);
    r->bytes[3] = (uint8_t)r->size;
    memset(r->bytes + 4, 0, 16);
    MD5Init(&md5);
    MD5Update(&md5, r->bytes, r->size);
    MD5Update(&md5, (const uint8_t *)secret, strlen(secret));
    MD5Final(r->bytes + 4, &md5);
}

/* Whether a response is one to the request (RFC 2866 3). */
static inline int response_fits(const uint8_t *response, size_t size, const struct radius_request *r,
                                const char *secret)
{
    uint8_t digest[MD5_DIGEST_LENGTH];
    MD5_CTX md5;
    if (size < 20 || response[0] != 5 || response[1] != r->bytes[1] ||
        ((size_t)response[2] << 8 | response[3]) != size)
        return 0;
    MD5Init(&md5);
    MD5Update(&md5, response, 4);
    MD5Update(&md5, r->bytes + 4, 16);
    MD5Update(&md5, response + 20, size - 20);
    MD5Update(&md5, (const uint8_t *)secret, strlen(secret));
    MD5Final(digest, &md5);
    return memcmp(digest, response + 4, 16) == 0;
}
