/* SPDX-License-Identifier: Apache-2.0 */
#include "center/admission.h"

bool admission_init(struct admission *self, const uint8_t authority[PUBLIC_KEY_SIZE], struct bytes policy)
{
    memset(self, 0, sizeof(*self));
    memcpy(self->trust.authority, authority, PUBLIC_KEY_SIZE);
    return policy.size == 0 || admission_learn(self, policy);
}

bool admission_learn(struct admission *self, struct bytes policy)
{
    struct policy newer;
    if (policy.size == 0 || policy.size > sizeof(self->encoded) ||
        !policy_read(&newer, policy, &self->trust, crypto_verifier()) ||
        (self->encoded_size && newer.version <= self->policy.version))
        return false;
    memcpy(self->encoded, policy.data, policy.size);
    self->encoded_size = policy.size;
    return policy_read(&self->policy, (struct bytes){self->encoded, self->encoded_size}, &self->trust,
                       crypto_verifier());
}

bool admission_check(const struct admission *self, const struct delivery_message *hello,
                     const uint8_t curve_key[CURVE_KEY_SIZE], struct certificate *certificate,
                     struct fault *fault)
{
    const struct policy *policy = self->encoded_size ? &self->policy : NULL;
    uint8_t expected[CURVE_KEY_SIZE];
    if (hello->version != DELIVERY_VERSION)
        return fault_say(fault, "version %llu of the protocol is not known here",
                         (unsigned long long)hello->version);
    if (!certificate_read(certificate, hello->certificate, &self->trust, policy, crypto_verifier()))
        return fault_say(fault, "its certificate is not of this fleet, whose authority center/authority "
                                "names");
    if (memcmp(certificate->grant.id.bytes, hello->node.data, NODE_ID_SIZE) != 0 ||
        !crypto_curve_public(expected, certificate->public_key) ||
        !crypto_equal(expected, curve_key, CURVE_KEY_SIZE))
        return fault_say(fault, "its certificate is another node's");
    if (policy && policy_revokes(policy, &certificate->grant.id))
        return fault_say(fault, "it is revoked");
    return true;
}
