package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// device is Bob's account while his store is prepared, and how its records are
// sealed.
type device struct {
	account account.Account
	ring    seal.Keyring
	scope   string     // the segment that his account's keys begin with
	entries []kv.Entry // of the account without sessions
	keys    []ratchet.PublicKey
	known   []acquaintance // whose sessions are yet to be written
}

// newDevice makes Bob's account, which does something before its entries are taken.
func newDevice(ctx context.Context, seed uint64, does func(*device, *pawl.Machine) error) (d device, err error) {
	engine := memkv.New()
	defer engine.Close()
	store, err := pawl.Open(ctx, engine, storeKey(), pawl.WithRand(source(seed, "bob", 0)))
	if err != nil {
		return d, err
	}
	m, err := store.Create(ctx, bobUser, bobDevice)
	if err != nil {
		return d, err
	}
	if err := does(&d, m); err != nil {
		return d, err
	}
	snap := engine.Snapshot()
	defer snap.Close()
	for e, err := range snap.Scan(ctx, "") {
		if err != nil {
			return d, err
		}
		d.entries = append(d.entries, e)
	}
	return d, d.unseal()
}

// offering returns what uploads n one-time keys; see offer.
func offering(ctx context.Context, n int) func(*device, *pawl.Machine) error {
	return func(d *device, m *pawl.Machine) error { return d.offer(ctx, m, n) }
}

// offer uploads one-time keys, as many at a time as an upload takes. One upload
// at least makes the pool's record.
func (d *device) offer(ctx context.Context, m *pawl.Machine, n int) error {
	for first := true; first || n > 0; first = false {
		upload, err := m.KeysForUpload(ctx, min(n, pawl.MaxUploadKeys))
		if err != nil {
			return err
		}
		keys, err := uploaded(upload)
		if err != nil {
			return err
		}
		d.keys = append(d.keys, keys...)
		n -= len(keys)
		if err := m.MarkPublished(ctx, upload); err != nil {
			return err
		}
	}
	return nil
}

// unseal finds in Bob's entries what is needed to make more of them.
func (d *device) unseal() (err error) {
	find := func(part string) (kv.Entry, error) {
		i := slices.IndexFunc(d.entries, func(e kv.Entry) bool { return strings.Contains(e.Key, part) })
		if i < 0 {
			return kv.Entry{}, fmt.Errorf("workload: Bob's store has no %q", part)
		}
		return d.entries[i], nil
	}
	ring, err1 := find("/keyring")
	pool, err2 := find("/otk-pool")
	own, err3 := find("/account/")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	record, err := txn.Plaintext.Open(nil, ring.Key, ring.Value)
	if err != nil {
		return err
	}
	if d.ring, err = seal.Open(record, seal.RawKey([32]byte{})); err != nil {
		return err
	}
	d.scope, _, _ = strings.Cut(pool.Key, "/")
	plain, err := d.ring.Open(nil, own.Key, own.Value)
	if err != nil {
		return err
	}
	d.account, err = account.Decode(plain)
	return err
}
