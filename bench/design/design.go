package design

import (
	"context"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// Design is a way to share a store between processes.
type Design struct {
	Name    string   // "lease": for flags and files
	Title   string   // "lease and generation"
	How     []string // in plain language, one text in lines
	Because []string // what it does not see; nil if it holds
	Holds   bool     // it claims to lose nothing
	Cache   txn.CachePolicy
	Layout  string // how entries lie in the store; empty: as they are
	share   func(engine kv.Store, process string) Shared
}

// Share returns the engine as one process of the design has it. A process that
// is started again has the name that it had. The engine stays its owner's to
// close.
func (d Design) Share(engine kv.Store, process string) Shared { return d.share(engine, process) }

// Step is what a process does.
type Step int

// The steps.
const (
	Decrypting Step = iota // reading what comes, also a whole sync and what follows from it
	Encrypting             // writing what leaves, also a room key that is shared
)

// Shared is the store as one process has it. Its Close closes nothing of the
// engine.
type Shared interface {
	kv.Store
	// Hold waits for what the design holds during a step and takes it. Callers
	// release it once, when the step is over. Errors: the context's, and those
	// of the store.
	Hold(ctx context.Context, s Step) (release func(), err error)
	// Refused returns how often what a step holds was another's and had to be
	// asked for again.
	Refused() int
}

// unheld is a store around which nothing is held.
type unheld struct{ kv.Store }

// Unwrap implements kv.Wrapper: Pawl's own designs have the engine's witness. Those
// of others have none, and what they put around the engine says nothing of it.
func (u unheld) Unwrap() kv.Store { return u.Store }

func (unheld) Hold(context.Context, Step) (func(), error) { return func() {}, nil }
func (unheld) Refused() int                               { return 0 }

// plain is the engine itself.
func plain(engine kv.Store, _ string) Shared { return unheld{borrowed{engine}} }

// borrowed leaves the engine open.
type borrowed struct{ kv.Store }

func (borrowed) Close() error { return nil }

// Unwrap implements kv.Wrapper.
func (b borrowed) Unwrap() kv.Store { return b.Store }
