/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/source_live.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SNAPLEN_DEFAULT 65535
#define RING_DEFAULT    (48 << 20)
#define BLOCK_TIMEOUT   100 /* ms: how long a packet may wait in a block that does not fill */

struct live_source {
    pcap_t *pcap;
    int descriptor;
    int link_type;
    int64_t fraction; /* ns in one unit of tv_usec */
    struct live_counters last;
    live_packet give;
    void *context;
};

static pcap_t *create(const struct live_options *options, char *error, size_t error_size)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    pcap_t *pcap = pcap_create(options->interface, text);
    if (!pcap) {
        snprintf(error, error_size, "%s", text);
        return NULL;
    }
    pcap_set_snaplen(pcap, options->snaplen ? options->snaplen : SNAPLEN_DEFAULT);
    pcap_set_buffer_size(pcap, options->ring_bytes ? options->ring_bytes : RING_DEFAULT);
    pcap_set_promisc(pcap, 1);
    pcap_set_timeout(pcap, BLOCK_TIMEOUT);
    pcap_set_immediate_mode(pcap, 0);
    pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
    return pcap;
}

static bool set_filter(pcap_t *pcap, const char *filter)
{
    struct bpf_program program;
    if (!filter || !*filter)
        return true;
    if (pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
        return false;
    int failed = pcap_setfilter(pcap, &program);
    pcap_freecode(&program);
    return failed == 0;
}

/* The kernel's hash is the same for both directions of a flow; fragments are put together for it (packet(7)).
 */
static bool join_fanout(pcap_t *pcap, uint16_t group)
{
    uint32_t value = group | (uint32_t)(PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG) << 16;
    return setsockopt(pcap_fileno(pcap), SOL_PACKET, PACKET_FANOUT, &value, sizeof(value)) == 0;
}

static bool absent(int status)
{
    return status == PCAP_ERROR_NO_SUCH_DEVICE || status == PCAP_ERROR_IFACE_NOT_UP;
}

/* libpcap's detail often is no more than the words of the status again. */
static void explain(pcap_t *pcap, int status, char *error, size_t error_size)
{
    const char *what = pcap_statustostr(status);
    const char *detail = pcap_geterr(pcap);
    bool more = *detail && strcmp(detail, what) != 0;
    snprintf(error, error_size, "%s%s%s", what, more ? ": " : "", more ? detail : "");
}

struct live_source *live_source_open(const struct live_options *options, char *error, size_t error_size,
                                     bool *again)
{
    *again = false;
    pcap_t *pcap = create(options, error, error_size);
    if (!pcap)
        return NULL;
    char text[PCAP_ERRBUF_SIZE];
    struct live_source *source = NULL;
    int status = pcap_activate(pcap);
    if (status < 0) {
        *again = absent(status);
        explain(pcap, status, error, error_size);
    } else if (!set_filter(pcap, options->filter)) {
        snprintf(error, error_size, "filter: %s", pcap_geterr(pcap));
    } else if (pcap_setnonblock(pcap, 1, text) < 0) {
        snprintf(error, error_size, "%s", text);
    } else if (options->fanout && !join_fanout(pcap, options->fanout_group)) {
        snprintf(error, error_size, "sharing by several threads: %s", strerror(errno));
        *again = errno == ENETDOWN || errno == ENXIO || errno == EINVAL;
    } else if (!(source = calloc(1, sizeof(*source)))) {
        snprintf(error, error_size, "%s", strerror(ENOMEM));
    }
    if (!source) {
        pcap_close(pcap);
        return NULL;
    }
    source->pcap = pcap;
    source->descriptor = pcap_get_selectable_fd(pcap);
    source->link_type = pcap_datalink(pcap);
    source->fraction = pcap_get_tstamp_precision(pcap) == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000;
    return source;
}

void live_source_close(struct live_source **source_p)
{
    struct live_source *source = *source_p;
    if (!source)
        return;
    pcap_close(source->pcap);
    free(source);
    *source_p = NULL;
}

int live_source_descriptor(const struct live_source *source)
{
    return source->descriptor;
}

static void handle(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
    struct live_source *source = (struct live_source *)(void *)user;
    struct packet packet = {
        .time = (int64_t)header->ts.tv_sec * 1000000000 + (int64_t)header->ts.tv_usec * source->fraction,
        .captured = header->caplen,
        .length = header->len,
        .link_type = source->link_type,
        .data = data,
    };
    source->give(source->context, &packet);
}

int live_source_read(struct live_source *source, int max, live_packet give, void *context)
{
    source->give = give;
    source->context = context;
    int n = pcap_dispatch(source->pcap, max, handle, (u_char *)source);
    return n < 0 ? -1 : n;
}

bool live_source_filter(struct live_source *source, const char *filter)
{
    return set_filter(source->pcap, filter);
}

void live_source_counters(struct live_source *source, struct live_counters *counters)
{
    struct pcap_stat s;
    if (pcap_stats(source->pcap, &s) == 0) {
        /* libpcap's are 32 bits wide and wrap; the differences do not, as long as they are read often. */
        source->last.received += (uint32_t)(s.ps_recv - (uint32_t)source->last.received);
        source->last.dropped += (uint32_t)(s.ps_drop - (uint32_t)source->last.dropped);
        source->last.ifdropped += (uint32_t)(s.ps_ifdrop - (uint32_t)source->last.ifdropped);
    }
    *counters = source->last;
}

const char *live_filter_error(const char *filter)
{
    static _Thread_local char error[PCAP_ERRBUF_SIZE];
    struct bpf_program program;
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN_DEFAULT);
    if (!pcap)
        return "out of memory";
    const char *wrong = NULL;
    if (pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0) {
        snprintf(error, sizeof(error), "%s", pcap_geterr(pcap));
        wrong = error;
    } else {
        pcap_freecode(&program);
    }
    pcap_close(pcap);
    return wrong;
}
