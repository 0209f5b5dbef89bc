package main

// roomKeyFileRules are mutants of room key files, and of exporting and importing them.
var roomKeyFileRules = []mutant{
	{
		name: "a room key file is parsed whatever its HMAC says",
		file: "roomkeyfile/reader.go",
		old:  "if !hmac.Equal(p.mac.Sum(nil), stored) {", new: "if len(stored) != macSize {",
		test: "TestWrongUse|TestBadFiles", pkgs: []string{"./roomkeyfile"},
	},
	{
		name: "a room key file that changes while it is read is believed",
		file: "roomkeyfile/reader.go",
		old:  "if !hmac.Equal(p.mac.Sum(nil), r.mac[:]) || !hmac.Equal(stored, r.mac[:]) {", new: "if len(stored) != macSize {",
		test: "TestChangedBetweenPasses", pkgs: []string{"./roomkeyfile"},
	},
	{
		name: "a room key file may ask for any number of rounds",
		file: "roomkeyfile/seal.go",
		old:  "if h.rounds < 1 || h.rounds > MaxRounds {", new: "if h.rounds < 1 || h.rounds > 2*MaxRounds {",
		test: "TestBadFiles", pkgs: []string{"./roomkeyfile"},
	},
	{
		name: "a room key file is written with few rounds",
		file: "roomkeyfile/writer.go",
		old:  "return newWriter(w, rand, passphrase, Rounds)", new: "return newWriter(w, rand, passphrase, WeakRounds)",
		test: "TestRounds", pkgs: []string{"./roomkeyfile"},
	},
	{
		name: "a room key file without its last line is whole",
		file: "roomkeyfile/armor.go",
		old:  `b.end = fmt.Errorf("%w: it has no line %q", ErrCut, lastLine)`, new: `b.end = io.EOF`,
		test: "TestBadFiles|TestCutAnywhere", pkgs: []string{"./roomkeyfile"},
	},
	{
		name: "a long room key in a file is held as a whole",
		file: "roomkeyfile/elements.go",
		old:  "if w.left <= 0 {", new: "if w.left <= -1<<30 {",
		test: "TestBadFiles", pkgs: []string{"./roomkeyfile"},
	},
	{
		name: "a room key in a file has the name of another session",
		file: "roomkeyfile/key.go",
		old:  "id != key.ID().String() {", new: `id == "" {`,
		test: "TestKeys", pkgs: []string{"./roomkeyfile"},
	},
	{
		name: "a dry run imports",
		file: "internal/machine/roomkeys/import.go",
		old:  "return a, &dryRun{a}", new: "return a, nil",
		test: "TestDryRun", pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a dry run forgets which keys came before",
		file: "internal/machine/roomkeys/import.go",
		old:  "!known || newer {", new: "!known || newer || id != in.ID() || true {",
		test: "TestDryRun", pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "keys of other rooms are imported, too",
		file: "internal/machine/roomkeys/import.go",
		old:  "if err == nil && !concerns(how.Rooms, key.Room) {", new: "if err == nil && place < 0 {",
		test: "TestImportFrom", pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a malformed key ends an import",
		file: "internal/machine/roomkeys/import.go",
		old:  "group.ErrMalformed, group.ErrVersion, // of a sequence", new: "group.ErrVersion,",
		test: "TestImportFrom", pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a key is exported as the best copy has it, not the earliest",
		file: "group/roomkey.go",
		old:  "Key: earliest.Key, Source: in.copies[0].Source}", new: "Key: in.copies[0].Key, Source: earliest.Source}",
		test: "TestExport", pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "damage is left out of an export in silence",
		file: "internal/machine/roomkeys/export.go",
		old:  "err = view.damaged.Err()", new: "err = nil",
		test: "TestExport", pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a file that is made takes the place of another",
		file: "internal/files/whole.go",
		old:  "MoveToFree(w.Name(), w.path)", new: "os.Rename(w.Name(), w.path)",
		test: "TestWhole", pkgs: []string{"./internal/files"},
	},
}
