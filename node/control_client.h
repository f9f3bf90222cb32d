/* SPDX-License-Identifier: Apache-2.0
 *
 * The control socket as the command line uses it: one question, one answer, or a stream of events. A request
 * is a JSON object with the key "verb"; verbs, fields and answers: docs/control.md.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* A running picketd listens here unless its configuration says otherwise. */
#define CONTROL_SOCKET "/run/picket/control"

struct control_options {
    const char *socket; /* NULL: $PICKET_SOCKET, else CONTROL_SOCKET */
    int timeout;        /* ms for the whole of one answer; 0: 5 s */
};

/* The socket's path by the rules above. */
const char *control_socket(const struct control_options *options);

/* One connection; several questions may follow each other on it. */
struct control_client;

/* NULL with a reason (a sentence without subject, static or errno's) when nobody listens. */
struct control_client *control_client_open(const struct control_options *options, const char **reason);
void control_client_close(struct control_client **client);

/* Sends a request (the reference is taken over). */
bool control_client_send(struct control_client *client, json_t *request, const char **reason);

/* The next answer or event within `timeout` ms (< 0: without end). The caller owns it. NULL with a reason;
 * the connection is of no use then, but after a time-out of a stream (`*reason` is control_timed_out). */
json_t *control_client_receive(struct control_client *client, int timeout, const char **reason);
extern const char control_timed_out[];
int control_client_descriptor(const struct control_client *client);

/* What every command does: connects, asks, waits. EXIT_FINE with the answer, which the caller owns; otherwise
 * EXIT_FAILED, and the reason was printed: nobody listens, no answer in time, or the daemon refused. */
int control_ask(const struct control_options *options, json_t *request, json_t **answer);

/* The message of a refusal ({"error": {"code", "message"}}); NULL when the answer is none. */
const char *control_refusal(const json_t *answer);
