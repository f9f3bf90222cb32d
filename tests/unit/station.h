/* SPDX-License-Identifier: Apache-2.0
 *
 * Transports on loopback, with short times, and what they told. All run in the test's own thread.
 */
#pragma once

#include <zmq.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cluster/crypto_sodium.h"
#include "cluster/transport.h"
#include "tests/unit/unit.h"

enum {
    STATIONS = 8,
    PATIENCE = 60000, /* ms for what must happen: a loaded machine is no failure */
    TEXT_MAX = 512,
};

struct keys {
    uint8_t public_key[32], secret_key[32];
};

struct station {
    struct transport *transport;
    struct node_id id;
    struct keys keys, enrolment;
    bool paused; /* nobody calls it */
    unsigned again, ups, downs, failures, messages;
    bool up[STATIONS]; /* by the last byte of the peer's id */
    bool dialled[STATIONS];
    char last[TEXT_MAX], failure[TEXT_MAX], down[TEXT_MAX];
    size_t last_size;
    struct node_id last_peer;
    uint64_t numbers; /* messages of eight bytes: their sum */
};

static int64_t station_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline struct keys keys_new(void)
{
    struct keys keys;
    crypto_box_keypair(keys.public_key, keys.secret_key);
    return keys;
}

static inline struct transport_options station_options(struct station *station, uint8_t number)
{
    struct transport_options options;
    station->id = (struct node_id){{0x70, [NODE_ID_SIZE - 1] = number}};
    station->keys = keys_new();
    transport_options_init(&options);
    options.self = station->id;
    options.public_key = station->keys.public_key;
    options.secret_key = station->keys.secret_key;
    options.binds[0] = "tcp://127.0.0.1:0";
    options.bind_count = 1;
    options.keys_max = 64;
    options.reconnect_min = 20;
    options.reconnect_max = 400;
    options.handshake = 2000;
    options.connect = 2000;
    options.drain = 2000;
    return options;
}

static inline void station_open(struct station *station, const struct transport_options *options)
{
    struct fault fault = {""};
    station->transport = transport_new(options, &fault);
    if (!station->transport)
        fail_msg("%s", fault.text);
    transport_tick(station->transport, station_now());
}

static inline void station_start(struct station *station, uint8_t number)
{
    *station = (struct station){0};
    struct transport_options options = station_options(station, number);
    station_open(station, &options);
}

static inline void station_note(struct station *station, const struct transport_event *event)
{
    unsigned peer = event->peer.bytes[NODE_ID_SIZE - 1] % STATIONS;
    switch (event->type) {
    case TRANSPORT_LINK_UP:
        /* Told again to whoever dials a peer whose link is up. */
        station->again += station->up[peer];
        station->ups += !station->up[peer];
        station->up[peer] = true;
        station->dialled[peer] = event->dialled;
        break;
    case TRANSPORT_LINK_DOWN:
        station->downs++;
        assert_true(station->up[peer]);
        station->up[peer] = false;
        snprintf(station->down, sizeof station->down, "%s", event->text);
        break;
    case TRANSPORT_HANDSHAKE_FAILED:
        station->failures++;
        snprintf(station->failure, sizeof station->failure, "%s", event->text);
        break;
    case TRANSPORT_MESSAGE:
        station->messages++;
        station->last_peer = event->peer;
        station->last_size = event->message.size;
        if (event->message.size == sizeof(uint64_t)) {
            uint64_t number;
            memcpy(&number, event->message.data, sizeof number);
            station->numbers += number;
        }
        snprintf(station->last, sizeof station->last, "%.*s",
                 (int)(event->message.size < TEXT_MAX ? event->message.size : TEXT_MAX - 1),
                 (const char *)event->message.data);
        break;
    }
}

/* Lets all of them work for a moment. */
static inline void stations_step(struct station *const stations[], unsigned count)
{
    zmq_pollitem_t items[STATIONS * TRANSPORT_POLL_ITEMS];
    struct transport_event event;
    unsigned filled = 0;
    for (unsigned i = 0; i < count; i++)
        if (stations[i]->transport && !stations[i]->paused)
            filled += transport_poll_items(stations[i]->transport, items + filled);
    zmq_poll(items, (int)filled, 5);
    for (unsigned i = 0; i < count; i++) {
        if (!stations[i]->transport || stations[i]->paused)
            continue;
        for (int n = 0; n < 1000 && transport_receive(stations[i]->transport, &event); n++)
            station_note(stations[i], &event);
        transport_tick(stations[i]->transport, station_now());
    }
}

#define STATIONS_OF(...) ((struct station *const[]){__VA_ARGS__})

/* Works until the condition holds; fails when it does not within the patience. */
#define stations_until(condition, ...)                                                                       \
    do {                                                                                                     \
        struct station *const of_[] = {__VA_ARGS__};                                                         \
        int64_t end_ = station_now() + PATIENCE;                                                             \
        while (!(condition) && station_now() < end_)                                                         \
            stations_step(of_, sizeof of_ / sizeof of_[0]);                                                  \
        if (!(condition))                                                                                    \
            fail_msg("not within %d ms: %s", PATIENCE, #condition);                                          \
    } while (0)

#define stations_for(milliseconds, ...)                                                                      \
    do {                                                                                                     \
        struct station *const of_[] = {__VA_ARGS__};                                                         \
        int64_t end_ = station_now() + (milliseconds);                                                       \
        while (station_now() < end_)                                                                         \
            stations_step(of_, sizeof of_ / sizeof of_[0]);                                                  \
    } while (0)

static inline void station_admit(struct station *station, const struct station *peer)
{
    assert_true(transport_admit(station->transport, &peer->id, peer->keys.public_key));
}

static inline void stations_acquaint(struct station *a, struct station *b)
{
    station_admit(a, b);
    station_admit(b, a);
}

static inline bool station_dial_at(struct station *station, const struct station *peer, const char *endpoint)
{
    return transport_dial(station->transport, &peer->id, peer->keys.public_key, &endpoint, 1, TRANSPORT_KEEP);
}

static inline void station_dial(struct station *station, const struct station *peer)
{
    assert_true(station_dial_at(station, peer, transport_endpoint(peer->transport, 0)));
}

static inline enum transport_result station_say(struct station *station, const struct station *to,
                                                const char *text)
{
    return transport_send(station->transport, &to->id, text, strlen(text));
}

static inline bool station_sees(const struct station *station, const struct station *peer)
{
    return station->up[peer->id.bytes[NODE_ID_SIZE - 1] % STATIONS];
}

static inline struct transport_counters station_counters(const struct station *station)
{
    struct transport_counters counters;
    transport_counters(station->transport, &counters);
    return counters;
}

static inline void station_stop(struct station *station)
{
    transport_destroy(&station->transport);
}

static inline int stations_ready(void **state)
{
    (void)state;
    return crypto_sodium_start() ? 0 : -1;
}

/* Somebody who has libzmq but not our manners. */
static inline void *raw_dial(void *context, int type, const struct keys *keys, const uint8_t *server_key,
                             const char *endpoint, const char *routing_id)
{
    int zero = 0;
    void *socket = zmq_socket(context, type);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero), 0);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, 32), 0);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys->public_key, 32), 0);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, 32), 0);
    if (routing_id)
        assert_int_equal(zmq_setsockopt(socket, ZMQ_ROUTING_ID, routing_id, strlen(routing_id)), 0);
    assert_int_equal(zmq_connect(socket, endpoint), 0);
    return socket;
}
