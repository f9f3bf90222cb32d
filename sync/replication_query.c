/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/replication_query.h"

#include "base/text.h"

/* Derived classes match by their parents: computers and managed accounts are users. The server matches
 * tombstones too, which keep their classes. */
static const char *const kinds[] = {
    "(|(objectClass=user)(objectClass=group)(objectClass=contact)(objectClass=foreignSecurityPrincipal)"
    "(objectClass=organizationalUnit)(objectClass=container)(objectClass=builtinDomain)"
    "(objectClass=domainDNS)(objectClass=trustedDomain)(objectClass=msDS-PasswordSettings)"
    "(objectClass=groupPolicyContainer))",
    "(|(objectClass=site)(objectClass=subnet)(objectClass=server)(objectClass=nTDSDSA)(objectClass=crossRef)"
    ")",
};

static void put_bound(struct text *t, const char *attribute, const char *comparison, uint64_t value)
{
    if (!value)
        return;
    text_char(t, '(');
    text_string(t, attribute);
    text_string(t, comparison);
    text_uint(t, value);
    text_char(t, ')');
}

void replication_filter(char to[REPLICATION_FILTER_MAX], unsigned context, uint64_t created_from,
                        uint64_t created_to, uint64_t changed_from)
{
    struct text t = text_to(to, REPLICATION_FILTER_MAX);
    bool bounded = created_from || created_to || changed_from;
    text_string(&t, bounded ? "(&" : "");
    put_bound(&t, "uSNCreated", ">=", created_from);
    put_bound(&t, "uSNCreated", "<=", created_to);
    put_bound(&t, "uSNChanged", ">=", changed_from);
    text_string(&t, kinds[context]);
    text_string(&t, bounded ? ")" : "");
    text_end(&t);
}

void replication_filter_guids(char to[REPLICATION_FILTER_MAX], const struct guid *guids, uint32_t count)
{
    _Static_assert(REPLICATION_BATCH * (sizeof "(objectGUID=)" + 3 * GUID_SIZE) + 8 < REPLICATION_FILTER_MAX,
                   "a batch fits");
    struct text t = text_to(to, REPLICATION_FILTER_MAX);
    text_string(&t, "(|");
    for (uint32_t i = 0; i < count; i++) {
        text_string(&t, "(objectGUID=");
        for (unsigned j = 0; j < GUID_SIZE; j++) {
            text_char(&t, '\\');
            text_hex(&t, (struct bytes){&guids[i].bytes[j], 1});
        }
        text_char(&t, ')');
    }
    text_char(&t, ')');
    text_end(&t);
}
