/* SPDX-License-Identifier: Apache-2.0 */
#include "events/senders.h"

#include <stdlib.h>
#include <string.h>

bool sender_parse(const char *text, struct sender *to)
{
    char address[IP_ADDRESS_TEXT_MAX];
    size_t size = strcspn(text, "/");
    if (size >= sizeof(address))
        return false;
    memcpy(address, text, size);
    address[size] = '\0';
    if (!ip_address_parse(address, &to->network))
        return false;
    unsigned most = to->network.family == 4 ? 32 : 128, bits = 0;
    to->bits = (uint8_t)most;
    if (!text[size])
        return true;
    const char *digits = text + size + 1;
    for (; *digits >= '0' && *digits <= '9' && bits <= most; digits++)
        bits = bits * 10 + (unsigned)(*digits - '0');
    to->bits = (uint8_t)bits;
    return digits > text + size + 1 && !*digits && bits <= most;
}

static bool within(const struct sender *sender, const struct ip_address *address)
{
    size_t whole = sender->bits / 8;
    unsigned rest = sender->bits % 8;
    if (sender->network.family != address->family ||
        memcmp(sender->network.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || (sender->network.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

bool senders_have(const struct senders *senders, const struct ip_address *address)
{
    for (uint32_t i = 0; i < senders->count; i++)
        if (within(&senders->of[i], address))
            return true;
    return senders->count == 0;
}
