/* SPDX-License-Identifier: Apache-2.0
 *
 * picket events: what changes in the fleet, as it happens, until interrupted.
 */
#include "node/command.h"
#include "node/show.h"

#include <errno.h>
#include <string.h>

const char command_events_options[] =
    "  --json              one JSON object a line\n"
    "  --domain NAME       only what concerns that domain\n"
    "  --socket PATH       the node's control socket ($PICKET_SOCKET, /run/picket/control)\n"
    "  --timeout SECONDS   how long to wait for the node's first answer (5)\n"
    "\nRuns until it is interrupted or the node ends (exit status 1).\n";

static void show_one(const struct show_options *options, const struct show_style *style, const json_t *event)
{
    if (options->json)
        show_json(stdout, event, true);
    else if (show_text(event, "event"))
        show_event(style, event);
    fflush(stdout);
}

static int follow(struct control_client *client, const struct show_options *options, const char **reason)
{
    struct show_style style = show_style_of(options);
    int timeout = options->control.timeout ? options->control.timeout : 5000;
    while (!ferror(stdout)) {
        json_t *event = control_client_receive(client, timeout, reason);
        if (!event)
            return EXIT_FAILED;
        timeout = -1; /* the first answer comes at once; what follows, when it happens */
        if (control_refusal(event)) {
            int status = command_failed("picketd", control_refusal(event));
            json_decref(event);
            *reason = NULL;
            return status;
        }
        show_one(options, &style, event);
        json_decref(event);
    }
    *reason = strerror(errno);
    return EXIT_FAILED;
}

int command_events(int argc, char **argv)
{
    struct show_options options;
    int status = show_parse(&options, SHOW_DOMAIN, 0, 0, argc, argv);
    if (status != EXIT_FINE)
        return status < 0 ? EXIT_FINE : status;
    const char *reason = NULL;
    json_t *request = json_pack("{ss}", "verb", "events");
    if (options.domain)
        json_object_set_new(request, "domain", json_string(options.domain));
    struct control_client *client = control_client_open(&options.control, &reason);
    if (!client)
        json_decref(request);
    else if (control_client_send(client, request, &reason))
        status = follow(client, &options, &reason);
    control_client_close(&client);
    return reason ? command_failed(control_socket(&options.control), reason) : status;
}
