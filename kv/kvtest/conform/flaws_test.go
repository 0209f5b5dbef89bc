//go:build unix

package conform_test

// flaw is what a copy of the store in Python leaves out, and the check that is there to
// find it.
type flaw struct {
	foundBy string
	without map[string]string // each text of the store, which is there once, and what stands in its place
}

// flaws are those of kvtest/broken, in its words.
var flaws = map[string]flaw{
	"reads are not checked": {"store/isolation/lost-update", map[string]string{
		`if version(r["key"]) != r["version"]`: `if False`,
	}},
	"of a scan only what it yielded is checked": {"store/isolation/phantom-insert", map[string]string{
		`if now != was:`: `if [row for row in now if row[0] in dict(was)] != was:`,
	}},
	"conflicts name nothing": {"store/commit/conflict-names-keys", map[string]string{
		`return {"error": "conflict", "keys": keys, "prefixes": prefixes}`: `return {"error": "conflict"}`,
	}},
	"a deleted key reads as an empty entry": {"store/isolation/deleted-reads-absent", map[string]string{
		`value = None if w["delete"]`: `value = b"" if w["delete"]`,
	}},
	"a refused batch writes its first key": {"store/isolation/refused-writes-nothing", map[string]string{
		`        return {"error": "conflict",`: "        if c[\"writes\"]:\n            self.write(c[\"writes\"][:1])\n        return {\"error\": \"conflict\",",
	}},
	"no commit ID is remembered": {"store/commit-id/applied-once", map[string]string{
		"    def remember(self, id, refused):\n": "    def remember(self, id, refused):\n        return\n",
	}},
	"an ID that was dropped counts as new": {"store/commit-id/expired", map[string]string{
		`if c["began"] < self.one("SELECT dropped FROM state")[0]:`: `if False:`,
	}},
	"refused batches count as applied": {"store/commit-id/refused", map[string]string{
		`        return {"error": "conflict",`: "        if c[\"writes\"] and not c[\"again\"]:\n            self.remember(id, 0)\n        return {\"error\": \"conflict\",",
	}},
	"commit IDs are gone after opening again": {"reopened/reopen/commit-ids", map[string]string{
		`journal_mode=WAL; " + SCHEMA`: `journal_mode=WAL; " + SCHEMA + "DELETE FROM batch;"`,
	}},
	"each call reads the latest state": {"store/isolation/non-repeatable-read", map[string]string{
		`        if c["view"] not in self.views:`: "        return self.db\n        if c[\"view\"] not in self.views:",
	}},
	"closed views go on": {"store/snapshot/closed", map[string]string{
		`if self.closed or c["view"] in self.ended:`: `if self.closed:`,
		`        if c["view"] in self.views:`:        `        if False:`,
	}},
	"a key asked for twice comes once": {"store/snapshot/get-order", map[string]string{
		`[valid(bytes_of(k)) for k in c["keys"]]`: `list(dict.fromkeys(valid(bytes_of(k)) for k in c["keys"]))`,
	}},
	"deletions are not told": {"store/watch/wakes", map[string]string{
		"            self.watches[c[\"watch\"]] = (prefix, version, key)\n": "            self.watches[c[\"watch\"]] = (prefix, version, key)\n            if deleted:\n                return self.tell()\n",
	}},
	"a watch tells of all keys": {"store/watch/prefix", map[string]string{
		`(version, key) + within(prefix)`: `(version, key) + within(b"")`,
	}},
	"a watch begins with what comes next": {"store/watch/from-a-version", map[string]string{
		`(bytes_of(c["prefix"]), c["since"], LAST)`: `(bytes_of(c["prefix"]), self.head(), LAST)`,
	}},
	"commits do not wait for turns": {"store/turn/commit-waits", map[string]string{
		`            elif not blocked:`: `            else:`,
	}},
	"turns do not expire": {"store/turn/commit-outlasts-it", map[string]string{
		`over = lambda p: p["until"] is not None and p["until"] <= now`: `over = lambda p: False`,
		`if granted else None`: `if False else None`,
	}},
	"who asked last is granted first": {"store/turn/order", map[string]string{
		"        for p in self.queue:\n": "        for _, p in sorted(enumerate(self.queue), key=lambda p: (p[1][\"until\"] is None, -p[0])):\n",
	}},
	"batches of any size are taken": {"store/limit/writes", map[string]string{
		`if len(keys) > LIMITS["writes"] or size > LIMITS["bytes"] or checks > LIMITS["checks"]:`: `if False:`,
	}},
	"keys of any length, written any number of times": {"store/limit/keys", map[string]string{
		`if not 1 <= len(key) <= 1024:`:                                             `if False:`,
		`if len(set(keys)) < len(keys) or keys and not any(bytes_of(c["random"])):`: `if False:`,
	}},
	"commits go on after close": {"store/close/calls-after", map[string]string{
		"        if self.closed:\n            return {\"error\": \"closed\"}\n":                    ``,
		"        if self.closed:\n            raise Failed(\"closed\")\n        self.queue.append": "        if self.closed and call[\"call\"] != \"commit\":\n            raise Failed(\"closed\")\n        self.queue.append",
		`[*self.views.values(), self.db]`:                                                          `self.views.values()`,
	}},
	"contexts are not looked at": {"store/cancel/before", map[string]string{
		`self.end_waiting(lambda call: call["id"] == c["of"], c["why"])`: `pass`,
		`if c.get("ended"):`: `if False:`,
	}},
}
