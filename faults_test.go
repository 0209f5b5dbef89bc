package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/ratchet"
)

// call is one call on a device. The plaintext or body that it released, if it
// releases any, is returned.
type call struct {
	name string
	make func(ctx context.Context, d *device) (released []byte, err error)
}

// prepared is two devices that know each other, on stores of their own, with what
// the calls need prepared by Alice.
type prepared struct {
	alice, bob      *device
	normal, opening ratchet.Message
	upload          pawl.Upload
	received        pawl.Decrypted
	bobsKey         ratchet.PublicKey
}

func prepare(t testing.TB, opts ...pawl.Option) *prepared {
	return prepareIn(t, newMemory(), opts...)
}

// prepareIn is prepare with alice's account in a store.
func prepareIn(t testing.TB, store kv.Store, opts ...pawl.Option) *prepared {
	s := &prepared{
		alice: newDevice(t, store, "@alice:example.org", opts...),
		bob:   newDevice(t, newMemory(), "@bob:example.org"),
	}
	s.alice.meet(s.bob)
	s.normal = s.bob.send(s.alice, "normal")
	s.opening = s.bob.send(s.alice, "opening", pawl.WithOneTimeKey(s.alice.oneTimeKey()))
	s.upload, _, _ = s.alice.upload(3)
	s.received = s.alice.receive(s.bob, s.bob.send(s.alice, "before"))
	s.bobsKey = s.bob.oneTimeKey()
	return s
}

// calls returns every call that talks to the store.
func (s *prepared) calls() []call {
	bob := s.bob.id.Curve25519
	noResult := func(err error) ([]byte, error) { return nil, err }
	decrypt := func(m ratchet.Message) func(context.Context, *device) ([]byte, error) {
		return func(ctx context.Context, d *device) ([]byte, error) {
			got, err := d.Decrypt(ctx, bob, m)
			return got.Plaintext, err
		}
	}
	encrypt := func(opts ...pawl.EncryptOption) func(context.Context, *device) ([]byte, error) {
		return func(ctx context.Context, d *device) ([]byte, error) {
			e, err := d.Encrypt(ctx, bob, []byte("text"), opts...)
			return e.Message.Body, err
		}
	}
	return []call{
		{"Decrypt", decrypt(s.normal)},
		{"Decrypt an opening message", decrypt(s.opening)},
		{"DecryptBatch", func(ctx context.Context, d *device) ([]byte, error) {
			results, err := d.DecryptBatch(ctx, []pawl.Incoming{{Sender: bob, Message: s.normal}, {Sender: bob, Message: s.opening}})
			if err != nil || results[1].Err != nil {
				return nil, errors.Join(err, fmt.Errorf("%d results", len(results)))
			}
			return results[1].Plaintext, nil
		}},
		{"Encrypt", encrypt()},
		{"Encrypt with a one-time key", encrypt(pawl.WithOneTimeKey(s.bobsKey))},
		{"KeysForUpload", func(ctx context.Context, d *device) ([]byte, error) {
			u, err := d.KeysForUpload(ctx, 2)
			return u.Body, err
		}},
		{"MarkPublished", func(ctx context.Context, d *device) ([]byte, error) { return noResult(d.MarkPublished(ctx, s.upload)) }},
		{"Abandon", func(ctx context.Context, d *device) ([]byte, error) { return noResult(d.Abandon(ctx, s.upload)) }},
		{"Acknowledge", func(ctx context.Context, d *device) ([]byte, error) {
			return noResult(d.Acknowledge(ctx, s.received.Receipt))
		}},
		{"Sweep", func(ctx context.Context, d *device) ([]byte, error) {
			_, err := d.Sweep(ctx, d.clock.now().Add(4*week))
			return nil, err
		}},
		{"Inspect", func(ctx context.Context, d *device) ([]byte, error) { _, err := d.Inspect(ctx); return nil, err }},
		{"Check", func(ctx context.Context, d *device) ([]byte, error) { _, err := d.Check(ctx); return nil, err }},
		{"Identity", func(ctx context.Context, d *device) ([]byte, error) {
			_, err := d.Machine.Identity(ctx)
			return nil, err
		}},
		{"Create", func(ctx context.Context, d *device) ([]byte, error) {
			_, err := d.store.Create(ctx, "@carol:example.org", "C")
			return nil, err
		}},
		{"Machine", func(ctx context.Context, d *device) ([]byte, error) {
			_, err := d.store.Machine(ctx, d.id.UserID, d.id.DeviceID)
			return nil, err
		}},
		{"Accounts", func(ctx context.Context, d *device) ([]byte, error) { _, err := d.store.Accounts(ctx); return nil, err }},
		{"ChangeKey", func(ctx context.Context, d *device) ([]byte, error) {
			return noResult(d.store.ChangeKey(ctx, [32]byte{9}))
		}},
	}
}

// TestClosedStore: an old machine that outlives its store neither writes nor
// answers, also not from its cache.
func TestClosedStore(t *testing.T) {
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			s := prepare(t, pawl.WithCache(policy))
			s.alice.inspect()
			if err := s.alice.kv.Close(); err != nil {
				t.Fatal(err)
			}
			for _, c := range s.calls() {
				if released, err := c.make(t.Context(), s.alice); !errors.Is(err, kv.ErrClosed) || released != nil {
					t.Errorf("%s on a closed store gives %q, %v", c.name, released, err)
				}
			}
			if _, err := pawl.Open(t.Context(), s.alice.kv, testKey); !errors.Is(err, kv.ErrClosed) {
				t.Errorf("Open on a closed store gives %v", err)
			}
		})
	}
}

// TestCancel ends the context of every call at every store call that it makes,
// before and after. What is released then is committed, and what is not can be
// had by making the call again.
func TestCancel(t *testing.T) {
	moments := map[string]faulty.Stage{"before": faulty.BeforeCall, "after": faulty.AfterCall}
	for name, at := range moments {
		for policy, p := range policies {
			for i := range prepare(t).calls() {
				c := prepare(t).calls()[i]
				t.Run(c.name+"/"+name+"/"+policy, func(t *testing.T) {
					n := 1
					for cancelAt(t, pawl.WithCache(p), i, n, at) {
						n++
					}
					if n < 2 {
						t.Errorf("%s made no store call", c.name)
					}
				})
			}
		}
	}
}

// cancelAt makes the i-th call with the context ending at its n-th store call,
// and reports whether there was one.
func cancelAt(t *testing.T, cache pawl.Option, i, n int, at faulty.Stage) bool {
	t.Helper()
	s := prepare(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	armed := &arm{store: s.alice.kv}
	handle := s.alice.on(armed, cache)
	view, reached := faulty.CancelAt(s.alice.kv, n, at, cancel)
	armed.store = view

	c := s.calls()[i]
	before := dump(t, s.alice.kv)
	released, err := c.make(ctx, handle)
	switch {
	case err == nil: // the context may end as late as with the last answer
	case errors.Is(err, kv.ErrUnknown), !errors.Is(err, context.Canceled):
		t.Errorf("%s cancelled at store call %d gives %v", c.name, n, err)
	case released != nil:
		t.Errorf("%s cancelled at store call %d gives both %q and %v", c.name, n, released, err)
	}
	if changed := len(before) != len(dump(t, s.alice.kv)); err != nil && c.name != "Sweep" && changed {
		t.Errorf("%s cancelled at store call %d gives %v and has changed the store", c.name, n, err)
	}
	s.alice.intact()
	if err != nil {
		if _, err := c.make(t.Context(), s.alice); err != nil {
			t.Errorf("%s made again gives %v", c.name, err)
		}
	} else if c.name == "Decrypt" {
		if d := s.alice.receive(s.bob, s.normal); !d.Duplicate || string(d.Plaintext) != string(released) {
			t.Errorf("what was released is not committed: %+v", d)
		}
	}
	s.alice.receive(s.bob, s.bob.send(s.alice, "afterwards"))
	s.bob.receive(s.alice, s.alice.send(s.bob, "afterwards"))
	s.alice.intact()
	return reached()
}

// arm is a store that can be exchanged under a handle.
type arm struct{ store kv.Store }

func (a *arm) Snapshot() kv.Snapshot { return a.store.Snapshot() }
func (a *arm) Close() error          { return a.store.Close() }
func (a *arm) Limits() kv.Limits     { return a.store.Limits() }
func (a *arm) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	return a.store.Commit(ctx, b)
}
func (a *arm) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	return a.store.Turn(ctx, keys...)
}
func (a *arm) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return a.store.Watch(ctx, prefix, after)
}

// TestFaults: a call whose commit meets a fault either succeeds in the end or
// fails with that error and nothing changed.
func TestFaults(t *testing.T) {
	faults := map[string]struct {
		fault faulty.Fault
		want  error // nil: the call succeeds
	}{
		"applied, answer lost":     {faulty.AppliedUnknown, nil},
		"not applied, answer lost": {faulty.LostUnknown, nil},
		"applied later":            {faulty.LateUnknown, nil},
		"conflict":                 {faulty.Conflict, nil},
		"unavailable":              {faulty.Unavailable, kv.ErrUnavailable},
		"disk full":                {faulty.DiskFull, kv.ErrDiskFull},
		"corrupt":                  {faulty.Corrupt, kv.ErrCorrupt},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			for _, i := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8} { // those that write
				s := prepare(t)
				c := s.calls()[i]
				handle := s.alice.on(faulty.Commits(s.alice.kv, f.fault))
				before := dump(t, s.alice.kv)
				released, err := c.make(t.Context(), handle)
				if !errors.Is(err, f.want) || err != nil && released != nil {
					t.Errorf("%s gives %q, %v; want %v", c.name, released, err, f.want)
				}
				if err != nil && len(before) != len(dump(t, s.alice.kv)) {
					t.Errorf("%s gives %v and has changed the store", c.name, err)
				}
				s.alice.intact()
				s.bob.receive(s.alice, s.alice.send(s.bob, "afterwards"))
			}
		})
	}
}
