/* SPDX-License-Identifier: Apache-2.0
 *
 * The newest report of each domain's holder. News goes out with the next batch, like a claim's; it is in no
 * digest: the holder says it again within minutes, and nobody decides anything by it.
 */
#include <stdlib.h>

#include "cluster/body.h"
#include "cluster/core.h"
#include "cluster/report.h"

/* Made when a domain's first report comes: most members of a large fleet never see one. */
struct kept_report {
    uint64_t term, incarnation, sequence;
    struct node_id id;
    int64_t wall; /* ms, when it came */
    uint16_t told;
    uint16_t size;
    uint8_t encoded[REPORT_MAX_SIZE];
};

static struct kept_report *slot_for(struct cluster *self, uint32_t domain)
{
    if (domain >= CLUSTER_DOMAINS)
        return NULL;
    if (!self->reports[domain])
        self->reports[domain] = calloc(1, sizeof *self->reports[domain]);
    return self->reports[domain];
}

static bool newer(const struct kept_report *kept, const struct report *report)
{
    struct report have = {
        .term = kept->term, .id = kept->id, .incarnation = kept->incarnation, .sequence = kept->sequence};
    return kept->size == 0 || report_compare(report, &have) > 0;
}

static void keep(struct cluster *self, uint32_t domain, const struct report *report, struct bytes encoded,
                 uint16_t told)
{
    struct kept_report *kept = self->reports[domain];
    kept->term = report->term;
    kept->id = report->id;
    kept->incarnation = report->incarnation;
    kept->sequence = report->sequence;
    kept->wall = self->wall;
    kept->told = told;
    kept->size = (uint16_t)encoded.size;
    memcpy(kept->encoded, encoded.data, encoded.size);
    self->gossip.reports_waiting |= UINT64_C(1) << domain;
    self->gossip.news_waiting = true;
}

bool reports_issue(struct cluster *self, const char *domain_name, struct bytes data)
{
    uint32_t domain = members_domain(self, domain_name, false);
    struct claim claim;
    if (domain == UINT32_MAX || !election_holds(self, domain, &claim))
        return false;
    struct kept_report *kept = slot_for(self, domain);
    if (!kept)
        return false;
    struct report report = {
        .term = claim.term,
        .id = self->id,
        .incarnation = claim.incarnation,
        .sequence = 1,
        .data = data,
    };
    memcpy(report.domain, claim.domain, sizeof report.domain);
    if (!newer(kept, &report))
        report.sequence = kept->sequence + 1;
    uint8_t encoded[REPORT_MAX_SIZE];
    size_t size = report_write(encoded, sizeof encoded, &report, &self->crypto);
    if (size == 0)
        return false;
    keep(self, domain, &report, (struct bytes){encoded, size}, 0);
    return true;
}

/* Whether the register names its signer: nobody else's report is kept, however great its numbers are. */
static bool of_the_holder(const struct cluster *self, uint32_t domain, const struct report *report)
{
    struct claim claim;
    return claim_read(&claim, election_register(self, domain)) && claim.settled &&
           claim.term == report->term && node_id_equal(&claim.id, &report->id) &&
           claim.incarnation >= report->incarnation;
}

static bool take(struct cluster *self, struct bytes encoded, const struct source *source)
{
    struct report report;
    if (!report_read(&report, encoded))
        return false;
    uint32_t domain = members_domain(self, report.domain, false);
    uint32_t member = members_find(self, &report.id);
    if (domain == UINT32_MAX || member == NO_MEMBER || member == 0 || !of_the_holder(self, domain, &report))
        return true; /* its claim may be on the way; it is said again */
    struct kept_report *kept = slot_for(self, domain);
    if (!kept)
        return true;
    if (!newer(kept, &report)) {
        if (kept->size == encoded.size && memcmp(kept->encoded, encoded.data, encoded.size) == 0)
            kept->told |= source_bit(source);
        return true;
    }
    uint8_t key[PUBLIC_KEY_SIZE];
    if (!budget_record(self, source->budget) || !members_public_key(self, member, key))
        return true;
    if (!signed_verify(encoded, key, &self->crypto))
        return false;
    keep(self, domain, &report, encoded, source_bit(source));
    return true;
}

void reports_take(struct cluster *self, const struct wire *wire, const struct source *source)
{
    struct cursor items = wire->reports;
    for (uint32_t left = wire->report_count; left;)
        if (!take(self, wire_next(&items, &left), source))
            self->counters.reports_refused++;
}

uint64_t reports_for(const struct cluster *self, unsigned link)
{
    uint64_t reports = 0;
    for (uint64_t waiting = self->gossip.reports_waiting; waiting; waiting &= waiting - 1) {
        unsigned domain = (unsigned)__builtin_ctzll(waiting);
        if (!(self->reports[domain]->told >> link & 1u))
            reports |= UINT64_C(1) << domain;
    }
    return reports;
}

/* Not more in a message than fit; what is left of `reports` goes into the next. */
bool reports_put(struct cluster *self, struct msgpack_writer *w, uint64_t *reports)
{
    uint32_t count = 0;
    for (uint64_t left = *reports; left && count < REPORTS_A_MESSAGE; left &= left - 1)
        count++;
    msgpack_put_uint(w, WIRE_KEY_REPORTS);
    msgpack_put_array(w, count);
    for (; count; count--) {
        const struct kept_report *kept = self->reports[__builtin_ctzll(*reports)];
        msgpack_put_binary(w, kept->encoded, kept->size);
        *reports &= *reports - 1;
    }
    return *reports != 0;
}

void reports_forget_link(struct cluster *self, int link)
{
    for (unsigned i = 0; i < CLUSTER_DOMAINS; i++)
        if (self->reports[i])
            self->reports[i]->told &= (uint16_t) ~(1u << link);
}

size_t reports_bytes(const struct cluster *self)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < CLUSTER_DOMAINS; i++)
        bytes += self->reports[i] ? sizeof *self->reports[i] : 0;
    return bytes;
}

void reports_clear(struct cluster *self)
{
    for (unsigned i = 0; i < CLUSTER_DOMAINS; i++) {
        free(self->reports[i]);
        self->reports[i] = NULL;
    }
}

bool cluster_report(const struct cluster *self, const char *domain_name, struct cluster_report_view *view)
{
    uint32_t domain = members_domain((struct cluster *)self, domain_name, false);
    if (domain >= CLUSTER_DOMAINS || !self->reports[domain] || !self->reports[domain]->size)
        return false;
    const struct kept_report *kept = self->reports[domain];
    struct report report;
    if (!report_read(&report, (struct bytes){kept->encoded, kept->size}))
        return false;
    *view = (struct cluster_report_view){.id = kept->id,
                                         .term = kept->term,
                                         .sequence = kept->sequence,
                                         .wall = kept->wall,
                                         .data = report.data};
    return true;
}
