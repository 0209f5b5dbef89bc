package keys

import (
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/txn"
)

// Mark is how far uploads had come when a request to the server began. What its
// response says of keys counts only if no upload has ended since, and none was under
// way. The zero Mark is that of an account that never uploaded anything.
type Mark struct {
	Ended uint64
	Under bool // one was under way, or nobody knows
}

// Began returns the mark for a request that begins now.
func Began(tx *txn.Tx) (Mark, error) {
	u, _, err := records.UploadStates.Get(tx)
	if machine.IsDamage(err) {
		return Mark{Under: true}, nil
	}
	if machine.IsSetAside(err) {
		u, err = records.ReadUploads(tx, otk.Pool{})
	}
	return Mark{u.Ended, u.Under.Request != records.RequestID{}}, err
}

// SawCounts applies what a response says of the account's keys: how many one-time
// keys of signed_curve25519 the server has, and of which algorithms a fallback key
// there that was not used. nil says nothing. It is for the transaction that applies
// the response, and writes only if something follows. Where the record of uploads
// is damaged, nothing is: the log says so.
func SawCounts(tx *txn.Tx, a *machine.Account, _ account.Account, since Mark, count *int, unused []string) error {
	s, err := read(tx, a, a.ActiveRaised)
	if machine.IsDamage(err) {
		a.Store.Tell(tx, []error{err})
		return nil
	}
	u := s.uploads
	if err != nil || since.Under || since.Ended != u.Ended {
		return err
	}
	if count != nil {
		u.Counted, u.Count = true, min(max(*count, 0), records.MaxCount)
		if u.Retry = 0; u.Count >= records.UploadedKeys {
			u.Unsure = 0 // nothing is to be tried again
		}
		if u.Refused == 0 && u.Unsure < patience {
			u.Pause = records.Period{} // it was one for who did not know
		}
	}
	current, _ := s.pool.Fallbacks()
	if unused != nil && current.Published && !slices.Contains(unused, "signed_curve25519") {
		u.Used = current.ID
	}
	if was := s.uploads; u.Counted == was.Counted && u.Count == was.Count && u.Used == was.Used && u.Unsure == was.Unsure && u.Pause == was.Pause {
		return nil
	}
	return records.UploadStates.Put(tx, u)
}

// SawPushed is SawCounts for what a server pushes to an application service. Nobody
// knows when that was so: it may be older than any upload. A count that is not full
// is a reason to ask the server, which the next upload does, and no more.
func SawPushed(tx *txn.Tx, a *machine.Account, count *int, unused []string) error {
	s, err := read(tx, a, a.ActiveRaised)
	if machine.IsDamage(err) {
		a.Store.Tell(tx, []error{err})
		return nil
	}
	u := s.uploads
	if err != nil || u.Under.Request != (records.RequestID{}) {
		return err
	}
	if count != nil && *count < records.UploadedKeys && (!u.Counted || u.Count >= records.UploadedKeys) {
		u.Counted, u.Count, u.Unsure = false, 0, max(u.Unsure, 2)
	}
	current, _ := s.pool.Fallbacks()
	if unused != nil && current.Published && !slices.Contains(unused, "signed_curve25519") {
		u.Used = current.ID
	}
	if was := s.uploads; u.Counted == was.Counted && u.Unsure == was.Unsure && u.Used == was.Used {
		return nil
	}
	return records.UploadStates.Put(tx, u)
}
