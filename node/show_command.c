/* SPDX-License-Identifier: Apache-2.0 */
#include "node/show_command.h"

#include "node/command.h"

#include <errno.h>
#include <string.h>

int show_finish(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return command_failed("standard output", strerror(errno));
    return status;
}

void show_answer(const struct show_options *options, json_t *answer,
                 void (*table)(const struct show_style *, const json_t *))
{
    struct show_style style = show_style_of(options);
    show_arrange(answer, options);
    if (options->json)
        show_json(stdout, answer, false);
    else
        table(&style, answer);
}

int show_ask(const struct show_options *options, json_t *request,
             void (*table)(const struct show_style *, const json_t *))
{
    json_t *answer;
    int status = control_ask(&options->control, request, &answer);
    if (status != EXIT_FINE)
        return status;
    show_answer(options, answer, table);
    json_decref(answer);
    return show_finish(EXIT_FINE);
}

int show_after_help(int parsed)
{
    return parsed < 0 ? EXIT_FINE : parsed;
}

static void show_done(const struct show_style *style, const json_t *answer)
{
    const char *done = show_text(answer, "done");
    show_line(style, NULL, "%s", done ? done : "done");
}

int show_change(const struct show_options *options, const char *verb, const char *domain, int on)
{
    json_t *request = json_pack("{ssss*}", "verb", verb, "domain", domain);
    if (on >= 0)
        json_object_set_new(request, "on", json_boolean(on));
    return show_ask(options, request, show_done);
}
