/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of reports. Signatures are taken as good. What was read is written again and must read the same.
 */
#include <stdlib.h>

#include "cluster/report.h"
#include "tests/fuzz/signatures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct cluster_crypto crypto = {.sign = sign_anything};
    struct report report, again;
    uint8_t buffer[REPORT_MAX_SIZE];
    if (!report_read(&report, (struct bytes){data, size}))
        return 0;
    size_t written = report_write(buffer, sizeof buffer, &report, &crypto);
    require(written > 0 && written <= size);
    require(report_read(&again, (struct bytes){buffer, written}));
    require(report_compare(&report, &again) == 0 && strcmp(report.domain, again.domain) == 0);
    require(report.data.size == again.data.size);
    return 0;
}
