/* SPDX-License-Identifier: Apache-2.0
 *
 * The event collector's sockets and thread: HTTP with Kerberos, HTTPS with client certificates. Events go
 * into the intake; a message is acknowledged when all that was made of it is safe (wef_listener_kept). What
 * does not become safe is not acknowledged, so that its source sends it again.
 */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "events/intake.h"
#include "events/wef_session.h"

#define WEF_ENDPOINTS_MAX 4u /* of each kind */

struct wef_listener_config {
    const struct endpoint *http; /* [::] means IPv4 too */
    unsigned http_count;
    const char *keytab; /* needed with http */

    const struct endpoint *https;
    unsigned https_count;
    /* PEM files, needed with https; the key must not be everyone's to read. Revocations may be NULL. */
    const char *certificate, *key, *authorities, *revocations;

    struct wef_terms terms;
    const char *const *sources, *const *forwarders; /* as struct wef_settings */
    uint64_t seed;
    struct intake *intake; /* outlives the listener */
    int64_t patience;      /* ns in which what was made of a message is to be safe; 0: 30 s */

    /* The bookmarks of an earlier life (may be empty), and where they are kept: called on the listener's
     * thread, every few seconds when there is something new, and at the end. */
    struct bytes saved;
    bool (*save)(void *context, struct bytes state);
    void *context;
};

struct wef_listener;

/* NULL with the reason: a file that cannot be read, an address that is not free. Everything that the
 * configuration points to must outlive it, except `saved` and the arrays of endpoints. */
struct wef_listener *wef_listener_start(const struct wef_listener_config *config, struct fault *fault);
void wef_listener_stop(struct wef_listener **listener_p);

/* Whether the certificates, revocations and keys that it names can be used, as they are now. */
bool wef_listener_check(const struct wef_listener_config *config, struct fault *fault);

/* --- any thread, none waits for long --- */

/* The record that was given to the intake with that tag is safe. */
void wef_listener_kept(struct wef_listener *listener, uint64_t tag);

struct wef_status {
    uint16_t http_port, https_port; /* of the first of each; 0: none */
    uint32_t connections;
    uint64_t refused;  /* requests whose sender proved nothing, or whose seal was broken */
    uint64_t not_kept; /* messages that were not acknowledged for that */
    struct wef_counts counts;
};
void wef_listener_status(struct wef_listener *listener, struct wef_status *status);

/* "http 0.0.0.0:5985, https [::]:5986; 12 sources". */
void wef_listener_describe(struct wef_listener *listener, struct text *to);

/* A copy of a source's state, with as much of its bookmark as there is room for. False past the last. */
bool wef_listener_source(struct wef_listener *listener, uint32_t i, struct wef_source *source, char *bookmark,
                         size_t capacity);
