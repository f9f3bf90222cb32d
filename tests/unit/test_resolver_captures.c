/* SPDX-License-Identifier: Apache-2.0
 *
 * The resolver on the captures of a real domain (tests/data; all of the lab's where the shared data are):
 * each activity's account and computers are the right ones, none is a wrong one, and the share is told.
 */
#include "unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "capture/engine.h"
#include "capture/source.h"
#include "tests/unit/lab_directory.h"

struct tally {
    unsigned activities, named, resolved, by_ticket, by_connection, not_there;
    unsigned destinations, destinations_named, sources_named, targets, groups, services;
};

static struct {
    struct lab_directory lab;
    struct resolver *resolver;
    const char *capture;
    char account[64]; /* of the label */
    bool in_a_row;    /* the captures make one long one: what the client joined as, it stays */
    struct tally tally;
} run;

static struct activity record;
static struct activity completed;
static struct activity_writer writer;

static const char *text_of(const struct activity *a, enum activity_field field)
{
    static char texts[8][512];
    static unsigned turn;
    char *to = texts[turn++ % 8];
    const struct activity_value *value = activity_get(a, field);
    to[0] = 0;
    if (value)
        activity_value_text(value, to, sizeof(texts[0]));
    return to;
}

static const char *computer_at(const char *address)
{
    if (strcmp(address, "10.77.0.10") == 0)
        return "DC1";
    if (strcmp(address, "10.77.1.10") == 0)
        return "DC2";
    return "";
}

/* Which computers may stand behind the addresses. The client of the lab is no member but in one capture,
 * where it joins; the attacker never is. */
static void check_end(const char *address, const char *computer)
{
    if (!computer[0] || strcasecmp(computer, computer_at(address)) == 0)
        return;
    bool joined = strncmp(run.capture, "n17_", 4) == 0 || run.in_a_row;
    if (strcmp(address, "10.77.0.50") == 0 && joined && strcasecmp(computer, "WSNEW") == 0)
        return;
    fail_msg("%s: %s is not %s", run.capture, address, computer);
}

/* The name as it stands on the wire, without its domain. */
static const char *bare(const char *name, char to[128])
{
    const char *backslash = strchr(name, '\\');
    snprintf(to, 128, "%s", backslash ? backslash + 1 : name);
    to[strcspn(to, "@")] = 0;
    return to;
}

static bool exists(const char *account)
{
    for (unsigned i = 0; i < run.lab.count; i++)
        if (strcasecmp(run.lab.entities[i].account, account) == 0)
            return true;
    return false;
}

/* Names of accounts that act in a capture besides its label's. */
static bool acts_too(const char *name)
{
    return strcmp(name, "Administrator") == 0 || strcmp(name, "dadmin") == 0;
}

static void check_account(void)
{
    char wire[128], label[128];
    const char *name = text_of(&completed, FIELD_ACCOUNT_NAME), *how = text_of(&completed, FIELD_ACCOUNT_HOW);
    bare(text_of(&completed, FIELD_ACCOUNT), wire);
    if (!wire[0])
        bare(text_of(&completed, FIELD_NETLOGON_ACCOUNT), wire);
    bool is_named = wire[0] && strncmp(wire, "WELLKNOWN", 9) != 0;
    run.tally.named += is_named || name[0];
    run.tally.resolved += name[0] != 0;
    run.tally.by_ticket += strcmp(how, "ticket") == 0;
    run.tally.by_connection += strcmp(how, "connection") == 0;
    if (is_named && name[0] && strcasecmp(wire, name) != 0)
        fail_msg("%s: %s resolved to %s", run.capture, wire, name);
    if (is_named && !name[0]) {
        run.tally.not_there++;
        if (exists(wire))
            fail_msg("%s: %s (%s) not resolved", run.capture, wire, text_of(&completed, FIELD_KIND));
    }
    if (!is_named && name[0] && strcasecmp(bare(run.account, label), name) != 0 && !acts_too(name))
        fail_msg("%s: %s is said to act by %s, not %s", run.capture, name, how, run.account);
}

static void take(void *context, enum activity_kind kind, int64_t time, struct bytes bytes)
{
    struct cursor c = cursor_of_bytes(bytes);
    (void)context;
    (void)kind;
    (void)time;
    assert_true(activity_decode(&c, &record));
    resolver_observe(run.resolver, &record);
    assert_true(activity_extend(&writer, bytes, &record));
    resolver_complete(run.resolver, &record, &writer, NULL, 1);
    struct bytes whole = activity_finish(&writer);
    c = cursor_of_bytes(whole);
    assert_true(activity_decode(&c, &completed) && cursor_done(&c));
    run.tally.activities++;
    const char *source = text_of(&completed, FIELD_SOURCE),
               *destination = text_of(&completed, FIELD_DESTINATION);
    check_end(source, text_of(&completed, FIELD_SOURCE_COMPUTER));
    check_end(destination, text_of(&completed, FIELD_DESTINATION_COMPUTER));
    run.tally.destinations += computer_at(destination)[0] != 0;
    run.tally.destinations_named += activity_get(&completed, FIELD_DESTINATION_COMPUTER_GUID) != NULL;
    run.tally.sources_named += activity_get(&completed, FIELD_SOURCE_COMPUTER_GUID) != NULL;
    run.tally.targets += activity_get(&completed, FIELD_TARGET_GUID) != NULL;
    run.tally.groups += activity_get(&completed, FIELD_GROUP_GUID) != NULL;
    run.tally.services += activity_get(&completed, FIELD_SERVICE_OWNER_GUID) != NULL;
    assert_null(activity_get(&completed, FIELD_SOURCE_SHARED));
    assert_null(activity_get(&completed, FIELD_DESTINATION_SHARED));
    check_account();
}

static void play(const char *directory, const char *name)
{
    char path[768];
    const char *error;
    struct packet packets[16];
    size_t count;
    snprintf(path, sizeof(path), "%s/%s.pcap", directory, name);
    struct file_source *source = file_source_open(path, &error);
    if (!source)
        fail_msg("%s: %s", path, error);
    struct engine_options options = {0};
    struct engine *engine = engine_new(&options, take, NULL);
    run.capture = name;
    while (file_source_batch(source, packets, 16, &count) == SOURCE_PACKET)
        engine_packets(engine, packets, count);
    engine_finish(engine);
    engine_destroy(&engine);
    file_source_close(&source);
}

/* Each labelled capture of a folder, in the order of the labels, which is that of time. */
static void play_all(const char *directory, bool alone)
{
    char path[512], line[2048];
    snprintf(path, sizeof(path), "%s/labels.tsv", directory);
    FILE *labels = fopen(path, "r");
    assert_non_null(labels);
    while (fgets(line, sizeof(line), labels)) {
        char *fields[16] = {NULL}, *rest = line;
        unsigned n = 0;
        while (n < 16 && (fields[n] = strsep(&rest, "\t")))
            n++;
        if (n < 11 || strcmp(fields[0], "file") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s.pcap", directory, fields[0]);
        FILE *there = fopen(path, "r");
        if (!there)
            continue;
        fclose(there);
        run.in_a_row = !alone;
        if (alone) {
            resolver_destroy(&run.resolver);
            run.resolver = lab_resolver(&run.lab, NULL);
        }
        snprintf(run.account, sizeof(run.account), "%s", fields[10]);
        play(directory, fields[0]);
    }
    fclose(labels);
}

static void report(const char *what)
{
    const struct tally *t = &run.tally;
    print_message(
        "%s: %u activities; accounts: %u of %u resolved (%.1f %%), %u are in no directory, %u by ticket, "
        "%u by connection; domain controllers as destinations: %u of %u named (%.1f %%); %u sources, %u "
        "services, %u targets, %u groups\n",
        what, t->activities, t->resolved, t->named, 100.0 * t->resolved / (t->named ? t->named : 1),
        t->not_there, t->by_ticket, t->by_connection, t->destinations_named, t->destinations,
        100.0 * t->destinations_named / (t->destinations ? t->destinations : 1), t->sources_named,
        t->services, t->targets, t->groups);
}

static void begin(void)
{
    memset(&run, 0, sizeof(run));
    lab_fill(&run.lab);
    run.resolver = lab_resolver(&run.lab, NULL);
    assert_non_null(run.resolver);
}

static void each_capture_alone(void **state)
{
    (void)state;
    begin();
    play_all(PICKET_TEST_DATA, true);
    report("tests/data, each alone");
    assert_true(run.tally.activities > 200);
    assert_int_equal(run.tally.resolved + run.tally.not_there, run.tally.named);
    assert_true(run.tally.by_ticket > 0 && run.tally.by_connection > 0);
    assert_true(run.tally.targets > 0 && run.tally.groups > 0 && run.tally.services > 0);
    resolver_destroy(&run.resolver);
}

static void all_that_the_lab_played(void **state)
{
    (void)state;
    static const char directory[] = PICKET_SHARED_DATA "/lab";
    FILE *there = fopen(PICKET_SHARED_DATA "/lab/labels.tsv", "r");
    if (!there)
        skip();
    fclose(there);
    begin();
    play_all(directory, true);
    report("the lab, each alone");
    resolver_destroy(&run.resolver);
    begin();
    play_all(directory, false);
    report("the lab, one after the other");
    assert_int_equal(run.tally.resolved + run.tally.not_there, run.tally.named);
    assert_true(run.tally.destinations_named * 100 >= run.tally.destinations * 90);
    resolver_destroy(&run.resolver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_capture_alone),
        cmocka_unit_test(all_that_the_lab_played),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
