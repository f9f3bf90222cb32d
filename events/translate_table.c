/* SPDX-License-Identifier: Apache-2.0
 *
 * One row per event id. Names and order of the items are those of the providers' manifests.
 */
#include "events/translate_table.h"

#include <stddef.h>

#define NEEDED  true
#define SUBJECT "SubjectUserSid SubjectUserName SubjectDomainName SubjectLogonId "
#define TARGET  "TargetUserName TargetDomainName TargetSid "

/* An event of the security log: of that kind, with these names in this order, read by these two lists. */
#define AUDIT(number, what, names, shared, rules)                                                            \
    .id = (number), .kind = ACTIVITY_##what, .channel = "Security",                                          \
    .provider = "Microsoft-Windows-Security-Auditing", .layout = names, .head = (shared), .items = (rules)
#define WORD(field, word)                                                                                    \
    {                                                                                                        \
        FIELD_##field, word, false                                                                           \
    }
#define FLAG(field, on)                                                                                      \
    {                                                                                                        \
        FIELD_##field, NULL, on                                                                              \
    }

/* The account that acts, in most events. */
static const struct event_item subject[] = {
    {"SubjectUserName", ITEM_TEXT, FIELD_ACCOUNT, false},
    {"SubjectDomainName", ITEM_TEXT, FIELD_ACCOUNT_DOMAIN, false},
    {"SubjectUserSid", ITEM_SID, FIELD_ACTING_SID, false},
    {"SubjectLogonId", ITEM_ID, FIELD_LOGON_ID, false},
    {NULL, ITEM_END, 0, false},
};

/* -- logons -- */

static const struct event_item logon_head[] = {
    {"TargetUserName", ITEM_TEXT, FIELD_ACCOUNT, NEEDED},
    {"TargetDomainName", ITEM_TEXT, FIELD_ACCOUNT_DOMAIN, false},
    {"TargetUserSid", ITEM_SID, FIELD_ACTING_SID, false},
    {"LogonType", ITEM_UINT, FIELD_LOGON_TYPE, NEEDED},
    {"IpAddress", ITEM_ADDRESS, FIELD_SOURCE, false},
    {"IpPort", ITEM_PORT, FIELD_SOURCE_PORT, false},
    {"WorkstationName", ITEM_TEXT, FIELD_WORKSTATION, false},
    {"LogonProcessName", ITEM_TEXT, FIELD_LOGON_PROCESS, false},
    {"AuthenticationPackageName", ITEM_TEXT, FIELD_AUTHENTICATION_PACKAGE, false},
    {"LmPackageName", ITEM_NTLM, FIELD_NTLM_VARIANT, false},
    {"KeyLength", ITEM_UINT, FIELD_KEY_LENGTH, false},
    {"TransmittedServices", ITEM_WORDS, FIELD_TRANSMITTED_SERVICES, false},
    {"ProcessName", ITEM_TEXT, FIELD_PROCESS_NAME, false},
    {"SubjectUserName", ITEM_TEXT, FIELD_SUBJECT_ACCOUNT, false},
    {"SubjectDomainName", ITEM_TEXT, FIELD_SUBJECT_DOMAIN, false},
    {"SubjectUserSid", ITEM_SID, FIELD_SUBJECT_SID, false},
    {"SubjectLogonId", ITEM_ID, FIELD_SUBJECT_LOGON_ID, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item logon_success[] = {
    {"TargetLogonId", ITEM_ID, FIELD_LOGON_ID, false},
    {"LogonGuid", ITEM_GUID, FIELD_LOGON_GUID, false},
    {"ImpersonationLevel", ITEM_UINT, FIELD_IMPERSONATION_LEVEL, false},
    {"ElevatedToken", ITEM_FLAG, FIELD_ELEVATED, false},
    {"RestrictedAdminMode", ITEM_FLAG, FIELD_RESTRICTED_ADMIN, false},
    {"TargetOutboundUserName", ITEM_TEXT, FIELD_OUTBOUND_ACCOUNT, false},
    {"TargetOutboundDomainName", ITEM_TEXT, FIELD_OUTBOUND_DOMAIN, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item logon_failure[] = {
    {"Status", ITEM_UINT, FIELD_STATUS, NEEDED},
    {"SubStatus", ITEM_UINT, FIELD_SUB_STATUS, false},
    {"FailureReason", ITEM_UINT, FIELD_FAILURE_REASON, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item ntlm_4776[] = {
    {"TargetUserName", ITEM_TEXT, FIELD_ACCOUNT, NEEDED},
    {"Workstation", ITEM_TEXT, FIELD_WORKSTATION, false},
    {"Status", ITEM_UINT, FIELD_STATUS, false},
    {"PackageName", ITEM_TEXT, FIELD_AUTHENTICATION_PACKAGE, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item ntlm_8004[] = {
    {"UserName", ITEM_TEXT, FIELD_ACCOUNT, NEEDED},
    {"DomainName", ITEM_TEXT, FIELD_ACCOUNT_DOMAIN, false},
    {"WorkstationName", ITEM_TEXT, FIELD_WORKSTATION, false},
    {"SChannelName", ITEM_TEXT, FIELD_SECURE_CHANNEL, NEEDED},
    {"SChannelType", ITEM_UINT, FIELD_NETLOGON_CHANNEL_TYPE, false},
    {NULL, ITEM_END, 0, false},
};

/* -- Kerberos -- */

static const struct event_item kerberos_head[] = {
    {"TargetUserName", ITEM_KERBEROS, FIELD_ACCOUNT, NEEDED},
    {"TargetDomainName", ITEM_TEXT, FIELD_ACCOUNT_DOMAIN, false},
    {"ServiceName", ITEM_TEXT, FIELD_SERVICE, NEEDED},
    {"ServiceSid", ITEM_SID, FIELD_SERVICE_SID, false},
    {"IpAddress", ITEM_ADDRESS, FIELD_SOURCE, false},
    {"IpPort", ITEM_PORT, FIELD_SOURCE_PORT, false},
    {"TicketOptions", ITEM_UINT, FIELD_KDC_OPTIONS, false},
    {"TicketEncryptionType", ITEM_INT, FIELD_ISSUED_TICKET_ETYPE, false},
    {"SessionKeyEncryptionType", ITEM_INT, FIELD_SESSION_KEY_ETYPE, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item kerberos_as[] = {
    {"TargetSid", ITEM_SID, FIELD_ACTING_SID, false},
    {"Status", ITEM_UINT, FIELD_STATUS, NEEDED},
    {"PreAuthType", ITEM_INT, FIELD_PREAUTH_TYPE, false},
    {"PreAuthEncryptionType", ITEM_INT, FIELD_PREAUTH_ETYPE, false},
    {"CertIssuerName", ITEM_TEXT, FIELD_CERTIFICATE_ISSUER, false},
    {"CertSerialNumber", ITEM_TEXT, FIELD_CERTIFICATE_SERIAL, false},
    {"CertThumbprint", ITEM_TEXT, FIELD_CERTIFICATE_THUMBPRINT, false},
    {"CertThumbprint", ITEM_PRESENT, FIELD_PKINIT, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item kerberos_tgs[] = {
    {"Status", ITEM_UINT, FIELD_STATUS, NEEDED},
    {"LogonGuid", ITEM_GUID, FIELD_LOGON_GUID, false},
    {"TransmittedServices", ITEM_WORDS, FIELD_TRANSMITTED_SERVICES, false},
    {NULL, ITEM_END, 0, false},
};

/* -- groups and accounts -- */

static const struct event_item group[] = {
    {"TargetUserName", ITEM_TEXT, FIELD_GROUP_ACCOUNT, NEEDED},
    {"TargetDomainName", ITEM_TEXT, FIELD_GROUP_ACCOUNT_DOMAIN, false},
    {"TargetSid", ITEM_SID, FIELD_GROUP_ACCOUNT_SID, false},
    {"PrivilegeList", ITEM_WORDS, FIELD_PRIVILEGES, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item membership[] = {
    {"MemberName", ITEM_TEXT, FIELD_MEMBER_DN, false},
    {"MemberSid", ITEM_SID, FIELD_MEMBER_SID, false},
    {"TargetUserName", ITEM_TEXT, FIELD_GROUP_ACCOUNT, NEEDED},
    {"TargetDomainName", ITEM_TEXT, FIELD_GROUP_ACCOUNT_DOMAIN, false},
    {"TargetSid", ITEM_SID, FIELD_GROUP_ACCOUNT_SID, false},
    {"PrivilegeList", ITEM_WORDS, FIELD_PRIVILEGES, false},
    {NULL, ITEM_END, 0, false},
};

#define GROUP_LAYOUT      TARGET SUBJECT "PrivilegeList"
#define MEMBERSHIP_LAYOUT "MemberName MemberSid " GROUP_LAYOUT
#define GROUP_ROW(number, word, scope, security)                                                             \
    {                                                                                                        \
        AUDIT(number, GROUP_CHANGE, GROUP_LAYOUT, subject, group), .facts = {                                \
            WORD(OPERATION, word),                                                                           \
            WORD(GROUP_SCOPE, scope),                                                                        \
            FLAG(GROUP_SECURITY, security)                                                                   \
        }                                                                                                    \
    }
#define MEMBERSHIP_ROW(number, word, scope, security)                                                        \
    {                                                                                                        \
        AUDIT(number, GROUP_CHANGE, MEMBERSHIP_LAYOUT, subject, membership),                                 \
            .facts = {WORD(OPERATION, word), WORD(GROUP_SCOPE, scope), FLAG(GROUP_SECURITY, security)},      \
            .has_member = true                                                                               \
    }

static const struct event_item account[] = {
    {"TargetUserName", ITEM_TEXT, FIELD_CHANGED_ACCOUNT, NEEDED},
    {"TargetDomainName", ITEM_TEXT, FIELD_CHANGED_ACCOUNT_DOMAIN, false},
    {"TargetSid", ITEM_SID, FIELD_CHANGED_ACCOUNT_SID, false},
    {"OldUacValue", ITEM_UINT, FIELD_OLD_ACCOUNT_CONTROL, false},
    {"NewUacValue", ITEM_UINT, FIELD_NEW_ACCOUNT_CONTROL, false},
    {"PrivilegeList", ITEM_WORDS, FIELD_PRIVILEGES, false},
    {NULL, ITEM_END, 0, false},
};

/* Its TargetDomainName is the computer that tried in vain, not a domain. */
static const struct event_item lock_out[] = {
    {"TargetUserName", ITEM_TEXT, FIELD_CHANGED_ACCOUNT, NEEDED},
    {"TargetDomainName", ITEM_TEXT, FIELD_WORKSTATION, false},
    {"TargetSid", ITEM_SID, FIELD_CHANGED_ACCOUNT_SID, false},
    {"SubjectDomainName", ITEM_TEXT, FIELD_CHANGED_ACCOUNT_DOMAIN, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item renamed[] = {
    {"OldTargetUserName", ITEM_TEXT, FIELD_CHANGED_ACCOUNT, NEEDED},
    {"NewTargetUserName", ITEM_TEXT, FIELD_NEW_ACCOUNT_NAME, NEEDED},
    {"TargetDomainName", ITEM_TEXT, FIELD_CHANGED_ACCOUNT_DOMAIN, false},
    {"TargetSid", ITEM_SID, FIELD_CHANGED_ACCOUNT_SID, false},
    {"PrivilegeList", ITEM_WORDS, FIELD_PRIVILEGES, false},
    {NULL, ITEM_END, 0, false},
};

const struct event_attribute event_account_attributes[] = {
    {"SamAccountName", "sAMAccountName"},
    {"DisplayName", "displayName"},
    {"UserPrincipalName", "userPrincipalName"},
    {"HomeDirectory", "homeDirectory"},
    {"HomePath", "homeDrive"},
    {"ScriptPath", "scriptPath"},
    {"ProfilePath", "profilePath"},
    {"UserWorkstations", "userWorkstations"},
    {"PasswordLastSet", "pwdLastSet"},
    {"AccountExpires", "accountExpires"},
    {"PrimaryGroupId", "primaryGroupID"},
    {"AllowedToDelegateTo", "msDS-AllowedToDelegateTo"},
    {"UserAccountControl", "userAccountControl"},
    {"UserParameters", "userParameters"},
    {"SidHistory", "sIDHistory"},
    {"LogonHours", "logonHours"},
    {"DnsHostName", "dNSHostName"},
    {"ServicePrincipalNames", "servicePrincipalName"},
    {NULL, NULL},
};

#define ATTRIBUTES_LAYOUT                                                                                    \
    "PrivilegeList SamAccountName DisplayName UserPrincipalName HomeDirectory HomePath ScriptPath "          \
    "ProfilePath UserWorkstations PasswordLastSet AccountExpires PrimaryGroupId AllowedToDelegateTo "        \
    "OldUacValue NewUacValue UserAccountControl UserParameters SidHistory LogonHours DnsHostName "           \
    "ServicePrincipalNames"
#define ACCOUNT_ROW(number, word, names, rules, computer)                                                    \
    {                                                                                                        \
        AUDIT(number, ACCOUNT_CHANGE, names, subject, rules), .facts = {                                     \
            WORD(OPERATION, word),                                                                           \
            FLAG(CHANGED_COMPUTER, computer)                                                                 \
        }                                                                                                    \
    }

/* -- services -- */

static const struct event_item service_7045[] = {
    {"ServiceName", ITEM_TEXT, FIELD_SERVICE_NAME, NEEDED},
    {"ImagePath", ITEM_TEXT, FIELD_SERVICE_BINARY, NEEDED},
    {"StartType", ITEM_START, FIELD_SERVICE_START_TYPE, false},
    {"AccountName", ITEM_TEXT, FIELD_SERVICE_ACCOUNT, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item service_4697[] = {
    {"ServiceName", ITEM_TEXT, FIELD_SERVICE_NAME, NEEDED},
    {"ServiceFileName", ITEM_TEXT, FIELD_SERVICE_BINARY, NEEDED},
    {"ServiceType", ITEM_UINT, FIELD_SERVICE_TYPE, false},
    {"ServiceStartType", ITEM_START, FIELD_SERVICE_START_TYPE, false},
    {"ServiceAccount", ITEM_TEXT, FIELD_SERVICE_ACCOUNT, false},
    {NULL, ITEM_END, 0, false},
};

/* -- the directory -- */

static const struct event_item directory_access[] = {
    {"ObjectServer", ITEM_TEXT, FIELD_OBJECT_SERVER, false},
    {"ObjectType", ITEM_GUID, FIELD_OBJECT_TYPE, false},
    {"ObjectName", ITEM_GUID, FIELD_OBJECT_GUID, NEEDED},
    {"ObjectName", ITEM_DN, FIELD_LDAP_DN, false},
    {"AccessMask", ITEM_UINT, FIELD_ACCESS_MASK, false},
    {"Properties", ITEM_GUIDS, FIELD_PROPERTY_GUIDS, NEEDED},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item directory_object[] = {
    {"ObjectDN", ITEM_TEXT, FIELD_LDAP_DN, NEEDED},
    {"ObjectGUID", ITEM_GUID, FIELD_OBJECT_GUID, false},
    {"ObjectClass", ITEM_TEXT, FIELD_OBJECT_CLASS, false},
    {"DSName", ITEM_TEXT, FIELD_DIRECTORY, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item directory_moved[] = {
    {"OldObjectDN", ITEM_TEXT, FIELD_LDAP_DN, NEEDED},
    {"NewObjectDN", ITEM_TEXT, FIELD_NEW_DN, NEEDED},
    {"ObjectGUID", ITEM_GUID, FIELD_OBJECT_GUID, false},
    {"ObjectClass", ITEM_TEXT, FIELD_OBJECT_CLASS, false},
    {"DSName", ITEM_TEXT, FIELD_DIRECTORY, false},
    {NULL, ITEM_END, 0, false},
};

#define DIRECTORY_LAYOUT(names) "OpCorrelationID AppCorrelationID " SUBJECT "DSName DSType " names
#define DIRECTORY_ROW(number, word, names, rules)                                                            \
    {                                                                                                        \
        AUDIT(number, DIRECTORY_CHANGE, DIRECTORY_LAYOUT(names), subject, rules), .facts = {                 \
            WORD(OPERATION, word)                                                                            \
        }                                                                                                    \
    }

static const struct event_item dsrm[] = {
    {"Workstation", ITEM_TEXT, FIELD_WORKSTATION, false},
    {"Status", ITEM_UINT, FIELD_STATUS, NEEDED},
    {NULL, ITEM_END, 0, false},
};

/* Its items have no names in the log; these are those of its text. */
static const struct event_item expensive_search[] = {
    {"StartingNode", ITEM_TEXT, FIELD_SEARCH_BASE, false},
    {"Filter", ITEM_TEXT, FIELD_SEARCH_FILTER, NEEDED},
    {"VisitedEntries", ITEM_UINT, FIELD_VISITED_ENTRIES, NEEDED},
    {"ReturnedEntries", ITEM_UINT, FIELD_ENTRIES, false},
    {"Client", ITEM_ENDPOINT, FIELD_SOURCE, NEEDED},
    {"SearchScope", ITEM_SCOPE, FIELD_SEARCH_SCOPE, false},
    {"AttributeSelection", ITEM_WORDS, FIELD_LDAP_ATTRIBUTES, false},
    {"ServerControls", ITEM_WORDS, FIELD_LDAP_CONTROLS, false},
    {"UsedIndexes", ITEM_TEXT, FIELD_USED_INDEXES, false},
    {"PagesReferenced", ITEM_UINT, FIELD_PAGES_REFERENCED, false},
    {"SearchTime", ITEM_MILLISECONDS, FIELD_DURATION, false},
    {"AttributesPreventingOptimization", ITEM_TEXT, FIELD_UNINDEXED_ATTRIBUTES, false},
    {"User", ITEM_PRINCIPAL, FIELD_ACCOUNT, false},
    {NULL, ITEM_END, 0, false},
};

/* -- certification authority -- */

static const struct event_item certificate_revoked[] = {
    {"CertificateSerialNumber", ITEM_TEXT, FIELD_CERTIFICATE_SERIAL, NEEDED},
    {"Reason", ITEM_UINT, FIELD_REVOCATION_REASON, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item certificate_permissions[] = {
    {"SecuritySettings", ITEM_TEXT, FIELD_SECURITY_SETTINGS, NEEDED},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item certificate_filter[] = {
    {"AuditFilter", ITEM_UINT, FIELD_AUDIT_FILTER, NEEDED},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item certificate_request[] = {
    {"RequestId", ITEM_UINT, FIELD_REQUEST_ID, NEEDED},
    {"Requester", ITEM_PRINCIPAL, FIELD_ACCOUNT, NEEDED},
    {"Attributes", ITEM_TEXT, FIELD_REQUEST_ATTRIBUTES, false},
    {"CertificateTemplate", ITEM_TEXT, FIELD_CERTIFICATE_TEMPLATE, false},
    {"Attributes", ITEM_TEMPLATE, FIELD_CERTIFICATE_TEMPLATE, false},
    {"Disposition", ITEM_UINT, FIELD_DISPOSITION, false},
    {"SubjectKeyIdentifier", ITEM_TEXT, FIELD_CERTIFICATE_KEY_ID, false},
    {"Subject", ITEM_TEXT, FIELD_CERTIFICATE_SUBJECT, false},
    {"SubjectAlternativeName", ITEM_TEXT, FIELD_CERTIFICATE_ALTERNATIVE_NAME, false},
    {"SerialNumber", ITEM_TEXT, FIELD_CERTIFICATE_SERIAL, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item certificate_managers[] = {
    {"EnableRestrictedPermissions", ITEM_FLAG, FIELD_RESTRICTED, NEEDED},
    {"RestrictedPermissions", ITEM_TEXT, FIELD_SECURITY_SETTINGS, false},
    {NULL, ITEM_END, 0, false},
};

static const struct event_item certificate_rows[] = {
    {"TableId", ITEM_UINT, FIELD_DELETED_TABLE, false},
    {"Filter", ITEM_TEXT, FIELD_DELETED_FILTER, false},
    {"RowsDeleted", ITEM_UINT, FIELD_DELETED_ROWS, NEEDED},
    {NULL, ITEM_END, 0, false},
};

#define CERTIFICATE_ROW(number, word, names, shared, rules)                                                  \
    {                                                                                                        \
        AUDIT(number, CERTIFICATE_SERVICE, names, shared, rules), .facts = { WORD(OPERATION, word) }         \
    }
#define REQUEST_LAYOUT "RequestId Requester Attributes"
#define OUTCOME_LAYOUT                                                                                       \
    REQUEST_LAYOUT " Disposition SubjectKeyIdentifier Subject SubjectAlternativeName CertificateTemplate "   \
                   "SerialNumber"

/* In the order of their ids: they are looked up so. */
static const struct event_row rows[] = {
    {.id = 1644,
     .kind = ACTIVITY_LDAP_EXPENSIVE_SEARCH,
     .channel = "Directory Service",
     .provider = "Microsoft-Windows-ActiveDirectory_DomainService",
     .layout = "StartingNode Filter VisitedEntries ReturnedEntries Client SearchScope AttributeSelection "
               "ServerControls UsedIndexes PagesReferenced PagesRead PagesPreread CleanPages DirtyPages "
               "SearchTime AttributesPreventingOptimization User",
     .items = expensive_search,
     .user_acts = true},
    {AUDIT(4624, WINDOWS_LOGON,
           SUBJECT "TargetUserSid TargetUserName TargetDomainName TargetLogonId LogonType LogonProcessName "
                   "AuthenticationPackageName WorkstationName LogonGuid TransmittedServices LmPackageName "
                   "KeyLength ProcessId ProcessName IpAddress IpPort ImpersonationLevel RestrictedAdminMode "
                   "TargetOutboundUserName TargetOutboundDomainName VirtualAccount TargetLinkedLogonId "
                   "ElevatedToken",
           logon_head, logon_success)},
    {AUDIT(4625, WINDOWS_LOGON,
           SUBJECT
           "TargetUserSid TargetUserName TargetDomainName Status FailureReason SubStatus LogonType "
           "LogonProcessName AuthenticationPackageName WorkstationName TransmittedServices LmPackageName "
           "KeyLength ProcessId ProcessName IpAddress IpPort",
           logon_head, logon_failure)},
    {AUDIT(4662, DIRECTORY_ACCESS,
           SUBJECT
           "ObjectServer ObjectType ObjectName OperationType HandleId AccessList AccessMask Properties "
           "AdditionalInfo AdditionalInfo2",
           subject, directory_access)},
    {AUDIT(4697, SERVICE_INSTALL,
           SUBJECT "ServiceName ServiceFileName ServiceType ServiceStartType ServiceAccount", subject,
           service_4697)},
    ACCOUNT_ROW(4720, "created", TARGET SUBJECT ATTRIBUTES_LAYOUT, account, false),
    ACCOUNT_ROW(4722, "enabled", TARGET SUBJECT, account, false),
    ACCOUNT_ROW(4723, "password_change", TARGET SUBJECT "PrivilegeList", account, false),
    ACCOUNT_ROW(4724, "password_reset", TARGET SUBJECT, account, false),
    ACCOUNT_ROW(4725, "disabled", TARGET SUBJECT, account, false),
    ACCOUNT_ROW(4726, "deleted", TARGET SUBJECT "PrivilegeList", account, false),
    GROUP_ROW(4727, "created", "global", true),
    MEMBERSHIP_ROW(4728, "member_added", "global", true),
    MEMBERSHIP_ROW(4729, "member_removed", "global", true),
    GROUP_ROW(4730, "deleted", "global", true),
    GROUP_ROW(4731, "created", "domain_local", true),
    MEMBERSHIP_ROW(4732, "member_added", "domain_local", true),
    MEMBERSHIP_ROW(4733, "member_removed", "domain_local", true),
    GROUP_ROW(4734, "deleted", "domain_local", true),
    ACCOUNT_ROW(4738, "changed", "Dummy " TARGET SUBJECT ATTRIBUTES_LAYOUT, account, false),
    ACCOUNT_ROW(4740, "locked_out", TARGET SUBJECT, lock_out, false),
    ACCOUNT_ROW(4741, "created", TARGET SUBJECT ATTRIBUTES_LAYOUT, account, true),
    ACCOUNT_ROW(4742, "changed", "ComputerAccountChange " TARGET SUBJECT ATTRIBUTES_LAYOUT, account, true),
    ACCOUNT_ROW(4743, "deleted", TARGET SUBJECT "PrivilegeList", account, true),
    GROUP_ROW(4744, "created", "domain_local", false),
    MEMBERSHIP_ROW(4746, "member_added", "domain_local", false),
    MEMBERSHIP_ROW(4747, "member_removed", "domain_local", false),
    GROUP_ROW(4748, "deleted", "domain_local", false),
    GROUP_ROW(4749, "created", "global", false),
    MEMBERSHIP_ROW(4751, "member_added", "global", false),
    MEMBERSHIP_ROW(4752, "member_removed", "global", false),
    GROUP_ROW(4753, "deleted", "global", false),
    GROUP_ROW(4754, "created", "universal", true),
    MEMBERSHIP_ROW(4756, "member_added", "universal", true),
    MEMBERSHIP_ROW(4757, "member_removed", "universal", true),
    GROUP_ROW(4758, "deleted", "universal", true),
    GROUP_ROW(4759, "created", "universal", false),
    MEMBERSHIP_ROW(4761, "member_added", "universal", false),
    MEMBERSHIP_ROW(4762, "member_removed", "universal", false),
    GROUP_ROW(4763, "deleted", "universal", false),
    ACCOUNT_ROW(4767, "unlocked", TARGET SUBJECT, account, false),
    {AUDIT(4768, WINDOWS_KERBEROS_AS,
           "TargetUserName TargetDomainName TargetSid ServiceName ServiceSid TicketOptions Status "
           "TicketEncryptionType PreAuthType IpAddress IpPort CertIssuerName CertSerialNumber CertThumbprint",
           kerberos_head, kerberos_as)},
    {AUDIT(
        4769, WINDOWS_KERBEROS_TGS,
        "TargetUserName TargetDomainName ServiceName ServiceSid TicketOptions TicketEncryptionType IpAddress "
        "IpPort Status LogonGuid TransmittedServices",
        kerberos_head, kerberos_tgs)},
    {AUDIT(
        4770, WINDOWS_KERBEROS_TGS,
        "TargetUserName TargetDomainName ServiceName ServiceSid TicketOptions TicketEncryptionType IpAddress "
        "IpPort",
        kerberos_head, NULL)},
    {AUDIT(4771, WINDOWS_KERBEROS_AS,
           "TargetUserName TargetSid ServiceName TicketOptions Status PreAuthType IpAddress IpPort "
           "CertIssuerName CertSerialNumber CertThumbprint",
           kerberos_head, kerberos_as)},
    {AUDIT(4776, NTLM_VALIDATION, "PackageName TargetUserName Workstation Status", NULL, ntlm_4776)},
    ACCOUNT_ROW(4781, "renamed", "OldTargetUserName NewTargetUserName TargetDomainName TargetSid " SUBJECT,
                renamed, false),
    {AUDIT(4794, DSRM_PASSWORD, SUBJECT "Workstation Status", subject, dsrm)},
    CERTIFICATE_ROW(4870, "revoked", "CertificateSerialNumber Reason " SUBJECT, subject, certificate_revoked),
    CERTIFICATE_ROW(4882, "permissions_changed", "SecuritySettings " SUBJECT, subject,
                    certificate_permissions),
    CERTIFICATE_ROW(4885, "audit_filter_changed", "AuditFilter " SUBJECT, subject, certificate_filter),
    CERTIFICATE_ROW(4886, "requested", REQUEST_LAYOUT, NULL, certificate_request),
    CERTIFICATE_ROW(4887, "issued", OUTCOME_LAYOUT, NULL, certificate_request),
    CERTIFICATE_ROW(4888, "denied", OUTCOME_LAYOUT, NULL, certificate_request),
    CERTIFICATE_ROW(4890, "managers_changed", "EnableRestrictedPermissions RestrictedPermissions " SUBJECT,
                    subject, certificate_managers),
    CERTIFICATE_ROW(4896, "rows_deleted", "TableId Filter RowsDeleted " SUBJECT, subject, certificate_rows),
    DIRECTORY_ROW(5136, "modified",
                  "ObjectDN ObjectGUID ObjectClass AttributeLDAPDisplayName AttributeSyntaxOID "
                  "AttributeValue OperationType",
                  directory_object),
    DIRECTORY_ROW(5137, "created", "ObjectDN ObjectGUID ObjectClass", directory_object),
    DIRECTORY_ROW(5138, "undeleted", "OldObjectDN NewObjectDN ObjectGUID ObjectClass", directory_moved),
    DIRECTORY_ROW(5139, "moved", "OldObjectDN NewObjectDN ObjectGUID ObjectClass", directory_moved),
    DIRECTORY_ROW(5141, "deleted", "ObjectDN ObjectGUID ObjectClass TreeDelete", directory_object),
    {.id = 7045,
     .kind = ACTIVITY_SERVICE_INSTALL,
     .channel = "System",
     .provider = "Service Control Manager",
     .layout = "ServiceName ImagePath ServiceType StartType AccountName",
     .head = subject,
     .items = service_7045,
     .user_acts = true},
    {.id = 8004,
     .kind = ACTIVITY_NTLM_VALIDATION,
     .channel = "Microsoft-Windows-NTLM/Operational",
     .provider = "Microsoft-Windows-NTLM",
     .layout = "SChannelName UserName DomainName WorkstationName SChannelType",
     .items = ntlm_8004},
};

const struct event_row *event_row(uint32_t id)
{
    size_t low = 0, high = sizeof rows / sizeof rows[0];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rows[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof rows / sizeof rows[0] && rows[low].id == id ? &rows[low] : NULL;
}
