/* SPDX-License-Identifier: Apache-2.0
 *
 * The API's certificate: its own, made once and anew before it ends; and files that cannot be shown.
 */
#include "tests/unit/place.h"

#include "base/clock.h"
#include "center/api_certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW ((int64_t)1792000000 * CLOCK_SECOND)

struct world {
    struct place place;
    char certificate[96], key[96];
};

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    place_open(&w->place);
    snprintf(w->certificate, sizeof(w->certificate), "%s/api.crt", w->place.path);
    snprintf(w->key, sizeof(w->key), "%s/api.key", w->place.path);
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    place_close(&w->place);
    free(w);
    return 0;
}

static void put(const struct world *w, const char *name, const char *text)
{
    place_put(&w->place, name, text, strlen(text));
}

static void own(const struct world *w, int64_t now, struct api_certificate *to)
{
    struct fault fault = {0};
    if (!api_certificate_own(w->place.path, now, to, &fault))
        fail_msg("%s", fault.text);
}

static void its_own_is_made_anew_in_time(void **state)
{
    struct api_certificate first, second, third;
    own(*state, NOW, &first);
    int64_t ends = api_certificate_expires(first.certificate);
    assert_true(ends > NOW + 365 * CLOCK_DAY);
    own(*state, ends - 22 * CLOCK_DAY, &second);
    assert_string_equal(second.certificate, first.certificate);
    own(*state, ends - 20 * CLOCK_DAY, &third);
    assert_string_not_equal(third.certificate, first.certificate);
    assert_true(api_certificate_expires(third.certificate) > ends);
    assert_int_equal(api_certificate_file_expires(((struct world *)*state)->certificate),
                     api_certificate_expires(third.certificate));
    api_certificate_free(&first);
    api_certificate_free(&second);
    api_certificate_free(&third);
}

static void is_given_to_handshakes(void **state)
{
    struct api_certificate own_one;
    own(*state, NOW, &own_one);
    for (unsigned i = 0; i < 3; i++) {
        gnutls_pcert_st *list;
        gnutls_privkey_t key;
        unsigned count;
        assert_true(api_certificate_give(&own_one, &list, &count, &key));
        assert_int_equal(count, 1);
        gnutls_pcert_deinit(list);
        gnutls_free(list);
        gnutls_privkey_deinit(key);
    }
    api_certificate_free(&own_one);
}

static void refuses(const struct world *w, const char *why)
{
    struct api_certificate none;
    struct fault fault = {0};
    assert_false(api_certificate_read(w->certificate, w->key, &none, &fault));
    if (!strstr(fault.text, why))
        fail_msg("%s", fault.text);
    assert_null(none.certificate);
    assert_null(none.key);
}

static void what_cannot_be_shown_is_refused(void **state)
{
    const struct world *w = *state;
    struct api_certificate first, other;
    gnutls_pcert_st *list;
    gnutls_privkey_t key;
    unsigned count;
    own(w, NOW, &first);
    unlink(w->key);
    refuses(w, "api.key: No such file");
    put(w, "api.key", "");
    refuses(w, "api.key is empty");
    put(w, "api.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    refuses(w, "api.key holds no key in PEM");
    put(w, "api.key", first.certificate);
    refuses(w, "api.key holds no key in PEM");
    put(w, "api.key", first.key);
    put(w, "api.crt", first.key);
    refuses(w, "api.crt holds no certificate in PEM");
    own(w, NOW, &other); /* the files were none: others are made */
    assert_string_not_equal(other.key, first.key);
    put(w, "api.crt", first.certificate);
    refuses(w, "is not that of the first certificate");
    FILE *file = fopen(w->certificate, "w");
    for (int i = 0; i < 17; i++)
        fputs(other.certificate, file);
    fclose(file);
    refuses(w, "api.crt holds no certificate in PEM");
    free(first.certificate);
    first.certificate = strdup("none");
    assert_false(api_certificate_give(&first, &list, &count, &key));
    assert_int_equal(api_certificate_expires("none"), 0);
    assert_int_equal(api_certificate_file_expires("/nonexistent"), 0);
    api_certificate_free(&first);
    api_certificate_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(its_own_is_made_anew_in_time, begin, end),
        cmocka_unit_test_setup_teardown(is_given_to_handshakes, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_shown_is_refused, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
