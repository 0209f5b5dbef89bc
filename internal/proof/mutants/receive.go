package main

// receiveMutants break taking syncs in.
var receiveMutants = []mutant{
	{
		name: "an escaped backslash keeps a quote from ending a text",
		file: "internal/jsonobject/parts.go",
		old:  "escapes%2 == 0", new: "escapes == 0",
		pkgs: []string{"./internal/jsonobject"},
	},
	{
		name: "events are decrypted before it is known whose their sender key is",
		file: "internal/machine/receive/take.go",
		old:  "return err == nil && owned && !owner.Open\n", new: "return err == nil || owned || owner.Open\n",
		pkgs: []string{"./internal/machine/receive"},
	},
	{
		name: "what one device proved with its keys, another has too",
		file: "internal/machine/receive/payload.go",
		old:  "fmt.Fprintf(h, \"%d:%s%d:%s\", len(of.User), of.User, len(of.Device), of.Device)", new: "_ = of",
		pkgs: []string{"./internal/machine/receive"}, test: "Proofs",
	},
	{
		name: "a device that is gone is trusted",
		file: "internal/machine/receive/take.go",
		old:  "if known != nil && !known.Gone.IsZero() {", new: "if false {",
		pkgs: []string{"./internal/machine/receive"},
	},
	{
		name: "the sender key of a known user is anybody's",
		file: "internal/machine/receive/sender.go",
		old:  "case known && bound.User != e.sender:", new: "case known && bound.User == \"\":",
		pkgs: []string{"./internal/machine/receive"},
	},
	{
		name: "room keys come plain",
		file: "internal/machine/receive/take.go",
		old:  "case typeRoomKey, typeForwardedKey, typeSecret, typeDummy:\n\t\treturn", new: "case typeForwardedKey, typeSecret, typeDummy:\n\t\treturn",
		pkgs: []string{"./internal/machine/receive"},
	},
	{
		name: "a response whose token was overtaken moves it",
		file: "internal/machine/receive/ticket.go",
		old:  "return t.Since == s.Since", new: "return true",
		pkgs: []string{"./internal/machine/receive"},
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
	{
		name: "a sync: what state_after says is not read",
		file: "internal/syncresponse/layout.go",
		old:  "p.keep(r, append(timeline, after...))", new: "p.keep(r, timeline)",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a sync: what no JSON is in one of its parts is taken",
		file: "internal/syncresponse/walker.go",
		old:  "w.deep = w.deep || !json.Valid(part)", new: "_ = part",
		pkgs: []string{"./internal/syncresponse"},
	},
}
