/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/core.h"

/* The links of a segment, made from its last one downwards. */
static void segment_fill(struct chain *chain, uint32_t segment, const struct cluster_crypto *crypto)
{
    chain->segment = segment;
    memcpy(chain->links[CHAIN_SEGMENT - 1], chain->checkpoints[segment], LINK_SIZE);
    for (uint32_t i = CHAIN_SEGMENT - 1; i > 0; i--)
        crypto->hash(crypto->context, chain->links[i], LINK_SIZE, chain->links[i - 1]);
}

void chain_init(struct chain *chain, uint32_t base, const uint8_t secret[LINK_SIZE],
                const struct cluster_crypto *crypto)
{
    chain->base = base;
    memcpy(chain->checkpoints[CHAIN_LINKS / CHAIN_SEGMENT - 1], secret, LINK_SIZE);
    for (uint32_t segment = CHAIN_LINKS / CHAIN_SEGMENT; segment-- > 0;) {
        segment_fill(chain, segment, crypto);
        if (segment > 0)
            crypto->hash(crypto->context, chain->links[0], LINK_SIZE, chain->checkpoints[segment - 1]);
    }
}

const uint8_t *chain_link(struct chain *chain, uint32_t sequence, const struct cluster_crypto *crypto)
{
    uint32_t n = sequence % CHAIN_LINKS;
    if (n / CHAIN_SEGMENT != chain->segment)
        segment_fill(chain, n / CHAIN_SEGMENT, crypto);
    return chain->links[n % CHAIN_SEGMENT];
}
