/* SPDX-License-Identifier: Apache-2.0
 *
 * The resolver: any activities in any order, learned from and completed; what comes out is a record still.
 */
#include <stdlib.h>

#include "tests/unit/lab_directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void complete(struct resolver *resolver, struct bytes record, const struct activity *activity,
                     bool waits)
{
    static struct activity_writer writer;
    static struct activity completed;
    struct resolver_waits waited = {0};
    if (!activity_extend(&writer, record, activity))
        return;
    resolver_complete(resolver, activity, &writer, waits ? &waited : NULL, 1);
    require(waited.count <= RESOLVER_WAITS_MAX);
    struct bytes whole = activity_finish(&writer);
    struct cursor c = cursor_of_bytes(whole);
    require(activity_decode(&c, &completed) && cursor_done(&c));
    require(completed.count >= activity->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct lab_directory lab;
    static struct activity activity;
    static const struct resolver_limits limits = {
        .addresses_max = 8, .tickets_max = 8, .connections_max = 8, .entities_max = 8};
    if (lab.count == 0)
        lab_fill(&lab);
    struct resolver *resolver = lab_resolver(&lab, &limits);
    uint8_t *input = malloc(size ? size : 1);
    memcpy(input, data, size);
    struct cursor c = cursor_of(input, size);
    while (resolver && !cursor_done(&c)) {
        const uint8_t *start = c.at;
        if (!activity_decode(&c, &activity))
            break;
        struct bytes record = {start, (size_t)(c.at - start)};
        resolver_observe(resolver, &activity);
        complete(resolver, record, &activity, true);
        complete(resolver, record, &activity, false);
    }
    free(input);
    resolver_destroy(&resolver);
    return 0;
}
