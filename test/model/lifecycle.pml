/* lifecycle.pml: operators who race each other over one identity.
 *
 *   P1  what was revoked has no credential in force: nobody's rotation or issue brings one back
 *   P2  what is issued is what the owner signed
 *   P3  one approval issues once
 *
 * Each command is one transaction at READ COMMITTED or stronger: Lock (log_head, before its snapshot), Decide by what is
 * read under the lock, Write (conditional on the state it starts from), and commit, which ends the lock. An approval is
 * good for the plan that was signed: the plan is made again under the lock and compared, and the approval is used up in
 * the same commit.
 *
 * A revocation ends the credentials' rows here, one by one, so that one that comes back would be seen.
 *
 * Mutants:
 *   -DM_NOLOCK    no lock: read, then write
 *   -DM_CHECKOUT  Decide before Lock
 *   -DM_BYID      an approval is good for its id, whatever the plan is by then
 *   -DM_REPLAY    an approval is not used up
 */
bit revoked = 0;   /* the identity */
byte in_force = 1; /* its credentials that are */
bit locked = 0;
byte plan = 1;     /* what the operator's command would do: 1, or 2 with wider scopes */
byte signature = 0; /* the plan that the owner has signed */
bit used = 0;      /* the approval */
byte issued = 0;

#ifdef M_NOLOCK
#define LOCK skip
#define COMMIT skip
#else
#define LOCK atomic { !locked -> locked = 1 }
#define COMMIT locked = 0
#endif

proctype Rotate() {
  bit may;
#ifdef M_CHECKOUT
  may = !revoked;
  LOCK;
#else
  LOCK;
  may = !revoked;
#endif
  if :: may -> in_force++ :: else fi;
  COMMIT
}

proctype Revoke() {
  byte seen;
  LOCK;
  seen = in_force; /* the rows that its snapshot shows */
  revoked = 1;
  in_force = in_force - seen;
  COMMIT
}

proctype Owner() { signature = plan }

/* The operator has the command do something else, or the world has moved and makes it so. */
proctype Widen() {
  LOCK;
  plan = 2;
  COMMIT
}

proctype Issue() {
  byte now; bit may;
  signature > 0;
  LOCK;
  now = plan;
#ifdef M_BYID
  may = 1;
#else
  may = (signature == now);
#endif
#ifndef M_REPLAY
  d_step { if :: used -> may = 0 :: !used && may -> used = 1 :: else fi }
#endif
  if
  :: may && !revoked -> d_step { issued++; in_force++; assert(now == signature); assert(issued <= 1) }
  :: else
  fi;
  COMMIT
}

init {
  atomic { run Rotate(); run Revoke(); run Owner(); run Widen(); run Issue(); run Issue() }
  _nr_pr == 1;
  assert(!revoked || in_force == 0)
}
