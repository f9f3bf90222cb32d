/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/tcp_address.h"

#include <stdio.h>
#include <string.h>

static bool port_parse(const char *text, uint16_t *port)
{
    unsigned value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > UINT16_MAX)
            return false;
    }
    *port = (uint16_t)value;
    return true;
}

static bool of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

static bool host_parse(struct tcp_address *to, bool bracketed)
{
    if (ip_address_parse(to->host, &to->at.address)) {
        to->host[0] = 0;
        return bracketed == (to->at.address.family == 6);
    }
    to->at.address = (struct ip_address){0};
    if (bracketed || !to->host[0])
        return false;
    if (strcmp(to->host, "*") == 0) {
        to->host[0] = 0;
        to->any = true;
        return true;
    }
    for (const char *c = to->host; *c; c++)
        if (!of_name(*c))
            return false;
    return true;
}

bool tcp_address_parse(struct tcp_address *to, const char *text)
{
    static const char scheme[] = "tcp://";
    *to = (struct tcp_address){0};
    if (strncmp(text, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *host = text + sizeof scheme - 1;
    const char *colon = strrchr(host, ':');
    if (!colon || !port_parse(colon + 1, &to->at.port))
        return false;
    size_t size = (size_t)(colon - host);
    bool bracketed = size >= 2 && host[0] == '[' && host[size - 1] == ']';
    if (bracketed) {
        host++;
        size -= 2;
    }
    if (size >= TCP_HOST_MAX)
        return false;
    memcpy(to->host, host, size);
    to->host[size] = 0;
    return host_parse(to, bracketed);
}

const char *tcp_address_text(const struct endpoint *at, char to[TCP_ADDRESS_MAX])
{
    char address[IP_ADDRESS_TEXT_MAX];
    ip_address_text(&at->address, address);
    snprintf(to, TCP_ADDRESS_MAX, at->address.family == 6 ? "tcp://[%s]:%u" : "tcp://%s:%u", address,
             (unsigned)at->port);
    return to;
}

struct endpoint tcp_address_from(const struct sockaddr_storage *from)
{
    struct endpoint at = {0};
    if (from->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        at.address.family = 4;
        memcpy(at.address.bytes, &v4.sin_addr, 4);
        at.port = ntohs(v4.sin_port);
    } else if (from->ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, from, sizeof v6);
        at.address.family = 6;
        memcpy(at.address.bytes, &v6.sin6_addr, 16);
        at.port = ntohs(v6.sin6_port);
    }
    return at;
}

socklen_t tcp_address_to(const struct endpoint *at, struct sockaddr_storage *to)
{
    *to = (struct sockaddr_storage){0};
    if (at->address.family == 4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(at->port)};
        memcpy(&v4.sin_addr, at->address.bytes, 4);
        memcpy(to, &v4, sizeof v4);
        return sizeof v4;
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(at->port)};
    memcpy(&v6.sin6_addr, at->address.bytes, 16);
    memcpy(to, &v6, sizeof v6);
    return sizeof v6;
}
