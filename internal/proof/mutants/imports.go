package main

// importMutants break reading pickles and importing.
var importMutants = []mutant{
	{
		name: "an imported account sends at once",
		file: "internal/machine/imports/imports.go",
		old:  "if needed && i.device.Retired && why.Cause", new: "if needed && why.Cause",
		pkgs: []string{"./internal/machine/imports"},
	},
	{
		name: "an account that is being imported may send",
		file: "internal/machine/imports/imports.go",
		old:  "made := i.plan.account.RequireRecovery(account.Copied, now)", new: "made := i.plan.account",
		pkgs: []string{"./internal/machine/imports"},
	},
	{
		name: "another list goes on with an import",
		file: "internal/machine/imports/imports.go",
		old:  "at.mark.Digest != i.device.Digest:", new: "at.mark.Program != i.device.Program:",
		pkgs: []string{"./internal/machine/imports"},
	},
	{
		name: "a session that comes after a recovery sends",
		file: "internal/machine/imports/imports.go",
		old:  "needed := at.v.NeedsRecovery(); !needed {", new: "needed := at.v.NeedsRecovery(); !needed && at.lost {",
		pkgs: []string{"./internal/machine/imports"},
	},
	{
		name: "an imported account has no new fallback key",
		file: "internal/machine/imports/imports.go",
		old:  "if pool, err = records.ReplaceFallback(tx, i.account, pool, now); err != nil {", new: "if err != nil {",
		pkgs: []string{"./internal/machine/imports"},
	},
	{
		name: "keys are uploaded before a sync says how many there are",
		file: "internal/machine/imports/imports.go",
		old:  "records.UploadStates.Put(tx, records.Uploads{})", new: "records.UploadStates.Put(tx, records.Uploads{Retry: 50})",
		pkgs: []string{"./internal/machine/imports"},
	},
	{
		name: "what was imported is put back by another import",
		file: "internal/machine/imports/imports.go",
		old:  "(s.lost || !s.mark.Finished.IsZero())", new: "s.lost",
		pkgs: []string{"./internal/machine/imports"},
	},
	{
		name: "a one-time key that nobody published is offered",
		file: "internal/machine/imports/plan.go",
		old:  "stage := n.id(k.ID, 0), otk.Abandoned", new: "stage := n.id(k.ID, 0), otk.Generated",
		pkgs: []string{"./internal/machine/imports"},
	},
	{
		name: "the ids of an imported account begin anew",
		file: "internal/machine/imports/plan.go",
		old:  "n := &numbers{last: d.LastID,", new: "n := &numbers{",
		pkgs: []string{"./internal/machine/imports"},
	},
	{
		name: "a key that opened an imported session opens it again",
		file: "internal/machine/imports/plan.go",
		old:  "if _, used := openers[k.Pair.Public()]; used {", new: "if false {",
		pkgs: []string{"./internal/machine/imports"},
	},
	{
		name: "an imported time may be in the future",
		file: "internal/machine/imports/plan.go",
		old:  "case t.After(now):", new: "case t.Before(now) && t.After(now):",
		pkgs: []string{"./internal/machine/imports"},
	},
	{
		name: "libolm's last key id is taken for the next one",
		file: "internal/pickle/libolm/account.go",
		old:  "a.LastID = otk.ID(r.uint32())", new: "a.LastID = otk.ID(r.uint32()) - 1",
		pkgs: []string{"./internal/pickle/libolm"},
	},
	{
		name: "the last key id may be below that of a key",
		file: "internal/pickle/libolm/account.go",
		old:  "a.LastID = max(a.LastID, k.ID)", new: "_ = k",
		pkgs: []string{"./internal/pickle/libolm"},
	},
	{
		name: "a list in a pickle takes any memory",
		file: "internal/pickle/libolm/doc.go",
		old:  "if n > uint32(most) {", new: "if n == 0 {",
		pkgs: []string{"./internal/pickle/libolm"},
	},
	{
		name: "vodozemac's chains are taken to be the newest first",
		file: "internal/pickle/vodozemac/session.go",
		old:  "range slices.Backward(p.Receiving.Chains) {", new: "range slices.All(p.Receiving.Chains) {",
		pkgs: []string{"./internal/pickle/vodozemac"},
	},
	{
		name: "a one-time key that nobody published counts as published",
		file: "internal/pickle/vodozemac/account.go",
		old:  "Published: !unpublished}", new: "Published: true}",
		pkgs: []string{"./internal/pickle/vodozemac"},
	},
}
