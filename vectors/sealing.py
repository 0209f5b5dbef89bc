"""Writes vectors/sealing: keyrings, sealed values, blinded names, key paths and receipt
ids, as docs/format.md specifies them and with nothing of Pawl: libsodium (PyNaCl) and
msgpack for what they do, Python's hashlib for the rest. With --check it compares.

    make vectors"""
import argparse, base64, hashlib, hmac, json, os, sys
import msgpack, nacl
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as xchacha
from nacl.pwhash import argon2id

HERE = os.path.dirname(os.path.abspath(__file__))
KEY, PASSPHRASE = bytes(range(32)), "correct horse, battery £".encode()


def fixed(what, n):
    """n bytes that look random and are always the same."""
    return hashlib.shake_256(b"pawl vectors: " + what.encode()).digest(n)


def hkdf(ikm, salt, info):  # RFC 5869 with SHA-256, for 32 bytes
    return hmac.digest(hmac.digest(salt or bytes(32), ikm, "sha256"), info + b"\x01", "sha256")


DATA, STORE = fixed("data key", 32), fixed("store id", 16)
SEAL, BLIND = hkdf(DATA, None, b"pawl keyring v1 seal"), hkdf(DATA, None, b"pawl keyring v1 blind")


def summed(body): return body + hashlib.sha256(body).digest()[:8]


def fields(kdf, passes, memory, threads, secret, name):
    salt, nonce = fixed("salt " + name, 16), fixed("nonce " + name, 24)
    ikm = secret if kdf == "raw" else argon2id.kdf(32, secret, salt, opslimit=passes, memlimit=memory * 1024)
    head = [kdf, passes, memory, threads, salt, STORE]
    bound = b"\x01" + msgpack.packb(head + [None])
    return head + [nonce + xchacha(DATA, bound, nonce, hkdf(ikm, salt, b"pawl keyring v1 wrap"))]


def keyrings():
    def vector(name, body, expect, **secret):
        return {"name": name, "record": body.hex(), **secret, "expect": expect}
    phrase, key = {"passphrase": PASSPHRASE.hex()}, {"key": KEY.hex()}
    by_key = fields("raw", 0, 0, 0, KEY, "by key")
    by_phrase = fields("argon2id", 2, 19456, 1, PASSPHRASE, "by passphrase")
    packed = lambda f, version=1: summed(bytes([version]) + msgpack.packb(f))
    with_field = lambda i, value: packed(by_key[:i] + [value] + by_key[i + 1:])
    costly = lambda i, value: packed(by_phrase[:i] + [value] + by_phrase[i + 1:])
    flipped = bytearray(packed(by_key)); flipped[20] ^= 1
    tag = by_key[6][:-1] + bytes([by_key[6][-1] ^ 1])
    return [
        vector("by key", packed(by_key), "accepted", **key),
        vector("by passphrase, 2 passes over 19 MiB", packed(by_phrase), "accepted", **phrase),
        vector("by passphrase, 5 passes over 7 MiB", packed(fields("argon2id", 5, 7168, 1, PASSPHRASE, "5 over 7")), "accepted", **phrase),
        vector("cheaper than is written", packed(fields("argon2id", 1, 8, 1, PASSPHRASE, "cheap")), "accepted", **phrase),
        vector("another key", packed(by_key), "secret", key=bytes(32).hex()),
        vector("another passphrase", packed(by_phrase), "secret", passphrase=b"correct horse".hex()),
        vector("a passphrase for a key's", packed(by_key), "secret", **phrase),
        vector("a key for a passphrase's", packed(by_phrase), "secret", **key),
        vector("the tag is damaged, and the checksum is right", with_field(6, tag), "secret", **key),
        vector("bound to another store id", with_field(5, bytes(16)), "secret", **key),
        vector("a bit is flipped", bytes(flipped), "format", **key),
        vector("cut off", packed(by_key)[:-1], "format", **key),
        vector("a byte at the end", packed(by_key) + b"\0", "format", **key),
        vector("empty", b"", "format", **key),
        vector("version 0", packed(by_key, 0), "format", **key),
        vector("version 2", packed(by_key, 2), "newer", **key),
        vector("version 2 of something else", summed(b"\x02another layout"), "newer", **key),
        vector("six fields", packed(by_key[:6]), "format", **key),
        vector("eight fields", packed(by_key + [0]), "format", **key),
        vector("a number in a longer form", summed(packed(by_key)[:-8].replace(b"\xa3raw\x00", b"\xa3raw\xcc\x00", 1)), "format", **key),
        vector("an unknown function", with_field(0, "scrypt"), "format", **key),
        vector("passes for a key", with_field(1, 1), "format", **key),
        vector("15 bytes of salt", with_field(4, by_key[4][:15]), "format", **key),
        vector("71 bytes of key", with_field(6, by_key[6][:71]), "format", **key),
        vector("0 passes", costly(1, 0), "format", **phrase),
        vector("17 passes", costly(1, 17), "format", **phrase),
        vector("7 KiB", costly(2, 7), "format", **phrase),
        vector("more than 256 MiB", costly(2, (256 << 10) + 1), "format", **phrase),
        vector("0 threads", costly(3, 0), "format", **phrase),
        vector("5 threads", costly(3, 5), "format", **phrase),
    ]


PATH = "0123456789012345678901/session/abcdefghijklmnopqrstuv"


def sealed(path, plaintext, name, version=1):
    nonce = fixed("value " + name, 24)
    return bytes([version]) + nonce + xchacha(plaintext, path.encode(), nonce, SEAL)


def values():
    def vector(name, body, expect, path=PATH, plaintext=None):
        v = {"name": name, "path": path, "sealed": body.hex(), "expect": expect}
        return v if plaintext is None else {**v, "plaintext": plaintext.hex()}
    text = b"\x02\x91\x01 a record"
    whole = sealed(PATH, text, "whole")
    flip = lambda i: whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1:]
    return [
        vector("a record", whole, "accepted", plaintext=text),
        vector("nothing", sealed(PATH, b"", "nothing"), "accepted", plaintext=b""),
        vector("shared", sealed("_/witness", text, "shared"), "accepted", path="_/witness", plaintext=text),
        vector("of another key path", whole, "damaged", path=PATH[:-1] + "w"),
        vector("of another account", whole, "damaged", path="1" + PATH[1:]),
        vector("a bit of the nonce", flip(1), "damaged"),
        vector("a bit of the ciphertext", flip(25), "damaged"),
        vector("a bit of the tag", flip(len(whole) - 1), "damaged"),
        vector("cut off", whole[:-1], "damaged"),
        vector("too short for a tag", whole[:40], "damaged"),
        vector("empty", b"", "damaged"),
        vector("another version of what opens all the same", flip(0)[:1] + whole[1:], "damaged"),
        vector("version 2", b"\x02" + fixed("newer", len(whole) - 1), "newer"),
        vector("version 15", b"\x0f" + fixed("newest", len(whole) - 1), "newer"),
        vector("version 16, which there will never be", b"\x10" + fixed("never", len(whole) - 1), "damaged"),
    ]


def blinded(name): return base64.urlsafe_b64encode(hmac.digest(BLIND, name, "sha256")[:16]).rstrip(b"=").decode()


def names():
    words = ["PHONE", "", "hsm4MZmO8S7DlHlDiTbh7gwIBOrTh8Oy2UInkHuTbFk", "!room:example.org", "ü £ 😀", "\0", "x" * 300]
    return [{"name": f"{len(w.encode())} bytes: {w[:20]!r}", "bytes": w.encode().hex(), "blinded": blinded(w.encode()), "expect": "accepted"} for w in words]


def paths():
    def vector(name, account, kind, *segments):
        scope = "_" if account is None else blinded(f"{len(account[0].encode())}:{account[0]}{account[1]}".encode())
        v = {"name": name, "kind": kind, "segments": list(segments), "path": "/".join([scope, kind] + [blinded(s.encode()) for s in segments]), "expect": "accepted"}
        return v if account is None else {**v, "user": account[0], "device": account[1]}
    alice = ("@alice:example.org", "PHONE")
    return [
        vector("of an account, alone", alice, "otk-pool"),
        vector("one segment", alice, "peer", "hsm4MZmO8S7DlHlDiTbh7gwIBOrTh8Oy2UInkHuTbFk"),
        vector("two segments", alice, "session", "hsm4MZmO8S7DlHlDiTbh7gwIBOrTh8Oy2UInkHuTbFk", "2Nw53CbCHSP6pFu6guiq3EvqMG9MOPMZzb10cZKg+fU"),
        vector("four segments", alice, "group-shared", "!room:example.org", "2Nw53CbCHSP6pFu6guiq3EvqMG9MOPMZzb10cZKg+fU", "@bob:example.org", "DESK"),
        vector("a longer user and a shorter device", ("@alice:example.orgP", "HONE"), "otk-pool"),
        vector("bytes, not characters, are counted", ("@zoë:example.org", "PHONE"), "otk-pool"),
        vector("shared", None, "witness"),
        vector("shared, with segments", None, "account", "@alice:example.org", "PHONE"),
    ]


def protobuf(b):
    """The fields of a message of Olm behind its version: tag and value."""
    def number(i):
        n = shift = 0
        while True:
            n, shift, i = n | (b[i] & 127) << shift, shift + 7, i + 1
            if b[i - 1] < 128:
                return n, i
    i, out = 0, {}
    while i < len(b):
        tag, i = number(i)
        n, i = number(i)
        if tag & 7 == 2:
            out[tag], i = b[i:i + n], i + n
        else:
            out[tag] = n
    return out


def receipts():
    """Of the messages of libolm in the vectors of ratchet."""
    with open(os.path.join(HERE, "../ratchet/testdata/vectors/record.json")) as f:
        steps = [s for v in json.load(f)["vectors"] for s in v.get("steps", []) if s.get("do") == "encrypt"]
    out, sender = [], fixed("sender", 32)
    for i, s in enumerate(steps):
        body = base64.b64decode(s["body"] + "==")
        normal = protobuf(body[1:])[0x22] if s["type"] == 0 else body
        one = sender + s["type"].to_bytes(8, "big") + len(body).to_bytes(8, "big") + body
        out.append({"name": f"message {i} of type {s['type']}", "sender": sender.hex(), "type": s["type"], "body": s["body"], "expect": "accepted",
                    "version_1": hashlib.sha256(one).hexdigest(), "version_2": hashlib.sha256(sender + normal[:-8]).hexdigest()})
    return out


FILES = {
    "keyring": ("pawl-keyring", "Keyring records, opened with a passphrase or a key.", keyrings),
    "values": ("pawl-sealed-value", "Sealed values of the store whose keyring is the first of keyring.json.", values),
    "names": ("pawl-blinded-name", "Names and how the store of values.json blinds them.", names),
    "paths": ("pawl-key-path", "Keys of records in the store of values.json.", paths),
    "receipts": ("pawl-receipt-id", "Receipt ids of messages that libolm made.", receipts),
}


def text(kind, description, make):
    vectors = make()
    origin = {"library": f"libsodium by PyNaCl {nacl.__version__}, msgpack {'.'.join(map(str, msgpack.version))}, hashlib", "command": "make vectors", "date": "2026-11-30"}
    return json.dumps({"format": 1, "kind": kind, "description": description, "origin": origin,
                       "expect": sorted({v["expect"] for v in vectors}), "vectors": vectors}, indent=1, ensure_ascii=False) + "\n"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--check", action="store_true")
    check, wrong = arguments.parse_args().check, []
    for name, what in FILES.items():
        path, made = os.path.join(HERE, "sealing", name + ".json"), text(*what)
        if not check:
            with open(path, "w") as f:
                f.write(made)
        elif not os.path.exists(path) or open(path).read() != made:
            wrong.append(path)
    if wrong:
        sys.exit("not what this program makes: " + ", ".join(wrong))


main()
