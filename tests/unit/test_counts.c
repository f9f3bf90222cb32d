/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t drsuapi[16] = {0x35, 0x42, 0x51, 0xe3, 0x06, 0x4b, 0xd1, 0x11,
                                    0xab, 0x04, 0x00, 0xc0, 0x4f, 0xc2, 0xdc, 0xd2};
static const uint8_t nobody[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static char *json_of(const struct message_counts *counts)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    counts_print_json(counts, to);
    fclose(to);
    return text;
}

static struct message_counts *counts_new(void)
{
    struct message_counts *counts = calloc(1, sizeof(*counts));
    assert_non_null(counts);
    return counts;
}

static void nothing_is_an_empty_object(void **state)
{
    (void)state;
    struct message_counts *counts = counts_new();
    char *text = json_of(counts);
    assert_string_equal(text, "{}\n");
    free(text);
    free(counts);
}

/* Something in every group, under the names of the oracle (tshark 4.0). */
static void fill(struct message_counts *c)
{
    c->kerberos_kdc[10] = 1;
    c->kerberos_kdc[14] = 9; /* an AP-REQ is never the KDC's: no key */
    c->kerberos_gss[14] = 2;
    c->kpasswd = 3;
    sparse_add(&c->kerberos_errors, 25);
    sparse_add(&c->kerberos_errors, 6);
    sparse_add(&c->kerberos_errors, 25);
    sparse_add(&c->as_rep_enc_etypes, 18);
    sparse_add(&c->tgs_rep_ticket_etypes, -128);
    c->ntlmssp[3] = 4;
    c->ldap[3] = 5;
    c->ldap[24] = 6;
    c->cldap[5] = 7;
    c->smb1_requests[0xa2] = 8;
    c->smb1_requests[0x36] = 1;
    c->smb1_requests[0x37] = 1;
    c->smb1_responses[0x75] = 9;
    c->smb2_requests[5] = 10;
    sparse_add(&c->smb2_unknown_requests, 19);
    c->smb2_responses[14] = 11;
    sparse_add(&c->smb2_unknown_responses, 65535);
    c->smb2_encrypted_pdus = 12;
    c->dcerpc_pdus[11] = 13;
    c->dcerpc_pdus[10] = 1;
    c->dcerpc_later_fragments = 14;
    counts_rpc_request(c, drsuapi, 3);
    counts_rpc_request(c, nobody, 7);
    counts_rpc_request(c, NULL, 1);
    sparse_add(&c->dns[DNS_UNICAST].queries, 1);
    sparse_add(&c->dns[DNS_UNICAST].queries, 4711);
    c->dns[DNS_UNICAST].responses[3] = 15;
    c->dns[DNS_MDNS].opcodes[0] = 16;
    c->dns[DNS_MDNS].opcodes[7] = 1;
    c->dns[DNS_LLMNR].over[0] = 17;
    c->nbns_requests = 18;
    c->nbns_responses = 19;
    c->radius[4] = 20;
    c->radius[99] = 1;
    c->syslog = 21;
}

static const char *const filled =
    "{\n \"kerberos.kdc.as_req\": 1,\n \"kerberos.gss.ap_req\": 2,\n \"kerberos.kpasswd\": 3,\n"
    " \"kerberos.errors.6\": 1,\n \"kerberos.errors.25\": 2,\n \"kerberos.as_rep_enc_etypes.18\": 1,\n"
    " \"kerberos.tgs_rep_ticket_etypes.-128\": 1,\n \"ntlmssp.authenticate\": 4,\n \"ldap.searchRequest\": "
    "5,\n"
    " \"ldap.extendedResp\": 6,\n \"cldap.searchResDone\": 7,\n \"smb1.requests.NT Create AndX\": 8,\n"
    " \"smb1.requests.Unknown\": 2,\n \"smb1.responses.Tree Connect AndX\": 9,\n \"smb2.requests.create\": "
    "10,\n"
    " \"smb2.requests.cmd_19\": 1,\n \"smb2.responses.query_directory\": 11,\n"
    " \"smb2.responses.cmd_65535\": 1,\n \"smb2.encrypted_pdus\": 12,\n \"dcerpc.pdus.ptype_10\": 1,\n"
    " \"dcerpc.pdus.bind\": 13,\n \"dcerpc.pdus.later_fragments\": 14,\n \"dcerpc.requests.unknown.1\": 1,\n"
    " \"dcerpc.requests.04030201-0605-0807-090a-0b0c0d0e0f10.7\": 1,\n \"dcerpc.requests.drsuapi.3\": 1,\n"
    " \"dns.dns.queries.A\": 1,\n \"dns.dns.queries.4711\": 1,\n \"dns.dns.responses.3\": 15,\n"
    " \"dns.llmnr.over.udp\": 17,\n \"dns.mdns.opcodes.query\": 16,\n \"dns.mdns.opcodes.7\": 1,\n"
    " \"nbns.request\": 18,\n \"nbns.response\": 19,\n \"radius.codes.accounting_request\": 20,\n"
    " \"radius.codes.99\": 1,\n \"syslog.messages\": 21\n}\n";

static void keys_are_those_of_the_oracle(void **state)
{
    (void)state;
    struct message_counts *counts = counts_new();
    fill(counts);
    char *text = json_of(counts);
    assert_string_equal(text, filled);
    free(text);
    free(counts);
}

static void merging_adds_every_counter(void **state)
{
    (void)state;
    struct message_counts *one = counts_new(), *two = counts_new(), *twice = counts_new();
    fill(one);
    fill(two);
    counts_merge(one, two);
    counts_merge(twice, two);
    char *same = json_of(twice);
    assert_string_equal(same, filled);
    counts_merge(twice, two);
    char *a = json_of(one), *b = json_of(twice);
    assert_string_equal(a, b);
    assert_non_null(strstr(a, "\"syslog.messages\": 42"));
    assert_non_null(strstr(a, "\"dcerpc.requests.unknown.1\": 2"));
    assert_non_null(strstr(a, "\"kerberos.errors.25\": 4"));
    free(same);
    free(a);
    free(b);
    free(one);
    free(two);
    free(twice);
}

static void a_full_table_counts_what_it_lost(void **state)
{
    (void)state;
    struct message_counts *counts = counts_new();
    for (int32_t i = 0; i < SPARSE_COUNTS + 5; i++)
        sparse_add(&counts->kerberos_errors, i * 64);
    assert_int_equal(counts->kerberos_errors.lost, 5);
    uint8_t uuid[16] = {0};
    for (unsigned i = 0; i < 3 * RPC_COUNTS; i++) {
        memcpy(uuid, &i, sizeof(i));
        counts_rpc_request(counts, uuid, 0);
    }
    uint64_t kept = 0;
    for (unsigned i = 0; i < RPC_COUNTS; i++)
        kept += counts->rpc[i].count;
    assert_true(kept <= RPC_COUNTS);
    assert_int_equal(kept + counts->rpc_lost, 3 * RPC_COUNTS);
    char *text = json_of(counts);
    assert_non_null(strstr(text, "\"kerberos.errors.lost\": 5"));
    assert_non_null(strstr(text, "\"dcerpc.requests.lost\": "));
    free(text);
    free(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_an_empty_object),
        cmocka_unit_test(keys_are_those_of_the_oracle),
        cmocka_unit_test(merging_adds_every_counter),
        cmocka_unit_test(a_full_table_counts_what_it_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
