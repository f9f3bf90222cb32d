/* SPDX-License-Identifier: Apache-2.0 */
#include "node/result_names.h"

struct result {
    uint32_t code;
    const char *name;
};

#define END                                                                                                  \
    {                                                                                                        \
        0, NULL                                                                                              \
    }

/* RFC 4120 7.5.9, RFC 4556 3.1.3, RFC 6113 5.4 */
static const struct result kerberos_results[] = {
    {1, "name expired"},
    {2, "service expired"},
    {6, "client unknown"},
    {7, "server unknown"},
    {8, "client not unique"},
    {9, "no key"},
    {12, "policy"},
    {13, "bad option"},
    {14, "etype not supported"},
    {15, "checksum type not supported"},
    {16, "padata type not supported"},
    {18, "client revoked"},
    {20, "ticket revoked"},
    {23, "password expired"},
    {24, "pre-authentication failed"},
    {25, "pre-authentication required"},
    {26, "server does not match"},
    {27, "must use user-to-user"},
    {29, "service unavailable"},
    {31, "integrity check failed"},
    {32, "ticket expired"},
    {33, "ticket not yet valid"},
    {34, "replay"},
    {36, "ticket does not match"},
    {37, "clock skew"},
    {40, "message type"},
    {41, "modified"},
    {44, "bad key version"},
    {52, "response too big for UDP"},
    {60, "generic"},
    {61, "field too long"},
    {68, "wrong realm"},
    {75, "client name mismatch"},
    {91, "more pre-authentication"},
    END,
};

/* RFC 4511 4.1.9 */
static const struct result ldap_results[] = {
    {1, "operations error"},
    {2, "protocol error"},
    {3, "time limit exceeded"},
    {4, "size limit exceeded"},
    {5, "compare false"},
    {6, "compare true"},
    {7, "method not supported"},
    {8, "stronger auth required"},
    {10, "referral"},
    {11, "admin limit exceeded"},
    {12, "critical extension"},
    {14, "bind in progress"},
    {16, "no such attribute"},
    {19, "constraint violation"},
    {20, "value exists"},
    {21, "invalid syntax"},
    {32, "no such object"},
    {34, "invalid DN"},
    {48, "inappropriate authentication"},
    {49, "invalid credentials"},
    {50, "insufficient access"},
    {51, "busy"},
    {52, "unavailable"},
    {53, "unwilling to perform"},
    {64, "naming violation"},
    {65, "object class violation"},
    {66, "not on non-leaf"},
    {68, "entry exists"},
    {71, "affects several servers"},
    {80, "other"},
    END,
};

/* RFC 1035 4.1.1, RFC 2136 2.2 */
static const struct result dns_results[] = {
    {1, "format error"},
    {2, "server failure"},
    {3, "no such name"},
    {4, "not implemented"},
    {5, "refused"},
    {6, "name exists"},
    {7, "set exists"},
    {8, "no such set"},
    {9, "not authorised"},
    {10, "not in the zone"},
    END,
};

/* [MS-ERREF] 2.2 and 2.3 */
static const struct result windows_results[] = {
    {0x00000005, "access denied"},
    {0x00000102, "timeout"},
    {0x00000103, "pending"},
    {0x00000105, "more entries"},
    {0x00000106, "not all mapped"},
    {0x00000107, "some not mapped"},
    {0x0000010b, "change notifications lost"},
    {0x8000001a, "no more entries"},
    {0x80000005, "buffer overflow"},
    {0x80000006, "no more files"},
    {0xc0000008, "invalid handle"},
    {0xc000000d, "invalid parameter"},
    {0xc000000f, "no such file"},
    {0xc0000011, "end of file"},
    {0xc0000016, "more processing required"},
    {0xc0000022, "access denied"},
    {0xc0000023, "buffer too small"},
    {0xc0000033, "invalid name"},
    {0xc0000034, "not found"},
    {0xc0000035, "name exists"},
    {0xc000003a, "path not found"},
    {0xc0000043, "sharing violation"},
    {0xc0000054, "lock conflict"},
    {0xc000005e, "no logon servers"},
    {0xc0000061, "privilege not held"},
    {0xc0000063, "user exists"},
    {0xc0000064, "no such user"},
    {0xc0000065, "group exists"},
    {0xc0000066, "no such group"},
    {0xc000006a, "wrong password"},
    {0xc000006c, "password restriction"},
    {0xc000006d, "logon failure"},
    {0xc000006e, "account restriction"},
    {0xc000006f, "outside logon hours"},
    {0xc0000070, "workstation not allowed"},
    {0xc0000071, "password expired"},
    {0xc0000072, "account disabled"},
    {0xc0000073, "none mapped"},
    {0xc000009a, "insufficient resources"},
    {0xc00000ac, "pipe not available"},
    {0xc00000b0, "pipe disconnected"},
    {0xc00000b1, "pipe closing"},
    {0xc00000ba, "file is a directory"},
    {0xc00000bb, "not supported"},
    {0xc00000c9, "network name deleted"},
    {0xc00000cc, "bad network name"},
    {0xc00000d0, "request not accepted"},
    {0xc000010c, "notify enumeration"},
    {0xc0000120, "cancelled"},
    {0xc0000128, "file closed"},
    {0xc000014b, "pipe broken"},
    {0xc000015b, "logon type not granted"},
    {0xc0000193, "account expired"},
    {0xc0000199, "not in a server's trust"},
    {0xc0000203, "user session deleted"},
    {0xc0000224, "password must change"},
    {0xc0000225, "not found"},
    {0xc0000234, "account locked out"},
    {0xc0000257, "path not covered"},
    {0xc000035c, "network session expired"},
    {0xc0000388, "downgrade detected"},
    {0xc0000413, "authentication firewall"},
    {0xc0000418, "NTLM blocked"},
    END,
};

static const char *find(const struct result *results, uint64_t code)
{
    for (; results->name; results++)
        if (results->code == code)
            return results->name;
    return NULL;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

const char *result_name(enum activity_kind kind, uint64_t status)
{
    const struct activity_kind_info *info = activity_kind_info(kind);
    const char *name = info ? info->name : "";
    if (begins(name, "kerberos") || begins(name, "windows_kerberos"))
        return find(kerberos_results, status);
    if (begins(name, "ldap") || begins(name, "cldap"))
        return find(ldap_results, status);
    if (begins(name, "dns") || begins(name, "mdns") || begins(name, "llmnr") || begins(name, "nbns"))
        return find(dns_results, status);
    return find(windows_results, status);
}
