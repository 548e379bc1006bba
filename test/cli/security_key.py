#!/usr/bin/env python3
"""A FIDO security key in software, for what OpenSSH makes of one: keys and signatures of the kinds sk-ssh-ed25519 and
sk-ecdsa-sha2-nistp256 (OpenSSH's PROTOCOL.u2f, PROTOCOL.sshsig).

    security_key.py make KIND FILE              writes FILE (the key, our own form) and FILE.pub
    security_key.py sign NAMESPACE FILE         signs standard input; the signature to standard output

KIND is ed25519 or ecdsa.
"""

import base64
import hashlib
import struct
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

APPLICATION = b"ssh:"
NAMES = {"ed25519": b"sk-ssh-ed25519@openssh.com", "ecdsa": b"sk-ecdsa-sha2-nistp256@openssh.com"}
USER_PRESENT = 1


def string(data):
    return struct.pack(">I", len(data)) + data


def mpint(number):
    data = number.to_bytes((number.bit_length() + 8) // 8, "big")
    return string(data)


def public_blob(kind, key):
    public = key.public_key()
    if kind == "ed25519":
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return string(NAMES[kind]) + string(raw) + string(APPLICATION)
    raw = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return string(NAMES[kind]) + string(b"nistp256") + string(raw) + string(APPLICATION)


def load(path):
    with open(path, "rb") as file:
        kind, pem = file.read().split(b"\n", 1)
    return kind.decode(), serialization.load_pem_private_key(pem, None)


def make(kind, path):
    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption())
    with open(path, "wb") as file:
        file.write(kind.encode() + b"\n" + pem)
    with open(path + ".pub", "wb") as file:
        file.write(NAMES[kind] + b" " + base64.b64encode(public_blob(kind, key)) + b" security key\n")


def sign(namespace, path):
    kind, key = load(path)
    digest = hashlib.sha512(sys.stdin.buffer.read()).digest()
    fields = string(namespace.encode()) + string(b"") + string(b"sha512")
    message = b"SSHSIG" + fields + string(digest)
    counter = struct.pack(">I", 7)
    # What the device signs: its application, its flags, its counter, and what it was asked to sign.
    signed = hashlib.sha256(APPLICATION).digest() + bytes([USER_PRESENT]) + counter + hashlib.sha256(message).digest()
    if kind == "ed25519":
        inner = string(key.sign(signed))
    else:
        r, s = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        inner = string(mpint(r) + mpint(s))
    signature = string(NAMES[kind]) + inner + bytes([USER_PRESENT]) + counter
    blob = b"SSHSIG" + struct.pack(">I", 1) + string(public_blob(kind, key)) + fields + string(signature)
    text = base64.b64encode(blob).decode()
    print("-----BEGIN SSH SIGNATURE-----")
    for at in range(0, len(text), 70):
        print(text[at:at + 70])
    print("-----END SSH SIGNATURE-----")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], sys.argv[3])
    else:
        sign(sys.argv[2], sys.argv[3])
