/* SPDX-License-Identifier: Apache-2.0
 *
 * The socket on which new nodes ask to be enrolled: one frame there, one frame back. Anybody may connect, at
 * a limited rate, for a short time, with small requests; what a request says is judged by the handler.
 */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/crypto_sodium.h"
#include "cluster/transport_internal.h"

static void answer(struct transport *self, const uint8_t *id, size_t id_size, zmq_msg_t *request)
{
    char address[TCP_ADDRESS_MAX];
    uint8_t *reply = malloc(ENROLMENT_REPLY_LIMIT);
    if (!reply)
        return;
    connection_address(zmq_msg_get(request, ZMQ_SRCFD), address);
    struct bytes bytes = {zmq_msg_data(request), zmq_msg_size(request)};
    size_t size = self->options.enrolment(self->options.enrolment_context, address, bytes, reply,
                                          ENROLMENT_REPLY_LIMIT);
    self->counters.enrolment_requests++;
    if (size && zmq_send(self->enrolment.socket, id, id_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
        zmq_send(self->enrolment.socket, reply, size, ZMQ_DONTWAIT);
    free(reply);
}

bool enrolment_serve(struct transport *self)
{
    void *socket = self->enrolment.socket;
    uint8_t id[256];
    int id_size = socket ? zmq_recv(socket, id, sizeof id, ZMQ_DONTWAIT) : -1;
    if (id_size < 0)
        return false;
    zmq_msg_t request;
    unsigned parts = 0;
    bool fine = id_size <= (int)sizeof id;
    zmq_msg_init(&request);
    do {
        if (zmq_msg_recv(&request, socket, ZMQ_DONTWAIT) < 0)
            break;
        parts++;
    } while (zmq_msg_more(&request));
    const char *user = zmq_msg_gets(&request, ZAP_USER_ID);
    if (parts != 1 || !fine || zmq_msg_size(&request) == 0 ||
        zmq_msg_size(&request) > ENROLMENT_REQUEST_LIMIT)
        self->counters.enrolment_malformed++;
    else if (!user || strcmp(user, "-") != 0)
        self->counters.without_user++;
    else
        answer(self, id, (size_t)id_size, &request);
    zmq_msg_close(&request);
    return true;
}

/* --- the side of the one who enrols --- */

static bool asker_open(void *socket, const char *endpoint, const uint8_t *server_key, int timeout)
{
    int linger = 0, ipv6 = 1, reconnect = 500;
    int64_t frame_max = ENROLMENT_REPLY_LIMIT + 64;
    uint8_t public_key[TRANSPORT_KEY_SIZE];
    uint8_t *secret = secret_alloc(TRANSPORT_KEY_SIZE);
    if (!secret)
        return false;
    crypto_box_keypair(public_key, secret);
    bool fine = zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
                zmq_setsockopt(socket, ZMQ_IPV6, &ipv6, sizeof ipv6) == 0 &&
                zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &reconnect, sizeof reconnect) == 0 &&
                zmq_setsockopt(socket, ZMQ_HANDSHAKE_IVL, &timeout, sizeof timeout) == 0 &&
                zmq_setsockopt(socket, ZMQ_CONNECT_TIMEOUT, &timeout, sizeof timeout) == 0 &&
                zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) == 0 &&
                zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, TRANSPORT_KEY_SIZE) == 0 &&
                zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, TRANSPORT_KEY_SIZE) == 0 &&
                zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, TRANSPORT_KEY_SIZE) == 0 &&
                zmq_connect(socket, endpoint) == 0;
    secret_free(secret);
    return fine;
}

static size_t ask(void *socket, const char *endpoint, struct bytes request, void *reply, size_t reply_max,
                  int timeout, struct fault *fault)
{
    if (zmq_setsockopt(socket, ZMQ_SNDTIMEO, &timeout, sizeof timeout) != 0 ||
        zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        zmq_send(socket, request.data, request.size, 0) < 0) {
        fault_say(fault, "%s: %s", endpoint, zmq_strerror(errno));
        return 0;
    }
    int size = zmq_recv(socket, reply, reply_max, 0);
    if (size > 0 && (size_t)size <= reply_max)
        return (size_t)size;
    if (size < 0 && errno == EAGAIN)
        fault_say(fault, "%s: no reply within %d ms", endpoint, timeout);
    else
        fault_say(fault, "%s: %s", endpoint, size < 0 ? zmq_strerror(errno) : "not a reply");
    return 0;
}

size_t enrolment_ask(const char *endpoint, const uint8_t server_key[TRANSPORT_KEY_SIZE], struct bytes request,
                     void *reply, size_t reply_max, int timeout, struct fault *fault)
{
    struct tcp_address address;
    size_t size = 0;
    if (!tcp_address_parse(&address, endpoint) || address.any || !address.at.port || !request.size ||
        request.size > ENROLMENT_REQUEST_LIMIT) {
        fault_say(fault, "%s is no address to enrol at, or the request is too large", endpoint);
        return 0;
    }
    void *context = zmq_ctx_new();
    void *socket = context ? zmq_socket(context, ZMQ_DEALER) : NULL;
    if (socket && asker_open(socket, endpoint, server_key, timeout))
        size = ask(socket, endpoint, request, reply, reply_max, timeout, fault);
    else
        fault_say(fault, "%s: %s", endpoint, zmq_strerror(errno));
    if (socket)
        zmq_close(socket);
    if (context)
        zmq_ctx_term(context);
    return size;
}
