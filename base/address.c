/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>

static char *put_decimal(char *to, uint8_t value)
{
    if (value >= 100)
        *to++ = (char)('0' + value / 100);
    if (value >= 10)
        *to++ = (char)('0' + value / 10 % 10);
    *to++ = (char)('0' + value % 10);
    return to;
}

static char *put_ipv4(char *to, const uint8_t bytes[4])
{
    for (int i = 0; i < 4; i++) {
        if (i)
            *to++ = '.';
        to = put_decimal(to, bytes[i]);
    }
    return to;
}

static char *put_group(char *to, uint16_t group)
{
    static const char digits[] = "0123456789abcdef";
    if (group >= 0x1000)
        *to++ = digits[group >> 12];
    if (group >= 0x100)
        *to++ = digits[group >> 8 & 15];
    if (group >= 0x10)
        *to++ = digits[group >> 4 & 15];
    *to++ = digits[group & 15];
    return to;
}

/* RFC 5952 section 4: no leading zeros, lower case, "::" for the longest run of two or more zero groups,
 * the first of several; section 5: the dotted form behind ::ffff:0:0/96. */
static char *put_ipv6(char *to, const uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(bytes, mapped, sizeof mapped) == 0) {
        memcpy(to, "::ffff:", 7);
        return put_ipv4(to + 7, bytes + 12);
    }
    uint16_t groups[8];
    for (size_t i = 0; i < 8; i++)
        groups[i] = (uint16_t)((unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1]);

    int run_at = -1;
    int run = 1;
    for (int i = 0; i < 8; i++) {
        int end = i;
        while (end < 8 && !groups[end])
            end++;
        if (end - i > run) {
            run_at = i;
            run = end - i;
        }
        if (end > i)
            i = end - 1;
    }
    for (int i = 0; i < 8; i++) {
        if (i == run_at) {
            *to++ = ':';
            *to++ = ':';
            i += run - 1;
            continue;
        }
        if (i && i != run_at + run)
            *to++ = ':';
        to = put_group(to, groups[i]);
    }
    return to;
}

const char *ip_address_text(const struct ip_address *address, char to[IP_ADDRESS_TEXT_MAX])
{
    char *end = to;
    if (address->family == 4)
        end = put_ipv4(to, address->bytes);
    else if (address->family == 6)
        end = put_ipv6(to, address->bytes);
    *end = '\0';
    return to;
}

bool ip_address_parse(const char *text, struct ip_address *to)
{
    struct ip_address address = {.family = 4};
    if (inet_pton(AF_INET, text, address.bytes) == 1) {
        *to = address;
        return true;
    }
    address = (struct ip_address){.family = 6};
    if (inet_pton(AF_INET6, text, address.bytes) != 1)
        return false;
    *to = address;
    return true;
}

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static unsigned bits_of(const struct ip_address *address)
{
    return address->family == 4 ? 32 : 128;
}

bool ip_address_within(const struct ip_address *address, const struct ip_address *network, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (address->family != network->family || bits > bits_of(network))
        return false;
    if (memcmp(address->bytes, network->bytes, whole) != 0)
        return false;
    return rest == 0 || (address->bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0;
}

/* Decimal, without a sign or spaces. */
static bool read_bits(const char *text, unsigned most, uint8_t *bits)
{
    unsigned value = 0, digits = 0;
    for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++)
        value = value * 10 + (unsigned)(*text - '0');
    *bits = (uint8_t)value;
    return digits > 0 && *text == 0 && value <= most;
}

bool ip_prefix_parse(const char *text, struct ip_address *network, uint8_t *bits)
{
    char address[IP_ADDRESS_TEXT_MAX];
    size_t size = strcspn(text, "/");
    if (size >= sizeof address)
        return false;
    memcpy(address, text, size);
    address[size] = '\0';
    if (!ip_address_parse(address, network))
        return false;
    unsigned most = bits_of(network);
    *bits = (uint8_t)most;
    if (text[size] && !read_bits(text + size + 1, most, bits))
        return false;
    for (unsigned i = *bits; i < most; i++)
        if (network->bytes[i / 8] >> (7 - i % 8) & 1)
            return false;
    return true;
}
