/* SPDX-License-Identifier: Apache-2.0
 *
 * Events to activities: what each event says, by names and by positions, and what makes it none.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/sid.h"
#include "events/translate.h"
#include "events/translate_table.h"
#include "tests/unit/unit.h"

#define TIME      (INT64_C(1639492968) * CLOCK_SECOND)
#define ADMIN_SID "S-1-5-21-4230534742-2542757381-3142984815-1111"

static struct activity_writer writer;
static struct event event;
static char json[ACTIVITY_BYTES_MAX * 8];

static struct bytes text_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void add(const char *name, const char *value)
{
    event.fields[event.count++] = (struct event_field){text_of(name), text_of(value)};
}

static void begin(uint32_t id, const char *channel)
{
    memset(&event, 0, sizeof(event));
    event.id = id;
    event.time = TIME;
    event.record = 42;
    event.channel = text_of(channel);
    event.computer = text_of("dc1.offsec.lan");
    event.source = EVENT_FORWARDED;
}

/* "name=value|name=value": the items of the event. Without an equals sign it is an item without a name. */
static enum event_verdict translate_items(uint32_t id, const char *channel, const char *items)
{
    static char copy[8192];
    begin(id, channel);
    snprintf(copy, sizeof(copy), "%s", items);
    char *save = NULL;
    for (char *item = strtok_r(copy, "|", &save); item; item = strtok_r(NULL, "|", &save)) {
        char *equals = strchr(item, '=');
        if (equals)
            *equals = 0;
        add(equals ? item : "", equals ? equals + 1 : item);
    }
    return event_translate(&event, &writer);
}

static const char *told(void)
{
    static struct activity record;
    struct bytes bytes = activity_finish(&writer);
    struct cursor c = cursor_of_bytes(bytes);
    assert_true(activity_decode(&c, &record));
    assert_true(activity_to_json(&record, json, sizeof(json)) < sizeof(json));
    return json;
}

/* Each piece, separated by |, stands in the record. */
static void has(const char *pieces)
{
    static char copy[4096];
    snprintf(copy, sizeof(copy), "%s", pieces);
    char *save = NULL;
    for (char *piece = strtok_r(copy, "|", &save); piece; piece = strtok_r(NULL, "|", &save)) {
        if (!strstr(json, piece))
            fail_msg("%s is not in %s", piece, json);
    }
}

static void has_not(const char *piece)
{
    if (strstr(json, piece))
        fail_msg("%s is in %s", piece, json);
}

static void tells(uint32_t id, const char *items, const char *pieces)
{
    assert_int_equal(translate_items(id, "Security", items), EVENT_TOLD);
    told();
    has(pieces);
}

#define ACTOR                                                                                                \
    "SubjectUserSid=" ADMIN_SID "|SubjectUserName=admmig|SubjectDomainName=OFFSEC|SubjectLogonId=0x58d874|"
#define ACTS                                                                                                 \
    "\"account\":\"admmig\"|\"account_domain\":\"OFFSEC\"|\"acting_sid\":\"" ADMIN_SID                       \
    "\"|\"logon_id\":\"58d874\"|"

static void head_is_kept(void **state)
{
    (void)state;
    tells(4776, "TargetUserName=hack1|Workstation=attacker|Status=0x0",
          "\"kind\":\"ntlm_validation\"|\"time\":\"2021-12-14T14:42:48.000000000Z\"|\"event_id\":4776|"
          "\"event_record\":42|\"event_computer\":\"dc1.offsec.lan\"|\"event_channel\":\"Security\"|"
          "\"event_source\":\"forwarded\"|\"account\":\"hack1\"|\"workstation\":\"attacker\"|\"status\":0");
    has_not("event_failure");
    has_not("truncated");
    begin(4776, "Security");
    add("TargetUserName", "x");
    event.audit_failure = event.truncated = true;
    event.record = 0;
    event.source = EVENT_SYSLOG;
    assert_int_equal(event_translate(&event, &writer), EVENT_TOLD);
    told();
    has("\"event_failure\":true|\"truncated\":true|\"event_source\":\"syslog\"");
    has_not("event_record");
}

static void logon_says_who_from_where_and_how(void **state)
{
    (void)state;
    tells(4624,
          "SubjectUserSid=S-1-0-0|SubjectUserName=-|SubjectDomainName=-|SubjectLogonId=0x0|TargetUserSid="
          "S-1-5-21-1-2-3-1234|TargetUserName=hack1|TargetDomainName=OFFSEC|TargetLogonId=0x308fabb0c|"
          "LogonType=3|LogonProcessName=NtLmSsp |AuthenticationPackageName=NTLM|WorkstationName=attacker|"
          "LogonGuid={00000000-0000-0000-0000-000000000000}|TransmittedServices=-|LmPackageName=NTLM V2|"
          "KeyLength=128|ProcessName=-|IpAddress=::ffff:10.23.123.11|IpPort=45201|ImpersonationLevel=%%1833|"
          "RestrictedAdminMode=-|ElevatedToken=%%1842",
          "\"kind\":\"windows_logon\"|\"source\":\"10.23.123.11\"|\"source_port\":45201|"
          "\"account\":\"hack1\"|\"acting_sid\":\"S-1-5-21-1-2-3-1234\"|\"logon_id\":\"308fabb0c\"|"
          "\"logon_type\":3|\"logon_process\":\"NtLmSsp\"|\"ntlm_variant\":\"ntlmv2\"|\"key_length\":128|"
          "\"impersonation_level\":1833|\"elevated\":true|\"workstation\":\"attacker\"");
    has_not("subject_");
    has_not("logon_guid");
    has_not("restricted_admin");
    tells(4625,
          "TargetUserSid=S-1-0-0|TargetUserName=NOUSER|TargetDomainName=FS01|Status=0xc000006d|"
          "FailureReason=%%2313|SubStatus=0xc0000064|LogonType=8|IpAddress=127.0.0.1|IpPort=0|" ACTOR,
          "\"status\":3221225581|\"sub_status\":3221225572|\"failure_reason\":2313|\"logon_type\":8|"
          "\"subject_account\":\"admmig\"|\"subject_logon_id\":\"58d874\"");
    has_not("\"source\"");
    has_not("\"source_port\"");
    has_not("acting_sid");
    tells(4624, "TargetUserName=a|LogonType=10|IpAddress=fe80::1%12|IpPort=1|RestrictedAdminMode=%%1842",
          "\"source\":\"fe80::1\"|\"restricted_admin\":true");
    tells(4624, "TargetUserName=|LogonType=3|LogonGuid={c1b0a35b-c6db-3ccd-22f9-6658bb0f9ac1}",
          "\"logon_guid\":\"c1b0a35b-c6db-3ccd-22f9-6658bb0f9ac1\"");
}

static void ntlm_names_the_server_that_asked(void **state)
{
    (void)state;
    assert_int_equal(translate_items(8004, "Microsoft-Windows-NTLM/Operational",
                                     "SChannelName=FS01|UserName=bob|DomainName=OFFSEC|WorkstationName=WS7|"
                                     "SChannelType=2"),
                     EVENT_TOLD);
    told();
    has("\"kind\":\"ntlm_validation\"|\"account\":\"bob\"|\"account_domain\":\"OFFSEC\"|"
        "\"workstation\":\"WS7\"|\"secure_channel\":\"FS01\"|\"netlogon_channel_type\":2");
    tells(4776, "TargetUserName=x|Status=-1073741718", "\"status\":3221225578");
}

static void kerberos_is_as_on_the_wire(void **state)
{
    (void)state;
    tells(4768,
          "TargetUserName=admin-test|TargetDomainName=offsec.lan|TargetSid=" ADMIN_SID
          "|ServiceName=krbtgt|ServiceSid=S-1-5-21-1-2-3-502|TicketOptions=0x40800010|Status=0x0|"
          "TicketEncryptionType=0x17|PreAuthType=0|IpAddress=::ffff:10.23.23.9|IpPort=51335|CertThumbprint=",
          "\"kind\":\"windows_kerberos_as\"|\"account\":\"admin-test\"|\"account_domain\":\"offsec.lan\"|"
          "\"service\":\"krbtgt\"|\"service_sid\":\"S-1-5-21-1-2-3-502\"|\"kdc_options\":1082130448|"
          "\"status\":0|\"issued_ticket_etype\":23|\"preauth_type\":0|\"source\":\"10.23.23.9\"|"
          "\"source_port\":51335");
    has_not("pkinit");
    tells(4768,
          "TargetUserName=u|ServiceName=krbtgt|Status=0x12|TicketEncryptionType=0xffffffff|PreAuthType=16|"
          "CertIssuerName=CA|CertSerialNumber=01AB|CertThumbprint=99",
          "\"pkinit\":true|\"certificate_issuer\":\"CA\"|\"certificate_serial\":\"01AB\"|"
          "\"certificate_thumbprint\":\"99\"|\"status\":18");
    has_not("issued_ticket_etype");
    tells(4769,
          "TargetUserName=admmig@OFFSEC.LAN|TargetDomainName=offsec.lan|ServiceName=SRV$|TicketOptions="
          "0x40810000|TicketEncryptionType=0x12|IpAddress=::1|IpPort=0|Status=0x0|LogonGuid="
          "{C1B0A35B-C6DB-3CCD-22F9-6658BB0F9AC1}|TransmittedServices=http/a, cifs/b",
          "\"kind\":\"windows_kerberos_tgs\"|\"account\":\"admmig\"|\"service\":\"SRV$\"|"
          "\"logon_guid\":\"c1b0a35b-c6db-3ccd-22f9-6658bb0f9ac1\"|"
          "\"transmitted_services\":[\"http/a\",\"cifs/b\"]");
    has_not("\"source\"");
    tells(4769, "TargetUserName=u@OTHER.LAN|TargetDomainName=OFFSEC.LAN|ServiceName=s|Status=0",
          "\"account\":\"u@OTHER.LAN\"");
    tells(4770, "TargetUserName=u@D|TargetDomainName=D|ServiceName=krbtgt", "\"account\":\"u\"");
    tells(4771, "TargetUserName=u|TargetSid=" ADMIN_SID "|ServiceName=krbtgt/D|Status=0x18|PreAuthType=2",
          "\"kind\":\"windows_kerberos_as\"|\"status\":24|\"preauth_type\":2");
}

static void groups_say_who_who_and_which(void **state)
{
    (void)state;
    tells(4728,
          "MemberName=CN=hack\\, adm,OU=Test,DC=offsec,DC=lan|MemberSid=S-1-5-21-1-2-3-1150|"
          "TargetUserName=Domain Admins|TargetDomainName=OFFSEC|TargetSid=S-1-5-21-1-2-3-512|" ACTOR
          "PrivilegeList=-",
          "\"kind\":\"group_change\"|" ACTS "\"operation\":\"member_added\"|\"group_scope\":\"global\"|"
          "\"group_security\":true|\"group_account\":\"Domain Admins\"|\"group_account_domain\":\"OFFSEC\"|"
          "\"group_account_sid\":\"S-1-5-21-1-2-3-512\"|\"member_sid\":\"S-1-5-21-1-2-3-1150\"|"
          "\"member_dn\":\"CN=hack\\\\, adm,OU=Test,DC=offsec,DC=lan\"");
    has_not("privileges");
    tells(4733, "MemberName=-|MemberSid=%{S-1-5-21-1-2-3-7}|TargetUserName=Administrators|" ACTOR,
          "\"operation\":\"member_removed\"|\"group_scope\":\"domain_local\"|"
          "\"member_sid\":\"S-1-5-21-1-2-3-7\"");
    tells(4757, "MemberName=CN=x|MemberSid=-|TargetUserName=EA|" ACTOR, "\"group_scope\":\"universal\"");
    tells(4753, "TargetUserName=News|" ACTOR "PrivilegeList=SeA\r\n\t\t\tSeB",
          "\"operation\":\"deleted\"|\"group_security\":false|\"privileges\":[\"SeA\",\"SeB\"]");
    assert_int_equal(translate_items(4728, "Security", "MemberName=-|MemberSid=-|TargetUserName=g"),
                     EVENT_INVALID);
    assert_int_equal(translate_items(4728, "Security", "MemberName=CN=x|" ACTOR), EVENT_INVALID);
}

static void accounts_say_what_changed(void **state)
{
    (void)state;
    tells(4738,
          "Dummy=-|TargetUserName=hack1|TargetDomainName=OFFSEC|TargetSid=S-1-5-21-1-2-3-1234|" ACTOR
          "PrivilegeList=-|SamAccountName=-|DisplayName=%%1793|UserPrincipalName=h@x|OldUacValue=0x210|"
          "NewUacValue=0x10210|UserAccountControl=\r\n\t\t%%2096|SidHistory=S-1-5-21-9-9-9-500",
          "\"kind\":\"account_change\"|" ACTS "\"operation\":\"changed\"|\"changed_account\":\"hack1\"|"
          "\"changed_account_domain\":\"OFFSEC\"|\"changed_account_sid\":\"S-1-5-21-1-2-3-1234\"|"
          "\"changed_computer\":false|\"old_account_control\":528|\"new_account_control\":66064|"
          "\"attributes\":[\"displayName\",\"userPrincipalName\",\"userAccountControl\",\"sIDHistory\"]|"
          "\"attribute_values\":[\"userPrincipalName=h@x\",\"sIDHistory=S-1-5-21-9-9-9-500\"]");
    tells(4741, "TargetUserName=PC$|" ACTOR "NewUacValue=0x84|ServicePrincipalNames=HOST/pc",
          "\"operation\":\"created\"|\"changed_computer\":true|servicePrincipalName=HOST/pc");
    tells(4740, "TargetUserName=bob|TargetDomainName=WS7|TargetSid=S-1-5-21-1-2-3-4|" ACTOR,
          "\"operation\":\"locked_out\"|\"workstation\":\"WS7\"|\"changed_account_domain\":\"OFFSEC\"");
    tells(4781, "OldTargetUserName=pc$|NewTargetUserName=dc1|TargetDomainName=D|" ACTOR,
          "\"operation\":\"renamed\"|\"changed_account\":\"pc$\"|\"new_account_name\":\"dc1\"");
    static const struct {
        uint32_t id;
        const char *operation;
    } words[] = {{4720, "created"},        {4722, "enabled"},  {4723, "password_change"},
                 {4724, "password_reset"}, {4725, "disabled"}, {4726, "deleted"},
                 {4742, "changed"},        {4743, "deleted"},  {4767, "unlocked"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char expected[64];
        snprintf(expected, sizeof(expected), "\"operation\":\"%s\"", words[i].operation);
        tells(words[i].id, "TargetUserName=x|TargetDomainName=D", expected);
    }
}

static void services_say_what_will_run(void **state)
{
    (void)state;
    begin(7045, "System");
    event.user = text_of(ADMIN_SID);
    add("ServiceName", "spoolfool");
    add("ImagePath", "cmd.exe /c x");
    add("ServiceType", "user mode service");
    add("StartType", "demand start");
    add("AccountName", "LocalSystem");
    assert_int_equal(event_translate(&event, &writer), EVENT_TOLD);
    told();
    has("\"kind\":\"service_install\"|\"service_name\":\"spoolfool\"|\"service_binary\":\"cmd.exe /c x\"|"
        "\"service_start_type\":3|\"service_account\":\"LocalSystem\"|\"acting_sid\":\"" ADMIN_SID "\"");
    /* In another language, the words say nothing; the rest does. Items by position. */
    assert_int_equal(translate_items(7045, "System", "Dienst|C:\\x.exe|Dienst|Manuell starten|LocalSystem"),
                     EVENT_TOLD);
    told();
    has("\"service_name\":\"Dienst\"|\"service_binary\":\"C:\\\\x.exe\"|\"service_account\":\"LocalSystem\"");
    has_not("start_type");
    tells(4697,
          ACTOR "ServiceName=s|ServiceFileName=%COMSPEC%|ServiceType=0x10|ServiceStartType=2|"
                "ServiceAccount=LocalSystem",
          ACTS "\"service_binary\":\"%COMSPEC%\"|\"service_type\":16|\"service_start_type\":2");
}

static void directory_access_lists_rights(void **state)
{
    (void)state;
    tells(4662,
          ACTOR
          "ObjectServer=DS|ObjectType=%{19195a5b-6da0-11d0-afd3-00c04fd930c9}|"
          "ObjectName=%{665d6fdb-b06f-4d36-9da5-9b8dbaafeb2a}|AccessMask=0x100|Properties=%%7688\r\n"
          "\t{1131F6AD-9c07-11d1-f79f-00c04fc2dcd2}\r\n\t\t{19195a5b-6da0-11d0-afd3-00c04fd930c9}\r\n{x}",
          "\"kind\":\"directory_access\"|" ACTS
          "\"object_type\":\"19195a5b-6da0-11d0-afd3-00c04fd930c9\"|\"object_server\":\"DS\"|"
          "\"object_guid\":\"665d6fdb-b06f-4d36-9da5-9b8dbaafeb2a\"|\"access_mask\":256|"
          "\"property_guids\":[\"1131f6ad-9c07-11d1-f79f-00c04fc2dcd2\","
          "\"19195a5b-6da0-11d0-afd3-00c04fd930c9\"]");
    has_not("\"dn\"");
    tells(4662, ACTOR "ObjectName=CN=x,DC=y|Properties=-", "\"dn\":\"CN=x,DC=y\"");
    has_not("object_guid");
}

static void directory_changes_keep_no_secret(void **state)
{
    (void)state;
    tells(5136,
          ACTOR "DSName=kdmo.lan|ObjectDN=CN=T,DC=kdmo|ObjectGUID={3cdb7225-cb8a-493e-914e-11e16e563acb}|"
                "ObjectClass=computer|AttributeLDAPDisplayName=servicePrincipalName|AttributeValue=http/x|"
                "OperationType=%%14674",
          "\"kind\":\"directory_change\"|" ACTS "\"operation\":\"modified\"|\"dn\":\"CN=T,DC=kdmo\"|"
          "\"object_guid\":\"3cdb7225-cb8a-493e-914e-11e16e563acb\"|\"object_class\":\"computer\"|"
          "\"directory\":\"kdmo.lan\"|\"changes\":[\"add:servicePrincipalName\"]|"
          "\"attribute_values\":[\"add:servicePrincipalName=http/x\"]");
    tells(5136,
          ACTOR "ObjectDN=CN=T|AttributeLDAPDisplayName=description|AttributeValue=|OperationType=%%14675",
          "\"changes\":[\"delete:description\"]");
    has_not("attribute_values");
    tells(5136,
          ACTOR
          "ObjectDN=CN=T|AttributeLDAPDisplayName=ms-mcs-admpwd|AttributeValue=hidden|OperationType=%%14674",
          "\"changes\":[\"add:ms-mcs-admpwd\"]");
    has_not("hidden");
    tells(5136, ACTOR "ObjectDN=CN=T", "\"dn\"");
    has_not("changes");
    tells(5137, ACTOR "ObjectDN=CN=T|ObjectClass=server", "\"operation\":\"created\"");
    tells(5139, ACTOR "OldObjectDN=CN=T|NewObjectDN=CN=U", "\"operation\":\"moved\"|\"new_dn\":\"CN=U\"");
    tells(5138, ACTOR "OldObjectDN=CN=T|NewObjectDN=CN=U", "\"operation\":\"undeleted\"");
    tells(5141, ACTOR "ObjectDN=CN=T", "\"operation\":\"deleted\"");
}

static void dsrm_password_says_how_it_ended(void **state)
{
    (void)state;
    tells(4794, ACTOR "Workstation=DC1|Status=0x0",
          "\"kind\":\"dsrm_password\"|" ACTS "\"workstation\":\"DC1\"|\"status\":0");
}

/* Its items have no names: they stand in the order of the provider's text. */
static void expensive_search_is_read_by_position(void **state)
{
    (void)state;
    static const char items[] =
        "CN=409,CN=DisplaySpecifiers,CN=Configuration,DC=testlab,DC=esc| (objectClass=displaySpecifier) |56|"
        "55|172.16.222.132:63691|onelevel|[all]|SDflags:0x7;pagedResults; |PDNT_index:56:N;|1407|21|0|0|0|47|"
        "none|TESTLAB\\pushkin";
    static char copy[1024];
    begin(1644, "Directory Service");
    event.user = text_of(ADMIN_SID);
    snprintf(copy, sizeof(copy), "%s", items);
    char *save = NULL;
    for (char *item = strtok_r(copy, "|", &save); item; item = strtok_r(NULL, "|", &save))
        add("", item);
    assert_int_equal(event_translate(&event, &writer), EVENT_TOLD);
    told();
    has("\"kind\":\"ldap_expensive_search\"|\"duration\":47000000|\"source\":\"172.16.222.132\"|"
        "\"source_port\":63691|\"account\":\"pushkin\"|\"account_domain\":\"TESTLAB\"|\"filter\":\"("
        "objectClass=displaySpecifier)\"|\"search_scope\":1|\"entries\":55|\"visited_entries\":56|"
        "\"attributes\":[\"[all]\"]|\"controls\":[\"SDflags:0x7\",\"pagedResults\"]|"
        "\"used_indexes\":\"PDNT_index:56:N;\"|\"pages_referenced\":1407|\"acting_sid\":\"" ADMIN_SID "\"|"
        "\"search_base\":\"CN=409,CN=DisplaySpecifiers,CN=Configuration,DC=testlab,DC=esc\"");
    event.count = 8; /* as servers before 2012 R2 tell it, from an IPv6 client */
    event.fields[4].value = text_of("[fd00::5]:50000");
    assert_int_equal(event_translate(&event, &writer), EVENT_TOLD);
    told();
    has("\"source\":\"fd00::5\"|\"source_port\":50000");
    event.fields[4].value = text_of("SAM");
    assert_int_equal(event_translate(&event, &writer), EVENT_TOLD);
    told();
    has_not("\"source\":");
    event.count = 4;
    assert_int_equal(event_translate(&event, &writer), EVENT_INVALID);
}

static void certificate_service_says_what_was_asked(void **state)
{
    (void)state;
    tells(4886,
          "RequestId=7|Requester=OFFSEC\\bob|Attributes=\r\nCertificateTemplate:User\r\nccm:WS7.offsec.lan",
          "\"kind\":\"certificate_service\"|\"operation\":\"requested\"|\"request_id\":7|\"account\":\"bob\"|"
          "\"account_domain\":\"OFFSEC\"|\"certificate_template\":\"User\"|ccm:WS7.offsec.lan");
    tells(
        4887,
        "RequestId=7|Requester=bob|Attributes=|Disposition=3|SubjectKeyIdentifier=aa bb|Subject=CN=bob|"
        "SubjectAlternativeName=Other Name: Principal Name=admin@x|CertificateTemplate=ESC1|SerialNumber=12",
        "\"operation\":\"issued\"|\"disposition\":3|\"certificate_template\":\"ESC1\"|"
        "\"certificate_alternative_name\":\"Other Name: Principal Name=admin@x\"|"
        "\"certificate_serial\":\"12\"|\"certificate_subject\":\"CN=bob\"");
    tells(4888, "RequestId=8|Requester=D\\u", "\"operation\":\"denied\"");
    tells(4870, "CertificateSerialNumber=61|Reason=1|" ACTOR,
          "\"operation\":\"revoked\"|\"certificate_serial\":\"61\"|\"revocation_reason\":1|" ACTS);
    tells(4882, "SecuritySettings=Allow(0x1)\tD\\g|" ACTOR,
          "\"operation\":\"permissions_changed\"|\"security_settings\":\"Allow(0x1)\\tD\\\\g\"");
    tells(4885, "AuditFilter=0|" ACTOR, "\"operation\":\"audit_filter_changed\"|\"audit_filter\":0");
    tells(4890, "EnableRestrictedPermissions=1|RestrictedPermissions=x|" ACTOR,
          "\"operation\":\"managers_changed\"|\"restricted\":true|\"security_settings\":\"x\"");
    tells(4890, "EnableRestrictedPermissions=false|" ACTOR, "\"restricted\":false");
    tells(4890, "EnableRestrictedPermissions=Yes|" ACTOR, "\"restricted\":true");
    tells(4896, "TableId=0|Filter=1/1/2021|RowsDeleted=100|" ACTOR,
          "\"operation\":\"rows_deleted\"|\"deleted_rows\":100|\"deleted_filter\":\"1/1/2021\"");
}

static void others_are_none(void **state)
{
    (void)state;
    assert_int_equal(translate_items(4672, "Security", "x=y"), EVENT_IGNORED);
    assert_int_equal(translate_items(0, "Security", "x=y"), EVENT_IGNORED);
    assert_int_equal(translate_items(99999, "Security", "x=y"), EVENT_IGNORED);
    /* The id of another provider. */
    assert_int_equal(translate_items(7045, "Application", "ServiceName=s|ImagePath=i"), EVENT_IGNORED);
    assert_int_equal(translate_items(1644, "System", "a|b|c"), EVENT_IGNORED);
    begin(4776, "");
    event.provider = text_of("Other");
    assert_int_equal(event_translate(&event, &writer), EVENT_IGNORED);
    /* Without a channel the provider says it, without both the id must do. */
    event.provider = text_of("microsoft-windows-security-auditing");
    add("targetusername", "x");
    assert_int_equal(event_translate(&event, &writer), EVENT_TOLD);
    event.provider = (struct bytes){0};
    assert_int_equal(event_translate(&event, &writer), EVENT_TOLD);
    /* What it must have. */
    event.time = 0;
    assert_int_equal(event_translate(&event, &writer), EVENT_INVALID);
    assert_int_equal(translate_items(4776, "Security", "Workstation=x"), EVENT_INVALID);
    assert_int_equal(translate_items(4624, "security", "TargetUserName=x"), EVENT_INVALID);
}

/* Every row with all of its items, by name and by position: the kinds have the fields that rows put (asserted
 * by the writer), and the two ways tell the same. */
static void every_row_reads_all_its_items(void **state)
{
    (void)state;
    static const char *const values[] = {"7", "S-1-5-21-1-2-3-4", "{c1b0a35b-c6db-3ccd-22f9-6658bb0f9ac1}",
                                         "10.0.0.1:77", "CertificateTemplate:T"};
    unsigned known = 0;
    for (uint32_t id = 1; id < 10000; id++) {
        const struct event_row *row = event_row(id);
        if (!row)
            continue;
        known++;
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            static char named[sizeof(json)];
            static char names[1024];
            begin(id, row->channel);
            snprintf(names, sizeof(names), "%s", row->layout);
            char *save = NULL;
            for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save))
                add(name, values[v]);
            assert_int_equal(event_translate(&event, &writer), EVENT_TOLD);
            snprintf(named, sizeof(named), "%s", told());
            for (uint32_t i = 0; i < event.count; i++)
                event.fields[i].name.size = 0;
            assert_int_equal(event_translate(&event, &writer), EVENT_TOLD);
            assert_string_equal(told(), named);
        }
    }
    assert_int_equal(known, 63);
}

/* Each of the list is read. */
static void what_was_asked_for_is_there(void **state)
{
    (void)state;
    static const uint32_t ids[] = {4776, 4728, 4729, 4732, 4733, 4756, 4757, 7045, 8004, 4624, 4625,
                                   4662, 4720, 4722, 4723, 4724, 4725, 4726, 4738, 4740, 4741, 4742,
                                   4743, 4768, 4769, 4770, 4771, 5136, 4730, 4753, 4758, 4763, 4794,
                                   1644, 4870, 4882, 4885, 4886, 4887, 4888, 4890, 4896};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_non_null(event_row(ids[i]));
}

static void long_values_are_cut(void **state)
{
    (void)state;
    static char value[9000];
    memset(value, 'a', sizeof(value) - 1);
    begin(5136, "Security");
    add("ObjectDN", "CN=x");
    add("AttributeLDAPDisplayName", "description");
    add("AttributeValue", value);
    assert_int_equal(event_translate(&event, &writer), EVENT_TOLD);
    told();
    has("\"truncated\":true|\"attribute_values\":[\"add:description=aaaa");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_is_kept),
        cmocka_unit_test(logon_says_who_from_where_and_how),
        cmocka_unit_test(ntlm_names_the_server_that_asked),
        cmocka_unit_test(kerberos_is_as_on_the_wire),
        cmocka_unit_test(groups_say_who_who_and_which),
        cmocka_unit_test(accounts_say_what_changed),
        cmocka_unit_test(services_say_what_will_run),
        cmocka_unit_test(directory_access_lists_rights),
        cmocka_unit_test(directory_changes_keep_no_secret),
        cmocka_unit_test(dsrm_password_says_how_it_ended),
        cmocka_unit_test(expensive_search_is_read_by_position),
        cmocka_unit_test(certificate_service_says_what_was_asked),
        cmocka_unit_test(others_are_none),
        cmocka_unit_test(every_row_reads_all_its_items),
        cmocka_unit_test(what_was_asked_for_is_there),
        cmocka_unit_test(long_values_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
