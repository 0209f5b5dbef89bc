package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

// losing is an engine that knows by itself how far it had come.
type losing interface {
	LostTail() (kept, committed kv.Version)
}

// lostTail returns what an engine says to be missing of its commits, 0 and 0 if
// nothing is, or if it cannot know.
func lostTail(e engine) (kept, committed kv.Version) {
	if l, ok := e.(losing); ok {
		return l.LostTail()
	}
	return 0, 0
}

// lostAll is the error of a store of which nothing is left: there is no account
// that could be marked, and to make another store in its place would hide that.
func lostAll(p place, committed kv.Version) error {
	return fmt.Errorf("%w: %s is empty, and %d versions were committed in it", kv.ErrCorrupt, p, committed)
}

// tailWitness has also seen what the engine says to have committed, so that a
// store without its newest commits is marked even if the file lags behind.
type tailWitness struct {
	*witness.File
	committed kv.Version
}

var _ witness.Witness = tailWitness{}

// Load implements witness.Witness.
func (w tailWitness) Load(ctx context.Context) (witness.Mark, error) {
	m, err := w.File.Load(ctx)
	if err == nil || errors.Is(err, witness.ErrCopied) {
		m.Head = max(m.Head, w.committed)
	}
	return m, err
}
