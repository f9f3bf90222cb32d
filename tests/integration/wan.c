/* SPDX-License-Identifier: Apache-2.0
 *
 * wan LEFT RIGHT: carries frames between two interfaces as a bad line would. Reads what the line is like from
 * its standard input, a line at a time, and ends with it:
 *
 *     delay=MS jitter=MS loss=PERCENT dup=PERCENT      (any of them; the rest stays)
 *
 * For the tests' own namespaces, where the kernel offers no netem. Frames wait in a bounded queue; what does
 * not fit is lost, as on a real line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAITING    8192
#define FRAME_SIZE 65536

struct line {
    long delay, jitter; /* ms */
    long loss, dup;     /* percent */
};

struct frame {
    int64_t due; /* ms */
    int to;
    size_t size;
    uint8_t *data;
};

static struct frame waiting[WAITING]; /* by time due */
static size_t waiting_count;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int open_interface(const char *name)
{
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
    if (fd < 0 || address.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&address, sizeof address)) {
        fprintf(stderr, "wan: %s: %s\n", name, strerror(errno));
        exit(1);
    }
    struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous);
    return fd;
}

static void hold(const struct line *line, int to, const uint8_t *data, size_t size)
{
    if (waiting_count == WAITING)
        return;
    uint8_t *copy = malloc(size);
    if (!copy)
        return;
    memcpy(copy, data, size);
    int64_t due = now_ms() + line->delay + (line->jitter ? random() % (line->jitter + 1) : 0);
    size_t at = waiting_count++;
    for (; at > 0 && waiting[at - 1].due > due; at--)
        waiting[at] = waiting[at - 1];
    waiting[at] = (struct frame){.due = due, .to = to, .size = size, .data = copy};
}

static void carry(const struct line *line, int from, int to)
{
    static uint8_t data[FRAME_SIZE];
    struct sockaddr_ll sender;
    socklen_t length = sizeof sender;
    ssize_t size = recvfrom(from, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&sender, &length);
    if (size <= 0 || sender.sll_pkttype == PACKET_OUTGOING)
        return;
    if (random() % 100 < line->loss)
        return;
    hold(line, to, data, (size_t)size);
    if (random() % 100 < line->dup)
        hold(line, to, data, (size_t)size);
}

static void deliver(void)
{
    int64_t now = now_ms();
    size_t n = 0;
    for (; n < waiting_count && waiting[n].due <= now; n++) {
        /* A frame that the other side cannot take is lost, as on any line. */
        if (send(waiting[n].to, waiting[n].data, waiting[n].size, MSG_DONTWAIT) < 0)
            errno = 0;
        free(waiting[n].data);
    }
    waiting_count -= n;
    memmove(waiting, waiting + n, waiting_count * sizeof *waiting);
}

/* False at the end of the input. */
static bool obey(struct line *line)
{
    char text[256];
    ssize_t size = read(STDIN_FILENO, text, sizeof text - 1);
    if (size <= 0)
        return false;
    text[size] = '\0';
    for (char *rest = NULL, *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        char *value = strchr(word, '=');
        if (!value)
            continue;
        *value++ = '\0';
        long number = strtol(value, NULL, 10);
        if (!strcmp(word, "delay"))
            line->delay = number;
        else if (!strcmp(word, "jitter"))
            line->jitter = number;
        else if (!strcmp(word, "loss"))
            line->loss = number;
        else if (!strcmp(word, "dup"))
            line->dup = number;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: wan LEFT RIGHT\n", stderr);
        return 2;
    }
    struct line line = {0};
    int left = open_interface(argv[1]), right = open_interface(argv[2]);
    struct pollfd fds[3] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = left, .events = POLLIN},
                            {.fd = right, .events = POLLIN}};
    for (;;) {
        int64_t wait = waiting_count ? waiting[0].due - now_ms() : 1000;
        poll(fds, 3, wait < 0 ? 0 : (int)wait);
        if (fds[0].revents && !obey(&line))
            return 0;
        if (fds[1].revents)
            carry(&line, left, right);
        if (fds[2].revents)
            carry(&line, right, left);
        deliver();
    }
}
