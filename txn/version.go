package txn

import "github.com/pawlkv/pawl/kv"

// Version returns that of the view from which this attempt reads: one at which
// all that it has read from the store stood, so at least that of every commit
// before the attempt began. It is a round trip only if nothing was read from the
// store yet. It is not validated: what the attempt writes may have been overtaken
// by commits that it does not conflict with.
func (tx *Tx) Version() (kv.Version, error) {
	if tx.done.Load() {
		return 0, ErrDone
	}
	if tx.fault != nil {
		return 0, tx.fault
	}
	tx.fixed = true
	return tx.idVersionOf(tx.snap)
}
