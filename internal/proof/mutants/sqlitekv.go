package main

// sqliteMutants break the engine on SQLite.
var sqliteMutants = []mutant{
	{
		name: "what is written to a file does not replace what is remembered",
		file: "kv/sqlitekv/apply.go",
		old:  "c.latest.Wrote(version, writes...)", new: "c.latest.Wrote(version, writes[:0]...)",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "an ID is not looked for among those that came after it began",
		file: "kv/sqlitekv/versions.go",
		old:  "if id.Began >= head {", new: "if id.Began+1 >= head {",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "SQLite answers a refusal before it is synced",
		file: "kv/sqlitekv/apply.go",
		old:  "r.Batch.Sync || r.Batch.Again", new: "r.Batch.Sync",
		test: "TestPowerFailure", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "a view of SQLite moves on whatever has changed",
		file: "kv/sqlitekv/returned.go",
		old:  "return err == nil && r.Stands(key, version), named(key, err)", new: "return true, named(key, err)",
		test: "TestViewMovesOn|TestConformance", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "the hook that tells the size of SQLite's log is removed",
		file: "kv/sqlitekv/conn.go",
		old:  "c.logged = pages * pageSize", new: "_ = pages",
		test: "TestLogIsBounded", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "syncs stay in the cache of the disk on Apple systems",
		file: "kv/sqlitekv/conn.go",
		old:  "PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; ", new: "PRAGMA fullfsync = OFF; ",
		test: "TestFullSyncs", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "an SQLite file that is open is opened under another name",
		file: "kv/sqlitekv/home.go",
		old:  "if other != at {", new: "if other != at && false {",
		test: "WhileOpen", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "what connects later reads another store in the place of the first",
		file: "kv/sqlitekv/home.go",
		old:  "h.self != nil && !os.SameFile(now, h.self)", new: "h.self != nil && now == nil",
		test: "WhileOpen", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "SQLite drops what is behind a bad frame of its log",
		file: "kv/sqlitekv/store.go",
		old:  "if err := checkLog(path, s.headFile.newest()); err != nil {", new: "if err := checkLog(path, s.headFile.newest()); false && err != nil {",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "a commit at the gate does not look for a turn of another process",
		file: "kv/sqlitekv/committer.go",
		old:  "if c.turns.taken() {", new: "if false {",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "SQLite answers before it syncs",
		file: "kv/sqlitekv/apply.go",
		old:  `level = "FULL"`, new: `level = "NORMAL"`,
		test: "TestPowerFailure", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "SQLite commits with a connection that failed in a read",
		file: "kv/sqlitekv/committer.go",
		old:  "\tif !usable {\n", new: "\tif false {\n",
		test: "TestReadWithTheCommittersConnection", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "who is alone in a process takes the gate that another process has",
		file: "kv/sqlitekv/gate.go",
		old:  "if locked, err := g.lock.TryLock(); !locked || err != nil || !g.isFile() {", new: "if _, err := g.lock.TryLock(); err != nil || !g.isFile() {",
		pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "no process waits for the gate of another",
		file: "kv/sqlitekv/gate.go",
		old:  "err := g.lock.Lock()", new: "err := error(nil)",
		pkgs: []string{"./kv/sqlitekv"},
	},
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
		name: "a member of a group that failed is tried on a closed connection",
		file: "kv/sqlitekv/committer.go",
		old:  "err := c.ready()\n\tif err == nil {", new: "var err error\n\tif err == nil {",
		test: "TestFullGroup", pkgs: []string{"./kv/sqlitekv"},
	},
	{
		name: "each commit of a group waits for the same lock",
		file: "kv/sqlitekv/errors.go",
		old:  "return errors.Is(err, sqlite3.BUSY) || errors.Is(err, sqlite3.PROTOCOL)", new: "return false",
		test: "TestLockBesideTheGate", pkgs: []string{"./kv/sqlitekv"},
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
		name: "a view that moves on does not look whether what a scan has passed over is there",
		file: "kv/internal/views/returned.go",
		old:  "for _, s := range r.scans {", new: "for _, s := range r.scans[:0] {",
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
		name: "a scan goes on with what it read before the view moved",
		file: "kv/internal/views/scan.go",
		old:  "|| len(s.ahead) > 0 && s.at != version {", new: "{",
		pkgs: []string{"./kv/sqlitekv"},
	},
}
