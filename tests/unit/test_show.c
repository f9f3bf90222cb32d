/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of the control socket as people see them.
 */
#include "node/command.h"
#include "tests/unit/drawing.h"

#include <stdlib.h>

#define MEMBERS                                                                                              \
    "{" VIEW "\"members\":["                                                                                 \
    "{\"name\":\"dc1-s02\",\"site\":\"hq\",\"mode\":\"standalone\",\"state\":\"online\",\"self\":true,"      \
    "\"since\":\"2026-11-20T03:00:00.000Z\",\"silent_ms\":0,\"incarnation\":2,\"rtt_ms\":null,"              \
    "\"version\":\"0.1.0\",\"candidate_for\":[\"corp.example\"],\"candidate_off\":[],\"holds\":[],"          \
    "\"domain_controllers\":[],\"endpoints\":[\"10.0.0.6:49200\"],\"key_generation\":1,\"id\":\"02\"},"      \
    "{\"name\":\"br7-s01\",\"site\":\"br7\",\"mode\":\"sensor\",\"state\":\"offline\",\"self\":false,"       \
    "\"since\":\"2026-11-22T06:47:56.000Z\",\"silent_ms\":724000,\"incarnation\":7,\"rtt_ms\":null,"         \
    "\"version\":\"0.1.0\",\"candidate_for\":[],\"candidate_off\":[],\"holds\":[],"                          \
    "\"domain_controllers\":[\"dc7.corp.example\"],\"endpoints\":[],\"key_generation\":0,\"id\":\"07\"},"    \
    "{\"name\":\"dc1-s01\",\"site\":\"hq\",\"mode\":\"standalone\",\"state\":\"online\",\"self\":false,"     \
    "\"since\":\"2026-11-22T01:53:00.000Z\",\"silent_ms\":3100,\"incarnation\":4,\"rtt_ms\":0.61,"           \
    "\"version\":\"0.1.0\",\"candidate_for\":[\"corp.example\",\"eu.corp.example\"],\"candidate_off\":[],"   \
    "\"holds\":[\"corp.example\"],\"domain_controllers\":[],\"endpoints\":[],\"key_generation\":0,"          \
    "\"id\":\"01\"}]}"

#define DOMAINS                                                                                              \
    "\"domains\":["                                                                                          \
    "{\"domain\":\"eu.corp.example\",\"state\":\"silent\",\"holder\":\"DC-HQ-2\",\"term\":9,"                \
    "\"since\":\"2026-11-22T01:00:00.000Z\",\"cause_text\":\"none was ever known\",\"candidates\":3,"        \
    "\"candidates_online\":2,\"mode_here\":\"reactive\",\"election\":\"follower\","                          \
    "\"next\":\"DC-HQ-2 silent for 22 min; replaced in 8 min unless heard\"},"                               \
    "{\"domain\":\"corp.example\",\"state\":\"held\",\"holder\":\"dc1-s01\",\"term\":3,"                     \
    "\"since\":\"2026-11-20T03:00:00.000Z\",\"cause_text\":null,\"candidates\":2,\"candidates_online\":2,"   \
    "\"mode_here\":\"proactive\",\"election\":\"follower\",\"next\":\"dc1-s01 replicates it\"}]"

#define STATUS                                                                                               \
    "{" VIEW "\"members\":{\"all\":3,\"online\":2,\"late\":0,\"offline\":1,\"unheard\":0,\"left\":0,"        \
    "\"revoked\":0,\"sensors\":1,\"standalone\":2},\"problems\":["                                           \
    "{\"severity\":\"warning\",\"subject\":\"eu.corp.example\",\"text\":\"DC-HQ-2 silent for 22 min\"}],"    \
    "\"delivery\":{\"state\":\"waiting\",\"server\":\"tcp://c:1\",\"fault\":\"denied: it is revoked\","      \
    "\"acknowledged\":1,\"spool_last\":3,\"spool_percent\":2,\"dropped\":0},"                                \
    "\"capture\":null,\"inputs\":[{\"input\":\"syslog\",\"running\":false,\"received\":9,\"understood\":5,"  \
    "\"invalid\":1,\"dropped\":2}]," DOMAINS "}"

static void members_are_sorted_and_counted(void **state)
{
    (void)state;
    char *out = draw(show_members, MEMBERS, &no_options, plain);
    squeeze(out);
    assert_string_equal(
        out, "NAME MODE SITE STATE SINCE LAST HEARD INC RTT VERSION CANDIDATE FOR DOMAIN CONTROLLERS\n"
             "br7-s01 sensor br7 offline 12m04s 12m04s 7 - 0.1.0 - dc7.corp.example\n"
             "dc1-s01 standalone hq online 5h07m 3s 4 0.6ms 0.1.0 corp.example*,eu.corp.example -\n"
             "dc1-s02 (here) standalone hq online 2d04h 0s 2 - 0.1.0 corp.example -\n"
             "3 members: 2 online, 1 offline; view of dc1-s02, 2 neighbours, last agreed with one 2s ago\n");
    free(out);
}

static void filters_drop_rows(void **state)
{
    (void)state;
    static const struct {
        struct show_options options;
        const char *present, *absent;
    } cases[] = {
        {{.site = "HQ"}, "dc1-s01", "br7"},
        {{.state = "offline"}, "br7-s01", "dc1-s01"},
        {{.mode = "standalone"}, "dc1-s02", "br7"},
        {{.domain = "eu.corp.example"}, "dc1-s01", "dc1-s02 (here)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *out = draw(show_members, MEMBERS, &cases[i].options, plain);
        assert_non_null(strstr(out, cases[i].present));
        assert_null(strstr(out, cases[i].absent));
        free(out);
    }
}

static void no_header_gives_rows_alone(void **state)
{
    (void)state;
    char *out = draw(show_members, MEMBERS, &no_options, (struct show_style){.wide = true});
    squeeze(out);
    assert_true(strncmp(out, "br7-s01 ", 8) == 0);
    assert_null(strstr(out, "view of"));
    assert_non_null(strstr(out, "10.0.0.6:49200 1 02\n"));
    free(out);
}

static void status_tells_problems_first(void **state)
{
    (void)state;
    char *out = draw(show_status, STATUS, &no_options, plain);
    squeeze(out);
    assert_string_equal(out,
                        "fleet corp seen by dc1-s02 (hq) at 2026-11-22T07:00:00.000Z\n"
                        "! eu.corp.example: DC-HQ-2 silent for 22 min\n"
                        "\n"
                        "members: 2 online, 1 offline (1 on domain controllers, 2 standalone)\n"
                        "delivery here: waiting to tcp://c:1; 1 of 3 batches acknowledged, spool 2 % full; "
                        "dropped: 0 activities\n"
                        "! denied: it is revoked\n"
                        "syslog here: 9 received, 5 understood, 1 not, 2 dropped; does not run\n"
                        "\n"
                        "DOMAIN STATE SYNCHRONIZER TERM SINCE CANDIDATES MODE HERE CAUSE NEXT\n"
                        "corp.example held dc1-s01 3 2d04h 2/2 proactive - dc1-s01 replicates it\n"
                        "eu.corp.example silent DC-HQ-2 9 6h00m 2/3 reactive none was ever known "
                        "DC-HQ-2 silent for 22 min; replaced in 8 min unless heard\n"
                        "view of dc1-s02, 2 neighbours, last agreed with one 2s ago\n");
    free(out);
    json_t *answer = read_json(STATUS);
    assert_true(show_degraded(answer));
    json_array_clear(json_object_get(answer, "problems"));
    assert_false(show_degraded(answer));
    json_decref(answer);
}

static void colour_only_where_wanted(void **state)
{
    (void)state;
    struct show_style style = plain;
    char *out = draw(show_status, STATUS, &no_options, style);
    assert_null(strchr(out, '\033'));
    free(out);
    style.colour = style.terminal = true;
    style.width = 100;
    out = draw(show_status, STATUS, &no_options, style);
    assert_non_null(strstr(out, "\033[33m"));
    free(out);
}

static void a_terminal_is_not_steered(void **state)
{
    (void)state;
    static const char hostile[] = "{\"members\":[{\"name\":\"a\\u001b[2Jb\",\"state\":\"online\"}],"
                                  "\"view\":{\"name\":\"x\\u009b31m\",\"neighbours\":0}}";
    char *out = draw(show_members, hostile, &no_options, plain);
    assert_null(strchr(out, '\033'));
    assert_null(strstr(out, "\xc2\x9b"));
    assert_non_null(strstr(out, "which has no neighbour"));
    free(out);
}

static void why_gives_reasons(void **state)
{
    (void)state;
    char *out =
        draw(show_why,
             "{" VIEW "\"why\":{\"domain\":\"corp.example\",\"state\":\"silent\",\"election\":\"follower\","
             "\"next\":\"replaced in 8 min\",\"reasons\":[\"this node is a candidate\",\"two vetoes\"]}}",
             &no_options, plain);
    assert_string_equal(out, "corp.example: silent, here: follower\nnext: replaced in 8 min\n"
                             "  - this node is a candidate\n  - two vetoes\n"
                             "view of dc1-s02, 2 neighbours, last agreed with one 2s ago\n");
    free(out);
}

static void peers_and_counters(void **state)
{
    (void)state;
    char *out = draw(show_peers,
                     "{" VIEW "\"peers\":[{\"name\":\"dc1-s01\",\"direction\":\"out\",\"neighbour\":true,"
                     "\"other_site\":true,\"since\":\"2026-11-22T06:59:00.000Z\",\"heard_ms\":900,"
                     "\"rtt_ms\":1.25,\"messages_in\":5,\"messages_out\":6,\"bytes_in\":700,"
                     "\"bytes_out\":800,\"malformed\":1}],\"counters\":{\"records_refused\":2},\"transport\":"
                     "{\"full\":4,\"zap_refused\":1}}",
                     &no_options, plain);
    squeeze(out);
    assert_non_null(strstr(out, "dc1-s01 out neighbour other 1m00s 0s 1.2ms 5 6 700 800 1\n"));
    assert_non_null(
        strstr(out, "not sent to slow peers: 4; handshakes failed: 0, keys refused: 1; refused: 2 records,"));
    free(out);
}

static void reach_tells_by_whom(void **state)
{
    (void)state;
    char *out =
        draw(show_reach,
             "{" VIEW "\"members\":["
             "{\"name\":\"a\",\"site\":\"hq\",\"state\":\"online\",\"by\":\"link\",\"silent_ms\":1000,"
             "\"rtt_ms\":1.0,\"endpoints\":[\"h:1\",\"i:2\"],\"dialled\":[\"open\",\"no answer\"]},"
             "{\"name\":\"b\",\"site\":\"hq\",\"state\":\"offline\",\"by\":\"none\",\"silent_ms\":61000,"
             "\"rtt_ms\":null,\"endpoints\":[]},"
             "{\"name\":\"c\",\"site\":\"hq\",\"state\":\"left\",\"by\":\"gone\",\"silent_ms\":null,"
             "\"rtt_ms\":null,\"endpoints\":[]}],"
             "\"directories\":[{\"domain\":\"corp.example\",\"address\":\"10.0.0.1:389\","
             "\"reachable\":false,\"tried\":\"2026-11-22T06:59:55.000Z\",\"reason\":\"refused\"}]}",
             &no_options, plain);
    squeeze(out);
    assert_non_null(strstr(out, "a hq online link 1s 1.0ms h:1 open, i:2 no answer\n"));
    assert_non_null(strstr(out, "b hq offline none 1m01s - - (it dials)\n"));
    assert_non_null(strstr(out, "corp.example 10.0.0.1:389 refused 5s\n"));
    assert_non_null(strstr(out, "1 of 2 members heard; "));
    free(out);
}

static void history_is_a_table_and_events_are_lines(void **state)
{
    (void)state;
#define EVENT                                                                                                \
    "{\"time\":\"2026-11-22T03:27:13.250Z\",\"event\":\"holder\",\"text\":\"corp.example: a in term 3\"}"
    char *out = draw(show_history, "{" VIEW "\"history\":[" EVENT "]}", &no_options, plain);
    squeeze(out);
    assert_string_equal(out, "TIME (UTC) EVENT WHAT\n2026-11-22 03:27:13 holder corp.example: a in term 3\n");
    free(out);
    out = draw(show_event, EVENT, &no_options, plain);
    assert_string_equal(out, "2026-11-22 03:27:13  corp.example: a in term 3\n");
    free(out);
}

static void an_answer_of_another_form_does_no_harm(void **state)
{
    (void)state;
    static void (*const all[])(const struct show_style *, const json_t *) = {
        show_status, show_members, show_synchronizer, show_why,   show_peers,
        show_reach,  show_history, show_event,        show_quota, show_health,
    };
    static const char *const odd[] = {
        "{}",
        "{\"members\":5,\"domains\":{},\"problems\":\"x\",\"peers\":[1],\"history\":[null],\"why\":[]}",
        "{\"members\":[{\"by\":7,\"candidate_for\":[1,null],\"holds\":[[]],\"endpoints\":[{}]}],\"view\":1}",
        "{\"domains\":[{\"term\":\"x\",\"since\":\"yesterday\"}],\"directories\":[{}]}",
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        for (size_t j = 0; j < sizeof(all) / sizeof(all[0]); j++)
            free(draw(all[j], odd[i], &(struct show_options){.domain = "d", .site = "s"}, plain));
}

static int parse(struct show_options *options, unsigned understood, int low, int high, const char *words)
{
    static char copy[256];
    char *argv[16];
    int argc = 0;
    snprintf(copy, sizeof(copy), "%s", words);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    return show_parse(options, understood, low, high, argc, argv);
}

static void options_are_read(void **state)
{
    (void)state;
    struct show_options options;
    assert_int_equal(parse(&options, SHOW_FILTERS | SHOW_HEADER, 0, 0,
                           "members --json --site hq --no-header --timeout 3 --socket /x --mode sensor"),
                     EXIT_FINE);
    assert_true(options.json && options.no_header);
    assert_string_equal(options.site, "hq");
    assert_string_equal(options.control.socket, "/x");
    assert_int_equal(options.control.timeout, 3000);
    assert_int_equal(parse(&options, 0, 1, 1, "why corp.example"), EXIT_FINE);
    assert_string_equal(options.arguments[0], "corp.example");
    static const char *const wrong[] = {
        "why",
        "why a b",
        "why --site x d",
        "members --timeout 0 x",
        "members --timeout x x",
        "members --mode y x",
        "members --limit 0 x",
        "members --nonsense x",
        "members --every 1h x",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(parse(&options, i < 3 ? 0 : ~0u, 1, 1, wrong[i]), EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_sorted_and_counted),
        cmocka_unit_test(filters_drop_rows),
        cmocka_unit_test(no_header_gives_rows_alone),
        cmocka_unit_test(status_tells_problems_first),
        cmocka_unit_test(colour_only_where_wanted),
        cmocka_unit_test(a_terminal_is_not_steered),
        cmocka_unit_test(why_gives_reasons),
        cmocka_unit_test(peers_and_counters),
        cmocka_unit_test(reach_tells_by_whom),
        cmocka_unit_test(history_is_a_table_and_events_are_lines),
        cmocka_unit_test(an_answer_of_another_form_does_no_harm),
        cmocka_unit_test(options_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
