package txn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/internal/parallel"
	"github.com/pawlkv/pawl/kv"
)

// commit sends the attempt to the store and handles every outcome; see finish
// for what it returns.
func (t *transaction) commit(failure error) (retry bool, err error) {
	tx := t.tx
	version, err := tx.idVersion()
	tx.close()
	if err != nil {
		return t.unread(err)
	}
	for {
		// Write down what must hold and what is to be written.
		b, err := tx.batch(version, failure == nil)
		if err != nil {
			return false, err
		}
		// Commit until the outcome is known.
		v, outcome, err := t.deliver(b)
		switch outcome {
		case kv.Applied:
			t.won(v, failure)
			return false, failure
		case kv.Expired:
			t.db.forgetHead()
			return t.lose(err)
		case kv.Conflict:
		default:
			return false, err
		}
		if failure != nil {
			t.stale()
			return t.lose(err)
		}
		joinsOnly := tx.onlyJoins(err)
		if retry, err := t.lose(err); !retry || !joinsOnly {
			return retry, err
		}
		// Only joined records changed: join again and commit that.
		version, err = t.rejoin()
		if errors.Is(err, ErrApart) {
			return true, nil // fn has to see what was stored; the conflict is counted
		}
		if err != nil {
			return t.unread(err)
		}
	}
}

// unread handles an error of reading outside fn: a snapshot that is gone is a
// lost attempt.
func (t *transaction) unread(err error) (retry bool, _ error) {
	if errors.Is(err, kv.ErrConflict) {
		return t.lose(err)
	}
	return false, err
}

func (t *transaction) stale() {
	t.report.Stale++
	t.db.log.LogAttrs(t.ctx, slog.LevelInfo, "a failure computed from what is no longer current was dropped: the transaction runs again",
		slog.Int("attempt", t.report.Attempts))
}

// won notes what a commit at a version stored.
func (t *transaction) won(v kv.Version, failure error) {
	t.contention.release() // others wait for it
	t.db.noteHead(v)
	if failure != nil {
		return
	}
	t.report.Committed = true
	t.contention.won(t.tx.written)
	for _, w := range t.tx.written {
		switch {
		case w.deleted:
			t.db.cache.set(w.key, known{})
		case w.isSetAside():
			t.db.cache.evict([]string{w.key}, nil)
		default:
			t.db.cache.set(w.key, known{v, w.value, w.bytes})
		}
	}
}

// idVersion returns a version for the commit ID: that of the snapshot, or of the
// newest state that the DB knows of where the snapshot was never used.
func (tx *Tx) idVersion() (kv.Version, error) {
	if head := tx.db.head.Load(); head != 0 && !tx.fixed {
		return kv.Version(head), nil
	}
	return tx.idVersionOf(tx.snap)
}

func (tx *Tx) idVersionOf(snap kv.Snapshot) (kv.Version, error) {
	v, err := snap.Version(tx.ctx)
	if err != nil {
		return 0, tx.fail(err)
	}
	tx.db.noteHead(v)
	return v, nil
}

// noteHead notes that a state with this version existed.
func (c *core) noteHead(v kv.Version) {
	for {
		old := c.head.Load()
		if uint64(v) <= old || c.head.CompareAndSwap(old, uint64(v)) {
			return
		}
	}
}

// forgetHead makes the next commit ask the store: what is known is too old.
func (c *core) forgetHead() { c.head.Store(0) }

// batch returns what must hold and, unless fn failed, what is to be written.
func (tx *Tx) batch(version kv.Version, write bool) (*kv.Batch, error) {
	b := &kv.Batch{ID: kv.NewCommitID(version), Sync: !tx.nosync, Turn: tx.t.contention.turn.ID}
	b.Reads = make([]kv.Read, 0, len(tx.order))
	for _, r := range tx.order {
		if !r.scanned && !r.unread && (r.seen || r.joined && write) {
			b.Reads = append(b.Reads, kv.Read{Key: r.key, Version: r.version})
		}
	}
	for _, s := range tx.scans {
		b.Scans = append(b.Scans, s.read)
	}
	if !write {
		return b, nil
	}
	b.Writes = make([]kv.Write, len(tx.written))
	errs := make([]error, len(tx.written))
	seal := func(i int) { b.Writes[i], errs[i] = tx.seal(tx.written[i]) }
	if len(tx.written) >= recordsAtOnce {
		parallel.Begin(len(tx.written), recordsAtOnce, seal)()
		return b, errors.Join(errs...)
	}
	for i := range tx.written {
		seal(i)
	}
	return b, errors.Join(errs...)
}

// recordsAtOnce is how many records are worth a goroutine that opens or seals them.
const recordsAtOnce = 16

// deliver brings a batch to the store; see delivery. One that only validates
// may be more than a commit takes.
func (t *transaction) deliver(b *kv.Batch) (kv.Version, kv.Outcome, error) {
	if len(b.Writes) == 0 && b.Checks() > t.db.store.Limits().Checks {
		return t.compare(b)
	}
	return delivery{t.db.core, t.ctx, &t.report}.commit(b)
}

// Waits between commits of one batch.
const (
	unknownWait    = 2 * time.Millisecond
	unknownWaitMax = 500 * time.Millisecond
)

// delivery commits one batch until the store has said what became of it. The
// outcomes are those of a first try, Unknown apart; an Expired one was never
// applied, and the error of an Undecided one is an *UnknownError.
type delivery struct {
	db     *core
	ctx    context.Context
	report *Report
}

func (d delivery) commit(b *kv.Batch) (kv.Version, kv.Outcome, error) {
	v, err := d.send(b)
	switch outcome := kv.OutcomeOf(err); outcome {
	case kv.Applied:
		return v, outcome, nil
	case kv.Unknown:
		return d.resolve(b, err)
	case kv.Undecided:
		return d.withhold(err)
	default:
		return 0, outcome, fmt.Errorf("txn: commit: %w", err)
	}
}

// resolve commits the identical batch again, for as long as the patience: a store
// that is frozen may never say. It tries once at least, and no try is cut short:
// the store ends each by itself. An answer that does not resolve is about that
// try and says nothing of the first. Again makes a conflict final: the first may
// be on its way still.
func (d delivery) resolve(b *kv.Batch, cause error) (kv.Version, kv.Outcome, error) {
	d.report.Unknown++
	b.Again = true
	d.db.log.LogAttrs(d.ctx, slog.LevelWarn, "the outcome of a commit is unknown: committing the identical batch again", slog.Any("error", cause))
	wait := newBackoff(unknownWait, unknownWaitMax)
	for since := time.Now(); ; {
		if err := d.db.opts.sleep(d.ctx, wait.NextBackOff()); err != nil {
			return d.withhold(fmt.Errorf("%w; the last answer was: %w", err, cause))
		}
		v, err := d.send(b)
		switch outcome := kv.OutcomeOf(err); {
		case outcome == kv.Applied:
			d.db.log.LogAttrs(d.ctx, slog.LevelInfo, "the commit of unknown outcome was applied", slog.Uint64("version", uint64(v)))
			return v, outcome, nil
		case outcome.Resolves():
			d.db.log.LogAttrs(d.ctx, slog.LevelInfo, "the commit of unknown outcome was not applied")
			return 0, outcome, fmt.Errorf("txn: commit: %w", err)
		case !outcome.MayAsk():
			return d.withhold(err)
		case time.Since(since) >= d.db.opts.patience:
			return d.withhold(fmt.Errorf("asked for %v what became of it: %w", d.db.opts.patience, err))
		}
		cause = err
	}
}

func (d delivery) withhold(cause error) (kv.Version, kv.Outcome, error) {
	d.db.log.LogAttrs(d.ctx, slog.LevelError, "the outcome of a commit stays unknown: its result is withheld", slog.Any("error", cause))
	return 0, kv.Undecided, &UnknownError{cause}
}

func (d delivery) send(b *kv.Batch) (kv.Version, error) {
	start := time.Now()
	v, err := d.db.store.Commit(d.ctx, b)
	d.report.countCommit(start)
	return v, err
}
