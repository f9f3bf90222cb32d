/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers without state: each decision has its own, found by what it is about. So taking one fault out
 * of a plan, or one message out of a run, moves no other decision.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum sim_stream {
    STREAM_PLAN,
    STREAM_IDENTITY,
    STREAM_START,
    STREAM_CLOCK,
    STREAM_LATENCY,
    STREAM_LOSS,
    STREAM_TWICE,
    STREAM_CLOG,
    STREAM_DISK,
    STREAM_HOSTILE,
    STREAM_BATCH,
    STREAM_BENCH,
};

/* The number that belongs to these five. */
uint64_t sim_random(uint64_t seed, enum sim_stream stream, uint64_t a, uint64_t b, uint64_t n);

/* The same in two steps, for many numbers of one pair. */
uint64_t sim_random_pair(uint64_t seed, enum sim_stream stream, uint64_t a, uint64_t b);
uint64_t sim_random_of(uint64_t pair, uint64_t n);

/* Made from it: 0..bound-1 (bound > 0), and true with so many in a million. */
uint64_t sim_random_below(uint64_t random, uint64_t bound);
int sim_random_chance(uint64_t random, uint32_t millionths);

/* Fills `data` from it. */
void sim_random_bytes(uint64_t random, void *data, size_t size);

/* One step of mixing: a running hash. */
uint64_t sim_mix(uint64_t hash, uint64_t value);
uint64_t sim_mix_bytes(uint64_t hash, const void *data, size_t size);
