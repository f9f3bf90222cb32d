/* SPDX-License-Identifier: Apache-2.0
 *
 * What is read from the parameters of calls, in the three forms that they come in (NDR of little- and
 * big-endian senders, NDR64), and that stubs cut at any byte do no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/rpc_session.h"

#define H 0x33 /* a handle nobody opened */

struct expectation {
    enum activity_field field;
    const char *text;
};

struct stub_case {
    enum rpc_interface interface;
    uint16_t opnum;
    enum activity_kind kind;
    void (*build)(struct stub *s);
    struct expectation expect[8];
    bool not_big; /* has a SID or bytes in one order only */
};

/* -- drsuapi -------------------------------------------------------------------------------------------- */

static void drs_bind(struct stub *s)
{
    stub_pointer(s, true);
    stub_uuid(s, 0x77);
}

static void get_changes(struct stub *s, uint32_t version)
{
    stub_handle(s, H);
    stub32(s, version);
    stub32(s, version);
    stub_align(s, 8);
    stub_uuid(s, 0x44);
    stub_uuid(s, 0x55);
    stub_pointer(s, true);
    stub_align(s, 8);
    stub_zero(s, 24);
    stub_pointer(s, false);
    stub32(s, 0x70);
    stub32(s, 402);
    stub32(s, 0xffff);
    stub32(s, 6);
    stub64(s, 0);
    if (version >= 8) {
        stub_pointer(s, false);
        stub_pointer(s, false);
        stub_structure(s);
        stub32(s, 0);
        stub_pointer(s, false);
    }
    if (version >= 10)
        stub32(s, 0);
    if (version == 11) {
        stub_uuid(s, 0);
        stub_pointer(s, false);
    }
    stub_dsname(s, "DC=corp,DC=example");
}

static void get_changes5(struct stub *s)
{
    get_changes(s, 5);
}
static void get_changes8(struct stub *s)
{
    get_changes(s, 8);
}
static void get_changes10(struct stub *s)
{
    get_changes(s, 10);
}
static void get_changes11(struct stub *s)
{
    get_changes(s, 11);
}
static void get_changes4(struct stub *s)
{
    get_changes(s, 4);
}

static void drs_head(struct stub *s, uint32_t version)
{
    stub_handle(s, H);
    stub32(s, version);
    stub32(s, version);
    stub_structure(s);
}

static void update_refs(struct stub *s)
{
    drs_head(s, 1);
    stub_pointer(s, true);
    stub_pointer(s, true);
    stub_uuid(s, 0x66);
    stub32(s, 0x1c);
    stub_dsname(s, "DC=corp");
    stub_string8(s, "evil.corp");
}

static void replica_add1(struct stub *s)
{
    drs_head(s, 1);
    stub_pointer(s, true);
    stub_pointer(s, true);
    stub_zero(s, 84);
    stub32(s, 0x10);
    stub_dsname(s, "DC=corp");
    stub_string8(s, "evil.corp");
}

static void replica_add2(struct stub *s)
{
    drs_head(s, 2);
    stub_pointer(s, true);
    stub_pointer(s, true);
    stub_pointer(s, true);
    stub_pointer(s, true);
    stub_zero(s, 84);
    stub32(s, 0x10);
    stub_dsname(s, "DC=corp");
    stub_dsname(s, "CN=NTDS Settings");
    stub_dsname(s, "CN=IP");
    stub_string8(s, "evil.corp");
}

static void replica_del(struct stub *s)
{
    drs_head(s, 1);
    stub_pointer(s, true);
    stub_pointer(s, true);
    stub32(s, 0x10);
    stub_dsname(s, "DC=corp");
    stub_string8(s, "evil.corp");
}

static void replica_sync(struct stub *s)
{
    drs_head(s, 1);
    stub_pointer(s, true);
    stub_uuid(s, 0x66);
    stub_pointer(s, true);
    stub32(s, 0x10);
    stub_dsname(s, "DC=corp");
    stub_string8(s, "evil.corp");
}

static void crack_names(struct stub *s)
{
    drs_head(s, 1);
    stub32(s, 1252);
    stub32(s, 1033);
    stub32(s, 0);
    stub32(s, 8);
    stub32(s, 1);
    stub32(s, 2);
    stub_pointer(s, true);
    stub_size(s, 2);
    stub_pointer(s, true);
    stub_pointer(s, true);
    stub_string16(s, "alice");
    stub_string16(s, "bob");
}

static void write_spn(struct stub *s)
{
    drs_head(s, 1);
    stub32(s, 0);
    stub32(s, 0);
    stub_pointer(s, true);
    stub32(s, 1);
    stub_pointer(s, true);
    stub_string16(s, "CN=WS1");
    stub_size(s, 1);
    stub_pointer(s, true);
    stub_string16(s, "GC/ws1");
}

static void domain_controllers(struct stub *s)
{
    drs_head(s, 1);
    stub_pointer(s, true);
    stub32(s, 2);
    stub_string16(s, "corp.example");
}

static void add_entry(struct stub *s)
{
    drs_head(s, 2);
    stub_pointer(s, false);
    stub_pointer(s, true);
    stub32(s, 0);
    stub_structure(s);
    stub32(s, 0);
    stub_pointer(s, false);
    stub_dsname(s, "CN=EVIL");
}

static void sid_history(struct stub *s)
{
    drs_head(s, 1);
    stub32(s, 0x40000000);
}

/* -- samr ----------------------------------------------------------------------------------------------- */

static void samr_connect5(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
    stub32(s, 0x30);
    stub32(s, 1);
}

static void samr_connect4(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
    stub32(s, 2);
    stub32(s, 0x30);
}

static void handle_name(struct stub *s)
{
    stub_handle(s, H);
    stub_unicode(s, "Alice");
    stub_unicode_text(s, "Alice");
}

static void samr_create(struct stub *s)
{
    handle_name(s);
    stub32(s, 0x80);
    stub32(s, 0xe00500b0);
}

static void samr_open_domain(struct stub *s)
{
    stub_handle(s, H);
    stub32(s, 0x300);
    stub_sid(s, 544);
}

static void handle_access_rid(struct stub *s)
{
    stub_handle(s, H);
    stub32(s, 0x20);
    stub32(s, 512);
}

static void handle_level(struct stub *s)
{
    stub_handle(s, H);
    stub_enum(s, 21);
}

static void handle_rid(struct stub *s)
{
    stub_handle(s, H);
    stub32(s, 1104);
}

static void handle_sid(struct stub *s)
{
    stub_handle(s, H);
    stub_sid(s, 1105);
}

static void samr_lookup_names(struct stub *s)
{
    stub_handle(s, H);
    stub32(s, 2);
    stub_size(s, 1000);
    stub_size(s, 0);
    stub_size(s, 2);
    stub_unicode(s, "Domain Admins");
    stub_unicode(s, "krbtgt");
    stub_unicode_text(s, "Domain Admins");
    stub_unicode_text(s, "krbtgt");
}

static void samr_lookup_ids(struct stub *s)
{
    stub_handle(s, H);
    stub32(s, 2);
    stub_size(s, 1000);
    stub_size(s, 0);
    stub_size(s, 2);
    stub32(s, 500);
    stub32(s, 502);
}

static void samr_password(struct stub *s)
{
    stub_pointer(s, true);
    stub_unicode(s, "\\\\DC1");
    stub_unicode_text(s, "\\\\DC1");
    stub_unicode(s, "alice");
    stub_unicode_text(s, "alice");
}

/* -- lsarpc --------------------------------------------------------------------------------------------- */

static void server_name(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
}

static void lsa_names(struct stub *s)
{
    stub32(s, 1);
    stub_size(s, 1);
    stub_unicode(s, "CORP\\bob");
    stub_unicode_text(s, "CORP\\bob");
}

static void lsa_lookup_names(struct stub *s)
{
    stub_handle(s, H);
    lsa_names(s);
}

static void lsa_sids(struct stub *s)
{
    stub_structure(s);
    stub32(s, 2);
    stub_pointer(s, true);
    stub_size(s, 2);
    stub_pointer(s, true);
    stub_pointer(s, true);
    stub_sid(s, 544);
    stub_sid(s, 545);
}

static void lsa_lookup_sids(struct stub *s)
{
    stub_handle(s, H);
    lsa_sids(s);
}

/* -- netlogon ------------------------------------------------------------------------------------------- */

static void challenge(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
    stub_string16(s, "WS1");
    stub_zero(s, 8);
}

static void channel(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
    stub_string16(s, "WS1$");
    stub_enum(s, 2);
    stub_string16(s, "WS1");
}

static void authenticate3(struct stub *s)
{
    channel(s);
    stub_bytes(s, "\0\0\0\0\0\0\0\1", 8);
    stub32(s, 0x212fffff);
}

static void authenticate1(struct stub *s)
{
    channel(s);
    stub_zero(s, 8);
}

static void password_set2(struct stub *s)
{
    channel(s);
    stub_align(s, 4);
    stub_zero(s, 8);
    stub32(s, 0);
    stub_zero(s, 516);
}

static void password_set1(struct stub *s)
{
    channel(s);
    stub_align(s, 4);
    stub_bytes(s, "12345678", 8);
    stub32(s, 0);
    stub_bytes(s, "1234567890123456", 16);
}

static void logon(struct stub *s, uint32_t level, bool authenticators)
{
    stub_pointer16(s, "\\\\DC1");
    stub_pointer16(s, "WS1");
    if (authenticators) {
        stub_pointer(s, true);
        stub_zero(s, 12);
        stub_pointer(s, false);
    }
    stub_enum(s, level);
    stub_enum(s, level);
    stub_pointer(s, true);
    stub_unicode(s, "CORP");
    stub32(s, 0);
    stub32(s, 0);
    stub32(s, 0);
    stub_unicode(s, "alice");
    stub_unicode(s, "WS2");
    if (level == 1) {
        stub_zero(s, 32);
    } else if (level == 2) {
        stub_zero(s, 8);
        stub_unicode(s, "");
        stub_unicode(s, "");
    } else {
        stub_unicode(s, "");
        stub32(s, 0);
        stub_pointer(s, false);
    }
    stub_unicode_text(s, "CORP");
    stub_unicode_text(s, "alice");
    stub_unicode_text(s, "WS2");
}

static void logon_network(struct stub *s)
{
    logon(s, 2, true);
}
static void logon_interactive_ex(struct stub *s)
{
    logon(s, 1, false);
}
static void logon_generic(struct stub *s)
{
    logon(s, 4, true);
}

static void two_names(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
    stub_pointer16(s, "corp.example");
}

static void string_and_pointer(struct stub *s)
{
    stub_string16(s, "\\\\DC1");
    stub_pointer16(s, "corp.example");
}

static void get_dc2(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
    stub_pointer16(s, "WS1$");
    stub32(s, 0x80);
    stub_pointer16(s, "corp.example");
}

/* -- management ----------------------------------------------------------------------------------------- */

static void sessions(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
    stub_pointer16(s, "\\\\WS9");
    stub_pointer16(s, "alice");
    stub_structure(s);
    stub32(s, 10);
    stub32(s, 10);
}

static void connections(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
    stub_pointer16(s, "C$");
    stub_structure(s);
    stub32(s, 1);
}

static void shares(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
    stub_structure(s);
    stub32(s, 1);
}

static void server_level(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
    stub32(s, 1);
}

static void share(struct stub *s)
{
    stub_pointer16(s, "\\\\DC1");
    stub_string16(s, "SYSVOL");
    stub32(s, 1);
}

static void create_service(struct stub *s)
{
    stub_handle(s, H);
    stub_string16(s, "PSEXESVC");
    stub_pointer16(s, "PsExec");
    stub32(s, 0xf01ff);
    stub32(s, 0x10);
    stub32(s, 3);
    stub32(s, 1);
    stub_string16(s, "%SystemRoot%\\PSEXESVC.exe");
    stub_pointer16(s, "group");
    stub_pointer(s, true);
    stub32(s, 1);
    stub_pointer(s, true);
    stub_size(s, 4);
    stub_bytes(s, "a\0\0\0", 4);
    stub32(s, 4);
    stub_pointer16(s, "CORP\\svc");
}

static void create_service_ansi(struct stub *s)
{
    stub_handle(s, H);
    stub_string8(s, "PSEXESVC");
    stub_pointer8(s, NULL);
    stub32(s, 0xf01ff);
    stub32(s, 0x10);
    stub32(s, 2);
    stub32(s, 1);
    stub_string8(s, "cmd.exe");
    stub_pointer8(s, NULL);
    stub_pointer(s, false);
    stub_pointer(s, false);
    stub32(s, 0);
    stub_pointer8(s, NULL);
}

static void change_service(struct stub *s)
{
    stub_handle(s, H);
    stub32(s, 0xffffffff);
    stub32(s, 2);
    stub32(s, 0xffffffff);
    stub_pointer16(s, "evil.exe");
}

static void open_service(struct stub *s)
{
    stub_handle(s, H);
    stub_string16(s, "Spooler");
    stub32(s, 0x14);
}

static void job_add(struct stub *s)
{
    stub_pointer16(s, "\\\\WS1");
    stub_structure(s);
    stub32(s, 0);
    stub32(s, 0);
    stub8(s, 0);
    stub8(s, 0);
    stub_pointer16(s, "c:\\evil.exe");
}

static void register_task(struct stub *s)
{
    stub_pointer16(s, "\\evil");
    stub_string16(s, "<Task><Exec><Command>cmd.exe</Command><Arguments>/c whoami</Arguments></Exec></Task>");
    stub32(s, 6);
}

static void task_path(struct stub *s)
{
    stub_string16(s, "\\evil");
}

static void registry_file(struct stub *s)
{
    stub_handle(s, H);
    stub_unicode(s, "..\\Temp\\x.tmp");
    stub_unicode_text(s, "..\\Temp\\x.tmp");
}

static void clear_channel(struct stub *s)
{
    stub_handle(s, H);
    stub_string16(s, "Security");
}

/* -- coercion ------------------------------------------------------------------------------------------- */

static void efs_file(struct stub *s)
{
    stub_string16(s, "\\\\10.0.0.9\\x\\y");
    stub32(s, 0);
}

static void efs_file_ex(struct stub *s)
{
    stub32(s, 0);
    stub_pointer(s, true);
    stub32(s, 2);
    stub_pointer(s, true);
    stub_size(s, 2);
    stub_bytes(s, "ab", 2);
    stub_string16(s, "\\\\10.0.0.9\\x\\y");
}

static void notification(struct stub *s)
{
    stub_handle(s, H);
    stub32(s, 0x100);
    stub32(s, 0);
    stub_pointer16(s, "\\\\10.0.0.9");
    stub32(s, 0);
}

static void driver(struct stub *s, uint32_t level)
{
    stub_pointer16(s, "\\\\DC1");
    stub_structure(s);
    stub32(s, level);
    stub32(s, level);
    stub_pointer(s, true);
    stub_structure(s);
    stub32(s, 3);
    for (int i = 0; i < 5; i++)
        stub_pointer(s, true);
    if (level >= 3) {
        for (int i = 0; i < 3; i++)
            stub_pointer(s, false);
        stub32(s, 0);
        stub_pointer(s, false);
    }
    if (level == 4) {
        stub32(s, 0);
        stub_pointer(s, false);
    }
    stub_string16(s, "1234");
    stub_string16(s, "Windows x64");
    stub_string16(s, "C:\\UNIDRV.DLL");
    stub_string16(s, "\\\\10.0.0.9\\x\\evil.dll");
    stub_string16(s, "C:\\kernelbase.dll");
}

static void driver2(struct stub *s)
{
    driver(s, 2);
}
static void driver4(struct stub *s)
{
    driver(s, 4);
}

static void root(struct stub *s)
{
    stub_string16(s, "10.0.0.9");
    stub_string16(s, "share");
}

/* -- domain --------------------------------------------------------------------------------------------- */

static void tower(struct stub *s, unsigned port)
{
    uint8_t t[64];
    size_t n = 0;
    t[n++] = 5;
    t[n++] = 0;
    t[n++] = 19;
    t[n++] = 0;
    t[n++] = 0x0d;
    memcpy(t + n, rpc_interface_uuid(RPC_DRSUAPI), 16);
    n += 16;
    memcpy(t + n, "\x04\x00\x02\x00\x00\x00", 6);
    n += 6;
    memcpy(t + n, "\x01\x00\x0d\x00\x00", 5); /* transfer syntax, shortened */
    n += 5;
    memcpy(t + n, "\x01\x00\x0b\x02\x00\x00\x00", 7);
    n += 7;
    memcpy(t + n, "\x01\x00\x07\x02\x00", 5);
    n += 5;
    t[n++] = (uint8_t)(port >> 8);
    t[n++] = (uint8_t)port;
    memcpy(t + n, "\x01\x00\x09\x04\x00\x0a\x00\x07\x07", 9);
    n += 9;
    stub_size(s, n);
    stub32(s, (uint32_t)n);
    stub_bytes(s, t, n);
}

static void map(struct stub *s)
{
    stub_pointer(s, true);
    stub_uuid(s, 0);
    stub_pointer(s, true);
    tower(s, 0);
    stub_align(s, 4);
    stub_handle(s, 0);
    stub32(s, 4);
}

static void dns_operation2(struct stub *s)
{
    stub32(s, 0x60000);
    stub32(s, 0);
    stub_pointer16(s, "dc1");
    stub_pointer8(s, NULL);
    stub32(s, 0);
    stub_pointer8(s, "ServerLevelPluginDll");
    stub32(s, 3);
    stub_structure(s);
    stub32(s, 3);
    stub_pointer16(s, "\\\\10.0.0.9\\x\\evil.dll");
}

static void dns_operation(struct stub *s)
{
    stub_pointer16(s, "dc1");
    stub_pointer8(s, "corp.example");
    stub32(s, 0);
    stub_pointer8(s, "ResetDwordProperty");
    stub32(s, 15);
    stub_structure(s);
    stub32(s, 15);
    stub_pointer(s, true);
    stub_structure(s);
    stub32(s, 1);
    stub_pointer8(s, "AllowUpdate");
}

static void dns_query(struct stub *s)
{
    stub_pointer16(s, "dc1");
    stub_pointer8(s, "corp.example");
    stub_pointer8(s, "ZoneInfo");
}

static void dns_records(struct stub *s)
{
    stub32(s, 0x60000);
    stub32(s, 0);
    stub_pointer16(s, "dc1");
    stub_pointer8(s, "corp.example");
    stub_pointer8(s, "@");
    stub_pointer8(s, NULL);
    stub16(s, 255);
}

static void dns_update(struct stub *s)
{
    stub_pointer16(s, "dc1");
    stub_pointer8(s, "corp.example");
    stub_string8(s, "wpad");
    stub_pointer(s, true);
    stub_size(s, 4);
    stub16(s, 4);
    stub16(s, 1);
    stub_zero(s, 20);
    stub_bytes(s, "\x0a\0\0\x09", 4);
    stub_pointer(s, false);
}

static void backup_key(struct stub *s)
{
    static const uint8_t retrieve[16] = {0x8a, 0xf4, 0x8f, 0x01, 0xba, 0xea, 0xc6, 0x40,
                                         0x8f, 0x6d, 0x72, 0x37, 0x02, 0x40, 0xe9, 0x67};
    stub_uuid_bytes(s, retrieve);
}

static void backup_key_unknown(struct stub *s)
{
    stub_uuid(s, 0x12);
}

/* -- DCOM and WMI --------------------------------------------------------------------------------------- */

static void orpc_this(struct stub *s)
{
    stub16(s, 5);
    stub16(s, 7);
    stub32(s, 0);
    stub32(s, 0);
    stub_uuid(s, 0x99);
    stub_pointer(s, false);
}

static void bstr(struct stub *s, const char *text)
{
    uint32_t count = (uint32_t)strlen(text);
    stub_pointer(s, true);
    stub_size(s, count);
    stub32(s, 2 * count);
    stub32(s, count);
    stub_wide(s, text, count);
}

static void exec_method(struct stub *s)
{
    orpc_this(s);
    bstr(s, "Win32_Process");
    bstr(s, "Create");
    stub32(s, 0);
    stub_bytes(s, "\0__PARAMETERS\0\0abstract\0\0CommandLine\0\0__PARAMETERS\0", 52);
    stub_bytes(s, "\0calc.exe\0\1w\0h\0o\0a\0m\0i\0\0\0", 25);
}

static void exec_query(struct stub *s)
{
    orpc_this(s);
    bstr(s, "WQL");
    bstr(s, "SELECT * FROM Win32_Service");
}

static void wmi_object(struct stub *s)
{
    orpc_this(s);
    bstr(s, "Win32_Process");
}

static void put_instance(struct stub *s)
{
    orpc_this(s);
    stub_bytes(s, "\0Win32_Environment\0\0secret\xff\0\0value\0", 35);
}

static void wmi_login(struct stub *s)
{
    orpc_this(s);
    stub_pointer16(s, "//./root/cimv2");
}

static void activation(struct stub *s, bool outer)
{
    static const uint8_t special[16] = {0xb9, 0x01, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46};
    static const uint8_t instantiation[16] = {0xab, 0x01, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46};
    struct stub blob = {0};
    stub_bytes(&blob, "MEOW", 4);
    stub32(&blob, 4);
    stub_zero(&blob, 16 + 16 + 8);
    stub32(&blob, 0);
    stub32(&blob, 0);
    size_t header = blob.size;
    stub_zero(&blob, 16);
    size_t sizes_at = blob.size;
    stub32(&blob, 0);
    stub32(&blob, 0);
    stub32(&blob, 0);
    stub32(&blob, 0);
    stub32(&blob, 2);
    stub_zero(&blob, 16 + 12);
    stub32(&blob, 2);
    stub_bytes(&blob, special, 16);
    stub_bytes(&blob, instantiation, 16);
    stub32(&blob, 2);
    stub32(&blob, 24);
    stub32(&blob, 48);
    blob.data[sizes_at + 4] = (uint8_t)(blob.size - header);
    stub_zero(&blob, 24);
    stub_zero(&blob, 16);
    stub_uuid(&blob, 0x88);
    stub_zero(&blob, 16);

    orpc_this(s);
    if (outer)
        stub_pointer(s, false);
    stub_pointer(s, true);
    stub_size(s, blob.size);
    stub32(s, (uint32_t)blob.size);
    stub_bytes(s, blob.data, blob.size);
}

static void create_instance(struct stub *s)
{
    activation(s, true);
}
static void get_class(struct stub *s)
{
    activation(s, false);
}

static void remote_activation(struct stub *s)
{
    orpc_this(s);
    stub_uuid(s, 0x88);
}

/* -- the table ------------------------------------------------------------------------------------------ */

#define UUID_OF(b) b b b b "-" b b "-" b b "-" b b "-" b b b b b b

static const struct stub_case cases[] = {
    {RPC_DRSUAPI, 0, ACTIVITY_DRS_BIND, drs_bind, {{FIELD_DRS_CLIENT, UUID_OF("77")}}, false},
#define CHANGES(version, build)                                                                              \
    {                                                                                                        \
        RPC_DRSUAPI, 3, ACTIVITY_DRS_REPLICATE, build,                                                       \
            {{FIELD_DRS_VERSION, version},                                                                   \
             {FIELD_DRS_NAMING_CONTEXT, "DC=corp,DC=example"},                                               \
             {FIELD_DRS_NAMING_CONTEXT_GUID, UUID_OF("11")},                                                 \
             {FIELD_DRS_DESTINATION_DSA, UUID_OF("44")},                                                     \
             {FIELD_DRS_SOURCE_INVOCATION, UUID_OF("55")},                                                   \
             {FIELD_DRS_EXTENDED_OPERATION, "6"},                                                            \
             {FIELD_DRS_FLAGS, "112"},                                                                       \
             {FIELD_RPC_OPERATION, "DRSGetNCChanges"}},                                                      \
            false                                                                                            \
    }
    CHANGES("5", get_changes5),
    CHANGES("8", get_changes8),
    CHANGES("10", get_changes10),
    CHANGES("11", get_changes11),
    {RPC_DRSUAPI, 3, ACTIVITY_DRS_REPLICATE, get_changes4, {{FIELD_DRS_VERSION, "4"}}, false},
    {RPC_DRSUAPI,
     4,
     ACTIVITY_DRS_UPDATE_REFS,
     update_refs,
     {{FIELD_DRS_PARTNER, "evil.corp"},
      {FIELD_DRS_PARTNER_DSA, UUID_OF("66")},
      {FIELD_DRS_NAMING_CONTEXT, "DC=corp"}},
     false},
    {RPC_DRSUAPI,
     5,
     ACTIVITY_DRS_REPLICA_ADD,
     replica_add1,
     {{FIELD_DRS_PARTNER, "evil.corp"}, {FIELD_DRS_NAMING_CONTEXT, "DC=corp"}},
     false},
    {RPC_DRSUAPI,
     5,
     ACTIVITY_DRS_REPLICA_ADD,
     replica_add2,
     {{FIELD_DRS_PARTNER, "evil.corp"}, {FIELD_DRS_NAMING_CONTEXT, "DC=corp"}, {FIELD_DRS_FLAGS, "16"}},
     false},
    {RPC_DRSUAPI, 6, ACTIVITY_DRS_REPLICA_ADD, replica_del, {{FIELD_DRS_PARTNER, "evil.corp"}}, false},
    {RPC_DRSUAPI,
     2,
     ACTIVITY_DRS_REPLICA_ADD,
     replica_sync,
     {{FIELD_DRS_PARTNER, "evil.corp"}, {FIELD_DRS_PARTNER_DSA, UUID_OF("66")}},
     false},
    {RPC_DRSUAPI,
     12,
     ACTIVITY_DRS_CRACK_NAMES,
     crack_names,
     {{FIELD_DRS_FORMAT_OFFERED, "8"}, {FIELD_DRS_FORMAT_DESIRED, "1"}, {FIELD_RPC_NAMES, "alice, bob"}},
     false},
    {RPC_DRSUAPI,
     13,
     ACTIVITY_DRS_WRITE_SPN,
     write_spn,
     {{FIELD_DRS_NAMING_CONTEXT, "CN=WS1"}, {FIELD_RPC_NAMES, "GC/ws1"}, {FIELD_DRS_OPERATION, "0"}},
     false},
    {RPC_DRSUAPI,
     16,
     ACTIVITY_DRS_DOMAIN_CONTROLLERS,
     domain_controllers,
     {{FIELD_RPC_NAME, "corp.example"}, {FIELD_RPC_LEVEL, "2"}},
     false},
    {RPC_DRSUAPI, 17, ACTIVITY_DRS_ADD_ENTRY, add_entry, {{FIELD_DRS_NAMING_CONTEXT, "CN=EVIL"}}, false},
    {RPC_DRSUAPI, 20, ACTIVITY_DRS_SID_HISTORY, sid_history, {{FIELD_DRS_FLAGS, "1073741824"}}, false},

    {RPC_SAMR,
     64,
     ACTIVITY_SAMR_QUERY,
     samr_connect5,
     {{FIELD_RPC_SERVER, "\\\\DC1"}, {FIELD_RPC_ACCESS, "48"}},
     false},
    {RPC_SAMR,
     62,
     ACTIVITY_SAMR_QUERY,
     samr_connect4,
     {{FIELD_RPC_SERVER, "\\\\DC1"}, {FIELD_RPC_ACCESS, "48"}},
     false},
    {RPC_SAMR, 5, ACTIVITY_SAMR_QUERY, handle_name, {{FIELD_RPC_NAME, "Alice"}}, false},
    {RPC_SAMR, 7, ACTIVITY_SAMR_QUERY, samr_open_domain, {{FIELD_SAMR_DOMAIN_SID, "S-1-5-32-544"}}, true},
    {RPC_SAMR,
     19,
     ACTIVITY_SAMR_QUERY,
     handle_access_rid,
     {{FIELD_SAMR_RID, "512"}, {FIELD_RPC_ACCESS, "32"}},
     false},
    {RPC_SAMR, 36, ACTIVITY_SAMR_QUERY, handle_level, {{FIELD_RPC_LEVEL, "21"}}, false},
    {RPC_SAMR, 65, ACTIVITY_SAMR_QUERY, handle_rid, {{FIELD_SAMR_RID, "1104"}}, false},
    {RPC_SAMR, 22, ACTIVITY_SAMR_CHANGE, handle_rid, {{FIELD_SAMR_MEMBER_RID, "1104"}}, false},
    {RPC_SAMR, 31, ACTIVITY_SAMR_CHANGE, handle_sid, {{FIELD_SAMR_MEMBER_SID, "S-1-5-32-1105"}}, true},
    {RPC_SAMR,
     50,
     ACTIVITY_SAMR_CHANGE,
     samr_create,
     {{FIELD_RPC_NAME, "Alice"}, {FIELD_SAMR_ACCOUNT_TYPE, "128"}},
     false},
    {RPC_SAMR,
     17,
     ACTIVITY_SAMR_QUERY,
     samr_lookup_names,
     {{FIELD_RPC_NAMES, "Domain Admins, krbtgt"}},
     false},
    {RPC_SAMR,
     18,
     ACTIVITY_SAMR_QUERY,
     samr_lookup_ids,
     {{FIELD_SAMR_RIDS, "500, 502"}, {FIELD_RPC_COUNT, "2"}},
     false},
    {RPC_SAMR,
     55,
     ACTIVITY_SAMR_CHANGE,
     samr_password,
     {{FIELD_RPC_SERVER, "\\\\DC1"}, {FIELD_RPC_NAME, "alice"}},
     false},

    {RPC_LSARPC, 44, ACTIVITY_LSA_QUERY, server_name, {{FIELD_RPC_SERVER, "\\\\DC1"}}, false},
    {RPC_LSARPC, 46, ACTIVITY_LSA_QUERY, handle_level, {{FIELD_RPC_LEVEL, "21"}}, false},
    {RPC_LSARPC, 14, ACTIVITY_LSA_QUERY, lsa_lookup_names, {{FIELD_RPC_NAMES, "CORP\\bob"}}, false},
    {RPC_LSARPC, 77, ACTIVITY_LSA_QUERY, lsa_names, {{FIELD_RPC_NAMES, "CORP\\bob"}}, false},
    {RPC_LSARPC,
     57,
     ACTIVITY_LSA_QUERY,
     lsa_lookup_sids,
     {{FIELD_LSA_SIDS, "S-1-5-32-544, S-1-5-32-545"}},
     true},
    {RPC_LSARPC, 76, ACTIVITY_LSA_QUERY, lsa_sids, {{FIELD_LSA_SIDS, "S-1-5-32-544, S-1-5-32-545"}}, true},
    {RPC_LSARPC, 43, ACTIVITY_LSA_SECRET, handle_name, {{FIELD_RPC_NAME, "Alice"}}, false},

    {RPC_NETLOGON,
     4,
     ACTIVITY_NETLOGON_CHALLENGE,
     challenge,
     {{FIELD_WORKSTATION, "WS1"}, {FIELD_NETLOGON_CHALLENGE_ZERO, "true"}},
     false},
    {RPC_NETLOGON,
     26,
     ACTIVITY_NETLOGON_AUTHENTICATE,
     authenticate3,
     {{FIELD_NETLOGON_ACCOUNT, "WS1$"},
      {FIELD_NETLOGON_CREDENTIAL_ZERO, "false"},
      {FIELD_NETLOGON_FLAGS, "556793855"},
      {FIELD_NETLOGON_CHANNEL_TYPE, "2"}},
     false},
    {RPC_NETLOGON,
     5,
     ACTIVITY_NETLOGON_AUTHENTICATE,
     authenticate1,
     {{FIELD_NETLOGON_ACCOUNT, "WS1$"}, {FIELD_NETLOGON_CREDENTIAL_ZERO, "true"}},
     false},
    {RPC_NETLOGON,
     30,
     ACTIVITY_NETLOGON_PASSWORD_SET,
     password_set2,
     {{FIELD_NETLOGON_CREDENTIAL_ZERO, "true"}, {FIELD_NETLOGON_PASSWORD_ZERO, "true"}},
     false},
    {RPC_NETLOGON,
     6,
     ACTIVITY_NETLOGON_PASSWORD_SET,
     password_set1,
     {{FIELD_NETLOGON_CREDENTIAL_ZERO, "false"}, {FIELD_NETLOGON_PASSWORD_ZERO, "false"}},
     false},
#define LOGON(opnum, build, level)                                                                           \
    {                                                                                                        \
        RPC_NETLOGON, opnum, ACTIVITY_NETLOGON_LOGON, build,                                                 \
            {{FIELD_NETLOGON_USER, "alice"},                                                                 \
             {FIELD_NETLOGON_USER_DOMAIN, "CORP"},                                                           \
             {FIELD_NETLOGON_USER_WORKSTATION, "WS2"},                                                       \
             {FIELD_NETLOGON_LOGON_LEVEL, level}},                                                           \
            false                                                                                            \
    }
    LOGON(2, logon_network, "2"),
    LOGON(39, logon_interactive_ex, "1"),
    LOGON(45, logon_generic, "4"),
    {RPC_NETLOGON, 20, ACTIVITY_NETLOGON_QUERY, two_names, {{FIELD_RPC_NAME, "corp.example"}}, false},
    {RPC_NETLOGON,
     11,
     ACTIVITY_NETLOGON_QUERY,
     string_and_pointer,
     {{FIELD_RPC_NAME, "corp.example"}},
     false},
    {RPC_NETLOGON, 34, ACTIVITY_NETLOGON_QUERY, get_dc2, {{FIELD_RPC_NAME, "corp.example"}}, false},
    {RPC_NETLOGON, 40, ACTIVITY_NETLOGON_QUERY, server_name, {{FIELD_RPC_SERVER, "\\\\DC1"}}, false},
    {RPC_NETLOGON,
     29,
     ACTIVITY_NETLOGON_QUERY,
     string_and_pointer,
     {{FIELD_RPC_SERVER, "\\\\DC1"}, {FIELD_WORKSTATION, "corp.example"}},
     false},

    {RPC_SRVSVC,
     12,
     ACTIVITY_SESSION_ENUMERATE,
     sessions,
     {{FIELD_SESSION_CLIENT, "\\\\WS9"}, {FIELD_SESSION_USER, "alice"}, {FIELD_RPC_LEVEL, "10"}},
     false},
    {RPC_SRVSVC,
     8,
     ACTIVITY_SESSION_ENUMERATE,
     connections,
     {{FIELD_SESSION_CLIENT, "C$"}, {FIELD_RPC_LEVEL, "1"}},
     false},
    {RPC_SRVSVC, 15, ACTIVITY_SHARE_ENUMERATE, shares, {{FIELD_RPC_LEVEL, "1"}}, false},
    {RPC_SRVSVC, 16, ACTIVITY_SHARE_ENUMERATE, share, {{FIELD_RPC_NAME, "SYSVOL"}}, false},
    {RPC_SRVSVC,
     21,
     ACTIVITY_SERVER_INFORMATION,
     server_level,
     {{FIELD_RPC_LEVEL, "1"}, {FIELD_RPC_SERVER, "\\\\DC1"}},
     false},
    {RPC_WKSSVC, 2, ACTIVITY_SESSION_ENUMERATE, shares, {{FIELD_RPC_LEVEL, "1"}}, false},
    {RPC_SVCCTL,
     12,
     ACTIVITY_SERVICE_CONTROL,
     create_service,
     {{FIELD_SERVICE_NAME, "PSEXESVC"},
      {FIELD_SERVICE_DISPLAY_NAME, "PsExec"},
      {FIELD_SERVICE_BINARY, "%SystemRoot%\\PSEXESVC.exe"},
      {FIELD_SERVICE_ACCOUNT, "CORP\\svc"},
      {FIELD_SERVICE_START_TYPE, "3"}},
     false},
    {RPC_SVCCTL,
     24,
     ACTIVITY_SERVICE_CONTROL,
     create_service_ansi,
     {{FIELD_SERVICE_NAME, "PSEXESVC"}, {FIELD_SERVICE_BINARY, "cmd.exe"}},
     false},
    {RPC_SVCCTL,
     11,
     ACTIVITY_SERVICE_CONTROL,
     change_service,
     {{FIELD_SERVICE_BINARY, "evil.exe"}, {FIELD_SERVICE_START_TYPE, "2"}},
     false},
    {RPC_SVCCTL, 16, ACTIVITY_SERVICE_CONTROL, open_service, {{FIELD_SERVICE_NAME, "Spooler"}}, false},
    {RPC_SVCCTL, 15, ACTIVITY_SERVICE_CONTROL, server_name, {{FIELD_RPC_SERVER, "\\\\DC1"}}, false},
    {RPC_ATSVC, 0, ACTIVITY_TASK_CONTROL, job_add, {{FIELD_TASK_COMMAND, "c:\\evil.exe"}}, false},
    {RPC_ITASKSCHEDULERSERVICE,
     1,
     ACTIVITY_TASK_CONTROL,
     register_task,
     {{FIELD_TASK_PATH, "\\evil"}, {FIELD_TASK_COMMAND, "cmd.exe"}, {FIELD_TASK_ARGUMENTS, "/c whoami"}},
     true},
    {RPC_ITASKSCHEDULERSERVICE, 12, ACTIVITY_TASK_CONTROL, task_path, {{FIELD_TASK_PATH, "\\evil"}}, false},
    {RPC_WINREG,
     20,
     ACTIVITY_REGISTRY_ACCESS,
     registry_file,
     {{FIELD_REGISTRY_FILE, "..\\Temp\\x.tmp"}},
     false},
    {RPC_WINREG,
     17,
     ACTIVITY_REGISTRY_ACCESS,
     registry_file,
     {{FIELD_REGISTRY_VALUE, "..\\Temp\\x.tmp"}},
     false},
    {RPC_EVENTLOG6, 6, ACTIVITY_EVENT_LOG_CLEAR, clear_channel, {{FIELD_EVENT_LOG, "Security"}}, false},

    {RPC_EFSRPC, 0, ACTIVITY_COERCION, efs_file, {{FIELD_COERCION_TARGET, "\\\\10.0.0.9\\x\\y"}}, false},
    {RPC_EFSRPC_LSA, 4, ACTIVITY_COERCION, efs_file, {{FIELD_COERCION_TARGET, "\\\\10.0.0.9\\x\\y"}}, false},
    {RPC_EFSRPC, 15, ACTIVITY_COERCION, efs_file_ex, {{FIELD_COERCION_TARGET, "\\\\10.0.0.9\\x\\y"}}, false},
    {RPC_SPOOLSS, 65, ACTIVITY_COERCION, notification, {{FIELD_COERCION_TARGET, "\\\\10.0.0.9"}}, false},
    {RPC_SPOOLSS, 1, ACTIVITY_PRINTER_OPEN, server_name, {{FIELD_PRINTER_NAME, "\\\\DC1"}}, false},
    {RPC_SPOOLSS,
     89,
     ACTIVITY_PRINTER_DRIVER_ADD,
     driver2,
     {{FIELD_PRINTER_DRIVER, "1234"},
      {FIELD_PRINTER_DRIVER_PATHS, "C:\\UNIDRV.DLL, \\\\10.0.0.9\\x\\evil.dll, C:\\kernelbase.dll"}},
     false},
    {RPC_IREMOTEWINSPOOL, 39, ACTIVITY_PRINTER_DRIVER_ADD, driver4, {{FIELD_PRINTER_DRIVER, "1234"}}, false},
    {RPC_NETDFS, 12, ACTIVITY_COERCION, root, {{FIELD_COERCION_TARGET, "10.0.0.9"}}, false},

    {RPC_EPMAPPER, 3, ACTIVITY_EPM_MAP, map, {{FIELD_EPM_INTERFACE, "drsuapi"}}, false},
    {RPC_DNSSERVER,
     5,
     ACTIVITY_DNSSERVER_MANAGE,
     dns_operation2,
     {{FIELD_DNSSERVER_OPERATION, "ServerLevelPluginDll"},
      {FIELD_DNSSERVER_VALUE, "\\\\10.0.0.9\\x\\evil.dll"}},
     false},
    {RPC_DNSSERVER,
     0,
     ACTIVITY_DNSSERVER_MANAGE,
     dns_operation,
     {{FIELD_DNSSERVER_OPERATION, "ResetDwordProperty"},
      {FIELD_DNSSERVER_VALUE, "AllowUpdate"},
      {FIELD_DNSSERVER_ZONE, "corp.example"}},
     false},
    {RPC_DNSSERVER,
     1,
     ACTIVITY_DNSSERVER_MANAGE,
     dns_query,
     {{FIELD_DNSSERVER_OPERATION, "ZoneInfo"}},
     false},
    {RPC_DNSSERVER,
     8,
     ACTIVITY_DNSSERVER_MANAGE,
     dns_records,
     {{FIELD_DNSSERVER_NODE, "@"}, {FIELD_DNSSERVER_RECORD_TYPE, "255"}},
     false},
    {RPC_DNSSERVER,
     4,
     ACTIVITY_DNSSERVER_MANAGE,
     dns_update,
     {{FIELD_DNSSERVER_NODE, "wpad"},
      {FIELD_DNSSERVER_RECORD_ADDED, "true"},
      {FIELD_DNSSERVER_RECORD_DELETED, "false"},
      {FIELD_DNSSERVER_RECORD_TYPE, "1"}},
     false},
    {RPC_BACKUPKEY,
     0,
     ACTIVITY_BACKUPKEY_RETRIEVE,
     backup_key,
     {{FIELD_BACKUPKEY_ACTION, "retrieve_backup_key"}},
     false},
    {RPC_BACKUPKEY,
     0,
     ACTIVITY_BACKUPKEY_RETRIEVE,
     backup_key_unknown,
     {{FIELD_BACKUPKEY_ACTION, UUID_OF("12")}},
     false},

    {RPC_IWBEMSERVICES,
     24,
     ACTIVITY_WMI_CALL,
     exec_method,
     {{FIELD_WMI_OBJECT, "Win32_Process"},
      {FIELD_WMI_METHOD, "Create"},
      {FIELD_WMI_STRINGS, "calc.exe, whoami"}},
     false},
    {RPC_IWBEMSERVICES,
     20,
     ACTIVITY_WMI_CALL,
     exec_query,
     {{FIELD_WMI_QUERY, "SELECT * FROM Win32_Service"}},
     false},
    {RPC_IWBEMSERVICES, 6, ACTIVITY_WMI_CALL, wmi_object, {{FIELD_WMI_OBJECT, "Win32_Process"}}, false},
    {RPC_IWBEMSERVICES, 3, ACTIVITY_WMI_CALL, wmi_object, {{FIELD_WMI_NAMESPACE, "Win32_Process"}}, false},
    {RPC_IWBEMSERVICES,
     14,
     ACTIVITY_WMI_CALL,
     put_instance,
     {{FIELD_WMI_STRINGS, "Win32_Environment, value"}},
     false},
    {RPC_IWBEMLEVEL1LOGIN, 6, ACTIVITY_WMI_CALL, wmi_login, {{FIELD_WMI_NAMESPACE, "//./root/cimv2"}}, false},
    {RPC_ISYSTEMACTIVATOR,
     4,
     ACTIVITY_DCOM_ACTIVATE,
     create_instance,
     {{FIELD_DCOM_CLASS, UUID_OF("88")}},
     true},
    {RPC_ISYSTEMACTIVATOR, 3, ACTIVITY_DCOM_ACTIVATE, get_class, {{FIELD_DCOM_CLASS, UUID_OF("88")}}, true},
    {RPC_IREMOTEACTIVATION,
     0,
     ACTIVITY_DCOM_ACTIVATE,
     remote_activation,
     {{FIELD_DCOM_CLASS, UUID_OF("88")}},
     false},
};

#define CASES (sizeof cases / sizeof *cases)

static void parameters_are_read_in_every_form(void **state)
{
    (void)state;
    for (int form = 0; form < RPC_FORMS; form++) {
        for (size_t i = 0; i < CASES; i++) {
            const struct stub_case *c = &cases[i];
            struct rpc_session s;
            session_open(&s, (enum rpc_form)form);
            session_bind(&s, 11, 0, rpc_interface_uuid(c->interface));
            static struct stub stub;
            stub = (struct stub){.form = (enum rpc_form)form};
            c->build(&stub);
            session_request(&s, 0, c->opnum, &stub);
            stub.size = 0;
            stub32(&stub, 5);
            session_response(&s, 0, &stub);
            engine_finish(s.h.engine);

            struct harness_record *r = harness_find(&s.h, c->kind, 0);
            assert_non_null(r);
            assert_int_equal(s.h.broken, 0);
            assert_int_equal(harness_uint(r, FIELD_STATUS), 5);
            assert_int_equal(engine_stats(s.h.engine)->protocol[PROTOCOL_DCERPC].malformed, 0);
            for (int e = 0; e < 8 && c->expect[e].text && !(c->not_big && form == RPC_BIG); e++) {
                const char *got = harness_text(r, c->expect[e].field);
                if (strcmp(got, c->expect[e].text) != 0)
                    fprintf(stderr, "form %d case %zu (%s): %s\n", form, i,
                            harness_text(r, FIELD_RPC_OPERATION), r->json);
                assert_string_equal(harness_text(r, c->expect[e].field), c->expect[e].text);
            }
            session_close(&s);
        }
    }
}

static void stubs_cut_at_any_byte_do_no_harm(void **state)
{
    (void)state;
    for (int form = 0; form < RPC_FORMS; form++) {
        struct rpc_session s;
        session_open(&s, (enum rpc_form)form);
        for (size_t i = 0; i < CASES; i++) {
            session_bind(&s, i ? 14 : 11, (uint16_t)i, rpc_interface_uuid(cases[i].interface));
            static struct stub stub;
            stub = (struct stub){.form = (enum rpc_form)form};
            cases[i].build(&stub);
            size_t whole = stub.size;
            for (size_t size = 0; size<whole; size += whole> 300 ? 7 : 1) {
                stub.size = size;
                session_request(&s, (uint16_t)i, cases[i].opnum, &stub);
                session_response(&s, (uint16_t)i, &stub);
            }
        }
        engine_finish(s.h.engine);
        assert_int_equal(s.h.broken, 0);
        assert_true(harness_count(&s.h, ACTIVITY_COERCION) > 100);
        session_close(&s);
    }
}

static void every_operation_survives_noise(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct rpc_session s;
    session_open(&s, RPC_LITTLE);
    for (unsigned i = 1; i < RPC_INTERFACE_COUNT; i++) {
        session_bind(&s, i > 1 ? 14 : 11, (uint16_t)i, rpc_interface_uuid((enum rpc_interface)i));
        for (uint16_t opnum = 0; opnum < 110; opnum++) {
            struct stub stub = {0};
            size_t size = random_next(&seed) % 200;
            while (stub.size < size) /* mostly small numbers: they look like counts and pointers */
                stub8(&stub, (uint8_t)(random_next(&seed) % 4 ? 0 : random_next(&seed) % 8));
            session_request(&s, (uint16_t)i, opnum, &stub);
            session_response(&s, (uint16_t)i, &stub);
        }
    }
    engine_finish(s.h.engine);
    assert_int_equal(s.h.broken, 0);
    assert_true(s.h.size > 500);
    session_close(&s);
}

/* -- more than one message ------------------------------------------------------------------------------ */

static void a_handle_is_known_by_what_it_was_opened_for(void **state)
{
    (void)state;
    for (int form = 0; form < RPC_FORMS; form++) {
        struct rpc_session s;
        session_open(&s, (enum rpc_form)form);
        session_bind(&s, 11, 0, rpc_interface_uuid(RPC_SVCCTL));
        struct stub stub = {.form = (enum rpc_form)form};
        open_service(&stub);
        session_request(&s, 0, 16, &stub);
        stub.size = 0;
        stub_handle(&stub, 0x42);
        stub32(&stub, 0);
        session_response(&s, 0, &stub);
        stub.size = 0;
        stub_handle(&stub, 0x42);
        stub32(&stub, 1);
        session_request(&s, 0, 1, &stub);
        engine_finish(s.h.engine);
        struct harness_record *r =
            harness_find_text(&s.h, ACTIVITY_SERVICE_CONTROL, FIELD_RPC_OPERATION, "RControlService", 0);
        assert_string_equal(harness_text(r, FIELD_SERVICE_NAME), "Spooler");
        assert_string_equal(harness_text(r, FIELD_SERVICE_CONTROL_CODE), "1");
        assert_string_equal(harness_text(r, FIELD_ANSWERED), "false");
        session_close(&s);
    }
}

static void open_rid(struct rpc_session *s, uint32_t rid, uint8_t handle, uint32_t status)
{
    struct stub stub = {.form = s->form};
    stub_handle(&stub, H);
    stub32(&stub, 0);
    stub32(&stub, rid);
    session_request(s, 0, 19, &stub);
    stub.size = 0;
    stub_handle(&stub, handle);
    stub32(&stub, status);
    session_response(s, 0, &stub);
}

static void add_member(struct rpc_session *s, uint8_t handle)
{
    struct stub stub = {.form = s->form};
    stub_handle(&stub, handle);
    stub32(&stub, 1104);
    session_request(s, 0, 22, &stub);
}

static void a_group_is_known_by_its_rid(void **state)
{
    (void)state;
    struct rpc_session s;
    session_open(&s, RPC_LITTLE);
    session_bind(&s, 11, 0, rpc_interface_uuid(RPC_SAMR));
    open_rid(&s, 512, 0x42, 0);
    open_rid(&s, 519, 0x43, 0xc0000022); /* refused: no handle */
    add_member(&s, 0x42);
    add_member(&s, 0x43);
    engine_finish(s.h.engine);
    struct harness_record *first = harness_find(&s.h, ACTIVITY_SAMR_CHANGE, 0);
    struct harness_record *second = harness_find(&s.h, ACTIVITY_SAMR_CHANGE, 1);
    assert_int_equal(harness_uint(first, FIELD_SAMR_RID), 512);
    assert_int_equal(harness_uint(first, FIELD_SAMR_MEMBER_RID), 1104);
    assert_false(harness_has(second, FIELD_SAMR_RID));
    session_close(&s);
}

static void registry_paths_grow_from_the_hive(void **state)
{
    (void)state;
    struct rpc_session s;
    session_open(&s, RPC_LITTLE);
    session_bind(&s, 11, 0, rpc_interface_uuid(RPC_WINREG));
    struct stub stub = {0};
    stub_pointer(&stub, false);
    stub32(&stub, 0x2000000);
    session_request(&s, 0, 2, &stub);
    stub.size = 0;
    stub_handle(&stub, 0x10);
    stub32(&stub, 0);
    session_response(&s, 0, &stub);
    stub.size = 0;
    stub_handle(&stub, 0x10);
    stub_unicode(&stub, "S\xe4M");
    stub_unicode_text(&stub, "S\xe4M");
    session_request(&s, 0, 15, &stub);
    stub.size = 0;
    stub_handle(&stub, 0x11);
    stub32(&stub, 0);
    session_response(&s, 0, &stub);
    stub.size = 0;
    stub_handle(&stub, 0x11);
    stub_unicode(&stub, "x.tmp");
    stub_unicode_text(&stub, "x.tmp");
    session_request(&s, 0, 20, &stub);
    engine_finish(s.h.engine);
    struct harness_record *r =
        harness_find_text(&s.h, ACTIVITY_REGISTRY_ACCESS, FIELD_RPC_OPERATION, "BaseRegSaveKey", 0);
    assert_string_equal(harness_text(r, FIELD_REGISTRY_KEY), "HKLM\\S\u00e4M");
    assert_string_equal(harness_text(r, FIELD_REGISTRY_FILE), "x.tmp");
    session_close(&s);
}

static void answers_tell_ports_counts_and_rids(void **state)
{
    (void)state;
    for (int form = 0; form < RPC_FORMS; form++) {
        struct rpc_session s;
        session_open(&s, (enum rpc_form)form);
        session_bind(&s, 11, 0, rpc_interface_uuid(RPC_EPMAPPER));
        struct stub stub = {.form = (enum rpc_form)form};
        map(&stub);
        session_request(&s, 0, 3, &stub);
        stub.size = 0;
        stub_handle(&stub, 0);
        stub32(&stub, 2);
        stub_size(&stub, 4);
        stub_size(&stub, 0);
        stub_size(&stub, 2);
        stub_pointer(&stub, true);
        stub_pointer(&stub, true);
        tower(&stub, 49155);
        tower(&stub, 49666);
        stub32(&stub, 0);
        session_response(&s, 0, &stub);

        session_bind(&s, 14, 1, rpc_interface_uuid(RPC_SAMR));
        stub.size = 0;
        handle_name(&stub);
        session_request(&s, 1, 50, &stub);
        stub.size = 0;
        stub_handle(&stub, 0x42);
        stub32(&stub, 0);
        stub32(&stub, 1187);
        stub32(&stub, 0);
        session_response(&s, 1, &stub);
        stub.size = 0;
        stub_handle(&stub, H);
        session_request(&s, 1, 13, &stub);
        stub.size = 0;
        stub32(&stub, 0);
        stub32(&stub, 1);
        stub32(&stub, 0);
        stub32(&stub, 61);
        stub32(&stub, 0x105);
        session_response(&s, 1, &stub);

        session_bind(&s, 14, 2, rpc_interface_uuid(RPC_NETLOGON));
        stub.size = 0;
        authenticate3(&stub);
        session_request(&s, 2, 26, &stub);
        stub.size = 0;
        stub_zero(&stub, 8);
        stub32(&stub, 0);
        stub32(&stub, 1001);
        stub32(&stub, 0);
        session_response(&s, 2, &stub);
        engine_finish(s.h.engine);

        assert_string_equal(harness_text(harness_find(&s.h, ACTIVITY_EPM_MAP, 0), FIELD_EPM_PORTS),
                            "49155, 49666");
        assert_int_equal(harness_uint(harness_find(&s.h, ACTIVITY_SAMR_CHANGE, 0), FIELD_SAMR_RID), 1187);
        struct harness_record *r = harness_find(&s.h, ACTIVITY_SAMR_QUERY, 0);
        assert_int_equal(harness_uint(r, FIELD_RPC_COUNT), 61);
        assert_int_equal(harness_uint(r, FIELD_STATUS), 0x105);
        r = harness_find(&s.h, ACTIVITY_NETLOGON_AUTHENTICATE, 0);
        assert_int_equal(harness_uint(r, FIELD_SAMR_RID), 1001);
        session_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_read_in_every_form),
        cmocka_unit_test(stubs_cut_at_any_byte_do_no_harm),
        cmocka_unit_test(every_operation_survives_noise),
        cmocka_unit_test(a_handle_is_known_by_what_it_was_opened_for),
        cmocka_unit_test(a_group_is_known_by_its_rid),
        cmocka_unit_test(registry_paths_grow_from_the_hive),
        cmocka_unit_test(answers_tell_ports_counts_and_rids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
