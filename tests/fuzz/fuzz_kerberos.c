/* SPDX-License-Identifier: Apache-2.0
 *
 * Kerberos: the input as a datagram in both directions, as a stream, and as the change-password protocol.
 */
#include "capture/kerberos.h"
#include "capture/protocols.h"
#include "tests/unit/lone_dissect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lone lone;

static void detect(const struct protocol *protocol, struct bytes input)
{
    for (int i = 0; i < 4; i++)
        protocol->detect(input, i & 1 ? TRANSPORT_TCP : TRANSPORT_UDP, TO_SERVER, i & 2);
}

static void datagrams(const struct protocol *protocol, struct bytes input)
{
    struct dissect *d = lone_open(&lone, protocol, TRANSPORT_UDP);
    for (int i = 0; i < 3; i++) {
        d->direction = i == 1 ? TO_CLIENT : TO_SERVER;
        d->truncated = i == 2;
        protocol->message(d, cursor_of_bytes(input));
    }
    lone_close(&lone);
}

/* Each message of the stream in a block of its own, as the glue delivers it. */
static void stream(const struct protocol *protocol, struct bytes input)
{
    struct dissect *d = lone_open(&lone, protocol, TRANSPORT_TCP);
    bool turn = false;
    while (input.size) {
        struct frame frame = protocol->frame(d, input);
        if (frame.verdict != FRAME_OK || frame.total == 0)
            break;
        size_t want = frame.want < input.size ? frame.want : input.size;
        struct lone_block block = lone_copy(input.data, want);
        d->truncated = frame.want > input.size;
        d->direction = turn ? TO_CLIENT : TO_SERVER;
        protocol->message(d, cursor_of(block.memory, want));
        free(block.memory);
        turn = !turn;
        if (frame.total >= input.size)
            break;
        input.data += frame.total;
        input.size -= frame.total;
    }
    protocol->gap(d);
    lone_close(&lone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lone_block block = lone_copy(data, size);
    struct bytes input = {.data = block.memory, .size = size};
    static const struct protocol *const protocols[] = {&protocol_kerberos, &protocol_kpasswd};
    for (int i = 0; i < 2; i++) {
        detect(protocols[i], input);
        datagrams(protocols[i], input);
        stream(protocols[i], input);
    }
    free(block.memory);
    return 0;
}
