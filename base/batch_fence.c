/* SPDX-License-Identifier: Apache-2.0 */
#include "base/batch_fence.h"

#include "base/batch.h"
#include "base/msgpack.h"

const struct batch_form batch_entities = {.format = BATCH_ENTITIES_FORMAT,
                                          .version = BATCH_ENTITIES_VERSION,
                                          .record_max = BATCH_ENTITIES_RECORD_MAX};

size_t batch_fence_write(uint8_t to[BATCH_FENCE_MAX], const struct batch_fence *fence)
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, to, BATCH_FENCE_MAX);
    msgpack_put_text(&w, "domain");
    msgpack_put_string(&w, fence->domain, strnlen(fence->domain, sizeof fence->domain));
    msgpack_put_text(&w, "term");
    msgpack_put_uint(&w, fence->term);
    msgpack_put_text(&w, "draw");
    msgpack_put_uint(&w, fence->draw);
    msgpack_put_text(&w, "node");
    msgpack_put_binary(&w, fence->node, sizeof fence->node);
    msgpack_put_text(&w, "incarnation");
    msgpack_put_uint(&w, fence->incarnation);
    msgpack_put_text(&w, "sequence");
    msgpack_put_uint(&w, fence->sequence);
    return w.size;
}

static bool take_node(const struct msgpack_item *item, struct batch_fence *fence)
{
    if (item->type != MSGPACK_BINARY || item->bytes.size != sizeof fence->node)
        return false;
    memcpy(fence->node, item->bytes.data, sizeof fence->node);
    return true;
}

static bool take_domain(const struct msgpack_item *item, struct batch_fence *fence)
{
    if (item->type != MSGPACK_STRING || item->bytes.size >= sizeof fence->domain ||
        memchr(item->bytes.data, 0, item->bytes.size))
        return false;
    memset(fence->domain, 0, sizeof fence->domain);
    memcpy(fence->domain, item->bytes.data, item->bytes.size);
    return true;
}

/* A bit for each of the pairs, so that all must be there. */
static unsigned take_pair(const struct msgpack_item *key, const struct msgpack_item *value,
                          struct batch_fence *fence)
{
    struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {
        {"term", &fence->term},
        {"draw", &fence->draw},
        {"incarnation", &fence->incarnation},
        {"sequence", &fence->sequence},
    };
    for (unsigned i = 0; i < 4; i++) {
        if (!msgpack_is_text(key, numbers[i].name) || value->type != MSGPACK_UINT)
            continue;
        *numbers[i].to = value->uint;
        return 1u << i;
    }
    if (msgpack_is_text(key, "node") && take_node(value, fence))
        return 1u << 4;
    if (msgpack_is_text(key, "domain") && take_domain(value, fence))
        return 1u << 5;
    return 0;
}

bool batch_fence_read(struct batch_fence *fence, struct cursor pairs, uint32_t count)
{
    unsigned seen = 0;
    memset(fence, 0, sizeof *fence);
    for (uint32_t i = 0; i < count && !pairs.failed; i++) {
        struct msgpack_item key = msgpack_next(&pairs);
        struct cursor before = pairs;
        struct msgpack_item value = msgpack_next(&pairs);
        seen |= take_pair(&key, &value, fence);
        pairs = before;
        msgpack_skip(&pairs);
    }
    return !pairs.failed && seen == (1u << BATCH_FENCE_PAIRS) - 1;
}
