/* SPDX-License-Identifier: Apache-2.0 */
#include "events/wef_channel.h"

#include "events/sldc.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

void wef_channel_end(struct wef_channel *self)
{
    wef_context_destroy(&self->context);
    free(self->plain);
    self->plain = NULL;
    self->proved = false;
}

/* --- who it is --- */

static const struct {
    const char *scheme;
    enum wef_protection protection;
} schemes[] = {
    {"Kerberos ", WEF_KERBEROS},
    {"Negotiate ", WEF_SPNEGO},
};

static char *header_of(const char *scheme, struct bytes token)
{
    gnutls_datum_t in = {.data = (unsigned char *)(uintptr_t)token.data, .size = (unsigned)token.size},
                   text = {0};
    if (!token.size || gnutls_base64_encode2(&in, &text) < 0)
        return NULL;
    size_t size = strlen(scheme) + text.size + 1;
    char *header = malloc(size);
    if (header)
        snprintf(header, size, "%s%.*s", scheme, (int)text.size, (const char *)text.data);
    gnutls_free(text.data);
    return header;
}

/* A new proof ends the old one: only the last on a connection counts. */
static bool begin(struct wef_channel *self, enum wef_protection protection)
{
    bool more = self->context && !self->proved && wef_context_protection(self->context) == protection;
    if (more)
        return true;
    wef_context_destroy(&self->context);
    self->proved = false;
    self->context = wef_context_new(self->acceptor, protection);
    return self->context != NULL;
}

enum wef_proof wef_channel_authorize(struct wef_channel *self, const char *authorization, char **header,
                                     struct fault *fault)
{
    *header = NULL;
    if (!authorization)
        return self->proved ? WEF_PROVED : WEF_PROOF_MISSING;
    size_t i = 0;
    while (i < 2 && strncasecmp(authorization, schemes[i].scheme, strlen(schemes[i].scheme)) != 0)
        i++;
    if (i == 2)
        return WEF_PROOF_MISSING;
    const char *text = authorization + strlen(schemes[i].scheme);
    gnutls_datum_t in = {.data = (unsigned char *)(uintptr_t)text, .size = (unsigned)strlen(text)},
                   token = {0};
    if (in.size > WEF_TOKEN_MAX || gnutls_base64_decode2(&in, &token) < 0) {
        fault_say(fault, "a ticket that cannot be read");
        return WEF_PROOF_REFUSED;
    }
    struct bytes answer = {0};
    enum wef_step step = WEF_STEP_FAILED;
    if (begin(self, schemes[i].protection))
        step = wef_context_step(self->context, (struct bytes){.data = token.data, .size = token.size},
                                &answer, fault);
    gnutls_free(token.data);
    *header = header_of(schemes[i].scheme, answer);
    self->proved = step == WEF_STEP_DONE;
    if (step == WEF_STEP_FAILED)
        wef_context_destroy(&self->context);
    return step == WEF_STEP_DONE ? WEF_PROVED : step == WEF_STEP_MORE ? WEF_PROOF_MORE : WEF_PROOF_REFUSED;
}

static struct bytes of_text(const char *text)
{
    return (struct bytes){.data = (const uint8_t *)text, .size = strlen(text)};
}

struct wef_peer wef_channel_peer(const struct wef_channel *self)
{
    if (self->acceptor)
        return (struct wef_peer){.name = of_text(wef_context_name(self->context)), .kerberos = true};
    return (struct wef_peer){.name = of_text(self->identity.name),
                             .thumbprint = of_text(self->identity.thumbprint)};
}

/* --- what it says --- */

static bool decompress(struct wef_channel *self, struct bytes *soap, struct fault *fault)
{
    uint32_t size = sldc_size(*soap);
    if (size == 0 || size > WEF_ENVELOPE_MAX)
        return fault_say(fault, "a compressed message of %u bytes", (unsigned)size);
    self->plain = malloc(size);
    if (!self->plain)
        return fault_say(fault, "no memory");
    if (!sldc_decode(*soap, self->plain, size))
        return fault_say(fault, "a compressed message that is damaged");
    *soap = (struct bytes){.data = self->plain, .size = size};
    return true;
}

bool wef_channel_open(struct wef_channel *self, const char *type, const char *encoding, struct bytes body,
                      struct bytes *soap, struct fault *fault)
{
    *soap = body;
    free(self->plain);
    self->plain = NULL;
    if (self->acceptor) {
        struct wef_sealed sealed;
        if (!wef_sealed_read(type, body, wef_context_protection(self->context), &sealed))
            return fault_say(fault, "a message that is not sealed as it must be");
        if (!wef_context_open(self->context, sealed, soap))
            return fault_say(fault, "a message whose seal is broken");
    }
    if (encoding && strcasecmp(encoding, "SLDC") != 0)
        return fault_say(fault, "an unknown Content-Encoding");
    /* Windows says SLDC of some messages that it did not compress. */
    return !encoding || !sldc_is_message(*soap) || decompress(self, soap, fault);
}

static struct bytes encoded(const struct wef_answer *answer)
{
    size_t capacity = 2 * answer->soap.size + 2;
    uint8_t *to = malloc(capacity);
    size_t size = to ? wef_encode(answer->soap, answer->utf16, to, capacity) : 0;
    return (struct bytes){.data = to, .size = size};
}

uint8_t *wef_channel_seal(struct wef_channel *self, const struct wef_answer *answer, size_t *size,
                          const char **type)
{
    struct bytes soap = encoded(answer);
    if (!soap.data)
        return NULL;
    uint8_t *plain = (uint8_t *)(uintptr_t)soap.data;
    if (!self->acceptor) {
        *size = soap.size;
        *type = answer->utf16 ? "application/soap+xml;charset=UTF-16" : "application/soap+xml;charset=UTF-8";
        return plain;
    }
    *type = wef_sealed_content_type(wef_context_protection(self->context));
    uint8_t *body = wef_context_seal(self->context, soap, answer->utf16, size);
    free(plain);
    return body;
}
