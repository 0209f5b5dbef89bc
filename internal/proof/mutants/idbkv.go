package main

// webTests is the nested module that runs kv/idbkv in Chromium.
const webTests = "internal/proof/web"

// browserMutants break the engine on IndexedDB.
var browserMutants = []mutant{
	{
		name: "a commit on IndexedDB does not check what it has read",
		file: "kv/idbkv/member.go",
		old:  "err = c.check.stale(g.wrote)", new: "err = nil",
		test: "TestConformanceInWorker", dir: webTests, web: "TestMissedRing", pkgs: []string{"."},
	},
	{
		name: "IndexedDB takes a commit that it has applied again",
		file: "kv/idbkv/member.go",
		old:  "if version != 0 || err != nil {", new: "if err != nil {",
		test: "TestConformanceInWorker", dir: webTests, web: "TestAbortThatThrows", pkgs: []string{"."},
	},
	{
		name: "a synced commit on IndexedDB is relaxed",
		file: "kv/idbkv/committer.go",
		old:  "strict = strict || r.Batch.Sync || r.Batch.Again", new: "strict = false",
		test: "TestConformanceInWorker", dir: webTests, web: "TestDurability", pkgs: []string{"."},
	},
	{
		name: "a browser that does not say that it syncs is taken at its word",
		file: "kv/idbkv/open.go",
		old:  `said.String() != "strict"`, new: `said.String() == ""`,
		test: "TestConformanceInWorker", dir: webTests, web: "TestNotDurable", pkgs: []string{"."},
	},
	{
		name: "a view on IndexedDB moves on whatever it has returned",
		file: "kv/idbkv/moving.go",
		old:  "if !m.returned.Stands(key, version) {", new: "if !m.returned.Stands(key, version) && false {",
		test: "TestConformanceInWorker", dir: webTests, web: "TestConformance$/isolation", pkgs: []string{"."},
	},
	{
		name: "a newer program raises the store while an older one has it open",
		file: "kv/idbkv/locks.go",
		old:  `"ifAvailable": true`, new: `"steal": true`,
		test: "TestConformanceInWorker", dir: webTests, web: "TestFormats", pkgs: []string{"."},
	},
	{
		name: "an open that comes too late changes the database",
		file: "kv/idbkv/schema.go",
		old:  `o.request.Get("transaction").Call("abort")`, new: `o.request.Get("transaction")`,
		test: "TestConformanceInWorker", dir: webTests, web: "TestBlockedOpen|TestForeign", pkgs: []string{"."},
	},
	{
		name: "a frozen tab keeps its turn",
		file: "kv/idbkv/locks.go",
		old:  "case time.Since(since) > grantLife:", new: "case time.Since(since) > grantLife && false:",
		test: "TestFrozenTabLosesItsTurn", dir: webTests, pkgs: []string{"."},
	},
	{
		name: "a tab keeps the turn while another waits",
		file: "kv/idbkv/turns.go",
		old:  "if h == nil || h.left == 0 ||", new: "if h == nil ||",
		test: "TestConformanceInWorker", dir: webTests, web: "TestTurnsInARow", pkgs: []string{"."},
	},
	{
		name: "an abort that throws is called certain",
		file: "kv/idbkv/ending.go",
		old:  `fmt.Errorf("%w: the browser is still committing: %w", kv.ErrUnknown, why)`, new: "why",
		pkgs: []string{"./kv/idbkv"},
	},
	{
		name: "what was under way when the browser closed is called not applied",
		file: "kv/idbkv/ending.go",
		old:  "case e.lost && !e.put:", new: "case e.lost && true:",
		pkgs: []string{"./kv/idbkv"},
	},
	{
		name: "the turn of another tab holds up no commit",
		file: "kv/idbkv/note.go",
		old:  "n.until > now &&", new: "n.until < now &&",
		pkgs: []string{"./kv/idbkv"},
	},
	{
		name: "IndexedDB keeps a commit ID too few",
		file: "kv/idbkv/layout.go",
		old:  "return now - kv.Version(keep)", new: "return now - kv.Version(keep) + 1",
		pkgs: []string{"./kv/idbkv"},
	},
}
