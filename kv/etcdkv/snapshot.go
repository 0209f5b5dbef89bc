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
// each other.
func (n *snapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	var ops []*pb.RequestOp
	for _, key := range keys {
		ops = append(ops, getOp(n.store.at.entry(key)))
	}
	found, err := n.each(ctx, ops)
	if err != nil {
		return nil, err
	}
	return entriesOf(keys, found), nil
}

// each makes operations, beside each other what is more than one transaction takes.
func (n *snapshot) each(ctx context.Context, ops []*pb.RequestOp) ([]*pb.ResponseOp, error) {
	answers, err := n.read(ctx, slices.Collect(slices.Chunk(ops, n.store.db.set.direct()))...)
	return slices.Concat(answers...), err
}

func entriesOf(keys []string, found []*pb.ResponseOp) []kv.Entry {
	entries := make([]kv.Entry, len(keys))
	for i, key := range keys {
		entries[i] = entryOf(key, first(found[i]))
	}
	return entries
}

// Look implements kv.Looker.
func (n *snapshot) Look(ctx context.Context, keys, prefixes []string, most int) ([]kv.Entry, []kv.Begun, error) {
	var ops []*pb.RequestOp
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, nil, err
		}
		ops = append(ops, getOp(n.store.at.entry(key)))
	}
	for _, prefix := range prefixes {
		from, end := n.store.at.entries(prefix)
		ops = append(ops, rangeOp(&pb.RangeRequest{Key: from, RangeEnd: end, Limit: int64(most)}))
	}
	found, err := n.each(ctx, ops)
	if err != nil {
		return nil, nil, err
	}
	begun := make([]kv.Begun, len(prefixes))
	for i, answer := range found[len(keys):] {
		page := answer.GetResponseRange()
		begun[i].Whole = !page.More
		for _, one := range page.Kvs {
			begun[i].Entries = append(begun[i].Entries, entryOf(n.store.at.keyOf(one.Key), one))
		}
	}
	return entriesOf(keys, found), begun, nil
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
			page := answers[0][0].GetResponseRange()
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
	if _, err := n.read(ctx); err != nil {
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

// read makes parts of operations beside each other at the view's revision, which the
// first call fixes.
func (n *snapshot) read(ctx context.Context, parts ...[]*pb.RequestOp) ([][]*pb.ResponseOp, error) {
	if err := n.ended(ctx); err != nil {
		return nil, err
	}
	n.mu.Lock()
	revision := n.revision
	n.mu.Unlock()
	if revision != 0 {
		return n.readAt(ctx, revision, parts)
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
		return n.readAt(ctx, revision, parts)
	}
	defer func() { <-n.fixing }()
	return n.fix(ctx, parts)
}

// fix makes the first call. Each part reads the store's version too: all that find the
// same are of one state, and the others are read again at the revision of the first.
func (n *snapshot) fix(ctx context.Context, parts [][]*pb.RequestOp) ([][]*pb.ResponseOp, error) {
	before := n.store.head.Load()
	if len(parts) == 0 {
		parts = [][]*pb.RequestOp{nil}
	}
	found := make([]*pb.TxnResponse, len(parts))
	err := beside(len(parts), func(i int) (err error) {
		found[i], err = n.store.read(ctx, &pb.TxnRequest{Success: append(slices.Clone(parts[i]), getOp(n.store.at.head()))})
		return err
	})
	if err != nil {
		return nil, err
	}
	answers := make([][]*pb.ResponseOp, len(parts))
	revision, version := found[0].Header.Revision, kv.Version(0)
	for i, response := range found {
		head := first(response.Responses[len(parts[i])])
		if err := n.store.checkHead(before, head); err != nil {
			return nil, err
		}
		at := kv.Version(head.GetModRevision())
		switch {
		case i == 0:
			version = at
		case at != version:
			again, err := n.readAt(ctx, revision, parts[i:i+1])
			if err != nil {
				return nil, err
			}
			answers[i] = again[0]
			continue
		}
		answers[i] = response.Responses[:len(parts[i])]
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.revision, n.version = revision, version
	return answers, nil
}

func (n *snapshot) readAt(ctx context.Context, revision int64, parts [][]*pb.RequestOp) ([][]*pb.ResponseOp, error) {
	answers := make([][]*pb.ResponseOp, len(parts))
	err := beside(len(parts), func(i int) error {
		if len(parts[i]) == 0 {
			return nil
		}
		for _, op := range parts[i] {
			op.GetRequestRange().Revision = revision
		}
		response, err := n.store.read(ctx, &pb.TxnRequest{Success: parts[i]})
		if err == nil {
			answers[i] = response.Responses
		}
		return err
	})
	return answers, err
}

// beside calls do for each of so many at once, and returns the first error of them.
func beside(many int, do func(i int) error) error {
	if many == 1 {
		return do(0)
	}
	errs := make([]error, many)
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
