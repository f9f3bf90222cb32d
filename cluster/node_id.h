/* SPDX-License-Identifier: Apache-2.0
 *
 * Who a node is: 16 random bytes that the fleet's authority put into the node's grant. Not a hash of its key:
 * the key can be rotated, the id stays.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NODE_ID_SIZE      16u
#define NODE_ID_TEXT_SIZE 33u /* 32 hexadecimal digits and a NUL */

struct node_id {
    uint8_t bytes[NODE_ID_SIZE];
};

static inline bool node_id_equal(const struct node_id *a, const struct node_id *b)
{
    return memcmp(a->bytes, b->bytes, NODE_ID_SIZE) == 0;
}

/* Less than, equal to or greater than zero, in the order of their bytes: the order of tokens. */
static inline int node_id_compare(const struct node_id *a, const struct node_id *b)
{
    return memcmp(a->bytes, b->bytes, NODE_ID_SIZE);
}

static inline bool node_id_is_zero(const struct node_id *id)
{
    static const struct node_id zero;
    return node_id_equal(id, &zero);
}

/* The first eight bytes, big-endian: the name of a node in heartbeats. Unique in a fleet; a second member
 * with the same one is refused. */
static inline uint64_t node_id_short(const struct node_id *id)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | id->bytes[i];
    return value;
}

/* 32 lower-case hexadecimal digits into text[NODE_ID_TEXT_SIZE]; returns text. */
const char *node_id_text(const struct node_id *id, char *text);

/* Reads 32 hexadecimal digits that end with the string. False on anything else. */
bool node_id_parse(struct node_id *id, const char *text);
