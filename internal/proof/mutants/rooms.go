package main

// roomMutants break sharing room keys and encrypting in rooms.
var roomMutants = []mutant{
	{
		name: "a sync: who left and is back never left",
		file: "internal/machine/rooms/apply.go",
		old:  "return c.passed(matrix.UserID(e.StateKey), m, limited)", new: "return nil",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a change since the share holds nothing up",
		file: "internal/machine/rooms/encrypt.go",
		old:  "if !s.has || !s.whole() {", new: "if !s.has {",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a session that is given up is sent in",
		file: "internal/machine/rooms/encrypt.go",
		old:  "why != group.Kept {", new: "why == group.TooManyMessages {",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "who left is not noticed",
		file: "internal/machine/rooms/apply.go",
		old:  "if was && (m.gone() || limited && m != Join) {", new: "if was && limited && m != Join {",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a gap in a sync hides who left in it",
		file: "internal/machine/rooms/apply.go",
		old:  "|| limited && m != Join) {", new: ") {",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a list of members that is old gives keys to who left",
		file: "internal/machine/rooms/plan.go",
		old:  "return slices.Contains(r.Gone, u) })", new: "return r.ID == \"\" && slices.Contains(r.Gone, u) })",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a device that is gone keeps the session",
		file: "internal/machine/rooms/plan.go",
		old:  "if share.Outcome.Has() {", new: "if share.Outcome.Has() && share.Room == \"\" {",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "members are followed after their devices were looked at",
		file: "internal/machine/rooms/plan.go",
		old:  "if u := users[i]; !enrolled ||", new: "if u := users[i]; false && !enrolled ||",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a key is given again to who has it",
		file: "internal/machine/rooms/giving.go",
		old:  "if was && told.Outcome == group.Given {", new: "if was && told.Outcome == 0 {",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "two devices with one identity key are sent to under one message key",
		file: "internal/machine/rooms/giving.go",
		old:  "(!g.fits() || g.peers[w.to.Curve25519])", new: "!g.fits()",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "what a crowd was told meanwhile is checked in one commit",
		file: "internal/machine/rooms/giving.go",
		old:  "if !p.crowded && p.known", new: "if p.known",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a room is shared before all that is to be done is",
		file: "internal/machine/rooms/plan.go",
		old:  "return len(p.awaited) == 0 && len(p.withhold) == 0 && len(p.missing) == 0", new: "return true",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "who has no session any more is taken for one who cannot be reached",
		file: "internal/machine/rooms/giving.go",
		old:  "case s.err != nil && !w.claimed:", new: "case s.err != nil && w.claimed:",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a room that was encrypted is not, after another event",
		file: "internal/machine/rooms/apply.go",
		old:  "	c.room.Encrypted = true\n	c.room.Foreign", new: "	c.room.Encrypted = e.megolm\n	c.room.Foreign",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "who was told that there is no session is told again",
		file: "internal/machine/rooms/withhold.go",
		old:  "	if !known {", new: "	if !known || known {",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "somebody new on the list holds nobody up",
		file: "internal/machine/rooms/share.go",
		old:  "case p.newcomer || room.Members != p.digest:", new: "case false:",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a room waits for a request that is lost",
		file: "internal/machine/rooms/plan.go",
		old:  "if err != nil || lost {", new: "if err != nil || lost && err != nil {",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a device that is gone had no key if nobody knows that it was told",
		file: "internal/machine/rooms/candidates.go",
		old:  "!told && goneSince(", new: "false && goneSince(",
		pkgs: []string{"./internal/machine/rooms"},
	},
}
