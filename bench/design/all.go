package design

import (
	"slices"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// Names of the designs.
const (
	NameStale     = "stale"
	NameBigLock   = "biglock"
	NameLease     = "lease"
	NameBlob      = "blob"
	NameNone      = "none"
	NameValidated = "validated"
)

// All returns the designs, Pawl's own last.
func All() []Design {
	return []Design{
		{
			Name: NameStale, Title: "stale cache",
			How:     []string{"Each process keeps the sessions that it has read or written in memory."},
			Because: []string{"Nothing tells a process that its copy is old, and its writes check nothing."},
			Cache:   txn.NoCache,
			share:   func(engine kv.Store, _ string) Shared { return unheld{NewStale(engine)} },
		},
		{
			Name: NameBigLock, Title: "one lock in each process",
			How:     []string{"As in mautrix-go: a process does one thing at a time, with its sessions in memory."},
			Because: []string{"The lock is in memory as well: another process has its own."},
			Cache:   txn.NoCache,
			share:   func(engine kv.Store, _ string) Shared { return NewBigLock(engine) },
		},
		{
			Name: NameLease, Title: "lease and generation",
			How: []string{
				"Today's SDKs: to decrypt, a process takes a lease of 500 ms, which it renews, and",
				"drops all that it has in memory if another had the lease since.",
			},
			Because: []string{"Encrypting takes no lease, and a lease that has run out stops no write."},
			Cache:   txn.NoCache,
			share:   func(engine kv.Store, process string) Shared { return leased{NewLease(engine, process)} },
		},
		{
			Name: NameBlob, Title: "one blob for the account", Holds: true,
			How: []string{
				"All records of an account are one entry, which each step reads and writes as a whole",
				"and commits only if it has not changed.",
			},
			Cache:  txn.NoCache,
			Layout: NameBlob,
			share:  func(engine kv.Store, _ string) Shared { return unheld{NewBlob(engine)} },
		},
		{
			Name: NameNone, Title: "Pawl, no cache", Holds: true,
			How:   []string{"Each step reads the store and commits only if nothing it read has changed."},
			Cache: txn.NoCache,
			share: plain,
		},
		{
			Name: NameValidated, Title: "Pawl, validated cache", Holds: true,
			How:   []string{"Reads come from memory, and the commit refuses what was computed from an old copy."},
			Cache: txn.Validated,
			share: plain,
		},
	}
}

// Find returns the design with a name, and whether there is one.
func Find(name string) (Design, bool) {
	all := All()
	i := slices.IndexFunc(all, func(d Design) bool { return d.Name == name })
	if i < 0 {
		return Design{}, false
	}
	return all[i], true
}
