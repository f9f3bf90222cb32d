/* SPDX-License-Identifier: Apache-2.0
 *
 * What the holder of keys needs for each kind of question: bench_key_holder KEYTAB CAPTURE... plays captures
 * through an engine whose holder is in the same process, and takes the time of every answer. The digest is
 * that of all answers: two builds that answer alike have the same.
 */
#include "base/ber.h"
#include "base/clock.h"
#include "capture/engine.h"
#include "capture/kerberos.h"
#include "capture/source.h"
#include "capture/unseal.h"
#include "keys/holder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* KDC replies by what they are: all of the exchange is worked for when its reply comes. */
enum { AS_REPLY = UNSEAL_COLLECT + 1, TGS_REPLY };

static const char *const names[] = {
    [UNSEAL_KDC_REQUEST] = "KDC request",
    [UNSEAL_KDC_REPLY] = "KDC error",
    [UNSEAL_AP_REQUEST] = "AP-REQ",
    [UNSEAL_AP_REPLY] = "AP-REP",
    [UNSEAL_NTLM] = "NTLM",
    [UNSEAL_WRAP] = "wrap token",
    [UNSEAL_RPC] = "RPC",
    [UNSEAL_PRIV] = "KRB-PRIV",
    [UNSEAL_MIC] = "MIC",
    [UNSEAL_SMB] = "SMB session",
    [UNSEAL_SMB_MESSAGE] = "SMB message",
    [UNSEAL_SMB_SIGNATURE] = "SMB signature",
    [UNSEAL_NETLOGON] = "NETLOGON",
    [UNSEAL_NETLOGON_CONTEXT] = "NETLOGON context",
    [UNSEAL_FORGET] = "forget",
    [UNSEAL_COLLECT] = "collect",
    [AS_REPLY] = "AS exchange",
    [TGS_REPLY] = "TGS exchange",
};

enum {
    KINDS = sizeof names / sizeof *names,
    INTERRUPTED = 200000, /* ns: somebody else had the processor meanwhile, which is left out */
};

static struct {
    uint64_t count;
    int64_t spent; /* ns */
} seen[KINDS];

static struct key_holder *holder;
static uint8_t answers[UNSEAL_REQUEST_MAX];
static uint64_t digest;

static uint64_t kind_of(struct bytes request)
{
    struct cursor c = cursor_of_bytes(request);
    msgpack_next(&c);
    uint64_t operation = msgpack_next(&c).uint;
    if (operation == UNSEAL_NAMED || operation == UNSEAL_POST) { /* its number, and the request within */
        msgpack_next(&c);
        msgpack_next(&c);
        operation = msgpack_next(&c).uint;
    }
    if (operation != UNSEAL_KDC_REPLY)
        return operation;
    msgpack_next(&c);
    struct cursor message = cursor_of_bytes(msgpack_next(&c).bytes);
    switch (ber_peek(&message)) {
    case BER_APPLICATION(KRB_AS_REP):
        return AS_REPLY;
    case BER_APPLICATION(KRB_TGS_REP):
        return TGS_REPLY;
    default:
        return operation;
    }
}

/* Item by item, but for the numbers of contexts: those are drawn by lot. */
static void note_answer(struct bytes answer)
{
    struct cursor c = cursor_of_bytes(answer);
    while (!cursor_done(&c)) {
        struct msgpack_item item = msgpack_next(&c);
        uint64_t number = item.type == MSGPACK_UINT ? item.uint : item.type == MSGPACK_ARRAY ? item.count : 0;
        if (number > UINT32_MAX)
            continue;
        digest = XXH3_64bits_withSeed(&number, sizeof number, digest);
        if (item.type == MSGPACK_BINARY)
            digest = XXH3_64bits_withSeed(item.bytes.data, item.bytes.size, digest);
    }
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * CLOCK_SECOND + t.tv_nsec;
}

static bool ask(void *context, struct bytes request, struct bytes *answer)
{
    (void)context;
    struct msgpack_writer w;
    uint64_t kind = kind_of(request);
    msgpack_writer_init(&w, answers, sizeof answers);
    int64_t begin = now();
    key_holder_answer(holder, 1, request, &w);
    int64_t spent = now() - begin;
    if (kind < KINDS && spent < INTERRUPTED) {
        seen[kind].count++;
        seen[kind].spent += spent;
    }
    *answer = (struct bytes){w.data, w.size};
    note_answer(*answer);
    return w.size != 0;
}

static void tell(void *context, struct bytes request)
{
    struct bytes answer;
    ask(context, request, &answer);
}

static bool load(const char *path)
{
    struct fault fault;
    uint8_t *bytes = malloc(KEYTAB_BYTES_MAX);
    FILE *file = fopen(path, "rb");
    size_t size = bytes && file ? fread(bytes, 1, KEYTAB_BYTES_MAX, file) : 0;
    bool fine = size && key_holder_load(holder, path, (struct bytes){bytes, size}, &fault);
    if (file)
        fclose(file);
    free(bytes);
    if (!fine)
        fprintf(stderr, "bench_key_holder: %s cannot be loaded\n", path);
    return fine;
}

static void drop(void *context, enum activity_kind kind, int64_t time, struct bytes record)
{
    (void)context;
    (void)kind;
    (void)time;
    (void)record;
}

static bool play(struct engine *engine, const char *path)
{
    const char *error;
    struct packet packets[16];
    size_t n;
    struct file_source *source = file_source_open(path, &error);
    if (!source) {
        fprintf(stderr, "bench_key_holder: %s: %s\n", path, error);
        return false;
    }
    while (file_source_batch(source, packets, 16, &n) == SOURCE_PACKET)
        engine_packets(engine, packets, n);
    file_source_close(&source);
    return true;
}

static void tell_costs(void)
{
    struct key_holder_status status;
    int64_t all = 0;
    for (size_t i = 0; i < KINDS; i++) {
        all += seen[i].spent;
        if (seen[i].count)
            printf("%-16s %8llu  %6.0f ns  %7.1f ms\n", names[i] ? names[i] : "?",
                   (unsigned long long)seen[i].count, (double)seen[i].spent / (double)seen[i].count,
                   (double)seen[i].spent / 1e6);
    }
    key_holder_status(holder, &status);
    printf("%-16s %8llu  %17.1f ms; unsealed %llu, missing %llu, other version %llu, wrong %llu; digest "
           "%016llx\n",
           "all", (unsigned long long)status.asked, (double)all / 1e6, (unsigned long long)status.unsealed,
           (unsigned long long)status.missing, (unsigned long long)status.other_kvno,
           (unsigned long long)status.wrong, (unsigned long long)digest);
}

int main(int argc, char **argv)
{
    const struct unsealer unsealer = {.ask = ask, .tell = tell};
    const struct engine_options options = {.unsealer = &unsealer};
    if (argc < 3) {
        fprintf(stderr, "usage: bench_key_holder KEYTAB CAPTURE...\n");
        return 1;
    }
    holder = key_holder_new(NULL);
    struct engine *engine = engine_new(&options, drop, NULL);
    if (!holder || !engine || !load(argv[1]))
        return 1;
    for (int i = 2; i < argc; i++)
        if (!play(engine, argv[i]))
            return 1;
    engine_finish(engine);
    tell_costs();
    engine_destroy(&engine);
    key_holder_destroy(&holder);
    return 0;
}
