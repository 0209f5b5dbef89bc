package outbox_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// unraised is a store that an older program has open.
type unraised struct{ kv.Store }

// Raise implements kv.Raiser.
func (unraised) Raise(context.Context) (kv.Format, error) { return kv.Format1, nil }

// harm changes, or removes, what is stored of a request.
func (d *device) harm(key string, value []byte) {
	d.Helper()
	w := kv.Write{Key: key, Value: value, Delete: value == nil}
	if _, err := d.kv.Commit(d.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{w}}); err != nil {
		d.Fatal(err)
	}
}

// keysOf returns the keys of a request and of its body.
func (d *device) keysOf(id outbox.ID) (keys [2]string) {
	d.Helper()
	d.must(d.account.Do(d.Context(), func(tx *txn.Tx) (err error) {
		if keys[0], err = records.Requests.Key(tx, id); err == nil {
			keys[1], err = records.RequestBodies.Key(tx, id)
		}
		return err
	}))
	return keys
}

// TestDamage: a request that cannot be read, or whose body cannot, keeps no other
// from being sent, also not one that comes after it; and repair gives it up.
func TestDamage(t *testing.T) {
	for name, value := range map[string][]byte{"missing": nil, "changed": []byte("damaged"), "emptied": {}} {
		for record, what := range []string{"request", "body"} {
			d := newDevice(t, memkv.WithLimits(kv.Floor()))
			ids := d.add(message(1), message(2))
			n := message(3)
			n.After = []outbox.ID{ids[1]}
			ids = append(ids, d.add(n)...)
			d.harm(d.keysOf(ids[1])[record], value)
			known := []outbox.ID{ids[0]} // a request that can be read holds up others
			if what == "request" {
				known = append(known, ids[2])
			}
			got, err := d.box().Outgoing(t.Context())
			quiet := what == "request" && name == "missing" // nothing names it
			if !slices.Equal(idsOf(got), known) || errors.Is(err, kv.ErrCorrupt) == quiet {
				t.Errorf("%s %s: %v, %v; want %v", what, name, idsOf(got), err, known)
			}
			before := d.stored()
			if err := d.box().MarkSent(t.Context(), ids[1], []byte(`{}`)); !errors.Is(err, kv.ErrCorrupt) && !quiet {
				t.Errorf("%s %s: %v for the answer", what, name, err)
			}
			if after := d.stored(); len(after) != len(before) {
				t.Errorf("%s %s: the answer changes something", what, name)
			}
			d.repaired(what + " " + name)
			d.now = d.now.Add(outbox.LeaseLife)
			d.wantOut(d.box(), ids[0], ids[2])
			if err := d.box().MarkSent(t.Context(), ids[1], []byte(`{}`)); !errors.Is(err, outbox.ErrNoRequest) {
				t.Errorf("%s %s, repaired: %v for the answer", what, name, err)
			}
		}
	}
}

// repaired wants check to find something, and nothing after repair.
func (d *device) repaired(what string) {
	d.Helper()
	check := func(ctx context.Context) ([]records.Finding, error) {
		return upkeep.Check(ctx, d.account, records.Kinds())
	}
	found, err := upkeep.Repair(d.Context(), d.account, check)
	d.must(err)
	if len(found) == 0 {
		d.Errorf("%s: check finds nothing", what)
	}
	if found, err = check(d.Context()); len(found) > 0 || err != nil {
		d.Errorf("%s, repaired: check finds %v, %v", what, found, err)
	}
}
