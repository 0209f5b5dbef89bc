package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// plan is a way to share a store between processes.
type plan struct {
	name    string
	title   string
	how     []string // in plain language
	because []string // what it does not see
	holds   bool
	share   func(engine kv.Store, process string) sharing
	cache   txn.CachePolicy
}

// sharing is what a process puts before the engine.
type sharing struct {
	store kv.Store
	// hold takes what must be held while decrypting, and refused counts how
	// often it was another's.
	hold    func(context.Context) (release func(), err error)
	refused func() int
}

func unheld(store kv.Store) sharing {
	return sharing{
		store:   store,
		hold:    func(context.Context) (func(), error) { return func() {}, nil },
		refused: func() int { return 0 },
	}
}

var designs = []plan{
	{
		name: "stale", title: "stale cache",
		how:     []string{"Each process keeps the sessions that it has read or written in memory."},
		because: []string{"Nothing tells a process that its copy is old, and its writes check nothing."},
		share:   func(engine kv.Store, _ string) sharing { return unheld(design.NewStale(engine)) },
		cache:   txn.NoCache,
	},
	{
		name: "lease", title: "lease and generation",
		how: []string{
			"Today's SDKs: to decrypt, a process takes a lease of 500 ms, which it renews, and",
			"drops all that it has in memory if another had the lease since.",
		},
		because: []string{"Encrypting takes no lease, and a lease that has run out stops no write."},
		share: func(engine kv.Store, process string) sharing {
			lease := design.NewLease(engine, process)
			return sharing{lease, lease.Hold, lease.Refused}
		},
		cache: txn.NoCache,
	},
	{
		name: "none", title: "Pawl, no cache", holds: true,
		how:   []string{"Each step reads the store and commits only if nothing it read has changed."},
		share: func(engine kv.Store, _ string) sharing { return unheld(engine) },
		cache: txn.NoCache,
	},
	{
		name: "validated", title: "Pawl, validated cache", holds: true,
		how:   []string{"Reads come from memory, and the commit refuses what was computed from an old copy."},
		share: func(engine kv.Store, _ string) sharing { return unheld(engine) },
		cache: txn.Validated,
	},
}

// Designs returns the names of all designs in the order in which they are
// played.
func Designs() []string {
	var names []string
	for _, d := range designs {
		names = append(names, d.name)
	}
	return names
}

// chosen returns the designs with these names, in the order of the story; all
// for none.
func chosen(names []string) ([]plan, error) {
	for _, name := range names {
		if !slices.Contains(Designs(), name) {
			return nil, fmt.Errorf("demo: no design %q: there are %s", name, strings.Join(Designs(), ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(designs), func(d plan) bool {
		return len(names) > 0 && !slices.Contains(names, d.name)
	}), nil
}

func (d plan) options() []pawl.Option {
	return []pawl.Option{pawl.WithKey([32]byte{}), pawl.WithCache(d.cache)}
}
