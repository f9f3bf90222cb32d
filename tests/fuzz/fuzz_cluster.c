/* SPDX-License-Identifier: Apache-2.0
 *
 * A core that runs, fed with messages. The input is cut at the bytes "\xfe\xed"; each piece is
 *     a byte: 0x00-0x3f a message of member `byte % 4`, 0x40-0x7f of a stranger, 0x80-0xbf as many ticks (and
 *     the links come and go), 0xc0-0xff another event, with the rest of the piece.
 * Nothing may crash, nothing may grow beyond its bound, and the core must still say what it has to.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/memory_fleet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fleet *fleet;

static void fresh(void)
{
    if (fleet)
        fleet_destroy(&fleet);
    fleet = fleet_new(
        &(struct fleet_options){.count = 5, .candidates = 3, .sites = 2, .seed = 50, .members_max = 16});
    for (unsigned i = 0; i < 4; i++)
        fleet_start(fleet, i);
    fleet_event(fleet, 0,
                (struct cluster_event){.type = CLUSTER_DIRECTORY,
                                       .directory = {.domain = FLEET_DOMAIN, .reachable = true}});
    fleet_run(fleet, 20000);
}

static void other_event(uint8_t which, const uint8_t *rest, size_t size)
{
    char domain[64] = FLEET_DOMAIN;
    if (size && size < sizeof domain) {
        memcpy(domain, rest, size);
        domain[size] = 0;
    }
    struct cluster_event event = {.type = CLUSTER_TICK};
    switch (which % 8) {
    case 0:
        event.type = CLUSTER_POLICY;
        break;
    case 1:
        event.type = CLUSTER_CERTIFICATE;
        break;
    case 2:
        event.type = CLUSTER_CANDIDATE;
        break;
    case 3:
        event.type = CLUSTER_YIELD;
        break;
    case 4:
        event.type = CLUSTER_PIN;
        break;
    case 5:
        event.type = CLUSTER_PERSIST_FAILED;
        break;
    case 6:
        event.type = CLUSTER_LINK_DOWN;
        break;
    default:
        event.type = CLUSTER_LINK_UP;
        break;
    }
    if (which % 8 < 2)
        event.bytes = (struct bytes){rest, size};
    else if (which % 8 < 5) {
        event.command.domain = domain;
        event.command.on = which & 8;
    } else if (which % 8 > 5) {
        event.link.peer = fleet->nodes[1 + which / 8 % 4].id;
        event.link.dialled = which & 32;
    }
    fleet_event(fleet, 0, event);
}

static void piece(const uint8_t *at, size_t size)
{
    uint8_t what = at[0];
    /* A block of its own size: a read past its end is seen. */
    uint8_t *rest = malloc(size);
    if (!rest)
        return;
    memcpy(rest, at + 1, size - 1);
    struct cluster_event event = {.type = CLUSTER_RECEIVED, .received.message = {rest, size - 1}};
    if (what < 0x40) {
        event.received.from = fleet->nodes[what % 4].id;
        fleet_event(fleet, 0, event);
    } else if (what < 0x80) {
        event.received.from = fleet->nodes[4].id;
        event.received.from.bytes[5] ^= (uint8_t)(what & 1);
        fleet_event(fleet, 0, event);
    } else if (what < 0xc0) {
        fleet_run(fleet, (what & 0x3f) * INT64_C(500));
    } else {
        other_event(what & 0x3f, rest, size - 1);
    }
    free(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fresh();
    const uint8_t *end = data + size;
    while (data < end) {
        const uint8_t *cut = memmem(data, (size_t)(end - data), "\xfe\xed", 2);
        if (!cut)
            cut = end;
        if (cut > data)
            piece(data, (size_t)(cut - data));
        data = cut == end ? end : cut + 2;
    }
    fleet_run(fleet, 20000);
    struct cluster_status status;
    cluster_status(fleet->nodes[0].core, &status);
    if (status.members > 16 || status.memory > (4u << 20) || status.incarnation == 0)
        abort();
    for (unsigned i = 0; i < cluster_member_count(fleet->nodes[0].core); i++) {
        struct cluster_member_view view;
        if (!cluster_member_at(fleet->nodes[0].core, i, &view))
            abort();
    }
    return 0;
}
