package faulty_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
)

func put(key, value string) *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte(value)}}}
}

func value(t *testing.T, store kv.Store, key string) string {
	t.Helper()
	snap := store.Snapshot()
	defer snap.Close()
	entries, err := snap.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(entries[0].Value)
}

func TestCommitFaults(t *testing.T) {
	for _, c := range []struct {
		fault   faulty.Fault
		want    error
		applied bool // before the next call
		retried error
	}{
		{faulty.None, nil, true, nil},
		{faulty.AppliedUnknown, kv.ErrUnknown, true, nil},
		{faulty.AppliedCanceled, context.Canceled, true, nil},
		{faulty.LostUnknown, kv.ErrUnknown, false, nil},
		{faulty.LateUnknown, kv.ErrUnknown, false, nil},
		{faulty.Conflict, kv.ErrConflict, false, nil},
		{faulty.Unavailable, kv.ErrUnavailable, false, nil},
		{faulty.DiskFull, kv.ErrDiskFull, false, nil},
		{faulty.Corrupt, kv.ErrCorrupt, false, nil},
		{faulty.Canceled, context.Canceled, false, nil},
	} {
		inner := memkv.New()
		store := faulty.Commits(inner, c.fault)
		b := put("k", "v")
		if _, err := store.Commit(t.Context(), b); !errors.Is(err, c.want) {
			t.Errorf("fault %d: error %v, want %v", c.fault, err, c.want)
		}
		if applied := value(t, inner, "k") == "v"; applied != c.applied {
			t.Errorf("fault %d: applied %v, want %v", c.fault, applied, c.applied)
		}
		if version, err := store.Commit(t.Context(), b); version != 1 || err != nil {
			t.Errorf("fault %d: the identical batch again: version %d, %v", c.fault, version, err)
		}
	}
}

func TestLateCommitArrivesBeforeTheNextCall(t *testing.T) {
	inner := memkv.New()
	store := faulty.Commits(inner, faulty.LateUnknown)
	b := put("k", "v")
	if _, err := store.Commit(t.Context(), b); !errors.Is(err, kv.ErrUnknown) {
		t.Fatal(err)
	}
	b.Writes[0].Value[0] = 'x' // the batch is the caller's again
	if got := value(t, inner, "k"); got != "" {
		t.Fatalf("applied at once: %q", got)
	}
	if got := value(t, store, "k"); got != "v" {
		t.Fatalf("after the next call began: %q, want v", got)
	}
}

// TestHeldCommitArrivesAfterItsSecondTry: the store that is wrapped decides what
// becomes of it then.
func TestHeldCommitArrivesAfterItsSecondTry(t *testing.T) {
	inner := memkv.New()
	store := faulty.Commits(inner, faulty.HeldUnknown)
	b := put("k", "v")
	b.Reads = []kv.Read{{Key: "in the way"}}
	if _, err := store.Commit(t.Context(), b); !errors.Is(err, kv.ErrUnknown) {
		t.Fatal(err)
	}
	if _, err := inner.Commit(t.Context(), put("in the way", "1")); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Commit(t.Context(), b); !errors.Is(err, kv.ErrConflict) { // without Again
		t.Fatal(err)
	}
	gone := put("in the way", "")
	gone.Writes[0].Delete = true
	if _, err := store.Commit(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if got := value(t, inner, "k"); got != "" {
		t.Fatalf("arrived before the next call: %q", got)
	}
	if got := value(t, store, "k"); got != "v" {
		t.Fatalf("after the next call began: %q, want v", got)
	}
}

func TestCancelAtEachStage(t *testing.T) {
	for _, stage := range []faulty.Stage{faulty.BeforeCall, faulty.AfterCall} {
		var errs []error
		for n := 1; ; n++ {
			ctx, cancel := context.WithCancel(t.Context())
			store, reached := faulty.CancelAt(memkv.New(), n, stage, cancel)
			_, first := store.Snapshot().Get(ctx, "k")
			_, second := store.Commit(ctx, put("k", "v"))
			cancel()
			if !reached() {
				break
			}
			errs = append(errs, first, second)
		}
		canceled := context.Canceled
		want := []error{canceled, canceled, nil, canceled}
		if stage == faulty.AfterCall {
			want = []error{nil, canceled, nil, nil}
		}
		if !slices.Equal(errs, want) {
			t.Errorf("stage %d: errors %v, want %v", stage, errs, want)
		}
	}
}

func TestHooksSeeEveryCall(t *testing.T) {
	var trace faulty.Trace
	store := trace.Wrap(memkv.New())
	ctx, cancel := context.WithCancel(t.Context())
	snap := store.Snapshot()
	for _, err := range snap.Scan(ctx, "") {
		t.Fatal(err)
	}
	if _, err := snap.Version(ctx); err != nil {
		t.Fatal(err)
	}
	turn, err := store.Turn(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	turn.Release()
	cancel()
	for _, err := range store.Watch(ctx, "", 0) {
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if want := []faulty.Op{faulty.Scan, faulty.Version, faulty.Turn, faulty.Watch}; !slices.Equal(trace.Ops(), want) {
		t.Fatalf("trace %v, want %v", trace.Ops(), want)
	}
}

func TestALostTurnIsReleased(t *testing.T) {
	inner := memkv.New()
	store := faulty.Wrap(inner, faulty.Hooks{After: func(_ context.Context, call faulty.Call, _ error) error {
		if call.Op == faulty.Turn {
			return kv.ErrUnavailable
		}
		return nil
	}})
	if _, err := store.Turn(t.Context(), "k"); !errors.Is(err, kv.ErrUnavailable) {
		t.Fatal(err)
	}
	turn, err := inner.Turn(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	turn.Release()
}
