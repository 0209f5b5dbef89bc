package main

// mutants are hand-picked: each removes one thing that a guarantee rests on.
var mutants = []mutant{
	// G1, G2: checks of what was read.
	{
		name: "memkv commits whatever was read",
		file: "kv/memkv/commit.go",
		old:  "entry.Version != r.Version", new: "entry.Version < r.Version",
		pkgs: []string{"./kv/memkv"},
	},
	{
		name: "a failure computed from a stale read is reported",
		file: "txn/attempt.go",
		old:  "return (failure != nil || tx.cached) && tx.sawAnything()",
		new:  "return failure == nil && tx.cached && tx.sawAnything()",
		pkgs: []string{"./txn"},
	},
	{
		name: "a conflict leaves the stale entry in the cache",
		file: "txn/do.go",
		old:  "t.db.cache.evict(keys, prefixes)", new: "",
		pkgs: []string{"./txn"},
	},
	{
		name: "an unknown outcome is taken for a failure and fn runs again",
		file: "txn/commit.go",
		old:  "return d.resolve(b, err)", new: "return 0, kv.Conflict, &kv.ConflictError{}",
		pkgs: []string{"./txn"},
	},
	{
		name: "a second try does not say that it is one",
		file: "txn/commit.go",
		old:  "b.Again = true", new: "b.Again = false",
		pkgs: []string{"./txn"},
	},
	{
		name: "memkv forgets what it refused for good",
		file: "kv/memkv/commit.go",
		old:  "if b.Again {", new: "if false {",
		pkgs: []string{"./kv/memkv"},
	},
	{
		name: "Badger forgets what it refused for good",
		file: "kv/badgerkv/committer.go",
		old:  "g.refuse(r, err)", new: "r.Answer(0, err)",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "a refusal that is not on disk is final",
		file: "kv/badgerkv/committer.go",
		old:  "r.request.Answer(0, err)", new: "r.request.Answer(0, r.because)",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "two tries of a commit race over one connection",
		file: "kv/sharekv/internal/wire/handle.go",
		old:  "<-earlier.over", new: "_ = 0",
		pkgs: []string{"./kv/sharekv/internal/wire"},
	},
	{
		name: "an owner does not see that a guest of version 1 tries again",
		file: "kv/sharekv/internal/wire/handle.go",
		old:  "r.batch.Again = true", new: "r.batch.Again = false",
		pkgs: []string{"./kv/sharekv/internal/wire"},
	},
	{
		name: "SQLite answers a refusal before it is synced",
		file: "kv/sqlitekv/apply.go",
		old:  "r.Batch.Sync || r.Batch.Again", new: "r.Batch.Sync",
		test: "TestPowerFailure", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "a value is sealed without its key path",
		file: "txn/seal/value.go",
		old:  "Seal(dst, nonce, plaintext, []byte(path))", new: "Seal(dst, nonce, plaintext, nil)",
		pkgs: []string{"./txn/seal"},
	},
	{
		name: "no turn is taken after three losses",
		file: "txn/contention.go",
		old:  "c.t.report.Conflicts >= turnAfter || db.hot.any(c.lost)", new: "false",
		pkgs: []string{"./txn"},
	},

	// G1, G3, G4, G5 in the machine.
	{
		name: "a used one-time key keeps its private part",
		file: "internal/machine/todevice/decrypt.go",
		old:  "if !key.Fallback() {", new: "if false {",
		pkgs: []string{"."},
	},
	{
		name: "a decrypted message leaves no receipt",
		file: "internal/machine/todevice/decrypt.go",
		old:  "return d, records.Receipts.Put(tx, session.NewReceipt(id, s.ID(), plaintext.Key, at))", new: "return d, nil",
		pkgs: []string{"."},
	},
	{
		name: "the order does not rise with the store",
		file: "internal/machine/order.go",
		old:  "(base+uint64(version))*places", new: "(base+uint64(version)*0)*places",
		pkgs: []string{"."},
	},
	{
		name: "receipts of format 1 are not looked for",
		file: "internal/machine/todevice/messages.go",
		old:  "case f.oldReceipts:", new: "case false:",
		pkgs: []string{"."},
	},
	{
		name: "an account forgets with its raise which keys are from before a recovery",
		file: "internal/machine/records/raise.go",
		old:  "past.KeysFrom = pool.FirstAfter(idJump - 1)", new: "_ = 0",
		pkgs: []string{"."},
	},
	{
		name: "a store is raised beside an older program",
		file: "kv/sharekv/internal/wire/server.go",
		old:  "if c.version != 0 && c.version < versionFormats {", new: "if c == nil {",
		pkgs: []string{"./kv/sharekv"},
	},
	{
		name: "a clock behind is believed if it is so twice",
		file: "internal/machine/records/believe.go",
		old:  "if made.After(olm) && !made.After(now) {", new: "if false {",
		pkgs: []string{"."},
	},
	{
		name: "encrypting does not store the step",
		file: "internal/machine/todevice/encrypt.go",
		old:  "return records.Sessions.Put(tx, s)", new: "return nil",
		pkgs: []string{"."},
	},
	{
		name: "offering keys is not stored",
		file: "internal/machine/keys/upload.go",
		old:  "return o, records.Pool.Put(tx, pool)", new: "return o, nil",
		pkgs: []string{"."},
	},
	{
		name: "an acknowledged message keeps its key",
		file: "internal/machine/records/receipt.go",
		old:  "Receipts.Put(tx, r.Acknowledged())", new: "Receipts.Put(tx, r)",
		pkgs: []string{"."},
	},
	{
		name: "a hint is believed rather than the store",
		file: "internal/machine/todevice/messages.go",
		old:  "c, err := records.ReadPeer(tx, peer)",
		new:  "c, err := records.ReadPeer(tx, peer)\n\tif hinted, ok := m.hints.peers.Get(peer); ok {\n\t\tc.Peer = hinted.peer\n\t}",
		pkgs: []string{"."},
	},
	{
		name: "a missing session is passed over without a word",
		file: "internal/machine/records/peer.go",
		old:  "case !f.OK:", new: "case !f.OK:\n\t\treturn nil\n\tcase false:",
		pkgs: []string{"."},
	},
	{
		name: "a message of a damaged session looks like a broken session",
		file: "internal/machine/todevice/decrypt.go",
		old:  "case (none || errors.Is(err, ErrUnknownSession)) && mayBeOfBroken(", new: "case false && mayBeOfBroken(",
		pkgs: []string{"."},
	},
	{
		name: "one damaged peer ends a whole batch",
		file: "internal/machine/todevice/messages.go",
		old:  "if errors.As(err, new(*txn.RecordError)) {", new: "if false {",
		pkgs: []string{"."},
	},
	{
		name: "what is set aside leaves no mark",
		file: "internal/machine/aside.go",
		old:  "return true, tx.SetAside(key, a.Store.Now())", new: "return true, tx.Drop(key)",
		pkgs: []string{"."},
	},
	{
		name: "the ids of a lost pool are given out again",
		file: "internal/machine/records/poolcheck.go",
		old:  ".Recover(jump, now)", new: ".Recover(jump*0, now)",
		pkgs: []string{"."},
	},
	{
		name: "sessions of a lost peer go on sending",
		file: "internal/machine/records/peercheck.go",
		old:  "Sessions.Put(tx, s.StopSending())", new: "Sessions.Put(tx, s)",
		pkgs: []string{"."},
	},
	{
		name: "another identity takes the place of a lost account",
		file: "internal/machine/account.go",
		old:  "if err := a.checkNew(tx); err != nil {", new: "if err := a.checkNew(tx); false && err != nil {",
		pkgs: []string{"."},
	},
	{
		name: "SQLite drops what is behind a bad frame of its log",
		file: "kv/sqlitekv/store.go",
		old:  "if err := checkLog(path, s.headFile.newest()); err != nil {", new: "if err := checkLog(path, s.headFile.newest()); false && err != nil {",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "an account that could not be marked sends when it can be read again",
		file: "internal/machine/unmarked.go",
		old:  "if !a.Store.someUnmarked.Load() {", new: "if true {",
		pkgs: []string{"."},
	},
	{
		name: "a session that was damaged during a recovery sends when it is put back",
		file: "internal/machine/records/session.go",
		old:  "if err := setSessionsAside(ctx, r); err != nil {", new: "if false {\n\t\tvar err error",
		pkgs: []string{"."},
	},
	{
		name: "a lost pool is a new one",
		file: "internal/machine/records/pool.go",
		old:  "for range Keys.Scan(tx) {", new: "for range 0 {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "the tombstone of a pruned fallback session is swept while its key lives",
		file: "internal/machine/records/session.go",
		old:  "return !usable, err", new: "return usable || !usable, err",
		pkgs: []string{"."},
	},

	{
		name: "a large call ignores what the engine takes",
		file: "internal/machine/change.go",
		old:  "return min(MostPerCommit, ", new: "return MostPerCommit + 0*min(1, ",
		pkgs: []string{"."},
	},
	{
		name: "an upload rests on every key of the pool",
		file: "internal/machine/keys/upload.go",
		old:  "pool, offered := pool.Offer(some, now)",
		new:  "records.GoneOf(tx, pool.Entries())\n\tpool, offered := pool.Offer(some, now)",
		pkgs: []string{"."},
	},
	{
		name: "a large view is not validated",
		file: "txn/validate.go",
		old:  "if e.Version != b.Reads[i].Version {", new: "if false && e.Version != b.Reads[i].Version {",
		pkgs: []string{"./txn"},
	},

	// The ratchet.
	{
		name: "a gap of 2001 is accepted",
		file: "ratchet/chains.go",
		old:  "> MaxGap:", new: "> MaxGap+1:",
		pkgs: []string{"./ratchet"},
	},
	{
		name: "a skipped key stays after use",
		file: "ratchet/chains.go",
		old:  "slices.Concat(c.skipped[:i], c.skipped[i+1:])", new: "slices.Clone(c.skipped)",
		pkgs: []string{"./ratchet"},
	},
	{
		name: "39 skipped keys are kept",
		file: "ratchet/chains.go",
		old:  "len(c.skipped)+n-MaxSkippedKeys", new: "len(c.skipped)+n-MaxSkippedKeys+1",
		pkgs: []string{"./ratchet"},
	},
	{
		name: "the sending chain outlives the peer's answer",
		file: "ratchet/session.go",
		old:  "\tnext.sender = senderChain{}\n", new: "",
		pkgs: []string{"./ratchet"},
	},
	{
		name: "a sixth receiver chain is kept",
		file: "ratchet/session.go",
		old:  "MaxReceiverChains-1)", new: "MaxReceiverChains)",
		pkgs: []string{"./ratchet"},
	},

	// Keys and choice.
	{
		name: "an offered key may be offered again",
		file: "otk/pool.go",
		old:  "e.Stage, e.InBody = Offered", new: "e.Stage, e.InBody = Generated",
		pkgs: []string{"./otk"},
	},
	{
		name: "a fallback key goes a day after a newer one was published",
		file: "otk/fallback.go",
		old:  "now.Sub(f.Superseded) >= FallbackLife", new: "now.Sub(f.Superseded) >= FallbackLife/7",
		pkgs: []string{"./otk"},
	},
	{
		name: "a session opened again after a recovery sends",
		file: "account/open.go",
		old:  "return needed || key.ID() < a.lineage.KeysFrom", new: "return needed",
		pkgs: []string{"."}, test: "BothSidesAgree",
	},
	{
		name: "the session created last is chosen, not the one that last received",
		file: "session/choice.go",
		old:  "if s.lastReceived != 0 {", new: "if false {",
		pkgs: []string{"./session"},
	},

	{
		name: "a session that is forgotten leaves no mark",
		file: "internal/machine/records/strangers.go",
		old:  "return Marks.Put(tx, session.Mark{Session: s.ID(), Key: uint32(key.ID())})", new: "_ = key\n\treturn nil",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "a stranger that was written to stays one",
		file: "internal/machine/todevice/encrypt.go",
		old:  "if a.Raised() && c.Standing() == session.Stranger {", new: "if false {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "a stranger is forgotten before it was silent for long",
		file: "internal/machine/records/strangers.go",
		old:  "c.silence(now) >= session.StrangerSilence", new: "true",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	// What others can cost.
	{
		name: "a batch reads all that its senders have",
		file: "internal/machine/todevice/batch.go",
		old:  "enoughRead = 1 << 20", new: "enoughRead = 1 << 40",
		pkgs: []string{"./internal/machine/todevice"},
	},
	{
		name: "a turn is on nothing but what was lost",
		file: "txn/options.go",
		old:  "coverAfter = turnAfter + 1", new: "coverAfter = 1000",
		pkgs: []string{"./txn", "."},
	},
	{
		name: "nobody takes the whole store",
		file: "txn/options.go",
		old:  "wholeAfter = coverAfter + 1", new: "wholeAfter = 1000",
		pkgs: []string{"."},
	},
	{
		name: "the whole store is granted while commits are on their way",
		file: "kv/internal/turns/table.go",
		old:  "asked.ahead = maps.Clone(t.commits)", new: "asked.ahead = maps.Clone(t.commits); clear(asked.ahead)",
		pkgs: []string{"./kv/internal/turns"},
	},
	{
		name: "a commit at the gate does not look for a turn of another process",
		file: "kv/sqlitekv/committer.go",
		old:  "if c.turns.taken() {", new: "if false {",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "a message is tried in every session whatever it costs",
		file: "session/choice.go",
		old:  "steps -= n", new: "",
		pkgs: []string{"./session", "."},
	},
	{
		name: "a second session is opened under one ratchet key",
		file: "internal/machine/todevice/decrypt.go",
		old:  "\tif session.Known(c.Sessions, in.normal.RatchetKey) {", new: "\tif false {",
		pkgs: []string{"."},
	},
	{
		name: "a second session turns to a ratchet key that another has",
		file: "internal/machine/todevice/decrypt.go",
		old:  "!s.Knows(in.normal.RatchetKey) && session.Known(c.Sessions, in.normal.RatchetKey)", new: "false",
		pkgs: []string{"."},
	},
	{
		name: "a message that was not tried in all is a failure of all",
		file: "internal/machine/todevice/decrypt.go",
		old:  "case none && left > 0:", new: "case false:",
		pkgs: []string{"."},
	},

	// Durability.
	{
		name: "Badger answers before it syncs",
		file: "kv/badgerkv/committer.go",
		old:  "return c.wal.sync()", new: "return nil",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "Badger applies a batch whose reads are stale",
		file: "kv/badgerkv/committer.go",
		old:  "err = c.check(r.Batch)", new: "err = nil",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "SQLite answers before it syncs",
		file: "kv/sqlitekv/apply.go",
		old:  `level = "FULL"`, new: `level = "NORMAL"`,
		test: "TestPowerFailure", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "Badger syncs every other group only",
		file: "kv/badgerkv/committer.go",
		old:  "return err\n\t}\n\treturn c.wal.sync()", new: "return err\n\t}\n\tif version%2 == 0 {\n\t\treturn nil\n\t}\n\treturn c.wal.sync()",
		test: "TestPowerFailure", pkgs: []string{"./kv/badgerkv"},
	},

	// Processes.
	{
		name: "no process waits for the gate of another",
		file: "kv/sqlitekv/gate.go",
		old:  "err := g.lock.Lock()", new: "err := error(nil)",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "a turn is granted before its time",
		file: "kv/internal/turns/table.go",
		old:  "if t.queues[key][0] != asked {", new: "if t.queues[key][0] == nil {",
		pkgs: []string{"./kv/internal/turns"},
	},
	{
		name: "a commit goes to the next owner under another ID",
		file: "kv/sharekv/calls.go",
		old:  "t.Commit(ctx, t.theirs(b, unsure != nil))",
		new:  "t.Commit(ctx, func() *kv.Batch { again := *t.theirs(b, unsure != nil); again.ID = kv.NewCommitID(b.ID.Began); return &again }())",
		pkgs: []string{"./kv/sharekv"},
	},

	// What the program was built with.
	{
		name: "a raised Badger is taken for the proven one",
		file: "kv/internal/linked/linked.go",
		old:  "case !slices.Contains(p[path], version):", new: "case version == \"\":",
		pkgs: []string{"./kv/internal/linked", "./kv/badgerkv"},
	},
	{
		name: "a module that was replaced counts as itself",
		file: "kv/internal/linked/linked.go",
		old:  "if by := m.Replace; by != nil {", new: "if by := m.Replace; by != nil && false {",
		pkgs: []string{"./kv/internal/linked"},
	},

	// Damage, and stores that went back in time.
	{
		name: "a page that was cut off reads as zeros",
		file: "kv/sqlitekv/wholepages.go",
		old:  "n < len(p) && len(p) == pageSize", new: "n < 0",
		test: "TestCutDatabase", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "an SQLite store opens without its newest commits",
		file: "kv/sqlitekv/headfile.go",
		old:  "if head >= noted {", new: "if true || head >= noted {",
		test: "TestLostTail|TestDamage", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "a log with a bad middle is taken for one that ends there",
		file: "kv/badgerkv/internal/intact/log.go",
		old:  "tells && e.version > last && synced > last", new: "tells && e.version > last && synced > last && false",
		test: "TestDamage", pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "a copied witness is taken for the one that was written",
		file: "kv/witness/page.go",
		old:  "err == nil && !p.identity.is(now)", new: "err == nil && false && !p.identity.is(now)",
		pkgs: []string{"./kv/witness"},
	},
	{
		name: "a process that dies while it marks accounts leaves the others as they are",
		file: "internal/machine/lineage/witness.go",
		old:  "if cause == account.Behind && c.unread == nil {", new: "if false {",
		test: "TestLostTailOfManyAccounts", pkgs: []string{"."},
	},
	{
		name: "a copy of a volume is taken for the volume",
		file: "kv/witness/identity.go",
		old:  "volumes && id.volume != now.volume {", new: "volumes && false {",
		pkgs: []string{"./kv/witness"},
	},
	{
		name: "a store is opened without the witness that its engine keeps",
		file: "options.go",
		old:  "case o.blind || engines == nil:", new: "case true:",
		test: "TestREADMEExampleCopied|TestStoresFromBefore", pkgs: []string{"."},
	},
	{
		name: "a store that had a witness sends without it",
		file: "internal/machine/lineage/witness.go",
		old:  "c.store.Unwitnessed = generation != 0", new: "c.store.Unwitnessed = generation != 0 && false",
		test: "TestNothingIsSentWithoutTheWitness", pkgs: []string{"."},
	},
	{
		name: "a store that lost its generation is taken for one that never had a witness",
		file: "internal/machine/lineage/witnessed.go",
		old:  "w.By != 0 && !known", new: "w.By != 0 && !known && false",
		test: "TestMissingGeneration", pkgs: []string{"."},
	},
	{
		name: "who opens a store without its caller's witness has all accounts recovered",
		file: "internal/machine/lineage/witness.go",
		old:  "return w.By == byCaller, err", new: "return w.By == byCaller && false, err",
		test: "TestAnothersWitness", pkgs: []string{"."},
	},
	{
		name: "a death in between leaves accounts unmarked",
		file: "internal/machine/lineage/witness.go",
		old:  "damaged.Len() > 0 || len(chunks) > 1", new: "false",
		test: "TestLostTailOfManyAccounts", pkgs: []string{"."},
	},
	{
		name: "nobody asks an engine whether its newest commits are missing",
		file: "internal/machine/lineage/witness.go",
		old:  "if head > kept {", new: "if head >= kept {",
		test: "TestLostTailWithoutWitness", pkgs: []string{"."},
	},
	{
		name: "a member of a group that failed is tried on a closed connection",
		file: "kv/sqlitekv/committer.go",
		old:  "err := c.ready()\n\tif err == nil {", new: "var err error\n\tif err == nil {",
		test: "TestFullGroup", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "Badger is opened on a full disk",
		file: "kv/badgerkv/database.go",
		old:  "err := d.checkRoom(); err != nil", new: "err := d.checkRoom(); err != nil && false",
		test: "TestOpenOnFullDisk", pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "a store that is behind its witness is not marked",
		file: "internal/machine/lineage/witness.go",
		old:  "case stored.Head < seen.Head, max(stored.Generation", new: "case max(stored.Generation",
		test: "Restored|LostTail|NoKeyIsUsedTwice", pkgs: []string{"."},
	},
	{
		name: "a recovered session goes on sending",
		file: "internal/machine/records/session.go",
		old:  "Put(tx, s.StopSending())", new: "Put(tx, s)",
		test: "Recover|NoKeyIsUsedTwice", pkgs: []string{"."},
	},

	// Who reads a guest's connection.
	{
		name: "a caller who waits no longer goes on reading",
		file: "kv/sharekv/internal/wire/reading.go",
		old:  "{ _ = c.network.SetReadDeadline(past) }", new: "{}",
		pkgs: []string{"./kv/sharekv/internal/wire"},
	},
	{
		name: "reading does not go on after an interrupt",
		file: "kv/sharekv/internal/wire/reading.go",
		old:  "err = c.network.SetReadDeadline(time.Time{})", new: "",
		pkgs: []string{"./kv/sharekv/internal/wire"},
	},
	{
		name: "nobody reads while nobody waits",
		file: "kv/sharekv/internal/wire/reading.go",
		old:  "c.idleAfter(r.callers.Load())", new: "",
		pkgs: []string{"./kv/sharekv/internal/wire"},
	},
	{
		name: "the command acknowledges what went into a pipe",
		file: "cmd/pawl/output.go",
		old:  "if !info.Mode().IsRegular() || isNameless(info) {", new: "if info == nil {",
		test: "TestNothingUnreadIsAcknowledged", pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "the command acknowledges what it could not print",
		file: "cmd/pawl/jsonl.go",
		old:  "errors.Join(err, printErr, s.out.deliver())", new: "errors.Join(err, printErr)",
		test: "TestNothingUnreadIsAcknowledged", pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "a stream goes on when its account cannot be read",
		file: "cmd/pawl/jsonl.go",
		old:  "_, fault = s.machine.Identity(ctx)", new: "",
		test: "TestStreamEnds", pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "the outcome of one body is told of all",
		file: "cmd/pawl/keys.go",
		old:  "if err := c.report(cmd, m, sent.upload); err != nil {", new: "if err := c.reportAll(cmd, m); err != nil {",
		test: "TestReportsAtOnce", pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "a passphrase may cost as little as anybody wants",
		file: "txn/seal/cost.go",
		old:  "case c.Passes < least.Passes:", new: "case c.Passes == 0:",
		test: "TestCostBounds", pkgs: []string{"./txn/seal"},
	},
	{
		name: "a changed passphrase forgets what it is to cost",
		file: "txn/seal/keyring.go",
		old:  "k.cost = costOf(r.params())", new: "",
		test: "TestCostIsRecorded", pkgs: []string{"./txn/seal"},
	},
	{
		name: "a commit of unknown outcome is asked for without end",
		file: "txn/commit.go",
		old:  "case time.Since(since) >= d.db.opts.patience:", new: "case time.Since(since) >= 1000*d.db.opts.patience:",
		test: "TestFrozenStore", pkgs: []string{"./txn"},
	},
	{
		name: "a scan does not look whether the owner is there",
		file: "kv/sharekv/internal/wire/waiter.go",
		old:  "return w.op == opWatch || w.away", new: "return w.paged()",
		test: "TestReadsEnd", pkgs: []string{"./kv/sharekv"},
	},
	{
		name: "an owner that closes waits for one guest after the other",
		file: "kv/sharekv/internal/wire/server.go",
		old:  "drains.Go(c.drain)", new: "c.drain()",
		test: "TestFrozenReaders", pkgs: []string{"./kv/sharekv"},
	},
	{
		name: "each commit of a group waits for the same lock",
		file: "kv/sqlitekv/errors.go",
		old:  "return errors.Is(err, sqlite3.BUSY) || errors.Is(err, sqlite3.PROTOCOL)", new: "return false",
		test: "TestLockBesideTheGate", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "each commit asks a witness that does not answer",
		file: "kv/witness/wrap.go",
		old:  "\tw.tried = m.Head\n", new: "\tdefer func() { w.tried = 0 }()\n",
		test: "TestFrozenWitness", pkgs: []string{"./kv/witness"},
	},
}
