/* SPDX-License-Identifier: Apache-2.0
 *
 * A PDU with privacy, cut where its protection is ([MS-RPCE] 2.2.2.11): headers that are only signed (when
 * that was negotiated), the sealed stub with its padding, the trailer in front of the token, the token.
 * Inside of keys/.
 */
#pragma once

#include "keys/operations.h"

struct rpc_parts {
    struct bytes before;
    struct bytes stub;
    struct bytes after;
    struct bytes token; /* up to the PDU's end */
};

/* False when the numbers do not fit the PDU. */
static inline bool rpc_parts_of(const struct rpc_sealed *sealed, struct rpc_parts *to)
{
    struct cursor c = cursor_of_bytes(sealed->pdu);
    to->before = cursor_take(&c, sealed->stub_at);
    to->stub = cursor_take(&c, sealed->stub_size);
    size_t behind = sealed->stub_at + sealed->stub_size;
    if (c.failed || sealed->token_at < behind)
        return false;
    to->after = cursor_take(&c, sealed->token_at - behind);
    to->token = cursor_take(&c, cursor_left(&c));
    return !c.failed && to->stub.size <= UNSEAL_MESSAGE_MAX;
}
