/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/pcap_file.h"

#include "capture/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* -- captures made by hand -------------------------------------------------------------------------- */

struct image {
    bool big_endian;
    size_t size;
    uint8_t bytes[400000];
};

static struct image image;

static void reset(bool big_endian)
{
    image.big_endian = big_endian;
    image.size = 0;
}

static void put(unsigned width, uint64_t value)
{
    for (unsigned i = 0; i < width; i++)
        image.bytes[image.size++] = (uint8_t)(value >> 8 * (image.big_endian ? width - 1 - i : i));
}

static void put_bytes(const void *data, size_t n)
{
    memcpy(image.bytes + image.size, data, n);
    image.size += n;
}

static void pcap_header(uint32_t magic, uint32_t link_type)
{
    put(4, magic);
    put(2, 2);
    put(2, 4);
    put(8, 0);
    put(4, 65535);
    put(4, link_type);
}

static void pcap_record(uint32_t seconds, uint32_t fraction, const char *data, uint32_t length)
{
    put(4, seconds);
    put(4, fraction);
    put(4, strlen(data));
    put(4, length);
    put_bytes(data, strlen(data));
}

/* Ends a block that began at `start`: pads it, and writes its length at both ends. */
static void end_block(size_t start)
{
    while ((image.size - start) % 4)
        put(1, 0);
    uint32_t length = (uint32_t)(image.size - start + 4);
    put(4, length);
    size_t end = image.size;
    image.size = start + 4;
    put(4, length);
    image.size = end;
}

static size_t begin_block(uint32_t type)
{
    size_t start = image.size;
    put(4, type);
    put(4, 0);
    return start;
}

static void section(void)
{
    size_t start = begin_block(0x0a0d0d0a);
    put(4, 0x1a2b3c4d);
    put(2, 1);
    put(2, 0);
    put(8, UINT64_MAX);
    end_block(start);
}

static void interface(uint16_t link_type, uint32_t snaplen, int resolution, int64_t offset)
{
    size_t start = begin_block(1);
    put(2, link_type);
    put(2, 0);
    put(4, snaplen);
    put(2, 2); /* if_name, to be passed over */
    put(2, 3);
    put_bytes("eth", 4);
    if (resolution >= 0) {
        put(2, 9);
        put(2, 1);
        put(1, (uint64_t)resolution);
        put(1, 0);
        put(2, 0);
    }
    if (offset) {
        put(2, 14);
        put(2, 8);
        put(8, (uint64_t)offset);
    }
    put(4, 0);
    end_block(start);
}

static void enhanced(uint32_t number, uint64_t time, const char *data, uint32_t length)
{
    size_t start = begin_block(6);
    put(4, number);
    put(4, time >> 32);
    put(4, time & 0xffffffff);
    put(4, strlen(data));
    put(4, length);
    put_bytes(data, strlen(data));
    while (image.size % 4)
        put(1, 0);
    put(4, 0); /* end of options */
    end_block(start);
}

/* -- reading them ----------------------------------------------------------------------------------- */

struct got {
    int64_t time;
    uint32_t captured;
    uint32_t length;
    int link_type;
    char data[16];
};

/* Reads the image, `step` more bytes at a time; how many packets came. */
static size_t read_image(size_t step, struct got *got, size_t max, enum pcap_file_verdict *last,
                         struct pcap_file *file)
{
    size_t n = 0, end = 0, start = 0, want;
    struct packet packet;
    pcap_file_init(file);
    for (;;) {
        struct bytes window = {.data = image.bytes + start, .size = end - start};
        while ((*last = pcap_file_next(file, &window, &want, &packet)) == PCAP_FILE_OK) {
            assert_true(n < max);
            got[n] = (struct got){packet.time, packet.captured, packet.length, packet.link_type, ""};
            if (packet.captured < sizeof(got[n].data))
                memcpy(got[n].data, packet.data, packet.captured);
            n++;
        }
        start = (size_t)(window.data - image.bytes);
        if (*last == PCAP_FILE_BAD || end == image.size)
            return n;
        assert_true(want > window.size);
        assert_true(want <= PCAP_FILE_WINDOW_MAX);
        end = end + step < image.size ? end + step : image.size;
    }
}

static void expect(const struct got *got, size_t i, int64_t time, const char *data, uint32_t length,
                   int link_type)
{
    assert_int_equal(got[i].time, time);
    assert_string_equal(got[i].data, data);
    assert_int_equal(got[i].length, length);
    assert_int_equal(got[i].link_type, link_type);
}

static const size_t steps[] = {1, 3, 16, 100, sizeof(image.bytes)};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void pcap_in_both_orders_and_precisions(void **state)
{
    (void)state;
    static const struct {
        uint32_t magic;
        uint32_t fraction;
    } forms[] = {{0xa1b2c3d4, 123456}, {0xa1b23c4d, 123456000}};
    for (int big = 0; big < 2; big++) {
        for (size_t form = 0; form < 2; form++) {
            reset(big);
            pcap_header(forms[form].magic, 1);
            pcap_record(1700000000, forms[form].fraction, "hello", 5);
            pcap_record(4000000000u, 0, "", 99); /* after 2038; nothing captured */
            for (size_t i = 0; i < STEPS; i++) {
                struct got got[2];
                enum pcap_file_verdict last;
                struct pcap_file file;
                assert_int_equal(read_image(steps[i], got, 2, &last, &file), 2);
                assert_int_equal(last, PCAP_FILE_MORE);
                expect(got, 0, 1700000000123456000, "hello", 5, 1);
                expect(got, 1, 4000000000000000000, "", 99, 1);
                assert_int_equal(file.packets, 2);
            }
        }
    }
}

static void pcap_of_old_red_hats(void **state)
{
    (void)state;
    reset(false);
    pcap_header(0xa1b2cd34, 101);
    put(4, 7);
    put(4, 1);
    put(4, 2);
    put(4, 2);
    put(8, 0); /* interface, protocol, packet type */
    put_bytes("ab", 2);
    struct got got[1];
    enum pcap_file_verdict last;
    struct pcap_file file;
    assert_int_equal(read_image(1, got, 1, &last, &file), 1);
    expect(got, 0, 7000001000, "ab", 2, 12); /* LINKTYPE_RAW is DLT_RAW */
}

static void pcapng_with_several_interfaces_and_sections(void **state)
{
    (void)state;
    for (int big = 0; big < 2; big++) {
        reset(big);
        section();
        interface(1, 0, -1, 0);       /* Ethernet, microseconds */
        interface(113, 4, 9, 0);      /* Linux cooked, nanoseconds, snaplen 4 */
        interface(276, 0, 0x8a, 100); /* cooked v2, 1/1024 s, 100 s later */
        enhanced(0, 1700000000123456, "one", 3);
        enhanced(1, 1700000000123456789, "two", 1500);
        enhanced(2, 1024 * 5 + 512, "three", 5);
        enhanced(3, 0, "nobody", 6); /* of no interface */
        size_t start = begin_block(3);
        put(4, 6); /* simple: of interface 0, which has no snaplen */
        put_bytes("simple", 6);
        end_block(start);
        start = begin_block(2); /* obsolete packet block */
        put(2, 1);
        put(2, 0);
        put(8, 0);
        put(4, 2);
        put(4, 2);
        put_bytes("ol", 2);
        end_block(start);
        start = begin_block(0x99); /* a block that nobody knows */
        put_bytes("whatever", 8);
        end_block(start);
        image.big_endian = !big; /* the next section is of another machine */
        section();
        interface(228, 3, 6, 0);
        start = begin_block(3);
        put(4, 9);
        put_bytes("cut", 3); /* at the interface's snaplen */
        end_block(start);
        for (size_t i = 0; i < STEPS; i++) {
            struct got got[8];
            enum pcap_file_verdict last;
            struct pcap_file file;
            assert_int_equal(read_image(steps[i], got, 8, &last, &file), 6);
            assert_int_equal(last, PCAP_FILE_MORE);
            expect(got, 0, 1700000000123456000, "one", 3, 1);
            expect(got, 1, 1700000000123456789, "two", 1500, 113);
            expect(got, 2, 105500000000, "three", 5, 276);
            expect(got, 3, 0, "simple", 6, 1);
            expect(got, 4, 0, "ol", 2, 113);
            expect(got, 5, 0, "cut", 9, 228);
            assert_int_equal(file.ignored, 1);
        }
    }
}

static enum pcap_file_verdict verdict_of_image(const char **error)
{
    struct got got[4];
    enum pcap_file_verdict last;
    struct pcap_file file;
    read_image(image.size, got, 4, &last, &file);
    *error = file.error;
    return last;
}

static void expect_bad(const char *words)
{
    const char *error;
    assert_int_equal(verdict_of_image(&error), PCAP_FILE_BAD);
    assert_non_null(error);
    if (!strstr(error, words))
        fail_msg("\"%s\" does not tell of \"%s\"", error, words);
}

static void damage_is_told(void **state)
{
    (void)state;
    reset(false);
    put_bytes("GIF89a, or whatever else", 24);
    expect_bad("not a capture file");

    reset(false);
    put(4, 0xa1b2c3d4);
    put(2, 3);
    put_bytes("01234567890123456789", 20);
    expect_bad("version");

    reset(true);
    pcap_header(0xa1b2c3d4, 1);
    put(8, 0);
    put(4, PCAP_FILE_PACKET_MAX + 1);
    put(4, 0);
    expect_bad("longer than a packet");

    reset(false);
    section();
    put(4, 6);
    put(4, 13); /* no multiple of four */
    expect_bad("length");

    reset(false);
    section();
    put(4, 6);
    put(4, 16);
    put(8, 0);
    expect_bad("too short");

    reset(false);
    section();
    put(4, 1);
    put(4, 12);
    put(8, 0);
    expect_bad("too short");

    reset(false);
    section();
    interface(1, 0, -1, 0);
    size_t start = begin_block(6);
    put(4, 0);
    put(8, 0);
    put(4, 100); /* captured: more than the block holds */
    put(4, 100);
    put_bytes("four", 4);
    end_block(start);
    expect_bad("longer than its block");

    reset(false);
    start = begin_block(0x0a0d0d0a);
    put(4, 0x12345678);
    put(2, 1);
    put(2, 0);
    put(8, 0);
    end_block(start);
    expect_bad("byte-order");

    reset(false);
    start = begin_block(0x0a0d0d0a);
    put(4, 0x1a2b3c4d);
    put(2, 9);
    put(2, 0);
    put(8, 0);
    end_block(start);
    expect_bad("version");

    reset(false);
    put(4, 0x0a0d0d0a);
    put(4, 30);
    put(4, 0x1a2b3c4d);
    put(2, 1);
    put_bytes("01234567890123456789", 18);
    expect_bad("length");
}

static void strange_clocks_do_no_harm(void **state)
{
    (void)state;
    reset(false);
    section();
    interface(1, 0, 127, 0);   /* 10^127 in a second: not believed, microseconds */
    interface(1, 0, 0xbf, 0);  /* 2^63 */
    interface(1, 0, 19, 0);    /* 10^19 */
    interface(1, 0, 6, -1000); /* before 1970 */
    for (uint32_t i = 0; i < 4; i++)
        enhanced(i, UINT64_MAX - 5, "x", 1);
    enhanced(3, 5000000, "x", 1);
    struct got got[5];
    enum pcap_file_verdict last;
    struct pcap_file file;
    assert_int_equal(read_image(64, got, 5, &last, &file), 5);
    assert_int_equal(got[0].time, 0); /* beyond what nanoseconds can say */
    assert_int_equal(got[1].time, 1999999999);
    assert_int_equal(got[2].time, 1844674407);
}

static void the_largest_packet_fits_the_window(void **state)
{
    (void)state;
    reset(false);
    section();
    interface(1, 0, -1, 0);
    size_t start = begin_block(6);
    put(8, 0);
    put(4, 0);
    put(4, PCAP_FILE_PACKET_MAX);
    put(4, PCAP_FILE_PACKET_MAX);
    memset(image.bytes + image.size, 'x', PCAP_FILE_PACKET_MAX);
    image.size += PCAP_FILE_PACKET_MAX;
    memset(image.bytes + image.size, 0, 100000); /* options beyond any window */
    image.size += 100000;
    end_block(start);
    enhanced(0, 1, "after", 5);
    struct got got[2];
    enum pcap_file_verdict last;
    struct pcap_file file;
    assert_int_equal(read_image(1000, got, 2, &last, &file), 2);
    assert_int_equal(got[0].captured, PCAP_FILE_PACKET_MAX);
    assert_string_equal(got[1].data, "after");
}

/* -- files ------------------------------------------------------------------------------------------ */

static char path[] = "/tmp/picket-test-XXXXXX";

static void write_file(size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(image.bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static enum source_verdict read_file(const char *name, unsigned *packets, char *error, size_t error_size)
{
    const char *why = NULL;
    struct packet packet;
    enum source_verdict verdict;
    *packets = 0;
    struct file_source *source = file_source_open(name, &why);
    if (!source) {
        snprintf(error, error_size, "%s", why);
        return SOURCE_FAILED;
    }
    while ((verdict = file_source_next(source, &packet)) == SOURCE_PACKET)
        ++*packets;
    assert_int_equal(file_source_next(source, &packet), verdict); /* and again */
    snprintf(error, error_size, "%s", file_source_error(source) ? file_source_error(source) : "");
    assert_true(file_source_position(source) <= file_source_size(source));
    file_source_close(&source);
    assert_null(source);
    file_source_close(&source);
    return verdict;
}

static void a_file_that_is_cut_gives_what_came_before(void **state)
{
    (void)state;
    reset(false);
    pcap_header(0xa1b2c3d4, 1);
    pcap_record(1, 0, "hello", 5);
    size_t first = image.size;
    pcap_record(2, 0, "world", 5);
    for (size_t size = 0; size <= image.size; size++) {
        unsigned packets;
        char error[200];
        write_file(size);
        enum source_verdict verdict = read_file(path, &packets, error, sizeof(error));
        if (size < 24)
            assert_int_equal(verdict, SOURCE_FAILED);
        else if (size == 24 || size == first || size == image.size)
            assert_int_equal(verdict, SOURCE_END);
        else
            assert_int_equal(verdict, SOURCE_TRUNCATED);
        assert_int_equal(packets, size < first ? 0 : size < image.size ? 1 : 2);
        assert_true((verdict == SOURCE_END) == (error[0] == '\0'));
    }
    unlink(path);
}

static void what_is_no_capture_is_refused(void **state)
{
    (void)state;
    unsigned packets;
    char error[200];
    assert_int_equal(read_file("/nonexistent/file", &packets, error, sizeof(error)), SOURCE_FAILED);
    assert_non_null(strstr(error, "No such file"));
    assert_int_equal(read_file("/", &packets, error, sizeof(error)), SOURCE_FAILED);
    assert_non_null(strstr(error, "directory"));
    reset(false);
    write_file(0);
    assert_int_equal(read_file(path, &packets, error, sizeof(error)), SOURCE_FAILED);
    assert_string_equal(error, "the file is empty");
    put_bytes("not a capture at all, is it?", 28);
    write_file(image.size);
    assert_int_equal(read_file(path, &packets, error, sizeof(error)), SOURCE_FAILED);
    assert_non_null(strstr(error, "not a capture"));
    reset(false);
    pcap_header(0xa1b2c3d4, 1);
    pcap_record(1, 0, "hello", 5);
    put(8, 0);
    put(8, UINT64_MAX);
    write_file(image.size);
    assert_int_equal(read_file(path, &packets, error, sizeof(error)), SOURCE_DAMAGED);
    assert_int_equal(packets, 1);
    assert_non_null(strstr(error, "damaged at byte 45"));
    unlink(path);
}

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pcap_in_both_orders_and_precisions),
        cmocka_unit_test(pcap_of_old_red_hats),
        cmocka_unit_test(pcapng_with_several_interfaces_and_sections),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(strange_clocks_do_no_harm),
        cmocka_unit_test(the_largest_packet_fits_the_window),
        cmocka_unit_test(a_file_that_is_cut_gives_what_came_before),
        cmocka_unit_test(what_is_no_capture_is_refused),
    };
    return cmocka_run_group_tests(tests, make_path, NULL);
}
