/* SPDX-License-Identifier: Apache-2.0
 *
 * KERB_VALIDATION_INFO, the logon information of a PAC ([MS-PAC] 2.5): who a ticket says its client is, and
 * of which groups a member. Bytes in, a view into them out.
 */
#pragma once

#include "base/cursor.h"

/* Group memberships of one domain: RID and attributes (8 bytes) each, little-endian. */
struct pac_groups {
    struct bytes list;
};

/* SIDs with attributes: their number, then each as ndr_sid gives it. */
struct pac_sids {
    uint32_t count;
    struct bytes deferred; /* the SIDs, one behind the other, as NDR has them */
    const uint8_t *start;  /* of the structure, for alignment */
};

/* Times are nanoseconds since 1970; 0: not set, never. Names are UTF-16LE. */
struct pac_logon {
    int64_t logon_time;
    int64_t logoff_time;
    int64_t kickoff_time;
    int64_t password_last_set;
    int64_t password_must_change;
    struct bytes account;
    struct bytes full_name;
    struct bytes logon_server;
    struct bytes domain;
    uint16_t logon_count;
    uint16_t bad_passwords;
    uint32_t rid;
    uint32_t primary_group;
    uint32_t user_flags; /* 0x20: extra SIDs, 0x200: resource groups */
    uint32_t account_control;
    struct bytes domain_sid;
    struct pac_groups groups;
    struct pac_sids extra; /* SID history, groups of other domains, well-known ones */
    struct bytes resource_domain_sid;
    struct pac_groups resource_groups;
};

/* The buffer PAC_LOGON_INFO; false when it is damaged (what was read before stays). */
bool pac_logon_read(struct bytes buffer, struct pac_logon *to);

/* Walks them: `*at` is 0 at first; false at the end. */
bool pac_next_group(const struct pac_groups *groups, size_t *at, uint32_t *rid, uint32_t *attributes);
/* The SID's bytes. */
bool pac_next_sid(const struct pac_sids *sids, size_t *at, struct bytes *sid);
