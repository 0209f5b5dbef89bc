package records_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/lineage"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// What follows until the first test is a kind of record as its file would be:
// notes on peers, each of which names one.

type note struct {
	Number  int
	Peer    ratchet.PublicKey
	Written time.Time
	Lost    bool // what it says may be older than it looks
}

var notes = txn.Record[int, note]{
	Kind: "note", Codec: txn.Msgpack[note](1),
	Name: func(n note) int { return n.Number },
	Path: func(number int) txn.Path { return txn.PathOf(time.Duration(number).String()) },
}

var noteShare = machine.Share{Bytes: 256, Writes: 1, Checks: 2}

var noteKind = records.Kind{
	Records: records.Many(&notes),
	Check: func(c *records.Checkup) {
		for n, err := range notes.Scan(c.Tx) {
			if _, known, _ := records.Peers.Get(c.Tx, n.Peer); err == nil && !known {
				c.Find("note", nil, "note %d is on nobody", n.Number)
			}
		}
	},
	Sweep: func(ctx context.Context, s *records.Sweep) error {
		old := func(_ *txn.Tx, n note) (bool, error) { return s.Now.Sub(n.Written) >= time.Hour, nil }
		_, err := machine.Delete(&notes, noteShare, &s.Damaged, old).All(ctx, s.Account)
		return err
	},
	Inspect: func(tx *txn.Tx, _ *machine.Account, out *records.Inspection, _ *machine.Damages) error {
		for n, err := range notes.Scan(tx) {
			if err != nil {
				return err
			}
			if n.Lost {
				out.Records["lost note"]++
			}
		}
		return nil
	},
	Recover: func(ctx context.Context, r *records.Recovery) error {
		_, err := machine.Change[int, note]{
			Records: &notes, Each: noteShare,
			If: func(_ *txn.Tx, n note) (bool, error) { return !n.Lost, nil },
			Do: func(tx *txn.Tx, n note) error {
				n.Lost = true
				return notes.Put(tx, n)
			},
		}.All(ctx, r.Account)
		return err
	},
	FinishRecovery: func(tx *txn.Tx, a *machine.Account, _ *records.Recovered) error {
		return notes.Put(tx, note{Number: 0, Peer: somebody, Written: a.Store.Now()})
	},
}

var somebody = ratchet.PublicKey{7}

// TestNewKind: a kind that is added to the table is found in all four loops.
func TestNewKind(t *testing.T) {
	a := newAccount(t)
	kinds := append(records.Kinds(), noteKind)
	began := time.Now()
	const many = 2 * kv.FloorWrites // more than one commit takes here
	do(t, a, func(tx *txn.Tx) error { return records.Peers.Put(tx, session.NewPeer(somebody)) })
	for i := range many {
		do(t, a, func(tx *txn.Tx) error {
			return notes.Put(tx, note{Number: i + 1, Peer: somebody, Written: began})
		})
	}
	wantBroken(t, a, kinds)
	wantRecords(t, a, kinds, "note", many)

	if _, err := lineage.Recover(t.Context(), a, kinds); err != nil {
		t.Fatal(err)
	}
	wantRecords(t, a, kinds, "lost note", many)
	wantRecords(t, a, kinds, "note", many+1) // the one with which the recovery ended

	do(t, a, func(tx *txn.Tx) error {
		return notes.Put(tx, note{Number: many + 1, Written: began.Add(2 * time.Hour)})
	})
	wantBroken(t, a, kinds, "note 201 is on nobody")
	do(t, a, func(tx *txn.Tx) error {
		misnamed := notes
		misnamed.Name = func(note) int { return 500 }
		return misnamed.Put(tx, note{Number: 501, Peer: somebody, Written: began.Add(2 * time.Hour)})
	})
	wantBroken(t, a, kinds, "note 201 is on nobody", "is stored under another name")
	check := func(ctx context.Context) ([]records.Finding, error) { return upkeep.Check(ctx, a, kinds) }
	if _, err := upkeep.Repair(t.Context(), a, check); err != nil {
		t.Fatal(err)
	}
	wantBroken(t, a, kinds, "note 201 is on nobody") // the kind has no repair for that
	wantRecords(t, a, kinds, "aside", 1)

	if _, err := upkeep.Sweep(t.Context(), a, kinds, began.Add(90*time.Minute)); err != nil {
		t.Fatal(err)
	}
	wantRecords(t, a, kinds, "note", 1)
}

// TestKindsNameOthersFirst: the order that sweeping rests on. Marks go when what
// they name is gone.
func TestKindsNameOthersFirst(t *testing.T) {
	var order []string
	for _, k := range records.Kinds() {
		if k.Records != nil {
			order = append(order, k.Records.Kind)
		}
	}
	want := []string{
		"sweep", "receipt", "peer", "session", "uploads", "otk-pool", "otk",
		"outdated", "user", "tracking", "own-signature", "identity", "device", "owner",
		"mark",
		"unsettled", "replay", "group-in", "withholder", "withheld", "no-olm", "wedge", "unheard",
		"group-shared", "group-old", "group-out", "member", "room", "room-changes", "told-no-olm",
		"sender", "refused-list", "refused", "unread-list", "unread", "sync",
		"key-request", "key-answer", "key-notice", "reach", "request", "request-body",
		"aside", "import", "extra",
	}
	if !slices.Equal(order, want) {
		t.Errorf("the kinds are %q, want %q", order, want)
	}
}

func newAccount(t *testing.T) *machine.Account {
	t.Helper()
	tools := machine.Tools{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	engine := memkv.New(memkv.WithLimits(kv.Floor()))
	s, err := machine.Open(t.Context(), engine, seal.RawKey([32]byte{1}), tools)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Create(t.Context(), machine.AccountName{User: "@alice:example.org", Device: "DEVICE"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func do(t *testing.T, a *machine.Account, fn func(tx *txn.Tx) error) {
	t.Helper()
	if err := a.Do(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func wantBroken(t *testing.T, a *machine.Account, kinds []records.Kind, want ...string) {
	t.Helper()
	found, err := upkeep.Check(t.Context(), a, kinds)
	says := slices.EqualFunc(found, want, func(f records.Finding, want string) bool { return strings.Contains(f.Broken, want) })
	if err != nil || !says {
		t.Errorf("check finds %v, error %v; want %q", found, err, want)
	}
}

func wantRecords(t *testing.T, a *machine.Account, kinds []records.Kind, kind string, want int) {
	t.Helper()
	in, err := upkeep.Inspect(t.Context(), a, kinds)
	if err != nil || in.Records[kind] != want {
		t.Errorf("inspect counts %d of kind %q, error %v; want %d", in.Records[kind], kind, err, want)
	}
}
