package group_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

const room = matrix.RoomID("!room:example.org")

type inboundName struct {
	room matrix.RoomID
	id   group.SessionID
}

// inbounds stores records as a machine does.
var inbounds = txn.JoinRecord[inboundName, group.Inbound]{Record: txn.Record[inboundName, group.Inbound]{
	Kind: "group-in", Codec: inboundCodec{},
	Name: func(in group.Inbound) inboundName { return inboundName{in.Room(), in.ID()} },
	Path: func(n inboundName) txn.Path { return txn.PathOf(string(n.room), n.id.String()) },
}}

type inboundCodec struct{}

func (inboundCodec) Append(dst []byte, in group.Inbound) ([]byte, error) {
	b, err := in.Encode()
	return append(dst, b...), err
}

func (inboundCodec) Decode(b []byte) (group.Inbound, error) { return group.DecodeInbound(b) }

func openDB(store kv.Store) *txn.DB { return txn.New(store, txn.WithSealer(txn.Plaintext)) }

func storedInbound(t *testing.T, db *txn.DB, id group.SessionID) group.Inbound {
	t.Helper()
	in, err := txn.View(context.Background(), db, func(tx *txn.Tx) (group.Inbound, error) {
		in, _, err := inbounds.Get(tx, inboundName{room, id})
		return in, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func inboundOf(t *testing.T, k group.Key, index uint32, p group.Provenance) group.Inbound {
	t.Helper()
	k, err := k.Advance(index)
	if err != nil {
		t.Fatal(err)
	}
	in, err := group.NewInbound(room, group.NewCopy(k, group.Source{Provenance: p}))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func newSender(t *testing.T, seed byte) group.Sender {
	t.Helper()
	s, err := group.NewSender(rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConcurrentImports: none of those who did not read runs twice, and the
// earliest copy of each provenance stays, whoever was last.
func TestConcurrentImports(t *testing.T) {
	store := memkv.New()
	defer store.Close()
	k := newSender(t, 1).Key()
	var all sync.WaitGroup
	for i := range uint32(24) {
		in := inboundOf(t, k, 7*i, group.Provenance(1+i%5))
		all.Go(func() {
			runs := 0
			_, err := txn.Do(context.Background(), openDB(store), func(tx *txn.Tx) (int, error) {
				runs++
				return 0, inbounds.Join(tx, in)
			})
			if err != nil || runs != 1 {
				t.Errorf("an import ran %d times, %v", runs, err)
			}
		})
	}
	all.Wait()
	got := storedInbound(t, openDB(store), k.ID()).Copies()
	want := map[group.Provenance]uint32{group.Direct: 28, group.Forwarded: 21, group.Bundle: 14, group.Backup: 7, group.File: 0}
	if len(got) != len(want) {
		t.Fatalf("%d copies, want %d", len(got), len(want))
	}
	for _, c := range got {
		if c.Key.Index() != want[c.Provenance] {
			t.Errorf("%v from %d, want %d", c.Provenance, c.Key.Index(), want[c.Provenance])
		}
	}
}

// TestImportThatDoesNotFit: what another process stored meanwhile is of another
// ratchet; the import runs again, keeps what is stored, and knows what it refused.
func TestImportThatDoesNotFit(t *testing.T) {
	store := memkv.New()
	defer store.Close()
	k := newSender(t, 2).Key()
	export, err := k.Export(nil)
	if err != nil {
		t.Fatal(err)
	}
	export[40] ^= 1
	forged, err := group.ParseExportedKey(export)
	if err != nil {
		t.Fatal(err)
	}
	rival := inboundOf(t, k, 3, group.Direct)
	runs := 0
	refused, err := txn.Do(context.Background(), openDB(store), func(tx *txn.Tx) ([]group.Refused, error) {
		if runs++; runs == 1 {
			defer func() {
				if _, err := importKey(openDB(store), rival); err != nil {
					t.Error(err)
				}
			}()
		}
		return mergeInto(tx, inboundOf(t, forged, 0, group.Backup))
	})
	if err != nil || runs != 2 || len(refused) != 1 || refused[0].Stored || refused[0].Provenance != group.Backup {
		t.Fatalf("%d runs, %d refused, %v", runs, len(refused), err)
	}
	if got := storedInbound(t, openDB(store), k.ID()).Copies(); len(got) != 1 || got[0].Provenance != group.Direct {
		t.Errorf("%d copies are stored, want the direct one", len(got))
	}
}

func importKey(db *txn.DB, in group.Inbound) ([]group.Refused, error) {
	return txn.Do(context.Background(), db, func(tx *txn.Tx) ([]group.Refused, error) { return mergeInto(tx, in) })
}

// mergeInto joins a record, and where it does not fit merges it.
func mergeInto(tx *txn.Tx, in group.Inbound) ([]group.Refused, error) {
	err := inbounds.Join(tx, in)
	if !errors.Is(err, txn.ErrApart) {
		return nil, err
	}
	stored, _, err := inbounds.Get(tx, inboundName{in.Room(), in.ID()})
	if err != nil {
		return nil, err
	}
	next, refused, err := stored.Merge(in)
	if err != nil {
		return nil, err
	}
	return refused, inbounds.Put(tx, next)
}
