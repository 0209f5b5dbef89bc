package main

// shareMutants break how processes share an engine.
//
// Not here, since nothing tells it from the code as it is: that a server releases a turn
// that was granted when nobody waited any more (the client does so itself when the late
// answer comes, and the end of its connection does).
var shareMutants = []mutant{
	{
		name: "a commit goes to the next owner under another ID",
		file: "kv/sharekv/calls.go",
		old:  "t.Commit(ctx, t.theirs(b, unsure != nil))",
		new:  "t.Commit(ctx, func() *kv.Batch { again := *t.theirs(b, unsure != nil); again.ID = kv.NewCommitID(b.ID.Began); return &again }())",
		pkgs: []string{"./kv/sharekv"},
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
		name: "a store is raised beside an older program",
		file: "kv/sharekv/internal/wire/server.go",
		old:  "if c.version != 0 && c.version < versionFormats {", new: "if c == nil {",
		pkgs: []string{"./kv/sharekv"},
	},
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
}
