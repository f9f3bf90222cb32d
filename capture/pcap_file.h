/* SPDX-License-Identifier: Apache-2.0
 *
 * Capture files, read as a stream: pcap (draft-ietf-opsawg-pcap) with micro- and nanoseconds, and pcapng
 * (draft-ietf-opsawg-pcapng) with any number of sections and interfaces, of different link types too; in
 * either byte order. Pure: the driver (source.c) brings the bytes, so a pipe is read like a file, in the same
 * memory whatever its size.
 */
#pragma once

#include "base/cursor.h"
#include "capture/packet.h"

#define PCAP_FILE_PACKET_MAX     262144 /* bytes captured of one packet; more is damage (tcpdump's limit) */
#define PCAP_FILE_INTERFACES_MAX 256    /* of one pcapng section; packets of further ones are passed over */
/* The window that pcap_file_next may ask for at most: a packet's block up to the end of its data. */
#define PCAP_FILE_WINDOW_MAX (PCAP_FILE_PACKET_MAX + 64)

enum pcap_file_format {
    PCAP_FILE_UNKNOWN = 0,
    PCAP_FILE_PCAP,
    PCAP_FILE_PCAPNG,
};

struct pcap_file_interface {
    int link_type;    /* DLT_ value */
    uint32_t snaplen; /* 0: none */
    uint64_t ticks;   /* of its clock in a second */
    int64_t offset;   /* seconds to add ([pcapng] if_tsoffset) */
};

struct pcap_file {
    enum pcap_file_format format;
    bool big_endian;
    bool modified;   /* pcap: the record header is 8 bytes longer (the "modified" format of old Red Hats) */
    uint64_t offset; /* of the window's first byte in the file */
    uint64_t skip;   /* bytes still to be passed over */
    uint64_t packets;
    uint64_t ignored; /* packets of unknown interfaces */
    uint32_t interfaces_count;
    struct pcap_file_interface interfaces[PCAP_FILE_INTERFACES_MAX];
    const char *error; /* after PCAP_FILE_BAD: what is wrong, without the file's name */
};

enum pcap_file_verdict {
    PCAP_FILE_OK,   /* `packet` is filled; it points into the window */
    PCAP_FILE_MORE, /* the window must hold `want` bytes, or the file ends here */
    PCAP_FILE_BAD,  /* damage: nothing more can be read; see error and offset */
};

void pcap_file_init(struct pcap_file *file);

/* The next packet of the window. Bytes that are done with are taken off the front of the window; when more
 * are needed, `want` says how many the window must hold in all (at most PCAP_FILE_WINDOW_MAX). */
enum pcap_file_verdict pcap_file_next(struct pcap_file *file, struct bytes *window, size_t *want,
                                      struct packet *packet);
