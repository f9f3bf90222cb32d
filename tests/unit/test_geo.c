/* SPDX-License-Identifier: Apache-2.0
 *
 * Places of addresses: a database of one entry, written here by MaxMind's description of the format (MaxMind
 * DB File Format Specification 2.0).
 */
#include "tests/unit/unit.h"

#include "center/geo.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bytes_out {
    uint8_t data[1024];
    size_t size;
};

static void put(struct bytes_out *out, const void *data, size_t size)
{
    assert_in_range(out->size + size, 0, sizeof(out->data));
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

static void put_byte(struct bytes_out *out, unsigned byte)
{
    uint8_t b = (uint8_t)byte;
    put(out, &b, 1);
}

static void put_map(struct bytes_out *out, unsigned pairs)
{
    put_byte(out, 0xe0 | pairs);
}

static void put_string(struct bytes_out *out, const char *text)
{
    put_byte(out, 0x40 | (unsigned)strlen(text));
    put(out, text, strlen(text));
}

static void put_double(struct bytes_out *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    put_byte(out, 0x68);
    for (int shift = 56; shift >= 0; shift -= 8)
        put_byte(out, (unsigned)(bits >> shift & 0xff));
}

static void put_number(struct bytes_out *out, const char *name, unsigned type, unsigned value)
{
    put_string(out, name);
    put_byte(out, type | 1);
    put_byte(out, value);
}

/* One node: addresses that begin with a 0 are in Berlin, the others nowhere. */
static void put_database(struct bytes_out *out)
{
    static const uint8_t node[6] = {0, 0, 1 + 16, 0, 0, 1}, gap[16];
    put(out, node, sizeof(node));
    put(out, gap, sizeof(gap));
    put_map(out, 3);
    put_string(out, "country");
    put_map(out, 1);
    put_string(out, "iso_code");
    put_string(out, "DE");
    put_string(out, "city");
    put_map(out, 1);
    put_string(out, "names");
    put_map(out, 1);
    put_string(out, "en");
    put_string(out, "Berlin");
    put_string(out, "location");
    put_map(out, 2);
    put_string(out, "latitude");
    put_double(out, 52.52);
    put_string(out, "longitude");
    put_double(out, 13.40);
    put(out, "\xab\xcd\xefMaxMind.com", 14);
    put_map(out, 9);
    put_number(out, "node_count", 0xc0, 1);
    put_number(out, "record_size", 0xa0, 24);
    put_number(out, "ip_version", 0xa0, 4);
    put_number(out, "binary_format_major_version", 0xa0, 2);
    put_number(out, "binary_format_minor_version", 0xa0, 0);
    put_string(out, "build_epoch");
    put(out, "\x01\x02\x01", 3);
    put_string(out, "database_type");
    put_string(out, "Test");
    put_string(out, "languages");
    put(out,
        "\x01\x04\x42"
        "en",
        5);
    put_string(out, "description");
    put_map(out, 0);
}

static void addresses_are_found(void **state)
{
    (void)state;
    struct bytes_out out = {.size = 0};
    put_database(&out);
    char path[] = "/tmp/picket-geo-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, out.data, out.size), (ssize_t)out.size);
    close(fd);
    struct fault fault = {""};
    bool opened = geo_open(path, &fault);
    if (!opened)
        print_message("%s\n", fault.text);
    assert_true(opened);
    assert_true(geo_open(path, &fault)); /* again: replaced */
    unlink(path);
    assert_true(geo_is_open());
    struct geo_place place;
    const struct ip_address berlin = {.family = 4, .bytes = {93, 1, 2, 3}}, none = {0};
    const struct ip_address nowhere = {.family = 4, .bytes = {203, 0, 113, 1}};
    const struct ip_address other = {.family = 6, .bytes = {0x20, 0x01}};
    assert_true(geo_locate(&berlin, &place));
    assert_string_equal(place.country, "DE");
    assert_string_equal(place.city, "Berlin");
    assert_true(place.has_position && place.latitude > 52.5 && place.longitude < 13.5);
    assert_false(geo_locate(&nowhere, &place));
    assert_false(geo_locate(&none, &place));
    assert_false(geo_locate(&other, &place)); /* the database has none of that family */
    geo_close();
    assert_false(geo_is_open());
    assert_false(geo_locate(&berlin, &place));
}

static void what_is_no_database(void **state)
{
    (void)state;
    struct fault fault = {""};
    assert_false(geo_open("/dev/null", &fault));
    assert_true(fault.text[0]);
    assert_false(geo_is_open());
}

static void distances(void **state)
{
    (void)state;
    const struct geo_place berlin = {.latitude = 52.52, .longitude = 13.40};
    const struct geo_place sydney = {.latitude = -33.87, .longitude = 151.21};
    const struct geo_place opposite = {.latitude = -52.52, .longitude = -166.60};
    assert_true(geo_distance(&berlin, &berlin) < 0.001);
    assert_in_range((unsigned)geo_distance(&berlin, &sydney), 16050, 16150);
    assert_in_range((unsigned)geo_distance(&berlin, &opposite), 20014, 20016);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_found),
        cmocka_unit_test(what_is_no_database),
        cmocka_unit_test(distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
