/* SPDX-License-Identifier: Apache-2.0 */
#include "node/option.h"

#include <errno.h>
#include <stdlib.h>

bool option_number(const char *text, int64_t low, int64_t high, int64_t *number)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < low || value > high)
        return false;
    *number = value;
    return true;
}

size_t option_memory(const char *text)
{
    int64_t megabytes;
    return option_number(text, 16, 1048576, &megabytes) ? (size_t)megabytes << 20 : 0;
}
