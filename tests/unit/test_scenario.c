/* SPDX-License-Identifier: Apache-2.0
 *
 * Scenario files: what is written reads back as the same, short forms mean what they say, and what is wrong
 * is told with its place and what was expected.
 */
#include "unit.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim/scenario_words.h"

static struct scenario *parse(const char *text)
{
    char error[SCENARIO_ERROR_SIZE];
    struct scenario *scenario = scenario_parse("t.sim", text, strlen(text), error);
    if (!scenario)
        fail_msg("%s", error);
    return scenario;
}

/* The whole as text; the caller frees it. */
static char *written(const struct scenario *scenario)
{
    struct text measure = text_to(NULL, 0);
    scenario_write(scenario, &measure);
    char *form = malloc(measure.length + 1);
    struct text t = text_to(form, measure.length + 1);
    scenario_write(scenario, &t);
    text_end(&t);
    return form;
}

/* What a line becomes when it is written; behind two domains, 40 nodes, 4 sites. */
static void becomes(const char *line, const char *expected)
{
    char text[1024];
    snprintf(text, sizeof text, "nodes 40\nsites 4\ndomains 2\nhours 100\n%s\n", line);
    struct scenario *scenario = parse(text);
    char *form = written(scenario);
    const char *faults = strstr(form, "\n\n");
    assert_non_null(faults);
    char wanted[2048];
    snprintf(wanted, sizeof wanted, "%s\n", expected);
    assert_string_equal(faults + 2, wanted);
    struct scenario *again = parse(form);
    char *second = written(again);
    assert_string_equal(form, second);
    free(second);
    free(form);
    scenario_destroy(&again);
    scenario_destroy(&scenario);
}

static void same(const char *line)
{
    becomes(line, line);
}

static void faults_keep_their_form(void **state)
{
    (void)state;
    same("at 0s crash n01");
    same("at 1:00:00 crash n01,n03..n05 for 10:00");
    same("at 250ms crash n01 before-persist");
    same("at 12s crash n40 before-send disk lost for 1:00");
    same("at 1:00.250 crash n01 disk old");
    same("at 1:00 crash n01 disk old 1:00:00 for 30s");
    same("at 1:00 restart s4");
    same("at 1:00 lose-disk holder:emea");
    same("at 1:00 roll-back n02 by 2:00:00");
    same("at 1:00 roll-back n02");
    same("at 1:00 pause candidates:corp for 40:00");
    same("at 1:00 suspend n02 for 40:00");
    same("at 1:00 freeze n02");
    same("at 1:00 cut s1");
    same("at 1:00 cut s1 from s2 one-way for 1:00:00");
    same("at 1:00 heal");
    same("at 1:00 degrade all delay 2s..2s loss 30% twice 5% for 1:00:00");
    same("at 1:00 degrade n01 with n02 delay 10ms..30ms loss 0.0125% twice 0% reorder one-way");
    same("at 1:00 clog all for 30s");
    same("at 1:00 skew n01 wall +3:00:00");
    same("at 1:00 skew n01 boot -10s for 1:00");
    same("at 1:00 skew n01 mono +250ms");
    same("at 1:00 skew n01 rate -1%");
    same("at 1:00 skew n01 rate +0.5%");
    same("at 1:00 directory n01 emea down for 5:00");
    same("at 1:00 directory n01 corp up");
    same("at 1:00 candidate n01 corp off");
    same("at 1:00 candidate n01 corp on");
    same("at 1:00 leave n01 for 1:00:00");
    same("at 1:00 yield corp at n07");
    same("at 1:00 pin n07 emea on");
    same("at 1:00 pin n07 emea off");
    same("at 1:00 revoke n07");
    same("at 1:00 revoke n07 at n01");
    same("at 1:00 hostile n07 forge on for 1:00:00");
    same("at 1:00 hostile n07 malformed off");
    same("at 1:00 join n39..n40");
    same("at 1:00 upgrade nobody");
    same("at 1:00 disk-full n07 on for 1:00");
}

static void expectations_keep_their_form(void **state)
{
    (void)state;
    same("expect holder corp is n03");
    same("at 2:00:00 expect holder emea is not s1");
    same("expect holder corp stays");
    same("during 1:00:00..2:00:00 expect holder corp stays");
    same("expect holder corp changes in 30:00..31:00 after 1:00:00");
    same("expect holders corp <= 1");
    same("expect holders corp = 1 among s1");
    same("within 1:00:00..1:31:00 expect fresh corp >= 99.5%");
    same("expect term corp = 2");
    same("expect elections corp != 2");
    same("expect bids corp <= 3");
    same("expect unassigned corp = 0");
    same("during 0s..1:00:00 expect members offline = 0");
    same("expect members online = 40 among n01..n05");
    same("expect converged");
    same("expect converged among s2");
    same("expect converged >= 99%");
    same("expect incarnation <= 4");
    same("expect counter malformed = 0");
    same("expect counter tilts >= 1 among n04");
    same("expect never offline");
    same("expect never offline of n03 among s1");
    same("expect notices clone >= 1");
    same("expect traffic <= 5000");
}

static void short_forms(void **state)
{
    (void)state;
    becomes("at 90s crash n1", "at 1:30 crash n01");
    becomes("at 45m crash n5,n4,n3", "at 45:00 crash n03..n05");
    becomes("at 2h crash holder", "at 2:00:00 crash holder:corp");
    becomes("at 1d crash candidates   # all of them", "at 24:00:00 crash candidates:corp");
    becomes("at 1.5h\tcrash n01\r", "at 1:30:00 crash n01");
    becomes("at 1:00 yield corp", "at 1:00 yield corp at holder:corp");
    becomes("at 1:00 hostile n07 flood", "at 1:00 hostile n07 flood on");
    becomes("at 1:00 pin n07 corp", "at 1:00 pin n07 corp on");
    becomes("at 1:00 cut n01 from rest", "at 1:00 cut n01");
    becomes("at 1:00 cut n01 for 1:00 one-way", "at 1:00 cut n01 one-way for 1:00");
    becomes("expect no-holder corp", "expect holders corp = 0");
    becomes("expect notices offline = 0", "expect never offline");
    becomes("expect converged = 100%", "expect converged");
    becomes("every 10:00 from 1:00:00 to 1:20:00 cut n01 for 1:00",
            "at 1:00:00 cut n01 for 1:00\nat 1:10:00 cut n01 for 1:00\nat 1:20:00 cut n01 for 1:00");
    becomes("each 30s from 1:00:00 upgrade n01,n03..n04",
            "at 1:00:00 upgrade n01\nat 1:00:30 upgrade n03\nat 1:01:00 upgrade n04");
    becomes("at 2:00 crash n01\nat 1:00 crash n02\nat 2:00 crash n03",
            "at 1:00 crash n02\nat 2:00 crash n01\nat 2:00 crash n03");
}

static void each_goes_over_sites(void **state)
{
    (void)state;
    struct scenario *scenario =
        parse("nodes 8\nsites 2\neach 1s from 1:00 restart s2\neach 1s from 2:00 crash all\n");
    assert_int_equal(scenario->plan.fault_count, 4 + 8);
    assert_int_equal(scenario->plan.faults[0].nodes.range[0].first, 4);
    assert_int_equal(scenario->plan.faults[3].nodes.range[0].last, 7);
    assert_int_equal(scenario->plan.faults[11].at, 127000);
    scenario_destroy(&scenario);
}

static void settings(void **state)
{
    (void)state;
    static const char all[] = "title A fleet of two wire versions\n"
                              "nodes 12\nsites 3\ndomains 2\ncandidates 5\ncandidates emea n01..n02,n09\n"
                              "absent 2\nseed 18446744073709551615\nstart-spread 1:00\nreplace-after 5:00\n"
                              "min-observers 3\n"
                              "link inside delay 1ms..2ms loss 0% twice 0%\n"
                              "link between delay 20ms..80ms loss 10% twice 0.1% reorder\n"
                              "drift 0.005%\nheartbeats candidates\ncrypto libsodium\ninvariants off\n"
                              "batches 1:00\nreceivers 3\nliveness 40:00\nlength 24:00:00\n\n";
    struct scenario *scenario = parse(all);
    const struct sim_options *options = &scenario->plan.options;
    assert_string_equal(scenario->title, "A fleet of two wire versions");
    assert_int_equal(options->nodes, 12);
    assert_int_equal(options->candidates_of[1].count, 2);
    assert_true(options->seed == UINT64_MAX);
    assert_int_equal(options->between.latency, 20);
    assert_int_equal(options->between.jitter, 60);
    assert_int_equal(options->between.loss, 100000);
    assert_int_equal(options->drift, 50);
    assert_true(options->sensors_silent && options->real_crypto && options->unchecked);
    assert_int_equal(scenario->plan.until, 24 * SIM_HOUR);
    char *form = written(scenario);
    assert_string_equal(form, all);
    free(form);
    scenario_destroy(&scenario);

    scenario = parse("hours 3 # of virtual time\nheartbeats all\ncrypto hashes\ninvariants on\n");
    assert_int_equal(scenario->plan.until, 3 * SIM_HOUR);
    assert_false(scenario->plan.options.real_crypto);
    scenario_destroy(&scenario);
}

/* The file of one wrong line, and what is said about it. */
static void refuses(const char *text, const char *expected)
{
    char error[SCENARIO_ERROR_SIZE];
    struct scenario *scenario = scenario_parse("t.sim", text, strlen(text), error);
    assert_null(scenario);
    assert_string_equal(error, expected);
}

static void errors_tell_place_and_expectation(void **state)
{
    (void)state;
    refuses("# first\n\nnodse 5\n",
            "t.sim:3: \"nodse\": expected a setting (nodes, sites, ...), at, every, each, "
            "during, within or expect");
    refuses("nodes", "t.sim:1: expected a number of nodes (1 to 20000)");
    refuses("nodes 0", "t.sim:1: \"0\": expected a number of nodes (1 to 20000)");
    refuses("nodes 99999999999999999999",
            "t.sim:1: \"99999999999999999999\": expected a number of nodes (1 to 20000)");
    refuses("domains 19", "t.sim:1: \"19\": expected a number of domains (1 to 8)");
    refuses("nodes 5 6", "t.sim:1: \"6\": expected the end of the line");
    refuses("at 1:00 explode n01",
            "t.sim:1: \"explode\": expected a verb (crash, restart, pause, cut, heal, degrade, "
            "skew, ..., expect)");
    refuses("at soon crash n01", "t.sim:1: \"soon\": expected a time (30:00, 1:02:03, 90s)");
    refuses("at 1:60 crash n01", "t.sim:1: \"1:60\": expected a time (30:00, 1:02:03, 90s)");
    refuses("at 9999d crash n01", "t.sim:1: \"9999d\": expected a time (30:00, 1:02:03, 90s)");
    refuses("at 5 crash n01", "t.sim:1: \"5\": expected a time (30:00, 1:02:03, 90s)");
    const char *nodes = "expected nodes (n03, n01..n05,n07, s2, all, rest, holder:DOMAIN, candidates:DOMAIN)";
    static const char *const bad_sets[] = {"n0",          "n5..n3", "n1,",  "n1,x", "s0",
                                           "holder:none", "nn",     "n1..", "sx"};
    for (size_t i = 0; i < sizeof bad_sets / sizeof bad_sets[0]; i++) {
        char text[64], error[256];
        snprintf(text, sizeof text, "at 1:00 crash %s", bad_sets[i]);
        snprintf(error, sizeof error, "t.sim:1: \"%s\": %s", bad_sets[i], nodes);
        refuses(text, error);
    }
    refuses("at 1:00 crash n01 for 0s", "t.sim:1: expected a time above zero");
    refuses("at 1:00 crash n01 often", "t.sim:1: \"often\": expected the end of the line");
    refuses("at 1:00 crash n01 disk new", "t.sim:1: \"new\": expected lost or old");
    refuses("at 1:00 degrade n01 loss 101%", "t.sim:1: \"101%\": expected a share (30%)");
    refuses("at 1:00 degrade n01 delay 5s..1s", "t.sim:1: \"5s..1s\": expected a span of times (10ms..30ms)");
    refuses("at 1:00 skew n01 wall 5s",
            "t.sim:1: \"5s\": expected wall, boot or mono with +TIME or -TIME, or rate "
            "with +SHARE or -SHARE");
    refuses("at 1:00 skew n01 moon +5s",
            "t.sim:1: \"moon\": expected wall, boot or mono with +TIME or -TIME, or rate "
            "with +SHARE or -SHARE");
    refuses("at 1:00 hostile n01 rude",
            "t.sim:1: \"rude\": expected forge, replay, flood, lie, terms or malformed");
    refuses("at 1:00 directory n01 nowhere down",
            "t.sim:1: \"nowhere\": expected a domain (corp, emea, apac, latam, "
            "lab, dmz, plant, retail)");
    refuses("every 10ms from 1:00 to 2:00 crash n01",
            "t.sim:1: expected a period of a second or more, and a span "
            "that does not end before it starts");
    refuses("every 1s from 0s to 3h crash n01", "t.sim:1: expected no more than 4096 faults in all");
    refuses("each 1s from 1:00 crash holder",
            "t.sim:1: expected nodes that are known beforehand (n01..n05, s2, all)");
    refuses("expect holder corp",
            "t.sim:1: expected is NODES, is not NODES, stays, or changes in A..B after TIME");
    refuses("at 1:00 expect holder corp stays", "t.sim:1: expected during A..B before it");
    refuses("at 1:00 expect holder corp changes in 1s..2s after 1s",
            "t.sim:1: \"in\": expected no time before expect: what changes is told by in A..B after TIME");
    refuses("during 5s..6s expect converged",
            "t.sim:1: \"expect\": expected a span of at least two seconds before it");
    refuses("expect members lost = 3", "t.sim:1: \"lost\": expected online or offline");
    refuses("expect luck",
            "t.sim:1: \"luck\": expected holder, no-holder, holders, term, elections, bids, fresh, "
            "unassigned, members, converged, incarnation, counter, notices, never or traffic");
    refuses("expect counter wishes = 0", "t.sim:1: \"wishes\": expected a counter of cluster.h (malformed, "
                                         "refutations, ...)");
    refuses("expect never late",
            "t.sim:1: \"late\": expected a kind of notice (offline, online, joined, left, "
            "revoked, clone, hostile, tilt, ...)");
    refuses("expect term corp > 2", "t.sim:1: \">\": expected =, !=, <= or >=");
    refuses("link outside", "t.sim:1: \"outside\": expected inside or between");
    refuses("heartbeats none", "t.sim:1: \"none\": expected all or candidates");
    refuses("candidates corp s1", "t.sim:1: expected nodes (n01,n04..n06)");
    refuses("title \x1b[2J", "t.sim:1: expected text without control characters");
    refuses("title \xff", "t.sim:1: expected UTF-8");
    refuses("replace-after 1s", "t.sim:1: expected a time of at least 10s");
}

static void names_must_be_there(void **state)
{
    (void)state;
    refuses("nodes 5\nat 1:00 crash n06\n", "t.sim: at 1:00 crash n06: names a node that there is not");
    refuses("at 1:00 crash s2\n", "t.sim: at 1:00 crash s2: names a site that there is not");
    refuses("at 1:00 crash holder:emea\n",
            "t.sim: at 1:00 crash holder:emea: names a domain that there is not");
    refuses("at 1:00 pin n01 emea\n", "t.sim: at 1:00 pin n01 emea on: names a domain that there is not");
    refuses("nodes 3\nat 1:00 cut n01 from n09\n",
            "t.sim: at 1:00 cut n01 from n09: names a node that there is not");
    refuses("hours 1\nat 2:00:00 heal\n", "t.sim: at 2:00:00 heal: comes after the end of the run");
    refuses("hours 1\nat 2:00:00 expect converged\n",
            "t.sim: at 2:00:00 expect converged: comes after the end of the run");
    refuses("expect holder emea stays\n",
            "t.sim: expect holder emea stays: names a domain that there is not");
    refuses("nodes 3\nexpect holder corp is n04\n",
            "t.sim: expect holder corp is n04: names a node that there is not");
    refuses("nodes 3\nexpect never offline of n04\n",
            "t.sim: expect never offline of n04: names a node that there is not");
    refuses("nodes 3\nexpect converged among n04\n",
            "t.sim: expect converged among n04: names a node that there is not");
    refuses("nodes 3\nsites 4\n", "t.sim: more sites than nodes");
    refuses("nodes 3\ncandidates 4\n", "t.sim: more candidates than nodes");
    refuses("nodes 3\ncandidates 1\nabsent 3\n",
            "t.sim: nobody is there at the start: absent must be less than nodes");
    refuses("nodes 3\ncandidates 1\ncandidates corp n04\n",
            "t.sim: the candidates of a domain: a node that there is not");
    refuses("candidates emea n01\n", "t.sim: candidates of a domain that there is not");
}

static void bounds(void **state)
{
    (void)state;
    char error[SCENARIO_ERROR_SIZE];
    char *text = malloc(SCENARIO_TEXT_MAX + 1);
    memset(text, '\n', SCENARIO_TEXT_MAX + 1);
    assert_null(scenario_parse("t.sim", text, SCENARIO_TEXT_MAX + 1, error));
    assert_string_equal(error, "t.sim:0: expected a file of at most 1 MiB");
    struct scenario *scenario = scenario_parse("t.sim", text, SCENARIO_TEXT_MAX, error);
    assert_non_null(scenario);
    scenario_destroy(&scenario);
    memset(text, 'x', 2000);
    assert_null(scenario_parse("t.sim", text, 2000, error));
    assert_string_equal(error, "t.sim:1: expected lines of less than 1024 bytes");
    for (int i = 0; i < 200; i++)
        memcpy(text + 2 * i, "x ", 2);
    assert_null(scenario_parse("t.sim", text, 400, error));
    assert_string_equal(error, "t.sim:1: \"x\": expected at most 64 words on a line");
    memset(text, 'y', 100);
    assert_null(scenario_parse("t.sim", text, 100, error));
    assert_non_null(strstr(error, "\"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy...\": expected"));
    memcpy(text, "title ", 6);
    memset(text + 6, 't', SCENARIO_TITLE_SIZE);
    assert_null(scenario_parse("t.sim", text, 6 + SCENARIO_TITLE_SIZE, error));
    size_t size = 0;
    for (unsigned i = 0; i <= SCENARIO_EXPECTS_MAX; i++)
        size += (size_t)sprintf(text + size, "expect converged\n");
    assert_null(scenario_parse("t.sim", text, size, error));
    assert_string_equal(error, "t.sim:257: expected no more than 256 expectations in all");
    free(text);
}

static void files(void **state)
{
    (void)state;
    char error[SCENARIO_ERROR_SIZE];
    assert_null(scenario_load("/nonexistent/x.sim", error));
    assert_string_equal(error, "/nonexistent/x.sim: No such file or directory");

    struct scenario *scenario = parse("nodes 7\nseed 9\nat 1:00 crash n07\nexpect converged\n");
    char path[] = "/tmp/test_scenario.XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    assert_true(sim_scenario_write(file, &scenario->plan, "found by seed 9\n\nreplay it"));
    fclose(file);
    struct scenario *again = scenario_load(path, error);
    unlink(path);
    assert_non_null(again);
    assert_int_equal(again->plan.options.nodes, 7);
    assert_int_equal(again->plan.fault_count, 1);
    assert_int_equal(again->expect_count, 0);
    scenario_destroy(&again);
    scenario_destroy(&scenario);
    scenario_destroy(&scenario);
}

/* Each shipped scenario reads, tells its story in a comment, expects something, and stands in the manual. */
static void shipped_scenarios(void **state)
{
    (void)state;
    glob_t found;
    char *manual = NULL, error[SCENARIO_ERROR_SIZE];
    size_t size = 0;
    FILE *file = fopen(PICKET_SOURCE "/docs/scenarios.md", "r");
    assert_non_null(file);
    assert_true(getdelim(&manual, &size, '\0', file) > 0);
    fclose(file);
    assert_int_equal(glob(PICKET_SOURCE "/sim/scenarios/*.sim", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 20);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *text = NULL;
        struct scenario *scenario = scenario_load(found.gl_pathv[i], error);
        if (!scenario)
            fail_msg("%s", error);
        assert_true(scenario->expect_count && scenario->title[0]);
        if (!strstr(manual, strrchr(found.gl_pathv[i], '/') + 1))
            fail_msg("%s is not in docs/scenarios.md", found.gl_pathv[i]);
        char *form = written(scenario);
        struct scenario *again = parse(form);
        char *second = written(again);
        assert_string_equal(form, second);
        file = fopen(found.gl_pathv[i], "r");
        assert_true(getdelim(&text, &size, '\n', file) > 20 && text[0] == '#');
        fclose(file);
        free(text);
        free(form);
        free(second);
        scenario_destroy(&again);
        scenario_destroy(&scenario);
    }
    globfree(&found);
    free(manual);
}

/* Every fault and metric has its place in the manual. */
static void manual_has_all_words(void **state)
{
    (void)state;
    char *manual = NULL, word[64];
    size_t size = 0;
    FILE *file = fopen(PICKET_SOURCE "/docs/scenarios.md", "r");
    assert_non_null(file);
    assert_true(getdelim(&manual, &size, '\0', file) > 0);
    fclose(file);
    for (unsigned i = 0; i < SIM_FAULT_KINDS; i++) {
        const struct scenario_verb *verb =
            scenario_verb_of(&(struct sim_fault){.kind = (enum sim_fault_kind)i});
        assert_non_null(verb);
        snprintf(word, sizeof word, "`%s", verb->word);
        if (!strstr(manual, word))
            fail_msg("%s is not in docs/scenarios.md", verb->word);
    }
    for (unsigned i = 0; i < METRICS; i++)
        if (!strstr(manual, scenario_metric_text((enum scenario_metric)i)))
            fail_msg("%s is not in docs/scenarios.md", scenario_metric_text((enum scenario_metric)i));
    free(manual);
}

static void words_for_everything(void **state)
{
    (void)state;
    for (unsigned i = 0; i < METRICS; i++) {
        assert_true(strlen(scenario_metric_text((enum scenario_metric)i)) > 3);
        assert_true(strlen(scenario_metric_doc((enum scenario_metric)i)) > 10);
    }
    assert_string_equal(scenario_metric_text(METRICS), "?");
    assert_string_equal(scenario_metric_doc(METRICS), "?");
    assert_string_equal(scenario_domain(0), "corp");
    assert_string_equal(scenario_domain(99), "?");
    char form[32];
    struct text t = text_to(form, sizeof form);
    scenario_write_time(-5, &t);
    text_end(&t);
    assert_string_equal(form, "-5ms");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_keep_their_form),
        cmocka_unit_test(expectations_keep_their_form),
        cmocka_unit_test(short_forms),
        cmocka_unit_test(each_goes_over_sites),
        cmocka_unit_test(settings),
        cmocka_unit_test(errors_tell_place_and_expectation),
        cmocka_unit_test(names_must_be_there),
        cmocka_unit_test(bounds),
        cmocka_unit_test(files),
        cmocka_unit_test(words_for_everything),
        cmocka_unit_test(shipped_scenarios),
        cmocka_unit_test(manual_has_all_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
