/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as a capture file, through libpcap, into the engine.
 */
#include "capture/engine.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void discard(void *context, enum activity_kind kind, int64_t time, struct bytes record)
{
    (void)context;
    (void)kind;
    (void)time;
    (void)record;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    FILE *file = fmemopen((void *)(uintptr_t)data, size, "rb");
    if (!file)
        return 0;
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, error);
    if (!pcap) {
        fclose(file);
        return 0;
    }
    struct engine *engine = engine_new(NULL, discard, NULL);
    if (!engine) {
        pcap_close(pcap);
        return 0;
    }
    struct pcap_pkthdr *head;
    const u_char *bytes;
    for (int packets = 0; packets < 10000 && pcap_next_ex(pcap, &head, &bytes) == 1; packets++) {
        uint8_t *copy = malloc(head->caplen ? head->caplen : 1);
        if (!copy)
            break;
        if (head->caplen)
            memcpy(copy, bytes, head->caplen);
        struct packet packet = {
            .time = (int64_t)((uint64_t)head->ts.tv_sec * 1000000000u + (uint64_t)head->ts.tv_usec),
            .captured = head->caplen,
            .length = head->len,
            .link_type = pcap_datalink(pcap),
            .data = copy,
        };
        engine_packet(engine, &packet);
        free(copy);
    }
    engine_finish(engine);
    engine_destroy(&engine);
    pcap_close(pcap);
    return 0;
}
