/* SPDX-License-Identifier: Apache-2.0 */
#include "events/senders.h"

bool sender_parse(const char *text, struct sender *to)
{
    return ip_prefix_parse(text, &to->network, &to->bits);
}

bool senders_have(const struct senders *senders, const struct ip_address *address)
{
    for (uint32_t i = 0; i < senders->count; i++)
        if (ip_address_within(address, &senders->of[i].network, senders->of[i].bits))
            return true;
    return senders->count == 0;
}
