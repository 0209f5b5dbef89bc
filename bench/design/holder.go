package design

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// row is the lease in the store. It is another's until the wall clock says
// Until; a row that does not decode, as one that is absent, is nobody's.
type row struct {
	Holder string    `json:"holder"`
	Until  time.Time `json:"until"`
}

// take makes the lease this holder's for so long, unless it is another's, and
// reports whether it did. Of two that try at the same time one succeeds.
func (l *Lease) take(ctx context.Context, life time.Duration) (bool, error) {
	taken, err := l.tryTake(ctx, life)
	if errors.Is(err, kv.ErrConflict) {
		return false, nil
	}
	return taken, err
}

func (l *Lease) tryTake(ctx context.Context, life time.Duration) (bool, error) {
	snap := l.Store.Snapshot()
	defer snap.Close()
	found, err := snap.Get(ctx, leaseKey)
	if err != nil {
		return false, err
	}
	var current row
	now := time.Now().Round(0) // by the wall clock: other processes compare
	if json.Unmarshal(found[0].Value, &current) == nil && current.Holder != l.holder && now.Before(current.Until) {
		return false, nil
	}
	next, err := json.Marshal(row{l.holder, now.Add(life)})
	if err != nil {
		return false, err
	}
	began, err := snap.Version(ctx)
	if err != nil {
		return false, err
	}
	_, err = l.Store.Commit(ctx, &kv.Batch{
		ID:     kv.NewCommitID(began),
		Reads:  []kv.Read{{Key: leaseKey, Version: found[0].Version}},
		Writes: []kv.Write{{Key: leaseKey, Value: next}},
	})
	return err == nil, err
}
