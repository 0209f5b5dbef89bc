package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/ratchet"
)

// keychain is a witness that no store takes back with it.
type keychain struct {
	mu   sync.Mutex
	mark witness.Mark
	fail error // of the next call
}

func (w *keychain) Load(context.Context) (witness.Mark, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return witness.Mark{}, w.fail
	}
	if w.mark == (witness.Mark{}) {
		return w.mark, witness.ErrNone
	}
	return w.mark, nil
}

func (w *keychain) Save(_ context.Context, m witness.Mark) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	if m.Supersedes(w.mark) {
		w.mark = m
	}
	return nil
}

// backup is all that a store holds, and its head.
type backup struct {
	entries []kv.Entry
	head    kv.Version
}

func back(t testing.TB, store kv.Store) (b backup) {
	t.Helper()
	snap := store.Snapshot()
	defer snap.Close()
	for e, err := range snap.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		b.entries = append(b.entries, e)
	}
	var err error
	if b.head, err = snap.Version(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// restore returns a new store with the content and the head of a backup.
func (b backup) restore(t testing.TB) kv.Store {
	t.Helper()
	store := newMemory()
	commit := func(head kv.Version, writes []kv.Write) {
		version, err := store.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(head - 1), Writes: writes, Sync: true})
		if err != nil || version != head {
			t.Fatalf("commit %d of a backup: version %d, %v", head, version, err)
		}
	}
	const filler = "~"
	last := []kv.Write{{Key: filler, Delete: true}}
	for _, e := range b.entries {
		last = append(last, kv.Write{Key: e.Key, Value: e.Value})
	}
	for head := kv.Version(1); head < b.head; head++ {
		writes := []kv.Write{{Key: filler}}
		if most := store.Limits().Writes; len(last) > most { // what the last commit cannot hold
			at := max(most, len(last)-most+1)
			writes, last = append(writes, last[at:]...), last[:at]
		}
		commit(head, writes)
	}
	commit(b.head, last)
	return store
}

// keyUse names a message key.
type keyUse struct {
	session ratchet.SessionID
	chain   ratchet.PublicKey
	index   uint32
}

// released is all that ever left a device, from whichever copy of its store.
type released struct {
	said    int
	keys    map[keyUse]bool
	uploads map[string]bool
	reused  []string
}

func newReleased() *released {
	return &released{keys: map[keyUse]bool{}, uploads: map[string]bool{}}
}

// message notes the key that a message was encrypted with.
func (r *released) message(t testing.TB, e pawl.Encrypted) {
	t.Helper()
	body := e.Message.Body
	var m ratchet.NormalMessage
	var err error
	if e.Message.Type == ratchet.PreKey {
		var outer ratchet.PreKeyMessage
		outer, err = ratchet.ParsePreKeyMessage(body)
		m = outer.Normal
	} else {
		m, err = ratchet.ParseNormalMessage(body)
	}
	if err != nil {
		t.Fatal(err)
	}
	use := keyUse{e.Session, m.RatchetKey, m.Index}
	if r.keys[use] {
		r.reused = append(r.reused, fmt.Sprintf("message key %d of session %s", use.index, use.session))
	}
	r.keys[use] = true
}

// upload notes the keys that were offered.
func (r *released) upload(keys map[string]ratchet.PublicKey) {
	for id := range keys {
		if r.uploads[id] {
			r.reused = append(r.reused, "key id "+id)
		}
		r.uploads[id] = true
	}
}

// witnessed is a device whose store has a keychain.
func witnessed(t testing.TB) (*device, *keychain) {
	w := &keychain{}
	return newDevice(t, newMemory(), "@alice:example.org", pawl.WithWitness(w)), w
}

// refusesToSend fails the test unless the device refuses to send anything, with
// this cause, and nothing changes.
func (d *device) refusesToSend(to *device, cause account.Cause) {
	d.t.Helper()
	why, needed, err := d.NeedsRecovery(d.ctx)
	if err != nil || !needed || why.Cause != cause {
		d.t.Errorf("needs recovery: %v, %v, %v; want because %q", needed, why.Cause, err, cause)
	}
	key := to.oneTimeKey()
	d.unchanged(func() {
		_, encrypt := d.Encrypt(d.ctx, to.id.Curve25519, []byte("hello"))
		_, open := d.Encrypt(d.ctx, to.id.Curve25519, []byte("hello"), pawl.WithOneTimeKey(key))
		_, upload := d.KeysForUpload(d.ctx, 1)
		for what, err := range map[string]error{"encrypt": encrypt, "open a session": open, "upload": upload} {
			if !errors.Is(err, pawl.ErrNeedsRecovery) {
				d.t.Errorf("%s: %v, want ErrNeedsRecovery", what, err)
			}
		}
	})
}

func (d *device) recover() pawl.Recovered {
	d.t.Helper()
	done, err := d.Recover(d.ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	return done
}

func (d *device) needsNoRecovery() {
	d.t.Helper()
	if why, needed, err := d.NeedsRecovery(d.ctx); needed || err != nil {
		d.t.Errorf("needs recovery because %s; %v", why.Cause, err)
	}
}

// say encrypts something that was never said before, and notes the key.
func (d *device) say(r *released, to *device, opts ...pawl.EncryptOption) ratchet.Message {
	d.t.Helper()
	r.said++
	e, err := d.Encrypt(d.ctx, to.id.Curve25519, []byte(strconv.Itoa(r.said)), opts...)
	if err != nil {
		d.t.Fatal(err)
	}
	r.message(d.t, e)
	return e.Message
}
