/* SPDX-License-Identifier: Apache-2.0
 *
 * DNS, NBNS, mDNS and LLMNR: the readers alone, then as conversations. See conversation.h for the input.
 */
#include "capture/dns.h"
#include "tests/fuzz/conversation.h"

static const uint16_t ports[] = {53, 137, 5353, 5355};

/* Every name of the message can be read, wherever it begins, and none is longer than it may be. */
static void read_names(const uint8_t *data, size_t size)
{
    struct bytes message = {data, size};
    for (size_t at = 0; at < size && at < 300; at++) {
        struct dns_name name;
        struct cursor read = cursor_of(data + at, size - at), skip = read;
        bool good = dns_name_read(&read, message, &name);
        dns_name_skip(&skip);
        if (name.size > DNS_NAME_TEXT_MAX || (good && (read.failed || read.at != skip.at)))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    read_names(copy, size);
    free(copy);
    conversation(data, size, TRANSPORT_UDP, ports, sizeof ports / sizeof *ports);
    return conversation(data, size, TRANSPORT_TCP, ports, 1);
}
