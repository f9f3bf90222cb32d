/* SPDX-License-Identifier: Apache-2.0
 *
 * Dissectors with somebody who holds the keys: what they ask is well formed, and whatever they are answered
 * does no harm. See conversation.h for the input, behind one byte: odd for UDP.
 */
#include "tests/fuzz/conversation.h"
#include "tests/fuzz/false_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t tcp[] = {88, 464, 389, 135, 53};
    static const uint16_t udp[] = {88, 464, 53};
    if (!size)
        return 0;
    conversation_unsealer = &false_keys;
    false_kept_size = false_kept_count = 0;
    bool datagrams = data[0] & 1;
    data++;
    size--;
    return datagrams ? conversation(data, size, TRANSPORT_UDP, udp, 3)
                     : conversation(data, size, TRANSPORT_TCP, tcp, 5);
}
