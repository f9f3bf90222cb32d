/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/filter.h"

#include "capture/dissect.h"

#include <stdio.h>
#include <stdlib.h>

/* Where RPC servers listen that the endpoint mapper names: IANA's dynamic ports, which Windows and Samba use.
 */
#define RPC_DYNAMIC "tcp portrange 49152-65535"

/* GRE is IP protocol 47; VXLAN is UDP 4789 (RFC 7348); later fragments have an offset, IPv6's a header 44. */
#define TUNNELS   "proto 47 or udp port 4789"
#define FRAGMENTS "ip[6:2] & 0x1fff != 0 or ip6 proto 44"

struct text {
    char *data;
    size_t size;
    size_t capacity;
    bool full;
};

static void add(struct text *t, const char *what)
{
    size_t n = strlen(what);
    if (t->full || n >= t->capacity - t->size) {
        t->full = true;
        return;
    }
    memcpy(t->data + t->size, what, n + 1);
    t->size += n;
}

static void add_ports(struct text *t, const char *transport, const uint16_t ports[PROTOCOL_PORTS_MAX])
{
    char part[48];
    for (size_t i = 0; i < PROTOCOL_PORTS_MAX && ports[i]; i++) {
        snprintf(part, sizeof(part), "%s port %u or ", transport, ports[i]);
        add(t, part);
    }
}

static void add_protocols(struct text *t)
{
    for (int i = 0; i < PROTOCOLS; i++) {
        const struct protocol *protocol = protocol_get((enum protocol_id)i);
        if (!protocol)
            continue;
        add_ports(t, "tcp", protocol->tcp_ports);
        add_ports(t, "udp", protocol->udp_ports);
    }
}

static void add_extra_ports(struct text *t, const struct filter_options *options)
{
    char part[48];
    for (size_t i = 0; i < options->ports_count; i++) {
        snprintf(part, sizeof(part), "portrange %u-%u or ", options->ports[i].first, options->ports[i].last);
        add(t, part);
    }
}

static void add_controllers(struct text *t, const struct filter_options *options)
{
    char address[IP_ADDRESS_TEXT_MAX];
    for (size_t i = 0; i < options->controllers_count; i++) {
        add(t, "host ");
        add(t, ip_address_text(&options->controllers[i], address));
        add(t, " or ");
    }
}

/* What passes, without regard to VLAN tags. */
static void add_wanted(struct text *t, const struct filter_options *options)
{
    if (options->controllers_count > 0) {
        add_controllers(t, options);
        add(t, TUNNELS);
        return;
    }
    add_protocols(t);
    add_extra_ports(t, options);
    add(t, RPC_DYNAMIC " or " FRAGMENTS " or " TUNNELS);
}

bool filter_build(const struct filter_options *options, char text[FILTER_TEXT_MAX])
{
    struct text t = {.data = text, .size = 0, .capacity = FILTER_TEXT_MAX};
    text[0] = '\0';
    add(&t, "(");
    add_wanted(&t, options);
    /* Each "vlan" moves what follows it behind one more tag, so these come last. */
    for (int tags = 0; tags < 2; tags++) {
        add(&t, ") or (vlan and (");
        add_wanted(&t, options);
        add(&t, ")");
    }
    add(&t, ")");
    return !t.full;
}

bool filter_add_ports(struct filter_options *options, const char *text)
{
    char *end;
    unsigned long first = strtoul(text, &end, 10);
    unsigned long last = first;
    if (end != text && *end == '-')
        last = strtoul(end + 1, &end, 10);
    if (end == text || *end || first == 0 || last < first || last > 65535 ||
        options->ports_count == FILTER_PORTS_MAX)
        return false;
    options->ports[options->ports_count++] =
        (struct port_range){.first = (uint16_t)first, .last = (uint16_t)last};
    return true;
}

bool filter_add_controller(struct filter_options *options, const char *text)
{
    if (options->controllers_count == FILTER_CONTROLLERS_MAX ||
        !ip_address_parse(text, &options->controllers[options->controllers_count]))
        return false;
    options->controllers_count++;
    return true;
}
