/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/connections.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

/* Entries of connections that are being cut stay until ZeroMQ says that they are closed. */
#define SPARE 256u

/* The first frame: the event's number in two bytes, its value in four, both in the machine's order; the
 * second frame: the endpoint. */
bool socket_event_take(void *monitor, struct socket_event *event)
{
    uint8_t first[6] = {0};
    int more = 0;
    size_t size = sizeof more;
    *event = (struct socket_event){0};
    if (!monitor || zmq_recv(monitor, first, sizeof first, ZMQ_DONTWAIT) < 0)
        return false;
    uint16_t type;
    int32_t value;
    memcpy(&type, first, sizeof type);
    memcpy(&value, first + 2, sizeof value);
    event->type = type;
    event->fd = value;
    zmq_getsockopt(monitor, ZMQ_RCVMORE, &more, &size);
    if (more)
        zmq_recv(monitor, event->endpoint, sizeof event->endpoint - 1, ZMQ_DONTWAIT);
    return true;
}

void connection_address(int fd, char to[TCP_ADDRESS_MAX])
{
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof from;
    to[0] = 0;
    if (fd < 0 || getpeername(fd, (struct sockaddr *)&from, &size) != 0)
        return;
    struct endpoint at = tcp_address_from(&from);
    char text[TCP_ADDRESS_MAX];
    if (at.address.family)
        snprintf(to, TCP_ADDRESS_MAX, "%s", tcp_address_text(&at, text));
}

void connection_cut(int fd, const char *address)
{
    char now[TCP_ADDRESS_MAX];
    connection_address(fd, now);
    if (now[0] && strcmp(now, address) == 0)
        shutdown(fd, SHUT_RDWR);
}

bool inbound_init(struct inbound_table *table, uint32_t max)
{
    *table = (struct inbound_table){.max = max, .capacity = max + SPARE};
    table->entries = calloc(table->capacity, sizeof *table->entries);
    return table->entries;
}

void inbound_free(struct inbound_table *table)
{
    free(table->entries);
    *table = (struct inbound_table){0};
}

static struct inbound *find(const struct inbound_table *table, int fd)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (table->entries[i].fd == fd)
            return &table->entries[i];
    return NULL;
}

static uint32_t open_ones(const struct inbound_table *table)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < table->count; i++)
        open += !table->entries[i].shut;
    return open;
}

static void cut(struct inbound *entry)
{
    entry->shut = true;
    connection_cut(entry->fd, entry->address);
}

bool inbound_add(struct inbound_table *table, int fd, int64_t now)
{
    char address[TCP_ADDRESS_MAX];
    connection_address(fd, address);
    if (!address[0])
        return true; /* closed already */
    struct inbound *entry = find(table, fd);
    if (!entry && table->count == table->capacity) {
        connection_cut(fd, address);
        return false;
    }
    bool room = open_ones(table) < table->max;
    if (!entry)
        entry = &table->entries[table->count++];
    *entry = (struct inbound){.fd = fd, .since = now};
    memcpy(entry->address, address, sizeof address);
    if (!room)
        cut(entry);
    return room;
}

void inbound_remove(struct inbound_table *table, int fd)
{
    struct inbound *entry = find(table, fd);
    if (entry)
        *entry = table->entries[--table->count];
}

void inbound_spoke(struct inbound_table *table, int fd)
{
    struct inbound *entry = find(table, fd);
    if (entry)
        entry->spoke = true;
}

uint32_t inbound_cut_silent(struct inbound_table *table, int64_t since)
{
    uint32_t silent = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        struct inbound *entry = &table->entries[i];
        if (entry->spoke || entry->shut || entry->since >= since)
            continue;
        cut(entry);
        silent++;
    }
    return silent;
}
