package witness

import (
	"context"
	"errors"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// Witness keeps the Mark of one store where the store's own fate does not reach
// it. All processes that open the store use the same one, and its methods may
// be called from any number of goroutines and processes. They end with their
// context, which has a deadline: a call on a store waits for them.
type Witness interface {
	// Load returns the mark, or one of ErrNone, ErrCopied (with the mark) and
	// ErrDamaged. Any other error means that the witness cannot be read now,
	// and then the store is not opened.
	Load(ctx context.Context) (Mark, error)

	// Save replaces the mark by m if m supersedes it (see Mark.Supersedes), and
	// does nothing otherwise. It need not be durable at once and may leave out
	// marks, at the price of seeing less; it must not invent any. Commits wait
	// for it, several for one call if they come at the same time: a slow witness
	// keeps every n-th mark, or saves in the background.
	Save(ctx context.Context, m Mark) error
}

// How long a witness has to answer. A commit waits for it to save; to open a
// store one may have to ask somebody.
const (
	SaveWait = 5 * time.Second
	LoadWait = 30 * time.Second
)

// Blind is a Witness that can tell which copies of a store it does not notice
// where it is, of those that it ought to. Blind returns that for people, and ""
// if there are none. It is asked after a mark was saved.
type Blind interface{ Blind() string }

// Answers of Load that say something about the store.
var (
	// ErrNone: no mark was ever saved, or it was deleted.
	ErrNone = errors.New("witness: there is no mark")
	// ErrCopied: the mark is one that was copied, or restored, with the store.
	ErrCopied = errors.New("witness: the mark was copied or restored")
	// ErrDamaged: the mark is not readable.
	ErrDamaged = errors.New("witness: the mark is damaged")
)

// Keeper is an engine that keeps a witness beside each of its stores, the same
// for all who open the store. Closing the store closes it.
type Keeper interface{ Witness() Witness }

// Of returns the witness that the engine of a store keeps for it, or nil.
func Of(store kv.Store) Witness {
	if k, ok := kv.As[Keeper](store); ok {
		return k.Witness()
	}
	return nil
}
