package records

import (
	"slices"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/txn"
)

// checkUploads: the upload under way has its request. One whose request was set aside
// is given up by the next that looks.
func checkUploads(c *Checkup) {
	u, ok, err := UploadStates.Get(c.Tx)
	if err != nil || !ok || u.Under.Request == (RequestID{}) {
		return
	}
	checkUploaded(c, u)
	if at(c, &Requests, u.Under.Request) == nothing {
		fix := inOne("give the upload up: its keys are never offered again", func(tx *txn.Tx, a *machine.Account) error {
			return endUpload(tx, a, func(u Uploads) (bool, error) {
				_, there, err := Requests.Get(tx, u.Under.Request)
				return !there && err == nil, err
			})
		})
		c.Find(UploadStates.Kind, fix, "the upload under way has no request %s", u.Under.Request)
	}
}

// checkUploaded: no key in the upload under way may be offered again, and all of them
// were made.
func checkUploaded(c *Checkup, u Uploads) {
	pool, ok, err := Pool.Get(c.Tx)
	if err != nil || !ok {
		return // complained of by itself
	}
	for _, id := range append(slices.Clone(u.Under.OneTimeKeys), u.Under.Fallback) {
		if id >= pool.Next() {
			c.Find(UploadStates.Kind, giveUpUpload, "the upload under way has key %s, which was never made", id)
		}
	}
	for e := range pool.Entries() {
		if _, in := slices.BinarySearch(u.Under.OneTimeKeys, e.ID); in && e.Stage == otk.Generated {
			c.Find(UploadStates.Kind, giveUpUpload, "the upload under way has key %s, which may be offered again", e.ID)
		}
	}
}

// endUpload gives the upload under way up if it is to. What was set aside knows of
// none.
func endUpload(tx *txn.Tx, a *machine.Account, gone func(Uploads) (bool, error)) error {
	u, ok, err := UploadStates.Get(tx)
	if machine.IsSetAside(err) {
		return nil
	}
	if err != nil || !ok || u.Under.Request == (RequestID{}) {
		return err
	}
	if is, err := gone(u); err != nil || !is {
		return err
	}
	v, err := a.Active(tx)
	if err != nil {
		return err
	}
	pool, err := PoolOf(tx, a)
	if err != nil {
		return err
	}
	at, err := a.Moment(tx, v, 0)
	if err != nil {
		return err
	}
	request := u.Under.Request
	if pool, u, err = AbandonUpload(pool, u, at.Time); err != nil {
		return err
	}
	if err := DeleteRequest(tx, request); err != nil {
		return err
	}
	return PutUploads(tx, pool, u, at.Order)
}

// recoverUploads gives up the upload under way: it may have arrived in the time that
// was lost. The account's own record ends the recovery in the same commit.
func recoverUploads(tx *txn.Tx, a *machine.Account, done *Recovered) error {
	err := endUpload(tx, a, func(u Uploads) (bool, error) {
		pool, err := ReadPool(tx)
		done.OneTimeKeys += len(OfferedOf(pool, u.Under.OneTimeKeys))
		return true, err
	})
	if machine.IsDamage(err) {
		done.Damaged++
		return nil
	}
	return err
}
