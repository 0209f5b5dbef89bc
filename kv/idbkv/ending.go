package idbkv

import (
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// ending is how a transaction ended, as far as the browser tells. What it says of the
// outcome is the table in docs/indexeddb.md.
type ending struct {
	completed bool
	ours      bool   // abort() of ours did not throw: nothing was applied, and nothing will be
	late      bool   // abort() of ours threw: it is committing
	lost      bool   // the browser closed the connection, by its close event
	failed    bool   // a request failed, before the commit
	put       bool   // all writes were asked for, so that the browser may commit
	name      string // of the error that the transaction has, a DOMException
	message   string
}

// errLost is what calls return when the browser has closed the connection by itself.
var errLost = fmt.Errorf("%w: the browser has closed the database: open it again", kv.ErrClosed)

// outcome returns what the end of a commit's transaction says about its batches; why is
// why we aborted it.
func (e ending) outcome(why error) error {
	switch {
	case e.completed:
		return nil
	case e.ours:
		return why
	case e.name == "QuotaExceededError":
		return fmt.Errorf("%w: the browser has no room for it: %s", kv.ErrDiskFull, e.message)
	case e.failed && !e.backendGone():
		return e.ofRequest()
	case e.late:
		return fmt.Errorf("%w: the browser is still committing: %w", kv.ErrUnknown, why)
	case e.lost && !e.put:
		return errLost
	case e.lost:
		return fmt.Errorf("%w: the browser has closed the database", kv.ErrUndecided)
	case !e.put:
		return fmt.Errorf("%w: the browser ended the transaction before it wrote: %s", kv.ErrUnavailable, e.text())
	}
	return fmt.Errorf("%w: %s", kv.ErrUndecided, e.text())
}

// ofRead returns why a transaction that only reads has failed.
func (e ending) ofRead(why error) error {
	switch {
	case e.ours:
		return why
	case e.lost:
		return errLost
	case e.failed && !e.backendGone():
		return e.ofRequest()
	}
	return fmt.Errorf("%w: the browser ended the transaction: %s", kv.ErrUnavailable, e.text())
}

// backendGone reports whether a request failed because the browser gave up the database,
// and with it whatever was under way: nothing is wrong with what was asked for.
func (e ending) backendGone() bool { return e.name == "InvalidStateError" }

// ofRequest returns what the failure of a request means: the transaction is aborted, and
// nothing of it applied.
func (e ending) ofRequest() error {
	switch e.name {
	case "NotReadableError", "DataError", "DataCloneError", "NotFoundError", "ConstraintError":
		return fmt.Errorf("%w: %s", kv.ErrCorrupt, e.text())
	}
	return fmt.Errorf("%w: the browser cannot use the database: %s", kv.ErrUnusable, e.text())
}

func (e ending) text() string {
	if e.name == "" {
		return "it did not say why"
	}
	return e.name + ": " + e.message
}
