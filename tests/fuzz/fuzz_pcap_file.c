/* SPDX-License-Identifier: Apache-2.0
 *
 * Capture files: any bytes, given in windows of an exact size; the first byte of the input says how large the
 * steps are. What comes out must lie within the window.
 */
#include "capture/pcap_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pcap_file file;
    if (size < 1)
        return 0;
    size_t step = data[0] ? data[0] * 16u : size;
    data++;
    size--;
    pcap_file_init(&file);
    size_t start = 0, end = 0, want = 1;
    enum pcap_file_verdict verdict = PCAP_FILE_MORE;
    while (verdict != PCAP_FILE_BAD && (end < size || want == 1)) {
        end = end + step < size ? end + step : size;
        uint8_t *exact = malloc(end - start + 1);
        if (!exact)
            return 0;
        memcpy(exact, data + start, end - start);
        struct bytes window = {.data = exact, .size = end - start};
        struct packet packet;
        want = 0;
        while ((verdict = pcap_file_next(&file, &window, &want, &packet)) == PCAP_FILE_OK) {
            if (packet.data < exact || packet.captured > (size_t)(exact + (end - start) - packet.data))
                abort();
            volatile uint8_t sum = 0;
            for (uint32_t i = 0; i < packet.captured; i++)
                sum = (uint8_t)(sum + packet.data[i]);
        }
        if (verdict == PCAP_FILE_MORE && (want <= window.size || want > PCAP_FILE_WINDOW_MAX))
            abort();
        start = end - window.size;
        want = 0;
        free(exact);
    }
    return 0;
}
