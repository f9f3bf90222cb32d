/* SPDX-License-Identifier: Apache-2.0
 *
 * The connections that a socket accepted, as its monitor tells: their number is bounded, and those on which
 * nobody speaks up are ended.
 */
#include <stdlib.h>
#include <string.h>

#include "cluster/transport_internal.h"

/* Entries of connections that are being cut stay until ZeroMQ says that they are closed. */
#define SPARE 256u

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
