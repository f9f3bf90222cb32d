/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/report.h"

#include "cluster/body.h"

enum report_key {
    REPORT_DOMAIN,
    REPORT_TERM,
    REPORT_ID,
    REPORT_INCARNATION,
    REPORT_SEQUENCE,
    REPORT_DATA,
};
#define REPORT_REQUIRED                                                                                      \
    (1u << REPORT_DOMAIN | 1u << REPORT_TERM | 1u << REPORT_ID | 1u << REPORT_INCARNATION |                  \
     1u << REPORT_SEQUENCE)

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int report_compare(const struct report *a, const struct report *b)
{
    int order = compare_numbers(a->term, b->term);
    if (!order)
        order = node_id_compare(&a->id, &b->id);
    if (!order)
        order = compare_numbers(a->incarnation, b->incarnation);
    return order ? order : compare_numbers(a->sequence, b->sequence);
}

size_t report_write(void *buffer, size_t capacity, const struct report *report,
                    const struct cluster_crypto *crypto)
{
    struct body_writer writer;
    if (report->data.size > REPORT_DATA_MAX)
        return 0;
    body_begin(&writer, buffer, capacity, BODY_REPORT);
    body_put_text(&writer, REPORT_DOMAIN, report->domain);
    body_put_uint(&writer, REPORT_TERM, report->term);
    body_put_binary(&writer, REPORT_ID, report->id.bytes, NODE_ID_SIZE);
    body_put_uint(&writer, REPORT_INCARNATION, report->incarnation);
    body_put_uint(&writer, REPORT_SEQUENCE, report->sequence);
    if (report->data.size)
        body_put_binary(&writer, REPORT_DATA, report->data.data, report->data.size);
    return body_sign(&writer, crypto);
}

static void read_value(struct report *report, struct body *body, int key)
{
    switch (key) {
    case REPORT_DOMAIN:
        body_text(body, report->domain, sizeof report->domain, domain_valid);
        break;
    case REPORT_TERM:
        report->term = body_uint(body, UINT64_MAX);
        break;
    case REPORT_ID:
        body_binary(body, report->id.bytes, NODE_ID_SIZE);
        break;
    case REPORT_INCARNATION:
        report->incarnation = body_uint(body, UINT64_MAX);
        break;
    case REPORT_SEQUENCE:
        report->sequence = body_uint(body, UINT64_MAX);
        break;
    case REPORT_DATA:
        report->data = body_bytes(body, REPORT_DATA_MAX);
        break;
    default:
        body_skip(body);
        break;
    }
}

bool report_read(struct report *report, struct bytes encoded)
{
    struct signed_body parts;
    *report = (struct report){0};
    if (encoded.size > REPORT_MAX_SIZE || !signed_split(&parts, encoded))
        return false;
    struct body body = body_open(parts.body, BODY_REPORT);
    for (int key; (key = body_next(&body)) >= 0;)
        read_value(report, &body, key);
    return body_end(&body, REPORT_REQUIRED) && report->term > 0 && report->incarnation > 0 &&
           report->sequence > 0;
}
