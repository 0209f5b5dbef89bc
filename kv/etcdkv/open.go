package etcdkv

import (
	"context"
	"errors"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/pawlkv/pawl/kv"
)

// ErrNoStore: there is no store with the name, and Open was told not to make any.
var ErrNoStore = errors.New("etcdkv: there is no store with this name")

// Store opens the store with a name, which it makes if there is none. Any number of
// processes may have it open. Errors: kv.ErrInvalid (the name, or one that a store had
// before), ErrNoStore, kv.ErrUnavailable, kv.ErrUnusable (the user's rights),
// kv.ErrDiskFull (of a new store), kv.ErrForeign, kv.ErrNewer, kv.ErrCorrupt, the context's.
func (db *Database) Store(ctx context.Context, space string) (*Store, error) {
	at, err := placeOf(space)
	if err != nil {
		return nil, fmt.Errorf("etcdkv: open the store: %w", err)
	}
	s, err := db.open(ctx, at)
	if err != nil {
		return nil, fmt.Errorf("etcdkv: open the store %q: %w", space, err)
	}
	return s, nil
}

func (db *Database) open(ctx context.Context, at place) (*Store, error) {
	found, err := db.look(ctx, at)
	if err == nil && found.meta == nil && found.leads == nil {
		if db.set.existing {
			return nil, ErrNoStore
		}
		if err = db.make(ctx, at, found.cluster); err == nil {
			found, err = db.look(ctx, at)
		}
	}
	if err == nil && found.leads != nil {
		at, found, err = db.lookWhere(ctx, found.leads)
	} else if err == nil && found.left {
		err = errLeft
	}
	if err != nil {
		return nil, err
	}
	s, err := newStore(db, at, found)
	if err != nil {
		return nil, err
	}
	if err := db.add(s); err != nil {
		return nil, err
	}
	return s, nil
}

// state is what was found in a place.
type state struct {
	meta, epoch, head *mvccpb.KeyValue // nil where there is none
	leads             *mvccpb.KeyValue // nil unless the store with the name is elsewhere
	left              bool             // the store that is here has another name
	anything          bool
	cluster           uint64
	revision          int64
}

// look reads what a store is opened with.
func (db *Database) look(ctx context.Context, at place) (f state, err error) {
	from, end := at.whole()
	response, err := db.read(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{
		getOp(at.meta()), getOp(at.epoch()), getOp(at.head()), getOp(at.leads()), getOp(at.left()),
		rangeOp(&pb.RangeRequest{Key: from, RangeEnd: end, KeysOnly: true, Limit: 1}),
	}})
	if err != nil {
		return f, err
	}
	f = state{
		meta: first(response.Responses[0]), epoch: first(response.Responses[1]), head: first(response.Responses[2]),
		leads: first(response.Responses[3]), left: first(response.Responses[4]) != nil,
		anything: first(response.Responses[5]) != nil, cluster: response.Header.ClusterId, revision: response.Header.Revision,
	}
	if f.meta == nil && f.leads == nil && f.anything {
		return f, errForeign
	}
	return f, nil
}

// lookWhere is look where a name leads.
func (db *Database) lookWhere(ctx context.Context, leads *mvccpb.KeyValue) (at place, found state, err error) {
	if at, err = placeOf(string(leads.Value)); err == nil {
		found, err = db.look(ctx, at)
	}
	if err == nil && (found.meta == nil || !found.left) || errors.Is(err, kv.ErrInvalid) {
		err = fmt.Errorf("%w: the name leads where its store is not (key n)", kv.ErrCorrupt)
	}
	return at, found, err
}

// make makes a store where nothing is, unless somebody else does.
func (db *Database) make(ctx context.Context, at place, cluster uint64) error {
	from, end := at.whole()
	_, err := db.write(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{modified(pb.Compare_EQUAL, 0, from, end)},
		Success: []*pb.RequestOp{
			putOp(at.meta(), encode(meta{Pawl: metaName, Format: formatNow, CommitIDs: db.set.commitIDs, Cluster: cluster})),
			putOp(at.epoch(), encode(epoch{Number: 1})),
		},
		Failure: []*pb.RequestOp{getOp(at.meta())},
	})
	return err
}

// first returns the key that an operation has read, nil if there is none.
func first(answer *pb.ResponseOp) *mvccpb.KeyValue {
	for _, found := range answer.GetResponseRange().GetKvs() {
		return found
	}
	return nil
}
