#!/usr/bin/env python3
"""Invariant 1, from outside: what the audit log tells is what the tables say.

Plays the entries of `marque audit export` and compares every row they are about (workspaces,
environments, identities, credentials, operators, permissions, owners,
approvals and their signatures): its state, its times,
and its revision, which is the number of the entry that last wrote it. A row without an entry,
an entry without its row, and a step that no state allows are all differences.

    replay.py STORE…       one line a store; exit 1 if any differs
    replay.py              the same, for the stores named on standard input, a line each

A line is `same entries=N IDENTITY=STATE[,STATE…]…`, or `differs: …`.
MARQUE is the binary to ask.
"""

import json
import os
import sqlite3
import subprocess
import sys
from datetime import datetime, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Differs(Exception):
    pass


def microseconds(text):
    if text is None:
        return None
    gap = datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH
    return (gap.days * 86400 + gap.seconds) * 1_000_000 + gap.microseconds


def scopes(array):
    return ",".join(array)


class Replay:
    """The tables as they must be, each a dictionary from key to row."""

    def __init__(self):
        self.tables = {name: {} for name in
                       ("workspace", "environment", "identity", "credential", "operator", "permission", "owner",
                        "approval", "approval_signature")}

    def play(self, entry):
        outcome, action = entry["outcome"], entry["action"]
        if outcome == "refused":
            return
        if outcome == "failed" and action != "credential.deliver":
            raise Differs(f"entry {entry['seq']}: {action} failed, which this replay does not know")
        kind, verb = action.split(".")
        step = getattr(self, f"{kind}_{verb}", None) or getattr(self, f"any_{verb}", None)
        if step is None:
            raise Differs(f"entry {entry['seq']}: {action}, which this replay does not know")
        step(entry, entry["target"], entry.get("change", {}), entry["seq"])

    @staticmethod
    def key(target):
        kind = target["kind"]
        if kind == "credential":
            return kind, target["id"]
        if kind in ("identity", "environment"):
            return kind, (target["workspace"], target["name"])
        if kind == "approval":
            return kind, target["id"]
        return kind, target["name"]

    def add(self, table, key, row):
        if key in self.tables[table]:
            raise Differs(f"entry {row['revision']}: a second {table} {key}")
        self.tables[table][key] = row

    def row(self, entry, target, allowed):
        kind, key = self.key(target)
        row = self.tables[kind].get(key)
        if row is None:
            raise Differs(f"entry {entry['seq']}: {entry['action']} of {kind} {key}, which is not there")
        if row["state"] not in allowed:
            raise Differs(f"entry {entry['seq']}: {entry['action']} of {kind} {key}, which is {row['state']}")
        row["revision"] = entry["seq"]
        return row

    def installation_create(self, *_):
        pass

    def store_backup(self, *_):
        pass

    store_migrate = store_rollback = store_copy = store_rotate_key = store_backup

    def workspace_add(self, entry, target, change, seq):
        self.add("workspace", target["name"], {"state": change["after"]["state"], "paused_until": None, "revision": seq})

    def environment_add(self, entry, target, change, seq):
        after = change["after"]
        self.add("environment", (target["workspace"], target["name"]),
                 {"state": after["state"], "paused_until": None, "revision": seq,
                  "is_protected": int(after["protected"])})

    def identity_create(self, entry, target, change, seq):
        after = change["after"]
        self.add("identity", (target["workspace"], target["name"]),
                 {"state": after["state"], "paused_until": None, "revision": seq,
                  "environment": after["environment"], "kind": after["kind"], "scopes": scopes(after["scopes"]),
                  "contact": after.get("contact", "")})

    def credential_issue(self, entry, target, change, seq):
        after = change["after"]
        self.add("credential", target["id"],
                 {"state": after["state"], "paused_until": None, "retire_at": None, "revision": seq,
                  "workspace": target["workspace"], "identity": target["identity"],
                  "scopes": scopes(after["scopes"]), "expires_at": microseconds(after.get("expires_at")),
                  "replaces": after.get("replaces"), "old_credential": after.get("old_credential")})

    def credential_activate(self, entry, target, *_):
        self.row(entry, target, {"pending"})["state"] = "active"

    def credential_deliver(self, entry, target, *_):
        self.row(entry, target, {"pending"})["state"] = "revoked"

    def credential_retire(self, entry, target, change, seq):
        row = self.row(entry, target, {"active", "paused", "retiring"})
        row.update(state="retiring", retire_at=microseconds(change["after"]["retire_at"]), paused_until=None)

    def any_pause(self, entry, target, change, seq):
        row = self.row(entry, target, {"active", "paused"})
        row.update(state="paused", paused_until=microseconds(change["after"].get("paused_until")))

    def any_resume(self, entry, target, *_):
        self.row(entry, target, {"paused"}).update(state="active", paused_until=None)

    def any_revoke(self, entry, target, *_):
        row = self.row(entry, target, {"pending", "active", "paused", "retiring"})
        row.update(state="revoked", paused_until=None)

    def grant(self, name, grant, seq):
        self.add("permission", (name, grant["workspace"], grant["permission"]), {"revision": seq})

    def operator_add(self, entry, target, change, seq):
        self.add("operator", target["name"], {"state": "present", "uid": change["after"]["uid"], "revision": seq})
        for grant in change["after"]["grants"]:
            self.grant(target["name"], grant, seq)

    def operator_remove(self, entry, target, *_):
        self.row(entry, target, {"present"})["state"] = "removed"

    def operator_reassign(self, entry, target, change, *_):
        row = self.row(entry, target, {"present"})
        if row["uid"] != change["before"]["uid"]:
            raise Differs(f"entry {entry['seq']}: {target['name']} did not have that uid")
        row["uid"] = change["after"]["uid"]

    def operator_grant(self, entry, target, change, seq):
        self.row(entry, target, {"present"})
        self.grant(target["name"], change["after"], seq)

    def operator_withdraw(self, entry, target, change, seq):
        self.row(entry, target, {"present"})
        before = change["before"]
        if self.tables["permission"].pop((target["name"], before["workspace"], before["permission"]), None) is None:
            raise Differs(f"entry {seq}: withdrew what was not granted")

    def owner_add(self, entry, target, change, seq):
        after = change["after"]
        self.add("owner", target["fingerprint"],
                 {"public_key": after["public_key"], "operator": after.get("operator"), "revision": seq})

    def owner_remove(self, entry, target, *_):
        if self.tables["owner"].pop(target["fingerprint"], None) is None:
            raise Differs(f"entry {entry['seq']}: removed an owner that was not there")

    def owner_policy(self, *_):
        pass

    def protect(self, entry, target, change, *_):
        self.row(entry, target, {"active", "paused", "revoked"})["is_protected"] = int(change["after"]["protected"])

    environment_protect = environment_unprotect = protect

    def approval_request(self, entry, target, change, seq):
        after = change["after"]
        self.add("approval", target["id"],
                 {"state": "open", "text": after["request"], "plan": after["plan"], "requester": after["requester"],
                  "not_after": microseconds(after["not_after"]), "revision": seq})

    def approval_sign(self, entry, target, change, seq):
        self.row(entry, target, {"open"})
        after = change["after"]
        self.add("approval_signature", (target["id"], seq),
                 {"signature": after["signature"], "fingerprint": after["fingerprint"]})

    def approval_deny(self, entry, target, *_):
        self.row(entry, target, {"open"})["state"] = "denied"

    def approval_withdraw(self, entry, target, *_):
        self.row(entry, target, {"open"})["state"] = "withdrawn"

    def approval_redeem(self, entry, target, *_):
        self.row(entry, target, {"open"})["state"] = "redeemed"


KEYS = {
    "workspace": ("name",), "environment": ("workspace", "name"), "identity": ("workspace", "name"),
    "credential": ("id",), "operator": ("name",), "permission": ("operator", "workspace", "permission"),
    "owner": ("fingerprint",), "approval": ("id",), "approval_signature": ("approval", "revision"),
}


def stored(db, table):
    rows = {}
    for found in db.execute(f"SELECT * FROM {table}"):
        row = dict(found)
        key = tuple(row[column] for column in KEYS[table])
        if table == "operator":
            row["state"] = "removed" if row["is_removed"] else "present"
        rows[key if len(key) > 1 else key[0]] = row
    return rows


def compare(table, expected, found):
    for key in expected.keys() - found.keys():
        raise Differs(f"{table} {key} is in the log and not in the table")
    for key in found.keys() - expected.keys():
        raise Differs(f"{table} {key} is in the table and not in the log (unaudited)")
    for key, row in expected.items():
        for column, value in row.items():
            if found[key][column] != value:
                raise Differs(f"{table} {key}: {column} is {found[key][column]!r}, and by the log {value!r}")


def examine(store):
    exported = subprocess.run([os.environ["MARQUE"], "--store", store, "audit", "export"],
                              capture_output=True, check=False)
    if exported.returncode != 0:
        raise Differs(f"audit export ended with {exported.returncode}: {exported.stderr.decode().strip()}")
    entries = [json.loads(line) for line in exported.stdout.splitlines()]
    replay = Replay()
    for number, entry in enumerate(entries, 1):
        if entry["seq"] != number:
            raise Differs(f"entry {number} calls itself {entry['seq']}")
        replay.play(entry)
    # Read-only, so that nothing is checkpointed or cleaned away by looking.
    db = sqlite3.connect(f"file:{os.path.abspath(store)}/marque.db?mode=ro", uri=True)
    try:
        db.row_factory = sqlite3.Row
        db.execute("BEGIN")
        size = db.execute("SELECT size FROM log_head").fetchone()
        if (size["size"] if size else 0) != len(entries):
            raise Differs(f"the head says {size['size'] if size else 0} entries, and {len(entries)} are there")
        for table, expected in replay.tables.items():
            compare(table, expected, stored(db, table))
    finally:
        db.close()
    states = {}
    for row in replay.tables["credential"].values():
        states.setdefault(row["identity"], []).append(row["state"])
    told = "".join(f" {name}={','.join(sorted(found))}" for name, found in sorted(states.items()))
    return f"same entries={len(entries)}{told}"


def answer(store):
    try:
        line = examine(store)
    except Differs as difference:
        line = f"differs: {difference}"
    except (sqlite3.Error, ValueError, KeyError) as error:
        line = f"differs: {type(error).__name__} {error}"
    print(line, flush=True)
    return line.startswith("same")


def main():
    stores = sys.argv[1:] or (line.rstrip("\n") for line in iter(sys.stdin.readline, ""))
    return 0 if all([answer(store) for store in stores]) else 1


if __name__ == "__main__":
    sys.exit(main())
