/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a connection to a directory: a socket, TLS over it or GSS-API's sealing, and messages cut out
 * of what comes. Never blocks, but for ldap_stream_wait.
 */
#pragma once

#include "base/fault.h"
#include "sync/ldap_protocol.h"

#include <gnutls/gnutls.h>
#include <gssapi/gssapi.h>
#include <stdatomic.h>

/* One message, which is one entry: a directory's largest (a group's 1,500 values, an access list) are far
 * below. */
#define LDAP_MESSAGE_MAX (32u * 1024u * 1024u)
/* Requests that wait to be sent. */
#define LDAP_OUTPUT_MAX (512u * 1024u)

struct ldap_stream;

/* Takes the connected descriptor, whatever comes of it. NULL without memory. */
struct ldap_stream *ldap_stream_new(int descriptor);
void ldap_stream_destroy(struct ldap_stream **stream);

/* TLS from here on: the session and its credentials are the stream's now. */
void ldap_stream_use_tls(struct ldap_stream *stream, gnutls_session_t session,
                         gnutls_certificate_credentials_t credentials);
/* What is sent from here on is sealed by the context (it is the stream's now), in tokens for at most
 * `peer_max` plain bytes; what comes is unsealed. */
void ldap_stream_seal(struct ldap_stream *stream, gss_ctx_id_t context, uint32_t peer_max);

/* Reads once what the socket has. 1: something came, 0: nothing is there now, -1: it ended, the fault says
 * how. */
int ldap_stream_read(struct ldap_stream *stream, struct fault *fault);

/* The next whole message: 1; 0: it is not there yet; -1: what came is none. Valid until the next read. */
int ldap_stream_message(struct ldap_stream *stream, struct bytes *whole, struct fault *fault);

/* Queues a message; false when too much waits. */
bool ldap_stream_send(struct ldap_stream *stream, struct bytes whole);
/* Sends what the socket takes; false when the connection ended. */
bool ldap_stream_flush(struct ldap_stream *stream, struct fault *fault);

int ldap_stream_descriptor(const struct ldap_stream *stream);
gnutls_session_t ldap_stream_session(const struct ldap_stream *stream); /* NULL: not under TLS */
/* For poll(). */
short ldap_stream_events(const struct ldap_stream *stream);
/* Something can be read that poll() does not see. */
bool ldap_stream_ready(const struct ldap_stream *stream);

/* Blocks until a read or a flush may succeed; false when `deadline` (mono ns) has passed or `*cancelled`. */
bool ldap_stream_wait(const struct ldap_stream *stream, short events, int64_t deadline,
                      const atomic_bool *cancelled);
