/* SPDX-License-Identifier: Apache-2.0
 *
 * Samba's audit log: the input is a line.
 */
#include <stdlib.h>
#include <string.h>

#include "events/audit_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct activity_writer writer;
static struct activity activity;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size + 1);
    if (!exact)
        return 0;
    memcpy(exact, data, size);
    if (audit_log_translate((struct bytes){exact, size}, "dc1", &writer) == EVENT_TOLD) {
        struct cursor c = cursor_of_bytes(activity_finish(&writer));
        if (!activity_decode(&c, &activity) || !cursor_done(&c))
            abort();
    }
    free(exact);
    return 0;
}
