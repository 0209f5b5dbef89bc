package main

// keyMutants break uploads, one-time keys and claims.
//
// Not here, since nothing tells it from the code as it is: that a key which was
// generated, and cannot be read, is not offered (no program leaves keys that are
// generated and not offered; only an older one may have).
var keyMutants = []mutant{
	{
		name: "an answer counts for who is asked again by now",
		file: "internal/machine/claims/answer.go",
		old:  "known.Claim != a.id {", new: "false {",
		pkgs: []string{"./internal/machine/claims"},
	},
	{
		name: "another session is opened though the peer was heard meanwhile",
		file: "internal/machine/claims/answer.go",
		old:  "a.after)\n	if can || err != nil {", new: "a.after)\n	if can && a.after == 0 || err != nil {",
		pkgs: []string{"./internal/machine/unwedge"},
	},
	{
		name: "offering keys is not stored",
		file: "internal/machine/keys/upload.go",
		old:  "return o, records.Pool.Put(tx, pool)", new: "return o, nil",
		pkgs: []string{"."},
	},
	{
		name: "an upload rests on every key of the pool",
		file: "internal/machine/keys/upload.go",
		old:  "pool, offered := pool.Offer(some, now)",
		new:  "records.GoneOf(tx, pool.Entries())\n\tpool, offered := pool.Offer(some, now)",
		pkgs: []string{"."},
	},
	{
		name: "used keys are dropped as if they were not",
		file: "internal/machine/keys/supply.go",
		old:  "if full && !s.tidy {", new: "if false {",
		pkgs: []string{"."},
	},
	{
		name: "a fallback key from before a recovery is not replaced",
		file: "internal/machine/keys/supply.go",
		old:  "pool.FallbackDue(from, now), pool", new: "pool.FallbackDue(0, now), pool",
		pkgs: []string{"."},
	},
	{
		name: "a count from before an upload counts",
		file: "internal/machine/keys/counts.go",
		old:  "if err != nil || since.Under || since.Ended != u.Ended {", new: "if err != nil {",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "an upload that may still arrive is forgotten",
		file: "internal/machine/keys/answer.go",
		old:  "s.pool = s.pool.DoubtFallbacks(s.uploads.Doubted(s.now)...)", new: "",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "a used fallback key is in a body again",
		file: "internal/machine/keys/upload.go",
		old:  "if current.ID == used {", new: "if false {",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "a message leaves before the device's keys",
		file: "internal/machine/keys/uploads.go",
		old:  "return s.Published, err", new: "return true, err",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "a count of a transaction counts by itself",
		file: "internal/machine/keys/counts.go",
		old:  "u.Counted, u.Count, u.Unsure = false, 0, max(u.Unsure, 2)", new: "u.Counted, u.Count = true, *count",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "an upload of which two in a row are unknown sends more keys",
		file: "internal/machine/keys/uploads.go",
		old:  "w.count = true", new: "w.keys = records.UploadedKeys",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "nobody asks the server of which a transaction says that keys are missing",
		file: "internal/machine/keys/counts.go",
		old:  "(!u.Counted || u.Count >= records.UploadedKeys) {", new: "(u.Counted && u.Count < 0) {",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "a further try of an upload that failed costs published keys",
		file: "internal/machine/keys/uploads.go",
		old:  "next.supply.sparing = s.uploads.Refused > 0 || s.uploads.Unsure > 0", new: "next.supply.sparing = false",
		pkgs: []string{"./internal/machine/keys"},
	},
	{
		name: "uploads of which nobody hears never pause while syncs come",
		file: "internal/machine/keys/counts.go",
		old:  "u.Refused == 0 && u.Unsure < patience", new: "u.Refused == 0",
		pkgs: []string{"./internal/machine/keys"},
	},
}
