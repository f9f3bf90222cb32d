/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/kerberos_activity.h"

/* A principal's text on its way into a record; longer ones are cut. */
#define PRINCIPAL_TEXT_MAX 1024

const struct krb_ticket_fields krb_presented_ticket = {
    .service = FIELD_TICKET_SERVICE,
    .realm = FIELD_TICKET_REALM,
    .etype = FIELD_TICKET_ETYPE,
    .kvno = FIELD_TICKET_KVNO,
    .fingerprint = FIELD_TICKET_FINGERPRINT,
};

const struct krb_ticket_fields krb_issued_ticket = {
    .service = FIELD_ISSUED_TICKET_SERVICE,
    .realm = FIELD_ISSUED_TICKET_REALM,
    .etype = FIELD_ISSUED_TICKET_ETYPE,
    .kvno = FIELD_ISSUED_TICKET_KVNO,
    .fingerprint = FIELD_ISSUED_TICKET_FINGERPRINT,
};

void krb_put_string(struct activity_writer *w, enum activity_field field, struct bytes text)
{
    if (text.size)
        activity_put_string(w, field, text.data, text.size);
}

void krb_put_time(struct activity_writer *w, enum activity_field field, int64_t time)
{
    if (time)
        activity_put_time(w, field, time);
}

void krb_put_principal(struct activity_writer *w, enum activity_field field,
                       const struct krb_principal *principal)
{
    if (!principal->present)
        return;
    char text[PRINCIPAL_TEXT_MAX];
    size_t size = krb_principal_text(principal, text, sizeof text);
    activity_put_string(w, field, text, size);
}

void krb_put_ticket(struct dissect *d, const struct krb_ticket_fields *fields,
                    const struct krb_ticket *ticket)
{
    if (!ticket->present)
        return;
    struct activity_writer *w = d->activity;
    krb_put_principal(w, fields->service, &ticket->service);
    krb_put_string(w, fields->realm, ticket->realm);
    const struct krb_encrypted *sealed = &ticket->sealed;
    if (!sealed->present)
        return;
    activity_put_int(w, fields->etype, sealed->etype);
    if (sealed->has_kvno)
        activity_put_uint(w, fields->kvno, sealed->kvno);
    if (sealed->cipher.size)
        activity_put_uint(w, fields->fingerprint, dissect_fingerprint(d, sealed->cipher));
}

void krb_put_ap_req(struct dissect *d, const struct krb_ap_req *ap_req)
{
    krb_put_ticket(d, &krb_presented_ticket, &ap_req->ticket);
    if (ap_req->authenticator.present)
        activity_put_int(d->activity, FIELD_AUTHENTICATOR_ETYPE, ap_req->authenticator.etype);
    activity_put_uint(d->activity, FIELD_AP_OPTIONS, ap_req->options);
}

void krb_put_tickets(struct dissect *d, const struct krb_ticket_list_fields *fields, struct cursor tickets)
{
    if (cursor_done(&tickets))
        return;
    struct activity_writer *w = d->activity;
    struct krb_ticket ticket;
    struct cursor walk = tickets;
    if (activity_list_begin(w, fields->services)) {
        while (krb_next_ticket(&walk, &ticket)) {
            char text[PRINCIPAL_TEXT_MAX];
            activity_list_string(w, text, krb_principal_text(&ticket.service, text, sizeof text));
        }
        activity_list_end(w);
    }
    walk = tickets;
    if (activity_list_begin(w, fields->etypes)) {
        while (krb_next_ticket(&walk, &ticket))
            activity_list_int(w, ticket.sealed.etype);
        activity_list_end(w);
    }
    walk = tickets;
    if (activity_list_begin(w, fields->fingerprints)) {
        while (krb_next_ticket(&walk, &ticket))
            if (ticket.sealed.cipher.size)
                activity_list_uint(w, dissect_fingerprint(d, ticket.sealed.cipher));
        activity_list_end(w);
    }
}

void krb_put_error_text(struct activity_writer *w, const struct krb_error *error)
{
    krb_put_string(w, FIELD_KERBEROS_ERROR_TEXT, error->text);
    krb_put_time(w, FIELD_KERBEROS_SERVER_TIME, error->server_time);
}

void krb_emit_cred(struct dissect *d, struct cursor tickets, const char *carrier)
{
    static const struct krb_ticket_list_fields fields = {
        .services = FIELD_TICKET_SERVICES,
        .etypes = FIELD_TICKET_ETYPES,
        .fingerprints = FIELD_TICKET_FINGERPRINTS,
    };
    struct activity_writer *w = dissect_begin(d, ACTIVITY_KERBEROS_CRED);
    if (carrier)
        activity_put_text(w, FIELD_CARRIER, carrier);
    krb_put_tickets(d, &fields, tickets);
    dissect_emit(d);
}
