package main

// badgerMutants break the engine on Badger.
var badgerMutants = []mutant{
	{
		name: "what is written does not replace what is remembered",
		file: "kv/badgerkv/committer.go",
		old:  "slices.Concat(writes...)...)", new: "slices.Concat(writes...)[:0]...)",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "Badger forgets what it refused for good",
		file: "kv/badgerkv/committer.go",
		old:  "g.refuse(r, err)", new: "r.Answer(0, err)",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "a refusal that is not on disk is final",
		file: "kv/badgerkv/group.go",
		old:  "r.request.Answer(0, err)", new: "r.request.Answer(0, r.because)",
		pkgs: []string{"./kv/badgerkv"},
	},
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
		name: "Badger syncs every other group only",
		file: "kv/badgerkv/committer.go",
		old:  "return err\n\t}\n\treturn c.wal.sync()", new: "return err\n\t}\n\tif version%2 == 0 {\n\t\treturn nil\n\t}\n\treturn c.wal.sync()",
		test: "TestPowerFailure", pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "Badger is opened on a full disk",
		file: "kv/badgerkv/database.go",
		old:  "err := d.checkRoom(); err != nil", new: "err := d.checkRoom(); err != nil && false",
		test: "TestOpenOnFullDisk", pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "an owner commits in a directory that was taken away",
		file: "kv/badgerkv/committer.go",
		old:  "if !c.dir.Held() {", new: "if false {",
		pkgs: []string{"./kv/badgerkv", "./kv/sharekv"},
	},
	{
		name: "Badger puts two batches of one ID into a group",
		file: "kv/badgerkv/group.go",
		old:  "return !twin && !full", new: "return (!twin || true) && !full",
		pkgs: []string{"./kv/badgerkv"},
	},
	{
		name: "Badger puts a batch into the group that overwrites what it read",
		file: "kv/badgerkv/group.go",
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
		name: "a log with a bad middle is taken for one that ends there",
		file: "kv/badgerkv/internal/intact/log.go",
		old:  "tells && e.version > last && synced > last", new: "tells && e.version > last && synced > last && false",
		test: "TestDamage", pkgs: []string{"./kv/badgerkv"},
	},
}
