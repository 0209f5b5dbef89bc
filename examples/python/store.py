"""A store of the contract of Pawl's package kv, on sqlite3, that answers calls as
docs/port/conform.md specifies them: `pawl conform -- python3 store.py` tests it.

It is one process with one store open, and does one thing at a time: lines are taken
in their order, and what must wait stands in a queue. The suite's checks are tested with
copies of it that leave something out on purpose (kv/kvtest/conform/flaws_test.go)."""
import base64, json, os, select, sqlite3, sys, time

LIMITS = {"bytes": 1 << 20, "writes": 1000, "checks": 1000, "commit_ids": 64, "turn_life_ms": 250}
SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (key BLOB PRIMARY KEY, value BLOB, version INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS changed ON entry (version, key);
CREATE TABLE IF NOT EXISTS batch (seq INTEGER PRIMARY KEY, id BLOB UNIQUE, version INTEGER, refused INTEGER);
CREATE TABLE IF NOT EXISTS state (head INTEGER, dropped INTEGER);
INSERT INTO state SELECT 0, 0 WHERE NOT EXISTS (SELECT * FROM state);
"""  # an entry without a value was deleted: watches tell of it
THERE = "value IS NOT NULL"
LAST = b"\xff" * 1025  # behind all keys
IN = "key >= ? AND substr(key, 1, ?) = ?"  # with a prefix


class Failed(Exception):
    def __init__(self, error, **more):
        self.answer = {"error": error, **more}


def text(b): return None if b is None else base64.b64encode(b).decode()
def bytes_of(t): return base64.b64decode(t)
def entry(key, value, version): return {"key": text(key), "value": text(value), "version": version}
def within(prefix): return (prefix, len(prefix), prefix)


def valid(key):
    if not 1 <= len(key) <= 1024:
        raise Failed("invalid", text="a key has 1 to 1024 bytes")
    return key


class Store:
    def __init__(self, path):
        self.path, self.closed, self.views, self.ended = path, False, {}, set()
        self.queue, self.turns, self.watches, self.nexts = [], 0, {}, []  # queue: turns and commits, in their order
        self.db = self.connect()
        self.db.executescript("PRAGMA journal_mode=WAL; " + SCHEMA)

    def connect(self): return sqlite3.connect(self.path, isolation_level=None)
    def one(self, sql, *args): return self.db.execute(sql, args).fetchone()
    def head(self): return self.one("SELECT head FROM state")[0]

    def view(self, c):
        if self.closed or c["view"] in self.ended:
            raise Failed("closed")
        if c["view"] not in self.views:  # it begins with its first call
            db = self.views[c["view"]] = self.connect()
            db.execute("BEGIN")
            db.execute("SELECT head FROM state").fetchone()
        return self.views[c["view"]]

    def get(self, c):
        db, keys = self.view(c), [valid(bytes_of(k)) for k in c["keys"]]
        rows = [db.execute("SELECT value, version FROM entry WHERE key=? AND " + THERE, (k,)).fetchone() or (None, 0) for k in keys]
        return {"entries": [entry(k, *r) for k, r in zip(keys, rows)]}

    def scan(self, c):
        after = "" if c["after"] is None else " AND key > ?"
        rows = self.view(c).execute(f"SELECT key, value, version FROM entry WHERE {THERE} AND {IN}{after} ORDER BY key LIMIT ?",
            within(bytes_of(c["prefix"])) + ((bytes_of(c["after"]),) if after else ()) + (c["most"] + 1,)).fetchall()
        return {"entries": [entry(*r) for r in rows[:c["most"]]], "more": len(rows) > c["most"]}

    def version(self, c): return {"version": self.view(c).execute("SELECT head FROM state").fetchone()[0]}

    def end(self, c):
        self.ended.add(c["view"])
        if c["view"] in self.views:
            self.views.pop(c["view"]).close()
        return {}

    # Committing.
    def check(self, c):
        keys = [bytes_of(w["key"]) for w in c["writes"]]
        size = sum(len(k) + len(bytes_of(w["value"] or "")) for k, w in zip(keys, c["writes"]))
        checks = len(c["reads"]) + sum(max(len(s["entries"]), 1) for s in c["scans"])
        if len(keys) > LIMITS["writes"] or size > LIMITS["bytes"] or checks > LIMITS["checks"]:
            raise Failed("too_large", text=f"{len(keys)} writes, {size} bytes, {checks} checks")
        for key in keys + [bytes_of(r["key"]) for r in c["reads"]]:
            valid(key)
        if len(set(keys)) < len(keys) or keys and not any(bytes_of(c["random"])):
            raise Failed("invalid", text="a key is written twice, or the ID is missing")
        versions = [c["began"]] + [r["version"] for r in c["reads"] + [r for s in c["scans"] for r in s["entries"]]]
        if max(versions) >= 1 << 53:
            raise Failed("invalid", text="a version that no store has")

    def stale(self, c):
        version = lambda key: (self.one("SELECT version FROM entry WHERE key=? AND " + THERE, bytes_of(key)) or (0,))[0]
        keys, prefixes = [r["key"] for r in c["reads"] if version(r["key"]) != r["version"]], []
        for s in c["scans"]:
            was = [(bytes_of(r["key"]), r["version"]) for r in s["entries"]]
            now = self.db.execute(f"SELECT key, version FROM entry WHERE {THERE} AND {IN} ORDER BY key", within(bytes_of(s["prefix"]))).fetchall()
            if now != was:
                prefixes.append(s["prefix"])
        return keys, prefixes

    def remember(self, id, refused):
        self.db.execute("INSERT INTO batch (id, version, refused) VALUES (?, ?, ?)", (id, self.head(), refused))
        if self.one("SELECT count(*) FROM batch")[0] > LIMITS["commit_ids"]:
            seq, version = self.one("SELECT seq, version FROM batch ORDER BY seq LIMIT 1")
            self.db.execute("DELETE FROM batch WHERE seq=?", (seq,))
            self.db.execute("UPDATE state SET dropped=?", (version,))

    def write(self, writes):
        self.db.execute("UPDATE state SET head=head+1")
        head = self.head()
        for w in writes:
            value = None if w["delete"] else bytes_of(w["value"])
            if value is not None or self.one("SELECT 1 FROM entry WHERE key=? AND " + THERE, bytes_of(w["key"])):
                self.db.execute("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", (bytes_of(w["key"]), value, head))

    def apply(self, c):
        """Applies a batch in a transaction that is open, and returns its answer."""
        id = c["began"].to_bytes(8, "big") + bytes_of(c["random"])
        if c["writes"]:
            known = self.one("SELECT version, refused FROM batch WHERE id=?", id)
            if known:
                return {"error": "refused"} if known[1] else {"version": known[0]}
            if c["began"] < self.one("SELECT dropped FROM state")[0]:
                return {"error": "expired"}
        keys, prefixes = self.stale(c)
        if not keys and not prefixes:
            if c["writes"]:
                self.write(c["writes"])
                self.remember(id, 0)
            return {"version": self.head()}
        if c["writes"] and c["again"]:  # what comes late is to be refused by its ID
            self.db.execute("UPDATE state SET head=head+1")
            self.remember(id, 1)
        return {"error": "conflict", "keys": keys, "prefixes": prefixes}

    def commit(self, c):
        if self.closed:
            return {"error": "closed"}
        durable = c["sync"] or c["again"]  # a refusal is, always
        self.db.execute("PRAGMA synchronous=" + ("FULL" if durable else "NORMAL"))  # NORMAL syncs no commit, and orders them
        with self.db:  # commits, or rolls back
            self.db.execute("BEGIN IMMEDIATE")
            return self.apply(c)

    # Turns, and what waits for them. A place has the call, the keys (None: the whole store), and until when it was granted.
    def run_queue(self):
        now = time.monotonic()
        over = lambda p: p["until"] is not None and p["until"] <= now
        self.queue = [p for p in self.queue if not over(p)]
        before, done = [], []  # turns that stand before a place
        for p in self.queue:
            mine = next((t["keys"] for t in before if t["call"]["id"] == p["mine"] and t["until"]), set())
            asks = set() if mine is None else p["keys"] if p["keys"] is None else p["keys"] - mine
            blocked = asks is None and before or asks and any(t["keys"] is None or t["keys"] & asks for t in before)
            if p["call"]["call"] == "turn":
                before.append(p)
                if p["until"] is None and not blocked:
                    p["until"] = now + LIMITS["turn_life_ms"] / 1000
                    say(p["call"], {"turn": p["call"]["id"]})
            elif not blocked:
                done.append(p)
                say(p["call"], self.commit(p["call"]))
        self.queue = [p for p in self.queue if p not in done]
        if done:
            self.tell()

    def enqueue(self, call, keys, mine=None):
        if self.closed:
            raise Failed("closed")
        self.queue.append({"call": call, "keys": keys, "mine": mine, "until": None})
        self.run_queue()

    def patience(self):
        granted = [p["until"] for p in self.queue if p["until"] is not None]
        return max(min(granted) - time.monotonic(), 0) if granted else None

    # Watching. A watch has its prefix, and the version and key that it was told last.
    def tell(self):
        for c in list(self.nexts):
            prefix, version, key = self.watches[c["watch"]]
            rows = self.db.execute(f"SELECT key, value IS NULL, version FROM entry WHERE (version, key) > (?, ?) AND {IN} ORDER BY version, key LIMIT 1001",
                (version, key) + within(prefix)).fetchall()
            if not rows:
                continue
            key, deleted, version = rows[0]
            change = {"key": text(key), "version": 0 if deleted else version, "head": version - (len(rows) > 1 and rows[1][2] == version)}
            if len(rows) > 1000:  # it is quicker to read everything again
                key, version = LAST, self.head()
                change = {"key": "", "version": 0, "head": version, "resync": True}
            self.watches[c["watch"]] = (prefix, version, key)
            self.nexts.remove(c)
            say(c, {"change": change})

    def end_waiting(self, which, error):
        for call in [p["call"] for p in self.queue if p["until"] is None] + self.nexts:
            if which(call):
                self.queue = [p for p in self.queue if p["call"] is not call]
                self.nexts = [n for n in self.nexts if n is not call]
                say(call, {"error": error})

    def close(self, c):
        if not self.closed:
            self.closed = True
            self.end_waiting(lambda call: True, "closed")
            for db in [*self.views.values(), self.db]:
                db.close()
        return {}

    def do(self, c):
        """Answers a call, or puts it where it waits."""
        name = c["call"]
        if name == "cancel":
            self.end_waiting(lambda call: call["id"] == c["of"], c["why"])
            return self.run_queue()
        if name == "commit":
            self.check(c)
        if c.get("ended"):
            raise Failed("closed" if self.closed else c["ended"])
        if name == "commit":
            return self.enqueue(c, {bytes_of(w["key"]) for w in c["writes"]}, c["turn"])
        if name == "turn":
            return self.enqueue(c, {valid(bytes_of(k)) for k in c["keys"]} or None)
        if name == "release":
            self.queue = [p for p in self.queue if p["call"]["id"] != c["granted"]]
            say(c, {})
            return self.run_queue()
        if name in ("watch", "next") and self.closed:
            raise Failed("closed")
        if name == "watch":
            self.watches[c["watch"]] = (bytes_of(c["prefix"]), c["since"], LAST)
        if name == "next":
            self.nexts.append(c)
            return self.tell()
        say(c, getattr(self, name)(c) if name in ("get", "scan", "version", "end", "close") else {})  # watch, unwatch


def say(call, answer):
    sys.stdout.write(json.dumps({"id": call["id"], **answer}) + "\n")
    sys.stdout.flush()


def main():
    store, rest = None, b""
    while True:
        if not select.select([0], [], [], store and store.patience())[0]:
            store.run_queue()
            continue
        read = os.read(0, 1 << 20)
        if not read:
            return
        *lines, rest = (rest + read).split(b"\n")
        for call in map(json.loads, lines):
            try:
                if call["call"] == "open":
                    store = Store(call["path"])
                    say(call, {"limits": LIMITS})
                else:
                    store.run_queue()
                    store.do(call)
            except Failed as e:
                say(call, e.answer)


main()
