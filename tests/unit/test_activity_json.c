/* SPDX-License-Identifier: Apache-2.0
 *
 * Activities of real captures to JSON and back are the same activities.
 */
#include "tests/unit/unit.h"

#include "center/activity_json.h"
#include "center/replay_source.h"

#include <stdio.h>
#include <stdlib.h>

struct trip {
    struct activity activity, again;
    struct activity_writer writer;
    char json[8 * ACTIVITY_BYTES_MAX], json_again[8 * ACTIVITY_BYTES_MAX];
    unsigned activities;
};

static void there_and_back(void *context, struct bytes record)
{
    struct trip *trip = context;
    struct fault fault;
    struct cursor c = cursor_of_bytes(record);
    assert_true(activity_decode(&c, &trip->activity));
    size_t size = activity_to_json(&trip->activity, trip->json, sizeof(trip->json));
    if (!activity_from_json((struct bytes){(const uint8_t *)trip->json, size}, &trip->writer, &fault))
        fail_msg("%s: %s", fault.text, trip->json);
    c = cursor_of_bytes(activity_finish(&trip->writer));
    assert_true(activity_decode(&c, &trip->again));
    activity_to_json(&trip->again, trip->json_again, sizeof(trip->json_again));
    if (!strstr(trip->json, "\"truncated\"")) /* only the writer says that it cut */
        assert_string_equal(trip->json, trip->json_again);
    trip->activities++;
}

static void real_activities_come_back(void **state)
{
    (void)state;
    static const char *const captures[] = {"a05_dcsync_krbtgt.pcap", "a21_golden_rc4.pcap",
                                           "n17_join_computer.pcap", "a30_bloodhound_ldap.pcap",
                                           "a08_samrdump.pcap"};
    static const struct replay_options options;
    struct trip *trip = calloc(1, sizeof(*trip));
    struct fault fault, damage;
    char path[512];
    unsigned read = 0;
    for (unsigned i = 0; i < sizeof(captures) / sizeof(*captures); i++) {
        snprintf(path, sizeof(path), "%s/lab/%s", PICKET_SHARED_DATA, captures[i]);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        fclose(file);
        read++;
        assert_true(replay_file(path, &options, there_and_back, trip, &fault, &damage));
        assert_string_equal(damage.text, "");
    }
    if (read == 0)
        print_message("the shared captures are absent: nothing was read\n");
    else
        assert_int_not_equal(trip->activities, 0);
    free(trip);
    if (read == 0)
        skip();
}

static bool reads(const char *json)
{
    static struct activity_writer writer;
    struct fault fault;
    return activity_from_json((struct bytes){(const uint8_t *)json, strlen(json)}, &writer, &fault);
}

#define HEAD "\"kind\":\"kerberos_as\",\"time\":\"2026-11-22T03:27:13Z\""

static void what_is_none_is_refused(void **state)
{
    (void)state;
    assert_true(reads("{" HEAD "}"));
    assert_true(reads("{" HEAD ",\"not_known\":[1,{}],\"account\":\"bob\"}"));
    assert_true(reads("{\"position\":1,\"activity\":{" HEAD ",\"offered_etypes\":[18,-1]}}"));
    assert_false(reads(""));
    assert_false(reads("[]"));
    assert_false(reads("{}"));
    assert_false(reads("{\"kind\":\"kerberos_as\"}"));
    assert_false(reads("{\"kind\":\"nothing\",\"time\":\"2026-11-22T03:27:13Z\"}"));
    assert_false(reads("{" HEAD ",\"account\":7}"));
    assert_false(reads("{" HEAD ",\"status\":-7}"));
    assert_false(reads("{" HEAD ",\"source\":\"10.0.0\"}"));
    assert_false(reads("{" HEAD ",\"account_guid\":\"zz\"}"));
    assert_false(reads("{" HEAD ",\"account_sid\":\"S-1\"}"));
    assert_false(reads("{" HEAD ",\"offered_etypes\":[\"a\"]}"));
    assert_false(reads("{" HEAD ",\"issued_ticket_fingerprint\":\"-1\"}"));
    assert_false(reads("{" HEAD ",\"issued_ticket_fingerprint\":\"123456789abcdef01\"}"));
    assert_false(reads("{" HEAD ",\"requested_till\":\"yesterday\"}"));
    assert_false(reads("{" HEAD ",\"fast\":1}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_activities_come_back),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
