package main

// clientRules are mutants of what check says of a whole client, of what inspect shows,
// and of the examples' loop.
var clientRules = []mutant{
	{
		name: "check lets a room wait for a request that is gone",
		file: "internal/machine/records/roomcheck.go",
		old:  "slices.IndexFunc(r.Waiting, lost); i >= 0 {", new: "slices.IndexFunc(r.Waiting, lost); i >= len(r.Waiting) {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "check lets a room know of a change that was not counted",
		file: "internal/machine/records/roomcheck.go",
		old:  "if counted && r.Everywhere > changes.Count {", new: "if counted && r.Everywhere > changes.Count+1 {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "check lets a member be in a room of which nothing is known",
		file: "internal/machine/records/roomcheck.go",
		old:  "if at(c, &Rooms, room) == nothing {", new: "if at(c, &Rooms, room) == broken {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "check lets an old session be one that was not given up",
		file: "internal/machine/records/roomcheck.go",
		old:  "_, why := o.Retired(); why == group.Kept {", new: "_, why := o.Retired(); why == group.Recovered {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "check lets a session that was given up be sent in",
		file: "internal/machine/records/roomcheck.go",
		old:  "err == nil && now.ID() == name.ID {", new: "err != nil && now.ID() == name.ID {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "check lets a device be told of a session that is missing",
		file: "internal/machine/records/roomcheck.go",
		old:  "if known && !ok {", new: "if !known && !ok {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "check lets a device be one message ahead of its session",
		file: "internal/machine/records/roomcheck.go",
		old:  "s.Outcome == group.Given && s.Index > now.Sender().Index() {", new: "s.Outcome == group.Given && s.Index > now.Sender().Index()+1 {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "check lets events have places in a session that is missing",
		file: "internal/machine/records/replay.go",
		old:  "e.Err == nil && !of[under] && !gone[under] {", new: "e.Err != nil && !of[under] && !gone[under] {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "check lets an upload have a key that was never made",
		file: "internal/machine/records/uploads.go",
		old:  "if id >= pool.Next() {", new: "if id >= pool.Next()+1<<20 {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "check lets a key of the upload be offered again",
		file: "internal/machine/records/uploads.go",
		old:  "in && e.Stage == otk.Generated {\n\t\t\tc.Find(", new: "in && e.Stage == otk.Abandoned {\n\t\t\tc.Find(",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "inspect counts who has a key as who has not",
		file: "internal/machine/records/inspectclient.go",
		old:  "if s.Outcome.Has() {", new: "if !s.Outcome.Has() {",
		pkgs: []string{"./internal/machine/upkeep"},
	},
	{
		name: "inspect floods with rooms that nobody asked for",
		file: "cmd/pawl/inspectclient.go",
		old:  "if show.rooms {", new: "if show.rooms || !show.rooms {",
		pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "inspect lets a room's name write on the screen",
		file: "cmd/pawl/inspectclient.go",
		old:  `"  %s\n", cli.Shown(fmt.Sprintf(format, args...)))`, new: `"  %s%s\n", cli.Shown(""), fmt.Sprintf(format, args...))`,
		pkgs: []string{"./cmd/pawl"},
	},
	{
		name: "a held token: an older response undoes what a newer one said of rooms",
		file: "internal/machine/receive/end.go",
		old:  "current = c.ticket.mayTake(s, c.nameIt())", new: "_ = s",
		pkgs: []string{"./internal/machine/receive"}, test: "Hold",
	},
	{
		name: "a held token: it is stored though rooms of it were passed over",
		file: "internal/machine/receive/ticket.go",
		old:  "h.taken && h.ticket.current(s))", new: "h.ticket.current(s))",
		pkgs: []string{"./internal/machine/receive"}, test: "Hold",
	},
	{
		name: "a client forgets the response that it died over",
		file: "examples/client/kept.go",
		old:  "c.unhandled = &k", new: "_ = &k",
		pkgs: []string{"./examples/client"},
	},
	{
		name: "a client keeps what is no response",
		file: "examples/client/loop.go",
		old:  "return errors.Join(err, c.done()) // of a proxy", new: "return err // of a proxy",
		pkgs: []string{"./examples/client"},
	},
	{
		name: "a client says again what it said under another name",
		file: "examples/client/say.go",
		old:  "+ url.PathEscape(name)", new: `+ url.PathEscape(name + time.Now().Format("150405.000000000"))`,
		pkgs: []string{"./examples/client"},
	},
	{
		name: "nobody asks the server of which a transaction says that keys are missing",
		file: "internal/machine/keys/counts.go",
		old:  "(!u.Counted || u.Count >= records.UploadedKeys) {", new: "(u.Counted && u.Count < 0) {",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "a transaction's changed devices are passed over",
		file: "internal/machine/receive/response.go",
		old:  "return len(p.ToDevice)+len(p.Rooms)+len(p.Changed)+len(p.Left) == 0", new: "return len(p.ToDevice)+len(p.Rooms) == 0",
		pkgs: []string{"./internal/machine/receive"},
	},
	{
		name: "what a transaction says of keys is passed over",
		file: "internal/machine/receive/end.go",
		old:  "case c.service != nil && c.others.SawPushed != nil:", new: "case c.service != nil && c.others.SawPushed == nil:",
		pkgs: []string{"./internal/machine/receive"},
	},
}
