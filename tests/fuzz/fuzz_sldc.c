/* SPDX-License-Identifier: Apache-2.0
 *
 * The decoder of SLDC: any message, into memory of just the size that it says (up to 64 KiB).
 */
#include <stdlib.h>

#include "events/sldc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes message = {.data = data, .size = size};
    size_t says = sldc_size(message) & 0xffff;
    uint8_t *to = malloc(says ? says : 1);
    if (!to)
        return 0;
    sldc_decode(message, to, says);
    free(to);
    return 0;
}
