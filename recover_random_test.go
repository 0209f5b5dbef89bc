package pawl_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
)

// travels plays one device whose store is put back in time again and again, at
// random, and whose abandoned copies come back too. It returns all that the
// device released, from all copies.
func travels(t *testing.T, seed uint64, opts ...pawl.Option) *released {
	// All copies draw from one source, or they would draw the same.
	opts = append(opts, pawl.WithRand(rand.NewChaCha8([32]byte{byte(seed)})))
	tr := &traveller{
		t: t, rng: rand.New(rand.NewPCG(seed, 0)), opts: opts, out: newReleased(),
		alice: newDevice(t, newMemory(), "@alice:example.org", opts...),
		bob:   newDevice(t, newMemory(), "@bob:example.org"),
	}
	for range 40 {
		tr.step()
	}
	tr.alice.intact()
	return tr.out
}

type traveller struct {
	t          *testing.T
	rng        *rand.Rand
	opts       []pawl.Option
	out        *released
	alice, bob *device
	keys       []ratchet.PublicKey // of alice, as the server has them
	backups    []backup
	copies     []kv.Store // that were given up for a backup
}

func (tr *traveller) step() {
	switch n := tr.rng.IntN(20); {
	case n < 7:
		tr.write()
	case n < 13:
		tr.answer()
	case n < 15:
		tr.upload()
	case n < 17:
		tr.backups = append(tr.backups, back(tr.t, tr.alice.kv))
	case n < 18 && len(tr.backups) > 0:
		tr.copies = append(tr.copies, tr.alice.kv)
		tr.open(tr.backups[tr.rng.IntN(len(tr.backups))].restore(tr.t))
	case n < 19 && len(tr.copies) > 0:
		i := tr.rng.IntN(len(tr.copies))
		next := tr.copies[i]
		tr.copies[i] = tr.alice.kv
		tr.open(next)
	default:
		tr.open(tr.alice.kv)
	}
}

// open opens a store as the device's, which is recovered half of the time.
func (tr *traveller) open(store kv.Store) {
	tr.alice = tr.alice.on(store, tr.opts...)
	if _, needed, err := tr.alice.NeedsRecovery(tr.alice.ctx); needed && tr.rng.IntN(2) == 0 {
		tr.alice.recover()
	} else if err != nil {
		tr.t.Fatal(err)
	}
}

// write lets alice write, and bob read it most of the time.
func (tr *traveller) write() {
	if _, needed, _ := tr.alice.NeedsRecovery(tr.alice.ctx); needed {
		tr.alice.refusesToSendAnything(tr.bob)
		return
	}
	var opts []pawl.EncryptOption
	if len(tr.alice.sendingSessions(tr.bob)) == 0 || tr.rng.IntN(10) == 0 {
		opts = append(opts, pawl.WithOneTimeKey(tr.bob.oneTimeKey()))
	}
	m := tr.alice.say(tr.out, tr.bob, opts...)
	if tr.rng.IntN(5) > 0 {
		tr.deliver(tr.bob, tr.alice, m)
	}
}

// answer lets bob write, in a session there is or with a key of alice.
func (tr *traveller) answer() {
	var opts []pawl.EncryptOption
	if len(tr.bob.sendingSessions(tr.alice)) == 0 || tr.rng.IntN(6) == 0 {
		if len(tr.keys) == 0 {
			return
		}
		opts = append(opts, pawl.WithOneTimeKey(tr.keys[0]))
		tr.keys = tr.keys[1:]
	}
	tr.deliver(tr.alice, tr.bob, tr.bob.send(tr.alice, "hello", opts...))
}

// deliver gives a message to a device, which need not be able to read it: what
// a store has lost, it has lost. The answer must not be of another kind.
func (tr *traveller) deliver(to, from *device, m ratchet.Message) {
	_, err := to.Decrypt(to.ctx, from.id.Curve25519, m)
	var undecryptable *pawl.UndecryptableError
	if err != nil && !errors.As(err, &undecryptable) && !errors.Is(err, pawl.ErrUnknownSession) && !errors.Is(err, pawl.ErrUnknownOneTimeKey) {
		tr.t.Fatal(err)
	}
}

func (tr *traveller) upload() {
	if _, needed, _ := tr.alice.NeedsRecovery(tr.alice.ctx); needed {
		tr.alice.refusesToSendAnything(tr.bob)
		return
	}
	_, keys, _ := tr.alice.upload(2)
	tr.out.upload(keys)
	tr.keys = append(tr.keys, slices.Collect(maps.Values(keys))...)
}

// refusesToSendAnything is refusesToSend for any cause.
func (d *device) refusesToSendAnything(to *device) {
	d.t.Helper()
	why, _, err := d.NeedsRecovery(d.ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	d.refusesToSend(to, why.Cause)
}

func (d *device) sendingSessions(with *device) []pawl.SessionInfo {
	d.t.Helper()
	return slices.DeleteFunc(d.sessions(with), func(s pawl.SessionInfo) bool { return s.ReceiveOnly })
}

// travelSeeds is how many lives are played with a witness and without one.
const travelSeeds = 120

func TestNoKeyIsUsedTwiceWhateverIsRestored(t *testing.T) {
	for seed := range uint64(travelSeeds) {
		if out := travels(t, seed, pawl.WithWitness(&keychain{})); len(out.reused) > 0 || t.Failed() {
			t.Fatalf("seed %d: reused %q", seed, out.reused)
		}
	}
}

// The same lives without a witness: most of them use a key twice.
func TestTravellersWithoutWitnessReuseKeys(t *testing.T) {
	bad := 0
	for seed := range uint64(travelSeeds) {
		if len(travels(t, seed).reused) > 0 {
			bad++
		}
	}
	if bad < travelSeeds/3 {
		t.Errorf("%d of %d lives used a key twice: the test above would not see much", bad, travelSeeds)
	}
}
