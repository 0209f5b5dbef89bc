package main

// txnMutants break transactions and sealing.
var txnMutants = []mutant{
	{
		name: "a record stands for what its key had before",
		file: "txn/opened.go",
		old:  "ok && bytes.Equal(known.sealed, sealed)", new: "ok && bytes.Equal(known.sealed, known.sealed)",
		pkgs: []string{"./txn"},
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
		name: "no turn is taken after three losses",
		file: "txn/contention.go",
		old:  "c.t.report.Conflicts >= turnAfter || db.hot.any(c.lost)", new: "false",
		pkgs: []string{"./txn"},
	},
	{
		name: "what does not join is joined without the function",
		file: "txn/writes.go",
		old:  "return !partial || some.Joins(b)", new: "return !partial || true || some.Joins(b)",
		pkgs: []string{"./txn"},
	},
	{
		name: "some records are taken for all that there are",
		file: "txn/some.go",
		old:  "return first, false, nil", new: "return first, true, nil",
		pkgs: []string{"./txn"},
	},
	{
		name: "a large view is not validated",
		file: "txn/validate.go",
		old:  "if e.Version != b.Reads[i].Version {", new: "if false && e.Version != b.Reads[i].Version {",
		pkgs: []string{"./txn"},
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
		name: "a commit of unknown outcome is asked for without end",
		file: "txn/commit.go",
		old:  "case time.Since(since) >= d.db.opts.patience:", new: "case time.Since(since) >= 1000*d.db.opts.patience:",
		test: "TestFrozenStore", pkgs: []string{"./txn"},
	},
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
		name: "a value is sealed without its key path",
		file: "txn/seal/value.go",
		old:  "Seal(dst, nonce, plaintext, []byte(path))", new: "Seal(dst, nonce, plaintext, nil)",
		pkgs: []string{"./txn/seal"},
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
}
