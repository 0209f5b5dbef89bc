"""Prints what `pawl inspect` prints of a store in an SQLite file, with nothing of Pawl:
sqlite3 reads the entries, libsodium (PyNaCl) unseals every record, msgpack decodes them.
docs/format.md says what they are, docs/port/images.md goes through the bytes.

    python examples/python/inspect_store.py vectors/images/sqlite.db vectors/images/images.json"""
import base64, hashlib, hmac, json, sqlite3, sys
from datetime import datetime, timezone
import msgpack
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as xchacha

APPLICATION, FORMATS = 0x5061776C, (1, 2)
ORIGINS = {1: "outbound", 2: "one-time key", 3: "fallback key"}
CAUSES = {
    1: "the store went back in time",
    2: "the store was copied or restored, or imported from another program",
    3: "the store's witness is missing or damaged, so it may have been copied or restored",
    4: "a recovery was begun and not finished",
}
STAGES = ("generated", "offered", "published", "abandoned")


def hkdf(ikm, salt, info):  # RFC 5869 with SHA-256, for 32 bytes
    return hmac.digest(hmac.digest(salt or bytes(32), ikm, "sha256"), info + b"\x01", "sha256")


def b64(b): return base64.b64encode(b).decode().rstrip("=")


def moment(ms, digits="seconds"):
    at = datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(timespec=digits)
    return at.replace("+00:00", "Z")


def key_id(number): return b64(number.to_bytes(4, "big")) if number else "none"


class Keyring:
    """The keys of a store, from its keyring and the key that opens that."""

    def __init__(self, stored, key):
        path, record = stored[:10], stored[10:]
        body, checksum = record[:-8], record[-8:]
        if path != b"_/keyring\0" or hashlib.sha256(body).digest()[:8] != checksum or body[0] != 1:
            raise ValueError("the keyring is damaged, or of a newer program")
        fields = msgpack.unpackb(body[1:])
        if fields[0] != "raw":
            raise ValueError("the store is sealed under a passphrase, and this reader has a key")
        bound = b"\x01" + msgpack.packb(fields[:6] + [None])
        wrapping = hkdf(key, fields[4], b"pawl keyring v1 wrap")
        data = xchacha(fields[6][24:], bound, fields[6][:24], wrapping)
        self.seal, self.blind = (hkdf(data, None, b"pawl keyring v1 " + what) for what in (b"seal", b"blind"))

    def segment(self, name):
        digest = hmac.digest(self.blind, name.encode(), "sha256")[:16]
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def record(self, path, value):
        """The version of a record, and its fields."""
        if value[0] != 1:
            raise ValueError("a newer program sealed " + path)
        plain = xchacha(value[25:], path.encode(), value[1:25], self.seal)
        return plain[0], msgpack.unpackb(plain[1:])


class Ratchet:
    """What may be shown of a ratchet's state."""

    def __init__(self, state):
        self.id = hashlib.sha256(state[2:98]).digest()
        at, self.sending, self.receiving = 130, None, []
        if state[1] & 4:
            self.sending = state[at:at + 32], int.from_bytes(state[at + 96:at + 100], "big")
            at += 100
        chains, at = state[at], at + 1
        for _ in range(chains):
            skipped = state[at + 68]
            self.receiving.append((state[at:at + 32], int.from_bytes(state[at + 64:at + 68], "big"), skipped))
            at += 69 + 36 * skipped
        if at != len(state):
            raise ValueError("the state of a ratchet does not end where it should")


def opened(path, key):
    """The records of a store: by kind, a list of (account, key, version of the entry, version of the record, fields)."""
    db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    pragma = lambda name: db.execute("PRAGMA " + name).fetchone()[0]
    if pragma("application_id") != APPLICATION or pragma("user_version") not in FORMATS:
        raise ValueError(path + " is no store of Pawl, or of a newer program")
    entries = {bytes(k).decode(): (v, bytes(value)) for k, v, value in db.execute("SELECT key, version, value FROM entries")}
    ring = Keyring(entries.pop("_/keyring")[1], key)
    records = {}
    for name, (version, value) in entries.items():
        account, kind = name.split("/")[:2]
        records.setdefault(kind, []).append((account, name, version, *ring.record(name, value)))
    return ring, records


def show(ring, records, out):
    for i, (_, _, _, _, a) in enumerate(sorted(records.get("account", []), key=lambda r: r[4][:2])):
        user, device = a[:2]
        own = ring.segment(f"{len(user.encode())}:{user}{device}")
        of = lambda kind: [r for r in records.get(kind, []) if r[0] == own]
        row = lambda name, text: out.append(f"  {name:<14} {text}")
        out.extend([""] * (i > 0) + [f"{user}/{device}"])
        row("curve25519", b64(a[2])); row("ed25519", b64(a[4])); row("created", moment(a[6]))
        if a[7]: row("retired", "moved to " + a[9])
        if a[10]: row("recovery", "needed before it sends: " + CAUSES[a[11]])
        version, pool = of("otk-pool")[0][3:] if of("otk-pool") else (2, [0, [], []])  # no key was made yet
        width, wide = (3, 4) if version == 1 else (4, 7)
        used = {r[4][0] for r in of("otk") if not r[4][4]}  # their private keys are gone
        stages = [pool[1][n + 2] for n in range(0, len(pool[1]), width) if pool[1][n] not in used]
        counts = [f"{stages.count(n)} {name}" for n, name in enumerate(STAGES, 1)]
        row("one-time keys", ", ".join(counts + [f"{len(used)} used"]))
        fallback = [pool[2][n] for n in range(0, len(pool[2]), wide)] + [0, 0]
        row("fallback key", f"{key_id(fallback[0])}, before it {key_id(fallback[1])}")
        kept = sum(len(r[4][2]) > 0 for r in of("receipt"))
        row("receipts", f"{kept} open, {len(of('receipt')) - kept} acknowledged")
        row("peers", len(of("peer")))
        client(of, row)
        sessions = {Ratchet(r[4][-1]).id: r for r in of("session")}
        for _, _, version, _, peer in sorted(of("peer"), key=lambda r: b64(r[4][0])):
            out.extend(["", f"  peer {b64(peer[0])} (version {version})"])
            for name in peer[1]:
                session(sessions[name], out)


def client(of, row):
    """What a client has beside Olm, where there is some."""
    rooms, keys, devices = of("room"), of("group-in"), of("device")
    if rooms: row("rooms", f"{len(rooms)}, {sum(r[4][1] for r in rooms)} of them encrypted")
    if keys: row("room keys", f"{len(keys)}, {len(of('key-request'))} asked for")
    if devices: row("devices", f"{sum(not d[4][9] for d in devices)} of {len({d[4][0] for d in devices})} users")
    if of("request"): row("requests", f"{len(of('request'))} without an answer")
    refused, unread = len(of("refused")), len(of("unread"))
    if refused + unread: row("events", f"{refused} refused, {unread} wait for a repair")


def session(stored, out):
    _, _, version, record_version, s = stored
    if record_version == 1:
        created, received, sent, receives_only = s[2], s[3], s[4], s[6]
    else:
        created, received, sent, receives_only = s[2], s[4], s[6], s[7]
    state = Ratchet(s[-1])
    when = lambda ms: moment(ms, "milliseconds") if ms else "never"
    out.append(f"    session {b64(state.id)} (version {version})")
    out.append(f"      opened {when(created)}: {ORIGINS[s[1]]}; received {when(received)}; sent {when(sent)}")
    if receives_only:
        out.append("      only receives, since a recovery")
    elif state.sending:
        out.append(f"      sending   {b64(state.sending[0])} next {state.sending[1]}")
    for key, index, skipped in state.receiving:
        out.append(f"      receiving {b64(key)} next {index}, {skipped} skipped")


if __name__ == "__main__":
    store, images = sys.argv[1:]
    with open(images) as f:
        key = next(bytes.fromhex(v["key"]) for v in json.load(f)["vectors"] if store.endswith(v["path"]))
    lines = []
    show(*opened(store, key), lines)
    print("\n".join(lines or ["no accounts"]))
