/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/ldap_tls.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/text.h"

#include <gnutls/x509.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* Windows Server 2012 R2, the oldest that is still met, speaks 1.2. */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static void printable(char *to, size_t capacity, const void *from, size_t size)
{
    struct text t = text_to(to, capacity);
    text_display(&t, (struct bytes){from, size});
    text_end(&t);
}

static void copy_names(gnutls_x509_crt_t crt, char *to, size_t capacity)
{
    struct text t = text_to(to, capacity);
    for (unsigned i = 0; i < 16; i++) {
        char name[256];
        size_t size = sizeof name;
        unsigned type = 0;
        int rc = gnutls_x509_crt_get_subject_alt_name2(crt, i, name, &size, &type, NULL);
        if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        if (rc < 0 || type != GNUTLS_SAN_DNSNAME)
            continue;
        if (t.length)
            text_char(&t, ' ');
        text_display(&t, (struct bytes){(const uint8_t *)name, strnlen(name, size)});
    }
    text_end(&t);
}

static bool import_first(gnutls_session_t session, gnutls_x509_crt_t *crt)
{
    unsigned count = 0;
    const gnutls_datum_t *list = gnutls_certificate_get_peers(session, &count);
    if (!list || count == 0 || gnutls_x509_crt_init(crt) < 0)
        return false;
    if (gnutls_x509_crt_import(*crt, &list[0], GNUTLS_X509_FMT_DER) == 0)
        return true;
    gnutls_x509_crt_deinit(*crt);
    return false;
}

static void describe(gnutls_session_t session, struct ldap_certificate *certificate)
{
    gnutls_x509_crt_t crt;
    if (!import_first(session, &crt))
        return;
    certificate->present = true;
    gnutls_datum_t dn = {0};
    if (gnutls_x509_crt_get_dn3(crt, &dn, 0) == 0) {
        printable(certificate->subject, sizeof certificate->subject, dn.data, dn.size);
        gnutls_free(dn.data);
    }
    dn = (gnutls_datum_t){0};
    if (gnutls_x509_crt_get_issuer_dn3(crt, &dn, 0) == 0) {
        printable(certificate->issuer, sizeof certificate->issuer, dn.data, dn.size);
        gnutls_free(dn.data);
    }
    copy_names(crt, certificate->names, sizeof certificate->names);
    certificate->begins = gnutls_x509_crt_get_activation_time(crt) * CLOCK_SECOND;
    certificate->expires = gnutls_x509_crt_get_expiration_time(crt) * CLOCK_SECOND;
    gnutls_x509_crt_deinit(crt);
}

/* The worst first: of an expired certificate of an unknown authority for another name, all three are said. */
static void explain(unsigned status, const struct ldap_certificate *certificate, const char *host,
                    const char *ca_file, struct text *t)
{
    char time[CLOCK_RFC3339_MAX];
    if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA)) {
        text_string(t, ", its issuer (");
        text_string(t, certificate->issuer);
        text_string(t, ") is not trusted by ");
        text_string(t, ca_file ? ca_file : "the system");
    }
    if (status & GNUTLS_CERT_EXPIRED) {
        text_string(t, ", it expired at ");
        text_string(t, clock_rfc3339(certificate->expires, time));
    }
    if (status & GNUTLS_CERT_NOT_ACTIVATED) {
        text_string(t, ", it is valid only from ");
        text_string(t, clock_rfc3339(certificate->begins, time));
    }
    if (status & GNUTLS_CERT_UNEXPECTED_OWNER) {
        text_string(t, ", it is not for ");
        text_string(t, host);
        text_string(t, " but for ");
        text_string(t, certificate->names[0] ? certificate->names : certificate->subject);
    }
    if (status & GNUTLS_CERT_PURPOSE_MISMATCH)
        text_string(t, ", it is not for servers");
    if (status & GNUTLS_CERT_REVOKED)
        text_string(t, ", it is revoked");
    if (status & (GNUTLS_CERT_INSECURE_ALGORITHM | GNUTLS_CERT_SIGNATURE_FAILURE))
        text_string(t, ", its signature is wrong or of a kind that is no longer safe");
}

static bool refused(gnutls_session_t session, const struct ldap_certificate *certificate, const char *host,
                    const char *ca_file, struct fault *fault)
{
    char why[FAULT_MAX];
    struct text t = text_to(why, sizeof why);
    explain(gnutls_session_get_verify_cert_status(session), certificate, host, ca_file, &t);
    text_end(&t);
    return fault_say(fault, "the certificate of %s is refused: %s", host,
                     t.length > 2 ? why + 2 : "it cannot be verified");
}

static bool shake_hands(struct ldap_stream *stream, gnutls_session_t session, int64_t deadline,
                        const atomic_bool *cancelled, int *rc, struct fault *fault)
{
    for (;;) {
        *rc = gnutls_handshake(session);
        if (*rc == 0 || gnutls_error_is_fatal(*rc))
            return *rc == 0;
        if (*rc != GNUTLS_E_AGAIN && *rc != GNUTLS_E_INTERRUPTED)
            continue; /* a warning alert */
        short events = gnutls_record_get_direction(session) ? POLLOUT : POLLIN;
        if (!ldap_stream_wait(stream, events, deadline, cancelled))
            return fault_say(fault, "TLS: no answer in time");
    }
}

static bool trust(gnutls_certificate_credentials_t credentials, const char *ca_file, struct fault *fault)
{
    int rc = ca_file ? gnutls_certificate_set_x509_trust_file(credentials, ca_file, GNUTLS_X509_FMT_PEM)
                     : gnutls_certificate_set_x509_system_trust(credentials);
    if (rc > 0)
        return true;
    return fault_say(fault, "no certificate to trust in %s: %s", ca_file ? ca_file : "the system's store",
                     rc < 0 ? gnutls_strerror(rc) : "it has none");
}

static bool handshake(struct ldap_stream *stream, gnutls_session_t session, const char *host,
                      const char *ca_file, int64_t deadline, const atomic_bool *cancelled,
                      struct ldap_certificate *certificate, struct fault *fault)
{
    gnutls_typed_vdata_st demand[] = {
        {.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)(uintptr_t)host},
        {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER},
    };
    struct ip_address address;
    if (!ip_address_parse(host, &address))
        gnutls_server_name_set(session, GNUTLS_NAME_DNS, host, strlen(host));
    gnutls_session_set_verify_cert2(session, demand, 2, 0);
    gnutls_transport_set_int(session, ldap_stream_descriptor(stream));
    gnutls_handshake_set_timeout(session, 0); /* ours counts */
    struct fault own = {.text = ""};
    int rc = 0;
    bool done = shake_hands(stream, session, deadline, cancelled, &rc, &own);
    describe(session, certificate);
    if (done)
        return true;
    if (rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
        refused(session, certificate, host, ca_file, fault);
        (void)snprintf(certificate->fault, sizeof certificate->fault, "%s", fault ? fault->text : "refused");
        return false;
    }
    return fault_say(fault, "%s", own.text[0] ? own.text : gnutls_strerror(rc));
}

bool ldap_tls_start(struct ldap_stream *stream, const char *host, const char *ca_file, int64_t deadline,
                    const atomic_bool *cancelled, struct ldap_certificate *certificate, struct fault *fault)
{
    struct ldap_certificate unused;
    if (!certificate)
        certificate = &unused;
    *certificate = (struct ldap_certificate){0};
    gnutls_certificate_credentials_t credentials = NULL;
    gnutls_session_t session = NULL;
    bool done = false;
    if (gnutls_certificate_allocate_credentials(&credentials) < 0) {
        fault_say(fault, "no memory for TLS");
    } else if (trust(credentials, ca_file, fault)) {
        if (gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0 ||
            gnutls_priority_set_direct(session, PRIORITIES, NULL) < 0 ||
            gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials) < 0)
            fault_say(fault, "TLS cannot be set up");
        else
            done = handshake(stream, session, host, ca_file, deadline, cancelled, certificate, fault);
    }
    if (done)
        ldap_stream_use_tls(stream, session, credentials);
    if (!done && session)
        gnutls_deinit(session);
    if (!done && credentials)
        gnutls_certificate_free_credentials(credentials);
    return done;
}
