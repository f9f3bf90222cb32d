/* SPDX-License-Identifier: Apache-2.0
 *
 * The finaliser is splitmix64's (Steele, Lea, Flood 2014): bijective and well mixed.
 */
#include "sim/random.h"

#include <string.h>

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static uint64_t finalise(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t sim_mix(uint64_t hash, uint64_t value)
{
    return finalise((hash ^ value) + GOLDEN);
}

uint64_t sim_mix_bytes(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *p = data;
    hash = sim_mix(hash, size);
    while (size >= 8) {
        /* Put together byte by byte: the same on a machine of the other byte order. */
        uint64_t word = 0;
        for (int i = 7; i >= 0; i--)
            word = word << 8 | p[i];
        hash = sim_mix(hash, word);
        p += 8;
        size -= 8;
    }
    uint64_t rest = 0;
    for (size_t i = size; i > 0; i--)
        rest = rest << 8 | p[i - 1];
    return size ? sim_mix(hash, rest) : hash;
}

uint64_t sim_random_pair(uint64_t seed, enum sim_stream stream, uint64_t a, uint64_t b)
{
    uint64_t x = finalise(seed + GOLDEN * ((uint64_t)stream + 1));
    x = finalise(x + GOLDEN * (a + 1));
    return finalise(x ^ (GOLDEN * (b + 1)));
}

uint64_t sim_random_of(uint64_t pair, uint64_t n)
{
    return finalise(pair + GOLDEN * (n + 1));
}

uint64_t sim_random(uint64_t seed, enum sim_stream stream, uint64_t a, uint64_t b, uint64_t n)
{
    return sim_random_of(sim_random_pair(seed, stream, a, b), n);
}

uint64_t sim_random_below(uint64_t random, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)random * bound) >> 64);
}

int sim_random_chance(uint64_t random, uint32_t millionths)
{
    return sim_random_below(random, 1000000) < millionths;
}

void sim_random_bytes(uint64_t random, void *data, size_t size)
{
    uint8_t *p = data;
    for (uint64_t n = 0; size > 0; n++) {
        uint64_t word = finalise(random + GOLDEN * (n + 1));
        for (int i = 0; i < 8 && size > 0; i++, size--, word >>= 8)
            *p++ = (uint8_t)word;
    }
}
