/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node knows of the directory, as people see it.
 */
#include "node/command.h"
#include "tests/unit/drawing.h"

#define FIGURES                                                                                              \
    "\"method\":\"dirsync\",\"controller\":\"dc1.corp.example\",\"reachable\":true,\"objects\":1234,"        \
    "\"passing\":false,\"pass_objects\":1234,\"pass_expected\":1234,\"rate\":0,"                             \
    "\"pass_ended\":\"2026-11-22T06:00:00.000Z\",\"last_increment\":\"2026-11-22T06:59:59.000Z\","           \
    "\"last_change\":\"2026-11-22T06:58:00.000Z\",\"last_reconciled\":null,\"mismatches\":0,\"lag_usn\":3,"  \
    "\"errors\":1,\"last_error\":\"the directory is busy\""
#define SCOPE                                                                                                \
    "\"scope\":[{\"domain\":\"corp.example\",\"synchronizer\":null,\"here\":false,"                          \
    "\"text\":\"corp.example has no synchronizer: only entities seen in traffic are known\"}]"

static void expect(void (*show)(const struct show_style *, const json_t *), const char *answer,
                   const char *const *wanted)
{
    char *out = draw(show, answer, &no_options, plain);
    squeeze(out);
    for (; *wanted; wanted++)
        if (!strstr(out, *wanted))
            fail_msg("\"%s\" is not in:\n%s", *wanted, out);
    free(out);
}

static void replication_here(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "corp.example proactive dc1-s02 1234 dirsync dc1.corp.example 1h00m 1s 2m00s 3 - 1",
        "this node is the synchronizer",
        "known here: 1000 user, 234 group; 17 links, 2 deleted",
        "last error: the directory is busy",
        NULL,
    };
    expect(
        show_sync,
        "{" VIEW
        "\"domains\":[{\"domain\":\"corp.example\",\"mode\":\"proactive\",\"why\":\"this node is the "
        "synchronizer\",\"synchronizer\":\"dc1-s02\",\"here\":{" FIGURES
        ",\"objects_by_kind\":{\"user\":1000,\"group\":234},\"links\":17,\"deleted\":2},\"reported\":null}]}",
        wanted);
}

/* What the synchronizer reported stands for what is not known here; a pass tells when it may be done. */
static void replication_elsewhere(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "corp.example reactive dc1-s01 500 usn dc2 500 now",
        "full pass: 500 of about 1500 objects, 100/s, done in about 10 s",
        NULL,
    };
    expect(show_sync,
           "{" VIEW "\"domains\":[{\"domain\":\"corp.example\",\"mode\":\"reactive\",\"why\":\"w\","
           "\"synchronizer\":\"dc1-s01\",\"here\":{" FIGURES "},\"reported\":{\"method\":\"usn\","
           "\"controller\":\"dc2\",\"objects\":500,\"passing\":true,\"pass_objects\":500,"
           "\"pass_expected\":1500,\"rate\":100}}]}",
           wanted);
}

static void an_entity(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "alice (user)",
        "sensitive domain admins",
        "account_expires never",
        "account alice",
        "service_principal_names http/a, http/b",
        "in group Sales",
        "in group Staff (nested, 2 steps)",
        "manager bob",
        "manages of CN=Gone,DC=corp and many more",
        NULL,
    };
    expect(
        show_entity,
        "{" VIEW SCOPE
        ",\"entities\":[{\"entity\":{\"kind\":\"user\",\"account_expires\":null,\"account\":\"alice\","
        "\"service_principal_names\":[\"http/a\",\"http/b\"]},\"name\":\"alice\",\"domain_controller\":false,"
        "\"sensitive\":[\"domain admins\"],\"groups\":[{\"guid\":\"1\",\"name\":\"Sales\",\"depth\":1},"
        "{\"guid\":\"2\",\"name\":\"Staff\",\"depth\":2}],\"links\":{\"manager\":[{\"guid\":\"3\","
        "\"name\":\"bob\"}]},\"linked_from\":{\"manages\":[{\"guid\":\"4\",\"name\":\"CN=Gone,DC=corp\"}],"
        "\"manages_cut\":true}}]}",
        wanted);
}

static void what_is_not_known_may_exist(void **state)
{
    (void)state;
    static const char *const wanted[] = {"only entities seen in traffic are known", NULL};
    expect(show_entity, "{" VIEW SCOPE ",\"entities\":[]}", wanted);
    expect(show_search, "{" VIEW SCOPE ",\"found\":[],\"cut\":false}", wanted);
    json_t *answer = read_json("{" VIEW SCOPE ",\"entities\":[]}");
    assert_false(show_entity_found(answer));
    json_decref(answer);
}

static void what_is_found(void **state)
{
    (void)state;
    static const char *const wanted[] = {"alice user corp.example CN=alice,DC=corp",
                                         "old (deleted) user corp.example", "there are more", NULL};
    expect(show_search,
           "{" VIEW SCOPE ",\"cut\":true,\"found\":[{\"kind\":\"user\",\"name\":\"alice\",\"domain\":"
           "\"corp.example\",\"dn\":\"CN=alice,DC=corp\",\"guid\":\"1\",\"sid\":\"S-1\",\"deleted\":false},"
           "{\"kind\":\"user\",\"name\":\"old\",\"domain\":\"corp.example\",\"dn\":\"CN=old\",\"deleted\":"
           "true}]}",
           wanted);
}

static void the_spool(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "7 2026-11-22T07:00:00 entities corp.example 3 2 812",
        "7: changed alice",
        "spool: 9 batches, 1 of 512 MiB; acknowledged up to 4; dropped: 0",
        NULL,
    };
    expect(show_spool,
           "{" VIEW "\"batches\":[{\"number\":7,\"time\":\"2026-11-22T07:00:00.000Z\",\"kind\":\"entities\","
           "\"domain\":\"corp.example\",\"term\":3,\"records\":2,\"bytes\":812,\"entities\":[{\"what\":"
           "\"changed\","
           "\"name\":\"alice\"}],\"cut\":true}],\"spool\":{\"entries\":9,\"bytes\":1048576,"
           "\"bytes_max\":536870912,\"acknowledged\":4,\"dropped\":0}}",
           wanted);
}

static void an_answer_of_another_form_does_no_harm(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{}", "{\"domains\":[7],\"entities\":[{}],\"found\":[null],\"batches\":[[]]}",
        "{\"domains\":7,\"entities\":\"x\",\"found\":{},\"batches\":1}"};
    for (unsigned i = 0; i < 3; i++) {
        free(draw(show_sync, answers[i], &no_options, plain));
        free(draw(show_entity, answers[i], &no_options, plain));
        free(draw(show_search, answers[i], &no_options, plain));
        free(draw(show_spool, answers[i], &no_options, plain));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replication_here),
        cmocka_unit_test(replication_elsewhere),
        cmocka_unit_test(an_entity),
        cmocka_unit_test(what_is_not_known_may_exist),
        cmocka_unit_test(what_is_found),
        cmocka_unit_test(the_spool),
        cmocka_unit_test(an_answer_of_another_form_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
