package main

// rules are mutants that leave out one rule each, of those that are easily
// thought to be checked elsewhere.
//
// Not here, since nothing tells them from the code as it is: that a server
// releases a turn that was granted when nobody waited any more (the client does so
// itself when the late answer comes, and the end of its connection does); that a
// key which was generated, and cannot be read, is not offered (no program leaves
// keys that are generated and not offered; only an older one may have).
var rules = []mutant{
	// How processes talk.
	{
		name: "what came over an earlier connection may still have an effect",
		file: "kv/sharekv/internal/wire/server.go",
		old:  "\t\t<-earlier.ended\n", new: "",
		pkgs: []string{"./kv/sharekv/internal/wire"},
	},
	{
		name: "a client may have two connections that have effects",
		file: "kv/sharekv/internal/wire/server.go",
		old:  "if earlier == nil || err != nil {", new: "if true {",
		pkgs: []string{"./kv/sharekv/internal/wire"},
	},
	{
		name: "a new connection knows nothing of tries over the one before",
		file: "kv/sharekv/internal/wire/server.go",
		old:  "\t\tc.held.inherit(&earlier.held)\n", new: "",
		pkgs: []string{"./kv/sharekv/internal/wire"},
	},
	{
		name: "a turn stays when its client is gone",
		file: "kv/sharekv/internal/wire/held.go",
		old:  "\tfor _, release := range turns {\n\t\trelease()\n", new: "\tfor range turns {\n",
		pkgs: []string{"./kv/sharekv/internal/wire", "./kv/sharekv"},
	},
	{
		name: "a client believes any version that it is welcomed with",
		file: "kv/sharekv/internal/wire/client.go",
		old:  "v < c.Versions.Oldest || v > c.Versions.Newest", new: "v == 0",
		pkgs: []string{"./kv/sharekv/internal/wire"},
	},
	{
		name: "a page is sent before it is asked for",
		file: "kv/sharekv/internal/wire/stream.go",
		old:  "\tcase <-s.granted:\n\t\treturn nil\n", new: "\tcase <-s.granted:\n\t\treturn nil\n\tdefault:\n\t\treturn nil\n",
		pkgs: []string{"./kv/sharekv/internal/wire"},
	},
	{
		name: "a turn of a former owner counts with the next",
		file: "kv/sharekv/calls.go",
		old:  "if b.Turn>>termShift == kv.TurnID(t.number<<termShift)>>termShift {", new: "if true {",
		pkgs: []string{"./kv/sharekv"},
	},
	{
		name: "a watch begins anew with each owner",
		file: "kv/sharekv/calls.go",
		old:  "\t\t*head = change.Head\n", new: "",
		pkgs: []string{"./kv/sharekv"},
	},
	{
		name: "an owner commits in a directory that was taken away",
		file: "kv/badgerkv/committer.go",
		old:  "if !c.dir.Held() {", new: "if false {",
		pkgs: []string{"./kv/badgerkv", "./kv/sharekv"},
	},
	{
		name: "the lock of a removed file is as good as any",
		file: "kv/sharekv/place.go",
		old:  "return err == nil && os.SameFile(ours, there)", new: "return err == nil && (os.SameFile(ours, there) || true)",
		pkgs: []string{"./kv/sharekv"},
	},
	{
		name: "another store in the directory is taken for ours",
		file: "kv/sharekv/place.go",
		old:  "case known != nil && id != *known:", new: "case known != nil && id != *known && false:",
		pkgs: []string{"./kv/sharekv"},
	},
	{
		name: "an owner does not check what guests send",
		file: "kv/sharekv/owner.go",
		old:  "if err := b.Check(s.limits); err != nil {", new: "if err := b.Check(s.limits); false {",
		pkgs: []string{"./kv/sharekv"},
	},

	// Turns, groups and watches.
	{
		name: "a queued turn waits for the commits that come after it",
		file: "kv/internal/turns/commit.go",
		old:  "|| holder && !other.holds {", new: "{",
		pkgs: []string{"./kv/internal/turns"},
	},
	{
		name: "a turn does not expire",
		file: "kv/internal/turns/table.go",
		old:  "asked.stop = t.after(t.life, func() { t.end(asked) })", new: "asked.stop = t.after(t.life, func() {})",
		pkgs: []string{"./kv/internal/turns"},
	},
	{
		name: "a request that was put back may be both withdrawn and taken",
		file: "kv/internal/grouping/request.go",
		old:  "if r.gone.Load() && r.state.CompareAndSwap(waiting, withdrawn) {", new: "if false {",
		pkgs: []string{"./kv/internal/grouping"},
	},
	{
		name: "a caller whose request is taken leaves before the outcome",
		file: "kv/internal/grouping/request.go",
		old:  "\tif r.gone.Store(true); r.state.CompareAndSwap(waiting, withdrawn) {", new: "\tif r.gone.Store(true); r.state.CompareAndSwap(waiting, withdrawn) || true {",
		pkgs: []string{"./kv/internal/grouping"},
	},
	{
		name: "a watcher is told to resync for what others watch",
		file: "kv/internal/watch/hub.go",
		old:  "\t\tw.after = max(w.after, h.head)\n", new: "",
		pkgs: []string{"./kv/internal/watch"},
	},
	{
		name: "a watch that is behind the log is not told",
		file: "kv/internal/watch/hub.go",
		old:  "if after < h.floor || after > h.head {", new: "if after > h.head {",
		pkgs: []string{"./kv/internal/watch"},
	},

	// Engines.
	{
		name: "Badger puts two batches of one ID into a group",
		file: "kv/badgerkv/committer.go",
		old:  "return !twin && !full", new: "return (!twin || true) && !full",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "Badger puts a batch into the group that overwrites what it read",
		file: "kv/badgerkv/committer.go",
		old:  "&& !overlaps(b, g.keys)", new: "",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "Badger goes on committing after a sync that failed",
		file: "kv/badgerkv/committer.go",
		old:  "\tc.failed = err\n", new: "",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "Badger takes an ID that it may have dropped for a new one",
		file: "kv/badgerkv/ids.go",
		old:  "case uint64(id.Began) < l.floor:", new: "case false:",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "Badger opens without its newest version",
		file: "kv/badgerkv/ids.go",
		old:  "if err == nil && newest != head {", new: "if false {",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "SQLite does not note what it has synced",
		file: "kv/sqlitekv/apply.go",
		old:  "\tif synced {\n", new: "\tif false {\n",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "SQLite goes on after a commit of unknown outcome",
		file: "kv/sqlitekv/apply.go",
		old:  "\tif err := c.conn.checkpoint(true); err != nil {\n\t\treturn err\n\t}\n", new: "",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "a view of SQLite does not look whether what it found absent is there",
		file: "kv/sqlitekv/returned.go",
		old:  "for i := 0; i < len(r.scans) && !seen; i++ {", new: "for i := 0; i < 0; i++ {",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "a view of SQLite goes by a record of changes that is too short",
		file: "kv/sqlitekv/returned.go",
		old:  "if oldest > version+1 {", new: "if oldest > version+1 && false {",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "a view of SQLite survives that its files were closed",
		file: "kv/sqlitekv/snapshot.go",
		old:  "case n.gone == nil && n.opening != 0 && n.opening != opening:", new: "case n.gone == nil && n.opening != 0 && n.opening != opening && false:",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "a scan of SQLite goes on with what it read before the view moved",
		file: "kv/sqlitekv/scan.go",
		old:  "|| len(s.ahead) > 0 && s.at != n.version {", new: "{",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "whoever replaced the witness is not followed",
		file: "kv/witness/file.go",
		old:  "replaced, e := isReplaced(f.page.file)\n", new: "replaced, e := false, error(nil)\n",
		pkgs: []string{"./kv/witness"},
	},
	{
		name: "a witness that is lost while it is in use stays lost",
		file: "kv/witness/file.go",
		old:  "\t\tcase isLost(err):\n\t\t\treturn f.putBack(m, err)\n", new: "",
		pkgs: []string{"./kv/witness"},
	},
	{
		name: "a witness that is made again forgets what was saved before",
		file: "kv/witness/file.go",
		old:  "\tm.Head = max(m.Head, f.saved)\n", new: "",
		pkgs: []string{"./kv/witness"},
	},
	{
		name: "an owner does not look after what says which store it is",
		file: "kv/badgerkv/tidy.go",
		old:  "\t\t\tlook()\n", new: "",
		pkgs: []string{"./internal/proof/openings"},
	},
	{
		name: "the engine makes a key file private before keyfile sees that it is not",
		file: "kv/badgerkv/tidy.go",
		old:  " && !isOfKey(e.Name())", new: "",
		pkgs: []string{"./internal/proof/openings"},
	},
	{
		name: "a witness goes back",
		file: "kv/witness/page.go",
		old:  "ok && known >= head {", new: "ok && known > head && false {",
		pkgs: []string{"./kv/witness"},
	},
	{
		name: "a new witness is in its place before it is on the disk",
		file: "kv/witness/page.go",
		old:  "\tif err := syncFile(file); err != nil {\n\t\treturn nil, err\n\t}\n", new: "",
		pkgs: []string{"./kv/witness"},
	},

	// Transactions.
	{
		name: "an older value replaces a newer one in the cache",
		file: "txn/cache.go",
		old:  "ok && had.version >= k.version {", new: "ok && had.version >= k.version && false {",
		pkgs: []string{"./txn"},
	},
	{
		name: "all attempts may read the cache",
		file: "txn/options.go",
		old:  "cachedAttempts = 2", new: "cachedAttempts = 1000",
		pkgs: []string{"./txn", "."},
	},
	{
		name: "a result is released though what the cache said was not validated",
		file: "txn/attempt.go",
		old:  "return (failure != nil || tx.cached) && tx.sawAnything()", new: "return failure != nil && tx.sawAnything()",
		pkgs: []string{"./txn"},
	},
	{
		name: "a nested transaction fights the one around it",
		file: "txn/do.go",
		old:  "if nested(ctx, db.core) {", new: "if false {",
		pkgs: []string{"./txn"},
	},
	{
		name: "the head of a store is not forgotten when an ID expires",
		file: "txn/commit.go",
		old:  "\t\t\tt.db.forgetHead()\n", new: "",
		pkgs: []string{"./txn"},
	},
	{
		name: "a hostile keyring decides how much memory is used",
		file: "txn/seal/kdf.go",
		old:  "&& p.Memory <= argonMemoryMax {", new: "{",
		pkgs: []string{"./txn/seal"},
	},
	{
		name: "the keys that seal and blind are one",
		file: "txn/seal/kdf.go",
		old:  `labelBlind = "pawl keyring v1 blind"`, new: `labelBlind = "pawl keyring v1 seal"`,
		pkgs: []string{"./txn/seal"},
	},

	// Olm.
	{
		name: "a session that only receives is chosen to send",
		file: "session/choice.go",
		old:  "return isPruned(s) || s.receiveOnly })\n\tif len(sending) == 0", new: "return isPruned(s) })\n\tif len(sending) == 0",
		pkgs: []string{"./session"},
	},
	{
		name: "the session that is used is the one that is pruned",
		file: "session/choice.go",
		old:  "\tslices.Reverse(live)\n", new: "",
		pkgs: []string{"./session"},
	},
	{
		name: "a session that received in an older order falls back",
		file: "session/session.go",
		old:  "max(at.Order, s.receivedIn)", new: "at.Order",
		pkgs: []string{"./session"},
	},
	{
		name: "a tombstone keeps the keys of its session",
		file: "session/session.go",
		old:  "\ts.ratchet = ratchet.Session{}\n", new: "",
		pkgs: []string{"./session"},
	},
	{
		name: "a receipt does not name the sender",
		file: "session/receipt.go",
		old:  "\th.Write(sender[:])\n\th.Write(m.Authenticated())", new: "\th.Write(m.Authenticated())",
		pkgs: []string{"./session"},
	},
	{
		name: "an unpublished fallback key displaces a published one",
		file: "otk/fallback.go",
		old:  "\tnext.fallbacks[at].Published = true\n", new: "",
		pkgs: []string{"./otk"},
	},
	{
		name: "a fallback key that was sent again counts as replaced",
		file: "otk/fallback.go",
		old:  "f.InBody, f.Superseded, f.SupersededIn = p.stamp(now), time.Time{}, 0", new: "f.InBody = p.stamp(now)",
		pkgs: []string{"./otk"},
	},
	{
		name: "of keys that may be on the server the highest go first",
		file: "otk/pool.go",
		old:  "return cmp.Compare(a.unrested(now), b.unrested(now)) })", new: "return cmp.Compare(b.ID, a.ID) })",
		pkgs: []string{"./otk"},
	},
	{
		name: "generated keys are evicted",
		file: "otk/pool.go",
		old:  "return e.Stage == Generated })\n\t// Of equals", new: "return false })\n\t// Of equals",
		pkgs: []string{"./otk"},
	},
	{
		name: "keys of a rebuilt pool are offered",
		file: "otk/rebuild.go",
		old:  "p.entries = append(p.entries, Entry{k.id, k.public, Abandoned, p.stamp(now)})", new: "p.entries = append(p.entries, Entry{k.id, k.public, Generated, time.Time{}})",
		pkgs: []string{"./otk"},
	},
	{
		name: "a pre-key message may come from another than it says",
		file: "account/open.go",
		old:  "if m.IdentityKey != sender {", new: "if false {",
		pkgs: []string{"./account"},
	},
	{
		name: "a session opened by a key from before a recovery sends",
		file: "account/open.go",
		old:  "|| key.ID() < a.lineage.KeysFrom", new: "",
		pkgs: []string{"./account"},
	},
	{
		name: "a clock that says nothing leaves the mark out",
		file: "account/recovery.go",
		old:  "\tif now.IsZero() {\n", new: "\tif false {\n",
		pkgs: []string{"./account"},
	},

	// Machine.
	{
		name: "a batch that takes long is tried as a whole for ever",
		file: "internal/machine/todevice/batch.go",
		old:  "if tx.Attempt() > splitAfter && len(all) > 1 {", new: "if false {",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "all messages of a batch have one place in the order",
		file: "internal/machine/todevice/batch.go",
		old:  "\t\tin.place = i\n", new: "",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "a lost one-time key looks like a foreign one",
		file: "internal/machine/todevice/decrypt.go",
		old:  "if e.Public == public {", new: "if e.Public == public && false {",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "a lost fallback key looks like a foreign one",
		file: "internal/machine/todevice/decrypt.go",
		old:  "if f.Public == public {", new: "if f.Public == public && false {",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "a session whose key is used, and that is missing, is passed over",
		file: "internal/machine/todevice/decrypt.go",
		old:  "if !used || by != opens ||", new: "if true || by != opens || !used ||",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "we may write to ourselves",
		file: "internal/machine/todevice/encrypt.go",
		old:  "if a.Identity() == c.Peer.Identity() {", new: "if false {",
		pkgs: []string{"./internal/machine/todevice", "."},
	},
	{
		name: "used keys are dropped as if they were not",
		file: "internal/machine/keys/supply.go",
		old:  "if full && !s.tidy {", new: "if false {",
		pkgs: []string{"."},
	},
	{
		name: "a fallback key from before a recovery is not replaced",
		file: "internal/machine/keys/supply.go",
		old:  "pool.FallbackDue(from, now), pool", new: "pool.FallbackDue(0, now), pool",
		pkgs: []string{"."},
	},
	{
		name: "an upload is handed out twice",
		file: "internal/machine/records/request.go",
		old:  "return r.Reopened && r.Holder == to", new: "return r.Reopened || !r.Lease.Lasts(now)",
		pkgs: []string{"./internal/machine/outbox", "./internal/machine/keys"},
	},
	{
		name: "a count from before an upload counts",
		file: "internal/machine/keys/counts.go",
		old:  "if err != nil || since.Under || since.Ended != u.Ended {", new: "if err != nil {",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "an upload that may still arrive is forgotten",
		file: "internal/machine/keys/answer.go",
		old:  "s.pool = s.pool.DoubtFallbacks(s.uploads.Doubted(s.now)...)", new: "",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "a used fallback key is in a body again",
		file: "internal/machine/keys/upload.go",
		old:  "if current.ID == used {", new: "if false {",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "a fallback key that has opened a session is in a body again",
		file: "internal/machine/records/uploads.go",
		old:  "\tu.Used = id\n\treturn UploadStates.Put(tx, u)", new: "\treturn nil",
		pkgs: []string{"."},
	},
	{
		name: "a message leaves before the device's keys",
		file: "internal/machine/keys/uploads.go",
		old:  "return s.Published, err", new: "return true, err",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "the times of a sweep before do not count",
		file: "internal/machine/records/sweepmark.go",
		old:  "k.since = event{mark.Order, mark.At}", new: "_ = event{mark.Order, mark.At}",
		pkgs: []string{"./internal/machine/records", "."},
	},
	{
		name: "the time of an account says nothing of its clock",
		file: "internal/machine/records/sweepmark.go",
		old:  "k.raised, k.made = true, a.Created()", new: "k.raised = true",
		pkgs: []string{"./internal/machine/records", "."},
	},

	// Lineage and upkeep.
	{
		name: "an older state that was accepted is not noticed by its generation",
		file: "internal/machine/lineage/witness.go",
		old:  "case stored.Generation > seen.Generation:", new: "case false:",
		pkgs: []string{"."},
	},
	{
		name: "the witness of another store is as good as ours",
		file: "internal/machine/lineage/witness.go",
		old:  "case void, seen.Store != stored.Store:", new: "case void:",
		pkgs: []string{"."},
	},
	{
		name: "an accepted state begins no generation",
		file: "internal/machine/lineage/witness.go",
		old:  "\tif cause != 0 {\n\t\tgeneration++\n", new: "\tif cause != 0 {\n",
		pkgs: []string{"."},
	},
	{
		name: "a store is retired though it has changed since it was copied",
		file: "internal/machine/lineage/move.go",
		old:  "more.Scans = append(b.Scans[:len(b.Scans):len(b.Scans)], o.holds)", new: "more.Scans = b.Scans",
		pkgs: []string{"."},
	},
	{
		name: "the order of a copy begins anew",
		file: "internal/machine/lineage/move.go",
		old:  "l.Base += uint64(head); l.Base", new: "l.Base += 0 * uint64(head); l.Base",
		pkgs: []string{"."},
	},
	{
		name: "a copy has the generation of its source",
		file: "internal/machine/lineage/move.go",
		old:  "witnessCopy(ctx, from, to, w, generation+1)", new: "witnessCopy(ctx, from, to, w, generation)",
		pkgs: []string{"."},
	},
	{
		name: "a copy that was recovered meanwhile becomes the store",
		file: "internal/machine/lineage/complete.go",
		old:  "before != after ||", new: "before != after && false ||",
		pkgs: []string{"."},
	},
	{
		name: "nobody knows which keys are from before a recovery",
		file: "internal/machine/lineage/recover.go",
		old:  "v.Recovered(pool.Next())", new: "v.Recovered(pool.Next() * 0)",
		pkgs: []string{"."},
	},
	{
		name: "a retired store is repaired",
		file: "internal/machine/upkeep/check.go",
		old:  "found[i].Fix = nil // it only inspects", new: "_ = i",
		pkgs: []string{"."},
	},
	{
		name: "repair does not look at what it leaves",
		file: "internal/machine/upkeep/check.go",
		old:  "passes = 10", new: "passes = 1",
		pkgs: []string{"."},
	},
	{
		name: "the command acknowledges what a pipe may lose",
		file: "cmd/pawl/output.go",
		old:  "if !info.Mode().IsRegular() || isNameless(info) {", new: "if false && isNameless(info) {",
		pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "an error has more lines than one",
		file: "cmd/pawl/plain.go",
		old:  `return strings.Join(kept, "; ")`, new: `return strings.Join(kept, "\n")`,
		pkgs: []string{"./cmd/pawl"},
	},

	// What others write, and what they choose.
	{
		name: "a padded key is none",
		file: "internal/unpadded/unpadded.go",
		old:  "if len(s)%4 != 0 {", new: "if true {",
		pkgs: []string{"./internal/unpadded", "./ratchet"},
	},
	{
		name: "what is not signed must be canonical",
		file: "account/signjson.go",
		old:  "canonicaljson.Cut(raw, signatures, unsigned)", new: "canonicaljson.Cut(raw, signatures)",
		pkgs: []string{"./account"},
	},
	{
		name: "a name moves the cursor of who looks at it",
		file: "internal/cli/shown.go",
		old:  "return !unicode.IsPrint(r) }", new: "return r == 0 && !unicode.IsPrint(r) }",
		pkgs: []string{"./internal/cli", "./cmd/pawl"},
	},

	// Files.
	{
		name: "a key file that others may read is read",
		file: "keyfile/file.go",
		old:  "mode&0o077 != 0 &&", new: "false &&",
		pkgs: []string{"./keyfile"},
	},
	{
		name: "a key file is in its place before it is on the disk",
		file: "keyfile/file.go",
		old:  "errors.Join(err, syncFile(file), file.Close())", new: "errors.Join(err, file.Close())",
		pkgs: []string{"./keyfile"},
	},
	{
		name: "a store that is not empty gets a new key",
		file: "keyfile/lock.go",
		old:  "if err == nil && !key.found && empty {", new: "if err == nil && !key.found && (empty || true) {",
		pkgs: []string{"./keyfile"},
	},
	{
		name: "another key file is removed",
		file: "keyfile/file.go",
		old:  "|| !now.found || !now.same(k) {", new: "|| !now.found {",
		pkgs: []string{"./keyfile"},
	},
}
