/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of synchronizers' reports: another node wrote them. What was read is written and must read the
 * same.
 */
#include <stdlib.h>

#include "node/sync_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sync_report report, again;
    uint8_t buffer[REPORT_DATA_MAX];
    if (!sync_report_read(&report, (struct bytes){data, size}))
        return 0;
    size_t written = sync_report_write(buffer, &report);
    if (written == 0)
        return 0;
    if (!sync_report_read(&again, (struct bytes){buffer, written}) || again.objects != report.objects ||
        again.resume.size != report.resume.size || again.progress.lag != report.progress.lag)
        abort();
    return 0;
}
