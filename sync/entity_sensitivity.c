/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/entity_sensitivity.h"

#include <strings.h>

enum scope {
    SCOPE_DOMAIN,  /* the RID behind the domain's SID */
    SCOPE_BUILTIN, /* the RID behind S-1-5-32 */
    SCOPE_NAME,    /* by account name: no RID is fixed */
    SCOPE_NONE,    /* no group: what its own attributes say */
};

enum {
    DOMAIN_ADMINS,
    ENTERPRISE_ADMINS,
    SCHEMA_ADMINS,
    ADMINISTRATORS,
    ACCOUNT_OPERATORS,
    SERVER_OPERATORS,
    PRINT_OPERATORS,
    BACKUP_OPERATORS,
    REPLICATOR,
    DOMAIN_CONTROLLERS,
    READ_ONLY_DOMAIN_CONTROLLERS,
    GROUP_POLICY_CREATOR_OWNERS,
    CERT_PUBLISHERS,
    KEY_ADMINS,
    ENTERPRISE_KEY_ADMINS,
    DNS_ADMINS,
    EXCHANGE_TRUSTED_SUBSYSTEM,
    KRBTGT,
    BUILTIN_ADMINISTRATOR,
    ADMIN_COUNT_SET,
    DOMAIN_CONTROLLER,
    READ_ONLY_DOMAIN_CONTROLLER,
    UNCONSTRAINED_DELEGATION,
    PROTOCOL_TRANSITION,
    BITS
};

static const struct {
    const char *name;
    enum scope scope;
    uint32_t rid;
    const char *account;
    const char *doc;
} bits[BITS] = {
    [DOMAIN_ADMINS] = {"domain_admins", SCOPE_DOMAIN, 512, NULL, "Domain Admins (RID 512)."},
    [ENTERPRISE_ADMINS] = {"enterprise_admins", SCOPE_DOMAIN, 519, NULL, "Enterprise Admins (RID 519)."},
    [SCHEMA_ADMINS] = {"schema_admins", SCOPE_DOMAIN, 518, NULL, "Schema Admins (RID 518)."},
    [ADMINISTRATORS] = {"administrators", SCOPE_BUILTIN, 544, NULL,
                        "The domain's Administrators (S-1-5-32-544)."},
    [ACCOUNT_OPERATORS] = {"account_operators", SCOPE_BUILTIN, 548, NULL,
                           "Account Operators (S-1-5-32-548)."},
    [SERVER_OPERATORS] = {"server_operators", SCOPE_BUILTIN, 549, NULL, "Server Operators (S-1-5-32-549)."},
    [PRINT_OPERATORS] = {"print_operators", SCOPE_BUILTIN, 550, NULL, "Print Operators (S-1-5-32-550)."},
    [BACKUP_OPERATORS] = {"backup_operators", SCOPE_BUILTIN, 551, NULL, "Backup Operators (S-1-5-32-551)."},
    [REPLICATOR] = {"replicator", SCOPE_BUILTIN, 552, NULL, "Replicator (S-1-5-32-552)."},
    [DOMAIN_CONTROLLERS] = {"domain_controllers", SCOPE_DOMAIN, 516, NULL, "Domain Controllers (RID 516)."},
    [READ_ONLY_DOMAIN_CONTROLLERS] = {"read_only_domain_controllers", SCOPE_DOMAIN, 521, NULL,
                                      "Read-only Domain Controllers (RID 521)."},
    [GROUP_POLICY_CREATOR_OWNERS] = {"group_policy_creator_owners", SCOPE_DOMAIN, 520, NULL,
                                     "Group Policy Creator Owners (RID 520)."},
    [CERT_PUBLISHERS] = {"cert_publishers", SCOPE_DOMAIN, 517, NULL, "Cert Publishers (RID 517)."},
    [KEY_ADMINS] = {"key_admins", SCOPE_DOMAIN, 526, NULL, "Key Admins (RID 526)."},
    [ENTERPRISE_KEY_ADMINS] = {"enterprise_key_admins", SCOPE_DOMAIN, 527, NULL,
                               "Enterprise Key Admins (RID 527)."},
    [DNS_ADMINS] = {"dns_admins", SCOPE_NAME, 0, "DnsAdmins",
                    "DnsAdmins, told by its name: it can have code run on domain controllers."},
    [EXCHANGE_TRUSTED_SUBSYSTEM] = {"exchange_trusted_subsystem", SCOPE_NAME, 0, "Exchange Trusted Subsystem",
                                    "Told by its name: it has far-reaching rights in many domains."},
    [KRBTGT] = {"krbtgt", SCOPE_DOMAIN, 502, NULL,
                "The account whose key signs every ticket (RID 502), or a "
                "read-only domain controller's (`krbtgt_...`)."},
    [BUILTIN_ADMINISTRATOR] = {"builtin_administrator", SCOPE_DOMAIN, 500, NULL,
                               "The built-in Administrator (RID 500)."},
    [ADMIN_COUNT_SET] = {"admin_count", SCOPE_NONE, 0, NULL,
                         "`adminCount` is set: it is, or once was, in a protected group."},
    [DOMAIN_CONTROLLER] = {"domain_controller", SCOPE_NONE, 0, NULL, "`userAccountControl` says so."},
    [READ_ONLY_DOMAIN_CONTROLLER] = {"read_only_domain_controller", SCOPE_NONE, 0, NULL, "Likewise."},
    [UNCONSTRAINED_DELEGATION] = {"unconstrained_delegation", SCOPE_NONE, 0, NULL,
                                  "Keeps the tickets of whoever logs on to it, and is no domain controller."},
    [PROTOCOL_TRANSITION] = {"protocol_transition", SCOPE_NONE, 0, NULL,
                             "May name any user to the services it delegates to."},
};

const char *entity_sensitivity_name(unsigned bit)
{
    return bit < BITS ? bits[bit].name : NULL;
}

const char *entity_sensitivity_doc(unsigned bit)
{
    return bit < BITS ? bits[bit].doc : NULL;
}

/* S-1-5-32-RID or S-1-5-21-a-b-c-RID. */
static enum scope sid_scope(struct bytes sid, uint32_t *rid)
{
    static const uint8_t authority[6] = {0, 0, 0, 0, 0, 5};
    struct cursor c = cursor_of_bytes(sid);
    cursor_skip(&c, 1);
    uint8_t count = cursor_u8(&c);
    bool nt = cursor_match(&c, authority, sizeof authority);
    uint32_t first = cursor_le32(&c);
    if (c.failed || !nt || count < 2)
        return SCOPE_NONE;
    cursor_skip(&c, (count - 2u) * sizeof(uint32_t));
    *rid = cursor_le32(&c);
    if (c.failed)
        return SCOPE_NONE;
    return first == 32 && count == 2 ? SCOPE_BUILTIN : first == 21 && count == 5 ? SCOPE_DOMAIN : SCOPE_NONE;
}

static bool is_account(struct bytes account, const char *name)
{
    return account.size == strlen(name) && strncasecmp((const char *)account.data, name, account.size) == 0;
}

static uint64_t by_identity(const struct entity *entity)
{
    const struct activity_value *sid = entity_get(entity, ENTITY_OBJECT_SID);
    const struct activity_value *account = entity_get(entity, ENTITY_SAM_ACCOUNT_NAME);
    uint32_t rid = 0;
    enum scope scope = sid ? sid_scope(sid->bytes, &rid) : SCOPE_NONE;
    uint64_t found = 0;
    for (unsigned bit = 0; bit < BITS; bit++) {
        bool is = bits[bit].scope == SCOPE_NAME
                      ? account && is_account(account->bytes, bits[bit].account)
                      : bits[bit].scope != SCOPE_NONE && bits[bit].scope == scope && bits[bit].rid == rid;
        found |= is ? UINT64_C(1) << bit : 0;
    }
    return found;
}

uint64_t entity_sensitivity_of_group(const struct entity *group)
{
    return group->kind == ENTITY_GROUP ? by_identity(group) : 0;
}

/* [MS-ADTS] 2.2.16 */
#define TRUSTED_FOR_DELEGATION         0x80000u
#define TRUSTED_TO_AUTH_FOR_DELEGATION 0x1000000u

static uint64_t bit_if(bool is, unsigned bit)
{
    return is ? UINT64_C(1) << bit : 0;
}

uint64_t entity_sensitivity_of(const struct entity *entity)
{
    const struct activity_value *control = entity_get(entity, ENTITY_USER_ACCOUNT_CONTROL);
    const struct activity_value *count = entity_get(entity, ENTITY_ADMIN_COUNT);
    const struct activity_value *account = entity_get(entity, ENTITY_SAM_ACCOUNT_NAME);
    bool controller = entity_is_domain_controller(entity);
    uint64_t found = by_identity(entity);
    /* A name says nothing of a user: anybody may be called DnsAdmins who is no group. */
    if (entity->kind != ENTITY_GROUP)
        found &= ~(bit_if(true, DNS_ADMINS) | bit_if(true, EXCHANGE_TRUSTED_SUBSYSTEM));
    found |= bit_if(count && count->uint, ADMIN_COUNT_SET);
    found |= bit_if(controller, DOMAIN_CONTROLLER);
    found |= bit_if(entity_is_read_only_domain_controller(entity), READ_ONLY_DOMAIN_CONTROLLER);
    found |=
        bit_if(control && control->uint & TRUSTED_FOR_DELEGATION && !controller, UNCONSTRAINED_DELEGATION);
    found |= bit_if(control && control->uint & TRUSTED_TO_AUTH_FOR_DELEGATION, PROTOCOL_TRANSITION);
    found |= bit_if(entity->kind == ENTITY_USER && account && account->bytes.size > 7 &&
                        is_account((struct bytes){account->bytes.data, 7}, "krbtgt_"),
                    KRBTGT);
    return found;
}
