/* SPDX-License-Identifier: Apache-2.0
 *
 * What the transport reads of what others made: questions about keys, frames of links, addresses. The first
 * byte chooses; a question's frames follow, each after a byte with its length.
 */
#include <stdlib.h>

#include "cluster/transport_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void read_question(struct cursor input)
{
    struct bytes frames[ZAP_FRAMES + 1];
    struct zap_request request;
    unsigned count = 0;
    while (count <= ZAP_FRAMES && cursor_left(&input) > 0) {
        size_t length = cursor_u8(&input);
        frames[count++] = cursor_take(&input, length < cursor_left(&input) ? length : cursor_left(&input));
    }
    if (!zap_request_read(&request, frames, count))
        return;
    require(count == ZAP_FRAMES && strlen(request.address) < sizeof request.address);
    require(memcmp(request.key, frames[6].data, ZAP_KEY_SIZE) == 0);
}

static void read_frame(struct bytes frame)
{
    enum frame_kind kind;
    struct bytes data;
    if (transport_frame_read(frame, &kind, &data))
        require(frame.size == data.size + 1 && kind <= FRAME_LAST);
}

static void read_address(struct bytes bytes)
{
    struct tcp_address address, again;
    char text[512] = "", canonical[TCP_ADDRESS_MAX];
    if (bytes.size)
        memcpy(text, bytes.data, bytes.size < sizeof text ? bytes.size : sizeof text - 1);
    if (!tcp_address_parse(&address, text) || !address.at.address.family)
        return;
    require(tcp_address_parse(&again, tcp_address_text(&address.at, canonical)));
    require(ip_address_equal(&again.at.address, &address.at.address) && again.at.port == address.at.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, data, size);
    struct cursor input = cursor_of(copy, size);
    switch (cursor_u8(&input) % 3) {
    case 0:
        read_question(input);
        break;
    case 1:
        read_frame(cursor_take(&input, cursor_left(&input)));
        break;
    default:
        read_address(cursor_take(&input, cursor_left(&input)));
        break;
    }
    free(copy);
    return 0;
}
