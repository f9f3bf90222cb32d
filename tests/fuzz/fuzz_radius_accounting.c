/* SPDX-License-Identifier: Apache-2.0
 *
 * The RADIUS accounting server: datagrams of {flags 1, length 2, bytes}. Flags: 1 sign it as its client
 * would, 2 settle what is taken as kept, 4 as not kept, 8 from another client.
 */
#include "base/clock.h"
#include "events/radius_accounting.h"
#include "tests/unit/radius_wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct activity_writer writer;
static struct radius_outcome outcome;
static struct activity activity;

static void demand(bool fact)
{
    if (!fact)
        abort();
}

static void check(struct radius_accounting *server, const struct radius_request *r, uint8_t flags,
                  int64_t now)
{
    /* A block of its own size: a byte too many that is read is seen. */
    uint8_t *exact = malloc(r->size + 1);
    demand(exact != NULL);
    memcpy(exact, r->bytes, r->size);
    const struct radius_datagram datagram = {
        .bytes = {exact, r->size},
        .from = {{4, {10, flags & 8, 0, 1}}, 1000},
        .wall = now,
        .monotonic = now,
    };
    radius_accounting_take(server, &datagram, &writer, &outcome);
    bool answers = outcome.verdict <= RADIUS_REPEAT;
    demand(answers == (outcome.reply_size > 0) && outcome.reply_size <= r->size);
    if (answers) {
        struct radius_packet reply;
        demand(radius_read((struct bytes){outcome.reply, outcome.reply_size}, &reply) && !reply.damaged);
        demand(radius_response_valid(&reply, flags & 8 ? "other" : "secret", r->bytes + 4));
    }
    if (outcome.verdict == RADIUS_RECORD) {
        struct cursor c = cursor_of_bytes(activity_finish(&writer));
        demand(activity_decode(&c, &activity) && cursor_done(&c));
        if (flags & 6)
            radius_accounting_settle(server, outcome.ticket, flags & 2);
    }
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct radius_client clients[] = {{{4, {10, 0, 0, 0}}, 16, "secret"},
                                                   {{4, {10, 8, 0, 0}}, 16, "other"}};
    const struct radius_accounting_config config = {
        .clients = clients, .client_count = 2, .rate = 100, .repeats = 4, .repeat_time = CLOCK_SECOND};
    struct radius_accounting *server = radius_accounting_new(&config);
    struct cursor c = cursor_of(data, size);
    static struct radius_request r;
    int64_t now = 0;
    demand(server != NULL);
    while (!cursor_done(&c)) {
        uint8_t flags = cursor_u8(&c);
        size_t length = cursor_be16(&c);
        struct bytes bytes = cursor_take(&c, length < sizeof r.bytes ? length : sizeof r.bytes);
        if (c.failed)
            break;
        if (bytes.size)
            memcpy(r.bytes, bytes.data, bytes.size);
        r.size = bytes.size;
        if (flags & 1 && r.size >= 20)
            request_sign(&r, flags & 8 ? "other" : "secret");
        check(server, &r, flags, now += CLOCK_SECOND / 8);
    }
    radius_accounting_destroy(&server);
    return 0;
}
