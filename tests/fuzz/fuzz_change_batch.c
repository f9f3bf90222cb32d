/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of batches that rest in the spool.
 */
#include "node/change_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct change_batch batch;
    struct change_summary change;
    if (change_batch_read(&batch, (struct bytes){data, size}))
        while (change_batch_next(&batch, &change))
            continue;
    return 0;
}
