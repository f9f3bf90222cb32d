/* SPDX-License-Identifier: Apache-2.0
 *
 * The packet filter (BPF, pcap-filter(7)) that fits what is watched: so that the kernel drops what no
 * dissector would look at.
 */
#pragma once

#include "base/address.h"

#include <stddef.h>

#define FILTER_TEXT_MAX        16384
#define FILTER_CONTROLLERS_MAX 64
#define FILTER_PORTS_MAX       64

struct port_range {
    uint16_t first;
    uint16_t last;
};

struct filter_options {
    size_t controllers_count; /* none: any host */
    struct ip_address controllers[FILTER_CONTROLLERS_MAX];
    size_t ports_count; /* beside the ports of the protocols that Picket knows */
    struct port_range ports[FILTER_PORTS_MAX];
};

/* "3890" or "8000-8010"; false when it is neither, or there is no room. */
bool filter_add_ports(struct filter_options *options, const char *text);

/* An address of a domain controller; false when it is none, or there is no room. */
bool filter_add_controller(struct filter_options *options, const char *text);

/* The filter's text; false when it does not fit. It passes the protocols' ports, the dynamic RPC ports, IP
 * fragments (they have no ports), tunnels that mirrors come in (GRE with ERSPAN, VXLAN), all of them bare or
 * with one or two VLAN tags. With controllers, only what goes to or from them, on any port; tunnels pass
 * whatever is inside. */
bool filter_build(const struct filter_options *options, char text[FILTER_TEXT_MAX]);
