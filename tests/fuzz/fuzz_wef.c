/* SPDX-License-Identifier: Apache-2.0
 *
 * The event collector: the first byte says who asks and where, the rest is an envelope, twice (so that what
 * was kept of the first, a bookmark, goes into the second's answer). Then what is saved is loaded again, and
 * the input itself is loaded as if it had been saved, and read as if it were sealed.
 */
#include <assert.h>
#include <stdlib.h>

#include "events/wef_sealed.h"
#include "events/wef_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum wef_taken take(void *context, const struct wef_peer *peer, struct bytes xml)
{
    struct wef_session *const *session = context;
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < xml.size; i++)
        sum = (uint8_t)(sum + xml.data[i]);
    return wef_session_may_speak(*session, peer, xml) ? WEF_NO_ROOM : WEF_TAKEN;
}

static void ask(struct wef_session *session, uint8_t how, const char *path, struct bytes soap)
{
    static const char name[] = "DC01$@CORP.EXAMPLE", thumbprint[] = "00";
    struct wef_request request = {
        .peer = {.name = {.data = (const uint8_t *)name, .size = how & 2 ? 6 : sizeof name - 1},
                 .kerberos = !(how & 2),
                 .thumbprint = {.data = (const uint8_t *)thumbprint, .size = 2}},
        .path = path,
        .soap = soap,
        .now = 1000,
    };
    struct wef_answer answer;
    wef_session_handle(session, &request, &answer);
    uint8_t *to = malloc(2 * answer.soap.size + 2);
    if (!to)
        return;
    wef_encode(answer.soap, answer.utf16, to, 2 * answer.soap.size + 2);
    free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wef_session *session = NULL;
    const struct wef_settings settings = {
        .terms = {.heartbeat = 60, .latency = 5}, .seed = 1, .take = take, .context = &session};
    uint8_t how = size ? data[0] : 0;
    struct bytes soap = {.data = data + (size > 0), .size = size - (size > 0)};
    session = wef_session_new(&settings);
    if (!session)
        return 0;
    ask(session, how, wef_subscription_path(), soap);
    ask(session, how, "/wsman/SubscriptionManager/WEC", soap);
    size_t saved_size;
    uint8_t *saved = wef_session_save(session, &saved_size);
    wef_session_destroy(&session);
    session = wef_session_new(&settings);
    if (session && saved) {
        bool loaded = wef_session_load(session, (struct bytes){.data = saved, .size = saved_size});
        assert(loaded);
        (void)loaded;
        wef_session_load(session, soap);
    }
    free(saved);
    wef_session_destroy(&session);
    struct wef_sealed sealed;
    wef_sealed_read(wef_sealed_content_type(WEF_SPNEGO), soap, WEF_SPNEGO, &sealed);
    return 0;
}
