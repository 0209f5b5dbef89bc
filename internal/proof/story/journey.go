package story

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Journey is the life of one device whose store is put back in time, and
// recovered, again and again.
type Journey struct {
	Seed   uint64
	Policy txn.CachePolicy
}

// Play plays so many random steps: both sides send, what they send arrives late
// or twice, the store goes back to any commit, the device's place in the server's
// queue goes back to any message, or both, and the device is recovered. Then it
// lets all become quiet, and both sides must agree: see agree.
func (j Journey) Play(ctx context.Context, steps int) (Violations, error) {
	t, err := j.begin(ctx)
	if err != nil {
		return nil, err
	}
	for range steps {
		if err := t.step(ctx); err != nil || len(t.Violations()) > 0 {
			return t.Violations(), err
		}
	}
	err = t.end(ctx)
	return t.Violations(), err
}

// traveller is a Journey under way.
type traveller struct {
	*Ledger
	Journey
	random   *rand.Rand
	bob      Peer
	device   ratchet.PublicKey
	store    *past
	machine  *pawl.Machine
	first    kv.Version             // the store goes back to this commit at most
	opened   uint64                 // handles so far
	place    int                    // of the device in the server's queue
	answered map[*Letter]kv.Version // by this store, and since which commit
	flowing  []*Reply               // on their way to the far side
	texts    int
	back     int // how often the store went back
}

func (j Journey) begin(ctx context.Context) (*traveller, error) {
	t := &traveller{
		Ledger: newLedger(nil), Journey: j, random: newChoices(j.Seed, opsStream),
		store: newPast(), answered: map[*Letter]kv.Version{},
	}
	var err error
	if t.bob, err = PawlPeer(j.Seed); err != nil {
		return nil, err
	}
	s, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	if t.machine, err = s.Create(ctx, user, deviceName); err != nil {
		return nil, err
	}
	who, err := t.machine.Identity(ctx)
	if err != nil {
		return nil, err
	}
	t.device, t.first = who.Curve25519, t.store.now()
	return t, t.upload(ctx, true)
}

// open opens the store. No two handles draw the same random bytes: those of
// copies would not either.
func (t *traveller) open(ctx context.Context) (*pawl.Store, error) {
	t.opened++
	return pawl.Open(ctx, t.store, pawl.WithKey([32]byte{2}), pawl.WithCache(t.Policy), pawl.WithRand(newRand(t.Seed, t.opened)))
}

func (t *traveller) one(in int) bool { return t.random.IntN(in) == 0 }

func (t *traveller) step(ctx context.Context) error {
	switch n := t.random.IntN(20); {
	case n < 5:
		return t.send(t.one(4))
	case n < 9:
		t.sync(ctx, 1+t.random.IntN(3))
	case n < 13:
		_, err := t.write(ctx, t.one(8))
		return err
	case n < 15:
		t.read(1 + t.random.IntN(2))
	case n < 16:
		return t.upload(ctx, t.one(2))
	case n < 18:
		t.again(ctx)
	default:
		return t.goBack(ctx)
	}
	return nil
}

// send lets the far side send, in a new session if there is none or if asked for
// one.
func (t *traveller) send(fresh bool) error {
	t.texts++
	text := []byte{byte(t.texts >> 8), byte(t.texts)}
	var m ratchet.Message
	err := pawl.ErrNoSession
	if !fresh {
		m, err = t.bob.Encrypt(t.device, text)
	}
	if errors.Is(err, pawl.ErrNoSession) {
		m, err = t.bob.Open(t.device, t.claim(), text)
	}
	if err == nil {
		t.sent(t.bob.Identity(), m, text)
	}
	return err
}

// sync decrypts the next n messages of the server's queue.
func (t *traveller) sync(ctx context.Context, n int) {
	waiting := t.Letters()[t.place:]
	for _, m := range waiting[:min(n, len(waiting))] {
		t.place++
		t.receive(ctx, m)
	}
}

// again delivers any of the messages so far, seen or not.
func (t *traveller) again(ctx context.Context) {
	for _, m := range t.Letters() {
		if t.one(4) {
			t.receive(ctx, m)
		}
	}
}

// receive decrypts a message. What this store has answered it answers again;
// what it has not, it may have lost with its past.
func (t *traveller) receive(ctx context.Context, m *Letter) bool {
	d, err := t.machine.Decrypt(ctx, t.bob.Identity(), m.Message)
	_, known := t.answered[m]
	var undecryptable *pawl.UndecryptableError
	switch {
	case err == nil && string(d.Plaintext) != string(m.Plaintext):
		t.Fail(Answers, "message %d is %x, and the answer %x", m.number, m.Plaintext, d.Plaintext)
	case err == nil && d.Duplicate != known:
		t.Fail(Durable, "message %d was answered (%v), and is a duplicate (%v)", m.number, known, d.Duplicate)
	case err == nil && !known:
		t.answered[m] = t.store.now()
	case err == nil:
	case known || t.back == 0:
		t.Fail(FalseFailure, "message %d, which was answered (%v): %v", m.number, known, err)
	case !errors.As(err, &undecryptable) && !errors.Is(err, pawl.ErrUnknownSession) && !errors.Is(err, pawl.ErrUnknownOneTimeKey):
		t.Fail(FalseFailure, "message %d: %v", m.number, err)
	}
	return err == nil
}

// write lets the device send, in a new session if there is none or if asked for
// one, and returns whether it was one.
func (t *traveller) write(ctx context.Context, fresh bool) (opened bool, err error) {
	t.texts++
	text := []byte{byte(t.texts >> 8), byte(t.texts)}
	var e pawl.Encrypted
	err = pawl.ErrNoSession
	if !fresh {
		e, err = t.machine.Encrypt(ctx, t.bob.Identity(), text)
	}
	if opened = errors.Is(err, pawl.ErrNoSession); opened {
		key, failed := t.bob.OneTimeKey()
		if failed != nil {
			return false, failed
		}
		e, err = t.machine.Encrypt(ctx, t.bob.Identity(), text, pawl.WithOneTimeKey(key))
	}
	if err == nil {
		t.released("the device", e)
		t.flowing = append(t.flowing, &Reply{"the device", e.Message, text})
	}
	return opened, err
}

// read lets the far side read n of what is on its way, in any order; the oldest
// where much is.
func (t *traveller) read(n int) {
	for range min(n, len(t.flowing)) {
		i := 0
		if len(t.flowing) <= 4 {
			i = t.random.IntN(len(t.flowing))
		}
		r := t.flowing[i]
		t.flowing = slices.Delete(t.flowing, i, i+1)
		plaintext, err := t.bob.Decrypt(t.device, r.Message)
		if err != nil || string(plaintext) != string(r.Plaintext) {
			t.Fail(Unreadable, "the far side reads %x of %x: %v", plaintext, r.Plaintext, err)
		}
	}
}

// upload uploads keys, which arrive; the device may not learn that.
func (t *traveller) upload(ctx context.Context, told bool) error {
	u, err := t.machine.KeysForUpload(ctx, t.random.IntN(3))
	if err != nil {
		return err
	}
	t.uploadedBy("the device", u)
	switch {
	case told:
		return t.machine.MarkPublished(ctx, u)
	case t.one(2):
		return t.machine.Abandon(ctx, u)
	}
	return nil
}

// goBack puts the store, the place in the queue, or both back to any earlier
// point. Where it is the store, the device receives on, and is recovered before
// it sends.
func (t *traveller) goBack(ctx context.Context) error {
	what := t.random.IntN(3)
	if what != 0 {
		t.place = t.random.IntN(t.place + 1)
	}
	if what == 2 {
		return nil
	}
	to := t.first + kv.Version(t.random.IntN(int(t.store.now()-t.first)+1))
	old, err := t.store.at(ctx, to)
	if err != nil {
		return err
	}
	t.store, t.back = old, t.back+1
	maps.DeleteFunc(t.answered, func(_ *Letter, since kv.Version) bool { return since > to })
	s, err := t.open(ctx)
	if err != nil {
		return err
	}
	if t.machine, err = s.Machine(ctx, user, deviceName); err != nil {
		return err
	}
	if t.one(2) {
		t.again(ctx)
	}
	_, err = t.machine.Recover(ctx)
	return err
}
