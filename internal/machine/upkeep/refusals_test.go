package upkeep_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// TestMissingIsDamage: a record that another names and that is missing is
// damage, and never taken for a stranger, a new key or no session. What does not
// need it goes on: see TestDamage of package pawl.
func TestMissingIsDamage(t *testing.T) {
	decryptFresh := func(w *fixture) error { _, err := w.Decrypt(w.Context(), w.them, w.fresh); return err }
	encrypt := func(w *fixture) error { _, err := w.Encrypt(w.Context(), w.them, []byte("text")); return err }
	upload := func(w *fixture) error { _, err := w.KeysForUpload(w.Context(), 1); return err }
	uses := map[string][]func(*fixture) error{
		"the peer's record is gone":    {decryptFresh, encrypt},
		"a key of the pool is missing": {decryptFresh},
		"the pool is empty":            {upload},
	}
	for _, d := range damages {
		for i, use := range uses[d.name] {
			t.Run(fmt.Sprintf("%s %d", d.name, i), func(t *testing.T) {
				w := newFixture(t)
				w.do(d.cause(w))
				if err := use(w); !errors.Is(err, kv.ErrCorrupt) {
					t.Errorf("error is %v, want %v", err, kv.ErrCorrupt)
				}
			})
		}
	}
	w := newFixture(t)
	k := one(w, &records.Keys, otk.Key.Fallback)
	m := w.send(w.peer, w.self.Identity(), pawl.WithOneTimeKey(k.Public()))
	w.do(func(tx *txn.Tx) error { return records.Keys.Delete(tx, k.Public()) })
	if _, err := w.Decrypt(t.Context(), w.them, m); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("without the fallback key: %v, want %v", err, kv.ErrCorrupt)
	}
}

// TestRetired: an account that was moved away inspects and does nothing else.
func TestRetired(t *testing.T) {
	w := newFixture(t)
	retired := w.self.Retire(account.Retirement{At: time.Now(), Target: "store", Path: "/elsewhere"})
	w.do(func(tx *txn.Tx) error { return machine.Accounts.Put(tx, retired) })
	r := w.receipt()
	ctx := t.Context()
	before := w.head()
	for name, call := range map[string]func() error{
		"Decrypt":            func() error { _, err := w.Decrypt(ctx, w.them, w.next); return err },
		"Encrypt":            func() error { _, err := w.Encrypt(ctx, w.them, nil); return err },
		"Encrypt with a key": func() error { _, err := w.Encrypt(ctx, w.them, nil, pawl.WithOneTimeKey(w.them)); return err },
		"KeysForUpload":      func() error { _, err := w.KeysForUpload(ctx, 1); return err },
		"MarkPublished":      func() error { return w.MarkPublished(ctx, pawl.Upload{}) },
		"Abandon":            func() error { return w.Abandon(ctx, pawl.Upload{}) },
		"Acknowledge":        func() error { return w.Acknowledge(ctx, r.ID()) },
		"Sweep":              func() error { _, err := w.Sweep(ctx, time.Now().AddDate(1, 0, 0)); return err },
		"DecryptBatch, result": func() error {
			r, err := w.DecryptBatch(ctx, []pawl.Incoming{{Sender: w.them, Message: w.next}})
			must(t, err)
			return r[0].Err
		},
	} {
		if err := call(); !errors.Is(err, account.ErrRetired) {
			t.Errorf("%s gives %v, want %v", name, err, account.ErrRetired)
		}
	}
	if after := w.head(); after != before {
		t.Errorf("version %d has become %d", before, after)
	}
	in, err := w.Inspect(ctx)
	if err != nil || in.Retired != "/elsewhere" {
		t.Errorf("inspection says %q, error %v", in.Retired, err)
	}
	w.wantCheck("")
}

func (w *fixture) head() kv.Version {
	snap := w.kv.Snapshot()
	defer snap.Close()
	v, err := snap.Version(w.Context())
	must(w.T, err)
	return v
}

// TestExhausted: at the last index of a chain both sides stop, and a new chain
// goes on.
func TestExhausted(t *testing.T) {
	w := newFixture(t)
	s := w.session(session.WithOneTimeKey)
	state, err := s.Ratchet()
	must(t, err)
	record, err := state.AppendBinary(nil)
	must(t, err)
	// The index of the only receiver chain: see the layout in package ratchet.
	const flags, index = 1, 2 + 4*32 + 1 + 2*32
	if record[flags]&4 != 0 || record[index-2*32-1] != 1 {
		t.Fatal("not the state that this test knows")
	}
	binary.BigEndian.PutUint32(record[index:], 1<<32-1)
	last, err := ratchet.DecodeSession(record)
	must(t, err)
	s = s.Received(last, session.Moment{Time: time.Now()})
	w.do(func(tx *txn.Tx) error { return records.Sessions.Put(tx, s) })

	normal := w.next.Body[1+3*34+1:]
	for normal[0] >= 0x80 {
		normal = normal[1:]
	}
	normal = slices.Clone(normal[1:])
	at := 1 + 2 + 32 + 1
	normal = slices.Concat(normal[:at], binary.AppendUvarint(nil, 1<<32-1), normal[at+1:])
	_, err = w.Decrypt(t.Context(), w.them, ratchet.Message{Type: ratchet.Normal, Body: normal})
	if !errors.Is(err, ratchet.ErrExhausted) {
		t.Errorf("the last index gives %v, want %v", err, ratchet.ErrExhausted)
	}
	w.wantCheck("")
}
