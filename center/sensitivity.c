/* SPDX-License-Identifier: Apache-2.0 */
#include "center/sensitivity.h"

#include "sync/entity_sensitivity.h"

#include <strings.h>

/* [MS-DTYP] 2.4.2.4; [MS-ADTS] 6.1.1.4 and 6.1.1.6. Of `builtin` the RID stands behind S-1-5-32, else behind
 * the domain's SID; 0: told by its name. */
static const struct {
    const char *name;
    bool builtin;
    uint32_t rid;
} groups[] = {
    {"Administrators", true, 544},
    {"Power Users", true, 547},
    {"Account Operators", true, 548},
    {"Server Operators", true, 549},
    {"Print Operators", true, 550},
    {"Backup Operators", true, 551},
    {"Replicator", true, 552},
    {"Network Configuration Operators", true, 556},
    {"Incoming Forest Trust Builders", true, 557},
    {"Domain Admins", false, 512},
    {"Domain Controllers", false, 516},
    {"Group Policy Creator Owners", false, 520},
    {"Read-only Domain Controllers", false, 521},
    {"Enterprise Read-only Domain Controllers", false, 498},
    {"Schema Admins", false, 518},
    {"Enterprise Admins", false, 519},
    {"Exchange Servers", false, 0},
};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

#define RID_ADMINISTRATOR 500u
#define RID_KRBTGT        502u

const char *sensitivity_group_name(unsigned index)
{
    return index < GROUPS ? groups[index].name : NULL;
}

/* S-1-5-32-RID or S-1-5-21-a-b-c-RID; 0: neither. */
static uint32_t rid_of(const struct entity *entity, bool *builtin)
{
    static const uint8_t authority[6] = {0, 0, 0, 0, 0, 5};
    const struct activity_value *sid = entity_get(entity, ENTITY_OBJECT_SID);
    if (!sid)
        return 0;
    struct cursor c = cursor_of_bytes(sid->bytes);
    cursor_skip(&c, 1);
    unsigned count = cursor_u8(&c);
    bool nt = cursor_match(&c, authority, sizeof authority);
    uint32_t first = cursor_le32(&c);
    *builtin = first == 32 && count == 2;
    if (!nt || !(*builtin || (first == 21 && count == 5)))
        return 0;
    cursor_skip(&c, (count - 2u) * sizeof(uint32_t));
    uint32_t rid = cursor_le32(&c);
    return c.failed ? 0 : rid;
}

static bool is_called(const struct entity *entity, const char *name)
{
    const struct activity_value *account = entity_get(entity, ENTITY_SAM_ACCOUNT_NAME);
    return account && account->bytes.size == strlen(name) &&
           strncasecmp((const char *)account->bytes.data, name, account->bytes.size) == 0;
}

bool sensitivity_of_group(const struct entity *group)
{
    bool builtin = false;
    if (group->kind != ENTITY_GROUP)
        return false;
    uint32_t rid = rid_of(group, &builtin);
    for (size_t i = 0; i < GROUPS; i++)
        if (groups[i].rid ? groups[i].rid == rid && groups[i].builtin == builtin
                          : is_called(group, groups[i].name))
            return true;
    return entity_sensitivity_of_group(group) != 0;
}

bool sensitivity_of_account(const struct entity *account)
{
    bool builtin = false;
    if (account->kind != ENTITY_USER)
        return false;
    uint32_t rid = rid_of(account, &builtin);
    return !builtin && (rid == RID_ADMINISTRATOR || rid == RID_KRBTGT);
}
