package main

// kvMutants break the engine in memory, and what engines and their witnesses share.
var kvMutants = []mutant{
	{
		name: "entries of a state that another process replaced are remembered",
		file: "kv/internal/latest/latest.go",
		old:  "	if version > l.head {\n		l.forget(version)\n	}\n}\n\n// Newest", new: "	l.head = max(l.head, version)\n}\n\n// Newest",
		pkgs: []string{"./kv/internal/latest"},
	},
	{
		name: "an entry is remembered that a commit replaced while it was read",
		file: "kv/internal/latest/latest.go",
		old:  "if version == l.head {\n		l.add", new: "if version <= l.head {\n		l.add",
		pkgs: []string{"./kv/internal/latest"},
	},
	{
		name: "an older view is answered with what came after it",
		file: "kv/internal/latest/latest.go",
		old:  "known && r.since <= version && version <= l.head", new: "known && version <= l.head",
		pkgs: []string{"./kv/internal/latest"},
	},
	{
		name: "a commit after that of another process leaves what is remembered",
		file: "kv/internal/latest/latest.go",
		old:  "if version > l.head+1 {", new: "if false {",
		pkgs: []string{"./kv/internal/latest"},
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
	{
		name: "the whole store is granted while commits are on their way",
		file: "kv/internal/turns/table.go",
		old:  "asked.ahead = maps.Clone(t.commits)", new: "asked.ahead = maps.Clone(t.commits); clear(asked.ahead)",
		pkgs: []string{"./kv/internal/turns"},
	},
	{
		name: "a turn is granted before its time",
		file: "kv/internal/turns/table.go",
		old:  "if t.queues[key][0] != asked {", new: "if t.queues[key][0] == nil {",
		pkgs: []string{"./kv/internal/turns"},
	},
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
	{
		name: "memkv commits whatever was read",
		file: "kv/memkv/commit.go",
		old:  "entry.Version != r.Version", new: "entry.Version < r.Version",
		pkgs: []string{"./kv/memkv"},
	},
	{
		name: "memkv forgets what it refused for good",
		file: "kv/memkv/commit.go",
		old:  "if b.Again {", new: "if false {",
		pkgs: []string{"./kv/memkv"},
	},
	{
		name: "a copied witness is taken for the one that was written",
		file: "kv/witness/page.go",
		old:  "err == nil && !p.identity.is(now)", new: "err == nil && false && !p.identity.is(now)",
		pkgs: []string{"./kv/witness"},
	},
	{
		name: "a copy of a volume is taken for the volume",
		file: "kv/witness/identity.go",
		old:  "volumes && id.volume != now.volume {", new: "volumes && false {",
		pkgs: []string{"./kv/witness"},
	},
	{
		name: "each commit asks a witness that does not answer",
		file: "kv/witness/wrap.go",
		old:  "\tw.tried = m.Head\n", new: "\tdefer func() { w.tried = 0 }()\n",
		test: "TestFrozenWitness", pkgs: []string{"./kv/witness"},
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
}
