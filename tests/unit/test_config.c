/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "node/schema.h"
#include "tests/unit/unit.h"

/* -- a schema with one of each --------------------------------------------------------------------- */

static const char *const colours[] = {"red", "green", "blue", NULL};

static const struct config_section sections[] = {
    {.key = "main", .doc = "The main section."},
    {.key = "main/deep", .doc = "A section in it."},
};

static const struct config_rule rules[] = {
    {.key = "name", .type = CONFIG_STRING, .required = true, .doc = "A name | with a bar."},
    {.key = "main/flag", .type = CONFIG_BOOL, .preset = "true", .doc = "A flag."},
    {.key = "main/off", .type = CONFIG_BOOL, .doc = "Another flag."},
    {.key = "main/count",
     .type = CONFIG_INT,
     .min = 1,
     .max = 100,
     .unit = "pieces",
     .preset = "7",
     .doc = "A number."},
    {.key = "main/any", .type = CONFIG_INT, .doc = "Any number."},
    {.key = "main/room",
     .type = CONFIG_SIZE,
     .min = 1024,
     .max = INT64_C(8) << 30,
     .preset = "64M",
     .doc = "A size."},
    {.key = "main/wait",
     .type = CONFIG_DURATION,
     .min = CLOCK_MILLISECOND,
     .max = CLOCK_DAY,
     .preset = "10min",
     .doc = "A duration."},
    {.key = "main/colour", .type = CONFIG_CHOICE, .choices = colours, .preset = "green", .doc = "A colour."},
    {.key = "main/file", .type = CONFIG_PATH, .doc = "A path."},
    {.key = "main/host", .type = CONFIG_ADDRESS, .doc = "An address."},
    {.key = "main/server", .type = CONFIG_ENDPOINT, .doc = "An endpoint."},
    {.key = "main/words", .type = CONFIG_STRING, .list = true, .preset = "one, two", .doc = "Words."},
    {.key = "main/ports", .type = CONFIG_INT, .list = true, .min = 1, .max = 65535, .doc = "Ports."},
    {.key = "main/deep/servers", .type = CONFIG_ENDPOINT, .list = true, .doc = "Endpoints."},
};

static const struct config_schema schema = {
    .title = "Test",
    .introduction = "A schema with one of each.\n",
    .sections = sections,
    .section_count = sizeof sections / sizeof sections[0],
    .rules = rules,
    .rule_count = sizeof rules / sizeof rules[0],
};

/* -- faults as one text, a line each ---------------------------------------------------------------- */

static char faults[1 << 16];

static void note(void *context, const char *fault)
{
    (void)context;
    size_t used = strlen(faults);
    snprintf(faults + used, sizeof faults - used, "%s\n", fault);
}

/* Parses a copy of the exact size, so that AddressSanitizer sees a step beyond it. */
static struct config *parse_bytes(const char *text, size_t size)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    faults[0] = '\0';
    struct config *config = config_parse(&schema, "f", copy, size, note, NULL);
    free(copy);
    assert_int_equal(config == NULL, faults[0] != '\0');
    return config;
}

static struct config *parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static void check_faults(const char *text, const char *expected)
{
    struct config *config = parse(text);
    assert_null(config);
    assert_string_equal(faults, expected);
}

/* -- tests ------------------------------------------------------------------------------------------ */

static void defaults_are_there(void **state)
{
    (void)state;
    struct config *config = parse("name = x\n");
    assert_non_null(config);
    assert_string_equal(config_string(config, "name"), "x");
    assert_true(config_bool(config, "main/flag"));
    assert_false(config_bool(config, "main/off"));
    assert_int_equal(config_count(config, "main/off"), 0);
    assert_true(config_int(config, "main/count") == 7);
    assert_true(config_int(config, "main/any") == 0);
    assert_true(config_int(config, "main/room") == INT64_C(64) << 20);
    assert_true(config_int(config, "main/wait") == 10 * CLOCK_MINUTE);
    assert_int_equal(config_choice(config, "main/colour"), 1);
    assert_string_equal(config_string(config, "main/colour"), "green");
    assert_null(config_string(config, "main/file"));
    assert_int_equal(config_endpoint(config, "main/server").port, 0);
    assert_int_equal(config_count(config, "main/words"), 2);
    assert_string_equal(config_string_at(config, "main/words", 1), "two");
    assert_null(config_string_at(config, "main/words", 2));
    config_destroy(&config);
    assert_null(config);
    config_destroy(&config);
}

static void values_are_read(void **state)
{
    (void)state;
    struct config *config = parse("# a comment\n"
                                  "name = \"x # y\"   # another\r\n"
                                  "\n"
                                  "main\n"
                                  "    flag = No\n"
                                  "    count=100\n"
                                  "    room = 8 G\n"
                                  "    wait = 500ms\n"
                                  "    # a third\n"
                                  "    colour = blue # and a fourth\n"
                                  "    file = '/etc/x'\n"
                                  "    host = 2001:db8::1\n"
                                  "    server = 192.0.2.1:389\n"
                                  "    words = a , b\n"
                                  "    words = c\n"
                                  "    ports = 1,65535\n"
                                  "    deep\n"
                                  "        servers = [::1]:88, 10.0.0.1:1\n"
                                  "main\n"
                                  "    any = 9223372036854775807");
    assert_non_null(config);
    struct ip_address address;
    assert_string_equal(config_string(config, "name"), "x # y");
    assert_false(config_bool(config, "main/flag"));
    assert_true(config_int(config, "main/count") == 100);
    assert_true(config_int(config, "main/any") == INT64_MAX);
    assert_true(config_int(config, "main/room") == INT64_C(8) << 30);
    assert_true(config_int(config, "main/wait") == 500 * CLOCK_MILLISECOND);
    assert_int_equal(config_choice(config, "main/colour"), 2);
    assert_string_equal(config_string(config, "main/file"), "/etc/x");
    ip_address_parse("2001:db8::1", &address);
    struct endpoint host = config_endpoint(config, "main/host");
    assert_true(ip_address_equal(&host.address, &address));
    ip_address_parse("192.0.2.1", &address);
    struct endpoint server = config_endpoint(config, "main/server");
    assert_true(ip_address_equal(&server.address, &address));
    assert_int_equal(server.port, 389);
    assert_int_equal(config_count(config, "main/words"), 3);
    assert_string_equal(config_string_at(config, "main/words", 0), "a");
    assert_string_equal(config_string_at(config, "main/words", 2), "c");
    assert_true(config_int_at(config, "main/ports", 1) == 65535);
    assert_int_equal(config_endpoint_at(config, "main/deep/servers", 0).port, 88);
    assert_int_equal(config_endpoint_at(config, "main/deep/servers", 1).port, 1);
    config_destroy(&config);
}

static void all_faults_are_told_with_their_lines(void **state)
{
    (void)state;
    check_faults("# faults\n"
                 "main\n"
                 "    flag = maybe\n"
                 "    count = 101\n"
                 "    colour = pink\n"
                 "    nonsense = 1\n"
                 "        below = 2\n"
                 "    wait\n"
                 "    any = 1\n"
                 "    any = 2\n"
                 "    deep = 3\n"
                 "    file\n"
                 "        x\n"
                 "other\n"
                 "    x = 1\n",
                 "f:3: main/flag: \"maybe\" is not true or false\n"
                 "f:4: main/count: 101 is out of range: 1 to 100\n"
                 "f:5: main/colour: \"pink\" is none of red, green, blue\n"
                 "f:6: main/nonsense: unknown key\n"
                 "f:8: main/wait: has no value\n"
                 "f:10: main/any: set already in line 9\n"
                 "f:11: main/deep: this is a section, it has no value\n"
                 "f:12: main/file: this is a value, there is nothing below it\n"
                 "f:14: other: unknown key\n"
                 "f: name: must be set\n");
}

static const struct {
    const char *line;
    const char *fault;
} bad_values[] = {
    {"count = x", "count: \"x\" is not a whole number"},
    {"count = 5x", "count: \"5x\" is not a whole number"},
    {"count = -5", "count: \"-5\" is not a whole number"},
    {"count = 99999999999999999999", "count: \"99999999999999999999\" is not a whole number"},
    {"count = 0", "count: 0 is out of range: 1 to 100"},
    {"room = 64MB", "room: \"64MB\" is not a size: a number of bytes, or one with K, M or G, such as 64M"},
    {"room = 9G", "room: 9G is out of range: 1K to 8G"},
    {"room = 9999999999G",
     "room: \"9999999999G\" is not a size: a number of bytes, or one with K, M or G, such as 64M"},
    {"wait = 10", "wait: \"10\" is not a duration: a number with ms, s, min, h or d, such as 10min"},
    {"wait = 2d", "wait: 2d is out of range: 1ms to 1d"},
    {"file = x", "file: \"x\" is not an absolute path"},
    {"host = x", "host: \"x\" is not an IP address"},
    {"server = 1.2.3.4",
     "server: \"1.2.3.4\" is not an endpoint, such as 192.0.2.1:389 or [2001:db8::1]:389"},
    {"server = 1.2.3.4:0",
     "server: \"1.2.3.4:0\" is not an endpoint, such as 192.0.2.1:389 or [2001:db8::1]:389"},
    {"server = 1.2.3.4:65536",
     "server: \"1.2.3.4:65536\" is not an endpoint, such as 192.0.2.1:389 or [2001:db8::1]:389"},
    {"server = ::1:389",
     "server: \"::1:389\" is not an endpoint, such as 192.0.2.1:389 or [2001:db8::1]:389"},
    {"server = [1.2.3.4]:389",
     "server: \"[1.2.3.4]:389\" is not an endpoint, such as 192.0.2.1:389 or [2001:db8::1]:389"},
    {"server = 1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1",
     "server: \"1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1\" is not an endpoint, such as "
     "192.0.2.1:389 or [2001:db8::1]:389"},
    {"words = a,,b", "words: \"\" is not a text: it is empty"},
    {"words = \"\"", "words: has no value"},
};

static void bad_values_are_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_values / sizeof bad_values[0]; i++) {
        char text[200];
        char expected[300];
        snprintf(text, sizeof text, "name = x\nmain\n    %s\n", bad_values[i].line);
        snprintf(expected, sizeof expected, "f:3: main/%s\n", bad_values[i].fault);
        check_faults(text, expected);
    }
}

static const struct {
    const char *text;
    const char *fault;
} bad_forms[] = {
    {"name = x\n  main\n", "f:2: indented by 2 spaces: indent by four for each level\n"},
    {"name = x\n  # comment\n", "f:2: indented by 2 spaces: indent by four for each level\n"},
    {"name = x\n\tmain\n", "f:2: a tab: indent by four spaces\n"},
    {"main\n        x = 1\n", "f:2: indented deeper than below its section\n"},
    {"    name = 1\n", "f:1: indented deeper than below its section\n"},
    {"name = \"x\n", "f:1: the quote is not closed\n"},
    {"name = 'x' y\n", "f:1: something follows the closing quote\n"},
    {"name =\n", "f:1: a value must follow the =\n"},
    {"name = # x\n", "f:1: a value must follow the =\n"},
    {"name x\n", "f:1: after the name comes = or the end of the line\n"},
    {"main/any = 5\n", "f:1: after the name comes = or the end of the line\n"},
    {"= x\n", "f:1: a name must come first (letters, digits, - and _)\n"},
    {"n\xc3\xa4me = x\n", "f:1: after the name comes = or the end of the line\n"},
    {"name = \xff\n", "f:1: not plain UTF-8 text\n"},
    {"name = a\x1b[2J\n", "f:1: not plain UTF-8 text\n"},
    {"\n\n  x\nname y\n", "f:3: indented by 2 spaces: indent by four for each level\nf:4: after the name "
                          "comes = or the end of the line\n"},
};

static void bad_forms_are_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_forms / sizeof bad_forms[0]; i++)
        check_faults(bad_forms[i].text, bad_forms[i].fault);
    assert_null(parse_bytes("name = a\0b\n", 11));
    assert_string_equal(faults, "f:1: not plain UTF-8 text\n");
}

/* What would cost too much, or crash the parser behind us. */
static void bounds_hold(void **state)
{
    (void)state;
    size_t capacity = CONFIG_FILE_MAX + 2;
    char *text = malloc(capacity);

    memset(text, '\n', capacity);
    assert_null(parse_bytes(text, CONFIG_FILE_MAX + 1));
    assert_string_equal(faults, "f: larger than 262144 bytes\n");
    memcpy(text, "name = x", 8);
    struct config *config = parse_bytes(text, CONFIG_FILE_MAX);
    assert_non_null(config);
    config_destroy(&config);

    memset(text, 'x', 3000);
    memcpy(text, "name = ", 7);
    assert_null(parse_bytes(text, 3000));
    assert_string_equal(faults, "f:1: longer than 1024 bytes\n");
    config = parse_bytes(text, CONFIG_LINE_MAX);
    assert_non_null(config);
    assert_int_equal(strlen(config_string(config, "name")), CONFIG_LINE_MAX - 7);
    config_destroy(&config);

    size_t size = 0;
    for (int depth = 0; depth <= CONFIG_DEPTH_MAX; depth++)
        size += (size_t)snprintf(text + size, capacity - size, "%*sx\n", 4 * depth, "");
    assert_null(parse_bytes(text, size));
    assert_string_equal(faults, "f:9: more than 8 levels\n");

    /* A list of more items than it may have; more entries than a file may have; no more reports than told. */
    size = (size_t)snprintf(text, capacity, "name = x\nmain\n");
    for (int i = 0; i <= CONFIG_LIST_MAX; i++)
        size += (size_t)snprintf(text + size, capacity - size, "    words = w\n");
    assert_null(parse_bytes(text, size));
    assert_string_equal(faults, "f:259: main/words: more than 256 items\n");

    size = 0;
    for (int i = 0; i < CONFIG_ENTRIES_MAX + 100; i++)
        size += (size_t)snprintf(text + size, capacity - size, "x\n");
    assert_null(parse_bytes(text, size));
    assert_non_null(strstr(faults, "f:1025: more than 1024 entries\n"));
    assert_non_null(strstr(faults, "and 1 more faults\n"));
    size = 0;
    for (int i = 0; i < CONFIG_ENTRIES_MAX; i++)
        size += (size_t)snprintf(text + size, capacity - size, "x\n");
    assert_null(parse_bytes(text, size));
    assert_non_null(strstr(faults, "and 1005 more faults\n"));
    free(text);
}

static void files_are_loaded(void **state)
{
    (void)state;
    char path[] = "/tmp/test_config.XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "name = x\n", 9), 9);
    close(descriptor);
    faults[0] = '\0';
    struct config *config = config_load(&schema, path, note, NULL);
    assert_non_null(config);
    assert_string_equal(config_string(config, "name"), "x");
    config_destroy(&config);
    unlink(path);
    assert_null(config_load(&schema, "/nonexistent/file", note, NULL));
    assert_string_equal(faults, "/nonexistent/file: No such file or directory\n");
    faults[0] = '\0';
    assert_null(config_load(&schema, "/tmp", note, NULL));
    assert_string_equal(faults, "/tmp: Is a directory\n");
    assert_null(config_load(&schema, "/dev/zero", NULL, NULL)); /* read up to the bound only */
}

static void schemas_are_checked(void **state)
{
    (void)state;
    faults[0] = '\0';
    assert_true(config_schema_check(&schema, note, NULL));
    assert_true(config_schema_check(&node_schema, note, NULL));
    assert_string_equal(faults, "");
    static const struct config_rule bad_rules[] = {
        {.key = "x/y", .type = CONFIG_INT, .doc = "Its section is missing."},
        {.key = "a", .type = CONFIG_INT, .preset = "b", .doc = "Its default is bad."},
        {.key = "a", .type = CONFIG_INT},
        {.key = "b", .type = CONFIG_CHOICE, .doc = "It has no choices."},
    };
    static const struct config_schema bad = {.title = "bad", .rules = bad_rules, .rule_count = 4};
    assert_false(config_schema_check(&bad, note, NULL));
    assert_string_equal(faults, "bad: x/y: its section is not declared\n"
                                "bad: a: its default: \"b\" is not a whole number\n"
                                "bad: a: declared twice\n"
                                "bad: a: has no doc\n"
                                "bad: b: a choice has choices, others have none\n");
    faults[0] = '\0';
    assert_null(config_parse(&bad, "f", "", 0, note, NULL));
}

static void the_reference_names_every_key(void **state)
{
    (void)state;
    char *page = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&page, &size);
    config_print_reference(&schema, stream);
    fclose(stream);
    static const char *const parts[] = {
        "# Test\n",
        "\nA schema with one of each.\n",
        "\n| `name` | text |  | must be set | A name \\| with a bar. |\n",
        "\n## `main`\n\nThe main section.\n",
        "\n| `count` | number (pieces) | 1 to 100 | `7` | A number. |\n",
        "\n| `room` | size | 1K to 8G | `64M` | A size. |\n",
        "\n| `wait` | duration | 1ms to 1d | `10min` | A duration. |\n",
        "\n| `colour` | choice: `red`, `green`, `blue` |  | `green` | A colour. |\n",
        "\n| `ports` | list of number | 1 to 65535 | not set | Ports. |\n",
        "\n## `main/deep`\n",
        "\n| `servers` | list of address:port |  | not set | Endpoints. |\n",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(page, parts[i]))
            fail_msg("missing: %s in %s", parts[i], page);
    }
    free(page);
}

/* -- a part in place of what a file says -------------------------------------------------------------- */

static void a_part_takes_the_place(void **state)
{
    (void)state;
    static const char whole[] = "name = n\nmain\n    count = 3\n    words = a, b\n    colour = red\n";
    static const char over[] = "main\n    count = 4\n    words = c\n";
    struct config *config = config_parse(&schema, "f", whole, sizeof whole - 1, NULL, NULL);
    struct config *part =
        config_parse_part(&schema, "p", (struct bytes){(const uint8_t *)over, sizeof over - 1}, NULL, NULL);
    assert_non_null(part);
    assert_true(config_is_set(part, "main/count"));
    assert_false(config_is_set(part, "main/colour"));
    assert_false(config_is_set(part, "nothing"));
    assert_int_equal(config_count(part, "main/colour"), 0);
    config_override(config, &part);
    assert_null(part);
    assert_int_equal(config_int(config, "main/count"), 4);
    assert_int_equal(config_count(config, "main/words"), 1);
    assert_string_equal(config_string(config, "main/words"), "c");
    assert_string_equal(config_string(config, "main/colour"), "red");
    config_destroy(&config);
    static const char wrong[] = "main\n    count = 400\n";
    assert_null(config_parse_part(&schema, "p", (struct bytes){(const uint8_t *)wrong, sizeof wrong - 1},
                                  NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_there),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(all_faults_are_told_with_their_lines),
        cmocka_unit_test(bad_values_are_explained),
        cmocka_unit_test(bad_forms_are_explained),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(files_are_loaded),
        cmocka_unit_test(schemas_are_checked),
        cmocka_unit_test(the_reference_names_every_key),
        cmocka_unit_test(a_part_takes_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
