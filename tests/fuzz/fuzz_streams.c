/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP, TLS and RDP. See conversation.h for the input.
 */
#include "tests/fuzz/conversation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t ports[] = {80, 443, 3389, 5985, 40000};
    return conversation(data, size, TRANSPORT_TCP, ports, sizeof ports / sizeof *ports);
}
