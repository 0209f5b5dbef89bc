package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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

// Offer returns an upload body with n one-time keys, making those that are
// missing, and with the fallback key. It commits that the keys are offered
// before it returns, in as many commits as the engine needs. When a later one
// fails, the keys of those before stay offered, and Outstanding has them.
func Offer(ctx context.Context, a *machine.Account, n int) (Upload, error) {
	if n < 0 || n > MaxUpload {
		return Upload{}, ErrCount
	}
	o := offer{supply: supply{account: a}, most: a.Store.PerCommit(each)}
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

// offer is an upload being made: what is committed of it.
type offer struct {
	supply
	most   int         // keys in one commit
	keys   []otk.Entry // offered so far
	upload Upload      // its body comes last
}

// more offers so many keys, or those of them that one commit takes. It returns
// the offer as it is once that is committed, with the body if these are all.
func (o offer) more(tx *txn.Tx, n int) (offer, error) {
	a := o.account
	if err := tx.Prefetch(a.Ref(), records.Pool.Ref(), records.UploadStates.Ref()); err != nil {
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
	used, err := usedFallback(tx)
	if err != nil {
		return o, err
	}
	if pool, err = freshFallback(tx, a, pool, v.Lineage().KeysFrom, used, lost, now); err != nil {
		return o, err
	}
	pool, offered := pool.Offer(some, now)
	o.keys = slices.Concat(o.keys, offered)
	if some == n {
		current, _ := pool.Fallbacks()
		if current.ID == used { // it would be called unused if it came again
			current = otk.Fallback{}
		} else {
			pool = pool.SendFallback(now)
		}
		if err := o.write(v, current); err != nil {
			return o, err
		}
	}
	return o, records.Pool.Put(tx, pool)
}

// usedFallback returns the last fallback key of which the server said that it was
// used. What cannot be read says nothing.
func usedFallback(tx *txn.Tx) (otk.ID, error) {
	u, _, err := records.UploadStates.Get(tx)
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		return 0, nil
	}
	return u.Used, err
}

// write makes the body.
func (o *offer) write(v account.Account, current otk.Fallback) (err error) {
	o.upload.OneTimeKeys, o.upload.Fallback, o.upload.Evicted = ids(o.keys), current.ID, o.dropped
	o.upload.Body, err = v.UploadBody(true, o.keys, current)
	return err
}
