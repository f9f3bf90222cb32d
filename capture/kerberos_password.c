/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/kerberos_password.h"

#include "capture/kerberos_activity.h"
#include "capture/kerberos_elements.h"
#include "capture/kerberos_unsealed.h"

void kpasswd_end(struct dissect *d, struct kpasswd_contexts *contexts, uint32_t number)
{
    uint64_t *context = &contexts->context[number % KPASSWD_CONTEXTS];
    if (*context)
        unseal_forget(d, *context);
    *context = 0;
}

void kpasswd_end_all(struct dissect *d, struct kpasswd_contexts *contexts)
{
    for (uint32_t i = 0; i < KPASSWD_CONTEXTS; i++)
        kpasswd_end(d, contexts, i);
}

void kpasswd_begin(struct dissect *d, struct kpasswd_contexts *contexts, uint32_t number, struct bytes ap_req)
{
    kpasswd_end(d, contexts, number);
    if (!unseal_possible(d) || d->truncated)
        return;
    struct unsealed facts;
    contexts->context[number % KPASSWD_CONTEXTS] = unseal_ap_request(d, ap_req, &facts);
    krb_put_unsealed(d, &facts);
}

void kpasswd_reply(struct dissect *d, const struct kpasswd_contexts *contexts, uint32_t number,
                   struct bytes ap_rep)
{
    uint64_t context = contexts->context[number % KPASSWD_CONTEXTS];
    if (context)
        unseal_ap_reply(d, context, ap_rep);
}

/* ChangePasswdData ::= SEQUENCE { newpasswd [0] OCTET STRING, targname [1] PrincipalName OPTIONAL, targrealm
 * [2] Realm OPTIONAL }. Without a name it is the user's own. */
static void put_target(struct dissect *d, struct bytes plain)
{
    struct cursor c = cursor_of_bytes(plain);
    struct cursor members = krb_enter_sequence(c);
    struct ber member;
    while ((member = ber_next(&members)).tag) {
        if (member.tag == EXPLICIT(1)) {
            struct krb_principal target = {.present = false};
            krb_inner_principal(member.value, &target);
            krb_put_principal(d->activity, FIELD_PASSWORD_TARGET, &target);
        } else if (member.tag == EXPLICIT(2)) {
            krb_put_string(d->activity, FIELD_PASSWORD_TARGET_REALM, krb_inner_string(member.value));
        }
    }
}

/* Result code 2, text. Instead of a text [MS-KILE] 3.1.1.1 has the rules for passwords, which begin with two
 * zero bytes. */
static void put_outcome(struct dissect *d, struct bytes plain)
{
    struct cursor c = cursor_of_bytes(plain);
    uint16_t code = cursor_be16(&c);
    if (c.failed)
        return;
    activity_put_uint(d->activity, FIELD_STATUS, code);
    struct bytes text = cursor_take(&c, cursor_left(&c));
    if (code && text.size && text.data[0])
        krb_put_string(d->activity, FIELD_KERBEROS_ERROR_TEXT, text);
}

bool kpasswd_put_private(struct dissect *d, const struct kpasswd_contexts *contexts, uint32_t number,
                         struct bytes priv)
{
    uint64_t context = contexts->context[number % KPASSWD_CONTEXTS];
    struct bytes plain;
    if (!context || d->truncated || unseal_priv(d, context, priv, &plain) != UNSEAL_FINE)
        return false;
    if (!activity_has(d->activity, FIELD_UNSEALED))
        activity_put_bool(d->activity, FIELD_UNSEALED, true);
    if (d->direction == TO_SERVER)
        put_target(d, plain);
    else
        put_outcome(d, plain);
    return true;
}
