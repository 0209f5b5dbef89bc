package lineage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

// Compare compares the store with its witness, and with what its engine knows of
// its own end. When it returns, all accounts of a store that went back in time
// must be recovered, witness and store agree, and the witness sees every commit
// that goes through the store. Without a witness (nil) a store that ever had one
// sends nothing, and so does one that the caller witnesses elsewhere.
func Compare(ctx context.Context, s *machine.Store, w witness.Witness, watch Watch) error {
	c := comparison{store: s, witness: w, watch: watch}
	settled, err := c.compare(ctx)
	if settled || err != nil {
		return err
	}
	if err := finishMarking(ctx, s); err != nil {
		return err
	}
	return markReadable(ctx, s)
}

// compare also reports whether all accounts are marked that are to be.
func (c comparison) compare(ctx context.Context) (settled bool, err error) {
	for range comparisons {
		// Looked at again if another process is at it, which may be the first of
		// the caller's.
		is, err := stand(ctx, c.store)
		if err != nil {
			return false, err
		}
		if c.witness == nil || c.another(is) {
			return c.without(ctx, is)
		}
		agreed, settled, err := c.once(ctx, is)
		if agreed || err != nil {
			return settled, err
		}
	}
	return false, fmt.Errorf("%w: other processes accept older states of it again and again", kv.ErrUnavailable)
}

// another reports whether the store has a witness of the caller's, and this is the
// engine's: it knows nothing, and that is no reason to recover anything.
func (c comparison) another(is standing) bool {
	return c.watch == TheEngines && is.watch.By == byCaller
}

// comparisons is how often other processes may be at it meanwhile.
const comparisons = 100

// comparison is a store and what witnesses it.
type comparison struct {
	store   *machine.Store
	witness witness.Witness
	watch   Watch
	unread  error // why the store's generation cannot be read, if so
}

// once compares once with a store that stood so before. It returns false if another
// process is at it.
func (c comparison) once(ctx context.Context, before standing) (agreed, settled bool, err error) {
	s := c.store
	// What is found in the store between two equal generations belongs
	// together with what the witness says between them.
	c.unread = before.unread
	seen, answer := c.load(ctx)
	// The head is looked at after the witness, which is never ahead.
	is, err := stand(ctx, s)
	if err != nil {
		return false, false, err
	}
	if is.generation != before.generation || (is.unread == nil) != (c.unread == nil) {
		return false, false, nil
	}
	stored := witness.Mark{Store: witness.StoreID(s.ID), Generation: is.generation, Head: is.head}
	if c.watch == TheCallers && answer == nil && stored.Generation == 0 && seen.Store != stored.Store {
		if s.Lost, err = isNew(ctx, s); s.Lost || err != nil {
			return s.Lost, is.settled, err // the witness goes on to know the other
		}
	}
	lost := lostTail(s.DB.Store(), stored.Head)
	known := stored
	if c.unread != nil {
		known.Generation = seen.Generation // as far as anybody knows
	}
	cause, err := causeOf(known, seen, answer, lost)
	if err != nil {
		return false, false, fmt.Errorf("pawl: ask the witness of the store: %w", err)
	}
	if cause == 0 && c.unread != nil {
		cause = account.Unwitnessed // nobody can tell
	}
	seen.Head = max(seen.Head, lost)
	if agreed, err = c.agree(ctx, is, &stored, seen, cause); !agreed || err != nil {
		return false, false, err
	}
	s.Generation = stored.Generation
	s.Use(witness.Wrap(s.DB.Store(), c.witness, stored, witness.OnError(c.lags)))
	c.warn(ctx)
	return true, is.settled && cause == 0, nil
}

// isNew reports whether there is no account in a store.
func isNew(ctx context.Context, s *machine.Store) (bool, error) {
	all, damaged, err := s.Identities(ctx)
	return len(all)+damaged.Len() == 0, err
}

// warn says in the log what the witness will not notice.
func (c comparison) warn(ctx context.Context) {
	b, ok := c.witness.(witness.Blind)
	if !ok {
		return
	}
	if why := b.Blind(); why != "" {
		c.store.Log.LogAttrs(ctx, slog.LevelWarn, "not every copy of the store is noticed here: give it a witness of your own (pawl.WithWitness)",
			slog.String("because", why))
	}
}

// without is compare where nothing witnesses the store.
func (c comparison) without(ctx context.Context, is standing) (settled bool, err error) {
	if lost := lostTail(c.store.DB.Store(), is.head); lost != 0 {
		c.tell(ctx, account.Behind, is.head, lost)
		if err := requireRecovery(ctx, c.store, account.Behind); err != nil {
			return false, err
		}
		is.settled = false
	}
	c.store.Generation = is.generation
	c.store.Unwitnessed = is.generation != 0 || is.unread != nil
	if c.store.Unwitnessed {
		c.store.Log.WarnContext(ctx, "the store has a witness and was opened without it: nothing is sent")
	}
	return is.settled, nil
}

// lostTail returns what an engine says to have committed in a store that goes to
// head, and 0 where nothing is missing. From the next commit on, which requires
// the recovery, the store is as it is.
func lostTail(engine kv.Store, head kv.Version) (committed kv.Version) {
	e, ok := kv.As[machine.LostTail](engine)
	if !ok {
		return 0
	}
	kept, committed := e.LostTail()
	if head > kept {
		return 0
	}
	return committed
}

// causeOf says why the store cannot be the one that the witness has seen, or
// nothing. The error is the witness's if it says nothing either.
func causeOf(stored, seen witness.Mark, answer error, lost kv.Version) (account.Cause, error) {
	void := errors.Is(answer, witness.ErrNone) || errors.Is(answer, witness.ErrDamaged)
	copied := errors.Is(answer, witness.ErrCopied)
	switch {
	case answer != nil && !void && !copied:
		return 0, answer
	case lost != 0:
		return account.Behind, nil
	case stored.Generation == 0 && (void || seen.Store != stored.Store):
		return 0, nil // it never had a witness: this is where it begins
	case void, seen.Store != stored.Store:
		return account.Unwitnessed, nil
	case copied:
		return account.Copied, nil
	case stored.Head < seen.Head, max(stored.Generation, 1) < seen.Generation:
		return account.Behind, nil
	case stored.Generation > seen.Generation:
		return account.Unwitnessed, nil // an older state was accepted, and the witness does not know
	}
	return 0, nil
}

// agree requires that the accounts are recovered if there is a cause, and makes
// store and witness agree. It returns false if another process did meanwhile.
func (c comparison) agree(ctx context.Context, is standing, stored *witness.Mark, seen witness.Mark, cause account.Cause) (bool, error) {
	stored.Generation = nextGeneration(*stored, seen, cause)
	if cause == 0 {
		// The witness first: a store that says it has one, and has none, is taken
		// for a copy.
		if err := save(ctx, c.witness, *stored); err != nil {
			return false, err
		}
		if is.generation == stored.Generation && is.watch.By == c.watch.by() {
			return true, nil
		}
		return c.replaceGeneration(ctx, is.generation, stored.Generation)
	}
	c.tell(ctx, cause, stored.Head, seen.Head)
	if cause == account.Behind && c.unread == nil {
		// Marking the accounts raises the head. If it takes several commits and we
		// die in between, the witness's generation still says that there is a cause.
		if err := c.save(ctx, stored); err != nil {
			return false, err
		}
	}
	if err := requireRecovery(ctx, c.store, cause); err != nil {
		return false, err
	}
	if c.unread != nil {
		// What is damaged is for repair to replace: until then each opening comes
		// here, and the generation need not rise.
		c.store.Log.LogAttrs(ctx, slog.LevelWarn, "the generation of the store cannot be read", slog.Any("error", c.unread))
		stored.Generation = 1
		if seen.Store == stored.Store {
			stored.Generation = max(seen.Generation, 1)
		}
		return true, c.save(ctx, stored)
	}
	// The store first: until the witness agrees, all of this is done again.
	if ok, err := c.replaceGeneration(ctx, is.generation, stored.Generation); !ok || err != nil {
		return false, err
	}
	return true, c.save(ctx, stored)
}

// tell says in the log, and in errors of this handle, what was found.
func (c comparison) tell(ctx context.Context, cause account.Cause, stored, seen kv.Version) {
	c.store.Log.LogAttrs(ctx, slog.LevelWarn, "the store went back in time: its accounts must be recovered before they send",
		slog.String("cause", cause.String()), slog.Uint64("head", uint64(stored)), slog.Uint64("witnessed", uint64(seen)))
	if cause == account.Behind && seen > stored {
		c.store.Behind = fmt.Sprintf(" (it goes to version %d, and %d was committed)", stored, seen)
	}
}

// nextGeneration is the one that store and witness will have. A store that is
// older than it was gets a new one, in which its head may be lower than before.
func nextGeneration(stored, seen witness.Mark, cause account.Cause) uint64 {
	generation := max(stored.Generation, 1)
	if seen.Store == stored.Store {
		generation = max(generation, seen.Generation)
	}
	if cause != 0 {
		generation++
	}
	return generation
}
