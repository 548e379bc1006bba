#!/usr/bin/env python3
"""Invariant 2, from outside: looks for tokens, and for what would do instead of them.

    seek.py TOKENFILE… -- PATH…

Looks in every file at or under each PATH (pipes and sockets are passed over) for each token's text, its 43-character
secret, any 16 characters in a row of that, and its 32 bytes of entropy, raw (either byte order)
and in hexadecimal. The public id is no secret. A TOKENFILE itself is not looked into.
Prints a line `PATH: FORM` per find. Exit 0: nothing found; 1: found; 2: not asked rightly.
"""

import os
import sys

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET_AT, SECRET_LENGTH, TOKEN_LENGTH, WINDOW = 22, 43, 71, 16


def forms_of(token):
    secret = token[SECRET_AT:SECRET_AT + SECRET_LENGTH]
    number = 0
    for character in secret:
        number = number * 62 + BASE62.index(character)
    entropy = number.to_bytes(32, "big")
    forms = [("token", token.encode()), ("secret part", secret.encode()),
             ("entropy", entropy), ("entropy, reversed", entropy[::-1]),
             ("entropy in hexadecimal", entropy.hex().encode()),
             ("entropy in hexadecimal", entropy.hex().upper().encode())]
    forms += [(f"{WINDOW} characters of the secret part", secret[at:at + WINDOW].encode())
              for at in range(SECRET_LENGTH - WINDOW + 1)]
    return forms


def files_under(path):
    if not os.path.isdir(path):
        yield path
        return
    for folder, _, names in os.walk(path):
        for name in names:
            yield os.path.join(folder, name)


def main():
    arguments = sys.argv[1:]
    if "--" not in arguments:
        print("say what to look for, --, and where", file=sys.stderr)
        return 2
    split = arguments.index("--")
    token_files, paths = arguments[:split], arguments[split + 1:]
    if not token_files or not paths:
        print("there is nothing to look for, or nowhere", file=sys.stderr)
        return 2
    tokens = []
    for path in token_files:
        with open(path, encoding="ascii") as file:
            token = file.read().strip()
        if len(token) != TOKEN_LENGTH or not token.startswith("mrq_"):
            print(f"{path} holds no token", file=sys.stderr)
            return 2
        tokens.append(forms_of(token))
    own = {os.path.realpath(path) for path in token_files}
    finds = looked = 0
    for path in paths:
        if not os.path.exists(path):
            print(f"{path} is not there", file=sys.stderr)
            return 2
        for name in files_under(path):
            if os.path.realpath(name) in own or not (os.path.isfile(name)):
                continue
            with open(name, "rb") as file:
                content = file.read()
            looked += 1
            for forms in tokens:
                found = next((form for form, needle in forms if needle in content), None)
                if found is not None:
                    finds += 1
                    print(f"{name}: {found}")
    if looked == 0:
        print("there was no file to look into", file=sys.stderr)
        return 2
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
