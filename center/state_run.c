/* SPDX-License-Identifier: Apache-2.0
 *
 * An item is the size of the packed value (24 bits, all of them set: gone), the subject, when it was touched,
 * the value.
 */
#include "center/state_run.h"

#include "base/endian.h"

#define GONE 0xffffffu

_Static_assert(STATE_VALUE_MAX < GONE && STATE_RUN_HEAD == 3 + 16 + 8, "every value has a size");

static uint8_t *put_head(uint8_t *to, size_t size, struct subject key, int64_t touched)
{
    *to++ = (uint8_t)(size >> 16);
    *to++ = (uint8_t)(size >> 8);
    *to++ = (uint8_t)size;
    return endian_put_be64(endian_put_be64(endian_put_be64(to, key.high), key.low), (uint64_t)touched);
}

size_t state_run_put_packed(uint8_t *to, struct subject key, int64_t touched, struct bytes packed)
{
    uint8_t *at = put_head(to, packed.size, key, touched);
    if (packed.data != at && packed.size)
        memcpy(at, packed.data, packed.size);
    return STATE_RUN_HEAD + packed.size;
}

size_t state_run_put(uint8_t *to, struct subject key, int64_t touched, const uint8_t *value, size_t size)
{
    if (value)
        return state_run_put_packed(to, key, touched, state_value_pack(to + STATE_RUN_HEAD, value, size));
    put_head(to, GONE, key, touched);
    return STATE_RUN_HEAD;
}

bool state_run_next(struct cursor *run, struct state_run_item *item)
{
    if (cursor_done(run))
        return false;
    const uint32_t size = cursor_be24(run);
    item->key.high = cursor_be64(run);
    item->key.low = cursor_be64(run);
    item->touched = (int64_t)cursor_be64(run);
    item->gone = size == GONE;
    item->packed = cursor_take(run, item->gone ? 0 : size);
    return !run->failed;
}
