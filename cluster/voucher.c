/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/voucher.h"

enum voucher_key {
    VOUCHER_ID,
    VOUCHER_DIGEST,
    VOUCHER_NAME,
};
#define HAS(key) (UINT32_C(1) << (key))

bool voucher_read(struct voucher *voucher, struct bytes encoded, const struct trust *trust,
                  const struct cluster_crypto *crypto)
{
    struct signed_body parts;
    *voucher = (struct voucher){0};
    if (!signed_split(&parts, encoded))
        return false;
    struct body body = body_open(parts.body, BODY_VOUCHER);
    int key;
    while ((key = body_next(&body)) >= 0) {
        switch (key) {
        case VOUCHER_ID:
            body_binary(&body, voucher->id.bytes, NODE_ID_SIZE);
            break;
        case VOUCHER_DIGEST:
            body_binary(&body, voucher->digest, DIGEST_SIZE);
            break;
        case VOUCHER_NAME:
            body_text(&body, voucher->name, sizeof voucher->name, name_valid);
            break;
        default:
            body_skip(&body);
        }
    }
    return body_end(&body, HAS(VOUCHER_ID) | HAS(VOUCHER_DIGEST)) &&
           signed_verify(encoded, trust->authority, crypto);
}

size_t voucher_write(void *buffer, size_t capacity, const struct voucher *voucher,
                     const struct cluster_crypto *authority)
{
    struct body_writer writer;
    body_begin(&writer, buffer, capacity, BODY_VOUCHER);
    body_put_binary(&writer, VOUCHER_ID, voucher->id.bytes, NODE_ID_SIZE);
    body_put_binary(&writer, VOUCHER_DIGEST, voucher->digest, DIGEST_SIZE);
    body_put_text(&writer, VOUCHER_NAME, voucher->name);
    return body_sign(&writer, authority);
}
