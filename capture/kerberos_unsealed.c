/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/kerberos_unsealed.h"

#include "base/sid.h"
#include "base/utf8.h"
#include "capture/kerberos_activity.h"
#include "capture/kerberos_parts.h"
#include "capture/pac.h"
#include "capture/pac_logon.h"

#include <string.h>

#define PRINCIPAL_TEXT_MAX 1024
#define GROUPS_LISTED_MAX  256

/* The fields of one ticket's inside. */
struct ticket_fields {
    enum activity_field client, client_realm, flags, auth_time, start_time, end_time, renew_till,
        session_etype, transited, unreadable;
};

#define TICKET_FIELDS(prefix)                                                                                \
    {                                                                                                        \
        .client = prefix##_CLIENT, .client_realm = prefix##_CLIENT_REALM, .flags = prefix##_FLAGS,           \
        .auth_time = prefix##_AUTH_TIME, .start_time = prefix##_START_TIME, .end_time = prefix##_END_TIME,   \
        .renew_till = prefix##_RENEW_TILL, .session_etype = prefix##_SESSION_ETYPE,                          \
        .transited = prefix##_TRANSITED, .unreadable = prefix##_UNREADABLE,                                  \
    }

static const struct ticket_fields presented = TICKET_FIELDS(FIELD_TICKET);
static const struct ticket_fields issued = TICKET_FIELDS(FIELD_ISSUED_TICKET);

/* NULL when nothing is to be said: read, or nobody to ask. */
static const char *why_unreadable(enum unseal_result result)
{
    switch (result) {
    case UNSEAL_NO_KEY:
        return "no_key";
    case UNSEAL_OTHER_KVNO:
        return "other_kvno";
    case UNSEAL_WRONG_KEY:
        return "wrong_key";
    case UNSEAL_ETYPE:
        return "etype";
    default:
        return NULL;
    }
}

static void put_unreadable(struct activity_writer *w, enum activity_field field, enum unseal_result result)
{
    const char *why = why_unreadable(result);
    if (why)
        activity_put_text(w, field, why);
}

static const struct unsealed_part *find_part(const struct unsealed *facts, enum unsealed_kind kind)
{
    for (size_t i = 0; i < facts->count; i++)
        if (facts->parts[i].kind == kind)
            return &facts->parts[i];
    return NULL;
}

static bool was_read(const struct unsealed_part *part)
{
    return part && part->result == UNSEAL_FINE;
}

/* --- the PAC --- */

static void put_utf16(struct activity_writer *w, enum activity_field field, struct bytes text)
{
    dissect_put_text(w, field, text, true);
}

static void put_sid(struct activity_writer *w, enum activity_field field, struct bytes sid)
{
    if (sid.size)
        activity_put_sid(w, field, sid.data, sid.size);
}

static void put_signatures(struct activity_writer *w, const struct unsealed_part *part, struct bytes pac)
{
    static const char *const verdicts[] = {
        [PAC_SIGNATURE_ABSENT] = "absent",
        [PAC_SIGNATURE_GOOD] = "good",
        [PAC_SIGNATURE_BAD] = "bad",
        [PAC_SIGNATURE_UNKNOWN] = "unknown",
    };
    static const enum activity_field fields[PAC_SIGNATURES] = {
        [PAC_SERVER] = FIELD_PAC_SERVER_SIGNATURE,
        [PAC_KDC] = FIELD_PAC_KDC_SIGNATURE,
        [PAC_TICKET] = FIELD_PAC_TICKET_SIGNATURE,
        [PAC_FULL] = FIELD_PAC_FULL_SIGNATURE,
    };
    static const uint32_t buffers[PAC_SIGNATURES] = {PAC_SERVER_CHECKSUM, PAC_KDC_CHECKSUM,
                                                     PAC_TICKET_CHECKSUM, PAC_FULL_CHECKSUM};
    for (int i = 0; i < PAC_SIGNATURES; i++)
        activity_put_text(w, fields[i], verdicts[part->signatures[i]]);
    if (!activity_list_begin(w, FIELD_PAC_SIGNATURE_TYPES))
        return;
    for (int i = 0; i < PAC_SIGNATURES; i++) {
        struct pac_signature_data signature;
        if (pac_signature_read(pac_find(pac, buffers[i]), &signature))
            activity_list_int(w, signature.type);
    }
    activity_list_end(w);
}

static void put_groups(struct activity_writer *w, enum activity_field field, const struct pac_groups *groups)
{
    uint32_t rid, attributes;
    if (!groups->list.size || !activity_list_begin(w, field))
        return;
    size_t listed = 0;
    for (size_t at = 0; listed < GROUPS_LISTED_MAX && pac_next_group(groups, &at, &rid, &attributes);
         listed++)
        activity_list_uint(w, rid);
    activity_list_end(w);
}

static void put_extra_sids(struct activity_writer *w, const struct pac_sids *sids)
{
    struct bytes sid;
    if (!sids->count || !activity_list_begin(w, FIELD_PAC_EXTRA_SIDS))
        return;
    size_t listed = 0;
    for (size_t at = 0; listed < GROUPS_LISTED_MAX && pac_next_sid(sids, &at, &sid); listed++)
        activity_list_sid(w, sid.data, sid.size);
    activity_list_end(w);
}

/* The domain's SID with one more sub-authority: the RID ([MS-DTYP] 2.4.2.2). */
static void put_account_sid(struct activity_writer *w, struct bytes domain, uint32_t rid)
{
    uint8_t sid[SID_BYTES_MAX];
    if (domain.size < 8 || domain.size + 4 > sizeof sid)
        return;
    memcpy(sid, domain.data, domain.size);
    sid[1]++;
    for (unsigned i = 0; i < 4; i++)
        sid[domain.size + i] = (uint8_t)(rid >> (8 * i));
    activity_put_sid(w, FIELD_PAC_ACCOUNT_SID, sid, domain.size + 4);
}

static void put_logon(struct activity_writer *w, struct bytes buffer)
{
    struct pac_logon logon;
    if (!pac_logon_read(buffer, &logon))
        return;
    put_utf16(w, FIELD_PAC_ACCOUNT, logon.account);
    put_utf16(w, FIELD_PAC_FULL_NAME, logon.full_name);
    put_utf16(w, FIELD_PAC_DOMAIN, logon.domain);
    put_utf16(w, FIELD_PAC_LOGON_SERVER, logon.logon_server);
    put_account_sid(w, logon.domain_sid, logon.rid);
    activity_put_uint(w, FIELD_PAC_PRIMARY_GROUP, logon.primary_group);
    put_groups(w, FIELD_PAC_GROUPS, &logon.groups);
    put_extra_sids(w, &logon.extra);
    put_sid(w, FIELD_PAC_RESOURCE_DOMAIN_SID, logon.resource_domain_sid);
    put_groups(w, FIELD_PAC_RESOURCE_GROUPS, &logon.resource_groups);
    krb_put_time(w, FIELD_PAC_LOGON_TIME, logon.logon_time);
    krb_put_time(w, FIELD_PAC_KICKOFF_TIME, logon.kickoff_time);
    krb_put_time(w, FIELD_PAC_PASSWORD_LAST_SET, logon.password_last_set);
    krb_put_time(w, FIELD_PAC_PASSWORD_MUST_CHANGE, logon.password_must_change);
    activity_put_uint(w, FIELD_PAC_LOGON_COUNT, logon.logon_count);
    activity_put_uint(w, FIELD_PAC_BAD_PASSWORD_COUNT, logon.bad_passwords);
    activity_put_uint(w, FIELD_PAC_USER_FLAGS, logon.user_flags);
    activity_put_uint(w, FIELD_PAC_ACCOUNT_CONTROL, logon.account_control);
}

static void put_client_info(struct activity_writer *w, struct bytes buffer)
{
    struct pac_client_info info;
    if (!pac_client_info_read(buffer, &info))
        return;
    put_utf16(w, FIELD_PAC_CLIENT_NAME, info.name);
    krb_put_time(w, FIELD_PAC_CLIENT_TIME, info.time);
}

static void put_upn_info(struct activity_writer *w, struct bytes buffer)
{
    struct pac_upn_info info;
    if (!pac_upn_info_read(buffer, &info))
        return;
    put_utf16(w, FIELD_PAC_UPN, info.upn);
    put_utf16(w, FIELD_PAC_DNS_DOMAIN, info.dns_domain);
    activity_put_uint(w, FIELD_PAC_UPN_FLAGS, info.flags);
    put_utf16(w, FIELD_PAC_UPN_ACCOUNT, info.account);
    put_sid(w, FIELD_PAC_UPN_SID, info.sid);
}

static void put_buffer(struct activity_writer *w, const struct pac_buffer *buffer)
{
    uint32_t flags;
    switch (buffer->type) {
    case PAC_LOGON_INFO:
        put_logon(w, buffer->data);
        break;
    case PAC_CLIENT_INFO:
        put_client_info(w, buffer->data);
        break;
    case PAC_UPN_DNS_INFO:
        put_upn_info(w, buffer->data);
        break;
    case PAC_ATTRIBUTES_INFO:
        if (pac_attributes_read(buffer->data, &flags))
            activity_put_uint(w, FIELD_PAC_ATTRIBUTES, flags);
        break;
    case PAC_REQUESTOR_SID:
        put_sid(w, FIELD_PAC_REQUESTOR_SID, pac_requestor_read(buffer->data));
        break;
    default:
        break;
    }
}

static void put_pac(struct activity_writer *w, const struct unsealed_part *part,
                    const struct krb_enc_ticket *ticket)
{
    struct bytes pac = krb_find_pac(ticket->authorization);
    activity_put_bool(w, FIELD_PAC_PRESENT, pac.size > 0);
    if (!pac.size)
        return;
    struct pac_buffer buffer;
    if (activity_list_begin(w, FIELD_PAC_BUFFERS)) {
        for (uint32_t index = 0; pac_next_buffer(pac, &index, &buffer);)
            activity_list_int(w, (int64_t)buffer.type);
        activity_list_end(w);
    }
    put_signatures(w, part, pac);
    for (uint32_t index = 0; pac_next_buffer(pac, &index, &buffer);)
        put_buffer(w, &buffer);
}

/* --- tickets --- */

static void put_ticket(struct activity_writer *w, const struct ticket_fields *fields,
                       const struct krb_enc_ticket *ticket)
{
    krb_put_principal(w, fields->client, &ticket->client);
    krb_put_string(w, fields->client_realm, ticket->client_realm);
    activity_put_uint(w, fields->flags, ticket->flags);
    krb_put_time(w, fields->auth_time, ticket->times.auth_time);
    krb_put_time(w, fields->start_time, ticket->times.start_time);
    krb_put_time(w, fields->end_time, ticket->times.end_time);
    krb_put_time(w, fields->renew_till, ticket->times.renew_till);
    if (ticket->key.present)
        activity_put_int(w, fields->session_etype, ticket->key.etype);
    krb_put_string(w, fields->transited, ticket->transited);
}

/* The ticket's inside; true when it was read, and `to` is filled. */
static bool put_ticket_part(struct activity_writer *w, const struct ticket_fields *fields,
                            const struct unsealed_part *part, struct krb_enc_ticket *to)
{
    if (!part)
        return false;
    put_unreadable(w, fields->unreadable, part->result);
    if (!was_read(part) || !krb_read_enc_ticket(cursor_of_bytes(part->plain), to))
        return false;
    put_ticket(w, fields, to);
    return true;
}

/* The client's half of the reply says the same of the issued ticket, when its service's key is not held. */
static void put_reply_part(struct activity_writer *w, const struct unsealed_part *part)
{
    struct krb_reply_part reply;
    if (!was_read(part) || !krb_read_reply_part(cursor_of_bytes(part->plain), &reply))
        return;
    struct krb_enc_ticket ticket = {
        .flags = reply.flags,
        .key = reply.key,
        .times = reply.times,
    };
    put_ticket(w, &issued, &ticket);
    if (w->kind == ACTIVITY_KERBEROS_AS)
        krb_put_time(w, FIELD_PASSWORD_EXPIRES, reply.key_expiration);
}

static bool same_text(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void put_authenticator(struct activity_writer *w, const struct unsealed_part *part,
                              const struct krb_enc_ticket *ticket)
{
    struct krb_authenticator authenticator;
    if (!was_read(part) || !krb_read_authenticator(cursor_of_bytes(part->plain), &authenticator))
        return;
    krb_put_time(w, FIELD_AUTHENTICATOR_TIME, authenticator.time);
    struct bytes named = ber_bytes(authenticator.client.names);
    if (!ticket || !same_text(named, ber_bytes(ticket->client.names)))
        krb_put_principal(w, FIELD_AUTHENTICATOR_CLIENT, &authenticator.client);
}

/* --- FAST, pre-authentication --- */

static void put_fast_request(struct activity_writer *w, const struct unsealed_part *part)
{
    struct krb_fast_request request;
    if (!was_read(part) || !krb_read_fast_request(cursor_of_bytes(part->plain), &request))
        return;
    krb_put_principal(w, FIELD_FAST_ACCOUNT, &request.body.client);
    krb_put_principal(w, FIELD_FAST_SERVICE, &request.body.service);
    struct krb_padata padata;
    struct cursor list = request.padata;
    if (cursor_done(&list) || !activity_list_begin(w, FIELD_FAST_PADATA_TYPES))
        return;
    while (krb_next_padata(&list, &padata))
        activity_list_int(w, padata.type);
    activity_list_end(w);
}

static void put_armor(struct activity_writer *w, const struct unsealed_part *part)
{
    struct krb_enc_ticket ticket;
    if (was_read(part) && krb_read_enc_ticket(cursor_of_bytes(part->plain), &ticket))
        krb_put_principal(w, FIELD_FAST_ARMOR_CLIENT, &ticket.client);
}

static void put_preauthentication(struct activity_writer *w, const struct unsealed_part *part)
{
    if (!part)
        return;
    put_unreadable(w, FIELD_PREAUTH_UNREADABLE, part->result);
    if (was_read(part))
        krb_put_time(w, FIELD_PREAUTH_TIME, krb_read_enc_timestamp(cursor_of_bytes(part->plain)));
}

static void put_additional(struct activity_writer *w, const struct unsealed *facts)
{
    if (!was_read(find_part(facts, UNSEALED_ADDITIONAL)) ||
        !activity_list_begin(w, FIELD_ADDITIONAL_TICKET_CLIENTS))
        return;
    for (size_t i = 0; i < facts->count; i++) {
        const struct unsealed_part *part = &facts->parts[i];
        struct krb_enc_ticket ticket;
        char text[PRINCIPAL_TEXT_MAX];
        if (part->kind == UNSEALED_ADDITIONAL && was_read(part) &&
            krb_read_enc_ticket(cursor_of_bytes(part->plain), &ticket))
            activity_list_string(w, text, krb_principal_text(&ticket.client, text, sizeof text));
    }
    activity_list_end(w);
}

/* --- together --- */

static bool any_read(const struct unsealed *facts)
{
    for (size_t i = 0; i < facts->count; i++)
        if (facts->parts[i].result == UNSEAL_FINE)
            return true;
    return false;
}

/* Whose request it is: nobody names the client of an AP exchange in clear. */
static void put_client(struct activity_writer *w, const struct krb_enc_ticket *ticket)
{
    if (w->kind != ACTIVITY_KERBEROS_AP && w->kind != ACTIVITY_KERBEROS_PASSWORD_CHANGE)
        return;
    krb_put_principal(w, FIELD_ACCOUNT, &ticket->client);
    krb_put_string(w, FIELD_ACCOUNT_DOMAIN, ticket->client_realm);
}

static void put_presented(struct activity_writer *w, const struct unsealed *facts)
{
    struct krb_enc_ticket ticket;
    const struct unsealed_part *part = find_part(facts, UNSEALED_PRESENTED);
    bool has_ticket = put_ticket_part(w, &presented, part, &ticket);
    if (has_ticket)
        put_client(w, &ticket);
    if (has_ticket && w->kind != ACTIVITY_KERBEROS_PASSWORD_CHANGE)
        put_pac(w, part, &ticket);
    put_authenticator(w, find_part(facts, UNSEALED_AUTHENTICATOR), has_ticket ? &ticket : NULL);
}

static void put_issued(struct activity_writer *w, const struct unsealed *facts)
{
    struct krb_enc_ticket ticket;
    const struct unsealed_part *part = find_part(facts, UNSEALED_ISSUED);
    if (put_ticket_part(w, &issued, part, &ticket) && w->kind == ACTIVITY_KERBEROS_AS)
        put_pac(w, part, &ticket);
    put_reply_part(w, find_part(facts, UNSEALED_REPLY));
}

void krb_put_unsealed(struct dissect *d, const struct unsealed *facts)
{
    struct activity_writer *w = d->activity;
    if (!facts->count)
        return;
    if (any_read(facts) && !activity_has(w, FIELD_UNSEALED))
        activity_put_bool(w, FIELD_UNSEALED, true);
    if (w->kind != ACTIVITY_KERBEROS_AS)
        put_presented(w, facts);
    if (w->kind != ACTIVITY_KERBEROS_AS && w->kind != ACTIVITY_KERBEROS_TGS)
        return;
    put_issued(w, facts);
    put_armor(w, find_part(facts, UNSEALED_ARMOR));
    put_fast_request(w, find_part(facts, UNSEALED_FAST_REQUEST));
    if (w->kind == ACTIVITY_KERBEROS_AS)
        put_preauthentication(w, find_part(facts, UNSEALED_TIMESTAMP));
    else
        put_additional(w, facts);
}

bool krb_unsealed_client(const struct unsealed *facts, char *account, size_t account_size, char *realm,
                         size_t realm_size)
{
    struct krb_enc_ticket ticket;
    char text[PRINCIPAL_TEXT_MAX];
    const struct unsealed_part *part = find_part(facts, UNSEALED_PRESENTED);
    if (!was_read(part) || !krb_read_enc_ticket(cursor_of_bytes(part->plain), &ticket))
        return false;
    bool cut;
    size_t size = krb_principal_text(&ticket.client, text, sizeof text);
    account[utf8_copy((uint8_t *)account, account_size - 1, (const uint8_t *)text, size, &cut)] = '\0';
    const struct bytes *from = &ticket.client_realm;
    realm[utf8_copy((uint8_t *)realm, realm_size - 1, from->data, from->size, &cut)] = '\0';
    return true;
}
