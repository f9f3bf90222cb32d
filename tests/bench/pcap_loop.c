/* SPDX-License-Identifier: Apache-2.0
 *
 * The floor: a bare libpcap loop over a capture that looks at one byte of each packet.
 */
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: pcap_loop FILE\n");
        return 2;
    }
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline(argv[1], error);
    if (!pcap) {
        fprintf(stderr, "pcap_loop: %s\n", error);
        return 1;
    }
    struct pcap_pkthdr *header;
    const u_char *data;
    uint64_t packets = 0, sum = 0;
    while (pcap_next_ex(pcap, &header, &data) == 1) {
        packets++;
        sum += header->caplen ? data[0] : 0;
    }
    pcap_close(pcap);
    printf("%llu %llu\n", (unsigned long long)packets, (unsigned long long)sum);
    return 0;
}
