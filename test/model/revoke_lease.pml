/* revoke_lease.pml: when a change has returned, no verifier answers by what was before it.
 *
 * Several verifiers answer from memory; one PostgreSQL primary is the only source of truth. The change that is
 * watched is the revocation of one credential, c0; beside it there is one change of somebody else's.
 *
 *     refresher   Register ─▶ Renew ─┬─ head unmoved ─▶ Extend
 *                    ▲               ├─ head moved ───▶ Read ─▶ Publish ─▶ Acknowledge
 *                    └── fenced ─────┘      Hint ────────▲   (a NOTIFY; it renews nothing)
 *     request     Pin ─▶ Compare ─▶ Answer
 *     change      Commit ─▶ Note ─▶ Roll ─▶ Barrier ─▶ returns
 *     repeat      Find ───▶ Note ─▶ Roll ─▶ Barrier ─▶ returns
 *     reaper      Fence ──▶ Wait ─▶ Delete
 *
 * The code names these steps in its comments ("revoke_lease.pml: Publish").
 *
 * Every change waits at the barrier, whether it gives or takes. c0 stands for whatever was changed: "accepted" is the
 * answer by what was before it.
 *
 * Time is one true clock (the process Clock), and a deadline is what is left of it. A verifier's clock may be slow: it
 * may lose one tick of any L + 1. Who waits for a lease to end waits SK ticks longer: L(1 + rho) + epsilon. Stopped, cut
 * off or dead is whoever is not scheduled while Clock ticks. A verifier that is started anew is another verifier.
 *
 * What must hold (G1): a verification that STARTS after a revocation of c0 returned is never answered "accepted", by
 * any verifier. Requests are watched at verifier 0 alone, one after the other: they change nothing, and the verifiers
 * are alike.
 *
 * Must hold too:
 *   -DCHECKFIRST -DNOREPEAT  no pin, but the deadline is compared first, and then the data are looked at
 *   -DREAPER                 silent verifiers are fenced and their rows deleted; who was fenced registers anew
 *   -DACKONLY                no clock is believed, verifiers' may stop for any time: only acknowledgements count
 *   -DLIVE -DNOREPEAT        every revocation returns, even if verifiers end or are cut off for ever
 *   -DG3 -DNOREPEAT          nobody TAKES an "accepted" after the return, if relying parties drop answers older than D
 *                            ticks of their own clock, and the change settles D ticks more before it returns
 *
 * Can't be promised:
 *   -DG2                     no "accepted" LEAVES a verifier after the return
 *   -DLIVE -DNOREPEAT -DACKONLY
 *                            every revocation returns, where no clock is believed
 *
 * Mutants:
 *   -DM_NOWAIT               a change returns right after its commit
 *   -DM_SEQ                  the revision is from a sequence: its order is not the order of commits
 *   -DM_TWOREAD              Read takes the rows in one snapshot and the revision in a later one
 *   -DM_T0                   the lease runs from when Renew was answered, not from before it was asked
 *   -DM_DRIFT                Barrier waits for L, without what clocks may be slow by
 *   -DM_SUSPEND              verifiers' clocks may stop for any time (CLOCK_MONOTONIC on a suspended machine, every
 *                            clock on one that its hypervisor pauses)
 *   -DM_FLAG                 a request reads a flag that a timer clears, not the clock
 *   -DM_UNBOUND              verdict without a pin, and then the deadline as it is by then: that of newer data, maybe
 *   -DM_ACKFIRST             Acknowledge before Publish
 *   -DM_IDEMP                a repeat says "already revoked" without Barrier
 *   -DM_OVERWRITE            a verifier that is started anew takes over the row of the one before
 *   -DM_MEMFIRST             Roll before Commit
 *   -DM_LOADFIRST            the first Read before Register
 *   -DM_REAP                 Delete without Wait
 *   -DM_CACHE                a cache in front of the verifier repeats an older verdict
 *   -DM_CLOCKFIRST           Note before Commit
 *   -DM_UNPINNED             Publish does not wait for a pin, and one pin serves requests that arrive later
 *   -DM_EXTEND               Hint prolongs the lease, without a write to the row
 *   -DM_UNFENCED             Renew does not look whether its row is fenced
 *   -DM_SELFDROP             a fenced verifier deletes its old row when it registers anew
 *   -DM_REAPACKONLY          where no clock is believed, the reaper deletes all the same
 */
#if defined(M_REAP) || defined(M_EXTEND) || defined(M_UNFENCED) || defined(M_SELFDROP) || defined(M_REAPACKONLY)
#define REAPER
#endif
#ifdef M_REAPACKONLY
#define ACKONLY
#endif
#ifndef L
#define L 1 /* ticks of a lease */
#endif
#define SK 1 /* ticks that a clock may lose during one */
#ifndef D
#define D 1
#endif
#ifdef REAPER
#define VERIFIERS 1 /* verifiers do not meet, and this one needs a second row */
#else
#define VERIFIERS 2
#endif
#define ROWS 2

/* ---- the database: each atomic step is one transaction on the primary ---- */
byte next = 0;     /* the last revision handed out */
bit committed[3];  /* revision k (1, 2) is committed */
bit ends_c0[3];    /* ... and is c0's revocation */
bit live[ROWS];    /* the row of the table verifier is there */
bit fenced[ROWS];
byte acked[ROWS];
#ifdef M_OVERWRITE
byte owner = 0;    /* whose row 0 is */
#endif

/* ---- what a verifier has in memory ---- */
bit knows[VERIFIERS];      /* that c0 is revoked */
byte revision[VERIFIERS];  /* of its data */
byte deadline[VERIFIERS];  /* of its data */
byte asked[VERIFIERS];     /* the deadline that is being asked for: asked_at + L */
byte slow[VERIFIERS];      /* ticks until the clock may lose one again */
byte me[VERIFIERS];        /* its row */
bit pinned = 0;            /* a request holds verifier 0's data: nothing is published */
#ifdef M_FLAG
bit flag = 0;
#endif
#ifdef M_CACHE
bit cached = 0; bit verdict = 0;
#endif
#ifdef M_UNPINNED
byte held = 0;
#endif

/* ---- clocks of those who wait: a change, its repeat, the reaper ---- */
byte waits[2];
#ifdef REAPER
byte reaps = 0;
#endif
#ifdef G3
byte settles[2]; byte age_left = 0;
#endif

bit returned = 0; /* a revocation of c0 has returned */

#define HEAD (committed[2] -> 2 : (committed[1] -> 1 : 0))
#define REVOKED_AFTER(r) ((committed[1] && ends_c0[1] && 1 > (r)) || (committed[2] && ends_c0[2] && 2 > (r)))
#if defined(M_OVERWRITE)
#define MAY_RENEW(p) (owner == (p))
#elif defined(M_UNFENCED)
#define MAY_RENEW(p) live[me[p]]
#else
#define MAY_RENEW(p) (live[me[p]] && !fenced[me[p]])
#endif
#ifdef M_UNPINNED
#define MAY_PUBLISH(p) 1
#else
#define MAY_PUBLISH(p) (!pinned || (p) != 0)
#endif

inline register() {
  d_step {
#ifdef M_OVERWRITE
    owner = p;
#endif
    live[me[p]] = 1; acked[me[p]] = 0
  }
}

inline read() {
#ifdef M_TWOREAD
  c0 = REVOKED_AFTER(revision[p]);
  m = HEAD
#else
  d_step { c0 = REVOKED_AFTER(revision[p]); m = HEAD }
#endif
}

/* What is being asked for never ends before what there is. After a hint nothing is, and the deadline stays. */
inline prolong() {
  if :: asked[p] > deadline[p] -> deadline[p] = asked[p] :: else fi;
  asked[p] = 0;
#ifdef M_FLAG
  if :: p == 0 -> flag = (deadline[0] > 0) :: else fi
#endif
}

/* data, revision and deadline together */
inline publish() {
  atomic { MAY_PUBLISH(p) -> d_step { knows[p] = knows[p] || c0; revision[p] = m; c0 = 0; prolong() } }
}

inline acknowledge() {
#ifdef M_OVERWRITE
  d_step { if :: owner == p -> acked[0] = m :: else fi; m = 0 }
#else
  d_step { acked[me[p]] = m; m = 0 }
#endif
}

inline publish_and_acknowledge() {
#ifdef M_ACKFIRST
  acked[me[p]] = m;
  publish();
  m = 0
#else
  publish();
  acknowledge()
#endif
}

proctype Refresher(byte p) {
  byte m = 0; bit c0 = 0;
#ifdef M_LOADFIRST
  asked[p] = L; read(); publish(); m = 0;
#endif
again:
  /* Register: the row is committed before anything is read */
  register();
  do
  :: /* Renew: the boot clock (asked_at), then one writing statement, which acknowledges what is published and brings back
        the head, or no row */
#ifndef M_T0
     asked[p] = L;
#endif
     if
     :: d_step { MAY_RENEW(p) && HEAD == revision[p] -> acked[me[p]] = revision[p] }
#ifdef M_T0
        asked[p] = L;
#endif
        /* Extend: the deadline alone. It need not wait for a pin, since the data stay the same */
        d_step { prolong() }
     :: d_step { MAY_RENEW(p) && HEAD != revision[p] -> acked[me[p]] = revision[p] }
#ifdef M_T0
        asked[p] = L;
#endif
        /* Read: entries and rows in one snapshot, which may be newer than the head that Renew brought.
           Publish. Acknowledge: the revision that was published */
        read();
        publish_and_acknowledge()
#ifdef REAPER
     :: !MAY_RENEW(p) ->
        /* fenced: a new row; the deadline is left to run out */
        asked[p] = 0;
        if
        :: atomic { me[p] < ROWS - 1 ->
#ifdef M_SELFDROP
             live[me[p]] = 0;
#endif
             me[p]++; goto again }
        :: me[p] == ROWS - 1 -> break
        fi
#endif
     fi
  :: /* Hint: a NOTIFY came. One without news would publish what is there already */
     HEAD != revision[p] ->
#ifdef M_EXTEND
     asked[p] = L;
#endif
     read();
     publish_and_acknowledge()
#ifdef LIVE
  :: break
#endif
  od
}

#ifdef M_FLAG
proctype LeaseTimer() { do :: atomic { deadline[0] == 0 && flag -> flag = 0 } od }
#endif

/* One pin may serve a whole round of requests, and since nothing is published meanwhile, also one that arrived after the
 * pin was taken. So a request starts (`after`) as late as can be. */
proctype Request() {
  bit after = 0; bit accept = 0; bit fresh = 0;
  do
  :: /* Pin: the data and their deadline; the verdict */
#if defined(CHECKFIRST)
     d_step { after = returned; fresh = deadline[0] > 0 }
#elif defined(M_UNBOUND)
     d_step { after = returned; accept = !knows[0] }
#elif defined(M_CACHE)
     after = returned;
     if
     :: cached -> accept = verdict
     :: d_step { accept = !knows[0]; verdict = accept; cached = 1 }
     fi;
#elif defined(M_UNPINNED)
     d_step { accept = !knows[0]; held = deadline[0] }
#else
     d_step { pinned = 1; accept = !knows[0] }
#endif
     /* Compare: the boot clock with the deadline of these data */
     d_step {
#if defined(CHECKFIRST)
       accept = !knows[0];
#elif defined(M_UNBOUND) || defined(M_CACHE)
       fresh = deadline[0] > 0;
#elif defined(M_UNPINNED)
       after = returned; fresh = held > 0; held = 0;
#elif defined(M_FLAG)
       after = returned; fresh = flag; pinned = 0;
#else
       after = returned; fresh = deadline[0] > 0; pinned = 0;
#endif
#ifdef G3
       age_left = D;
#endif
#if defined(G2) || defined(G3)
     }
     d_step {
#endif
       /* Answer: a pause may sit right before it, which matters to G2 and G3 alone */
       if
       :: fresh && accept ->
#if defined(G3)
          if :: age_left > 0 -> assert(!returned) :: else fi
#elif defined(G2)
          assert(!returned)
#else
          assert(!after)
#endif
       :: else
       fi;
#ifdef G3
       age_left = 0;
#endif
       after = 0; accept = 0; fresh = 0 }
  od
}

inline note(w) {
#ifdef M_DRIFT
  waits[w] = L
#else
  waits[w] = L + SK
#endif
}

inline roll() { d_step { on0 = live[0]; on1 = live[1] } }

#define CONFIRMED(on, row, e) (!(on) || !live[row] || acked[row] >= (e))
#define ALL_CONFIRMED(e) (CONFIRMED(on0, 0, e) && CONFIRMED(on1, 1, e))

inline barrier(w, e) {
#ifdef ACKONLY
  ALL_CONFIRMED(e);
#else
  (waits[w] == 0 || ALL_CONFIRMED(e));
#endif
  d_step { waits[w] = 0; on0 = 0; on1 = 0 }
#ifdef G3
  settles[w] = D;
  (settles[w] == 0);
#endif
}

/* w = 0: revokes c0. w = 1: somebody else's change. */
proctype Change(byte w) {
  byte e = 0; bit on0 = 0; bit on1 = 0;
#ifdef M_MEMFIRST
  if :: w == 0 -> roll() :: else fi;
#endif
#ifdef M_CLOCKFIRST
  if :: w == 0 -> note(0) :: else fi;
#endif
  /* Commit: the revision is taken under the lock that is held to the commit */
#ifdef M_SEQ
  d_step { next++; e = next; ends_c0[e] = (w == 0) }
  committed[e] = 1;
#else
  d_step { next++; e = next; ends_c0[e] = (w == 0); committed[e] = 1 }
#endif
  if
  :: w == 0 ->
#ifndef M_NOWAIT
#if !defined(M_CLOCKFIRST) && !defined(ACKONLY)
     /* Note: the boot clock, after the commit */
     note(0);
#endif
#ifndef M_MEMFIRST
     /* Roll: the rows, read once, after the commit: who is to be waited for */
     roll();
#endif
     /* Barrier: until each of them has acknowledged this revision, or is gone, or its lease is over */
     barrier(0, e);
#endif
     returned = 1
  :: else /* it waits at the same barrier, where it only reads */
  fi
}

#ifndef NOREPEAT
/* The same revocation, asked for again: by whoever heard no answer, or by somebody else. */
proctype Repeat() {
  byte e = 0; bit on0 = 0; bit on1 = 0;
  /* Find */
  if
  :: committed[1] && ends_c0[1] -> e = 1
  :: committed[2] && ends_c0[2] -> e = 2
  fi;
#ifndef M_IDEMP
#ifndef ACKONLY
  note(1);
#endif
  roll();
  barrier(1, e);
#endif
  returned = 1
}
#endif

#ifdef REAPER
/* It runs in another verifier. Whom it takes for silent can't be known: it may be anybody. */
proctype Reaper() {
  byte r = 0;
  do
  :: /* Fence: is committed before the wait begins */
     if
     :: atomic { live[0] && !fenced[0] -> r = 0 }
     :: atomic { live[1] && !fenced[1] -> r = 1 }
     fi;
     fenced[r] = 1;
#ifndef M_REAP
     /* Wait: what Barrier waits, on its own clock */
     reaps = L + SK;
     (reaps == 0);
#endif
#if !defined(ACKONLY) || defined(M_REAPACKONLY)
     /* Delete */
     live[r] = 0;
#endif
     r = 0
  od
}
#endif

#define RUNS_DOWN(x) if :: (x) > 0 -> x-- :: else fi

/* A verifier's clock over one true tick: it advances, or not. */
inline verifier_tick(p) {
  if
#if defined(M_SUSPEND) || defined(ACKONLY)
  :: skip
#else
  :: slow[p] == 0 && deadline[p] + asked[p] > 0 -> slow[p] = L
#endif
  :: RUNS_DOWN(deadline[p]); RUNS_DOWN(asked[p]); RUNS_DOWN(slow[p])
#ifdef M_UNPINNED
     ; RUNS_DOWN(held)
#endif
  fi
}

proctype Clock() {
  do
  :: atomic {
       verifier_tick(0); /* nobody looks at verifier 1's deadline */
       RUNS_DOWN(waits[0]); RUNS_DOWN(waits[1]);
#ifdef REAPER
       RUNS_DOWN(reaps);
#endif
#ifdef G3
       RUNS_DOWN(settles[0]); RUNS_DOWN(settles[1]); RUNS_DOWN(age_left);
#endif
     }
  od
}

init {
  atomic {
    run Clock(); run Request(); run Refresher(0);
#ifdef REAPER
    run Reaper();
#else
#ifndef M_OVERWRITE
    me[1] = 1;
#endif
    run Refresher(1);
#endif
#ifdef M_FLAG
    run LeaseTimer();
#endif
    run Change(0); run Change(1);
#ifndef NOREPEAT
    run Repeat();
#endif
  }
}

#ifdef LIVE
ltl returns { [] ((committed[1] && ends_c0[1]) || (committed[2] && ends_c0[2]) -> <> returned) }
#endif
