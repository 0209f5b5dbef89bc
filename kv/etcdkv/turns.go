package etcdkv

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// turnQueue grants turns: first among the callers of this store, then among all that are
// open, by the order in which etcd has their tickets. A commit of a process that does not
// know of a turn is held up too: its transaction fails where there is a ticket newer than
// all that it knows of.
type turnQueue struct {
	store *Store
	table *turns.Table // of this store; its turns do not expire by themselves
	board *board

	leaving sync.WaitGroup
	mu      sync.Mutex
	tickets map[kv.TurnID]string // of turns that are granted
	asked   map[string]struct{}  // tickets of this store
	closed  bool
}

func newTurnQueue(s *Store) *turnQueue {
	return &turnQueue{
		store: s, table: turns.New(turnLife, turns.Never), board: newBoard(s),
		tickets: make(map[kv.TurnID]string), asked: make(map[string]struct{}),
	}
}

// take is kv.Store.Turn. A turn lasts from when it is granted among processes.
func (q *turnQueue) take(ctx context.Context, keys []string) (kv.Turn, error) {
	var at string
	turn, err := q.table.TakeAmong(ctx, keys, func(kv.TurnID) (err error) {
		at, err = q.queue(ctx, turns.Hashes(keys))
		return err
	})
	if err != nil {
		return kv.Turn{}, err
	}
	q.mu.Lock()
	q.tickets[turn.ID] = at
	q.mu.Unlock()
	end := sync.OnceFunc(func() {
		q.mu.Lock()
		delete(q.tickets, turn.ID)
		q.mu.Unlock()
		q.leave(at)
		turn.Release()
	})
	stop := q.store.db.set.timer(turnLife, end)
	return kv.Turn{ID: turn.ID, Release: func() { stop(); end() }}, nil
}

// queue takes a ticket and waits until nobody stands before it. One that was taken away
// before this process saw that it had the turn is taken anew.
func (q *turnQueue) queue(ctx context.Context, keys []uint64) (at string, err error) {
	q.board.follow()
	for {
		at, revision, err := q.join(ctx, keys)
		if err != nil {
			return "", err
		}
		granted := false
		err = q.board.await(ctx, func() bool {
			t := q.board.find(at)
			granted = t != nil && !t.since.IsZero()
			return granted || t == nil && q.board.known >= revision
		})
		if err != nil {
			q.leave(at)
			return "", err
		}
		if granted {
			return at, nil
		}
		q.forget(at)
	}
}

// join puts a ticket behind all others.
func (q *turnQueue) join(ctx context.Context, keys []uint64) (at string, revision int64, err error) {
	var id [16]byte
	rand.Read(id[:]) // never fails
	key := q.store.at.turn(id)
	q.mu.Lock()
	q.asked[string(key)] = struct{}{}
	q.mu.Unlock()
	limited, cancel := q.store.untilClosed(ctx)
	defer cancel()
	response, err := q.store.db.write(limited, &pb.TxnRequest{Success: []*pb.RequestOp{putOp(key, encodeHashes(keys))}})
	if err == nil {
		return string(key), response.Header.Revision, nil
	}
	q.leave(string(key)) // it may be there
	switch {
	case q.store.isClosed():
		return "", 0, kv.ErrClosed
	case ctx.Err() != nil:
		return "", 0, ctx.Err()
	}
	return "", 0, fmt.Errorf("%w: the turn could not be asked for: %v", kv.ErrUnavailable, err)
}

// leave takes a ticket back, in the background. One that cannot be expires.
func (q *turnQueue) leave(at string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.takeBack(at)
	}
}

// takeBack is leave for those who hold q.mu.
func (q *turnQueue) takeBack(at string) {
	q.leaving.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), turnLife)
		defer cancel()
		q.store.db.write(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{deleteOp([]byte(at), nil)}})
		q.forget(at)
	})
}

func (q *turnQueue) forget(at string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.asked, at)
}

// enter returns when no turn stands before b: those of this store as turns.Table has it,
// and those of others that it knows of. The caller calls leave when the commit is over.
func (q *turnQueue) enter(ctx context.Context, b *kv.Batch) (leave func(), err error) {
	leave, err = q.table.Enter(ctx, b)
	if err != nil {
		return nil, err
	}
	if err := q.awaitOthers(ctx, b, func(*ticket) bool { return true }); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// maxTurnTries is how often a commit is made again because others have asked for turns
// meanwhile. Then it goes before them: it need not wait for turns that are asked for later.
const maxTurnTries = 8

// known returns the revision up to which a commit knows the turns, -1 if it has tried
// so often that it goes before them.
func (q *turnQueue) known(try int) int64 {
	if try >= maxTurnTries {
		return -1
	}
	q.board.mu.Lock()
	defer q.board.mu.Unlock()
	return q.board.known
}

// await waits, for a commit that has met turns that it did not know of, for those up to a
// revision.
func (q *turnQueue) await(ctx context.Context, b *kv.Batch, revision int64) error {
	q.board.follow()
	limited, cancel := context.WithTimeout(ctx, q.store.db.set.wait)
	defer cancel()
	if err := q.board.await(limited, func() bool { return q.board.known >= revision }); err != nil {
		if ctx.Err() == nil && limited.Err() != nil {
			return fmt.Errorf("%w: the turns of others could not be read", kv.ErrUnavailable)
		}
		return err
	}
	return q.awaitOthers(ctx, b, func(t *ticket) bool { return t.revision <= revision })
}

// awaitOthers waits until the turns of other stores are over that hold up b now. Who holds
// a turn waits only for those that are granted: one that is not may wait for the holder's.
func (q *turnQueue) awaitOthers(ctx context.Context, b *kv.Batch, counts func(*ticket) bool) error {
	keys := make([]string, len(b.Writes))
	for i, w := range b.Writes {
		keys[i] = w.Key
	}
	wanted := turns.Hashes(keys)
	q.mu.Lock()
	_, holder := q.tickets[b.Turn]
	q.mu.Unlock()

	var before []string
	q.board.mu.Lock()
	for _, t := range q.board.tickets {
		if counts(t) && !q.own(t.key) && turns.Meet(t.keys, wanted) && (!holder || !t.since.IsZero()) {
			before = append(before, t.key)
		}
	}
	q.board.mu.Unlock()
	if len(before) == 0 {
		return nil
	}
	return q.board.await(ctx, func() bool {
		return !slices.ContainsFunc(before, func(key string) bool { return q.board.find(key) != nil })
	})
}

func (q *turnQueue) own(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, own := q.asked[key]
	return own
}

// close ends all that waits, and takes back what this store has asked for.
func (q *turnQueue) close() {
	q.table.Close()
	q.mu.Lock()
	q.closed = true
	for at := range q.asked {
		q.takeBack(at)
	}
	q.mu.Unlock()
	q.leaving.Wait()
	q.board.ended.Wait()
}
