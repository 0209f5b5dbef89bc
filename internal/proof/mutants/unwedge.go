package main

// unwedgeMutants break what counts against a peer, and the limits of what is done about it.
var unwedgeMutants = []mutant{
	{
		name: "whoever says that a key is theirs wedges the device",
		file: "internal/machine/unwedge/unwedge.go",
		old:  "!o.Open && len(o.Claimers) == 1 && o.Claimers[0].User == user", new: "!o.Open",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "a peer that was heard since stays wedged",
		file: "internal/machine/unwedge/judge.go",
		old:  "w.IsWedged() && j.heard > w.Last.Order:", new: "w.IsWedged() && false:",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "a device that shares no room is believed that it has no session",
		file: "internal/machine/unwedge/evidence.go",
		old:  "if err != nil || !shares {", new: "if err != nil || false && !shares {",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "what comes before m.dummy is sent is a reason for another session",
		file: "internal/machine/unwedge/evidence.go",
		old:  "if waits || err != nil && !machine.IsDamage(err) {\n			return err", new: "if false && waits || err != nil && !machine.IsDamage(err) {\n			return err",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "the hour begins with the claim, however late its session comes",
		file: "internal/machine/unwedge/judge.go",
		old:  "if s.Origin() == session.Outbound && s.CreatedIn()", new: "if false && s.CreatedIn()",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "nobody looks whether a clock is right again while nothing is to be done",
		file: "internal/machine/unwedge/judge.go",
		old:  "len(seen.Pause) < len(w.Pause) {", new: "false && len(seen.Pause) < len(w.Pause) {",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "keys that a peer proved to have are given again",
		file: "internal/machine/unwedge/give.go",
		old:  "(j.does == answer || share.At.Order > j.heard)", new: "share.At.Order > 0",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "of the room keys that are to be given again each second is left out",
		file: "internal/machine/unwedge/give.go",
		old:  "w.Give = slices.Delete(slices.Clone(w.Give), 0, 1)", new: "w.Give = slices.Delete(slices.Clone(w.Give), 0, min(2, len(w.Give)))",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "a device that opens another session is given nothing again",
		file: "internal/machine/unwedge/judge.go",
		old:  "if w.Again != (ratchet.SessionID{}) && j.does <= note {", new: "if false {",
		pkgs: []string{"./internal/machine/unwedge"},
	},
}
