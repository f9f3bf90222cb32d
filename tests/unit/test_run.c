/* SPDX-License-Identifier: Apache-2.0
 *
 * picket-sim run: what it tells, what it judges, and that it is the same each time.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "sim/scenario.h"

static char directory[] = "/tmp/test_run.XXXXXX";

static const char *path_of(const char *name)
{
    static char path[4][128];
    static unsigned next;
    char *form = path[next++ % 4];
    snprintf(form, sizeof path[0], "%s/%s", directory, name);
    return form;
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *form = NULL;
    size_t size = 0;
    assert_non_null(file);
    assert_true(getdelim(&form, &size, '\0', file) >= 0);
    fclose(file);
    return form;
}

static const char *write_scenario(const char *text)
{
    const char *path = path_of("s.sim");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

/* The command with up to four arguments; what it prints to *out, which the caller frees. */
static int run(const char *scenario, const char *const *arguments, char **out)
{
    char *argv[8] = {"run"};
    int argc = 1;
    while (arguments && *arguments)
        argv[argc++] = (char *)*arguments++;
    if (scenario)
        argv[argc++] = (char *)write_scenario(scenario);
    const char *path = path_of("out");
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    assert_non_null(freopen(path, "w", stdout));
    int status = sim_run_command(argc, argv);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    FILE *empty = fopen(path, "a");
    fputc(' ', empty);
    fclose(empty);
    *out = read_file(path);
    return status;
}

static const char small[] = "title A small fleet\nnodes 5\nsites 2\ncandidates 3\nlength 1:00:00\n"
                            "at 10:00 crash holder:corp for 45:00\n";

static void assert_contains(const char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("\"%s\" is not in:\n%s", what, text);
}

static void tells_and_judges(void **state)
{
    (void)state;
    char scenario[600], *out;
    snprintf(scenario, sizeof scenario,
             "%sexpect holder corp changes in 30:00..31:00 after 10:00\nexpect term corp = 2\n"
             "expect members online = 5\n",
             small);
    assert_int_equal(run(scenario, NULL, &out), 0);
    assert_contains(out, "A small fleet\n");
    assert_contains(out, "start      n");
    assert_contains(out, "claims corp, term 1: nobody held the domain");
    assert_contains(out, "is synchronizer of corp, term 1");
    assert_contains(out, "0:10:00.000  FAULT      crash holder:corp for 45:00 (n0");
    assert_contains(out, "is offline to a first member");
    assert_contains(out, "to claim corp: the holder was silent for too long");
    assert_contains(out, "who still hears the holder of corp");
    assert_contains(out, "term 2: the holder was silent for too long");
    assert_contains(out, "0:55:00.000  FAULT      is over: crash holder:corp");
    assert_contains(out, "is heard again");
    assert_contains(out, "  ok      expect holder corp changes in 30:00..31:00 after 10:00  [n0");
    assert_contains(out, "  ok      expect term corp = 2  [2]");
    assert_contains(out, "What must always hold\n  ok      I1 ");
    assert_contains(out, "all that must hold did");
    char *again;
    assert_int_equal(run(scenario, NULL, &again), 0);
    assert_string_equal(out, again);
    free(again);
    free(out);
}

static void what_fails_is_told(void **state)
{
    (void)state;
    static const char *const fail[] = {
        "expect holder corp is nobody",
        "at 5:00 expect holder corp is not n01..n05",
        "expect holder corp stays",
        "during 5:00..50:00 expect holder corp stays",
        "during 0s..30:00 expect holder corp stays",
        "expect holder corp changes in 1:00..2:00 after 10:00",
        "expect holder corp changes in 1:00..2:00 after 50:00",
        "expect no-holder corp",
        "expect holders corp >= 2 among s1",
        "during 5:00..20:00 expect holders corp = 1",
        "within 15:00..30:00 expect holders corp = 1",
        "expect term corp = 1",
        "expect elections corp = 1",
        "during 5:00..9:00 expect elections corp >= 1",
        "at 5:00 expect bids corp = 0",
        "during 0s..1:00 expect fresh corp = 100%",
        "expect unassigned corp >= 1",
        "at 30:00 expect members online = 5",
        "expect members offline = 1",
        "expect members online = 5 among nobody",
        "at 3s expect converged",
        "expect incarnation >= 100",
        "expect counter messages_in = 0",
        "expect never offline",
        "during 5:00..20:00 expect notices offline >= 9",
        "expect notices offline != 4 of n01..n05",
        "expect traffic <= 1",
        "during 20:00..30:00 expect traffic <= 1",
    };
    char scenario[4000];
    size_t size = (size_t)snprintf(scenario, sizeof scenario, "%s", small);
    for (size_t i = 0; i < sizeof fail / sizeof fail[0]; i++)
        size += (size_t)snprintf(scenario + size, sizeof scenario - size, "%s\n", fail[i]);
    char *out;
    assert_int_equal(run(scenario, (const char *const[]){"--quiet", NULL}, &out), 1);
    assert_null(strstr(out, "FAULT"));
    for (size_t i = 0; i < sizeof fail / sizeof fail[0]; i++) {
        char line[200];
        snprintf(line, sizeof line, "  FAILED  %s  [",
                 strcmp(fail[i], "expect no-holder corp") == 0 ? "expect holders corp = 0" : fail[i]);
        assert_contains(out, line);
    }
    assert_contains(out, "FAILED: 28 of what must hold did not");
    free(out);
}

static void what_holds_is_told(void **state)
{
    (void)state;
    static const char *const hold[] = {
        "at 5:00 expect holder corp is candidates:corp",
        "at 5:00 expect holder corp is holder:corp",
        "expect holder corp is not nobody",
        "during 5:00..10:00 expect holder corp stays",
        "during 12:00..40:00 expect holders corp = 0",
        "within 40:00..42:00 expect fresh corp = 100%",
        "expect holders corp != 2",
        "expect bids corp <= 6",
        "during 12:00..30:00 expect bids corp = 0",
        "at 30:00 expect members offline = 1",
        "expect notices offline >= 1 among s1",
        "within 10:00..20:00 expect notices offline >= 1",
        "expect incarnation <= 8",
        "expect converged among s2",
        "expect traffic >= 1",
        "expect fresh corp >= 99.5%",
    };
    char scenario[4000], *out;
    size_t size = (size_t)snprintf(scenario, sizeof scenario, "%s", small);
    for (size_t i = 0; i < sizeof hold / sizeof hold[0]; i++)
        size += (size_t)snprintf(scenario + size, sizeof scenario - size, "%s\n", hold[i]);
    assert_int_equal(run(scenario, (const char *const[]){"--quiet", NULL}, &out), 0);
    free(out);
}

static void json_is_an_object_a_line(void **state)
{
    (void)state;
    char scenario[400], *out;
    snprintf(scenario, sizeof scenario, "%sexpect term corp = 2\nexpect term corp = 3\n", small);
    assert_int_equal(run(scenario, (const char *const[]){"--json", NULL}, &out), 1);
    unsigned events = 0, expectations = 0, invariants = 0, results = 0;
    char *rest = NULL;
    for (char *line = strtok_r(out, "\n", &rest); line && *line == '{'; line = strtok_r(NULL, "\n", &rest)) {
        json_error_t error;
        json_t *object = json_loads(line, 0, &error);
        assert_non_null(object);
        const char *type = json_string_value(json_object_get(object, "type"));
        events += strcmp(type, "event") == 0;
        expectations += strcmp(type, "expectation") == 0;
        invariants += strcmp(type, "invariant") == 0;
        if (strcmp(type, "result") == 0) {
            results++;
            assert_int_equal(json_integer_value(json_object_get(object, "failed")), 1);
            assert_true(json_is_false(json_object_get(object, "met")));
        }
        json_decref(object);
    }
    assert_true(events > 10 && invariants > 10);
    assert_int_equal(expectations, 2);
    assert_int_equal(results, 1);
    free(out);
}

static void arguments_stand_above_the_file(void **state)
{
    (void)state;
    char *out, *plain;
    const char *const more[] = {"--print", "--nodes=9", "--sites=3", "--hours=2", NULL};
    assert_int_equal(run(small, more, &out), 0);
    assert_contains(out, "\nnodes 9\nsites 3\n");
    assert_contains(out, "\nlength 2:00:00\n");
    free(out);
    const char *const others[] = {"--print", "--domains=2", "--candidates=2", "--seed=77", NULL};
    assert_int_equal(run("candidates corp n01\nnodes 5\n", others, &out), 0);
    assert_contains(out, "\ndomains 2\ncandidates 2\nseed 77\n");
    free(out);
    assert_int_equal(run("nodes 3\nhours 1\n", (const char *const[]){"--quiet", "--seed=5", NULL}, &out), 0);
    assert_int_equal(run("nodes 3\nhours 1\n", (const char *const[]){"--quiet", "--seed=6", NULL}, &plain),
                     0);
    assert_string_not_equal(out, plain);
    free(out);
    free(plain);
}

static void wrong_use(void **state)
{
    (void)state;
    char *out;
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    assert_non_null(freopen(path_of("err"), "w", stderr));
    assert_int_equal(run(NULL, NULL, &out), 2);
    free(out);
    assert_int_equal(run(small, (const char *const[]){"--nodes=many", NULL}, &out), 2);
    free(out);
    assert_int_equal(run(small, (const char *const[]){"--nodes=0", NULL}, &out), 2);
    free(out);
    assert_int_equal(run(small, (const char *const[]){"--nodes=2", NULL}, &out), 2);
    free(out);
    assert_int_equal(run(small, (const char *const[]){"--wish", NULL}, &out), 2);
    free(out);
    assert_int_equal(run("nodes -5\n", NULL, &out), 2);
    free(out);
    assert_int_equal(
        run("hours 1\n", (const char *const[]){"--quiet", "--svg=/nonexistent/x.svg", NULL}, &out), 2);
    free(out);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    char *said = read_file(path_of("err"));
    assert_contains(said, "usage: picket-sim run SCENARIO");
    assert_contains(said, "many: expected a number from 0 to 20000");
    assert_contains(said, "more candidates than nodes");
    assert_contains(said, "s.sim:1: \"-5\": expected a number of nodes (1 to 20000)");
    assert_contains(said, "/nonexistent/x.svg: No such file or directory");
    free(said);
}

static void draws_a_picture(void **state)
{
    (void)state;
    char svg[160], *out;
    snprintf(svg, sizeof svg, "--svg=%s", path_of("p.svg"));
    assert_int_equal(
        run("nodes 9\nsites 2\ndomains 2\nhours 2\n"
            "at 20:00 crash n01..n02 for 10:00\nat 30:00 pause n03 for 1:00\nat 35:00 restart n04\n"
            "at 40:00 cut s1 from s2 one-way for 5:00\nat 50:00 degrade all loss 10% for 5:00\n"
            "at 50:00 revoke n09\nat 55:00 hostile n08 forge for 1:00\nat 56:00 crash all for 1:00\n"
            "at 60:00 skew n05 wall +1:00\nat 60:00 directory n05 corp down for 2:00\n"
            "at 60:00 yield emea\nat 61:00 heal\nat 62:00 disk-full n06 for 1:00\n",
            (const char *const[]){"--quiet", svg, NULL}, &out),
        0);
    free(out);
    char *form = read_file(path_of("p.svg"));
    assert_contains(form, ">emea</text>");
    assert_contains(form, ">n01</text>");
    assert_contains(form, ">s1 \xe2\x86\x92 s2</text>");
    assert_contains(form, ">all</text>");
    assert_contains(form, "9 nodes, 2 sites, 2 domains, 18 candidacies \xc2\xb7 seed 1");
    free(form);
}

static void traces_messages(void **state)
{
    (void)state;
    char *out;
    assert_int_equal(run("nodes 3\nlength 3:00\n", (const char *const[]){"--trace", NULL}, &out), 0);
    assert_contains(out, "sends      n0");
    assert_contains(out, "delivers   n0");
    assert_contains(out, "state      n0");
    free(out);
}

static void hostile_and_revoked_are_told(void **state)
{
    (void)state;
    char *out;
    assert_int_equal(
        run("nodes 6\ncandidates corp n01,n02\nabsent 1\nhours 1\nat 10:00 hostile n05 malformed for 5:00\n"
            "at 20:00 revoke n05\nat 25:00 join n06\nat 30:00 leave n04\nat 35:00 suspend n03 for 1:00\n"
            "at 40:00 yield corp at n06\nat 50:00 directory all corp down for 5:00\n",
            NULL, &out),
        0);
    assert_contains(out, "n05 is seen sending what no right node sends");
    assert_contains(out, "n05 is revoked, a first member knows");
    assert_contains(out, "n06 is known to a first member");
    assert_contains(out, "n04 has left, a first member knows");
    assert_contains(out, "n03 notices a pause or a jump of its clock");
    assert_contains(out, "is asked to give up corp");
    assert_contains(out, "stops being synchronizer of corp");
    assert_contains(out, "corp: domain synchronizer not assigned, a first node raises it");
    assert_contains(out, "corp: assigned again, for all");
    free(out);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"s.sim", "out", "err", "p.svg"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(path_of(names[i]));
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_and_judges),
        cmocka_unit_test(what_fails_is_told),
        cmocka_unit_test(what_holds_is_told),
        cmocka_unit_test(json_is_an_object_a_line),
        cmocka_unit_test(arguments_stand_above_the_file),
        cmocka_unit_test(wrong_use),
        cmocka_unit_test(draws_a_picture),
        cmocka_unit_test(traces_messages),
        cmocka_unit_test(hostile_and_revoked_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
