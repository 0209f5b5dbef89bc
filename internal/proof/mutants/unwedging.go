package main

// unwedging breaks what counts against a peer, and the limits of what is done about it.
var unwedging = []mutant{
	{
		name: "a message whose key is gone wedges its sender",
		file: "internal/machine/todevice/unread.go",
		old:  "ratchet.ErrGap} {", new: "ratchet.ErrGap, ratchet.ErrKeyGone} {",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "a changed copy of what was read wedges its sender",
		file: "internal/machine/todevice/unread.go",
		old:  ", errors.Is(err, errKnown):", new: ":",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "a message of a pruned session wedges its sender",
		file: "internal/machine/todevice/unread.go",
		old:  "return machine.IsSetAside(err)", new: "return true",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "a message of a chain that was dropped is of none",
		file: "internal/machine/todevice/decrypt.go",
		old:  "	case none && slices.ContainsFunc(c.Sessions,", new: "	case false && slices.ContainsFunc(c.Sessions,",
		pkgs: []string{"./internal/machine/unwedge"},
	},
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
		name: "a session is asked for before the hour is over",
		file: "internal/machine/records/wedge.go",
		old:  "return w, now.Sub(w.Begun.Time) < pause", new: "return w, now.Sub(w.Begun.Time) < pause/2",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "after three sessions in vain there is one an hour",
		file: "internal/machine/records/wedge.go",
		old:  "if w.Tries >= earlyTries {", new: "if w.Tries > MaxTries {",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "a clock that goes back ends the pause",
		file: "internal/machine/records/wedge.go",
		old:  "return w, now.Sub(w.Behind) < pause", new: "return w, false",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "the hour begins with the claim, however late its session comes",
		file: "internal/machine/unwedge/judge.go",
		old:  "if s.Origin() == session.Outbound && s.CreatedIn()", new: "if false && s.CreatedIn()",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "another session is opened though the peer was heard meanwhile",
		file: "internal/machine/claims/answer.go",
		old:  "a.after)\n	if can || err != nil {", new: "a.after)\n	if can && a.after == 0 || err != nil {",
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
