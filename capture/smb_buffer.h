/* SPDX-License-Identifier: Apache-2.0
 *
 * What an (offset, length) pair of an SMB message points to; offsets count from the message's header in both
 * versions.
 */
#pragma once

#include "base/cursor.h"

/* As far as it is there; `*cut` becomes true when some of it is not. */
static inline struct bytes smb_buffer(struct bytes message, size_t header_size, uint32_t offset,
                                      uint32_t length, bool *cut)
{
    struct bytes none = {.data = message.data + message.size, .size = 0};
    if (!length)
        return none;
    if (offset < header_size || offset > message.size) {
        *cut = true;
        return none;
    }
    size_t there = message.size - offset;
    if (length > there)
        *cut = true;
    return (struct bytes){.data = message.data + offset, .size = length < there ? length : there};
}
