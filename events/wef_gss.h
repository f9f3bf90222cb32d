/* SPDX-License-Identifier: Apache-2.0
 *
 * Kerberos of sources that forward over HTTP: the acceptor's side of SPNEGO or plain Kerberos, by a keytab,
 * and the sealing of what follows. Nothing is taken from the environment.
 */
#pragma once

#include "base/fault.h"
#include "events/wef_sealed.h"

struct wef_acceptor;

/* With the keys of that file, whatever principals they are of: HTTP/... and, since Windows Server 2025,
 * HOST/... NULL with the reason. */
struct wef_acceptor *wef_acceptor_new(const char *keytab, struct fault *fault);
void wef_acceptor_destroy(struct wef_acceptor **acceptor_p);

/* One connection's. */
struct wef_context;

struct wef_context *wef_context_new(const struct wef_acceptor *acceptor, enum wef_protection protection);
void wef_context_destroy(struct wef_context **context_p);

enum wef_step {
    WEF_STEP_DONE, /* proved: confidential, whole, and both sides */
    WEF_STEP_MORE,
    WEF_STEP_FAILED,
};

/* The next token of the source; `answer` goes back, valid until the next call. */
enum wef_step wef_context_step(struct wef_context *context, struct bytes token, struct bytes *answer,
                               struct fault *fault);

bool wef_context_is_done(const struct wef_context *context);
enum wef_protection wef_context_protection(const struct wef_context *context);
/* Of whom it is: "DC01$@CORP.EXAMPLE". */
const char *wef_context_name(const struct wef_context *context);

/* Opens what is sealed, in place of nothing: `plain` is valid until the next call. False: not of the source,
 * damaged, or not confidential. */
bool wef_context_open(struct wef_context *context, struct wef_sealed sealed, struct bytes *plain);

/* Seals a message of SOAP, as its HTTP body: malloc()ed, NULL when that fails. */
uint8_t *wef_context_seal(struct wef_context *context, struct bytes soap, bool utf16, size_t *size);
