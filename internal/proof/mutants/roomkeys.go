package main

// roomKeyMutants break room keys that come, events that are read with them, and exports.
var roomKeyMutants = []mutant{
	{
		name: "a room event: another event is read with the same message",
		file: "internal/machine/roomkeys/decrypt.go",
		old:  "if known && (in.ID == \"\" || stored.Event != row.Event) {", new: "if known && (in.ID == \"\" || stored.Event != row.Event && false) {",
		pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a room event: which event has a message is decided without reading",
		file: "internal/machine/roomkeys/decrypt.go",
		old:  "stored, known, err := records.Replays.Get(tx, row.ReplayName)", new: "stored, known, err := records.Replay{}, false, error(nil)",
		pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a room event: it is read in whatever room",
		file: "internal/machine/roomkeys/decrypt.go",
		old:  "if room != string(in.Room) {", new: "if room == \"\" {",
		pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a room event: the session of another user's device is read",
		file: "internal/machine/roomkeys/who.go",
		old:  "if p.State == Mismatched && source.Provenance >= group.Forwarded && !e.AllowMismatched {", new: "if false {",
		pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a room key: forwarded by an own device that nobody verified",
		file: "internal/machine/roomkeys/receive.go",
		old:  " || from.Trust != device.Verified {", new: " {",
		pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a room key: a device that nobody knows makes us keep any number",
		file: "internal/machine/roomkeys/unsettled.go",
		old:  "if !ok {", new: "if !ok && false {",
		pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a room key: it is read before it is joined, and conflicts with others",
		file: "internal/machine/roomkeys/add.go",
		old:  "stored, ok, err := records.GroupIns.Peek(tx, in.ID())", new: "stored, ok, err := records.GroupIns.Get(tx, in.ID())",
		pkgs: []string{"./internal/machine/roomkeys"},
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
		name: "a new device does not know which events the old one has read",
		file: "internal/machine/roomkeys/inherit.go",
		old:  "if err == nil {\n\t\terr = k.inheritMessages", new: "if false {\n\t\terr = k.inheritMessages",
		test: "TestInherit", pkgs: []string{"."},
	},
	{
		name: "damage is left out of an export in silence",
		file: "internal/machine/roomkeys/export.go",
		old:  "err = view.damaged.Err()", new: "err = nil",
		test: "TestExport", pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a request for a room key comes after its cancellation",
		file: "internal/machine/keyrequests/requests.go",
		old:  "return []outbox.ID{id}, nil", new: "return nil, nil",
		pkgs: []string{"./internal/machine/keyrequests"},
	},
	{
		name: "who joins a wait is told what was read before",
		file: "internal/machine/events/wait.go",
		old:  "if err != nil && ctx.Err() == nil {", new: "if false {",
		pkgs: []string{"./internal/machine/events"},
	},
}
