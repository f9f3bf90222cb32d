/* SPDX-License-Identifier: Apache-2.0
 *
 * TDS: the input as a stream whose messages go back and forth.
 */
#include "capture/protocols.h"
#include "tests/unit/lone_dissect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lone lone;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lone_block whole = lone_copy(data, size);
    struct bytes input = {.data = whole.memory, .size = size};
    const struct protocol *protocol = &protocol_tds;
    protocol->detect(input, TRANSPORT_TCP, TO_SERVER, true);
    protocol->detect(input, TRANSPORT_TCP, TO_SERVER, false);
    struct dissect *d = lone_open(&lone, protocol, TRANSPORT_TCP);
    while (input.size) {
        struct frame frame = protocol->frame(d, input);
        if (frame.verdict != FRAME_OK || frame.total == 0)
            break;
        size_t want = frame.want < input.size ? frame.want : input.size;
        struct lone_block block = lone_copy(input.data, want);
        d->truncated = frame.want > input.size;
        d->direction = input.data[0] == 4 ? TO_CLIENT : TO_SERVER;
        protocol->message(d, cursor_of(block.memory, want));
        arena_reset(d->scratch);
        free(block.memory);
        if (frame.total >= input.size)
            break;
        input.data += frame.total;
        input.size -= frame.total;
    }
    protocol->close(d);
    lone_close(&lone);
    free(whole.memory);
    return 0;
}
