/* SPDX-License-Identifier: Apache-2.0
 *
 * What detectors may ask about the directory: answered at once from what the center has of it, as it was at
 * the activity that is looked at. Without a directory (a capture alone) nothing is known, and each answer
 * says so.
 */
#pragma once

#include "center/subject.h"

/* What may be known of an account, computer or group. */
enum fact {
    FACT_USER = 1 << 0,
    FACT_COMPUTER = 1 << 1,
    FACT_GROUP = 1 << 2,
    FACT_MANAGED_ACCOUNT = 1 << 3,
    FACT_CONTROLLER = 1 << 4, /* domain controller, read-only ones too */
    FACT_READ_ONLY_CONTROLLER = 1 << 5,
    FACT_DISABLED = 1 << 6,
    FACT_DELETED = 1 << 7,
    FACT_NO_PREAUTH = 1 << 8, /* DONT_REQ_PREAUTH */
    FACT_HAS_SPN = 1 << 9,
    FACT_TRUSTED_FOR_DELEGATION = 1 << 10,
    FACT_SENSITIVE = 1 << 11,       /* in a sensitive group, nested, or tagged so by hand */
    FACT_SENSITIVE_GROUP = 1 << 12, /* is such a group itself */
    FACT_HONEYTOKEN = 1 << 13,      /* tagged by hand */
    FACT_KRBTGT = 1 << 14,
    FACT_SYNCHRONIZER =
        1 << 15, /* an account that Picket itself, or Azure AD Connect, replicates with (tagged) */
    FACT_DNS_SERVER = 1 << 16, /* a controller that serves DNS, or tagged so */
};

struct facts {
    uint32_t bits;             /* enum fact */
    uint32_t supported_etypes; /* msDS-SupportedEncryptionTypes, [MS-KILE] 2.2.7; 0: not set */
    int64_t created;           /* ns since 1970; 0: not known */
    int64_t password_set;      /* ns since 1970; 0: not known */
    uint32_t functional_level; /* of its domain: msDS-Behavior-Version; 0: not known */
};

enum known {
    KNOWN_YES,
    KNOWN_NO,  /* the directory of that domain is known whole, and has none such */
    KNOWN_NOT, /* cannot be said: that domain is not (wholly) known here */
};

/* How the directory calls somebody. */
struct directory_name {
    uint8_t guid[16];
    enum subject_kind kind;
    char name[64];    /* sAMAccountName */
    char domain[128]; /* DNS name */
};

struct directory_view {
    /* By objectGUID or name; what is tagged by hand is told also where the directory is not known. False:
     * nothing is known. */
    bool (*facts)(void *context, const struct party *party, struct facts *to);
    /* Whether there is an account of that name in that domain (sAMAccountName, UPN, or a service principal's
     * owner). */
    enum known (*account)(void *context, struct bytes name, struct bytes domain);
    /* Whether a domain is one that is watched. */
    bool (*domain)(void *context, struct bytes name);
    /* Whether `member` is in `group`, nested. */
    enum known (*member)(void *context, const struct party *member, const struct party *group);
    /* Who is meant by a name (party->guid is NULL): false when nobody is, or several are. NULL: it cannot be
     * asked, and nobody is. */
    bool (*find)(void *context, const struct party *party, struct directory_name *to);
    /* Whose SID ([MS-DTYP] 2.4.2.2, binary) this is. KNOWN_NO: the directory of that SID's domain is known
     * whole, and has none such. `to` may be NULL. NULL: it cannot be asked. */
    enum known (*sid)(void *context, struct bytes sid, struct directory_name *to);
    /* The domain controllers (no read-only ones) of a domain, each by its objectGUID; false when they are not
     * all known. NULL: they are not. */
    bool (*controllers)(void *context, struct bytes domain, void (*visit)(void *to, const uint8_t guid[16]),
                        void *to);
    void *context;
};

/* Knows nothing. */
extern const struct directory_view directory_view_none;
