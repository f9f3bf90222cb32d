/* SPDX-License-Identifier: Apache-2.0 */
#include "node/join.h"

#include "base/clock.h"
#include "cluster/joining.h"
#include "cluster/transport.h"
#include "node/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE (60 * CLOCK_SECOND) /* for all tries */
#define ASK_TIME 5000                /* ms for one of them */
#define PAUSE    2                   /* s between two rounds */

static int failed(const char *what, const struct fault *fault)
{
    fprintf(stderr, "picketd: %s%s\n", what, fault->text);
    return EXIT_FAILED;
}

static int no_memory(void)
{
    fputs("picketd: out of memory\n", stderr);
    return EXIT_FAILED;
}

/* A member of the token's fleet already? */
static bool member_already(const char *directory, const struct token *token)
{
    struct identity *identity = NULL;
    bool there = identity_load(&identity, disk_system(), directory, NULL) == DISK_FOUND &&
                 identity->encoded_size > 0 &&
                 memcmp(identity->trust.fleet, token->trust.fleet, FLEET_ID_SIZE) == 0;
    if (there)
        fprintf(stderr, "picketd: this host is %s of that fleet already; the token is not used\n",
                identity->certificate.name);
    identity_destroy(&identity);
    return there;
}

/* One round through the enroller's endpoints. */
static enum joining_result ask_once(struct joining *joining, const struct token *token, struct fault *fault)
{
    static uint8_t reply[ENROLMENT_REPLY_LIMIT];
    enum joining_result result = JOINING_AGAIN;
    for (unsigned i = 0; i < token->endpoint_count && result == JOINING_AGAIN; i++) {
        char endpoint[ENDPOINT_MAX_SIZE + 8];
        bool scheme = strncmp(token->endpoints[i], "tcp://", 6) == 0;
        snprintf(endpoint, sizeof(endpoint), "%s%s", scheme ? "" : "tcp://", token->endpoints[i]);
        struct bytes request = {joining->request, joining->request_size};
        size_t size =
            enrolment_ask(endpoint, token->enroller_key, request, reply, sizeof(reply), ASK_TIME, fault);
        if (size > 0)
            result = joining_finish(joining, (struct bytes){reply, size}, fault);
    }
    return result;
}

static int ask(struct joining *joining, const struct token *token)
{
    struct fault fault = {.text = "the token names no enroller"};
    int64_t until = clock_monotonic(clock_system()) + PATIENCE;
    enum joining_result result;
    while ((result = ask_once(joining, token, &fault)) == JOINING_AGAIN &&
           clock_monotonic(clock_system()) < until) {
        fprintf(stderr, "picketd: joining: %s; trying again\n", fault.text);
        sleep(PAUSE);
    }
    if (result != JOINING_DONE)
        return failed(result == JOINING_REFUSED ? "joining was refused: " : "joining: ", &fault);
    const struct certificate *certificate = &joining->identity->certificate;
    fprintf(stderr, "picketd: joined as %s, site %s\n", certificate->name, certificate->grant.site);
    return EXIT_FINE;
}

static int join(const char *directory, const char *name, const struct token *token)
{
    struct fault fault;
    struct joining *joining = calloc(1, sizeof(*joining));
    int lock = joining && directory_prepare(directory, &fault) ? directory_lock(directory, &fault) : -1;
    int status;
    if (!joining) {
        status = no_memory();
    } else if (lock < 0) {
        status = failed("", &fault);
    } else if (member_already(directory, token)) {
        status = EXIT_FINE;
    } else if (!joining_begin(joining, disk_system(), directory, token, *token->name ? NULL : name, &fault)) {
        status = failed("joining: ", &fault);
    } else {
        status = ask(joining, token);
    }
    if (joining)
        identity_destroy(&joining->identity);
    free(joining);
    if (lock >= 0)
        close(lock);
    return status;
}

int join_run(const char *directory, const char *name, const char *text)
{
    struct fault fault;
    struct token *token = secret_alloc(sizeof(*token));
    if (!token)
        return no_memory();
    int status =
        token_parse(token, text, &fault) ? join(directory, name, token) : failed("the token: ", &fault);
    secret_free(token);
    return status;
}
