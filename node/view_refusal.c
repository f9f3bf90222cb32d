/* SPDX-License-Identifier: Apache-2.0
 *
 * The answers that need nothing of the core.
 */
#include "node/view.h"

void view_refuse(struct json_writer *w, const char *code, const char *message)
{
    json_write_object(w, NULL);
    json_write_int(w, "schema", VIEW_SCHEMA);
    json_write_object(w, "error");
    json_write_string(w, "code", code);
    json_write_string(w, "message", message);
    json_write_close(w);
    json_write_close(w);
}

void view_done(struct json_writer *w, const char *what)
{
    json_write_object(w, NULL);
    json_write_int(w, "schema", VIEW_SCHEMA);
    json_write_string(w, "done", what);
    json_write_close(w);
}
