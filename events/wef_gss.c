/* SPDX-License-Identifier: Apache-2.0 */
#include "events/wef_gss.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <stdio.h>
#include <stdlib.h>

#define PRINCIPAL_MAX 256u
#define NEEDED_FLAGS  (GSS_C_CONF_FLAG | GSS_C_INTEG_FLAG | GSS_C_MUTUAL_FLAG)

struct wef_acceptor {
    gss_cred_id_t credentials;
};

struct wef_context {
    const struct wef_acceptor *acceptor;
    enum wef_protection protection;
    gss_ctx_id_t security;
    bool done;
    char name[PRINCIPAL_MAX];
    gss_buffer_desc token; /* last made */
    gss_buffer_desc plain; /* last opened */
};

/* 1.3.6.1.5.5.2 */
static gss_OID_desc spnego = {6, (void *)"\x2b\x06\x01\x05\x05\x02"};

static bool say(struct fault *fault, const char *doing, OM_uint32 major, OM_uint32 minor)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    OM_uint32 ignored, more = 0;
    int code = minor ? GSS_C_MECH_CODE : GSS_C_GSS_CODE;
    gss_display_status(&ignored, minor ? minor : major, code, (gss_OID)(uintptr_t)gss_mech_krb5, &more,
                       &text);
    fault_say(fault, "%s: %.*s", doing, (int)text.length, text.length ? (const char *)text.value : "");
    gss_release_buffer(&ignored, &text);
    return false;
}

/* --- the acceptor --- */

/* A replay cache would keep a file of every ticket, and protect nothing: who replays a ticket lacks the key
 * of what follows. */
static bool acquire(struct wef_acceptor *self, const char *keytab, struct fault *fault)
{
    char name[4096];
    if ((size_t)snprintf(name, sizeof name, "FILE:%s", keytab) >= sizeof name)
        return fault_say(fault, "the path of the keytab is too long");
    gss_key_value_element_desc elements[] = {{"keytab", name}, {"rcache", "none:"}};
    gss_key_value_set_desc store = {2, elements};
    gss_OID_desc mechanisms[] = {*gss_mech_krb5, spnego};
    gss_OID_set_desc both = {2, mechanisms}, kerberos = {1, mechanisms};
    OM_uint32 minor, major = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &both,
                                                   GSS_C_ACCEPT, &store, &self->credentials, NULL, NULL);
    if (GSS_ERROR(major))
        return say(fault, keytab, major, minor);
    /* Of all that could be negotiated, Kerberos. */
    major = gss_set_neg_mechs(&minor, self->credentials, &kerberos);
    return !GSS_ERROR(major) || say(fault, keytab, major, minor);
}

struct wef_acceptor *wef_acceptor_new(const char *keytab, struct fault *fault)
{
    struct wef_acceptor *self = calloc(1, sizeof *self);
    if (!self) {
        fault_say(fault, "no memory");
        return NULL;
    }
    if (!acquire(self, keytab, fault))
        wef_acceptor_destroy(&self);
    return self;
}

void wef_acceptor_destroy(struct wef_acceptor **acceptor_p)
{
    OM_uint32 minor;
    if (!*acceptor_p)
        return;
    gss_release_cred(&minor, &(*acceptor_p)->credentials);
    free(*acceptor_p);
    *acceptor_p = NULL;
}

/* --- a connection --- */

struct wef_context *wef_context_new(const struct wef_acceptor *acceptor, enum wef_protection protection)
{
    struct wef_context *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->acceptor = acceptor;
    self->protection = protection;
    self->security = GSS_C_NO_CONTEXT;
    return self;
}

void wef_context_destroy(struct wef_context **context_p)
{
    struct wef_context *self = *context_p;
    OM_uint32 minor;
    if (!self)
        return;
    gss_delete_sec_context(&minor, &self->security, GSS_C_NO_BUFFER);
    gss_release_buffer(&minor, &self->token);
    gss_release_buffer(&minor, &self->plain);
    free(self);
    *context_p = NULL;
}

static bool take_name(struct wef_context *self, gss_name_t source, struct fault *fault)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor, major = gss_display_name(&minor, source, &text, NULL);
    if (GSS_ERROR(major))
        return say(fault, "the name of a source", major, minor);
    bool fits = text.length < sizeof self->name && !memchr(text.value, 0, text.length);
    if (fits) {
        memcpy(self->name, text.value, text.length);
        self->name[text.length] = 0;
    }
    gss_release_buffer(&minor, &text);
    return fits || fault_say(fault, "a principal's name is too long");
}

enum wef_step wef_context_step(struct wef_context *self, struct bytes token, struct bytes *answer,
                               struct fault *fault)
{
    gss_buffer_desc in = {token.size, (void *)(uintptr_t)token.data};
    gss_name_t source = GSS_C_NO_NAME;
    gss_OID mechanism = GSS_C_NO_OID;
    OM_uint32 minor, ignored, flags = 0;
    *answer = (struct bytes){0};
    if (self->done)
        return WEF_STEP_FAILED;
    gss_release_buffer(&ignored, &self->token);
    OM_uint32 major = gss_accept_sec_context(&minor, &self->security, self->acceptor->credentials, &in,
                                             GSS_C_NO_CHANNEL_BINDINGS, &source, &mechanism, &self->token,
                                             &flags, NULL, NULL);
    *answer = (struct bytes){.data = self->token.value, .size = self->token.length};
    enum wef_step step = WEF_STEP_FAILED;
    if (GSS_ERROR(major))
        say(fault, "a source's ticket is refused", major, minor);
    else if (major & GSS_S_CONTINUE_NEEDED)
        step = WEF_STEP_MORE;
    else if ((flags & NEEDED_FLAGS) != NEEDED_FLAGS)
        fault_say(fault, "a source does not ask for confidentiality, integrity and mutual proof");
    else if (take_name(self, source, fault))
        step = WEF_STEP_DONE;
    gss_release_name(&ignored, &source);
    self->done = step == WEF_STEP_DONE;
    return step;
}

bool wef_context_is_done(const struct wef_context *self)
{
    return self->done;
}

enum wef_protection wef_context_protection(const struct wef_context *self)
{
    return self->protection;
}

const char *wef_context_name(const struct wef_context *self)
{
    return self->name;
}

bool wef_context_open(struct wef_context *self, struct wef_sealed sealed, struct bytes *plain)
{
    gss_buffer_desc in = {sealed.token.size, (void *)(uintptr_t)sealed.token.data};
    OM_uint32 minor;
    int confidential = 0;
    gss_release_buffer(&minor, &self->plain);
    if (!self->done)
        return false;
    /* Header and data together are one token: the header is what was rotated to its front (RFC 4121 4.2.5).
     */
    OM_uint32 major = gss_unwrap(&minor, self->security, &in, &self->plain, &confidential, NULL);
    if (GSS_ERROR(major) || !confidential || self->plain.length != sealed.length)
        return false;
    *plain = (struct bytes){.data = self->plain.value, .size = self->plain.length};
    return true;
}

static uint8_t *framed(const struct wef_context *self, const gss_iov_buffer_desc iov[3], size_t length,
                       bool utf16, size_t *size)
{
    size_t data = iov[1].buffer.length + iov[2].buffer.length;
    size_t capacity = iov[0].buffer.length + data + WEF_SEALED_MORE;
    uint8_t *to = malloc(capacity), *joined = malloc(data ? data : 1);
    if (to && joined) {
        memcpy(joined, iov[1].buffer.value, iov[1].buffer.length);
        if (iov[2].buffer.length)
            memcpy(joined + iov[1].buffer.length, iov[2].buffer.value, iov[2].buffer.length);
        struct bytes header = {.data = iov[0].buffer.value, .size = iov[0].buffer.length};
        *size = wef_sealed_write(to, capacity, self->protection, utf16, length, header,
                                 (struct bytes){.data = joined, .size = data});
    } else {
        free(to);
        to = NULL;
    }
    free(joined);
    return to;
}

uint8_t *wef_context_seal(struct wef_context *self, struct bytes soap, bool utf16, size_t *size)
{
    uint8_t *copy = malloc(soap.size ? soap.size : 1);
    if (!copy || !self->done) {
        free(copy);
        return NULL;
    }
    memcpy(copy, soap.data, soap.size);
    /* Without a trailer, which then is part of the header: as Windows' EncryptMessage lays it out. */
    gss_iov_buffer_desc iov[] = {
        {GSS_IOV_BUFFER_TYPE_HEADER | GSS_IOV_BUFFER_FLAG_ALLOCATE, GSS_C_EMPTY_BUFFER},
        {GSS_IOV_BUFFER_TYPE_DATA, {soap.size, copy}},
        {GSS_IOV_BUFFER_TYPE_PADDING | GSS_IOV_BUFFER_FLAG_ALLOCATE, GSS_C_EMPTY_BUFFER},
    };
    OM_uint32 minor;
    int confidential = 0;
    OM_uint32 major = gss_wrap_iov(&minor, self->security, 1, GSS_C_QOP_DEFAULT, &confidential, iov, 3);
    uint8_t *to = NULL;
    if (!GSS_ERROR(major) && confidential)
        to = framed(self, iov, soap.size, utf16, size);
    gss_release_iov_buffer(&minor, iov, 3);
    free(copy);
    return to;
}
