/* SPDX-License-Identifier: Apache-2.0
 *
 * The election of one domain's synchronizer (docs/cluster.md), for N nodes of which those below
 * CANDIDATES are candidates. README.md in this folder says what is abstracted, why that is sound, what is
 * checked, and what each switch does. run.sh builds and runs the configurations.
 */
#ifndef N
#define N 2 /* nodes: 2 or 3 */
#endif
#ifndef CANDIDATES
#define CANDIDATES N /* nodes below this number may be elected */
#endif
#ifndef DRAWS
#define DRAWS 144 /* two bits a term: how far the order of the draws is turned in that term */
#endif
#ifndef CRASHES
#define CRASHES 0 /* budgets of faults */
#endif
#ifndef LOSSES
#define LOSSES 0 /* how many of the crashes may lose the disk */
#endif
#ifndef PAUSES
#define PAUSES 0
#endif
#ifndef CUTS
#define CUTS 0
#endif
#ifndef OFFS
#define OFFS 0 /* candidacy switched off or directory lost */
#endif
#ifndef DELAYS
#define DELAYS 0 /* claims held back for any time */
#endif

#define MAX_TERM 15
#define MAX_INC 7

/* A claim is one number, so that its order is the order of numbers: term, settled, draw, id, inc, released,
   support. The draw is a function of term and id, here a rank among the candidates of that term. */
#ifdef TIE
#define DRAW(t, i) 0
#elif defined(MUTANT_RANDOM_DRAW)
#define DRAW(t, i) (((i) + ((DRAWS >> (2 * ((t) % 4))) & 3) + lost[i]) % N)
#else
#define DRAW(t, i) (((i) + ((DRAWS >> (2 * ((t) % 4))) & 3)) % N)
#endif
#ifdef MUTANT_SETTLED_LAST
#define SETTLED_SHIFT 6
#define ID_SHIFT 7
#define DRAW_SHIFT 9
#else
#define ID_SHIFT 6
#define DRAW_SHIFT 8
#define SETTLED_SHIFT 10
#endif
#define BID(t, i, n, s) (((t) << 11) | (DRAW(t, i) << DRAW_SHIFT) | ((i) << ID_SHIFT) | ((n) << 3) | (s))
#define HOLD(t, i, n, s) (BID(t, i, n, s) | SETTLED_BIT)
#define SETTLED_BIT (1 << SETTLED_SHIFT)
#define RELEASED_BIT 4
#define TERM(c) ((c) >> 11)
#define ID(c) (((c) >> ID_SHIFT) & 3)
#define INC(c) (((c) >> 3) & 7)
#define SUPPORT(c) ((c) & 3)
#define IS_SETTLED(c) (((c) & SETTLED_BIT) != 0)
#define IS_RELEASED(c) (((c) & RELEASED_BIT) != 0)
#define IS_HELD(c) (IS_SETTLED(c) && !IS_RELEASED(c))
#ifdef MUTANT_NO_ID
#define ORDER(c) ((c) & ~(3 << ID_SHIFT))
#else
#define ORDER(c) (c)
#endif
#define GREATER(a, b) (ORDER(a) > ORDER(b))
/* The order of batches: (token, inc), without the settled bit; seq is left out, see README.md. */
#define DRAWN(c) (((c) >> DRAW_SHIFT) & 3)
#define TOKEN(c) ((TERM(c) << 4) | (DRAWN(c) << 2) | ID(c))
#define STAMP(c) ((TOKEN(c) << 3) | INC(c))
#define CLAIM_OF(stamp) HOLD((stamp) >> 7, ((stamp) >> 3) & 3, (stamp) & 7, 0)

mtype = { follows, resumes, refutes, bids, settles, merges, waits, asks, is_delayed, is_steady }; /* for traces */

#define DOWN 0
#define UP 1
#define PAUSED 2

#define BOOT 0
#define FOLLOWER 1
#define WAIT 2
#define PRECHECK 3
#define SETTLING 4
#define ACTIVE 5

byte power[N];  /* DOWN, UP, PAUSED */
byte state[N];  /* BOOT ... ACTIVE */
short reg[N];   /* register; 0 is none */
short kept[N];  /* register on disk: the greatest settled claim */
byte inc[N];    /* incarnation, in memory and on disk */
byte boots[N];
#ifdef ONE_DRAW
#if LOSSES
byte lost[N];   /* disks lost */
#endif
byte draw_told[N * 8]; /* 1 + the draw that a node told for a term (history, for an assertion) */
#define TOLD(p) draw_told[8 * p + TERM(reg[p])]
#define ASSERT_DRAW(p) assert(TOLD(p) == 0 || TOLD(p) == 1 + DRAWN(reg[p])); TOLD(p) = 1 + DRAWN(reg[p])
#else
#define ASSERT_DRAW(p) skip
#endif
byte unheard[N]; /* set of peers who came in reach and whose heartbeat was not heard since */
byte early[N];  /* set of peers in reach for less time than the timer that runs here */
byte young[N];  /* set of peers heard for less than REFUTE_MIN without a gap, who do not count as support */
#if DELAYS
byte news[N];   /* set of peers whose last news may not have arrived here, however long the timer */
#define HAS_NEWS(p, q) ((news[p] >> (q)) & 1)
#define NEWS_AT(p) || news[p] != 0
#else
#define HAS_NEWS(p, q) 0
#define NEWS_AT(p)
#endif
bool tilt[N];
bool shaken[N]; /* has started again or been paused, so may be within REFUTE_MIN */
bool unsure[N]; /* settled while not everybody had been in reach (history, for an assertion) */
byte since_bid[N]; /* set of peers who settled since this node's bid, which it may not know yet */
bool slow[N];   /* its settling was interrupted by a pause, so may outlast CLAIM_TO at others */
bool able[N];   /* eligible: candidate, with its directory */
bool held[N];   /* its disk names it as holder (history, for an assertion) */
bool back[N];   /* the owner was in reach already when WAIT began (history, for an assertion) */

#define BOTH_WAYS 0
#define DEAF 1
#define MUTE 2
byte cut;     /* 0, or 1 + 3 * node + mode: what isolates that node */
short held_back; /* a claim under way for any time */
bool calm;    /* no more faults and no more repairs */
byte crashes = CRASHES;
byte losses = LOSSES;
byte pauses = PAUSES;
byte cuts = CUTS;
byte offs = OFFS;
byte delays = DELAYS;
#ifdef FENCE
short fence[N]; /* the greatest accepted (token, inc) */
byte fence_life[N]; /* of its sender (history, for an assertion) */
short applied[N]; /* the greatest ever accepted (history, for an assertion) */
#endif
#ifdef STEADY
byte steady; /* 1 + the holder that must not be deposed any more, or 0 */
#endif

#define CUT_NODE ((cut - 1) / 3)
#define CUT_MODE ((cut - 1) % 3)
#define LINK(from, to) \
    (!cut || ((from) != CUT_NODE && (to) != CUT_NODE) || (CUT_MODE == DEAF && (to) != CUT_NODE) || \
     (CUT_MODE == MUTE && (from) != CUT_NODE))
#define PATH(from, to) (power[from] == UP && power[to] == UP && LINK(from, to))
#define PAIR(a, b) (PATH(a, b) && PATH(b, a))

#define PEER1(p) (((p) + 1) % N)
#define PEER2(p) (((p) + 2) % N) /* itself when there are two */
#if N == 2
#define EACH(f, p) f(p, PEER1(p))
#define SOME(f, p) f(p, PEER1(p))
#define COUNT(f, p) f(p, PEER1(p))
#else
#define EACH(f, p) (f(p, PEER1(p)) && f(p, PEER2(p)))
#define SOME(f, p) (f(p, PEER1(p)) || f(p, PEER2(p)))
#define COUNT(f, p) (f(p, PEER1(p)) + f(p, PEER2(p)))
#endif

#define IS_UNHEARD(p, q) ((unheard[p] >> (q)) & 1)
#define IS_EARLY(p, q) ((early[p] >> (q)) & 1)
#define IS_YOUNG(p, q) ((young[p] >> (q)) & 1)
#ifdef MUTANT_SUPPORT_AT_ONCE
#define HEARS(p, q) (PATH(q, p) && !IS_UNHEARD(p, q))
#else
#define HEARS(p, q) (PATH(q, p) && !IS_YOUNG(p, q))
#endif
#define HEARS_ECHO(p, q) (HEARS(p, q) && PATH(p, q))
/* support: the members heard since long, 0 when nobody echoes my own heartbeat */
#define MEMBERS_HEARD(p) (SOME(HEARS_ECHO, p) -> COUNT(HEARS, p) : 0)
#ifdef MUTANT_BID_SUPPORT_AT_ONCE
#define HEARS_NOW(p, q) (PATH(q, p) && !IS_UNHEARD(p, q))
#define HEARS_ECHO_NOW(p, q) (HEARS_NOW(p, q) && PATH(p, q))
#define SUPPORT_OF_BID(p) (SOME(HEARS_ECHO_NOW, p) -> COUNT(HEARS_NOW, p) : 0)
#else
#define SUPPORT_OF_BID(p) MEMBERS_HEARD(p)
#endif

/* A claim of one's own that comes from disk is not told to anybody before BOOT ends: it is issued anew then. */
#ifdef MUTANT_BOOT_TELLS
#define TELLS(q) true
#else
#define TELLS(q) (!(state[q] == BOOT && ID(reg[q]) == (q)))
#endif
#define IS_NEWS(p, q) (PATH(q, p) && TELLS(q) && GREATER(reg[q], reg[p]))

/* What has had time to arrive has arrived: q's register at p, p's at q */
#define NOTHING_NEWER(p, q) (!IS_NEWS(p, q) || IS_EARLY(p, q) || HAS_NEWS(p, q))
#define KNOWN_TO(p, q) (!PATH(p, q) || IS_EARLY(p, q) || !GREATER(reg[p], reg[q]))
/* ... but for that q has settled its bid in the same instant as p does */
#ifdef MUTANT_BID_STAYS
#define NO_GREATER_BID(p, q) true
#else
#define NO_GREATER_BID(p, q) \
    (!IS_NEWS(p, q) || IS_EARLY(p, q) || HAS_NEWS(p, q) || \
     (((since_bid[p] >> (q)) & 1) && TERM(reg[q]) == TERM(reg[p]) && !GREATER(reg[q] & ~SETTLED_BIT, reg[p])))
#endif
#define IN_AGREEMENT(p) (EACH(NO_GREATER_BID, p) && EACH(KNOWN_TO, p))
#define UNAWARE(p) EACH(NOTHING_NEWER, p)

#define IS_ACTIVE(p) (power[p] == UP && state[p] == ACTIVE)
#define MAY_ACT(p) (power[p] == UP && !tilt[p])
#define WAITS_FOR_SILENCE(p) ((state[p] == WAIT || state[p] == PRECHECK) && IS_HELD(reg[p]))

#define NOTE(p, what) \
    printf("  %d %e (%d,%d,%d) inc %d released %d support %d\n", p, what, TERM(reg[p]), IS_SETTLED(reg[p]), \
           ID(reg[p]), INC(reg[p]), IS_RELEASED(reg[p]), SUPPORT(reg[p]))

#ifdef STEADY
#define ASSERT_NOT_STEADY(p) assert(steady != p + 1)
#else
#define ASSERT_NOT_STEADY(p) skip
#endif

/* One term, one holder, among those who were in reach of each other while they settled. */
#define SHARES_TERM(p, q) \
    (IS_ACTIVE(q) && PAIR(p, q) && !IS_EARLY(p, q) && !unsure[q] && !HAS_NEWS(p, q) && TERM(reg[q]) == TERM(reg[p]))
#define ASSERT_ALONE(p) assert(!SOME(SHARES_TERM, p))
/* With nothing but crashes neither a refutation nor a restart shares a term either. */
#if CUTS == 0 && PAUSES == 0 && DELAYS == 0 && OFFS == 0
#define ASSERT_STILL_ALONE(p) ASSERT_ALONE(p)
#else
#define ASSERT_STILL_ALONE(p) skip
#endif

inline keep(p) {
    if
    :: IS_SETTLED(reg[p]) -> kept[p] = reg[p]
    :: else
    fi
}

inline follow(p) {
    ASSERT_NOT_STEADY(p);
    state[p] = FOLLOWER;
    early[p] = 0;
    back[p] = 0;
    slow[p] = 0;
    since_bid[p] = 0;
    unsure[p] = 0;
    NOTE(p, follows)
}

/* The register names p as its holder and p may be no more than a follower: go on, or let go. */
inline resume_hold(p, term) {
    if
    :: able[p] ->
        reg[p] = HOLD(term, p, inc[p], MEMBERS_HEARD(p));
        state[p] = ACTIVE;
        early[p] = 0;
        slow[p] = 0;
        back[p] = 0;
        NOTE(p, resumes);
        ASSERT_STILL_ALONE(p)
    :: !able[p] ->
#ifndef MUTANT_OFF_STAYS_NAMED
        reg[p] = HOLD(term, p, inc[p], 0) | RELEASED_BIT;
#endif
        follow(p)
    fi;
    keep(p)
}

inline learn(p, c) {
#ifndef MUTANT_NO_LEARNING
    if
    :: ID(c) == p && INC(c) >= inc[p] -> inc[p] = INC(c) + 1; assert(inc[p] <= MAX_INC)
    :: else
    fi
#else
    skip
#endif
}

/* A bid never moves a holder that settled in the same term */
#define ASSERT_NO_LATE_BID(p, c) assert(state[p] != ACTIVE || IS_SETTLED(c) || TERM(c) > TERM(reg[p]))

/* p merges the greater claim c and gives way to it */
inline give_way(p, c) {
    ASSERT_NO_LATE_BID(p, c);
    reg[p] = c;
    held[p] = 0;
    keep(p);
    NOTE(p, merges);
#ifndef MUTANT_SILENT_BEFORE_CLAIM
    unheard[p] = unheard[p] & ~(1 << ID(c)); /* a claim starts the count of its claimant's silence */
#endif
    if
    :: ID(c) == p -> learn(p, c)
    :: else
    fi;
    if
    :: state[p] == BOOT
#ifndef MUTANT_NAMED_AT_BOOT_ONLY
    :: state[p] != BOOT && ID(c) == p && IS_HELD(c) -> resume_hold(p, TERM(c))
    :: state[p] != BOOT && !(ID(c) == p && IS_HELD(c)) -> follow(p)
#else
    :: state[p] != BOOT -> follow(p)
#endif
    fi
}

inline refute(p, c) {
    ASSERT_NO_LATE_BID(p, c);
    assert(TERM(c) + 1 < MAX_TERM);
    reg[p] = HOLD(TERM(c) + 1, p, inc[p], MEMBERS_HEARD(p));
    keep(p);
    unsure[p] = 0;
    ASSERT_DRAW(p);
    NOTE(p, refutes);
    ASSERT_STILL_ALONE(p)
}

#define NAMES_ME(p, c) (ID(c) == p && IS_HELD(c))
#ifdef MUTANT_NO_REFUTATION
#define CAN_REFUTE(p, c) false
#else
#define CAN_REFUTE(p, c) (state[p] == ACTIVE && !NAMES_ME(p, c) && !tilt[p] && MEMBERS_HEARD(p) > SUPPORT(c))
#endif
#ifdef MUTANT_BID_STAYS
#define CLINGS(p) (state[p] == SETTLING)
#else
#define CLINGS(p) false
#endif
#ifdef MUTANT_HOLDER_STAYS
#define CAN_GIVE_WAY(p, c) (state[p] != ACTIVE)
#else
#define CAN_GIVE_WAY(p, c) ((!CAN_REFUTE(p, c) || shaken[p]) && !CLINGS(p))
#endif

/* The cause to bid; each is looked at again when the register changes, as that leads back to FOLLOWER. */
#define OWNER_IN_REACH(p) PATH(ID(reg[p]), p)
#ifdef MUTANT_SILENT_BEFORE_CLAIM
#define HAS_BEEN_LONG(p) true
#else
#define HAS_BEEN_LONG(p) (UNAWARE(p) && EACH(KNOWN_TO, p)) /* T_OFF since the register changed */
#endif
#define IS_SILENT(p) \
    (IS_HELD(reg[p]) && ID(reg[p]) != p && (!OWNER_IN_REACH(p) || IS_UNHEARD(p, ID(reg[p]))) && HAS_BEEN_LONG(p))
#define IS_NONE(p) (reg[p] == 0 && UNAWARE(p))
/* A bidder in reach settles or gives way long before its claim expires. */
#define IS_EXPIRED(p) \
    (reg[p] != 0 && !IS_SETTLED(reg[p]) && UNAWARE(p) && EACH(KNOWN_TO, p) && \
     !(ID(reg[p]) != p && OWNER_IN_REACH(p) && !IS_EARLY(p, ID(reg[p])) && state[ID(reg[p])] == SETTLING && \
       !slow[ID(reg[p])]))
#ifdef MUTANT_NO_TILT
bool overslept[N]; /* the pause is counted as silence of all others */
#define IS_OVERSLEPT(p) (overslept[p] && IS_HELD(reg[p]) && ID(reg[p]) != p)
#else
#define IS_OVERSLEPT(p) false
#endif
#ifdef MUTANT_NO_EXPIRY
#define EXPIRES false
#else
#define EXPIRES true
#endif
#define HAS_CAUSE(p) \
    (IS_OVERSLEPT(p) || IS_NONE(p) || IS_RELEASED(reg[p]) || IS_SILENT(p) || (IS_EXPIRED(p) && EXPIRES))
#define OWNER_VETOES(p) (PAIR(p, ID(reg[p])) && !IS_EARLY(p, ID(reg[p])))

#define TELL_OF_SETTLING(p, q) \
    since_bid[p] = ((p) != (q) && power[p] == UP && state[p] == SETTLING -> since_bid[p] | (1 << (q)) : since_bid[p])

inline settle(p) {
    reg[p] = reg[p] | SETTLED_BIT;
    keep(p);
    ASSERT_ALONE(p);
    unsure[p] = (early[p] != 0 || !EACH(PAIR, p) NEWS_AT(p));
    state[p] = ACTIVE;
    early[p] = 0;
    slow[p] = 0;
    since_bid[p] = 0;
    TELL_OF_SETTLING(PEER1(p), p);
    TELL_OF_SETTLING(PEER2(p), p);
#ifdef MUTANT_BID_SUPPORT_AT_ONCE
    young[p] = 0;
#endif
    NOTE(p, settles)
}

inline publish_bid(p) {
    assert(!(IS_HELD(reg[p]) && back[p] && PAIR(p, ID(reg[p]))));
    assert(TERM(reg[p]) + 1 < MAX_TERM);
    reg[p] = BID(TERM(reg[p]) + 1, p, inc[p], SUPPORT_OF_BID(p));
    state[p] = SETTLING;
    since_bid[p] = 0;
    early[p] = 0;
    back[p] = 0;
    NOTE(p, bids);
    ASSERT_DRAW(p);
#ifdef MUTANT_NO_SETTLE
    settle(p)
#endif
}


#if DELAYS
#define CAUGHT_UP(p, q) news[p] = news[p] & ~(1 << (q))
#else
#define CAUGHT_UP(p, q) skip
#endif
/* An old message changed p's register: the others may learn it after timers of theirs that run out now. */
inline late_news(p) {
#if DELAYS
    news[PEER1(p)] = news[PEER1(p)] | (1 << p);
#if N == 3
    news[PEER2(p)] = news[PEER2(p)] | (1 << p)
#endif
#else
    skip
#endif
}

#define MERGE_FROM(q) \
    :: d_step { IS_NEWS(p, q) && CAN_GIVE_WAY(p, reg[q]) -> \
        give_way(p, reg[q]); CAUGHT_UP(p, q) } \
    :: d_step { IS_NEWS(p, q) && CAN_REFUTE(p, reg[q]) -> \
        refute(p, reg[q]); CAUGHT_UP(p, q) }
#define HEAR(q) \
    :: d_step { PATH(q, p) && (IS_UNHEARD(p, q) || (WAITS_FOR_SILENCE(p) && ID(reg[p]) == q)) -> \
        unheard[p] = unheard[p] & ~(1 << q); \
        if \
        :: WAITS_FOR_SILENCE(p) && ID(reg[p]) == q -> follow(p) \
        :: else \
        fi }
#define IS_QUIET(p) (state[p] == FOLLOWER || state[p] == ACTIVE)
#ifdef MUTANT_SUPPORT_AT_ONCE
#define RIPEN(q)
#else
#define RIPEN(q) \
    :: d_step { IS_YOUNG(p, q) && !IS_UNHEARD(p, q) && PATH(q, p) && IS_QUIET(p) && IS_QUIET(q) && \
        !GREATER(reg[q], reg[p]) && (!PATH(p, q) || !GREATER(reg[p], reg[q])) -> \
        young[p] = young[p] & ~(1 << (q)) }
#endif
/* An exchange with a node that is itself in BOOT teaches nothing. */
#ifdef MUTANT_BOOT_TEACHES
#define IS_TEACHER(p, q) PAIR(p, q)
#else
#define IS_TEACHER(p, q) (PAIR(p, q) && state[q] != BOOT)
#endif
#define BOOT_WITH(q) \
    :: d_step { state[p] == BOOT && IS_TEACHER(p, q) && NOTHING_NEWER(p, q) -> boot_done(p) }

inline boot_done(p) {
    if
    :: ID(reg[p]) == p && IS_HELD(reg[p]) -> resume_hold(p, TERM(reg[p]))
    :: else -> follow(p)
    fi;
    assert(!held[p] || !able[p] || state[p] == ACTIVE);
    held[p] = 0
}

#ifdef FENCE
#ifdef MUTANT_BATCH_WITHOUT_CLAIM
#define BATCH_CLAIM_MERGED(p, q) true
#else
#define BATCH_CLAIM_MERGED(p, q) (!GREATER(reg[p], reg[q]))
#endif
#define BATCH_TO(q) \
    :: d_step { IS_ACTIVE(p) && !tilt[p] && able[p] && PATH(p, q) && BATCH_CLAIM_MERGED(p, q) && \
        TOKEN(reg[p]) >= TOKEN(reg[q]) && STAMP(reg[p]) >= fence[q] && \
        (STAMP(reg[p]) != fence[q] || fence_life[q] != boots[p]) -> \
        assert(LOSSES > 0 || STAMP(reg[p]) > fence[q]); \
        assert(STAMP(reg[p]) >= applied[q]); \
        applied[q] = STAMP(reg[p]); \
        fence[q] = STAMP(reg[p]); \
        fence_life[q] = boots[p] }
#if DELAYS
short held_batch; /* a batch under way for any time */
byte held_life;   /* of its sender (history) */
#define LATE_BATCH_TO(q) \
    :: d_step { power[q] == UP && (held_batch >> 3) >= TOKEN(reg[q]) && IS_ABOVE_FENCE(held_batch, q) -> \
        assert(held_batch >= applied[q]); \
        fence[q] = held_batch; \
        applied[q] = held_batch; \
        fence_life[q] = held_life; \
        held_batch = 0; \
        held_life = 0 }
#endif
#ifdef MUTANT_NO_FENCE
#define IS_ABOVE_FENCE(stamp, q) true
#else
#define IS_ABOVE_FENCE(stamp, q) ((stamp) > fence[q])
#endif
#endif

/* p let go a bid when it was paused and is the holder again in its own eyes */
#define NAMED_AFTER_TILT(p) (state[p] == FOLLOWER && NAMES_ME(p, reg[p]))

proctype node(byte p) {
end:
    do
    MERGE_FROM(PEER1(p))
    HEAR(PEER1(p))
    BOOT_WITH(PEER1(p))
    RIPEN(PEER1(p))
#if N == 3
    MERGE_FROM(PEER2(p))
    HEAR(PEER2(p))
    BOOT_WITH(PEER2(p))
    RIPEN(PEER2(p))
#endif
    :: d_step { power[p] == UP && GREATER(held_back, reg[p]) && CAN_GIVE_WAY(p, held_back) ->
        give_way(p, held_back); late_news(p) }
    :: d_step { power[p] == UP && GREATER(held_back, reg[p]) && CAN_REFUTE(p, held_back) ->
        refute(p, held_back); late_news(p) }
    :: d_step { power[p] == UP && state[p] == BOOT && !SOME(IS_TEACHER, p) && UNAWARE(p) -> boot_done(p) }
    :: d_step { power[p] == UP && tilt[p] && UNAWARE(p) ->
        tilt[p] = 0;
        if
        :: NAMED_AFTER_TILT(p) && able[p] -> state[p] = ACTIVE; early[p] = 0; NOTE(p, resumes)
        :: NAMED_AFTER_TILT(p) && !able[p] -> resume_hold(p, TERM(reg[p]))
        :: else
        fi }

    :: d_step { MAY_ACT(p) && able[p] && state[p] == FOLLOWER && HAS_CAUSE(p) ->
        state[p] = WAIT;
        NOTE(p, waits);
        assert(!IS_HELD(reg[p]) || IS_SILENT(p));
        back[p] = IS_HELD(reg[p]) && PAIR(p, ID(reg[p])) }
    :: d_step { MAY_ACT(p) && state[p] == WAIT && !IS_HELD(reg[p]) -> publish_bid(p) }
#ifdef MUTANT_NO_PRECHECK
    :: d_step { MAY_ACT(p) && state[p] == WAIT && IS_HELD(reg[p]) -> publish_bid(p) }
#else
    :: d_step { MAY_ACT(p) && state[p] == WAIT && IS_HELD(reg[p]) ->
        state[p] = PRECHECK;
        NOTE(p, asks);
        early[p] = 0 }
    :: d_step { MAY_ACT(p) && state[p] == PRECHECK && !OWNER_VETOES(p) -> publish_bid(p) }
#endif
    :: d_step { MAY_ACT(p) && state[p] == SETTLING && IN_AGREEMENT(p) -> settle(p) }
#ifdef FENCE
    BATCH_TO(PEER1(p))
#if DELAYS
    LATE_BATCH_TO(PEER1(p))
    :: d_step { delays > 0 && IS_ACTIVE(p) && able[p] -> delays--; held_batch = STAMP(reg[p]);
        held_life = boots[p] }
#endif
#if N == 3
    BATCH_TO(PEER2(p))
#endif
#endif
    od
}

/* --- what may befall them ------------------------------------------------------------------------------ */

#ifdef STEADY
#define UNSTEADY(p) steady = (steady == (p) + 1 -> 0 : steady)
#define IF_SUPPORTED(p) steady = (steady == (p) + 1 && MEMBERS_HEARD(p) == 0 -> 0 : steady)
#define KEEP_IF_SUPPORTED IF_SUPPORTED(0); IF_SUPPORTED(1); IF_SUPPORTED(N - 1)
#define AGREES_WITH(h, q) \
    (power[q] == DOWN || (power[q] == PAUSED && kept[q] <= reg[h]) || \
     (PAIR(h, q) && reg[h] == reg[q] && unheard[q] == 0 && !tilt[q]))
#define STEADIES(h) \
    :: d_step { !calm && !steady && !cut && held_back == 0 && IS_ACTIVE(h) && !tilt[h] && able[h] && \
        young[h] == 0 && unheard[h] == 0 && SOME(PAIR, h) && EACH(AGREES_WITH, h) -> \
        steady = (h) + 1; shaken[h] = 0; NOTE(h, is_steady) }
#else
#define UNSTEADY(p) skip
#define KEEP_IF_SUPPORTED skip
#endif

/* q came in reach of p */
inline meet(p, q) {
    unheard[p] = unheard[p] | (1 << (q));
    young[p] = young[p] | (1 << (q));
    if
    :: state[p] == ACTIVE && !tilt[p]
    :: else -> early[p] = early[p] | (1 << (q))
    fi
}

#define NOT_BACK(p, q) back[p] = back[p] && ID(reg[p]) != (q)

/* p hears no more of q */
inline forget(p, q) {
    unheard[p] = unheard[p] & ~(1 << (q));
    early[p] = early[p] & ~(1 << (q));
    young[p] = young[p] & ~(1 << (q));
    NOT_BACK(p, q);
    NOT_BACK(q, p)
}

/* q runs again: whoever it has a link to meets it */
inline appear_to(p, q) {
    if
    :: power[p] != DOWN && LINK(q, p) -> meet(p, q)
    :: else
    fi
}

inline appear(q) {
    appear_to(PEER1(q), q);
#if N == 3
    appear_to(PEER2(q), q)
#endif
}

inline vanish(q) {
    forget(PEER1(q), q);
#if N == 3
    forget(PEER2(q), q)
#endif
}

inline crash(p) {
    UNSTEADY(p);
    printf("%d crashes\n", p);
#ifndef MUTANT_BID_KEPT
    reg[p] = kept[p];
#endif
    held[p] = (ID(reg[p]) == p && IS_HELD(reg[p]));
#ifdef MUTANT_CLAIM_NOT_PERSISTED
    if
    :: ID(reg[p]) == p -> reg[p] = 0; kept[p] = 0
    :: else
    fi;
#endif
    power[p] = DOWN;
    state[p] = BOOT;
    unheard[p] = 0;
    early[p] = 0;
    young[p] = 0;
    back[p] = 0;
    tilt[p] = 0;
    slow[p] = 0;
    since_bid[p] = 0;
    unsure[p] = 0;
    vanish(p);
    KEEP_IF_SUPPORTED
}

inline lose_fence(p) {
#if defined(FENCE) && defined(MUTANT_FENCE_FORGOTTEN)
    fence[p] = 0
#else
    skip
#endif
}

inline lose_disk(p) {
    printf("%d loses its disk\n", p);
    reg[p] = 0;
    kept[p] = 0;
    held[p] = 0;
    inc[p] = 0;
#ifdef MUTANT_RANDOM_DRAW
    lost[p] = 1 - lost[p];
#endif
#ifdef FENCE
#ifdef FENCE_SURVIVES
    /* only the state file is lost; the directory and the fence in it are not */
#ifndef MUTANT_REGISTER_BELOW_FENCE
    if
    :: fence[p] != 0 -> reg[p] = CLAIM_OF(fence[p]); kept[p] = reg[p]
    :: else
    fi
#endif
#else
    fence[p] = 0;
    applied[p] = 0;
    fence_life[p] = 0
#endif
#endif
}

inline start(p) {
    young[p] = ((1 << N) - 1) & ~(1 << p);
    printf("%d starts\n", p);
    power[p] = UP;
    #ifdef MUTANT_INC_NOT_PERSISTED
    inc[p] = 2;
#else
    inc[p]++;
#endif
    boots[p]++;
    assert(inc[p] <= 2 * boots[p] + 2);
    shaken[p] = 1;
    appear(p)
}

inline pause(p) {
    UNSTEADY(p);
    printf("%d is paused\n", p);
    power[p] = PAUSED;
    vanish(p);
    KEEP_IF_SUPPORTED
}

#ifdef MUTANT_BID_OUTLIVES_PAUSE
#define ENDED_BY_PAUSE(p) (state[p] == WAIT || state[p] == PRECHECK)
#else
#define ENDED_BY_PAUSE(p) (state[p] == WAIT || state[p] == PRECHECK || state[p] == SETTLING)
#endif
inline go_on(p) {
    printf("%d runs again\n", p);
    power[p] = UP;
    shaken[p] = 1;
    slow[p] = (state[p] == SETTLING);
#ifdef MUTANT_NO_TILT
    overslept[p] = 1;
#else
    tilt[p] = 1;
    early[p] = 0;
    if
    :: ENDED_BY_PAUSE(p) -> follow(p)
    :: else
    fi;
#ifndef MUTANT_BID_OUTLIVES_PAUSE
    reg[p] = kept[p];
#endif
#endif
    appear(p)
}

inline part_pair(p, q) {
    if
    :: !LINK(q, p) -> forget(p, q)
    :: else
    fi
}

inline join_pair(p, q) {
    if
    :: !LINK(q, p) && power[p] != DOWN && power[q] == UP -> meet(p, q)
    :: else
    fi
}

#if N == 2
#define EACH_PAIR(f) f(0, 1); f(1, 0)
#else
#define EACH_PAIR(f) f(0, 1); f(1, 0); f(0, 2); f(2, 0); f(1, 2); f(2, 1)
#endif

#ifdef MUTANT_NO_RELEASE
#define RELEASE(p) skip
#else
#define RELEASE(p) reg[p] = reg[p] | RELEASED_BIT; keep(p)
#endif
inline switch_off(p) {
    UNSTEADY(p);
    printf("%d may not hold any more\n", p);
    able[p] = 0;
    if
    :: power[p] == UP && (state[p] == ACTIVE || state[p] == SETTLING) -> RELEASE(p); follow(p)
    :: power[p] == UP && (state[p] == WAIT || state[p] == PRECHECK) -> follow(p)
    :: else
    fi
}

/* --- what must hold when nothing more happens ---------------------------------------------------------- */

/* h holds for x: x, who hears it, has its claim */
#define HOLDS_FOR(x, h) (IS_ACTIVE(h) && PATH(h, x) && reg[h] == reg[x] && ID(reg[x]) == (h))
#define RIVALS(x, h) (IS_ACTIVE(h) && PAIR(h, x) && reg[h] != reg[x])
#define ABLE_BESIDE(x, q) (able[q] && PAIR(x, q))
#define SELF_HOLDS(x) (IS_ACTIVE(x) && ID(reg[x]) == (x))
#define IS_CUT_ONE_WAY(x) (cut && CUT_MODE != BOTH_WAYS && CUT_NODE == (x))
#define ONE_HOLDER(x) \
    (power[x] != UP || IS_CUT_ONE_WAY(x) || !(able[x] || SOME(ABLE_BESIDE, x)) || \
     (SELF_HOLDS(x) + COUNT(HOLDS_FOR, x) == 1 && COUNT(RIVALS, x) == 0))
#ifdef FENCE
#define IS_HEEDED_BY(h, q) (!PAIR(h, q) || STAMP(reg[h]) >= fence[q])
#define IS_HEEDED(h) (!IS_ACTIVE(h) || !able[h] || IS_CUT_ONE_WAY(h) || EACH(IS_HEEDED_BY, h))
#endif

#if defined(FENCE) && DELAYS
#define NO_LATE_BATCH held_batch = 0; held_life = 0
#else
#define NO_LATE_BATCH skip
#endif
inline part(k, mode) {
    cuts--;
    UNSTEADY(k);
    cut = 1 + 3 * k + mode;
    printf("cut: %d, %d (0 both ways, 1 deaf, 2 mute)\n", k, mode);
    EACH_PAIR(part_pair);
    KEEP_IF_SUPPORTED
}

#define FAULTS(p) \
    :: d_step { crashes > 0 && power[p] == UP -> crashes--; crash(p); lose_fence(p) } \
    :: d_step { crashes > 0 && losses > 0 && power[p] == UP -> crashes--; losses--; crash(p); lose_disk(p) } \
    :: d_step { !calm && power[p] == DOWN -> start(p) } \
    :: d_step { pauses > 0 && power[p] == UP -> pauses--; pause(p) } \
    :: d_step { !calm && power[p] == PAUSED -> go_on(p) } \
    :: d_step { offs > 0 && able[p] -> offs--; switch_off(p) } \
    :: d_step { !calm && p < CANDIDATES && !able[p] -> able[p] = 1; printf("%d may hold again\n", p) } \
    :: d_step { delays > 0 && power[p] == UP && reg[p] != 0 -> delays--; held_back = reg[p]; NOTE(p, is_delayed) }
#define CUTS_OF(k) \
    :: d_step { cuts > 0 && !cut -> part(k, BOTH_WAYS) } \
    :: d_step { cuts > 0 && !cut -> part(k, DEAF) } \
    :: d_step { cuts > 0 && !cut -> part(k, MUTE) }

init {
    d_step {
        able[0] = 0 < CANDIDATES;
        able[1] = 1 < CANDIDATES;
        power[0] = UP;
        power[1] = UP;
        inc[0] = 1;
        inc[1] = 1;
        boots[0] = 1;
        boots[1] = 1;
#if N == 3
        able[2] = 2 < CANDIDATES;
        power[2] = UP;
        inc[2] = 1;
        boots[2] = 1;
#endif
#ifndef COLD
        /* what a cold start without faults ends in */
        state[0] = ACTIVE;
        state[1] = FOLLOWER;
        reg[0] = HOLD(1, 0, 1, N - 1);
        reg[1] = reg[0];
        kept[0] = reg[0];
        kept[1] = reg[0];
#if N == 3
        state[2] = FOLLOWER;
        reg[2] = reg[0];
        kept[2] = reg[0];
#endif
#endif
    }
    atomic {
        run node(0);
        run node(1);
#if N == 3
        run node(2);
#endif
    }
end:
    do
    FAULTS(0)
    FAULTS(1)
#if N == 3
    FAULTS(2)
#endif
#ifdef STEADY
    STEADIES(0)
    STEADIES(1)
#if N == 3
    STEADIES(2)
#endif
#endif
#if CUTS
    CUTS_OF(0)
#if N == 3
    CUTS_OF(1)
    CUTS_OF(2)
#endif
    :: d_step { !calm && cut -> EACH_PAIR(join_pair); cut = 0; printf("cut healed\n") }
#endif
    /* A cut that lasts for ever may be one-way only if no disk is lost: README.md, finding 9. */
#define MAY_LAST (LOSSES == 0 || !cut || CUT_MODE == BOTH_WAYS)
    :: d_step { !calm && MAY_LAST ->
        printf("calm\n");
        calm = 1;
        crashes = 0;
        losses = 0;
        pauses = 0;
        cuts = 0;
        offs = 0;
        delays = 0;
        held_back = 0;
        NO_LATE_BATCH }
    :: timeout ->
        d_step {
        assert(ONE_HOLDER(0));
        assert(ONE_HOLDER(1));
#if N == 3
        assert(ONE_HOLDER(2));
#endif
#ifdef FENCE
        assert(IS_HEEDED(0));
        assert(IS_HEEDED(1));
#if N == 3
        assert(IS_HEEDED(2));
#endif
#endif
        }
        break
    od
}
