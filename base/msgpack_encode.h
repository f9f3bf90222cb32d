/* SPDX-License-Identifier: Apache-2.0
 *
 * The forms of msgpack, written to memory that is known to have room; what msgpack.c and the activity writer
 * share. Each returns the place behind what it wrote. The shortest form is taken.
 */
#pragma once

#include "base/endian.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MSGPACK_SCALAR_MAX 9 /* bytes of the longest scalar */
#define MSGPACK_HEADER_MAX 5 /* bytes before the longest string, binary, array or map */

static inline uint8_t *msgpack_encode_tag16(uint8_t *to, uint8_t tag, uint16_t value)
{
    to[0] = tag;
    return endian_put_be16(to + 1, value);
}

static inline uint8_t *msgpack_encode_tag32(uint8_t *to, uint8_t tag, uint32_t value)
{
    to[0] = tag;
    return endian_put_be32(to + 1, value);
}

static inline uint8_t *msgpack_encode_tag64(uint8_t *to, uint8_t tag, uint64_t value)
{
    to[0] = tag;
    return endian_put_be64(to + 1, value);
}

static inline uint8_t *msgpack_encode_uint(uint8_t *to, uint64_t value)
{
    if (value < 0x80) {
        to[0] = (uint8_t)value;
        return to + 1;
    }
    if (value <= UINT8_MAX) {
        to[0] = 0xcc;
        to[1] = (uint8_t)value;
        return to + 2;
    }
    if (value <= UINT16_MAX)
        return msgpack_encode_tag16(to, 0xcd, (uint16_t)value);
    if (value <= UINT32_MAX)
        return msgpack_encode_tag32(to, 0xce, (uint32_t)value);
    return msgpack_encode_tag64(to, 0xcf, value);
}

static inline uint8_t *msgpack_encode_int(uint8_t *to, int64_t value)
{
    if (value >= 0)
        return msgpack_encode_uint(to, (uint64_t)value);
    if (value >= -32) {
        to[0] = (uint8_t)value;
        return to + 1;
    }
    if (value >= INT8_MIN) {
        to[0] = 0xd0;
        to[1] = (uint8_t)value;
        return to + 2;
    }
    if (value >= INT16_MIN)
        return msgpack_encode_tag16(to, 0xd1, (uint16_t)value);
    if (value >= INT32_MIN)
        return msgpack_encode_tag32(to, 0xd2, (uint32_t)value);
    return msgpack_encode_tag64(to, 0xd3, (uint64_t)value);
}

static inline uint8_t *msgpack_encode_bool(uint8_t *to, bool value)
{
    to[0] = value ? 0xc3 : 0xc2;
    return to + 1;
}

static inline uint8_t *msgpack_encode_string_header(uint8_t *to, uint32_t size)
{
    if (size < 32) {
        to[0] = (uint8_t)(0xa0 | size);
        return to + 1;
    }
    if (size <= UINT8_MAX) {
        to[0] = 0xd9;
        to[1] = (uint8_t)size;
        return to + 2;
    }
    if (size <= UINT16_MAX)
        return msgpack_encode_tag16(to, 0xda, (uint16_t)size);
    return msgpack_encode_tag32(to, 0xdb, size);
}

static inline uint8_t *msgpack_encode_binary_header(uint8_t *to, uint32_t size)
{
    if (size <= UINT8_MAX) {
        to[0] = 0xc4;
        to[1] = (uint8_t)size;
        return to + 2;
    }
    if (size <= UINT16_MAX)
        return msgpack_encode_tag16(to, 0xc5, (uint16_t)size);
    return msgpack_encode_tag32(to, 0xc6, size);
}

static inline uint8_t *msgpack_encode_array_header(uint8_t *to, uint32_t items)
{
    if (items < 16) {
        to[0] = (uint8_t)(0x90 | items);
        return to + 1;
    }
    if (items <= UINT16_MAX)
        return msgpack_encode_tag16(to, 0xdc, (uint16_t)items);
    return msgpack_encode_tag32(to, 0xdd, items);
}

static inline uint8_t *msgpack_encode_map_header(uint8_t *to, uint32_t pairs)
{
    if (pairs < 16) {
        to[0] = (uint8_t)(0x80 | pairs);
        return to + 1;
    }
    if (pairs <= UINT16_MAX)
        return msgpack_encode_tag16(to, 0xde, (uint16_t)pairs);
    return msgpack_encode_tag32(to, 0xdf, pairs);
}
