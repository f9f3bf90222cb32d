/* SPDX-License-Identifier: Apache-2.0
 *
 * What a capture thread and the holder of keys say to each other. The first byte says which of them reads:
 * packets of requests, answers, orders, reports. What was read comes out the same when it is written again.
 */
#include "keys/line.h"
#include "keys/order.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine)
{
    if (!fine)
        abort();
}

static void read_packet(struct bytes bytes)
{
    struct line_packet packet;
    struct bytes request;
    size_t sum = LINE_NUMBER_SIZE;
    bool last = false;
    if (!line_packet_read(&packet, bytes))
        return;
    while (line_packet_next(&packet, &request, &last)) {
        check(request.size > 0 && request.size <= UNSEAL_REQUEST_MAX);
        check(request.data >= bytes.data && request.data + request.size <= bytes.data + bytes.size);
        sum += LINE_SIZE_SIZE + request.size;
    }
    check(last && sum == bytes.size);
}

static void read_answer(struct bytes bytes)
{
    struct bytes answer;
    uint32_t number;
    if (line_answer_read(&number, &answer, bytes))
        check(answer.size + LINE_NUMBER_SIZE == bytes.size);
}

static void read_order(struct bytes bytes)
{
    static struct order order, again;
    uint8_t buffer[ORDER_MAX];
    if (!order_read(&order, bytes))
        return;
    check(order_read(&again, order_write(&order, buffer)));
    check(memcmp(&order, &again, sizeof(order)) == 0);
}

static void read_report(struct bytes bytes)
{
    static struct order_report report, again;
    uint8_t buffer[ORDER_REPORT_MAX];
    if (!order_report_read(&report, bytes))
        return;
    check(order_report_read(&again, order_report_write(&report, buffer)));
    check(memcmp(&report, &again, sizeof(report)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct bytes bytes) = {read_packet, read_answer, read_order, read_report};
    if (size == 0)
        return 0;
    /* Of its exact size, so that a byte read behind it is noticed. */
    uint8_t *copy = malloc(size > 1 ? size - 1 : 1);
    check(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    readers[data[0] % 4]((struct bytes){copy, size - 1});
    free(copy);
    return 0;
}
