package main

// roomRules are mutants of sharing room keys and of encrypting in rooms.
var roomRules = []mutant{
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
		name: "a room that changed is as good as shared",
		file: "internal/machine/records/room.go",
		old:  "r.Shared != 0 && r.Shared == r.Changed &&", new: "r.Shared != 0 &&",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "members are followed after their devices were looked at",
		file: "internal/machine/rooms/plan.go",
		old:  "if u := users[i]; !enrolled ||", new: "if u := users[i]; false && !enrolled ||",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "nobody waits for the requests that carry the key",
		file: "internal/machine/records/room.go",
		old:  "r.Everywhere == everywhere && len(r.Waiting) == 0", new: "r.Everywhere == everywhere",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a key is given again to who has it",
		file: "internal/machine/rooms/give.go",
		old:  "if was && told.Outcome == group.Given || err != nil {", new: "if was && told.Outcome == 0 || err != nil {",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a device that may have changed holds nothing up",
		file: "internal/machine/devices/tracking.go",
		old:  "	}, records.MarkRoomsOf)", new: "	})",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "a room that was encrypted is not, after another event",
		file: "internal/machine/rooms/apply.go",
		old:  "c.room.Encrypted = true", new: "c.room.Encrypted = e.megolm",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "who was told that there is no session is told again",
		file: "internal/machine/rooms/give.go",
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
		name: "an answer counts for who is asked again by now",
		file: "internal/machine/claims/answer.go",
		old:  "known.Claim != a.id {", new: "false {",
		pkgs: []string{"./internal/machine/claims"},
	},
	{
		name: "a session of which an event was just read is swept",
		file: "internal/machine/records/idle.go",
		old:  "return !read, err", new: "return !read || true, err",
		pkgs: []string{"./internal/machine/roomkeys"},
	},
	{
		name: "a device that is gone is trusted",
		file: "internal/machine/receive/take.go",
		old:  "if known != nil && !known.Gone.IsZero() {", new: "if false {",
		pkgs: []string{"./internal/machine/receive"},
	},
	{
		name: "a count of a transaction counts by itself",
		file: "internal/machine/keys/counts.go",
		old:  "u.Counted, u.Count, u.Unsure = false, 0, max(u.Unsure, 2)", new: "u.Counted, u.Count = true, *count",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "an event for which there is no place says that it is kept",
		file: "internal/machine/records/kept.go",
		old:  "return ok, k.List.Put(tx, s)", new: "return true, k.List.Put(tx, s)",
		pkgs: []string{"./internal/machine/receive"},
	},
	{
		name: "an upload of which two in a row are unknown sends more keys",
		file: "internal/machine/keys/uploads.go",
		old:  "w.count = true", new: "w.keys = records.UploadedKeys",
		pkgs: []string{"./internal/machine/keys"},
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
}
