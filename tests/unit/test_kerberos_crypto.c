/* SPDX-License-Identifier: Apache-2.0
 *
 * Kerberos' cryptography against libkrb5's, with random keys, lengths and usages, and by the examples of the
 * RFCs.
 */
#include "tests/unit/unit.h"

#include <sodium.h>

#include "keys/kerberos_crypto.h"
#include "tests/unit/krb5_oracle.h"

static const int32_t etypes[] = {17, 18, 19, 20, 23};
enum { ETYPES = sizeof etypes / sizeof *etypes, SIZE_MAX_HERE = 3000 };

static struct derived_keys *derived;

static int set_up(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return -1;
    derived = derived_keys_new();
    return derived ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    derived_keys_destroy(&derived);
    derived_keys_destroy(&derived);
    return 0;
}

static struct key_material random_key(int32_t etype)
{
    struct key_material key = {.etype = etype, .size = (uint8_t)kerberos_key_size(etype)};
    randombytes_buf(key.bytes, key.size);
    return key;
}

static int32_t random_usage(void)
{
    return (int32_t)(randombytes_uniform(4) ? randombytes_uniform(64) + 1 : randombytes_uniform(1u << 30));
}

/* What libkrb5 sealed is read, in memory of its exact size; and not when a bit of it, the key or the usage is
 * another. */
static void round_trip(const struct key_material *key, int32_t usage, size_t size)
{
    uint8_t plain[SIZE_MAX_HERE], cipher[SIZE_MAX_HERE + 64];
    randombytes_buf(plain, sizeof plain);
    size_t length = oracle_seal(key, usage, plain, size, cipher, sizeof cipher), got = 0;
    uint8_t *exact = malloc(length), *to = malloc(length);
    assert_true(exact && to);
    memcpy(exact, cipher, length);
    struct bytes sealed = {exact, length};
    assert_int_equal(kerberos_decrypt(derived, key, usage, sealed, to, &got), UNSEAL_FINE);
    assert_int_equal(got, size);
    assert_memory_equal(to, plain, size);
    memcpy(to, cipher, length); /* in its own place */
    assert_int_equal(kerberos_decrypt(derived, key, usage, (struct bytes){to, length}, to, &got),
                     UNSEAL_FINE);
    assert_memory_equal(to, plain, size);
    uint32_t bit = randombytes_uniform((uint32_t)length * 8);
    exact[bit / 8] ^= (uint8_t)(1u << bit % 8);
    assert_int_equal(kerberos_decrypt(derived, key, usage, sealed, to, &got), UNSEAL_WRONG_KEY);
    assert_int_equal(got, 0);
    exact[bit / 8] ^= (uint8_t)(1u << bit % 8);
    assert_int_equal(kerberos_decrypt(derived, key, usage + 64, sealed, to, &got), UNSEAL_WRONG_KEY);
    struct key_material other = *key;
    other.bytes[randombytes_uniform(key->size)] ^= 1;
    assert_int_equal(kerberos_decrypt(derived, &other, usage, sealed, to, &got), UNSEAL_WRONG_KEY);
    free(exact);
    free(to);
}

static void test_decrypt(void **state)
{
    (void)state;
    for (size_t e = 0; e < ETYPES; e++) {
        struct key_material key = random_key(etypes[e]);
        for (size_t size = 0; size < 100; size++)
            round_trip(&key, random_usage(), size);
        for (int32_t usage = 1; usage < 64; usage++)
            round_trip(&key, usage, 50);
        for (unsigned i = 0; i < 100; i++) {
            key = random_key(etypes[e]);
            round_trip(&key, random_usage(), randombytes_uniform(SIZE_MAX_HERE));
        }
    }
}

/* As Windows numbers usages with RC4, and as RFC 4120 does. */
static void test_rc4_reply(void **state)
{
    (void)state;
    struct key_material key = random_key(23);
    uint8_t cipher[64], to[64];
    size_t got, size;
    for (int32_t usage = 8; usage <= 9; usage++) {
        size = oracle_seal(&key, usage, "reply", 5, cipher, sizeof cipher);
        assert_int_equal(kerberos_decrypt(derived, &key, 9, (struct bytes){cipher, size}, to, &got),
                         UNSEAL_FINE);
        assert_int_equal(kerberos_decrypt(derived, &key, 8, (struct bytes){cipher, size}, to, &got),
                         usage == 8 ? UNSEAL_FINE : UNSEAL_WRONG_KEY);
    }
}

static void test_short(void **state)
{
    (void)state;
    for (size_t e = 0; e < ETYPES; e++) {
        struct key_material key = random_key(etypes[e]);
        uint8_t cipher[64], to[64];
        size_t got, least = oracle_seal(&key, 2, "", 0, cipher, sizeof cipher);
        assert_int_equal(kerberos_decrypt(derived, &key, 2, (struct bytes){cipher, least}, to, &got),
                         UNSEAL_FINE);
        for (size_t size = 0; size < least; size++) {
            assert_int_equal(kerberos_decrypt(derived, &key, 2, (struct bytes){cipher, size}, to, &got),
                             UNSEAL_MALFORMED);
            assert_int_equal(got, 0);
        }
        key.size--;
        assert_int_equal(kerberos_decrypt(derived, &key, 2, (struct bytes){cipher, least}, to, &got),
                         UNSEAL_ETYPE);
        assert_false(kerberos_checksum_fits(derived, &key, 2, NULL, 0, (struct bytes){cipher, 12}));
    }
    struct key_material des = {.etype = 3, .size = 8};
    size_t got;
    assert_int_equal(kerberos_decrypt(derived, &des, 2, (struct bytes){0}, NULL, &got), UNSEAL_ETYPE);
    assert_int_equal(kerberos_mac_size(3), 0);
    assert_false(kerberos_etype_known(1));
    assert_false(kerberos_etype_known(16));
    assert_false(kerberos_etype_known(24));
    assert_true(kerberos_etype_known(23));
}

static krb5_crypto_iov iov(krb5_cryptotype type, uint8_t *data, size_t size)
{
    return (krb5_crypto_iov){.flags = type, .data = {.length = (unsigned)size, .data = (char *)data}};
}

/* Parts in clear between those that are sealed, as RPC has them. */
static void test_parts(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 400; round++) {
        struct key_material key = random_key(etypes[round % 4]);
        int32_t usage = random_usage();
        uint8_t clear[40], sealed[16 + 400], plain[400], mac[KERBEROS_MAC_MAX];
        size_t size = randombytes_uniform(sizeof plain + 1);
        randombytes_buf(clear, sizeof clear);
        randombytes_buf(plain, sizeof plain);
        memcpy(sealed + 16, plain, size);
        krb5_keyblock block = oracle_block(&key);
        unsigned mac_size;
        assert_int_equal(krb5_c_crypto_length(NULL, key.etype, KRB5_CRYPTO_TYPE_TRAILER, &mac_size), 0);
        assert_int_equal(mac_size, kerberos_mac_size(key.etype));
        krb5_crypto_iov iovs[] = {
            iov(KRB5_CRYPTO_TYPE_HEADER, sealed, 16),
            iov(KRB5_CRYPTO_TYPE_SIGN_ONLY, clear, sizeof clear),
            iov(KRB5_CRYPTO_TYPE_DATA, sealed + 16, size),
            iov(KRB5_CRYPTO_TYPE_TRAILER, mac, mac_size),
        };
        assert_int_equal(krb5_c_encrypt_iov(NULL, &block, usage, NULL, iovs, 4), 0);
        uint8_t again[sizeof sealed];
        memcpy(again, sealed, sizeof sealed);
        struct bytes runs[] = {{sealed, 16}, {clear, sizeof clear}, {sealed + 16, size}};
        const struct bytes end = {mac, mac_size};
        assert_int_equal(kerberos_decrypt_parts(derived, &key, usage, sealed, 16 + size, runs, 3, end),
                         UNSEAL_FINE);
        assert_memory_equal(sealed + 16, plain, size);
        memcpy(sealed, again, sizeof sealed);
        clear[randombytes_uniform(sizeof clear)] ^= 1;
        assert_int_equal(kerberos_decrypt_parts(derived, &key, usage, sealed, 16 + size, runs, 3, end),
                         UNSEAL_WRONG_KEY);
        assert_int_equal(kerberos_decrypt_parts(derived, &key, usage, sealed, 15, runs, 3, end),
                         UNSEAL_MALFORMED);
        assert_int_equal(kerberos_decrypt_parts(derived, &key, usage, sealed, 16 + size, runs, 3,
                                                (struct bytes){mac, mac_size - 1}),
                         UNSEAL_MALFORMED);
    }
    struct key_material rc4 = random_key(23);
    uint8_t room[32];
    assert_int_equal(
        kerberos_decrypt_parts(derived, &rc4, 2, room, sizeof room, NULL, 0, (struct bytes){room, 16}),
        UNSEAL_ETYPE);
}

static void test_checksum(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        struct key_material key = random_key(etypes[round % ETYPES]);
        int32_t usage = random_usage(), type = 0;
        uint8_t data[600], sum[KERBEROS_MAC_MAX];
        size_t size = randombytes_uniform(sizeof data + 1), cut = randombytes_uniform((uint32_t)size + 1);
        randombytes_buf(data, sizeof data);
        for (int32_t t = -138; t <= 20 && !type; t++)
            type = kerberos_checksum_etype(t) == key.etype ? t : 0;
        struct bytes made = {sum, oracle_checksum(&key, usage, type, data, size, sum)};
        const struct bytes runs[] = {{data, cut}, {data + cut, size - cut}};
        assert_true(kerberos_checksum_fits(derived, &key, usage, runs, 2, made));
        assert_false(kerberos_checksum_fits(derived, &key, usage + 1, runs, 2, made));
        made.size--;
        assert_false(kerberos_checksum_fits(derived, &key, usage, runs, 2, made));
        made.size++;
        sum[randombytes_uniform((uint32_t)made.size)] ^= 0x10;
        assert_false(kerberos_checksum_fits(derived, &key, usage, runs, 2, made));
    }
    assert_int_equal(kerberos_checksum_etype(0), 0);
    assert_int_equal(kerberos_checksum_etype(1), 0);
}

static void test_combine(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 500; round++) {
        struct key_material a = random_key(etypes[round % ETYPES]), both;
        struct key_material b = random_key(etypes[randombytes_uniform(ETYPES)]);
        krb5_keyblock first = oracle_block(&a), second = oracle_block(&b), *expected;
        assert_int_equal(krb5_c_fx_cf2_simple(NULL, &first, "subkeyarmor", &second, "ticketarmor", &expected),
                         0);
        assert_true(kerberos_combine(derived, &a, "subkeyarmor", &b, "ticketarmor", &both));
        assert_int_equal(both.etype, expected->enctype);
        assert_int_equal(both.size, expected->length);
        assert_memory_equal(both.bytes, expected->contents, both.size);
        krb5_free_keyblock(NULL, expected);
        b.size--;
        assert_false(kerberos_combine(derived, &a, "a", &b, "b", &both));
    }
}

/* More keys than there is room for: each still reads its own. */
static void test_many(void **state)
{
    (void)state;
    struct key_material key = random_key(18);
    uint8_t cipher[64], to[64];
    size_t got, size = oracle_seal(&key, 2, "what", 4, cipher, sizeof cipher);
    for (unsigned i = 0; i < 20000; i++) {
        struct key_material other = key;
        memcpy(other.bytes, &i, sizeof i);
        assert_int_equal(kerberos_decrypt(derived, &other, 2, (struct bytes){cipher, size}, to, &got),
                         UNSEAL_WRONG_KEY);
        if (i % 100 == 0)
            assert_int_equal(kerberos_decrypt(derived, &key, 2, (struct bytes){cipher, size}, to, &got),
                             UNSEAL_FINE);
    }
}

/* --- the examples of the RFCs --- */

static size_t from_hex(const char *hex, uint8_t *to)
{
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned octet;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &octet), 1);
        to[i] = (uint8_t)octet;
    }
    return size;
}

/* RFC 6113 appendix A */
static void test_combine_examples(void **state)
{
    (void)state;
    static const struct {
        int etype;
        const char *result;
    } vectors[] = {
        {17, "97df97e4b798b29eb31ed7280287a92a"},
        {18, "4d6ca4e629785c1f01baf55e2e548566b9617ae3a96868c337cb93b5e72b1c7b"},
        {23, "24d7f6b6bae4e5c00d2082c5ebab3672"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct key_material keys[2], both;
        const char *words[] = {"key1", "key2"};
        for (int k = 0; k < 2; k++) {
            krb5_data word = {.length = 4, .data = (char *)words[k]};
            krb5_keyblock block;
            assert_int_equal(krb5_c_string_to_key(NULL, vectors[i].etype, &word, &word, &block), 0);
            keys[k] = (struct key_material){.etype = vectors[i].etype, .size = (uint8_t)block.length};
            memcpy(keys[k].bytes, block.contents, block.length);
            krb5_free_keyblock_contents(NULL, &block);
        }
        uint8_t expected[32];
        size_t size = from_hex(vectors[i].result, expected);
        assert_true(kerberos_combine(derived, &keys[0], "a", &keys[1], "b", &both));
        assert_int_equal(both.size, size);
        assert_memory_equal(both.bytes, expected, size);
    }
}

/* RFC 8009 appendix A */
static void test_sha2_examples(void **state)
{
    (void)state;
    static const struct {
        int etype;
        const char *key, *cipher;
    } vectors[] = {
        {19, "3705d96080c17728a0e800eab6e0d23c",
         "84d7f30754ed987bab0bf3506beb09cfb55402cef7e6877ce99e247e52d16ed4421dfdf8976c"},
        {20, "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52",
         "4ed7b37c2bcac8f74f23c1cf07e62bc7b75fb3f637b9f559c7f664f69eab7b6092237526ea0d1f61cb20d69d10f2"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct key_material key = {.etype = vectors[i].etype};
        uint8_t cipher[64], plain[64];
        size_t size, cipher_size = from_hex(vectors[i].cipher, cipher);
        key.size = (uint8_t)from_hex(vectors[i].key, key.bytes);
        struct bytes sealed = {cipher, cipher_size};
        assert_int_equal(kerberos_decrypt(derived, &key, 2, sealed, plain, &size), UNSEAL_FINE);
        assert_int_equal(size, 6);
        assert_memory_equal(plain, "\0\1\2\3\4\5", 6);
        /* Whatever bit is turned, nothing comes out. */
        for (size_t bit = 0; bit < cipher_size * 8; bit++) {
            cipher[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(kerberos_decrypt(derived, &key, 2, sealed, plain, &size), UNSEAL_WRONG_KEY);
            assert_int_equal(size, 0);
            cipher[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decrypt),       cmocka_unit_test(test_rc4_reply),
        cmocka_unit_test(test_short),         cmocka_unit_test(test_parts),
        cmocka_unit_test(test_checksum),      cmocka_unit_test(test_combine),
        cmocka_unit_test(test_many),          cmocka_unit_test(test_combine_examples),
        cmocka_unit_test(test_sha2_examples),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
