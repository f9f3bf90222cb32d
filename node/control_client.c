/* SPDX-License-Identifier: Apache-2.0 */
#include "node/control_client.h"

#include "base/clock.h"
#include "node/command.h"
#include "node/control_frame.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT 5000 /* ms */

const char control_timed_out[] = "no answer in time";

struct control_client {
    int descriptor;
    int timeout;
    struct control_frame frame;
};

const char *control_socket(const struct control_options *options)
{
    const char *environment = getenv("PICKET_SOCKET");
    if (options && options->socket)
        return options->socket;
    return environment && *environment ? environment : CONTROL_SOCKET;
}

static int64_t now(void)
{
    return clock_monotonic(clock_system()) / CLOCK_MILLISECOND;
}

/* Waits until the socket is ready or the time is over. */
static bool ready(const struct control_client *client, short events, int64_t deadline, const char **reason)
{
    for (;;) {
        int64_t left = deadline < 0 ? -1 : deadline - now();
        if (deadline >= 0 && left <= 0) {
            *reason = control_timed_out;
            return false;
        }
        struct pollfd fd = {.fd = client->descriptor, .events = events};
        int n = poll(&fd, 1, (int)left);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR) {
            *reason = strerror(errno);
            return false;
        }
    }
}

struct control_client *control_client_open(const struct control_options *options, const char **reason)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = control_socket(options);
    if (strlen(path) >= sizeof(address.sun_path)) {
        *reason = "the path of a socket cannot be that long";
        return NULL;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    struct control_client *client = calloc(1, sizeof(*client));
    if (!client) {
        *reason = strerror(ENOMEM);
        return NULL;
    }
    client->timeout = options && options->timeout > 0 ? options->timeout : TIMEOUT;
    client->frame.max = CONTROL_ANSWER_MAX;
    client->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->descriptor < 0 ||
        connect(client->descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) {
        bool absent = errno == ENOENT || errno == ECONNREFUSED;
        *reason = absent ? "picketd does not run here, or listens elsewhere (--socket)" : strerror(errno);
        control_client_close(&client);
        return NULL;
    }
    return client;
}

void control_client_close(struct control_client **client)
{
    if (!*client)
        return;
    if ((*client)->descriptor >= 0)
        close((*client)->descriptor);
    control_frame_free(&(*client)->frame);
    free(*client);
    *client = NULL;
}

int control_client_descriptor(const struct control_client *client)
{
    return client->descriptor;
}

static bool send_all(struct control_client *client, const uint8_t *data, size_t size, const char **reason)
{
    int64_t deadline = now() + client->timeout;
    while (size > 0) {
        ssize_t n = send(client->descriptor, data, size, MSG_NOSIGNAL);
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            *reason = strerror(errno);
            return false;
        } else if (!ready(client, POLLOUT, deadline, reason)) {
            return false;
        }
    }
    return true;
}

bool control_client_send(struct control_client *client, json_t *request, const char **reason)
{
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (!text) {
        *reason = strerror(ENOMEM);
        return false;
    }
    uint8_t header[CONTROL_FRAME_HEADER];
    control_frame_header(header, strlen(text));
    bool sent = send_all(client, header, sizeof(header), reason) &&
                send_all(client, (const uint8_t *)text, strlen(text), reason);
    free(text);
    return sent;
}

json_t *control_client_receive(struct control_client *client, int timeout, const char **reason)
{
    int64_t deadline = timeout < 0 ? -1 : now() + timeout;
    struct bytes body;
    while (!control_frame_whole(&client->frame, &body)) {
        size_t wants = control_frame_wants(&client->frame);
        if (wants == 0) {
            *reason = "an answer that is too large";
            return NULL;
        }
        ssize_t n = recv(client->descriptor, control_frame_room(&client->frame), wants, 0);
        if (n > 0) {
            control_frame_took(&client->frame, (size_t)n);
        } else if (n == 0) {
            *reason = "picketd hung up";
            return NULL;
        } else if (errno != EAGAIN && errno != EINTR) {
            *reason = strerror(errno);
            return NULL;
        } else if (!ready(client, POLLIN, deadline, reason)) {
            return NULL;
        }
    }
    json_t *answer = json_loadb((const char *)body.data, body.size, 0, NULL);
    if (!json_is_object(answer)) {
        json_decref(answer);
        *reason = "an answer that is no JSON object";
        return NULL;
    }
    control_frame_next(&client->frame);
    return answer;
}

const char *control_refusal(const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    if (!error)
        return NULL;
    const char *message = json_string_value(json_object_get(error, "message"));
    return message ? message : "refused";
}

int control_ask(const struct control_options *options, json_t *request, json_t **answer)
{
    const char *reason = NULL;
    *answer = NULL;
    struct control_client *client = control_client_open(options, &reason);
    if (!client)
        json_decref(request);
    else if (control_client_send(client, request, &reason))
        *answer = control_client_receive(client, client->timeout, &reason);
    control_client_close(&client);
    if (!*answer)
        return command_failed(control_socket(options), reason);
    const char *refusal = control_refusal(*answer);
    if (!refusal)
        return EXIT_FINE;
    int status = command_failed("picketd", refusal);
    json_decref(*answer);
    *answer = NULL;
    return status;
}
