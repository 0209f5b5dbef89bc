package etcdkv

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/pawlkv/pawl/kv"
)

// formatNow is the layout that this package writes and reads.
const formatNow = 1

// meta says what a store is. It is written once.
type meta struct {
	Pawl      string `json:"pawl"` // etcdkv
	Format    int    `json:"format"`
	CommitIDs int    `json:"commit_ids"` // that are kept at least
	Cluster   uint64 `json:"cluster"`    // in which it was made
}

const metaName = "etcdkv"

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers and strings
	}
	return b
}

func decodeMeta(value []byte) (m meta, err error) {
	switch err := json.Unmarshal(value, &m); {
	case err != nil || m.Pawl != metaName || m.Format < 1 || m.CommitIDs < 1:
		return m, fmt.Errorf("%w: what the store is (key m) is not as it was written", kv.ErrCorrupt)
	case m.Format > formatNow:
		return m, fmt.Errorf("%w: format %d, this program knows %d", kv.ErrNewer, m.Format, formatNow)
	}
	return m, nil
}

// epoch says which commit IDs are kept. They are recorded in epochs, each below its
// number; the newest and the two before it count, and what is older was dropped. So
// there are two to three epochs of IDs, and each holds a little more than half of those
// that are kept at least, and less than two thirds.
type epoch struct {
	Number uint64     `json:"number"` // 1 is the first
	Start  int64      `json:"start"`  // how many commits and refusals there were before it, about
	Before kv.Version `json:"before"` // of the newest ID in the epoch before the last, 0 for none
	Drop   kv.Version `json:"drop"`   // of the newest ID that was dropped, 0 for none

	revision int64 // at which this was written: that of the last epoch's newest ID
}

// kept is how many epochs count.
const keptEpochs = 3

func decodeEpoch(found *mvccpb.KeyValue) (e epoch, err error) {
	if err := json.Unmarshal(found.Value, &e); err != nil || e.Number < 1 {
		return e, fmt.Errorf("%w: which commit IDs are kept (key e) is not as it was written", kv.ErrCorrupt)
	}
	e.revision = found.ModRevision
	return e, nil
}

// next returns the epoch that follows when so many commits and refusals were made. The
// commit that writes it is the last of this one.
func (e epoch) next(count int64) epoch {
	n := epoch{Number: e.Number + 1, Start: count, Drop: e.Before}
	if e.Number > 1 { // of the first it is when the store was made, before any ID
		n.Before = kv.Version(e.revision)
	}
	return n
}

// numbers returns the epochs that count, the newest first.
func (e epoch) numbers() []uint64 {
	numbers := []uint64{e.Number}
	for len(numbers) < keptEpochs && numbers[len(numbers)-1] > 1 {
		numbers = append(numbers, numbers[len(numbers)-1]-1)
	}
	return numbers
}

// epochSize is how many IDs an epoch gets of a store that keeps so many.
func epochSize(commitIDs int) int64 { return int64(commitIDs)*5/8 + 1 }
