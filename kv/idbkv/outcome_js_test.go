package idbkv

import (
	"context"
	"errors"
	"syscall/js"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// short is a wait that a test sees the end of.
const short = 300 * time.Millisecond

// TestFrozenTab: another tab has a transaction that does not end. Commits and reads are
// taken back at the deadline, certainly not applied, and go on when it ends.
func TestFrozenTab(t *testing.T) {
	name := newName()
	s := openAs(t, name, WithWait(short))
	commits(t, s, puts("k", "1"))
	let := hold(t, bare(t, name))
	b := puts("k", "2")
	if _, err := s.Commit(t.Context(), b); kv.OutcomeOf(err) != kv.Unsent {
		t.Errorf("a commit: %v, want %v", err, kv.ErrUnavailable)
	}
	view := s.Snapshot()
	if _, err := view.Get(t.Context(), "k"); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("a read: %v, want %v", err, kv.ErrUnavailable)
	}
	if _, err := s.Turn(t.Context(), "k"); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("a turn: %v, want %v", err, kv.ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(t.Context(), short/4)
	defer cancel()
	if _, err := s.Commit(ctx, puts("k", "3")); kv.OutcomeOf(err) != kv.NotApplied || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a commit with a deadline: %v, want %v", err, context.DeadlineExceeded)
	}
	let()
	if got := valueOf(t, s, "k"); got != "1" {
		t.Errorf("what was taken back is there: %q, want 1", got)
	}
	commits(t, s, b)
	if got := valueOf(t, s, "k"); got != "2" {
		t.Errorf("after the other tab went on: %q, want 2", got)
	}
}

// TestAbortThatThrows: the deadline comes while the browser commits. The outcome is
// unknown, and the identical batch resolves it here.
func TestAbortThatThrows(t *testing.T) {
	s := openAs(t, newName(), func(set *settings) { set.work = short })
	let := later(t, "complete")
	b := puts("k", "1")
	_, err := s.Commit(t.Context(), b)
	let()
	if kv.OutcomeOf(err) != kv.Unknown {
		t.Fatalf("a commit whose end does not come: %v, want %v", err, kv.ErrUnknown)
	}
	b.Again = true
	version := commits(t, s, b)
	view := s.Snapshot()
	defer view.Close()
	entries, err := view.Get(t.Context(), "k")
	if err != nil || entries[0].Version != version || version != 1 {
		t.Errorf("resolved at version %d; it is at %d, %v", version, entries[0].Version, err)
	}
}

// TestUnknownErrorAtCommit: only the store that is opened again can tell.
func TestUnknownErrorAtCommit(t *testing.T) {
	for as, want := range map[string]kv.Outcome{"UnknownError": kv.Undecided, "QuotaExceededError": kv.NotApplied} {
		name := newName()
		s := openAs(t, name)
		let := later(t, as)
		b := puts("k", "1")
		done := inBackground(t.Context(), s, b)
		arrived(t)
		let()
		if err := <-done; kv.OutcomeOf(err) != want {
			t.Errorf("%s at commit: %v (%v), want %v", as, err, kv.OutcomeOf(err), want)
		}
	}
}

// TestClosedByTheBrowser: the close event of the connection, with a commit under way.
func TestClosedByTheBrowser(t *testing.T) {
	name := newName()
	s := openAs(t, name)
	let := later(t, "complete")
	b := puts("k", "1")
	done := inBackground(t.Context(), s, b)
	arrived(t)
	s.conn.db.Call("dispatchEvent", js.Global().Get("Event").New("close"))
	if err := <-done; kv.OutcomeOf(err) != kv.Undecided {
		t.Errorf("the commit under way: %v, want %v", err, kv.ErrUndecided)
	}
	let()
	b.Again = true
	if _, err := s.Commit(t.Context(), b); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("a commit after it: %v, want %v", err, kv.ErrClosed)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if version := commits(t, openAs(t, name), b); version != 1 {
		t.Errorf("once opened again: version %d, want 1", version)
	}
}

// TestRequestThatFails: what is damaged is said, and stands in nobody's way.
func TestRequestThatFails(t *testing.T) {
	name := newName()
	s := openAs(t, name)
	commits(t, s, puts("k", "1"))
	db := bare(t, name)
	tx := db.Call("transaction", []any{entriesStore}, "readwrite")
	tx.Call("objectStore", entriesStore).Call("put", "no bytes", keyToJS("k"))
	b := puts("l", "1")
	b.Reads = []kv.Read{{Key: "k", Version: 1}}
	if _, err := s.Commit(t.Context(), b); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("a commit that reads what is damaged: %v, want %v", err, kv.ErrCorrupt)
	}
	view := s.Snapshot()
	defer view.Close()
	if _, err := view.Get(t.Context(), "k"); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("a read: %v, want %v", err, kv.ErrCorrupt)
	}
	commits(t, s, puts("l", "2"))
}

// TestDurability: a synced commit is a strict transaction, and so is one that comes again,
// whose refusal is final; others are relaxed.
func TestDurability(t *testing.T) {
	s := openAs(t, newName())
	js.Global().Call("eval", `(() => {
		const was = IDBDatabase.prototype.transaction;
		globalThis.testAsked = [];
		IDBDatabase.prototype.transaction = function (...args) {
			const tx = was.apply(this, args);
			if (tx.mode === "readwrite") testAsked.push(tx.durability);
			return tx;
		};
		globalThis.testAsk = () => { IDBDatabase.prototype.transaction = was; };
	})()`)
	defer js.Global().Call("testAsk")
	for _, b := range []*kv.Batch{{Sync: true}, {}, {Again: true}} {
		b.ID, b.Writes = kv.NewCommitID(0), puts("k", "1").Writes
		commits(t, s, b)
	}
	if got := js.Global().Get("testAsked").Call("join").String(); got != "strict,relaxed,strict" {
		t.Errorf("the transactions are %s, want strict,relaxed,strict", got)
	}
}

// TestNotDurable: a browser that does not say strict is refused, unless that is given up.
func TestNotDurable(t *testing.T) {
	js.Global().Call("eval", `(() => {
		const was = Object.getOwnPropertyDescriptor(IDBTransaction.prototype, "durability");
		Object.defineProperty(IDBTransaction.prototype, "durability", { configurable: true, get: () => "default" });
		globalThis.testDurable = () => Object.defineProperty(IDBTransaction.prototype, "durability", was);
	})()`)
	defer js.Global().Call("testDurable")
	if _, err := Open(t.Context(), newName()); !errors.Is(err, kv.ErrUnusable) {
		t.Errorf("open: %v, want %v", err, kv.ErrUnusable)
	}
	openAs(t, newName(), WithoutSync())
}

// TestPersisted: the store tells where it stands.
func TestPersisted(t *testing.T) {
	kept, err := openAs(t, newName()).Persisted(t.Context())
	if err != nil {
		t.Error(err)
	}
	t.Logf("the browser has promised to keep the data: %v", kept)
}
