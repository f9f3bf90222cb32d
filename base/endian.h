/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers into bytes, of either order, at any address; each gives the byte behind what it wrote. Room is the
 * caller's care. They are read back by base/cursor.h.
 */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint8_t *endian_put_be16(uint8_t *to, uint16_t value)
{
    value = htobe16(value);
    memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
}

static inline uint8_t *endian_put_be32(uint8_t *to, uint32_t value)
{
    value = htobe32(value);
    memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
}

static inline uint8_t *endian_put_be64(uint8_t *to, uint64_t value)
{
    value = htobe64(value);
    memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
}

static inline uint8_t *endian_put_le16(uint8_t *to, uint16_t value)
{
    value = htole16(value);
    memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
}

static inline uint8_t *endian_put_le32(uint8_t *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
}

static inline uint8_t *endian_put_le64(uint8_t *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
}
