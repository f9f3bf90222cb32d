/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/node_id.h"

#include <stddef.h>

const char *node_id_text(const struct node_id *id, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < NODE_ID_SIZE; i++) {
        text[2 * i] = digits[id->bytes[i] >> 4];
        text[2 * i + 1] = digits[id->bytes[i] & 15];
    }
    text[2 * NODE_ID_SIZE] = '\0';
    return text;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool node_id_parse(struct node_id *id, const char *text)
{
    for (size_t i = 0; i < NODE_ID_SIZE; i++) {
        int high = digit_value(text[2 * i]);
        int low = high < 0 ? -1 : digit_value(text[2 * i + 1]);
        if (low < 0)
            return false;
        id->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * NODE_ID_SIZE] == '\0';
}
