/* SPDX-License-Identifier: Apache-2.0
 *
 * RPC in real captures: what attacks and lawful use look like, and the counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/dcerpc_association.h"
#include "capture/rpc_interfaces.h"
#include "tests/unit/harness.h"
#include "tests/unit/packets.h"

static uint64_t requests(const struct harness *h, enum rpc_interface interface, uint16_t opnum)
{
    for (size_t i = 0; i < RPC_COUNTS; i++) {
        const struct rpc_count *c = &h->counts->rpc[i];
        bool same = interface == RPC_UNKNOWN
                        ? !c->known
                        : c->known && memcmp(c->uuid, rpc_interface_uuid(interface), 16) == 0;
        if (c->used && c->opnum == opnum && same)
            return c->count;
    }
    return 0;
}

static void assert_text(struct harness_record *r, enum activity_field field, const char *text)
{
    assert_non_null(r);
    assert_string_equal(harness_text(r, field), text);
}

static struct harness_record *operation(const struct harness *h, enum activity_kind kind, const char *name)
{
    return harness_find_text(h, kind, FIELD_RPC_OPERATION, name, 0);
}

static void zerologon(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/a36_zerologon.pcap"));
    size_t tries = harness_count(&h, ACTIVITY_NETLOGON_AUTHENTICATE);
    assert_int_equal(tries, requests(&h, RPC_NETLOGON, 26));
    assert_int_equal(harness_count(&h, ACTIVITY_NETLOGON_CHALLENGE), requests(&h, RPC_NETLOGON, 4));
    assert_true(tries > 50);
    for (size_t i = 0; i < tries; i++) {
        struct harness_record *r = harness_find(&h, ACTIVITY_NETLOGON_AUTHENTICATE, i);
        assert_true(harness_bool(r, FIELD_NETLOGON_CREDENTIAL_ZERO));
        assert_text(r, FIELD_NETLOGON_ACCOUNT, "DC1$");
        assert_true(harness_uint(r, FIELD_STATUS) == 0xc0000022);
        assert_true(
            harness_bool(harness_find(&h, ACTIVITY_NETLOGON_CHALLENGE, i), FIELD_NETLOGON_CHALLENGE_ZERO));
    }
    assert_text(harness_find(&h, ACTIVITY_EPM_MAP, 0), FIELD_EPM_INTERFACE, "netlogon");
    assert_int_equal(h.stats->protocol[PROTOCOL_DCERPC].malformed, 0);
    harness_close(&h);
}

static void dcsync(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/a05_dcsync_krbtgt.pcap"));
    struct harness_record *r = harness_find(&h, ACTIVITY_DRS_REPLICATE, 0);
    assert_text(r, FIELD_SEALED, "true");
    assert_text(r, FIELD_ACCOUNT, "Administrator");
    assert_text(r, FIELD_RPC_OPERATION, "DRSGetNCChanges");
    assert_int_equal(requests(&h, RPC_DRSUAPI, 3), 1);
    assert_text(operation(&h, ACTIVITY_SAMR_QUERY, "SamrLookupDomainInSamServer"), FIELD_RPC_NAME, "CORP");
    assert_text(operation(&h, ACTIVITY_SAMR_QUERY, "SamrLookupDomainInSamServer"), FIELD_RPC_PIPE, "samr");
    harness_close(&h);
}

static void account_listing(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/a08_samrdump.pcap"));
    assert_text(operation(&h, ACTIVITY_SAMR_QUERY, "SamrEnumerateUsersInDomain"), FIELD_RPC_COUNT, "61");
    assert_text(operation(&h, ACTIVITY_SAMR_QUERY, "SamrOpenUser"), FIELD_SAMR_RID, "500");
    assert_text(operation(&h, ACTIVITY_SAMR_QUERY, "SamrQueryInformationUser2"), FIELD_SAMR_RID, "500");
    /* 61 users were opened: the first 32 are told of one by one, the others together. */
    struct harness_record *joint = NULL;
    for (size_t i = 0; i < h.size; i++)
        if (harness_uint(h.records[i], FIELD_RPC_OPNUM) == 34 && harness_has(h.records[i], FIELD_RPC_CALLS))
            joint = h.records[i];
    assert_text(joint, FIELD_RPC_CALLS, "29");
    assert_int_equal(requests(&h, RPC_SAMR, 34), 61);
    harness_close(&h);
}

static void remote_service(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/a14_psexec.pcap"));
    struct harness_record *r = operation(&h, ACTIVITY_SERVICE_CONTROL, "RCreateServiceW");
    assert_text(r, FIELD_SERVICE_BINARY, "\\\\DC1\\sysvol\\EbQvSymp.exe");
    assert_text(r, FIELD_RPC_FAULT, "true"); /* Samba has no such call */
    harness_close(&h);
}

static void secure_channel(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/n22_netlogon_schannel.pcap"));
    assert_true(harness_count(&h, ACTIVITY_RPC_BIND) > 0);
    assert_int_equal(h.broken, 0);
    harness_close(&h);
}

/* Captures of ../shared, with one record that each must have. */
static const struct {
    const char *file;
    enum activity_kind kind;
    const char *operation;
    enum activity_field field;
    const char *text;
} shared[] = {
    {"pcap/petitpotam--petitpotam-unpatched.pcapng", ACTIVITY_COERCION, "EfsRpcOpenFileRaw",
     FIELD_COERCION_TARGET, "\\\\192.168.0.15\\test\\Settings.ini"},
    {"pcap/spooler--printnightmare-clear.pcap", ACTIVITY_PRINTER_DRIVER_ADD, "RpcAddPrinterDriverEx",
     FIELD_PRINTER_DRIVER, "1234"},
    {"pcap/spooler--printerbug.pcapng", ACTIVITY_COERCION, "RpcRemoteFindFirstPrinterChangeNotificationEx",
     FIELD_COERCION_TARGET, "\\\\172.16.66.37"},
    {"pcap/tasks--at-jobadd.pcap", ACTIVITY_TASK_CONTROL, "NetrJobAdd", FIELD_TASK_COMMAND,
     "c:\\mimikatz.exe"},
    {"pcap/wmi--wmiexec-impacket.pcapng", ACTIVITY_WMI_CALL, "ExecMethod", FIELD_WMI_STRINGS,
     "cmd.exe /Q /c cd \\ 1> \\\\127.0.0.1\\ADMIN$\\__1493067577.21 2>&1"},
    {"pcap/dpapi-backupkey--dpapi-backupkeys-lsarpc.pcap", ACTIVITY_LSA_SECRET, "LsarRetrievePrivateData",
     FIELD_RPC_NAME, "G$BCKUPKEY_PREFERRED"},
    {"pcap/zerologon--zerologon-mimikatz-2.pcapng", ACTIVITY_NETLOGON_PASSWORD_SET, "NetrServerPasswordSet2",
     FIELD_NETLOGON_PASSWORD_ZERO, "true"},
    {"pcap/psexec--psexec-sysinternals.pcapng", ACTIVITY_SERVICE_CONTROL, "ROpenSCManagerW",
     FIELD_RPC_INTERFACE, "svcctl"},
    {"lab/a40_backupkey.pcap", ACTIVITY_BACKUPKEY_RETRIEVE, "BackuprKey", FIELD_ACCOUNT, "Administrator"},
    {"lab/a44_samr_create_user.pcap", ACTIVITY_SAMR_CHANGE, "SamrCreateUser2InDomain", FIELD_SEALED, "true"},
    {"lab/a54_dcshadow.pcap", ACTIVITY_DRS_REPLICA_ADD, "DRSReplicaAdd", FIELD_RPC_FAULT, "true"},
    {"lab/a10_session_enum.pcap", ACTIVITY_SESSION_ENUMERATE, "NetrSessionEnum", FIELD_RPC_LEVEL, "10"},
    {"lab/a38_printerbug.pcap", ACTIVITY_COERCION, "RpcRemoteFindFirstPrinterChangeNotificationEx",
     FIELD_SEALED, "true"},
    {"lab/n20_dnsserver_rpc.pcap", ACTIVITY_DNSSERVER_MANAGE, "DnssrvUpdateRecord2", FIELD_DNSSERVER_NODE,
     "rec1"},
    {"lab/n23_dc_replication.pcap", ACTIVITY_RPC_CALL, "", FIELD_SEALED, "true"},
};

static void public_captures(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        char path[1000];
        snprintf(path, sizeof path, "%s/%s", PICKET_SHARED_DATA, shared[i].file);
        struct harness h;
        harness_open(&h, NULL);
        if (harness_shared(&h, path)) {
            struct harness_record *r = operation(&h, shared[i].kind, shared[i].operation);
            if (!r)
                fprintf(stderr, "%s\n", shared[i].file);
            assert_text(r, shared[i].field, shared[i].text);
            assert_int_equal(h.broken, 0);
        }
        harness_close(&h);
    }
}

static void datagrams(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    harness_decode(&h, TRANSPORT_UDP, 8000, PROTOCOL_DCERPC);
    if (harness_shared(&h, PICKET_SHARED_DATA "/pcap/dcerpc--dcerpc-udp.pcap")) {
        assert_int_equal(harness_count(&h, ACTIVITY_RPC_CALL), 5);
        assert_text(harness_find(&h, ACTIVITY_RPC_CALL, 0), FIELD_RPC_INTERFACE,
                    "8f8ab437-0c52-4b49-a2ae-33aa20bc561f");
        assert_int_equal(h.counts->dcerpc_pdus[0], 0); /* the connection-oriented ones only */
    }
    harness_close(&h);
}

/* -- a long answer, of which a segment is lost ---------------------------------------------------------- */

static struct frame_bytes frame;

static void put_segment(unsigned flags, uint32_t sequence, const uint8_t *data, size_t size)
{
    frame.size = 0;
    put_ethernet(&frame, 0x0800);
    put_ipv4(&frame, 6, 1, 2, 20 + size, 0, 0, false);
    put_tcp(&frame, 135, 50000, sequence, 1001, flags);
    put(&frame, data, size);
}

static void give_frame(struct harness *h)
{
    struct packet packet = frame_packet(&frame, DLT_EN10MB, INT64_C(1700000000000000000));
    engine_packet(h->engine, &packet);
    packet_free(&packet);
}

/* No segment but the first begins with a fragment; those after the loss are found within them. */
static void fragments_are_found_within_segments(void **state)
{
    (void)state;
    enum { FRAGMENT = 100, FRAGMENTS = 20, SEGMENT = 190 };
    static const uint8_t head[16] = {5, 0, 2, 0, 0x10, 0, 0, 0, FRAGMENT, 0, 0, 0, 7, 0, 0, 0};
    uint8_t stream[FRAGMENT * FRAGMENTS];
    memset(stream, 5, sizeof stream); /* what begins like a fragment, and is none */
    for (size_t i = 0; i < FRAGMENTS; i++)
        memcpy(stream + i * FRAGMENT, head, sizeof head);
    struct harness h;
    harness_open(&h, NULL);
    put_segment(0x12, 1000, NULL, 0);
    give_frame(&h);
    for (size_t at = 0; at < sizeof stream; at += SEGMENT) {
        size_t left = sizeof stream - at;
        put_segment(0x10, (uint32_t)(1001 + at), stream + at, left < SEGMENT ? left : SEGMENT);
        if (at != 2 * SEGMENT)
            give_frame(&h);
    }
    engine_finish(h.engine);
    /* The segment lost is 380 to 570: it has fragment 4 whole, and parts of 3 and 5. */
    assert_int_equal(engine_stats(h.engine)->gaps, 1);
    assert_in_range(h.counts->dcerpc_later_fragments, FRAGMENTS - 3, FRAGMENTS - 1);
    harness_close(&h);
}

/* Where ports say nothing, the type of a PDU says who the server is. */
static void pdus_have_a_direction(void **state)
{
    (void)state;
    const struct protocol *protocol = protocol_get(PROTOCOL_DCERPC);
    for (uint8_t type = 0; type <= PDU_ORPHANED; type++) {
        const uint8_t head[16] = {5, 0, type, 3, 0x10, 0, 0, 0, 16};
        struct bytes start = {head, sizeof head};
        bool up = protocol->detect(start, TRANSPORT_TCP, TO_SERVER, false) == DETECT_YES;
        bool down = protocol->detect(start, TRANSPORT_TCP, TO_CLIENT, false) == DETECT_YES;
        assert_false(up && down);
        assert_int_equal(up, type == PDU_REQUEST || type == PDU_BIND || type == PDU_ALTER_CONTEXT ||
                                 type == PDU_AUTH3 || type == PDU_CO_CANCEL || type == PDU_ORPHANED);
        assert_int_equal(down, type == PDU_RESPONSE || type == PDU_FAULT || type == PDU_BIND_ACK ||
                                   type == PDU_BIND_NAK || type == PDU_ALTER_CONTEXT_RESP ||
                                   type == PDU_SHUTDOWN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zerologon),
        cmocka_unit_test(dcsync),
        cmocka_unit_test(account_listing),
        cmocka_unit_test(remote_service),
        cmocka_unit_test(secure_channel),
        cmocka_unit_test(public_captures),
        cmocka_unit_test(datagrams),
        cmocka_unit_test(fragments_are_found_within_segments),
        cmocka_unit_test(pdus_have_a_direction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
