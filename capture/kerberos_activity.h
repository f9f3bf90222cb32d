/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kinds of Kerberos activities share: how principals, tickets and errors are put into the record.
 */
#pragma once

#include "capture/dissect.h"
#include "capture/kerberos.h"

/* The fields of one ticket in a record. */
struct krb_ticket_fields {
    enum activity_field service;
    enum activity_field realm;
    enum activity_field etype;
    enum activity_field kvno;
    enum activity_field fingerprint;
};
extern const struct krb_ticket_fields krb_presented_ticket;
extern const struct krb_ticket_fields krb_issued_ticket;

/* Puts nothing for what is not there. */
void krb_put_string(struct activity_writer *w, enum activity_field field, struct bytes text);
void krb_put_time(struct activity_writer *w, enum activity_field field, int64_t time);
void krb_put_principal(struct activity_writer *w, enum activity_field field,
                       const struct krb_principal *principal);
void krb_put_ticket(struct dissect *d, const struct krb_ticket_fields *fields,
                    const struct krb_ticket *ticket);

/* The presented ticket, authenticator and options. */
void krb_put_ap_req(struct dissect *d, const struct krb_ap_req *ap_req);

/* A list of tickets as three lists: services, etypes, fingerprints. */
struct krb_ticket_list_fields {
    enum activity_field services;
    enum activity_field etypes;
    enum activity_field fingerprints;
};
void krb_put_tickets(struct dissect *d, const struct krb_ticket_list_fields *fields, struct cursor tickets);

/* Text, extended status and server's time of an error, as AP and kpasswd have them; not its code. */
void krb_put_error_text(struct activity_writer *w, const struct krb_error *error);

/* KRB-CRED as an activity of its own; `carrier` NULL: none. */
void krb_emit_cred(struct dissect *d, struct cursor tickets, const char *carrier);
