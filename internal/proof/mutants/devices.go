package main

// deviceMutants break what is known of others' devices and identities.
var deviceMutants = []mutant{
	{
		name: "an answer covers what changed while it was on its way",
		file: "device/tracking.go",
		old:  "t.Covered = t.Asked", new: "t.Covered = t.Changes",
		pkgs: []string{"./device", "./internal/machine/devices"},
	},
	{
		name: "an identity is trusted for being the first",
		file: "device/trust.go",
		old:  "(k.Compared() || k.SignedHere)", new: "(k.Pinned == k.Master || k.SignedHere)",
		pkgs: []string{"./internal/machine/devices"},
	},
	{
		name: "others are verified while the own identity is not",
		file: "device/trust.go",
		old:  " || !own.trusted() {", new: " {",
		pkgs: []string{"./device", "./internal/machine/devices"},
	},
	{
		name: "a user counts as known before the answer is applied",
		file: "internal/machine/devices/answer.go",
		old:  "refused[of.User], err = q.apply(ctx, r, answers, of)", new: "refused[of.User] = nil",
		pkgs: []string{"./internal/machine/devices"},
	},
	{
		name: "a change of somebody's devices marks no room",
		file: "internal/machine/devices/apply.go",
		old:  "err = records.MarkRoomsOf(tx, part.User)", new: "err = nil",
		pkgs: []string{"./internal/machine/devices"},
	},
	{
		name: "a server decides what the own device's keys are",
		file: "internal/machine/devices/answer.go",
		old:  "if of.User == v.User() {\n\t\tof = onlyOwn(of, v)", new: "if false {\n\t\tof = onlyOwn(of, v)",
		pkgs: []string{"./internal/machine/devices"},
	},
	{
		name: "a device that may have changed holds nothing up",
		file: "internal/machine/devices/tracking.go",
		old:  "	}, records.MarkRoomsOf)", new: "	})",
		pkgs: []string{"./internal/machine/rooms"},
	},
	{
		name: "the first signature on the own device marks no room",
		file: "internal/machine/devices/apply.go",
		old:  "err != nil || before {", new: "err != nil || before || true {",
		pkgs: []string{"./internal/machine/devices"},
	},
	{
		name: "a member whom nobody follows any more may change as it likes",
		file: "internal/machine/devices/tracking.go",
		old:  "u.Lost != nil || slices.Contains(lost, u.User)", new: "u.Lost != nil",
		pkgs: []string{"./internal/machine/rooms"},
	},
}
