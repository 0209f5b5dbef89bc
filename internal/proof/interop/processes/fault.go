//go:build unix

package processes

import (
	"context"
	"errors"
	"io/fs"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
)

// ErrGone: the process was killed before it answered. What it was asked for may
// have been done.
var ErrGone = errors.New("processes: killed before it answered")

// kinds are the errors that stay what they are on their way to the parent.
var kinds = []error{
	kv.ErrConflict, kv.ErrUnknown, kv.ErrUnavailable, kv.ErrDiskFull, kv.ErrCorrupt, kv.ErrClosed, kv.ErrInUse,
	pawl.ErrNoAccount, pawl.ErrAlreadyProcessed, pawl.ErrNoSession, pawl.ErrUnknownSession, pawl.ErrUnknownOneTimeKey,
	pawl.ErrNeedsRecovery, ratchet.ErrMAC, ratchet.ErrKeyGone, ratchet.ErrUnknownChain,
	context.DeadlineExceeded, fs.ErrPermission, kv.ErrUnusable,
}

// fault is an error on its way.
type fault struct {
	Text  string
	Kinds []int // of kinds
}

func faultOf(err error) *fault {
	if err == nil {
		return nil
	}
	f := &fault{Text: err.Error()}
	for i, kind := range kinds {
		if errors.Is(err, kind) {
			f.Kinds = append(f.Kinds, i)
		}
	}
	return f
}

// refused reports whether the store could not be reached, or has not said what
// became of a commit.
func (a answer) refused() bool {
	return a.Fault != nil && (a.Fault.Is(kv.ErrUnavailable) || a.Fault.Is(kv.ErrUnknown))
}

func (f *fault) err() error {
	if f == nil {
		return nil
	}
	return f
}

// Error implements error.
func (f *fault) Error() string { return f.Text }

// Is makes errors.Is true for the kinds of the error that it was.
func (f *fault) Is(target error) bool {
	for _, i := range f.Kinds {
		if kinds[i] == target {
			return true
		}
	}
	return false
}
