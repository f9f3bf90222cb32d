/* SPDX-License-Identifier: Apache-2.0
 *
 * pcapmix: replays captured sessions many times, with fresh addresses, ports and times, into one interleaved
 * capture: the traffic of a company out of the traffic of a laboratory.
 *
 *     pcapmix OUT.pcap PACKETS PACKETS-PER-SECOND SEED < RECIPE
 *
 * A line of the recipe is `CLASS SHARE CAPTURE`: all captures of a class together make SHARE of the packets;
 * within a class the longer capture gets more packets, but fewer sessions (by the square root of its length).
 * The result depends on the recipe, the captures and the seed alone.
 */
#include <math.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCES_MAX 256
#define FLOWS_MAX   65536
#define FRAME_MAX   300000
#define CLIENTS     20000u
#define SERVERS     8u
#define PAUSE_MAX   0.25 /* longer pauses of a capture are shortened to this, seconds */

struct frame {
    uint32_t length;
    uint32_t captured;
    double time; /* since the session's start */
    uint8_t *bytes;
    uint16_t ip; /* offsets */
    uint16_t transport;
    uint8_t version; /* 4, 6; 0: left as it is */
    uint8_t protocol;
    bool has_ports;
    bool fragment;
    bool from_client;
};

struct source {
    char class[16];
    double share;
    struct frame *frames;
    uint16_t count;
};

struct conversation {
    uint8_t client[16], server[16];
    uint16_t client_port, server_port;
    uint8_t version, protocol;
};

struct occurrence {
    double time;
    uint32_t session;
    uint16_t source;
    uint16_t frame;
};

static struct source sources[SOURCES_MAX];
static int source_count;

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static bool is_service_port(uint16_t port)
{
    static const uint16_t ports[] = {53,  67,  68,  80,   88,   123,  135,  137,  138,  139,  389,  443, 445,
                                     464, 514, 636, 1812, 1813, 1645, 3268, 3269, 3389, 5355, 5985, 9389};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
        if (ports[i] == port)
            return true;
    return false;
}

static size_t address_size(const struct frame *f)
{
    return f->version == 4 ? 4 : 16;
}

static uint8_t *addresses_of(const struct frame *f, uint8_t *bytes)
{
    return bytes + f->ip + (f->version == 4 ? 12 : 8);
}

/* RFC 1071. */
static uint32_t sum_words(const uint8_t *p, size_t n, uint32_t sum)
{
    for (; n > 1; n -= 2, p += 2)
        sum += get16(p);
    return n ? sum + ((uint32_t)p[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* RFC 1624: the checksum after `old` became `new`. */
static void adjust_checksum(uint8_t *checksum, const uint8_t *old, const uint8_t *new, size_t n)
{
    uint32_t sum = (uint16_t)~get16(checksum);
    for (size_t i = 0; i < n; i += 2) {
        sum += (uint16_t)~get16(old + i);
        sum += get16(new + i);
    }
    put16(checksum, (uint16_t)~fold(sum));
}

static void locate_headers(struct frame *f)
{
    const uint8_t *b = f->bytes;
    uint32_t n = f->captured, at = 12;
    if (n < 34)
        return;
    while (get16(b + at) == 0x8100 && n > at + 6)
        at += 4;
    uint16_t type = get16(b + at);
    at += 2;
    if (type == 0x0800) {
        uint32_t header = (b[at] & 15u) * 4u;
        if (n < at + header || header < 20)
            return;
        uint16_t offset = get16(b + at + 6);
        f->fragment = (offset & 0x3fff) != 0;
        f->has_ports = (offset & 0x1fff) == 0;
        f->version = 4;
        f->protocol = b[at + 9];
        f->transport = (uint16_t)(at + header);
    } else if (type == 0x86dd) {
        if (n < at + 48)
            return;
        f->version = 6;
        f->protocol = b[at + 6];
        f->has_ports = true;
        f->transport = (uint16_t)(at + 40);
    } else {
        return;
    }
    f->ip = (uint16_t)at;
    f->has_ports = f->has_ports && (f->protocol == 6 || f->protocol == 17);
    if (f->has_ports && n < f->transport + 8u)
        f->version = 0;
}

static size_t checksum_offset(const struct frame *f)
{
    return f->transport + (f->protocol == 6 ? 16u : 6u);
}

/* Captures taken on the sending host hold no checksums yet (offloading): put the right ones in. */
static void complete_checksums(struct frame *f)
{
    if (!f->version || f->fragment || f->captured < f->length)
        return;
    uint8_t *ip = f->bytes + f->ip;
    uint32_t payload;
    if (f->version == 4) {
        size_t header = (ip[0] & 15u) * 4u;
        put16(ip + 10, 0);
        put16(ip + 10, (uint16_t)~fold(sum_words(ip, header, 0)));
        payload = get16(ip + 2) > header ? (uint32_t)(get16(ip + 2) - header) : 0;
    } else {
        payload = get16(ip + 4);
    }
    uint8_t *transport = f->bytes + f->transport;
    if (!f->has_ports || payload < (f->protocol == 6 ? 20u : 8u) || f->transport + payload > f->captured)
        return;
    uint8_t *checksum = f->bytes + checksum_offset(f);
    if (f->protocol == 17 && get16(checksum) == 0)
        return;
    put16(checksum, 0);
    uint32_t sum = sum_words(addresses_of(f, f->bytes), address_size(f) * 2, 0) + f->protocol + payload;
    uint16_t result = (uint16_t)~fold(sum_words(transport, payload, sum));
    put16(checksum, f->protocol == 17 && !result ? 0xffff : result);
}

/* Who of the two is the client: the first to speak, unless only it speaks from a service's port. */
static bool sent_by_client(const struct frame *f, struct conversation *known, int *count)
{
    size_t size = address_size(f);
    const uint8_t *from = addresses_of(f, f->bytes), *to = from + size;
    uint16_t from_port = 0, to_port = 0;
    if (f->has_ports) {
        from_port = get16(f->bytes + f->transport);
        to_port = get16(f->bytes + f->transport + 2);
    }
    for (int i = 0; i < *count; i++) {
        const struct conversation *c = &known[i];
        if (c->version != f->version || c->protocol != f->protocol)
            continue;
        if (!memcmp(c->client, from, size) && !memcmp(c->server, to, size) && c->client_port == from_port &&
            c->server_port == to_port)
            return true;
        if (!memcmp(c->client, to, size) && !memcmp(c->server, from, size) && c->client_port == to_port &&
            c->server_port == from_port)
            return false;
    }
    bool client = !is_service_port(from_port) || is_service_port(to_port);
    if (*count == FLOWS_MAX)
        return client;
    struct conversation *c = &known[(*count)++];
    *c = (struct conversation){.version = f->version, .protocol = f->protocol};
    memcpy(client ? c->client : c->server, from, size);
    memcpy(client ? c->server : c->client, to, size);
    c->client_port = client ? from_port : to_port;
    c->server_port = client ? to_port : from_port;
    return client;
}

static void *must(void *memory)
{
    if (!memory) {
        fprintf(stderr, "pcapmix: out of memory\n");
        exit(1);
    }
    return memory;
}

static void load(struct source *s, const char *path)
{
    static struct conversation known[FLOWS_MAX];
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline(path, error);
    if (!pcap) {
        fprintf(stderr, "pcapmix: %s: %s\n", path, error);
        exit(1);
    }
    if (pcap_datalink(pcap) != DLT_EN10MB) {
        fprintf(stderr, "pcapmix: %s: not Ethernet\n", path);
        exit(1);
    }
    struct pcap_pkthdr *header;
    const u_char *data;
    int conversations = 0;
    size_t capacity = 0;
    double last = 0, time = 0;
    while (pcap_next_ex(pcap, &header, &data) == 1 && s->count < UINT16_MAX) {
        if (header->caplen < 14 || header->caplen > FRAME_MAX)
            continue;
        if (s->count == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            s->frames = must(realloc(s->frames, capacity * sizeof *s->frames));
        }
        double stamp = (double)header->ts.tv_sec + (double)header->ts.tv_usec / 1e6;
        if (s->count)
            time += fmin(fmax(stamp - last, 0), PAUSE_MAX);
        last = stamp;
        struct frame *f = &s->frames[s->count++];
        *f = (struct frame){.length = header->len, .captured = header->caplen, .time = time};
        f->bytes = must(malloc(header->caplen));
        memcpy(f->bytes, data, header->caplen);
        locate_headers(f);
        if (!f->version)
            continue;
        complete_checksums(f);
        f->from_client = sent_by_client(f, known, &conversations);
    }
    pcap_close(pcap);
}

static bool is_special_ipv4(const uint8_t *a)
{
    return a[0] >= 224 || a[0] == 127 || a[3] == 255;
}

/* The address that `old` has in this session: one of the controllers, or one of the many clients. */
static void new_address(uint8_t *to, const uint8_t *old, size_t size, uint32_t session, bool server)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < size; i++)
        hash = mix(hash ^ old[i] ^ hash << 7);
    memcpy(to, old, size);
    if (size == 16) {
        uint64_t k = mix(hash + (server ? session % SERVERS : session) * 104729ULL);
        if (old[0] != 0xff)
            memcpy(to + 10, &k, 6);
        return;
    }
    if (is_special_ipv4(old))
        return;
    to[0] = 10;
    if (server) {
        to[1] = to[2] = 0;
        to[3] = (uint8_t)(10 + mix(hash ^ session * 7919ULL) % SERVERS);
        return;
    }
    uint32_t k = (uint32_t)(mix(hash + session * 104729ULL) % CLIENTS);
    to[1] = (uint8_t)(20 + k / 2500);
    to[2] = (uint8_t)(k % 2500 / 250);
    to[3] = (uint8_t)(1 + k % 250);
}

static void rewrite(const struct frame *f, uint8_t *bytes, uint32_t session, uint16_t source)
{
    size_t size = address_size(f), n = size * 2;
    uint8_t *addresses = addresses_of(f, bytes), *transport = bytes + f->transport;
    uint8_t old[36], new[36];
    memcpy(old, addresses, n);
    new_address(new, old, size, session, !f->from_client);
    new_address(new + size, old + size, size, session, f->from_client);
    if (f->has_ports) {
        memcpy(old + n, transport, 4);
        memcpy(new + n, transport, 4);
        size_t at = n + (f->from_client ? 0 : 2);
        uint16_t port = get16(old + at);
        if (!is_service_port(port))
            put16(new + at,
                  (uint32_t)(20000 + mix((uint64_t)session << 20 ^ (uint64_t)source << 48 ^ port) % 45000));
    }
    if (f->version == 4)
        adjust_checksum(bytes + f->ip + 10, old, new, 8);
    memcpy(addresses, new, n);
    if (!f->has_ports)
        return;
    size_t checksum = checksum_offset(f);
    if (checksum + 2 <= f->captured && !(f->protocol == 17 && get16(bytes + checksum) == 0))
        adjust_checksum(bytes + checksum, old, new, n + 4);
    memcpy(transport, new + n, 4);
}

static int by_time(const void *left, const void *right)
{
    const struct occurrence *a = left, *b = right;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    if (a->session != b->session)
        return a->session < b->session ? -1 : 1;
    return a->frame - b->frame;
}

/* How often the capture is to be replayed for its class to make its share. */
static long sessions_of(const struct source *s, long packets)
{
    double weight = 0;
    for (int i = 0; i < source_count; i++)
        if (strcmp(sources[i].class, s->class) == 0)
            weight += sqrt(sources[i].count);
    long sessions = lround(s->share * (double)packets / weight / sqrt(s->count));
    return sessions < 1 ? 1 : sessions;
}

static void read_recipe(void)
{
    char line[700], class[16], path[512];
    double share;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%15s %lf %511s", class, &share, path) != 3)
            continue;
        if (source_count == SOURCES_MAX) {
            fprintf(stderr, "pcapmix: more than %d captures\n", SOURCES_MAX);
            exit(1);
        }
        struct source *s = &sources[source_count];
        *s = (struct source){.share = share};
        memcpy(s->class, class, sizeof class);
        load(s, path);
        if (s->count)
            source_count++;
    }
}

static struct occurrence *schedule(long packets, double rate, uint64_t seed, size_t *count,
                                   uint32_t *sessions)
{
    size_t capacity = (size_t)packets + (size_t)packets / 5 + 100000, n = 0;
    struct occurrence *all = must(malloc(capacity * sizeof *all));
    uint32_t session = 0;
    for (int i = 0; i < source_count; i++)
        for (long k = sessions_of(&sources[i], packets); k > 0; k--) {
            session++;
            double uniform = (double)(mix(seed ^ mix(session)) >> 11) * (1.0 / 9007199254740992.0);
            double start = uniform * (double)packets / rate;
            for (uint16_t j = 0; j < sources[i].count && n < capacity; j++)
                all[n++] = (struct occurrence){.time = start + sources[i].frames[j].time + j * 1e-6,
                                               .session = session,
                                               .source = (uint16_t)i,
                                               .frame = j};
        }
    qsort(all, n, sizeof *all, by_time);
    *count = n;
    *sessions = session;
    return all;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: pcapmix OUT.pcap PACKETS PACKETS-PER-SECOND SEED < RECIPE\n");
        return 2;
    }
    long packets = strtol(argv[2], NULL, 10);
    double rate = strtod(argv[3], NULL);
    uint64_t seed = strtoull(argv[4], NULL, 10);
    if (packets < 1 || rate <= 0)
        return 2;
    read_recipe();

    size_t count;
    uint32_t sessions;
    struct occurrence *all = schedule(packets, rate, seed, &count, &sessions);

    pcap_t *dead = pcap_open_dead(DLT_EN10MB, 262144);
    pcap_dumper_t *out = pcap_dump_open(dead, argv[1]);
    if (!out) {
        fprintf(stderr, "pcapmix: %s: %s\n", argv[1], pcap_geterr(dead));
        return 1;
    }
    static uint8_t bytes[FRAME_MAX];
    unsigned long long total = 0;
    for (size_t i = 0; i < count; i++) {
        const struct frame *f = &sources[all[i].source].frames[all[i].frame];
        memcpy(bytes, f->bytes, f->captured);
        if (f->version)
            rewrite(f, bytes, all[i].session, all[i].source);
        double time = 1700000000.0 + all[i].time;
        struct pcap_pkthdr header = {.caplen = f->captured, .len = f->length};
        header.ts.tv_sec = (time_t)time;
        header.ts.tv_usec = (suseconds_t)((time - floor(time)) * 1e6);
        total += f->captured;
        pcap_dump((u_char *)out, &header, bytes);
    }
    pcap_dump_close(out);
    pcap_close(dead);
    printf("%zu packets, %llu bytes, %u sessions\n", count, total, sessions);
    return 0;
}
