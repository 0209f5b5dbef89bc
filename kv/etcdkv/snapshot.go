package etcdkv

import (
	"context"
	"iter"
	"slices"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/pawlkv/pawl/kv"
)

// snapshot is a view at one revision, that which its first call finds.
type snapshot struct {
	store  *Store
	fixing chan struct{} // has a token while somebody makes the first call
	done   chan struct{} // closed by Close
	once   sync.Once

	mu       sync.Mutex
	revision int64 // 0 before the first call
	version  kv.Version
}

// Get implements kv.Snapshot. Keys beyond what one transaction reads are read beside
// each other, after the first of them where the view begins with this call.
func (n *snapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	at := n.store.at
	entries := make([]kv.Entry, len(keys))
	parts := slices.Collect(slices.Chunk(indices(keys), n.store.db.set.direct()))
	if len(parts) == 0 {
		_, err := n.read(ctx, nil)
		return entries, err
	}
	get := func(part []int) error {
		ops := make([]*pb.RequestOp, len(part))
		for i, place := range part {
			ops[i] = getOp(at.entry(keys[place]))
		}
		answers, err := n.read(ctx, ops)
		if err != nil {
			return err
		}
		for i, place := range part {
			entries[place] = entryOf(keys[place], first(answers[i]))
		}
		return nil
	}
	if err := get(parts[0]); err != nil {
		return nil, err
	}
	errs := make([]error, len(parts))
	var reading sync.WaitGroup
	for i := 1; i < len(parts); i++ {
		reading.Go(func() { errs[i] = get(parts[i]) })
	}
	reading.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func indices(keys []string) []int {
	all := make([]int, len(keys))
	for i := range all {
		all[i] = i
	}
	return all
}

func entryOf(key string, found *mvccpb.KeyValue) kv.Entry {
	if found == nil {
		return kv.Entry{Key: key}
	}
	value := found.Value
	if value == nil {
		value = []byte{}
	}
	return kv.Entry{Key: key, Value: value, Version: kv.Version(found.ModRevision)}
}

// Pages of a scan: their first size, and how many bytes a later one may have, about.
const (
	firstPage = 100
	mostPage  = 1000
	pageBytes = 1 << 20
)

// Scan implements kv.Snapshot.
func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		from, end := n.store.at.entries(prefix)
		for size, more := int64(firstPage), true; more; {
			answers, err := n.read(ctx, []*pb.RequestOp{rangeOp(&pb.RangeRequest{Key: from, RangeEnd: end, Limit: size})})
			if err != nil {
				yield(kv.Entry{}, err)
				return
			}
			page := answers[0].GetResponseRange()
			bytes := 0
			for _, found := range page.Kvs {
				if err := n.ended(ctx); err != nil {
					yield(kv.Entry{}, err)
					return
				}
				bytes += len(found.Key) + len(found.Value)
				if !yield(entryOf(n.store.at.keyOf(found.Key), found), nil) {
					return
				}
				from = after(found.Key)
			}
			more = page.More
			if len(page.Kvs) > 0 {
				size = min(max(int64(len(page.Kvs)*pageBytes/max(bytes, 1)), 1), mostPage)
			}
		}
	}
}

// Version implements kv.Snapshot.
func (n *snapshot) Version(ctx context.Context) (kv.Version, error) {
	if err := n.ended(ctx); err != nil {
		return 0, err
	}
	n.mu.Lock()
	revision, version := n.revision, n.version
	n.mu.Unlock()
	if revision != 0 {
		return version, nil
	}
	if _, err := n.read(ctx, nil); err != nil {
		return 0, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.version, nil
}

// Close implements kv.Snapshot.
func (n *snapshot) Close() { n.once.Do(func() { close(n.done) }) }

// ended returns why no call on the view goes on, nil if it does.
func (n *snapshot) ended(ctx context.Context) error {
	select {
	case <-n.done:
		return kv.ErrClosed
	default:
		return n.store.ended(ctx)
	}
}

// read makes the operations at the view's revision, which the first call fixes.
func (n *snapshot) read(ctx context.Context, ops []*pb.RequestOp) ([]*pb.ResponseOp, error) {
	if err := n.ended(ctx); err != nil {
		return nil, err
	}
	n.mu.Lock()
	revision := n.revision
	n.mu.Unlock()
	if revision != 0 {
		return n.readAt(ctx, revision, ops)
	}
	select {
	case n.fixing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	revision = n.revision
	n.mu.Unlock()
	if revision != 0 { // somebody else has made the first call
		<-n.fixing
		return n.readAt(ctx, revision, ops)
	}
	defer func() { <-n.fixing }()
	return n.fix(ctx, ops)
}

// fix makes the first call, which also reads the version.
func (n *snapshot) fix(ctx context.Context, ops []*pb.RequestOp) ([]*pb.ResponseOp, error) {
	before := n.store.head.Load()
	response, err := n.store.read(ctx, &pb.TxnRequest{Success: append(ops, getOp(n.store.at.head()))})
	if err != nil {
		return nil, err
	}
	head := first(response.Responses[len(ops)])
	if err := n.store.checkHead(before, head); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.revision = response.Header.Revision
	if head != nil {
		n.version = kv.Version(head.ModRevision)
	}
	return response.Responses[:len(ops)], nil
}

func (n *snapshot) readAt(ctx context.Context, revision int64, ops []*pb.RequestOp) ([]*pb.ResponseOp, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	for _, op := range ops {
		op.GetRequestRange().Revision = revision
	}
	response, err := n.store.read(ctx, &pb.TxnRequest{Success: ops})
	if err != nil {
		return nil, err
	}
	return response.Responses, nil
}
