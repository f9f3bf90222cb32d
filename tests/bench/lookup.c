/* SPDX-License-Identifier: Apache-2.0
 *
 * What asking costs: names that are new, that wait already, and that were asked in vain a moment ago.
 */
#include "sync/lookup.h"
#include "base/clock.h"

#include <stdio.h>

enum { NAMES = 10000, ROUNDS = 100 };

static struct lookup_key keys[NAMES];

static double elapsed(int64_t began, unsigned count)
{
    return (double)(clock_monotonic(clock_system()) - began) / count;
}

static void answer_all(struct lookup *lookup)
{
    const struct lookup_key *asked;
    uint32_t count, question;
    int64_t now = 0, again;
    for (;;) {
        question = lookup_next(lookup, now, &asked, &count, &again);
        if (question)
            lookup_answered(lookup, question, 0, false, now);
        else if (again == INT64_MAX)
            return;
        else
            now = again;
    }
}

int main(void)
{
    struct lookup_limits limits;
    lookup_limits_init(&limits);
    struct lookup *lookup = lookup_new(&limits, 1);
    if (!lookup)
        return 1;
    for (unsigned i = 0; i < NAMES; i++) {
        char name[32];
        int size = snprintf(name, sizeof(name), "user%u", i);
        lookup_key_text(&keys[i], LOOKUP_ACCOUNT, (struct bytes){(const uint8_t *)name, (size_t)size},
                        (struct bytes){(const uint8_t *)"corp.example", 12});
    }
    int64_t began = clock_monotonic(clock_system());
    for (unsigned i = 0; i < NAMES; i++)
        lookup_ask(lookup, &keys[i], LOOKUP_TRAFFIC, 0);
    printf("new:     %6.0f ns\n", elapsed(began, NAMES));
    began = clock_monotonic(clock_system());
    for (unsigned i = 0; i < NAMES * ROUNDS; i++)
        lookup_ask(lookup, &keys[i % NAMES], LOOKUP_TRAFFIC, 0);
    printf("joined:  %6.0f ns\n", elapsed(began, NAMES * ROUNDS));
    answer_all(lookup);
    began = clock_monotonic(clock_system());
    for (unsigned i = 0; i < NAMES * ROUNDS; i++)
        lookup_ask(lookup, &keys[i % NAMES], LOOKUP_TRAFFIC, 0);
    printf("in vain: %6.0f ns\n", elapsed(began, NAMES * ROUNDS));
    struct lookup_counters counters;
    lookup_counters(lookup, &counters);
    printf("memory:  %6.1f MiB at its bounds\n", (double)counters.memory / (1 << 20));
    lookup_destroy(&lookup);
    return 0;
}
