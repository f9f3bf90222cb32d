/* SPDX-License-Identifier: Apache-2.0
 *
 * RADIUS accounting: what a request costs, from the socket to the answer in the socket, with its activity
 * made and given away. A child sends 300,000 different requests over loopback, 512 on their way at most; only
 * the listener's process is measured.
 */
#include "base/clock.h"
#include "events/radius_listener.h"
#include "tests/unit/radius_wire.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REQUESTS = 300000, ROUND = 512, ONE = 192 };

struct request {
    uint16_t size;
    uint8_t bytes[ONE];
};

static struct request *requests;
static struct radius_listener *listener;
static uint64_t bytes_kept;

static void make_requests(void)
{
    struct radius_request r;
    requests = calloc(REQUESTS, sizeof *requests);
    if (!requests)
        abort();
    for (uint32_t i = 0; i < REQUESTS; i++) {
        char text[32];
        snprintf(text, sizeof text, "s-%08x", i);
        request_begin(&r, (uint8_t)i, 1 + i % 3, text);
        snprintf(text, sizeof text, "CORP\\user%05u", i % 20000);
        request_text(&r, 1, text);
        request_uint(&r, 4, 0x0a4d0032);
        request_text(&r, 32, "vpn-gw1");
        request_uint(&r, 61, 5);
        request_uint(&r, 8, 0x0a4d0000 + i % 65536);
        request_text(&r, 31, "203.0.113.7");
        request_text(&r, 30, "198.51.100.1");
        request_put(&r, 66,
                    "\0"
                    "203.0.113.7",
                    12);
        request_uint(&r, 55, 1795314717);
        request_sign(&r, "testing123");
        requests[i].size = (uint16_t)r.size;
        memcpy(requests[i].bytes, r.bytes, r.size);
    }
}

static bool keep(void *context, struct bytes record, uint64_t tag)
{
    (void)context;
    bytes_kept += record.size;
    radius_listener_kept(listener, tag);
    return true;
}

/* Some seconds without an answer: it was lost. */
static int send_all(uint16_t port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    static struct mmsghdr messages[ROUND];
    static struct iovec parts[ROUND];
    static uint8_t replies[ROUND][64];
    int s = socket(AF_INET, SOCK_DGRAM, 0), buffer = 4 << 20;
    unsigned answered = 0;
    setsockopt(s, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (connect(s, (const struct sockaddr *)&to, sizeof to) < 0)
        return 1;
    for (unsigned first = 0; first < REQUESTS; first += ROUND) {
        unsigned count = REQUESTS - first < ROUND ? REQUESTS - first : ROUND, got = 0;
        for (unsigned i = 0; i < count; i++) {
            parts[i] = (struct iovec){requests[first + i].bytes, requests[first + i].size};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
        }
        for (unsigned sent = 0; sent < count;) {
            int n = sendmmsg(s, messages + sent, count - sent, 0);
            sent += n > 0 ? (unsigned)n : 0;
        }
        struct pollfd fd = {.fd = s, .events = POLLIN};
        while (got < count && poll(&fd, 1, 2000) == 1) {
            for (unsigned i = 0; i < ROUND; i++) {
                parts[i] = (struct iovec){replies[i], sizeof replies[i]};
                messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
            }
            int n = recvmmsg(s, messages, ROUND, MSG_DONTWAIT, NULL);
            got += n > 0 ? (unsigned)n : 0;
        }
        answered += got;
    }
    printf("answered: %u of %u\n", answered, REQUESTS);
    return answered == REQUESTS ? 0 : 1;
}

static double used(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int over_sockets(const char *secret_path)
{
    struct fault fault;
    struct radius_listener_status status;
    struct radius_client_file client = {.secret = secret_path};
    const struct endpoint listen = {{6, {0}}, 0};
    struct quarantine *quarantine = quarantine_new(1);
    const struct intake_config to = {.input = "radius", .record = keep, .quarantine = quarantine};
    struct intake *intake = quarantine ? intake_new(&to) : NULL;
    ip_prefix_parse("127.0.0.0/8", &client.network, &client.bits);
    const struct radius_listener_config config = {.listen = &listen,
                                                  .listen_count = 1,
                                                  .clients = &client,
                                                  .client_count = 1,
                                                  .rate = 1000000,
                                                  .intake = intake};
    listener = intake ? radius_listener_start(&config, &fault) : NULL;
    if (!listener)
        return 1;
    radius_listener_status(listener, &status);
    double began = used();
    int64_t clock = clock_monotonic(clock_system());
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        exit(send_all(status.port));
    int result = 1;
    waitpid(child, &result, 0);
    double cost = used() - began, took = (double)(clock_monotonic(clock_system()) - clock) / 1e9;
    radius_listener_stop(&listener);
    intake_destroy(&intake);
    quarantine_destroy(&quarantine);
    printf("socket to socket: %.0f requests per CPU-second (%.2f us each; %.0f/s with the sender beside)\n",
           REQUESTS / cost, cost / REQUESTS * 1e6, REQUESTS / took);
    return result;
}

static void core_alone(void)
{
    static struct activity_writer writer;
    static struct radius_outcome outcome;
    struct radius_client client = {{4, {127, 0, 0, 0}}, 8, "testing123"};
    const struct radius_accounting_config config = {.clients = &client,
                                                    .client_count = 1,
                                                    .rate = 1000000,
                                                    .repeats = 65536,
                                                    .repeat_time = 300 * CLOCK_SECOND,
                                                    .seed = 1};
    struct radius_accounting *server = radius_accounting_new(&config);
    unsigned records = 0;
    double began = used();
    for (unsigned i = 0; server && i < REQUESTS; i++) {
        const struct radius_datagram datagram = {.bytes = {requests[i].bytes, requests[i].size},
                                                 .from = {{4, {127, 0, 0, 1}}, 5000},
                                                 .monotonic = (int64_t)i * CLOCK_MICROSECOND};
        radius_accounting_take(server, &datagram, &writer, &outcome);
        if (outcome.verdict != RADIUS_RECORD)
            continue;
        records++;
        bytes_kept += activity_finish(&writer).size;
        radius_accounting_settle(server, outcome.ticket, true);
    }
    double cost = used() - began;
    radius_accounting_destroy(&server);
    printf("core alone: %.0f requests per CPU-second, %u records of %u\n", REQUESTS / cost, records,
           REQUESTS);
}

int main(void)
{
    char path[] = "/tmp/picket-radius-XXXXXX";
    int f = mkstemp(path);
    if (f < 0 || write(f, "testing123\n", 11) != 11)
        return 1;
    close(f);
    make_requests();
    printf("%u bytes each\n", requests[0].size);
    core_alone();
    int result = over_sockets(path);
    unlink(path);
    free(requests);
    return result != 0;
}
