/* SPDX-License-Identifier: Apache-2.0 */
#include "center/entities_file.h"
#include "tests/unit/entity_batches.h"

#define GUID_A "00112233-4455-6677-8899-aabbccddeeff"
#define GUID_B "00112233-4455-6677-8899-aabbccddee00"

static bool take(struct entities *entities, const char *line, struct fault *fault)
{
    return entities_take_json(entities, world_bytes(line), fault);
}

static uint32_t bits(struct entities *entities, const char *name)
{
    struct directory_view view = entities_view(entities);
    struct party party = {
        .kind = SUBJECT_ACCOUNT, .name = world_bytes(name), .domain = world_bytes("corp.example")};
    struct facts facts;
    return view.facts(view.context, &party, &facts) ? facts.bits : 0;
}

static void test_lines(void **state)
{
    (void)state;
    struct entities *entities = entities_new(1);
    struct fault fault;
    assert_true(take(entities,
                     "{\"v\":1,\"kind\":\"user\",\"guid\":\"" GUID_A
                     "\",\"dn\":\"CN=a,DC=corp,DC=example\",\"domain\":\"corp.example\",\"account\":\"a\","
                     "\"sid\":\"S-1-5-21-1-2-3-1000\",\"user_account_control\":4194816,\"unheard\":{},"
                     "\"password_last_set\":\"2026-11-22T02:28:19Z\",\"account_expires\":null,"
                     "\"service_principal_names\":[\"http/a\"],\"key_credentials\":[\"ff\"]}",
                     &fault));
    assert_true(take(entities,
                     "{\"entity\":{\"v\":1,\"kind\":\"group\",\"guid\":\"" GUID_B
                     "\",\"dn\":\"CN=g,DC=corp,DC=example\",\"domain\":\"corp.example\",\"account\":\"g\","
                     "\"sid\":\"S-1-5-21-1-2-3-512\",\"is_critical\":true,\"group_type\":-2}}",
                     &fault));
    assert_int_equal(bits(entities, "a"), FACT_USER | FACT_NO_PREAUTH | FACT_HAS_SPN);
    assert_true(take(entities,
                     "{\"links\":{\"source\":\"" GUID_B "\",\"link\":\"member\",\"all\":[\"" GUID_A "\"]}}",
                     &fault));
    assert_true(bits(entities, "a") & FACT_SENSITIVE);
    assert_true(take(
        entities, "{\"links\":{\"source\":\"" GUID_B "\",\"link\":\"member\",\"removed\":[\"" GUID_A "\"]}}",
        &fault));
    assert_false(bits(entities, "a") & FACT_SENSITIVE);
    assert_true(take(entities,
                     "{\"tag\":{\"name\":\"a\",\"facts\":[\"honeytoken\",\"sensitive\",\"synchronizer\"]}}",
                     &fault));
    assert_int_equal(bits(entities, "a"), FACT_USER | FACT_NO_PREAUTH | FACT_HAS_SPN | FACT_HONEYTOKEN |
                                              FACT_SENSITIVE | FACT_SYNCHRONIZER);
    assert_true(take(entities, "{\"tag\":{\"guid\":\"" GUID_B "\",\"facts\":[\"dns-server\"]}}", &fault));
    struct directory_view view = entities_view(entities);
    assert_int_equal(view.account(view.context, world_bytes("x"), world_bytes("corp.example")), KNOWN_NOT);
    assert_true(take(entities, "{\"whole\":\"corp.example\"}", &fault));
    assert_int_equal(view.account(view.context, world_bytes("x"), world_bytes("corp.example")), KNOWN_NO);
    assert_true(take(entities, "{\"removed\":\"" GUID_A "\"}", &fault));
    assert_false(bits(entities, "a") & FACT_USER);
    entities_destroy(&entities);
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "[]",
        "{",
        "{}",
        "{\"kind\":\"user\"}",
        "{\"kind\":\"user\",\"guid\":\"x\"}",
        "{\"kind\":\"user\",\"guid\":\"" GUID_A "\",\"account\":1}",
        "{\"kind\":\"user\",\"guid\":\"" GUID_A "\",\"sid\":\"S-x\"}",
        "{\"kind\":\"user\",\"guid\":\"" GUID_A "\",\"user_account_control\":-1}",
        "{\"kind\":\"user\",\"guid\":\"" GUID_A "\",\"is_critical\":1}",
        "{\"kind\":\"user\",\"guid\":\"" GUID_A "\",\"group_type\":\"x\"}",
        "{\"kind\":\"user\",\"guid\":\"" GUID_A "\",\"service_principal_names\":\"x\"}",
        "{\"kind\":\"user\",\"guid\":\"" GUID_A "\",\"key_credentials\":[\"xyz\"]}",
        "{\"kind\":\"user\",\"guid\":\"" GUID_A "\",\"allowed_to_act\":\"abc\"}",
        "{\"kind\":\"user\",\"guid\":\"" GUID_A "\",\"allowed_to_act\":\"zz\"}",
        "{\"kind\":\"user\",\"guid\":\"" GUID_A "\",\"password_last_set\":\"yesterday\"}",
        "{\"removed\":\"x\"}",
        "{\"links\":{}}",
        "{\"links\":{\"source\":\"" GUID_A "\",\"link\":\"nothing\"}}",
        "{\"links\":{\"source\":\"" GUID_A "\",\"link\":\"member\",\"all\":[1]}}",
        "{\"tag\":{\"facts\":[\"sensitive\"]}}",
        "{\"tag\":{\"name\":\"a\",\"facts\":[\"clever\"]}}",
    };
    struct entities *entities = entities_new(1);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct fault fault = {.text = ""};
        if (take(entities, lines[i], &fault))
            fail_msg("taken: %s", lines[i]);
        assert_true(fault.text[0]);
    }
    entities_destroy(&entities);
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void test_files(void **state)
{
    (void)state;
    struct fault fault = {.text = ""};
    struct batches batches = {0};
    struct entities *entities = entities_new(1);
    char path[] = "/tmp/picket-entities-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_true(entities_read_file(entities, PICKET_TEST_DATA "/lab-directory.ndjson", &fault));
    assert_true(bits(entities, "dadmin") & FACT_SENSITIVE);
    assert_true(bits(entities, "honey") & FACT_HONEYTOKEN);
    assert_true(bits(entities, "DC1$") & FACT_CONTROLLER);
    assert_false(bits(entities, "user01") & FACT_SENSITIVE);

    static const char broken[] = "{\"whole\":\"corp.example\"}\n\n{\"tag\":1}\n";
    write_file(path, broken, sizeof broken - 1);
    assert_false(entities_read_file(entities, path, &fault));
    assert_non_null(strstr(fault.text, ":3: "));

    batches_begin(&batches);
    batches_user(&batches, 7);
    batches_add(&batches);
    struct bytes frames = batches_end(&batches);
    write_file(path, frames.data, frames.size);
    assert_true(entities_read_file(entities, path, &fault));
    assert_int_equal(bits(entities, "user7"), FACT_USER);
    write_file(path, frames.data, frames.size - 3);
    assert_false(entities_read_file(entities, path, &fault));
    unlink(path);
    assert_false(entities_read_file(entities, path, &fault));
    batches_destroy(&batches);
    entities_destroy(&entities);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
