/* revoke_failover.pml: the promise of revoke_lease.pml when PostgreSQL itself fails over.
 *
 * Two servers: 0 is the first primary, 1 its synchronous standby. 1 may be promoted at any time. 0 may go on running
 * then, and answer whoever is connected to it, or connects again: it takes itself for the primary, and says
 * "read-write". Each statement of a verifier and of a change may find itself at either.
 *
 * The log has two changes at most: X, somebody else's, and C, the revocation that is watched. Which of them are in a
 * log, and in which order, is what a seal says; how many, is its revision. So two logs can have one revision and
 * differ: 0 may show a change that 1 never got, because the wait for the standby was cancelled, or ended in a crash.
 *
 *     refresher   Renew ─┬─ head unmoved ─▶ Extend
 *                        └─ head moved ──▶ Read ─▶ Publish ─▶ Acknowledge
 *                                  Hint ────▲
 *     change      Commit ─▶ Note ─▶ Barrier ─▶ returns
 *
 * What keeps it right:
 *   - a commit returns when the standby has it; so a deposed primary finishes none. One whose wait was cancelled
 *     (WARNING 01000, "canceling wait for synchronous replication") did not happen, as far as anybody may rely on it;
 *   - Renew is such a commit;
 *   - so is a repeat: "already revoked" may be what 0 alone knows, and is confirmed by a commit after it;
 *   - Read must reach the head that Renew brought, and continue the log that is known, entry by entry;
 *   - Acknowledge, also the one in Renew, takes effect only where the log has, at that revision, the verifier's own seal;
 *   - Roll and Barrier believe the verifiers' rows only where the log has the change, under its own seal.
 *
 * No clock is slow here, requests are judged in one step, and there is one verifier, whose row stays: revoke_lease.pml
 * has the rest.
 *
 * Mutants:
 *   -DM_ASYNC        asynchronous replication: a commit returns at once, and a failover may lose it
 *   -DM_READRENEW    Renew only reads (or its wait was cancelled, and it counts all the same)
 *   -DM_CANCEL       a change whose wait for the standby was cancelled counts as committed
 *   -DM_REPLICA      a verifier may ask a hot standby, which may be behind
 *   -DM_READREPEAT   a repeat that finds the revocation commits nothing, and goes to Barrier
 *   -DM_RECONNECT    Read, on another connection than Renew, may be behind the head that Renew brought
 *   -DM_BACK         Hint publishes a log that does not continue the known one
 *   -DM_BLINDEXTEND  Renew compares the head's revision alone, not its seal
 *   -DM_BLINDACK     Acknowledge says a revision alone, not whose seal it has
 *   -DM_BLINDPOLL    Barrier does not look whether the log it polls beside has the change
 */
#ifndef L
#define L 1 /* ticks of a lease */
#endif

/* logs */
#define X 1
#define C 2
#define XC 3
#define CX 4
#define SIZE(log) ((log) == 0 -> 0 : ((log) < XC -> 1 : 2))
#define HAS(log, c) ((log) == (c) || (log) >= XC)
#define APPENDED(log, c) ((log) == 0 -> (c) : ((log) == X -> XC : CX))
#define FIRST(log) ((log) >= XC -> (log) - 2 : (log))
#define CONTINUES(log, known) ((known) == (log) || (known) == 0 || (known) == FIRST(log))

/* the servers */
bit promoted = 0;
byte wal[2];    /* what is durable there */
byte shows[2];  /* what new snapshots see */
bit locked[2];  /* the lock that orders changes */
byte acked[2];  /* the verifier's row */

/* the verifier */
byte data = 0;
byte deadline = 0;
byte asked = 0;

byte waits = 0;    /* C's clock */
bit returned = 0;  /* C has returned */

#ifdef M_ASYNC
#define COMMITS(k, log) ((k) == 0 || promoted)
#else
/* after `log`: the standby has got all that was written before, too */
#define COMMITS(k, log) ((k) == promoted && ((k) == 1 || CONTINUES(wal[1], log)))
#endif
#if defined(M_READRENEW)
#define RENEW_COMMITS 1
#define RENEW_WRITES skip
#elif defined(M_REPLICA)
#define RENEW_COMMITS (COMMITS(k, head) || k == 1)
#define RENEW_WRITES write_acked(k)
#else
#define RENEW_COMMITS COMMITS(k, head)
#define RENEW_WRITES write_acked(k)
#endif
#ifdef M_BLINDACK
#define OWN_SEAL(k) 1
#else
#define OWN_SEAL(k) CONTINUES(shows[k], data)
#endif
#ifdef M_BLINDEXTEND
#define UNMOVED (SIZE(head) == SIZE(data))
#else
#define UNMOVED (head == data)
#endif
#ifdef M_RECONNECT
#define REACHES_HEAD 1
#else
#define REACHES_HEAD CONTINUES(got, head)
#endif
#ifdef M_BACK
#define CONTINUES_DATA (CONTINUES(got, data) || head == 0)
#else
#define CONTINUES_DATA CONTINUES(got, data)
#endif
#ifdef M_BLINDPOLL
#define HAS_CHANGE(k) 1
#else
#define HAS_CHANGE(k) CONTINUES(shows[k], sealed)
#endif

active proctype Standby() {
  do
  :: atomic { !promoted && wal[1] != wal[0] -> wal[1] = (wal[1] == 0 -> FIRST(wal[0]) : wal[0]) }
  :: atomic { !promoted && wal[1] == wal[0] && acked[1] != acked[0] -> acked[1] = acked[0] }
  :: atomic { !promoted && shows[1] != wal[1] -> shows[1] = wal[1] }
  od
}

active proctype Failover() {
  if
  :: d_step { promoted = 1; shows[1] = wal[1] }
  :: skip
  fi
}

/* where a statement finds itself */
inline connect(k) {
  if
  :: k = 0
#ifdef M_REPLICA
  :: k = 1
#else
  :: promoted -> k = 1
#endif
  fi
}

inline write_acked(k) { if :: OWN_SEAL(k) -> acked[k] = SIZE(data) :: else fi }

inline read_publish_acknowledge() {
  /* Read */
  atomic { connect(k); got = shows[k] }
  if
  :: CONTINUES_DATA && REACHES_HEAD ->
     /* Publish */
     d_step {
       data = got; got = 0; head = 0;
       if :: asked > deadline -> deadline = asked :: else fi;
       asked = 0
     }
     /* Acknowledge */
     atomic { connect(k); write_acked(k) }
  :: else /* refused */
  fi
}

active proctype Refresher() {
  byte head = 0; byte got = 0; byte k = 0;
  do
  :: /* Renew: the boot clock, the statement, and its commit or none */
     atomic { connect(k); asked = L }
     atomic { head = shows[k]; RENEW_WRITES }
     if
     :: RENEW_COMMITS ->
        if
        :: UNMOVED -> /* Extend */ d_step { deadline = asked; asked = 0 }
        :: !UNMOVED && CONTINUES(head, data) -> read_publish_acknowledge()
        :: !UNMOVED && !CONTINUES(head, data) /* refused */
        fi
     :: !COMMITS(k, head)
     fi;
     d_step { asked = 0; head = 0; got = 0; k = 0 }
  :: /* Hint */
     read_publish_acknowledge();
     d_step { got = 0; k = 0 }
  od
}

active proctype Request() {
  do
  :: d_step { deadline > 0 && returned -> assert(HAS(data, C)) }
  od
}

proctype Change(byte c) {
  byte k = 0; byte sealed = 0;
  do
  :: /* Commit: under the lock. What is there already is committed once more, with a write that changes nothing */
     atomic { connect(k); !locked[k] -> locked[k] = 1 }
#ifdef M_READREPEAT
     if
     :: HAS(shows[k], c) -> sealed = wal[k]; locked[k] = 0; break
     :: else
     fi;
#endif
     d_step { if :: HAS(wal[k], c) :: else -> wal[k] = APPENDED(wal[k], c) fi }
     if
     :: d_step { COMMITS(k, wal[k]) -> shows[k] = wal[k]; sealed = wal[k]; locked[k] = 0 }
        break
     :: d_step { k == 0 -> shows[0] = wal[0];
#ifdef M_CANCEL
          sealed = wal[0];
#endif
          locked[0] = 0 }
#ifdef M_CANCEL
        break
#else
        k = 0
#endif
     fi
  od;
  if
  :: c == C ->
     sealed = (FIRST(sealed) == C -> C : XC);
     /* Note */
     waits = L;
     /* Barrier */
     if
     :: waits == 0
     :: HAS_CHANGE(0) && acked[0] >= SIZE(sealed)
     :: promoted && HAS_CHANGE(1) && acked[1] >= SIZE(sealed)
     fi;
     waits = 0;
     returned = 1
  :: else
  fi
}

#define RUNS_DOWN(x) if :: (x) > 0 -> x-- :: else fi
active proctype Clock() {
  do :: atomic { RUNS_DOWN(deadline); RUNS_DOWN(asked); RUNS_DOWN(waits) } od
}

init { atomic { run Change(X); run Change(C) } }
