package aftermath

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/session"
)

// Verdict is what kind of right answer a store gave.
type Verdict int

const (
	// Whole: everything that was acknowledged is there.
	Whole Verdict = iota
	// Refused: something is kv.ErrCorrupt, and nothing else is wrong.
	Refused
	// Marked: the store says that it went back in time, or may have. It sent
	// nothing before it was recovered, and nothing twice afterwards.
	Marked
)

// String returns the name of the verdict.
func (v Verdict) String() string { return [...]string{"whole", "refused", "marked"}[v] }

// Terms are what a store may say.
type Terms struct {
	// Lossless: nothing but Whole is right.
	Lossless bool
	// Witness is the store's; nil is one that knows of every call that has
	// returned, and no more.
	Witness witness.Witness
}

// Judge opens a store as it was when so many calls had returned and the next
// one may have been under way. It asks for everything that depends on what the
// store holds. The error says what was wrong about the answers. The store has
// changed afterwards and serves for nothing else.
func (l *Life) Judge(ctx context.Context, store kv.Store, calls int, terms Terms) (Verdict, error) {
	now := l.moments[calls]
	if terms.Witness == nil {
		terms.Witness = &Keychain{saved: now.mark}
	}
	peer, err := now.peer.clone(ctx)
	if err != nil {
		return 0, err
	}
	j := &judge{ctx: ctx, life: l, now: now, peer: peer, terms: terms}
	if err := j.run(store); err != nil {
		return j.verdict, fmt.Errorf("after %d calls: %w", calls, err)
	}
	return j.verdict, nil
}

// judge is one judgement.
type judge struct {
	ctx     context.Context
	life    *Life
	now     *moment
	peer    *peer
	terms   Terms
	device  *pawl.Machine
	marked  bool
	verdict Verdict
}

func (j *judge) run(store kv.Store) error {
	s, err := pawl.Open(j.ctx, store, UnlockKey, pawl.WithWitness(j.terms.Witness))
	if err != nil {
		return j.refused("open", err)
	}
	if j.device, err = s.Machine(j.ctx, userID, deviceID); err != nil {
		return j.refused("the account", err)
	}
	for _, ask := range []func() error{
		j.askMark, j.askCheck, j.askHeard, j.askFirst, j.askNext, j.askNew, j.askSending, j.askCheck,
	} {
		if err := ask(); err != nil {
			return err
		}
	}
	return nil
}

// refused says whether an error is a right answer.
func (j *judge) refused(what string, err error) error {
	if j.terms.Lossless || !IsClear(err) {
		return fmt.Errorf("%s: %w", what, err)
	}
	if j.verdict == Whole {
		j.verdict = Refused
	}
	return nil
}

// IsClear reports whether an error says that stored bytes are damaged, and
// more than that.
func IsClear(err error) bool {
	return errors.Is(err, kv.ErrCorrupt) && len(err.Error()) > len(kv.ErrCorrupt.Error())+len(": ")
}

// lost says whether an error is a right answer to a message, by a store that
// has said that it may be an older one: it cannot know what it has lost.
func (j *judge) lost(what string, err error) error {
	var undecryptable *pawl.UndecryptableError
	if j.marked && (errors.As(err, &undecryptable) || errors.Is(err, pawl.ErrUnknownSession) ||
		errors.Is(err, pawl.ErrUnknownOneTimeKey) || errors.Is(err, otk.ErrUsed) || errors.Is(err, session.ErrPruned)) {
		return nil
	}
	return j.refused(what, err)
}

func (j *judge) askMark() error {
	why, needed, err := j.device.NeedsRecovery(j.ctx)
	if err != nil {
		return j.refused("the mark", err)
	}
	if needed && j.terms.Lossless {
		return fmt.Errorf("it wants to be recovered: %s", why.Cause)
	}
	if j.marked = needed; needed {
		j.verdict = Marked
	}
	return nil
}

// askCheck checks that the records do not contradict each other: neither an
// accident at one place nor a lost end can make them.
func (j *judge) askCheck() error {
	broken, err := j.device.Check(j.ctx)
	if err != nil {
		return j.refused("check", err)
	}
	if len(broken) > 0 && j.verdict != Refused {
		return fmt.Errorf("check finds %q", broken)
	}
	return nil
}
