/* SPDX-License-Identifier: Apache-2.0
 *
 * Detectors of authentication on the captures of a real domain: what is in tests/data; all of the lab's and
 * the public ones where the shared data are. Learning counts as over, so that what was never seen is unusual.
 */
#include "tests/unit/unit.h"

#include "center/pipeline.h"
#include "center/replay_source.h"

#include <stdio.h>
#include <stdlib.h>

#define FOUND_MAX 32u

/* Those that this test is about. */
static const uint32_t ours[] = {2002, 2003, 2004, 2005, 2008, 2009, 2010, 2013, 2014,
                                2017, 2018, 2022, 2023, 2025, 2027, 2032, 2033, 2034,
                                2035, 2037, 2039, 2040, 2410, 2411, 2412, 2419, 2421};

struct run {
    struct workspace_settings settings;
    struct pipeline *pipeline;
    uint64_t position;
    uint32_t found[FOUND_MAX];
    unsigned count;
};

static void keep(void *context, const struct alert *alert)
{
    struct run *run = context;
    bool mine = false;
    for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        mine |= ours[i] == alert->external_id;
    if (!mine || alert->severity < SEVERITY_MEDIUM)
        return;
    for (unsigned i = 0; i < run->count; i++)
        if (run->found[i] == alert->external_id)
            return;
    assert_in_range(run->count, 0, FOUND_MAX - 1);
    run->found[run->count++] = alert->external_id;
}

static void take(void *context, struct bytes record)
{
    static const uint8_t node[16];
    struct run *run = context;
    pipeline_activity(run->pipeline, record, (struct activity_place){++run->position, 0}, INT64_MAX, node);
}

/* False: the file is not there. */
static bool replay(struct run *run, const char *folder, const char *name, bool learned)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *there = fopen(path, "r");
    if (!there)
        return false;
    fclose(there);
    memset(run, 0, sizeof(*run));
    workspace_settings_init(&run->settings);
    run->settings.learned = learned;
    const struct pipeline_config config = {.settings = &run->settings,
                                           .directory = directory_view_none,
                                           .seed = {77},
                                           .shards = 1,
                                           .alert = keep,
                                           .context = run};
    run->pipeline = pipeline_new(&config);
    assert_non_null(run->pipeline);
    static const struct replay_options options;
    struct fault fault, damage;
    if (!replay_file(path, &options, take, run, &fault, &damage))
        fail_msg("%s", fault.text);
    pipeline_destroy(&run->pipeline);
    return true;
}

static bool found(const struct run *run, uint32_t id)
{
    for (unsigned i = 0; i < run->count; i++)
        if (run->found[i] == id)
            return true;
    return false;
}

struct expectation {
    const char *folder, *name;
    uint32_t ids[6]; /* those that must be raised */
};

static const struct expectation attacks[] = {
    {"lab", "a01_kerberoast_impacket.pcap", {2410, 2002}},
    {"lab", "a02_kerberoast_rc4_mit.pcap", {2410}},
    {"lab", "a04_asrep_roast.pcap", {2412, 2002}},
    {"lab", "a19_pass_the_hash.pcap", {2002}},
    {"lab", "a20_overpass_the_hash.pcap", {2008, 2002}},
    {"lab", "a21_golden_rc4.pcap", {2009, 2022, 2032}},
    {"lab", "a22_golden_aes.pcap", {2013, 2022, 2027}},
    {"lab", "a24_brute_kerberos.pcap", {2023}},
    {"lab", "a25_brute_ntlm.pcap", {2023, 2033, 2002}},
    {"lab", "a26_spray_kerberos.pcap", {2023}},
    {"lab", "a28_spray_ldap.pcap", {2004}},
    {"lab", "a29_userenum.pcap", {2003}},
    {"lab", "a36_zerologon.pcap", {2411}},
    {"lab", "a47_ntlmv1.pcap", {2002}},
    {"lab", "a51_nopac_rename.pcap", {2419}},
    {"lab", "a57_lockout.pcap", {2023}},
    {"lab", "a61_ntlm_relay.pcap", {2037}},
    {"pcap", "asrep-roast--asrep-no-preauth-rc4.pcap", {2412}},
    {"pcap", "bruteforce--kerbrute-spray.pcapng", {2003}},
    {"pcap", "bruteforce--ldap-bruteforce-ntlm.pcap", {2023}},
    {"pcap", "overpass-the-hash--overpass-the-hash.pcap", {2008, 2002}},
    {"pcap", "pass-the-ticket--rubeus-asktgt-rc4.pcap", {2008, 2002}},
    {"pcap", "petitpotam--petitpotam-sealed.pcapng", {2037}},
    {"pcap", "skeleton-key--skeleton-key.pcapng", {2010}},
    {"pcap", "zerologon--zerologon-metasploit.pcapng", {2411}},
    {"pcap", "zerologon--netlogon-challenges.pcap", {2411}},
};

static void attacks_are_raised(void **state)
{
    (void)state;
    struct run *run = malloc(sizeof(*run));
    assert_non_null(run);
    unsigned played = 0, missing = 0;
    for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        const struct expectation *e = &attacks[i];
        char shared[1024];
        snprintf(shared, sizeof(shared), PICKET_SHARED_DATA "/%s", e->folder);
        if (!replay(run, PICKET_TEST_DATA, e->name, true) && !replay(run, shared, e->name, true))
            continue;
        played++;
        for (unsigned k = 0; k < 6 && e->ids[k]; k++)
            if (!found(run, e->ids[k])) {
                print_message("%s: %u was not raised\n", e->name, e->ids[k]);
                missing++;
            }
    }
    free(run);
    print_message("%u captures\n", played);
    assert_in_range(played, 5, 100);
    assert_int_equal(missing, 0);
}

static const char *const lawful[] = {
    "n01_kinit",
    "n02_kinit_wrongpw",
    "n03_tgs_services",
    "n04_ldap_gssapi",
    "n06_ldaps",
    "n07_ldap_starttls",
    "n08_smb_kerberos",
    "n09_smb_ntlm",
    "n11_kpasswd",
    "n12_samr_passwd",
    "n13_admin_reset",
    "n15_samba_tool_list",
    "n16_dns",
    "n17_join_computer",
    "n18_group_change",
    "n20_dnsserver_rpc",
    "n21_dirsync_lawful",
    "n22_netlogon_schannel",
    "n23_dc_replication",
    "r01_radius_acct",
};

static const char *const lawful_public[] = {
    "benign--dc-joins-domain.pcapng",
    "benign--mixed-windows.pcapng",
    "benign--share-browsing.pcapng",
    "benign--file-copy.pcapng",
    "kerberos--krb-as-tgs-tcp.pcap",
    "kerberos--krb-legacy-des-rc4.pcap",
    "kerberos--krb-legacy-tcp-rc4.pcap",
    "kerberos--krb-fast-tcp.pcap",
    "kerberos--krb-tso-large-segments.pcapng",
    "kerberos--krb-udp-http.pcap",
    "logon--interactive-logon-chip.pcapng",
    "logon--krb-logon-wrong-password.pcapng",
    "ntlm--ntlm-all-carriers.pcap",
    "smb--smb2-many-sessions.pcapng",
};

static unsigned disturbed(struct run *run, const char *folder, const char *name, bool learned)
{
    if (!replay(run, PICKET_TEST_DATA, name, learned) && !replay(run, folder, name, learned))
        return 0;
    for (unsigned i = 0; i < run->count; i++)
        print_message("%s%s: %u\n", name, learned ? "" : " (learning)", run->found[i]);
    return run->count;
}

static void what_is_lawful_is_not(void **state)
{
    (void)state;
    struct run *run = malloc(sizeof(*run));
    assert_non_null(run);
    unsigned raised = 0;
    for (unsigned learned = 0; learned < 2; learned++) {
        for (unsigned i = 0; i < sizeof(lawful) / sizeof(lawful[0]); i++) {
            char name[64];
            snprintf(name, sizeof(name), "%s.pcap", lawful[i]);
            raised += disturbed(run, PICKET_SHARED_DATA "/lab", name, learned);
        }
        for (unsigned i = 0; i < sizeof(lawful_public) / sizeof(lawful_public[0]); i++)
            raised += disturbed(run, PICKET_SHARED_DATA "/pcap", lawful_public[i], learned);
    }
    free(run);
    assert_int_equal(raised, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attacks_are_raised),
        cmocka_unit_test(what_is_lawful_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
