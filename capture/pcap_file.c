/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/pcap_file.h"

#include <endian.h>
#include <pcap/dlt.h>
#include <string.h>

/* -- common --------------------------------------------------------------------------------------- */

#define NANOSECONDS 1000000000

void pcap_file_init(struct pcap_file *file)
{
    file->format = PCAP_FILE_UNKNOWN;
    file->big_endian = false;
    file->modified = false;
    file->offset = 0;
    file->skip = 0;
    file->packets = 0;
    file->ignored = 0;
    file->interfaces_count = 0;
    file->error = NULL;
}

static uint16_t u16(const struct pcap_file *file, struct cursor *c)
{
    return file->big_endian ? cursor_be16(c) : cursor_le16(c);
}

static uint32_t u32(const struct pcap_file *file, struct cursor *c)
{
    return file->big_endian ? cursor_be32(c) : cursor_le32(c);
}

static void advance(struct pcap_file *file, struct bytes *window, size_t n)
{
    window->data += n;
    window->size -= n;
    file->offset += n;
}

static enum pcap_file_verdict bad(struct pcap_file *file, const char *error)
{
    file->error = error;
    return PCAP_FILE_BAD;
}

static enum pcap_file_verdict more(size_t n, size_t *want)
{
    *want = n;
    return PCAP_FILE_MORE;
}

/* Link types in files (LINKTYPE_, tcpdump.org/linktypes.html) are the DLT_ values of this machine but for
 * a few that the systems disagreed on. The upper bits of the field tell of a frame check sequence. */
static int link_type_of(uint32_t in_file)
{
    switch (in_file & 0xffff) {
    case 101:
        return DLT_RAW;
    case 100:
        return DLT_ATM_RFC1483;
    case 104:
        return DLT_C_HDLC;
    default:
        return (int)(in_file & 0xffff);
    }
}

/* -- pcap ----------------------------------------------------------------------------------------- */

/* File header: magic 4 | major 2 | minor 2 | reserved 8 | snaplen 4 | link type 4
 * Record: seconds 4 | micro- or nanoseconds 4 | captured 4 | length 4 | data */
enum {
    PCAP_HEADER = 24,
    PCAP_RECORD = 16,
    PCAP_RECORD_MODIFIED = 24,
};

static bool pcap_magic(struct pcap_file *file, uint32_t magic, uint64_t *ticks)
{
    file->modified = false;
    switch (magic) {
    case 0xa1b2c3d4:
        *ticks = 1000000;
        return true;
    case 0xa1b23c4d:
        *ticks = NANOSECONDS;
        return true;
    case 0xa1b2cd34:
        *ticks = 1000000;
        file->modified = true;
        return true;
    default:
        return false;
    }
}

static enum pcap_file_verdict pcap_header(struct pcap_file *file, struct bytes *window, size_t *want,
                                          uint64_t ticks)
{
    if (window->size < PCAP_HEADER)
        return more(PCAP_HEADER, want);
    struct cursor c = cursor_of(window->data + 4, PCAP_HEADER - 4);
    uint16_t major = u16(file, &c);
    cursor_skip(&c, 10);
    uint32_t snaplen = u32(file, &c);
    uint32_t link_type = u32(file, &c);
    if (major != 2)
        return bad(file, "pcap of a version that is not 2.x");
    file->interfaces[0] = (struct pcap_file_interface){
        .link_type = link_type_of(link_type), .snaplen = snaplen, .ticks = ticks};
    file->interfaces_count = 1;
    file->format = PCAP_FILE_PCAP;
    advance(file, window, PCAP_HEADER);
    return PCAP_FILE_OK;
}

/* For every packet, where four reads with their own checks would be felt; the caller has checked. */
static inline uint32_t word_at(const struct pcap_file *file, const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return file->big_endian ? be32toh(word) : le32toh(word);
}

static enum pcap_file_verdict pcap_next_record(struct pcap_file *file, struct bytes *window, size_t *want,
                                               struct packet *packet)
{
    size_t header = file->modified ? PCAP_RECORD_MODIFIED : PCAP_RECORD;
    if (window->size < header)
        return more(header, want);
    uint32_t seconds = word_at(file, window->data), fraction = word_at(file, window->data + 4);
    uint32_t captured = word_at(file, window->data + 8), length = word_at(file, window->data + 12);
    if (captured > PCAP_FILE_PACKET_MAX)
        return bad(file, "record longer than a packet can be");
    if (window->size < header + captured)
        return more(header + captured, want);
    const struct pcap_file_interface *interface = &file->interfaces[0];
    packet->time = (int64_t)seconds * NANOSECONDS +
                   (interface->ticks == NANOSECONDS ? fraction : (int64_t)fraction * 1000);
    packet->captured = captured;
    packet->length = length < captured ? captured : length;
    packet->link_type = interface->link_type;
    packet->data = window->data + header;
    advance(file, window, header + captured);
    file->packets++;
    return PCAP_FILE_OK;
}

/* -- pcapng --------------------------------------------------------------------------------------- */

/* Block: type 4 | total length 4 | body, padded to 4 | total length again 4 ([pcapng] 3.1) */
enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 2, /* obsolete */
    BLOCK_SIMPLE_PACKET = 3,
    BLOCK_ENHANCED_PACKET = 6,

    BLOCK_MIN = 12,
    SECTION_MIN = 28,
    INTERFACE_MIN = 20,
    INTERFACE_WANT_MAX = 65536, /* of an interface's options; the rest is passed over */
    ORDER_MAGIC = 0x1a2b3c4d,
};

static uint64_t power(uint64_t base, unsigned exponent)
{
    uint64_t value = 1;
    while (exponent--)
        value *= base;
    return value;
}

/* if_tsresol ([pcapng] 4.2): ticks of a second as a power of ten, or of two with the high bit set. */
static uint64_t ticks_of(uint8_t resolution)
{
    unsigned exponent = resolution & 0x7f;
    if (resolution & 0x80)
        return exponent < 64 ? power(2, exponent) : 0;
    return exponent < 20 ? power(10, exponent) : 0;
}

static int64_t time_of(const struct pcap_file_interface *interface, uint32_t high, uint32_t low)
{
    uint64_t ticks = (uint64_t)high << 32 | low;
    uint64_t seconds = ticks / interface->ticks, rest = ticks % interface->ticks;
    /* Seconds beyond what fits into nanoseconds since 1970 are damage; any time will do then. */
    uint64_t total = seconds + (uint64_t)interface->offset;
    uint64_t fraction = interface->ticks <= 18446744073u ? rest * NANOSECONDS / interface->ticks
                                                         : rest / (interface->ticks / NANOSECONDS);
    if (fraction >= NANOSECONDS)
        fraction = NANOSECONDS - 1; /* the divisor of a very fine clock was rounded */
    if (total > INT64_MAX / NANOSECONDS - 1)
        return 0;
    return (int64_t)(total * NANOSECONDS + fraction);
}

/* Section header: type | length | byte-order magic 4 | major 2 | minor 2 | section length 8 | options. Each
 * section has its own byte order and its own interfaces. */
static enum pcap_file_verdict section_block(struct pcap_file *file, struct bytes *window, size_t *want)
{
    if (window->size < SECTION_MIN)
        return more(SECTION_MIN, want);
    struct cursor c = cursor_of(window->data + 8, SECTION_MIN - 8);
    uint32_t magic = cursor_be32(&c);
    file->big_endian = magic == ORDER_MAGIC;
    if (!file->big_endian && magic != 0x4d3c2b1a)
        return bad(file, "pcapng section without a byte-order magic");
    if (u16(file, &c) != 1)
        return bad(file, "pcapng of a version that is not 1.x");
    file->format = PCAP_FILE_PCAPNG;
    file->interfaces_count = 0;
    c = cursor_of(window->data + 4, 4);
    uint32_t length = u32(file, &c);
    if (length < SECTION_MIN || length % 4)
        return bad(file, "pcapng section header of a length that cannot be");
    file->skip = length;
    return PCAP_FILE_OK;
}

/* Interface description: link type 2 | reserved 2 | snaplen 4 | options (code 2 | length 2 | value, padded)
 */
static void interface_block(struct pcap_file *file, struct cursor body)
{
    if (file->interfaces_count == PCAP_FILE_INTERFACES_MAX)
        return;
    struct pcap_file_interface *interface = &file->interfaces[file->interfaces_count++];
    *interface = (struct pcap_file_interface){.ticks = 1000000};
    interface->link_type = link_type_of(u16(file, &body));
    cursor_skip(&body, 2);
    interface->snaplen = u32(file, &body);
    while (cursor_left(&body) >= 4) {
        uint16_t code = u16(file, &body), length = u16(file, &body);
        struct cursor value = cursor_sub(&body, length);
        if (code == 0)
            break;
        if (code == 9 && length == 1) {
            uint64_t ticks = ticks_of(cursor_u8(&value));
            interface->ticks = ticks ? ticks : 1000000;
        }
        if (code == 14 && length == 8) {
            uint64_t offset = file->big_endian ? cursor_be64(&value) : cursor_le64(&value);
            interface->offset = (int64_t)offset;
        }
        cursor_skip(&body, (4u - length % 4u) % 4u);
    }
}

/* Enhanced packet: interface 4 | time high 4 | time low 4 | captured 4 | length 4 | data, padded | options
 * Packet (obsolete): interface 2 | drops 2 | the same from there on
 * Simple packet: length 4 | data; of the first interface, without a time */
struct packet_header {
    uint32_t interface;
    uint32_t high;
    uint32_t low;
    uint32_t captured;
    uint32_t length;
};

static struct packet_header packet_header(const struct pcap_file *file, uint32_t type, struct cursor body,
                                          size_t data_max)
{
    struct packet_header h = {0};
    if (type == BLOCK_SIMPLE_PACKET) {
        uint32_t snaplen = file->interfaces_count ? file->interfaces[0].snaplen : 0;
        h.length = u32(file, &body);
        h.captured = snaplen && snaplen < h.length ? snaplen : h.length;
        if (h.captured > data_max)
            h.captured = (uint32_t)data_max;
        return h;
    }
    h.interface = type == BLOCK_PACKET ? u16(file, &body) : u32(file, &body);
    if (type == BLOCK_PACKET)
        cursor_skip(&body, 2);
    h.high = u32(file, &body);
    h.low = u32(file, &body);
    h.captured = u32(file, &body);
    h.length = u32(file, &body);
    return h;
}

static enum pcap_file_verdict packet_block(struct pcap_file *file, struct bytes *window, size_t *want,
                                           uint32_t type, uint32_t length, struct packet *packet, bool *found)
{
    size_t header = type == BLOCK_SIMPLE_PACKET ? 4 : 20;
    if (length < BLOCK_MIN + header)
        return bad(file, "pcapng packet block too short for its header");
    if (window->size < 8 + header)
        return more(8 + header, want);
    size_t data_max = length - BLOCK_MIN - header;
    struct packet_header h = packet_header(file, type, cursor_of(window->data + 8, header), data_max);
    if (h.captured > PCAP_FILE_PACKET_MAX || h.captured > data_max)
        return bad(file, "pcapng packet longer than its block or than a packet can be");
    if (window->size < 8 + header + h.captured)
        return more(8 + header + h.captured, want);

    file->skip = length;
    if (h.interface >= file->interfaces_count) {
        file->ignored++;
        return PCAP_FILE_OK;
    }
    packet->time = time_of(&file->interfaces[h.interface], h.high, h.low);
    packet->link_type = file->interfaces[h.interface].link_type;
    packet->captured = h.captured;
    packet->length = h.length < h.captured ? h.captured : h.length;
    packet->data = window->data + 8 + header;
    file->packets++;
    *found = true;
    return PCAP_FILE_OK;
}

static enum pcap_file_verdict block(struct pcap_file *file, struct bytes *window, size_t *want,
                                    struct packet *packet, bool *found)
{
    if (window->size < 8)
        return more(8, want);
    struct cursor c = cursor_of(window->data, 8);
    uint32_t type = u32(file, &c);
    if (type == BLOCK_SECTION)
        return section_block(file, window, want);
    uint32_t length = u32(file, &c);
    if (length < BLOCK_MIN || length % 4)
        return bad(file, "pcapng block of a length that cannot be");

    switch (type) {
    case BLOCK_INTERFACE: {
        size_t needed = length < INTERFACE_WANT_MAX ? length : INTERFACE_WANT_MAX;
        if (length < INTERFACE_MIN)
            return bad(file, "pcapng interface block too short for its header");
        if (window->size < needed)
            return more(needed, want);
        interface_block(file, cursor_of(window->data + 8, needed - BLOCK_MIN));
        break;
    }
    case BLOCK_PACKET:
    case BLOCK_SIMPLE_PACKET:
    case BLOCK_ENHANCED_PACKET:
        return packet_block(file, window, want, type, length, packet, found);
    default:
        break;
    }
    file->skip = length;
    return PCAP_FILE_OK;
}

/* Takes what is to be passed over off the window; false when the window ended first. */
static bool skip(struct pcap_file *file, struct bytes *window)
{
    size_t n = file->skip < window->size ? (size_t)file->skip : window->size;
    advance(file, window, n);
    file->skip -= n;
    return file->skip == 0;
}

/* -- either --------------------------------------------------------------------------------------- */

static enum pcap_file_verdict begin(struct pcap_file *file, struct bytes *window, size_t *want)
{
    if (window->size < 4)
        return more(4, want);
    struct cursor c = cursor_of(window->data, 4);
    uint32_t magic = cursor_le32(&c);
    if (magic == BLOCK_SECTION)
        return section_block(file, window, want);
    uint64_t ticks;
    file->big_endian = false;
    if (pcap_magic(file, magic, &ticks))
        return pcap_header(file, window, want, ticks);
    file->big_endian = true;
    if (pcap_magic(file, __builtin_bswap32(magic), &ticks))
        return pcap_header(file, window, want, ticks);
    return bad(file, "not a capture file (neither pcap nor pcapng)");
}

enum pcap_file_verdict pcap_file_next(struct pcap_file *file, struct bytes *window, size_t *want,
                                      struct packet *packet)
{
    for (;;) {
        if (file->skip && !skip(file, window))
            return more(1, want);
        if (file->format == PCAP_FILE_PCAP)
            return pcap_next_record(file, window, want, packet);
        bool found = false;
        enum pcap_file_verdict verdict = file->format == PCAP_FILE_PCAPNG
                                             ? block(file, window, want, packet, &found)
                                             : begin(file, window, want);
        if (verdict != PCAP_FILE_OK || found)
            return verdict;
    }
}
