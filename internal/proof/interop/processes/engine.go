//go:build unix

package processes

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// engine is an open store, and whether this process owns it.
type engine struct {
	kv.Store
	owner func() bool
}

// Unwrap implements kv.Wrapper: the processes have the engine's witness.
func (e engine) Unwrap() kv.Store { return e.Store }

// open opens the engine of a setup. tell is called when it begins to.
func (s Setup) open(openers map[string]Opener, tell func()) (engine, error) {
	switch s.Engine {
	case Badger:
		return s.openBadger(tell)
	case SQLite:
		var options []sqlitekv.Option
		if s.Patience > 0 {
			options = append(options, sqlitekv.WithWait(s.Patience))
		}
		store, err := sqlitekv.Open(filepath.Join(s.Dir, "store.db"), options...)
		return engine{store, func() bool { return false }}, err
	}
	open := openers[s.Engine]
	if open == nil {
		return engine{}, fmt.Errorf("processes: no engine %q", s.Engine)
	}
	store, err := open(s)
	return engine{store, func() bool { return false }}, err
}

func (s Setup) openBadger(tell func()) (engine, error) {
	var options []badgerkv.Option
	if s.Patience > 0 {
		options = append(options, badgerkv.WithPatience(s.Patience))
	}
	if s.Tell {
		options = append(options, badgerkv.WithLogger(slog.New(listener{tell})))
	}
	store, err := badgerkv.Open(s.Dir, options...)
	if err != nil {
		return engine{}, err
	}
	return engine{store, func() bool { return store.Status().Owner }}, nil
}

// listener hears that an engine writes to its log, which Badger does while it
// opens, and keeps nothing of it.
type listener struct{ tell func() }

// Enabled implements slog.Handler.
func (listener) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l listener) Handle(context.Context, slog.Record) error {
	l.tell()
	return nil
}

// WithAttrs implements slog.Handler.
func (l listener) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler.
func (l listener) WithGroup(string) slog.Handler { return l }

// unbounded is the deadline of calls that have none.
const unbounded = 24 * time.Hour
