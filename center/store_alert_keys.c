/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_alert_keys.h"

bool store_alert_newest(struct store *store, uint64_t workspace, const char *detector, uint32_t external_id,
                        struct subject key, struct stored_alert *to)
{
    uint8_t id[16];
    struct store_rows rows = store_query(
        store,
        "SELECT id FROM alerts WHERE workspace = ?1 AND detector = ?2 AND key = ?3"
        " AND external_id = ?4 ORDER BY number DESC LIMIT 1",
        store_uint(workspace), store_string(detector), store_subject(key), store_int(external_id));
    bool found = store_next(&rows);
    if (found)
        store_get_id(&rows, 0, id);
    store_rows_end(&rows);
    return found && store_alert_get(store, workspace, id, to);
}
