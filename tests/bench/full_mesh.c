/* SPDX-License-Identifier: Apache-2.0
 *
 * full_mesh INDEX NODES BASE-PORT PERIOD-MS SECONDS: one process of a full mesh on loopback, as Zyre makes
 * it: a ROUTER that all others dial, a DEALER to each of them, CURVE on all, and the same heartbeat of 28
 * bytes as Picket's, sent to everybody in each period. The peer of tests/bench/fleet.py. Keys are derived
 * from INDEX: worth nothing, they only make the handshakes and the encryption cost what they cost.
 *
 * Prints, at its end, how many heartbeats came in.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#define HEARTBEAT 28

static void keys_of(unsigned index, uint8_t public_key[32], uint8_t secret_key[32])
{
    memset(secret_key, 0, 32);
    memcpy(secret_key, &index, sizeof index);
    secret_key[31] = 64;
    crypto_scalarmult_base(public_key, secret_key);
}

static void *curve_socket(void *context, int type, unsigned self)
{
    uint8_t public_key[32], secret_key[32];
    keys_of(self, public_key, secret_key);
    void *socket = zmq_socket(context, type);
    int zero = 0, heartbeat = 15000;
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(socket, ZMQ_HEARTBEAT_IVL, &heartbeat, sizeof heartbeat);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, 32);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, 32);
    return socket;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static unsigned long receive_all(void *inbox)
{
    unsigned long received = 0;
    char part[256];
    int size;
    while ((size = zmq_recv(inbox, part, sizeof part, ZMQ_DONTWAIT)) >= 0)
        received += size == HEARTBEAT;
    return received;
}

static int usage(void)
{
    fputs("usage: full_mesh INDEX NODES BASE-PORT PERIOD-MS SECONDS\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc != 6 || sodium_init() < 0)
        return usage();
    unsigned index = (unsigned)strtoul(argv[1], NULL, 10), nodes = (unsigned)strtoul(argv[2], NULL, 10);
    unsigned base = (unsigned)strtoul(argv[3], NULL, 10), period = (unsigned)strtoul(argv[4], NULL, 10);
    unsigned seconds = (unsigned)strtoul(argv[5], NULL, 10);
    if (nodes == 0 || nodes > 500 || index >= nodes || period == 0 || seconds == 0 || seconds > 3600)
        return usage();

    void *context = zmq_ctx_new();
    void *inbox = curve_socket(context, ZMQ_ROUTER, index);
    int one = 1;
    zmq_setsockopt(inbox, ZMQ_CURVE_SERVER, &one, sizeof one);
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", base + index);
    if (zmq_bind(inbox, endpoint)) {
        fprintf(stderr, "full_mesh: %s: %s\n", endpoint, zmq_strerror(zmq_errno()));
        return 1;
    }
    void **peers = calloc(nodes, sizeof *peers);
    for (unsigned i = 0; i < nodes; i++) {
        if (i == index)
            continue;
        uint8_t public_key[32], secret_key[32];
        keys_of(i, public_key, secret_key);
        peers[i] = curve_socket(context, ZMQ_DEALER, index);
        zmq_setsockopt(peers[i], ZMQ_CURVE_SERVERKEY, public_key, 32);
        snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", base + i);
        zmq_connect(peers[i], endpoint);
    }

    uint8_t heartbeat[HEARTBEAT] = {(uint8_t)index};
    unsigned long received = 0;
    int64_t end = now_ms() + (int64_t)seconds * 1000, next = now_ms() + index * (int64_t)period / nodes;
    for (int64_t now = now_ms(); now < end; now = now_ms()) {
        if (now >= next) {
            for (unsigned i = 0; i < nodes; i++)
                if (peers[i])
                    zmq_send(peers[i], heartbeat, sizeof heartbeat, ZMQ_DONTWAIT);
            next += period;
        }
        zmq_pollitem_t item = {.socket = inbox, .events = ZMQ_POLLIN};
        int64_t wait = (next < end ? next : end) - now;
        zmq_poll(&item, 1, wait > 0 ? (long)wait : 0);
        received += receive_all(inbox);
    }
    printf("%lu\n", received);
    for (unsigned i = 0; i < nodes; i++)
        if (peers[i])
            zmq_close(peers[i]);
    zmq_close(inbox);
    zmq_ctx_term(context);
    free(peers);
    return 0;
}
