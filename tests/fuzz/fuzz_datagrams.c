/* SPDX-License-Identifier: Apache-2.0
 *
 * DHCP, DHCPv6, RADIUS and syslog. See conversation.h for the input.
 */
#include "tests/fuzz/conversation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t ports[] = {67, 547, 1812, 1813, 3799, 514};
    return conversation(data, size, TRANSPORT_UDP, ports, sizeof ports / sizeof *ports);
}
