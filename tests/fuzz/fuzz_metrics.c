/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to the counts' port: any bytes, and each beginning of them.
 */
#include "node/metrics.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > METRICS_REQUEST_MAX)
        return 0;
    /* What is whole stays so: more bytes never make a request incomplete. */
    bool whole = false;
    for (size_t n = 0; n <= size; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        if (!copy)
            return 0;
        memcpy(copy, data, n);
        enum metrics_request request = metrics_request_read((struct bytes){copy, n});
        if (whole && request == METRICS_MORE)
            abort();
        whole = request != METRICS_MORE;
        free(copy);
    }
    return 0;
}
