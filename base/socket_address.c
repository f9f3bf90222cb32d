/* SPDX-License-Identifier: Apache-2.0 */
#include "base/socket_address.h"

#include <netinet/in.h>
#include <string.h>

socklen_t socket_address_of(const struct endpoint *endpoint, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof *to);
    if (endpoint->address.family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)to;
        in->sin_family = AF_INET;
        in->sin_port = htons(endpoint->port);
        memcpy(&in->sin_addr, endpoint->address.bytes, 4);
        return sizeof *in;
    }
    if (endpoint->address.family != 6)
        return 0;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(endpoint->port);
    memcpy(&in6->sin6_addr, endpoint->address.bytes, 16);
    return sizeof *in6;
}

struct endpoint socket_address_endpoint(const struct sockaddr_storage *from)
{
    struct endpoint endpoint = {0};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        endpoint.address.family = 4;
        memcpy(endpoint.address.bytes, &in->sin_addr, 4);
        endpoint.port = ntohs(in->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
        endpoint.address.family = mapped ? 4 : 6;
        memcpy(endpoint.address.bytes, in6->sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
        endpoint.port = ntohs(in6->sin6_port);
    }
    return endpoint;
}
