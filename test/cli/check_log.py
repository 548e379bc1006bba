#!/usr/bin/env python3
"""An independent check of Marque's audit log, after RFC 6962 and C2SP's signed notes.

    check_log.py root        < export               the root over the exported lines, base64
    check_log.py note KEY    < note                  the note's signature
    check_log.py checkpoint KEY EXPORT < note        and that it is of the exported entries
    check_log.py inclusion KEY EXPORT < proof        `marque audit prove --entry N`
    check_log.py consistency KEY EXPORT < proof      `marque audit prove --since SIZE`

Shares no code with Marque: Python's standard library for hashing, openssl for Ed25519. Exits 0
and prints what it found, or 1 with the reason.
"""
import base64
import hashlib
import subprocess
import sys
import tempfile


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def split_point(size):
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def tree_root(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split_point(len(leaves))
    return node_hash(tree_root(leaves[:k]), tree_root(leaves[k:]))


def root_from_inclusion(leaf, index, size, proof):
    """RFC 9162, 2.1.3.2."""
    assert index < size, "the index is not in the tree"
    fn, sn, root = index, size - 1, leaf
    for sibling in proof:
        assert sn != 0, "the proof is too long"
        if fn & 1 or fn == sn:
            root = node_hash(sibling, root)
            while fn & 1 == 0 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            root = node_hash(root, sibling)
        fn >>= 1
        sn >>= 1
    assert sn == 0, "the proof is too short"
    return root


def check_consistency(old_size, old_root, size, root, proof):
    """RFC 9162, 2.1.4.2."""
    assert 0 < old_size <= size, "the sizes are the wrong way round"
    if old_size == size:
        assert not proof and old_root == root, "the same size, and not the same root"
        return
    proof = list(proof)
    if old_size & (old_size - 1) == 0:
        proof.insert(0, old_root)
    assert proof, "the proof is empty"
    fn, sn = old_size - 1, size - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    old = new = proof[0]
    for sibling in proof[1:]:
        assert sn != 0, "the proof is too long"
        if fn & 1 or fn == sn:
            old = node_hash(sibling, old)
            new = node_hash(sibling, new)
            while fn & 1 == 0 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            new = node_hash(new, sibling)
        fn >>= 1
        sn >>= 1
    assert old == old_root, "the old root is not the one proven"
    assert new == root, "the new root is not the one proven"
    assert sn == 0, "the proof is too short"


def is_signed(public_key, text, signature):
    spki = bytes.fromhex("302a300506032b6570032100") + public_key  # RFC 8410
    with tempfile.NamedTemporaryFile() as key, tempfile.NamedTemporaryFile() as signed, \
            tempfile.NamedTemporaryFile() as signature_file:
        for file, content in ((key, spki), (signed, text), (signature_file, signature)):
            file.write(content)
            file.flush()
        return subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", key.name,
             "-in", signed.name, "-sigfile", signature_file.name],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def open_note(note, verifier_key):
    """The note's text, when it is signed by the key. C2SP signed-note."""
    name, key_id, encoded = verifier_key.split("+", 2)
    typed = base64.b64decode(encoded, validate=True)
    assert typed[0] == 1 and len(typed) == 33, "the key is not Ed25519"
    assert hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4].hex() == key_id, "the key's id is wrong"
    text, signatures = note.rsplit("\n\n", 1)
    text += "\n"
    for line in signatures.splitlines():
        assert line.startswith("\u2014 "), "not a signature line"
        signer, value = line[2:].split(" ")
        value = base64.b64decode(value, validate=True)
        if signer == name and value[:4].hex() == key_id:
            assert is_signed(typed[1:], text.encode(), value[4:]), "the signature is not valid"
            return text
    raise AssertionError("the note is not signed by the key")


def read_checkpoint(note, verifier_key):
    text = open_note(note, verifier_key)
    origin, size, root = text.splitlines()[:3]
    assert origin == verifier_key.split("+", 1)[0], "the checkpoint is of another log"
    return int(size), base64.b64decode(root, validate=True)


def leaves_of(data):
    assert not data or data.endswith(b"\n"), "the export was cut"
    return [leaf_hash(line) for line in data.split(b"\n")[:-1]]


def read_proof(text):
    head, note = text.split("\n\n", 1)
    magic, number, *hashes = head.splitlines()
    return magic, number.split(" "), [base64.b64decode(h, validate=True) for h in hashes], note


def main(command, key=None, export=None):
    data = sys.stdin.buffer.read()
    leaves = []
    if export:
        with open(export, "rb") as file:
            leaves = leaves_of(file.read())
    if command == "root":
        print(base64.b64encode(tree_root(leaves_of(data))).decode())
    elif command == "note":
        print(open_note(data.decode(), key), end="")
    elif command == "checkpoint":
        size, root = read_checkpoint(data.decode(), key)
        assert len(leaves) >= size, "the export is shorter than the checkpoint"
        assert tree_root(leaves[:size]) == root, "the entries do not add up to the checkpoint's root"
        print(f"checkpoint of {size} entries")
    elif command == "inclusion":
        magic, (word, index), proof, note = read_proof(data.decode())
        assert magic == "c2sp.org/tlog-proof@v1" and word == "index"
        size, root = read_checkpoint(note, key)
        assert root_from_inclusion(leaves[int(index)], int(index), size, proof) == root, "the entry is not included"
        print(f"entry {int(index) + 1} is in the log of {size}")
    elif command == "consistency":
        magic, (word, old), proof, note = read_proof(data.decode())
        assert magic == "marque/consistency-proof@v1" and word == "old"
        size, root = read_checkpoint(note, key)
        check_consistency(int(old), tree_root(leaves[:int(old)]), size, root, proof)
        print(f"the log of {old} is the beginning of that of {size}")
    else:
        raise AssertionError("no such check")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (AssertionError, ValueError, IndexError) as error:
        print(f"NOT PROVEN: {error}", file=sys.stderr)
        sys.exit(1)
