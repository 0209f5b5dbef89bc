package etcdkv

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// ticket is a turn that some process has asked for.
type ticket struct {
	key      string // in etcd
	revision int64  // of its place in the queue
	keys     []uint64
	since    time.Time // when it was first seen with nobody before it; zero while it waits
}

// board is what a store knows of the turns of all processes. It follows them from when
// somebody first asks for one, or meets one, until the store closes. Whoever is first on
// all of its keys has the turn. One that is not released is taken away by all who follow,
// as soon as they have seen it granted for as long as a turn lasts.
type board struct {
	store *Store
	begin sync.Once
	ended sync.WaitGroup

	mu      sync.Mutex
	tickets []*ticket     // in the order of the queue
	known   int64         // revision up to which that is all
	changed chan struct{} // closed when that changes
}

func newBoard(s *Store) *board { return &board{store: s, changed: make(chan struct{})} }

// follow begins to follow the turns.
func (b *board) follow() {
	b.begin.Do(func() {
		b.ended.Go(func() {
			for try := 0; !b.store.isClosed(); try++ {
				if b.followOnce() {
					try = 0
				}
				pause(b.store.life, try)
			}
		})
	})
}

// followOnce reads the turns and follows them until that fails. It reports whether it
// could read them.
func (b *board) followOnce() bool {
	from, end := b.store.at.turns()
	response, err := b.store.read(b.store.life, &pb.TxnRequest{Success: []*pb.RequestOp{rangeOp(&pb.RangeRequest{Key: from, RangeEnd: end})}})
	if err != nil {
		return false
	}
	b.reset(response.Responses[0].GetResponseRange().Kvs, response.Header.Revision)
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(b.store.life))
	defer cancel()
	watch := b.store.db.client.Watch(ctx, string(from), clientv3.WithRange(string(end)), clientv3.WithRev(response.Header.Revision+1))
	look := time.NewTimer(turnLife)
	defer look.Stop()
	for {
		look.Reset(b.expire())
		select {
		case said, going := <-watch:
			if !going || said.Err() != nil {
				return true
			}
			b.apply(said.Events)
		case <-look.C:
		}
	}
}

// reset takes the turns that were read, and what it knew of those that are still there.
func (b *board) reset(found []*mvccpb.KeyValue, revision int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.tickets
	b.tickets = nil
	for _, one := range found {
		t := ticketOf(one)
		if i := slices.IndexFunc(before, func(o *ticket) bool { return o.key == t.key }); i >= 0 {
			t.since = before[i].since
		}
		b.tickets = append(b.tickets, t)
	}
	b.known = revision
	b.rank()
}

// apply takes what has changed.
func (b *board) apply(events []*clientv3.Event) {
	if len(events) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, event := range events {
		b.tickets = slices.DeleteFunc(b.tickets, func(t *ticket) bool { return t.key == string(event.Kv.Key) })
		if event.Type == mvccpb.Event_PUT {
			b.tickets = append(b.tickets, ticketOf(event.Kv))
		}
		b.known = max(b.known, event.Kv.ModRevision)
	}
	b.rank()
}

// rank puts the tickets in order, notes who has the turn, and tells those who wait.
// Callers hold b.mu.
func (b *board) rank() {
	slices.SortFunc(b.tickets, func(x, y *ticket) int { return cmp.Compare(x.revision, y.revision) })
	for i, t := range b.tickets {
		blocked := slices.ContainsFunc(b.tickets[:i], func(o *ticket) bool { return turns.Meet(o.keys, t.keys) })
		if !blocked && t.since.IsZero() {
			t.since = time.Now()
		}
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// expire takes away the turns that have lasted, and returns when to look again.
func (b *board) expire() time.Duration {
	b.mu.Lock()
	var over []*pb.RequestOp
	next := turnLife
	for _, t := range b.tickets {
		switch left := turnLife - time.Since(t.since); {
		case t.since.IsZero():
		case left <= 0:
			over = append(over, deleteOp([]byte(t.key), nil))
			t.since = time.Now() // if it could not be taken away
		default:
			next = min(next, left)
		}
	}
	b.mu.Unlock()
	for part := range slices.Chunk(over, minMaxOps) {
		b.store.db.write(b.store.life, &pb.TxnRequest{Success: part}) // those who are left expire again
	}
	return next
}

// await waits until a condition holds, which is asked with b.mu held.
func (b *board) await(ctx context.Context, holds func() bool) error {
	for {
		b.mu.Lock()
		done, changed := holds(), b.changed
		b.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-b.store.life.Done():
			return kv.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// find returns a ticket, nil if it is not there. Callers hold b.mu.
func (b *board) find(key string) *ticket {
	for _, t := range b.tickets {
		if t.key == key {
			return t
		}
	}
	return nil
}

var errDamagedTicket = errors.New("etcdkv: a turn whose keys are cut")

func ticketOf(found *mvccpb.KeyValue) *ticket {
	keys, err := decodeHashes(found.Value)
	if err != nil {
		keys = []uint64{0} // nobody's key: it holds up nobody
	}
	return &ticket{key: string(found.Key), revision: found.CreateRevision, keys: keys}
}

func encodeHashes(keys []uint64) []byte {
	var b []byte
	for _, key := range keys {
		b = binary.BigEndian.AppendUint64(b, key)
	}
	return b
}

func decodeHashes(b []byte) (keys []uint64, err error) {
	for ; len(b) >= 8; b = b[8:] {
		keys = append(keys, binary.BigEndian.Uint64(b))
	}
	if len(b) > 0 {
		return nil, errDamagedTicket
	}
	return keys, nil
}
