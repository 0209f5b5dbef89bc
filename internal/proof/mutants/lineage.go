package main

// lineageMutants break accounts and damage, moves, recovery, witnesses and upkeep.
var lineageMutants = []mutant{
	{
		name: "the order does not rise with the store",
		file: "internal/machine/order.go",
		old:  "(base+uint64(version))*places", new: "(base+uint64(version)*0)*places",
		pkgs: []string{"."},
	},
	{
		name: "what is set aside leaves no mark",
		file: "internal/machine/aside.go",
		old:  "return true, tx.SetAside(key, a.Store.Now())", new: "return true, tx.Drop(key)",
		pkgs: []string{"."},
	},
	{
		name: "another identity takes the place of a lost account",
		file: "internal/machine/account.go",
		old:  "if err := a.checkNew(tx); err != nil {", new: "if err := a.checkNew(tx); false && err != nil {",
		pkgs: []string{"."},
	},
	{
		name: "an account that could not be marked sends when it can be read again",
		file: "internal/machine/unmarked.go",
		old:  "if !a.Store.someUnmarked.Load() {", new: "if true {",
		pkgs: []string{"."},
	},
	{
		name: "receipts that the account never had count as acknowledged",
		file: "internal/machine/change.go",
		old:  "if f.OK || err != nil {", new: "if true {",
		pkgs: []string{"./internal/machine/receive"},
	},
	{
		name: "a large call ignores what the engine takes",
		file: "internal/machine/change.go",
		old:  "return min(MostPerCommit, ", new: "return MostPerCommit + 0*min(1, ",
		pkgs: []string{"."},
	},
	{
		name: "a process that dies while it marks accounts leaves the others as they are",
		file: "internal/machine/lineage/witness.go",
		old:  "if cause == account.Behind && c.unread == nil {", new: "if false {",
		test: "TestLostTailOfManyAccounts", pkgs: []string{"."},
	},
	{
		name: "a store that had a witness sends without it",
		file: "internal/machine/lineage/witness.go",
		old:  "c.store.Unwitnessed = generation != 0", new: "c.store.Unwitnessed = generation != 0 && false",
		test: "TestNothingIsSentWithoutTheWitness", pkgs: []string{"."},
	},
	{
		name: "a store that lost its generation is taken for one that never had a witness",
		file: "internal/machine/lineage/witnessed.go",
		old:  "w.By != 0 && !known", new: "w.By != 0 && !known && false",
		test: "TestMissingGeneration", pkgs: []string{"."},
	},
	{
		name: "who opens a store without its caller's witness has all accounts recovered",
		file: "internal/machine/lineage/witness.go",
		old:  "return w.By == byCaller, err", new: "return w.By == byCaller && false, err",
		test: "TestAnothersWitness", pkgs: []string{"."},
	},
	{
		name: "a death in between leaves accounts unmarked",
		file: "internal/machine/lineage/witness.go",
		old:  "damaged.Len() > 0 || len(chunks) > 1", new: "false",
		test: "TestLostTailOfManyAccounts", pkgs: []string{"."},
	},
	{
		name: "nobody asks an engine whether its newest commits are missing",
		file: "internal/machine/lineage/witness.go",
		old:  "if head > kept {", new: "if head >= kept {",
		test: "TestLostTailWithoutWitness", pkgs: []string{"."},
	},
	{
		name: "a store that is behind its witness is not marked",
		file: "internal/machine/lineage/witness.go",
		old:  "case stored.Head < seen.Head, max(stored.Generation", new: "case max(stored.Generation",
		test: "Restored|LostTail|NoKeyIsUsedTwice", pkgs: []string{"."},
	},
	{
		name: "an older state that was accepted is not noticed by its generation",
		file: "internal/machine/lineage/witness.go",
		old:  "case stored.Generation > seen.Generation:", new: "case false:",
		pkgs: []string{"."},
	},
	{
		name: "the witness of another store is as good as ours",
		file: "internal/machine/lineage/witness.go",
		old:  "case void, seen.Store != stored.Store:", new: "case void:",
		pkgs: []string{"."},
	},
	{
		name: "an accepted state begins no generation",
		file: "internal/machine/lineage/witness.go",
		old:  "\tif cause != 0 {\n\t\tgeneration++\n", new: "\tif cause != 0 {\n",
		pkgs: []string{"."},
	},
	{
		name: "a store is retired though it has changed since it was copied",
		file: "internal/machine/lineage/move.go",
		old:  "more.Scans = append(b.Scans[:len(b.Scans):len(b.Scans)], o.holds)", new: "more.Scans = b.Scans",
		pkgs: []string{"."},
	},
	{
		name: "the order of a copy begins anew",
		file: "internal/machine/lineage/move.go",
		old:  "l.Base += uint64(head); l.Base", new: "l.Base += 0 * uint64(head); l.Base",
		pkgs: []string{"."},
	},
	{
		name: "a copy has the generation of its source",
		file: "internal/machine/lineage/move.go",
		old:  "witnessCopy(ctx, from, to, w, generation+1)", new: "witnessCopy(ctx, from, to, w, generation)",
		pkgs: []string{"."},
	},
	{
		name: "a copy that was recovered meanwhile becomes the store",
		file: "internal/machine/lineage/complete.go",
		old:  "before != after ||", new: "before != after && false ||",
		pkgs: []string{"."},
	},
	{
		name: "nobody knows which keys are from before a recovery",
		file: "internal/machine/lineage/recover.go",
		old:  "v.Recovered(pool.Next())", new: "v.Recovered(pool.Next() * 0)",
		pkgs: []string{"."},
	},
	{
		name: "a retired store is repaired",
		file: "internal/machine/upkeep/check.go",
		old:  "found[i].Fix = nil // it only inspects", new: "_ = i",
		pkgs: []string{"."},
	},
	{
		name: "repair does not look at what it leaves",
		file: "internal/machine/upkeep/check.go",
		old:  "passes = 10", new: "passes = 1",
		pkgs: []string{"."},
	},
}
