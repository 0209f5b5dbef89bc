package txn

import (
	"fmt"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// compare validates what an attempt read that is more than one commit checks
// ([kv.Limits]): it reads all of it again, and everything in that one view is
// as it was, or the attempt was lost. So what is only looked at may be of any
// size. The outcomes are those of a commit that writes nothing.
func (t *transaction) compare(b *kv.Batch) (kv.Version, kv.Outcome, error) {
	snap := t.db.store.Snapshot()
	defer snap.Close()
	start := time.Now()
	v, err := t.stands(snap, b)
	t.report.countRead(start)
	if err != nil {
		return 0, kv.OutcomeOf(err), fmt.Errorf("txn: validate: %w", err)
	}
	return v, kv.Applied, nil
}

// stands returns the version of a view in which all that was read is as it was,
// or a *kv.ConflictError.
func (t *transaction) stands(snap kv.Snapshot, b *kv.Batch) (kv.Version, error) {
	var changed kv.ConflictError
	keys := make([]string, len(b.Reads))
	for i, r := range b.Reads {
		keys[i] = r.Key
	}
	entries, err := snap.Get(t.ctx, keys...)
	if err != nil {
		return 0, err
	}
	for i, e := range entries {
		if e.Version != b.Reads[i].Version {
			changed.Keys = append(changed.Keys, e.Key)
		}
	}
	for _, s := range b.Scans {
		same, err := t.yieldsAgain(snap, s)
		if err != nil {
			return 0, err
		}
		if !same {
			changed.Prefixes = append(changed.Prefixes, s.Prefix)
		}
	}
	if len(changed.Keys)+len(changed.Prefixes) > 0 {
		return 0, &changed
	}
	return snap.Version(t.ctx)
}

func (t *transaction) yieldsAgain(snap kv.Snapshot, s kv.ScanRead) (bool, error) {
	n := 0
	for e, err := range snap.Scan(t.ctx, s.Prefix) {
		if err != nil {
			return false, err
		}
		if n == len(s.Entries) || s.Entries[n] != (kv.Read{Key: e.Key, Version: e.Version}) {
			return false, nil
		}
		n++
	}
	return n == len(s.Entries), nil
}
