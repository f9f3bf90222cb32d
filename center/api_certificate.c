/* SPDX-License-Identifier: Apache-2.0 */
#include "center/api_certificate.h"

#include "base/clock.h"
#include "cluster/crypto_sodium.h"
#include "cluster/disk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  (256u * 1024u)
#define CHAIN_MAX 16u
#define LIFETIME  (825 * CLOCK_DAY)
#define RENEW     (21 * CLOCK_DAY)

static char *read_file(const char *path, struct fault *fault)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        fault_say(fault, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = calloc(1, FILE_MAX);
    ssize_t n = text ? read(file, text, FILE_MAX - 1) : -1;
    close(file);
    if (n <= 0) {
        fault_say(fault, n < 0 ? "%s cannot be read" : "%s is empty", path);
        free(text);
        return NULL;
    }
    return text;
}

void api_certificate_free(struct api_certificate *certificate)
{
    if (certificate->key)
        gnutls_memset(certificate->key, 0, strlen(certificate->key));
    free(certificate->certificate);
    free(certificate->key);
    *certificate = (struct api_certificate){NULL, NULL};
}

static void free_list(gnutls_pcert_st *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        gnutls_pcert_deinit(&list[i]);
    gnutls_free(list);
}

static gnutls_datum_t datum_of(const char *text)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
}

/* NULL: there are none, or too many, or one is damaged; `code` is GnuTLS's. */
static gnutls_pcert_st *import_list(const char *pem, unsigned *count, int *code)
{
    gnutls_datum_t datum = datum_of(pem);
    gnutls_pcert_st *list = gnutls_calloc(CHAIN_MAX, sizeof(*list));
    *count = CHAIN_MAX;
    *code = list ? gnutls_pcert_list_import_x509_raw(list, count, &datum, GNUTLS_X509_FMT_PEM,
                                                     GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED)
                 : GNUTLS_E_MEMORY_ERROR;
    if (*code >= 0 && *count > 0)
        return list;
    gnutls_free(list);
    return NULL;
}

static gnutls_privkey_t import_key(const char *pem, int *code)
{
    gnutls_datum_t datum = datum_of(pem);
    gnutls_privkey_t key = NULL;
    *code = gnutls_privkey_init(&key);
    if (*code >= 0)
        *code = gnutls_privkey_import_x509_raw(key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (*code >= 0)
        return key;
    if (key)
        gnutls_privkey_deinit(key);
    return NULL;
}

static bool belong_together(const gnutls_pcert_st *certificate, gnutls_privkey_t key)
{
    uint8_t one[64], other[64];
    size_t one_size = sizeof(one), other_size = sizeof(other);
    gnutls_pubkey_t public = NULL;
    bool same = gnutls_pubkey_init(&public) == 0 && gnutls_pubkey_import_privkey(public, key, 0, 0) == 0 &&
                gnutls_pubkey_get_key_id(public, 0, one, &one_size) == 0 &&
                gnutls_pubkey_get_key_id(certificate->pubkey, 0, other, &other_size) == 0 &&
                one_size == other_size && memcmp(one, other, one_size) == 0;
    if (public)
        gnutls_pubkey_deinit(public);
    return same;
}

static bool check(const struct api_certificate *pair, const char *certificate_path, const char *key_path,
                  struct fault *fault)
{
    int code;
    unsigned count = 0;
    gnutls_privkey_t key = NULL;
    gnutls_pcert_st *list = import_list(pair->certificate, &count, &code);
    bool fine = list || fault_say(fault, "%s holds no certificate in PEM: %s", certificate_path,
                                  gnutls_strerror(code));
    if (fine)
        fine = (key = import_key(pair->key, &code)) ||
               fault_say(fault, "%s holds no key in PEM without a passphrase: %s", key_path,
                         gnutls_strerror(code));
    if (fine)
        fine = belong_together(list, key) ||
               fault_say(fault, "the key in %s is not that of the first certificate in %s", key_path,
                         certificate_path);
    if (list)
        free_list(list, count);
    if (key)
        gnutls_privkey_deinit(key);
    return fine;
}

bool api_certificate_read(const char *certificate, const char *key, struct api_certificate *to,
                          struct fault *fault)
{
    *to = (struct api_certificate){NULL, NULL};
    to->certificate = read_file(certificate, fault);
    to->key = to->certificate ? read_file(key, fault) : NULL;
    if (to->key && check(to, certificate, key, fault))
        return true;
    api_certificate_free(to);
    return false;
}

bool api_certificate_give(const struct api_certificate *certificate, gnutls_pcert_st **list, unsigned *count,
                          gnutls_privkey_t *key)
{
    int code;
    *list = import_list(certificate->certificate, count, &code);
    *key = *list ? import_key(certificate->key, &code) : NULL;
    if (*key)
        return true;
    if (*list)
        free_list(*list, *count);
    return false;
}

/* --- our own --- */

static void add_name(gnutls_x509_crt_t crt, const char *name)
{
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
                                         GNUTLS_FSAN_APPEND);
}

/* Of every interface, as they are now. */
static void add_addresses(gnutls_x509_crt_t crt)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) < 0)
        return;
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        const void *address = NULL;
        unsigned size = 0;
        if (at->ifa_addr && at->ifa_addr->sa_family == AF_INET) {
            address = &((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr;
            size = 4;
        } else if (at->ifa_addr && at->ifa_addr->sa_family == AF_INET6) {
            address = &((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr;
            size = 16;
        }
        if (address)
            gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, size,
                                                 GNUTLS_FSAN_APPEND);
    }
    freeifaddrs(all);
}

static bool fill_in(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, int64_t now)
{
    uint8_t serial[16];
    char host[256] = "";
    crypto_random(serial, sizeof(serial));
    serial[0] &= 0x7f;
    serial[0] |= 0x01;
    if (gethostname(host, sizeof(host) - 1) != 0 || !*host)
        snprintf(host, sizeof(host), "picket-center");
    add_name(crt, host);
    add_name(crt, "localhost");
    add_addresses(crt);
    return gnutls_x509_crt_set_version(crt, 3) == 0 &&
           gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)) == 0 &&
           gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, host,
                                         (unsigned)strnlen(host, 64)) == 0 &&
           gnutls_x509_crt_set_activation_time(crt, (time_t)((now - CLOCK_HOUR) / CLOCK_SECOND)) == 0 &&
           gnutls_x509_crt_set_expiration_time(crt, (time_t)((now + LIFETIME) / CLOCK_SECOND)) == 0 &&
           gnutls_x509_crt_set_basic_constraints(crt, 0, -1) == 0 &&
           gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE) == 0 &&
           gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0) == 0 &&
           gnutls_x509_crt_set_key(crt, key) == 0 &&
           gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0;
}

static bool write_file(const char *directory, const char *name, mode_t mode, const gnutls_datum_t *pem,
                       struct fault *fault)
{
    char path[PATH_SIZE], fresh[PATH_SIZE];
    char temporary[64];
    snprintf(temporary, sizeof(temporary), "%s.new", name);
    if (!path_join(path, directory, name, fault) || !path_join(fresh, directory, temporary, fault))
        return false;
    int file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    bool done = file >= 0 && fchmod(file, mode) == 0 &&
                write(file, pem->data, pem->size) == (ssize_t)pem->size && fsync(file) == 0;
    if (file >= 0)
        close(file);
    return (done && rename(fresh, path) == 0) || fault_say(fault, "%s: %s", path, strerror(errno));
}

static bool make(const char *directory, int64_t now, struct fault *fault)
{
    gnutls_x509_privkey_t key = NULL;
    gnutls_x509_crt_t crt = NULL;
    gnutls_datum_t key_pem = {0}, crt_pem = {0};
    bool done = gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&crt) == 0 &&
                gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                             GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0 &&
                fill_in(crt, key, now) &&
                gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, 0, &key_pem) == 0 &&
                gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &crt_pem) == 0;
    if (!done)
        fault_say(fault, "no certificate could be made for the API");
    done = done && write_file(directory, API_KEY_FILE, 0600, &key_pem, fault) &&
           write_file(directory, API_CERTIFICATE_FILE, 0644, &crt_pem, fault);
    if (key_pem.data)
        gnutls_memset(key_pem.data, 0, key_pem.size);
    gnutls_free(key_pem.data);
    gnutls_free(crt_pem.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
    return done;
}

int64_t api_certificate_expires(const char *pem)
{
    gnutls_x509_crt_t crt = NULL;
    gnutls_datum_t datum = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
    int64_t expires = 0;
    if (gnutls_x509_crt_init(&crt) == 0 && gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_PEM) == 0)
        expires = gnutls_x509_crt_get_expiration_time(crt);
    if (crt)
        gnutls_x509_crt_deinit(crt);
    return expires > 0 && expires < INT64_MAX / CLOCK_SECOND ? expires * CLOCK_SECOND : 0;
}

int64_t api_certificate_file_expires(const char *path)
{
    struct fault fault;
    char *pem = read_file(path, &fault);
    int64_t expires = pem ? api_certificate_expires(pem) : 0;
    free(pem);
    return expires;
}

bool api_certificate_own(const char *directory, int64_t now, struct api_certificate *to, struct fault *fault)
{
    char certificate[PATH_SIZE], key[PATH_SIZE];
    struct fault ignored;
    if (!path_join(certificate, directory, API_CERTIFICATE_FILE, fault) ||
        !path_join(key, directory, API_KEY_FILE, fault))
        return false;
    if (api_certificate_read(certificate, key, to, &ignored)) {
        if (api_certificate_expires(to->certificate) > now + RENEW)
            return true;
        api_certificate_free(to);
    }
    return make(directory, now, fault) && api_certificate_read(certificate, key, to, fault);
}
