/* SPDX-License-Identifier: Apache-2.0
 *
 * Deliberate faults, to prove that the simulator would find them. Only objects compiled with PICKET_MUTANTS
 * (the test build of picket-sim) know them; elsewhere MUTANT(x) is the constant 0 and its branch is gone.
 */
#pragma once

#define CLUSTER_MUTANTS(X)                                                                                   \
    X(REPLACE_EARLY, "the holder is replaced after 29 minutes")                                              \
    X(TELL_BEFORE_PERSIST, "a claim is sent although its state never reaches the disk")                      \
    X(WALL_CLOCK, "silence is counted on the wall clock")                                                    \
    X(BIDS_NOT_WITHDRAWN, "a bidder that hears a greater token goes on")                                     \
    X(TIE_NOT_BROKEN, "claims of one term and equal settled bit count as equal: whoever came first stays")   \
    X(NO_PRECHECK, "nobody is asked before a term is opened")                                                \
    X(VETO_IGNORED, "answers to the question are ignored")                                                   \
    X(SETTLED_AFTER_DRAW, "the settled bit is compared after the draw")                                      \
    X(RANDOM_DRAW, "draws are random, not a function of domain, term and id")                                \
    X(NO_SETTLING, "a bid is settled at once")                                                               \
    X(NO_REFUTATION, "a healthy holder yields to any greater term")                                          \
    X(REFUTE_ALWAYS, "a holder refutes whatever the support")                                                \
    X(MUTE_SUPPORT, "a node that nobody hears claims its support all the same")                              \
    X(NO_INCARNATION_LEARNING, "a greater incarnation of this node, heard from others, is ignored")          \
    X(OWN_ECHO_BUMP, "the echo of this node's own heartbeat raises its incarnation")                         \
    X(INCARNATION_KEPT, "a restart keeps the incarnation")                                                   \
    X(NO_TILT, "pauses and clock jumps are not noticed")                                                     \
    X(OBSERVE_UNCAPPED, "the observation clock takes whole jumps")                                           \
    X(NO_FENCE, "receivers take any batch")                                                                  \
    X(FENCE_FORGOTTEN, "receivers forget the fence when they restart")                                       \
    X(LINK_UNVERIFIED, "heartbeats are believed without their link")                                         \
    X(DRAW_UNVERIFIED, "a claim's draw is believed")                                                         \
    X(SIGNATURE_UNVERIFIED, "a claim's signature is not checked")                                            \
    X(ELIGIBILITY_UNCHECKED, "claims of nodes that are no candidates are accepted")                          \
    X(TERM_JUMP_ACCEPTED, "any jump of the term is accepted")                                                \
    X(REVOKED_HEARD, "what a revoked node says still counts")                                                \
    X(RELEASE_IGNORED, "a released domain is treated as held")                                               \
    X(RELEASE_NOT_SENT, "a holder that loses its directory keeps the domain")                                \
    X(NO_ANTI_ENTROPY, "what a flood missed is never repaired")                                              \
    X(RESUME_WITHOUT_CLAIM, "a holder that restarts goes on without telling its new incarnation")            \
    X(STALE_FRESH, "a silent holder still counts as fresh")                                                  \
    X(ALL_WAIT_ALIKE, "every candidate waits the same time before it bids")

enum cluster_mutant {
    MUTANT_NONE,
#define CLUSTER_MUTANT_ENUM(name, doc) MUTANT_##name,
    CLUSTER_MUTANTS(CLUSTER_MUTANT_ENUM)
#undef CLUSTER_MUTANT_ENUM
        MUTANTS,
};

#ifdef PICKET_MUTANTS
extern enum cluster_mutant cluster_mutant; /* which fault runs; defined by the simulator's test build */
#define MUTANT(name) (cluster_mutant == MUTANT_##name)
#else
#define MUTANT(name) 0
#endif
