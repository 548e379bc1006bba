"""What was done, what was answered, and whether the two can both be true.

Whether a token is good hangs on switches: its credential's end, its identity's pause, its environment's pause, … A
switch is moved by one worker at a time. A move is known by two instants, one before it began and one after it had
returned, and so is an answer: before its request's first byte was sent, and after it was read. All are nanoseconds of
CLOCK_MONOTONIC on one host. Between the two instants of a move nothing is known; outside of them everything is:

    off for sure at a request     a taking-away had returned before the request began, and no giving-back after it
                                  had begun before the answer was read
    on for sure                   a giving had returned before the request began, and no taking-away after it had
                                  begun before the answer was read

So an accepted answer with a switch off for sure is a broken promise, a refused one with all switches on for sure is a
blanket refusal, and one of an older revision than a move that had returned came from stale memory.
"""

import bisect
import math
from collections import Counter

ACCEPTED, REFUSED, SCOPE_MISSING, UNAVAILABLE = 200, 401, 403, 503
ANOTHERS = 900  # accepted, but with another credential's name
NO_REVISION = -1
NEVER = math.inf  # when a move returned that failed, or whose outcome nobody knows
COLUMNS = 5  # of an answer: token, begun, ended, status, revision; flat, so that a million of them are one array


class Switch:
    """Off until it is first given. Moves are added in the order in which they began."""

    def __init__(self):
        self.begun, self.returned, self.gives = [], [], []

    def _move(self, gives, begun, returned):
        assert not self.begun or begun >= self.begun[-1], "a switch has one worker"
        self.returned.append(returned)
        self.gives.append(gives)
        self.begun.append(begun)

    def give(self, begun, returned):
        self._move(True, begun, returned)
        return self

    def take(self, begun, returned):
        self._move(False, begun, returned)
        return self

    def is_off(self, begun, ended):
        for at in range(bisect.bisect_right(self.begun, ended) - 1, -1, -1):
            if self.gives[at]:
                return False
            if self.returned[at] < begun:
                return True
        return True

    def is_on(self, begun, ended):
        at = bisect.bisect_right(self.begun, ended) - 1
        return at >= 0 and self.gives[at] and self.returned[at] < begun

    def told(self, instant):
        """Its last moves, in milliseconds from `instant`."""
        moves = [f"{'on' if gives else 'off'} {(begun - instant) / 1e6:.3f}…{(returned - instant) / 1e6:.3f}"
                 for begun, returned, gives in zip(self.begun, self.returned, self.gives)]
        return ", ".join(moves[-4:])


class History:
    def __init__(self):
        self.tokens = []     # by number: the switches that it hangs on
        self.revisions = []  # (when a move had returned, the revision it had made)

    def add_token(self, switches):
        self.tokens.append(tuple(switches))
        return len(self.tokens) - 1

    def judge(self, answers, most=3):
        """(findings, how many answers of each status): `answers` is flat; of a kind of finding, `most` are told."""
        returned, newest = self._newest_revisions()
        tokens, counts, found, findings = self.tokens, Counter(), Counter(), []

        def find(kind, token, begun, ended, status, detail=""):
            found[kind] += 1
            if found[kind] <= most:
                moves = "; ".join(switch.told(begun) for switch in tokens[token])
                findings.append(f"{kind}{detail}: token {token}, {status}, in {(ended - begun) / 1e6:.3f} ms; {moves}")

        columns = iter(answers)
        for token, begun, ended, status, revision in zip(*[columns] * COLUMNS):
            counts[status] += 1
            if status in (ACCEPTED, SCOPE_MISSING):  # "your scope is missing" also says that the token is good
                if any(switch.is_off(begun, ended) for switch in tokens[token]):
                    find("accepted after it was taken away", token, begun, ended, status)
            elif status == REFUSED:
                if all(switch.is_on(begun, ended) for switch in tokens[token]):
                    find("refused while in force", token, begun, ended, status)
            elif status != UNAVAILABLE:
                find("not an answer to expect", token, begun, ended, status)
                continue
            if status != UNAVAILABLE:
                before = bisect.bisect_left(returned, begun)
                if revision == NO_REVISION:
                    find("without a revision", token, begun, ended, status)
                elif before and revision < newest[before - 1]:
                    detail = f" ({revision}, not {newest[before - 1]})"
                    find("older than its request", token, begun, ended, status, detail)
        return findings + [f"{kind}: {number} in all" for kind, number in found.items() if number > most], counts

    def _newest_revisions(self):
        returned, newest = [], []
        for instant, revision in sorted(self.revisions):
            returned.append(instant)
            newest.append(max(revision, newest[-1] if newest else 0))
        return returned, newest
