package etcdkv

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/pawlkv/pawl/kv"
)

// Store is a kv.Store in etcd. Its methods may be called from any number of goroutines.
type Store struct {
	db      *Database
	at      place
	limits  kv.Limits
	cluster uint64
	created int64 // revision at which the store was made
	turns   *turnQueue
	witness *keeper

	life    context.Context // until Close
	end     context.CancelFunc
	commits sync.WaitGroup
	tidying sync.WaitGroup

	mu     sync.Mutex
	closed bool
	epoch  epoch // as last read
	count  int64 // of commits and refusals, as far as known

	head     atomic.Int64 // the newest version that was seen
	revision atomic.Int64 // likewise, of all that is in etcd
}

var _ kv.Store = (*Store)(nil)

func newStore(db *Database, at place, found state) (*Store, error) {
	if found.meta == nil || found.epoch == nil {
		return nil, fmt.Errorf("%w: of what says what it is (keys m and e) something is missing", kv.ErrCorrupt)
	}
	m, err := decodeMeta(found.meta.Value)
	if err != nil {
		return nil, err
	}
	e, err := decodeEpoch(found.epoch)
	if err != nil {
		return nil, err
	}
	s := &Store{
		db: db, at: at, limits: db.set.limits(m.CommitIDs), cluster: found.cluster, created: found.meta.CreateRevision,
		epoch: e,
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.revision.Store(found.revision)
	if found.head != nil {
		s.head.Store(found.head.ModRevision)
		s.count = found.head.Version
	}
	s.turns = newTurnQueue(s)
	s.witness = newKeeper(s)
	return s, nil
}

// Snapshot implements kv.Store. The view is exact: it stays at the revision that its first
// call finds, until etcd compacts that.
func (s *Store) Snapshot() kv.Snapshot { return s.snapshot() }

func (s *Store) snapshot() *snapshot {
	return &snapshot{store: s, fixing: make(chan struct{}, 1), done: make(chan struct{})}
}

// Turn implements kv.Store.
func (s *Store) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	return s.turns.take(ctx, keys)
}

// Limits implements kv.Store.
func (s *Store) Limits() kv.Limits { return s.limits }

// Close implements kv.Store. It waits for the answers to commits that were sent, no longer
// than WithWait says. It fails if the witness's file cannot be kept.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.turns.close()
	s.commits.Wait()
	s.tidying.Wait()
	s.db.remove(s)
	return s.witness.close()
}

// begin notes a commit that is under way. Error: kv.ErrClosed.
func (s *Store) begin() (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, kv.ErrClosed
	}
	s.commits.Add(1)
	return s.commits.Done, nil
}

func (s *Store) isClosed() bool { return s.life.Err() != nil }

// untilClosed returns a context that also ends when the store closes.
func (s *Store) untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// ended returns why a call does not go on, nil if it does.
func (s *Store) ended(ctx context.Context) error {
	if s.isClosed() {
		return kv.ErrClosed
	}
	return ctx.Err()
}

// read makes a transaction that changes nothing.
func (s *Store) read(ctx context.Context, request *pb.TxnRequest) (*pb.TxnResponse, error) {
	if err := s.ended(ctx); err != nil {
		return nil, err
	}
	before := s.seen()
	limited, cancel := s.untilClosed(ctx)
	defer cancel()
	response, err := s.db.read(limited, request)
	switch {
	case err != nil && s.isClosed():
		return nil, kv.ErrClosed
	case err != nil:
		return nil, err
	}
	return response, s.check(before, response.Header)
}

// seen is the newest revision that was seen: who asks after that sees it, or a later one.
func (s *Store) seen() int64 { return s.revision.Load() }

// check returns kv.ErrUnusable if an answer comes from another cluster than the store was
// opened in, or from a state that is older than one that was seen before it was asked for.
func (s *Store) check(before int64, header *pb.ResponseHeader) error {
	if header.ClusterId != s.cluster {
		return fmt.Errorf("%w: etcd is another cluster than when it was opened (%x, was %x): was it restored from a backup? Close the store and open it again",
			kv.ErrUnusable, header.ClusterId, s.cluster)
	}
	if header.Revision < before {
		return wentBack(header.Revision, before)
	}
	raise(&s.revision, header.Revision)
	return nil
}

func wentBack(now, before int64) error {
	return fmt.Errorf("%w: etcd is at revision %d and was at %d: was it restored from a backup? Close the store and open it again",
		kv.ErrUnusable, now, before)
}

// checkHead is check for the version: before was seen before it was asked for. Others in
// the same cluster may have brought its revision further than it was.
func (s *Store) checkHead(before int64, head *mvccpb.KeyValue) error {
	var now int64
	if head != nil {
		now = head.ModRevision
	}
	if now < before {
		return wentBack(now, before)
	}
	raise(&s.head, now)
	return nil
}

// raise sets a to n if n is greater.
func raise(a *atomic.Int64, n int64) {
	for old := a.Load(); old < n && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}
