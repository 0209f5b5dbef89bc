package port

import (
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/testfiles"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// recordVector is a record of a kind. Fields are for other programs: what they say is
// what msgpack reads in the record, which the makers of the file looked at.
type recordVector struct {
	Name, Kind, Expect string
	Record             testfiles.Hex
	Fields             any
}

// TestRecords: each record is read by the program as its outcome says, in a store of its
// own; there are some of every kind, and some of each kind are refused.
func TestRecords(t *testing.T) {
	testfiles.RunIn(t, root+"/vectors/records", testfiles.Kinds{"pawl-record": readRecords}, map[string][]error{
		"accepted": nil, "format": {kv.ErrCorrupt}, "newer": {kv.ErrNewer},
	})
}

func readRecords(t *testing.T, f testfiles.Vectors) {
	kinds := map[string]*records.Stored{}
	for _, k := range records.Kinds() {
		if k.Records != nil { // one is a rule alone
			kinds[k.Records.Kind] = k.Records
		}
	}
	seen := map[string]map[string]int{}
	for _, v := range testfiles.List[recordVector](t, f) {
		if seen[v.Kind] == nil {
			seen[v.Kind] = map[string]int{}
		}
		seen[v.Kind][v.Expect]++
		t.Run(v.Name, func(t *testing.T) {
			switch v.Kind {
			case "witness", "witnessed":
				f.Want(t, v.Expect, opening(t, v))
			case "unmarked":
				_, err := machine.UnmarkedAccounts.Codec.Decode(v.Record)
				f.Want(t, v.Expect, asStored(err))
			default:
				f.Want(t, v.Expect, stored(t, kinds[v.Kind], v))
			}
			if v.Expect == "accepted" && v.Fields == nil {
				t.Error("there are no fields")
			}
		})
	}
	kinds["witness"], kinds["witnessed"], kinds["unmarked"] = nil, nil, nil // of no account
	for kind := range kinds {
		if n := seen[kind]; n["accepted"] == 0 || n["format"] == 0 || n["newer"] == 0 {
			t.Errorf("of kind %s there are %v vectors: go test -run TestRecordVectors . -records.make", kind, n)
		}
	}
}

// opening puts a record that is read when a store is opened into one, and opens that. The
// generation must be there where somebody witnesses it.
func opening(t *testing.T, v recordVector) error {
	t.Helper()
	r := ringOf(t)
	ring, err := seal.Open(r.Record, seal.RawKey(r.Key))
	if err != nil {
		t.Fatal(err)
	}
	puts := func(path string, record []byte) kv.Write {
		return kv.Write{Key: path, Value: ring.Seal(nil, path, record)}
	}
	writes := []kv.Write{{Key: "_/keyring", Value: txn.Plaintext.Seal(nil, "_/keyring", r.Record)}, puts("_/"+v.Kind, v.Record)}
	if v.Kind == "witnessed" {
		writes = append(writes, puts("_/witness", []byte{1, 0x91, 1}))
	}
	store := memkv.New()
	if _, err := store.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: writes}); err != nil {
		t.Fatal(err)
	}
	s, err := pawl.Open(t.Context(), store, pawl.WithKey(r.Key))
	if err != nil {
		return err
	}
	found, err := s.Check(t.Context()) // opening goes on without what is damaged
	if len(found) > 0 {
		err = fmt.Errorf("%w: %v", kv.ErrCorrupt, found)
	}
	return err
}

// asStored is the error of decoding as that of reading a record in a store.
func asStored(err error) error {
	if err != nil && !errors.Is(err, kv.ErrNewer) {
		return fmt.Errorf("%w: %w", kv.ErrCorrupt, err)
	}
	return err
}

// stored puts a record into a store and returns what the program says of it. A nil kind
// is that of accounts, which every call reads.
func stored(t *testing.T, kind *records.Stored, v recordVector) error {
	t.Helper()
	ring, _, err := seal.Create(rand.Reader, seal.RawKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	store := memkv.New()
	s := &machine.Store{DB: txn.New(store, txn.WithSealer(ring))}
	a := s.Account(machine.AccountName{User: "@alice:example.org", Device: "PHONE"})
	own, shared := a.DB.Scope()
	for _, scope := range []string{own, shared} { // Whichever the kind is of.
		for _, name := range []string{"", "/" + ring.Blind("name")} { // one record of it, or many
			key := scope + "/" + v.Kind + name
			b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: ring.Seal(nil, key, v.Record)}}}
			if _, err := store.Commit(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err = txn.Do(t.Context(), a.DB, func(tx *txn.Tx) (int, error) {
		if kind == nil {
			for _, err := range machine.Accounts.Scan(tx) {
				return 0, err
			}
		}
		var damaged machine.Damages
		n, err := kind.Count(tx, &damaged)
		switch {
		case err == nil && damaged.Len() > 0:
			return 0, kv.ErrCorrupt
		case err == nil && n == 0:
			t.Error("the record was not read")
		}
		return n, err
	})
	return err
}
