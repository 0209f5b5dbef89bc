package main

// groupMutants break Megolm sessions and the files that room keys are kept in.
var groupMutants = []mutant{
	{
		name: "a room key: an index beyond 32 bits is cut off",
		file: "group/message.go",
		old:  "case f.index > maxIndex:", new: "case f.index > maxIndex && false:",
		pkgs: []string{"./group"},
	},
	{
		name: "a room key: a made up copy displaces a stored one",
		file: "group/join.go",
		old:  "case r.Stored:\n\t\treturn 1", new: "case r.Stored:\n\t\treturn 0",
		pkgs: []string{"./group"},
	},
	{
		name: "a room key: what was forgotten is joined again",
		file: "group/join.go",
		old:  "for _, c := range raised(other.copies, floor) {", new: "for _, c := range other.copies {",
		pkgs: []string{"./group"},
	},
	{
		name: "a room key: a recovery leaves the session in use",
		file: "group/outbound.go",
		old:  "case o.keysFrom != keysFrom:", new: "case false:",
		pkgs: []string{"./group"},
	},
	{
		name: "a hint's verifier serves another session",
		file: "group/reached.go",
		old:  "if h.signer != nil && h.signer.Key() == account.VerifyKey(id) {", new: "if h.signer != nil {",
		pkgs: []string{"./group"},
	},
	{
		name: "a key is exported as the best copy has it, not the earliest",
		file: "group/roomkey.go",
		old:  "Key: earliest.Key, Source: in.copies[0].Source}", new: "Key: in.copies[0].Key, Source: earliest.Source}",
		test: "TestExport", pkgs: []string{"./internal/machine/roomkeys"},
	},
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
		old:  " && len(s.raw) < maxElement", new: "",
		test: "TestNoKeys", pkgs: []string{"./roomkeyfile"},
	},
	{
		name: "a room key in a file has the name of another session",
		file: "roomkeyfile/key.go",
		old:  "id != key.ID().String() {", new: `id == "" {`,
		test: "TestKeys", pkgs: []string{"./roomkeyfile"},
	},
}
