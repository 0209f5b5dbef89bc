package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/txn"
)

// MaxUpload is how many one-time keys one upload may carry.
const MaxUpload = 1000

// ErrCount: see package pawl.
var ErrCount = fmt.Errorf("pawl: number of one-time keys must be 0 to %d", MaxUpload)

// Upload is a body for POST /_matrix/client/v3/keys/upload, and what is in it.
type Upload struct {
	Body        json.RawMessage
	OneTimeKeys []otk.ID // in Body, offered now
	Fallback    otk.ID   // in Body
	Evicted     []otk.ID // dropped to stay within otk.MaxKeys
}

// each is what offering a key takes of a commit, if another is dropped for it.
var each = machine.Share{Bytes: 512, Writes: 2, Checks: 1}

// Offer returns an upload body with n one-time keys, making those that are
// missing, and with the fallback key. It commits that the keys are offered
// before it returns, in as many commits as the engine needs. When a later one
// fails, the keys of those before stay offered, and Outstanding has them.
func Offer(ctx context.Context, a *machine.Account, n int) (Upload, error) {
	if n < 0 || n > MaxUpload {
		return Upload{}, ErrCount
	}
	o := offer{account: a, most: a.Store.PerCommit(each)}
	for {
		made, err := txn.Do(ctx, a.DB, func(tx *txn.Tx) (offer, error) { return o.more(tx, n-len(o.keys)) })
		switch {
		case errors.Is(err, errFull):
			// What was used takes the place of what is dropped otherwise.
			if _, err := records.ForgetUsed(ctx, a); err != nil {
				return Upload{}, err
			}
			o.tidy = true
		case err != nil:
			return Upload{}, err
		case made.upload.Body != nil:
			return made.upload, nil
		default:
			o = made
		}
	}
}

// errFull ends an attempt that would drop keys before the used ones are
// forgotten.
var errFull = errors.New("pawl: the pool is full")

// offer is an upload being made: what is committed of it.
type offer struct {
	account *machine.Account
	most    int         // keys in one commit
	keys    []otk.Entry // offered so far
	upload  Upload      // its body comes last
	tidy    bool        // the pool was made to forget the used keys
}

// more offers so many keys, or those of them that one commit takes. It returns
// the offer as it is once that is committed, with the body if these are all.
func (o offer) more(tx *txn.Tx, n int) (offer, error) {
	a := o.account
	if err := tx.Prefetch(a.Ref(), records.Pool.Ref()); err != nil {
		return o, err
	}
	v, err := a.Sending(tx)
	if err != nil {
		return o, err
	}
	pool, err := records.PoolOf(tx, a)
	if err != nil {
		return o, err
	}
	now := a.Store.Now()
	pool = pool.CurrentBack(now)
	some := min(n, o.most)
	pool, lost, err := withholdDamaged(tx, a, pool, now)
	if err != nil {
		return o, err
	}
	if pool, err = o.generate(tx, pool, some-pool.Count(otk.Generated), now); err != nil {
		return o, err
	}
	switch {
	case lost != nil:
		pool, err = records.ReplaceLostFallback(tx, a, pool, now, lost)
	case pool.FallbackDue(v.Lineage().KeysFrom, now):
		pool, err = records.ReplaceFallback(tx, a, pool, now)
	}
	if err != nil {
		return o, err
	}
	pool, offered := pool.Offer(some, now)
	o.keys = slices.Concat(o.keys, offered)
	if some == n {
		pool = pool.SendFallback(now)
		if err := o.write(v, pool); err != nil {
			return o, err
		}
	}
	return o, records.Pool.Put(tx, pool)
}

// withholdDamaged keeps keys that were made before and cannot be read from being
// offered: what peers encrypt with them could not be read either. It says why the
// current fallback key cannot be read, if it is one.
func withholdDamaged(tx *txn.Tx, a *machine.Account, pool otk.Pool, now time.Time) (_ otk.Pool, fallback, err error) {
	current, _ := pool.Fallbacks()
	gone, err := records.GoneOf(tx, func(yield func(otk.Entry) bool) {
		if current.ID != 0 && !yield(otk.Entry{ID: current.ID, Public: current.Public}) {
			return
		}
		for e := range pool.Entries() {
			if e.Stage == otk.Generated && !yield(e) {
				return
			}
		}
	})
	a.Store.Tell(tx, gone.Why.All())
	if slices.Contains(gone.Damaged, current.Public) {
		fallback = gone.Why.All()[0] // it was asked for first
	}
	return pool.Withhold(now, gone.Damaged...), fallback, err
}

// write makes the body.
func (o *offer) write(v account.Account, pool otk.Pool) (err error) {
	current, _ := pool.Fallbacks()
	o.upload.OneTimeKeys, o.upload.Fallback = ids(o.keys), current.ID
	o.upload.Body, err = v.UploadBody(true, o.keys, current)
	return err
}

// generate makes n new one-time keys, dropping old ones where there is no
// place for them.
func (o *offer) generate(tx *txn.Tx, pool otk.Pool, n int, now time.Time) (otk.Pool, error) {
	if n <= 0 {
		return pool, nil
	}
	pool, dropped := pool.Evict(n, now)
	if len(dropped) > 0 && !o.tidy {
		return pool, errFull
	}
	if err := o.drop(tx, dropped); err != nil {
		return pool, err
	}
	pool, made, err := pool.Generate(o.account.Store.Rand, n, now)
	if err != nil {
		return pool, err
	}
	for _, k := range made {
		if err := records.Keys.Put(tx, k); err != nil {
			return pool, err
		}
	}
	return pool, nil
}

// drop deletes what the pool has no place for. A key that was used a moment
// ago leaves its tombstone, and one that cannot be read is left for repair.
func (o *offer) drop(tx *txn.Tx, dropped []otk.Entry) error {
	gone, err := records.GoneOf(tx, slices.Values(dropped))
	if err != nil {
		return err
	}
	for _, e := range dropped {
		if slices.Contains(gone.Used, e.Public) {
			continue
		}
		o.upload.Evicted = append(slices.Clip(o.upload.Evicted), e.ID)
		if slices.Contains(gone.Damaged, e.Public) {
			continue
		}
		if err := records.Keys.Delete(tx, e.Public); err != nil {
			return err
		}
	}
	return nil
}

func ids(entries []otk.Entry) []otk.ID {
	var ids []otk.ID
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	return ids
}
