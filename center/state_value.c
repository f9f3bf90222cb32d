/* SPDX-License-Identifier: Apache-2.0
 *
 * Packed it is pairs of runs: how many bytes follow as they are, the bytes, how many zero bytes follow; each
 * number a byte. It is never as long as the value, so one that is was not worth it.
 */
#include "center/state_value.h"

#define RUN_MAX   255u
#define ZEROS_MIN 4u /* fewer are not worth a new pair */

static size_t zeros_at(const uint8_t *value, size_t size)
{
    size_t count = 0;
    while (count < size && count < RUN_MAX && value[count] == 0)
        count++;
    return count;
}

/* Up to the next zeros that are worth it. */
static size_t bytes_at(const uint8_t *value, size_t size)
{
    size_t count = 0;
    while (count < size && count < RUN_MAX) {
        size_t zeros = value[count] ? 0 : zeros_at(value + count, size - count);
        if (zeros >= ZEROS_MIN || (zeros && zeros == size - count))
            break;
        count += zeros ? zeros : 1;
    }
    return count < RUN_MAX ? count : RUN_MAX;
}

struct bytes state_value_pack(uint8_t *to, const uint8_t *value, size_t size)
{
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        const size_t count = bytes_at(value + at, size - at);
        const size_t zeros = zeros_at(value + at + count, size - at - count);
        if (used + count + 2 >= size)
            return (struct bytes){value, size};
        to[used++] = (uint8_t)count;
        memcpy(to + used, value + at, count);
        used += count;
        to[used++] = (uint8_t)zeros;
        at += count + zeros;
    }
    return size ? (struct bytes){to, used} : (struct bytes){value, size};
}

bool state_value_unpack(uint8_t *to, size_t size, struct bytes packed)
{
    struct cursor c = cursor_of_bytes(packed);
    size_t at = 0;
    if (packed.size == size) {
        if (size)
            memcpy(to, packed.data, size);
        return true;
    }
    while (!cursor_done(&c)) {
        const struct bytes run = cursor_take(&c, cursor_u8(&c));
        const size_t zeros = cursor_u8(&c);
        if (c.failed || run.size > size - at || zeros > size - at - run.size)
            return false;
        if (run.size)
            memcpy(to + at, run.data, run.size);
        if (zeros)
            memset(to + at + run.size, 0, zeros);
        at += run.size + zeros;
    }
    return at == size;
}
