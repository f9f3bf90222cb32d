/* SPDX-License-Identifier: Apache-2.0
 *
 * The parsers of LDAP: messages one after the other with all that is in them, the wrap tokens of the security
 * layer, filters, netlogon replies. Input: what it is (1), then the bytes.
 */
#include "capture/ldap.h"
#include "capture/ldap_filter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned seen;

/* Every byte of what a parser hands out must be readable. */
static void touch(struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        seen += bytes.data[i];
}

static void touch_cursor(struct cursor c)
{
    touch(cursor_take(&c, cursor_left(&c)));
}

static void filter(struct cursor bytes, size_t capacity)
{
    char *text = malloc(capacity ? capacity : 1);
    if (!text)
        return;
    struct ldap_filter_text printed = ldap_filter_print(bytes, text, capacity);
    if (printed.size > capacity)
        abort();
    touch((struct bytes){(const uint8_t *)text, printed.size});
    struct cldap_ping ping;
    if (cldap_ping_read(bytes, &ping)) {
        touch(ping.domain);
        touch(ping.host);
        touch(ping.user);
        touch(ping.domain_guid);
    }
    free(text);
}

static void strings(struct cursor list)
{
    struct bytes item;
    while (ldap_next_string(&list, &item))
        touch(item);
}

static void attributes(struct cursor list, bool (*next)(struct cursor *, struct ldap_attribute *))
{
    struct ldap_attribute attribute;
    while (next(&list, &attribute)) {
        touch(attribute.name);
        strings(attribute.values);
    }
}

static void controls(struct cursor list)
{
    struct ldap_control control;
    struct ldap_paged paged;
    struct ldap_dirsync dirsync;
    uint32_t flags;
    while (ldap_next_control(&list, &control)) {
        touch(control.oid);
        touch_cursor(control.value);
        ldap_paged_read(control.value, &paged);
        ldap_dirsync_read(control.value, &dirsync);
        ldap_sd_flags_read(control.value, &flags);
    }
}

static void netlogon(struct bytes value)
{
    struct netlogon_response response;
    if (netlogon_response_read(value, &response))
        seen += (unsigned)response.host[0] + (unsigned)response.client_site[0];
    touch(response.unicode_host);
    touch(response.unicode_user);
    touch(response.unicode_domain);
}

static void requests(struct cursor body)
{
    struct ldap_bind_request bind;
    struct ldap_search_request search;
    struct ldap_add_request add;
    struct ldap_modify_request modify;
    struct ldap_modify_dn_request rename;
    struct ldap_compare_request compare;
    struct ldap_extended_request extended;
    ldap_bind_request_read(body, &bind);
    touch(bind.name);
    touch(bind.mechanism);
    touch_cursor(bind.credentials);
    ldap_search_request_read(body, &search);
    touch(search.base);
    filter(search.filter, 4096);
    strings(search.attributes);
    ldap_add_request_read(body, &add);
    attributes(add.attributes, ldap_next_attribute);
    ldap_modify_request_read(body, &modify);
    attributes(modify.changes, ldap_next_change);
    ldap_modify_dn_request_read(body, &rename);
    touch(rename.new_rdn);
    touch(rename.new_superior);
    ldap_compare_request_read(body, &compare);
    touch(compare.attribute);
    ldap_extended_request_read(body, &extended);
    touch(extended.oid);
    touch(ldap_password_modify_user(extended.value));
}

static void responses(struct cursor body)
{
    struct ldap_result result;
    ldap_result_read(body, &result);
    touch(result.matched_dn);
    touch(result.diagnostic);
    touch(result.oid);
    touch(result.value);
    touch_cursor(result.sasl_credentials);
    seen += ldap_directory_error(result.diagnostic);
    touch(ldap_entry_name(body));
    netlogon(ldap_entry_value(body, "netlogon"));
}

static void messages(struct cursor c)
{
    struct ldap_message m;
    while (ldap_message_read(&c, &m)) {
        requests(m.body);
        responses(m.body);
        controls(m.controls);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t *copy = malloc(size - 1 ? size - 1 : 1);
    if (!copy)
        return 0;
    if (size > 1)
        memcpy(copy, data + 1, size - 1);
    struct bytes bytes = {.data = copy, .size = size - 1};
    struct ldap_header header;
    struct bytes plain;
    switch (data[0] % 4) {
    case 0:
        if (ldap_peek(bytes, &header) == LDAP_PEEK_YES && header.size < LDAP_PEEK_MIN)
            abort();
        messages(cursor_of_bytes(bytes));
        break;
    case 1:
        filter(cursor_of_bytes(bytes), data[0] < 128 ? data[0] : 4096);
        break;
    case 2:
        netlogon(bytes);
        break;
    default:
        ldap_wrap_read(bytes, bytes.size + data[0] / 8, &plain);
        touch(plain);
        break;
    }
    free(copy);
    return 0;
}
