package todevice_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/proof/heap"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newAccount makes an account on a store.
func newAccount(t *testing.T, store kv.Store, opts ...txn.Option) *machine.Account {
	t.Helper()
	tools := machine.Tools{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler), Txn: opts}
	s, err := machine.Open(t.Context(), store, seal.RawKey([32]byte{1}), tools)
	must(t, err)
	a, err := s.Create(t.Context(), machine.AccountName{User: "@alice:example.org", Device: "DEVICE"})
	must(t, err)
	return a
}

// opened is a session that we opened, as it is with any peer: which peer that
// is, only the session's record says. next are the peer's next messages in it.
type opened struct {
	state ratchet.Session
	next  [2]ratchet.Message
}

// open opens a session and lets each side have its turn so many times, with the
// peer's messages lost but the last of a turn.
func open(t *testing.T, turns, lost int) opened {
	t.Helper()
	var keys [3]ratchet.KeyPair
	for i := range keys {
		pair, err := ratchet.GenerateKeyPair(rand.Reader)
		must(t, err)
		keys[i] = pair
	}
	ours, err := ratchet.NewOutbound(rand.Reader, keys[0], keys[1].Public(), keys[2].Public())
	must(t, err)
	ours, m, err := ours.Encrypt(rand.Reader, []byte("first"))
	must(t, err)
	opening, err := ratchet.ParsePreKeyMessage(m.Body)
	must(t, err)
	theirs, err := ratchet.NewInbound(keys[1], keys[2], opening)
	must(t, err)
	theirs, _, err = theirs.Decrypt(opening.Normal)
	must(t, err)
	say := func(from, to ratchet.Session, lost int) (ratchet.Session, ratchet.Session) {
		for range lost + 1 {
			from, m, err = from.Encrypt(rand.Reader, []byte("text"))
			must(t, err)
		}
		parsed, err := ratchet.ParseNormalMessage(m.Body)
		must(t, err)
		to, _, err = to.Decrypt(parsed)
		must(t, err)
		return from, to
	}
	for range turns {
		theirs, ours = say(theirs, ours, lost)
		ours, theirs = say(ours, theirs, 0)
	}
	o := opened{state: ours}
	for i := range o.next {
		theirs, o.next[i], err = theirs.Encrypt(rand.Reader, []byte("next"))
		must(t, err)
	}
	return o
}

// meet stores so many peers with these sessions each, and returns two messages
// of each peer.
func meet(t *testing.T, a *machine.Account, peers int, sessions []opened) (first, second []todevice.Incoming) {
	t.Helper()
	for n := range peers {
		var identity ratchet.PublicKey
		rand.Read(identity[:])
		must(t, a.Do(t.Context(), func(tx *txn.Tx) error {
			p := session.NewPeer(identity)
			for _, s := range sessions {
				one := session.New(s.state, identity, session.Outbound, session.Moment{Time: time.Now(), Order: 1})
				p, _ = p.Add(one.ID())
				if err := records.Sessions.Put(tx, one); err != nil {
					return err
				}
			}
			return records.Peers.Put(tx, p.Rated(session.Acquainted))
		}))
		next := sessions[n%len(sessions)].next
		first = append(first, todevice.Incoming{Sender: identity, Message: next[0]})
		second = append(second, todevice.Incoming{Sender: identity, Message: next[1]})
	}
	return first, second
}

// measured is a store whose values are copies, as those from a file are. It
// counts commits that write, and how many bytes are in use when they are made,
// over those at the beginning.
type measured struct {
	kv.Store
	commits int
	heap    *heap.Meter
}

func measure(store kv.Store) *measured {
	m := &measured{heap: heap.Start()}
	m.Store = faulty.Wrap(store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op == faulty.Commit && len(call.Batch.Writes) > 0 {
			m.commits++
			m.heap.Look()
		}
		return nil
	}})
	return m
}

func (m *measured) Snapshot() kv.Snapshot { return copying{m.Store.Snapshot()} }

type copying struct{ kv.Snapshot }

func (c copying) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	entries, err := c.Snapshot.Get(ctx, keys...)
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].Value = slices.Clone(entries[i].Value)
	}
	return entries, err
}

// TestBatchHoldsLittle: whoever sends, a batch holds at most 16 MB over its
// results, with what the cache keeps.
func TestBatchHoldsLittle(t *testing.T) {
	for name, policy := range map[string]txn.CachePolicy{"no cache": txn.NoCache, "validated": txn.Validated} {
		t.Run(name, func(t *testing.T) { testBatchHoldsLittle(t, policy) })
	}
}

func testBatchHoldsLittle(t *testing.T, policy txn.CachePolicy) {
	var large []opened
	for range session.MaxPerPeer {
		large = append(large, open(t, ratchet.MaxReceiverChains, ratchet.MaxSkippedKeys))
	}
	if n := large[0].state.RecordSize(); n < 7000 {
		t.Fatalf("the sessions have %d bytes", n)
	}
	store := memkv.New()
	a := newAccount(t, store, txn.WithCache(policy))
	first, second := meet(t, a, 100, large) // 25 MB of sessions
	m := measure(store)
	a.Store.Use(m)
	messages := todevice.New(a.Store.Account(a.Name))
	decrypt(t, messages, first)
	decrypt(t, messages, second) // the sessions are hinted at by now
	if m.heap.Peak() > 16<<20 {
		t.Errorf("%d bytes are held", m.heap.Peak())
	}
	// Each commit of the first batch reads a megabyte of sessions and no more
	// than two; the second batch needs one session of each peer.
	if m.commits < 13 || m.commits > 27 {
		t.Errorf("%d commits", m.commits)
	}
}

// TestBatchOfManyIsOneCommit: many senders with a session each are not too much.
func TestBatchOfManyIsOneCommit(t *testing.T) {
	store := memkv.New()
	a := newAccount(t, store)
	first, second := meet(t, a, 500, []opened{open(t, 1, 0)})
	m := measure(store)
	a.Store.Use(m)
	messages := todevice.New(a.Store.Account(a.Name))
	decrypt(t, messages, first)
	decrypt(t, messages, second)
	if m.commits != 2 {
		t.Errorf("%d commits of two batches", m.commits)
	}
}

func decrypt(t *testing.T, messages *todevice.Messages, batch []todevice.Incoming) {
	t.Helper()
	results, err := messages.DecryptBatch(t.Context(), batch)
	if err != nil || len(results) != len(batch) {
		t.Fatalf("%d results, error %v", len(results), err)
	}
	for i, r := range results {
		if r.Err != nil || string(r.Plaintext) != "next" || r.Duplicate {
			t.Fatalf("message %d: %q, error %v", i, r.Plaintext, r.Err)
		}
	}
}
