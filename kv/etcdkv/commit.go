package etcdkv

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/pawlkv/pawl/kv"
)

// Commit implements kv.Store.
func (s *Store) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(s.limits); err != nil {
		return 0, err
	}
	done, err := s.begin()
	if err != nil {
		return 0, err
	}
	defer done()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(b.Writes) == 0 && b.Checks() > s.db.set.direct() {
		return s.validateByView(ctx, b)
	}
	if len(b.Writes) == 0 {
		return s.validate(ctx, b)
	}
	leave, err := s.turns.enter(ctx, b)
	if err != nil {
		return 0, err
	}
	defer leave()
	return s.apply(ctx, b)
}

// validate checks the reads of a batch without writes: a transaction that only reads, and
// is linearizable because it reads the head.
func (s *Store) validate(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	before := s.head.Load()
	head := getOp(s.at.head())
	response, err := s.read(ctx, &pb.TxnRequest{
		Compare: s.at.checks(b),
		Success: []*pb.RequestOp{head},
		Failure: append(s.at.looks(b), head),
	})
	if err != nil {
		return 0, err
	}
	answers := response.Responses
	now := first(answers[len(answers)-1])
	if err := s.checkHead(before, now); err != nil {
		return 0, err
	}
	if !response.Succeeded {
		if err := s.at.stale(b, answers); err != nil {
			return 0, err
		}
		return 0, errUnexplained
	}
	if now == nil {
		return 0, nil
	}
	return kv.Version(now.ModRevision), nil
}

// errUnexplained answers a commit that etcd refuses although all is as it should be.
var errUnexplained = fmt.Errorf("%w: etcd refuses a transaction all of whose compares hold", kv.ErrUnavailable)

// maxTries bounds how often one commit is made anew because it was made for another epoch
// of commit IDs, or before turns that it did not know of.
const maxTries = 32

// apply makes the transaction of a commit, again if it was certainly refused for a reason
// that is no conflict.
func (s *Store) apply(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	byView := b.Checks() > s.db.set.direct() || proto.Size(s.attempt(b, nil, 0).request) > s.db.set.maxBytes
	for try := range maxTries {
		var before *settled
		if byView {
			var err error
			if before, err = s.settle(ctx, b); err != nil {
				return 0, err
			}
		}
		version, again, err := s.try(ctx, s.attempt(b, before, try))
		if !again {
			return version, err
		}
	}
	return 0, fmt.Errorf("%w: other processes are always faster", kv.ErrUnavailable)
}

// try sends an attempt until etcd takes it, and returns what became of it and whether
// another is to be made.
func (s *Store) try(ctx context.Context, a *attempt) (version kv.Version, again bool, err error) {
	if n := proto.Size(a.request); n > s.db.set.maxBytes {
		return 0, false, fmt.Errorf("%w: a request of %d bytes, at most %d", kv.ErrTooLarge, n, s.db.set.maxBytes)
	}
	limited, cancel := context.WithTimeout(ctx, s.db.set.wait)
	defer cancel()
	for n := 0; ; n++ {
		response, sent, err := s.db.once(limited, a.request)
		switch {
		case err == nil:
			return s.outcome(ctx, a, response)
		case judge(err) == full:
			version, err := s.afterFull(ctx, a, err)
			return version, false, err
		case judge(err) != later || !pause(limited, n):
			return 0, false, commitError(ctx, sent, err)
		}
	}
}

// attempt is one transaction of a commit.
type attempt struct {
	batch   *kv.Batch
	settled *settled // nil: the transaction makes the checks
	epoch   epoch
	known   int64 // revision up to which turns are known, -1 if they do not matter any more
	head    int64 // that was seen before
	seen    int64 // revision, likewise
	ids     [][]byte
	next    []byte // the epoch that it begins, nil for none
	request *pb.TxnRequest
}

// attempt makes the transaction. It holds if nothing was recorded of the ID, the reads
// hold, no turn is there that the commit does not know of, the epoch is the one in which
// it records the ID, and the store did not go back.
func (s *Store) attempt(b *kv.Batch, before *settled, try int) *attempt {
	a := &attempt{batch: b, settled: before, known: s.turns.known(try), head: s.head.Load(), seen: s.seen()}
	a.epoch, a.next = s.epochNow()
	for _, number := range a.epoch.numbers() {
		a.ids = append(a.ids, s.at.id(number, b.ID))
	}
	guards := a.guards(s.at)
	failure := a.failure(s.at)
	if b.Again {
		failure = append(failure, txnOp(&pb.TxnRequest{Compare: guards, Success: a.record(s.at, refusedMark)}))
	}
	compare := append(a.checks(s.at), guards...)
	if b.ID.Began < a.epoch.Drop {
		compare = append(compare, never(s.at)) // only what is known of the ID is asked for
		failure = a.failure(s.at)
	}
	success := a.record(s.at, appliedMark)
	for _, w := range b.Writes {
		if w.Delete {
			success = append(success, deleteOp(s.at.entry(w.Key), nil))
		} else {
			success = append(success, putOp(s.at.entry(w.Key), w.Value))
		}
	}
	a.request = &pb.TxnRequest{Compare: compare, Success: success, Failure: failure}
	return a
}

// guards are the compares beside those of the reads.
func (a *attempt) guards(at place) []*pb.Compare {
	guards := []*pb.Compare{modified(pb.Compare_EQUAL, a.epoch.revision, at.epoch(), nil)}
	for _, id := range a.ids {
		guards = append(guards, absent(id))
	}
	if a.head > 0 {
		guards = append(guards, modified(pb.Compare_GREATER, a.head-1, at.head(), nil))
	}
	if a.settled != nil {
		guards = append(guards, modified(pb.Compare_EQUAL, int64(a.settled.version), at.head(), nil))
	}
	if a.known >= 0 {
		from, end := at.turns()
		guards = append(guards, modified(pb.Compare_LESS, a.known+1, from, end))
	}
	return guards
}

// Marks of an ID.
var (
	appliedMark = []byte("a")
	refusedMark = []byte("r")
)

// record notes what became of the ID, and makes a version.
func (a *attempt) record(at place, mark []byte) []*pb.RequestOp {
	head := putOp(at.head(), nil)
	head.GetRequestPut().PrevKv = true
	ops := []*pb.RequestOp{head, putOp(a.ids[0], mark)}
	if a.next != nil {
		ops = append(ops, putOp(at.epoch(), a.next))
	}
	return ops
}

// failure reads why the transaction was refused: the epoch, the head, what is known of the
// ID, the turns, and what was read.
func (a *attempt) failure(at place) []*pb.RequestOp {
	ops := []*pb.RequestOp{getOp(at.epoch()), getOp(at.head())}
	for _, id := range a.ids {
		ops = append(ops, getOp(id))
	}
	from, end := at.turns()
	ops = append(ops, rangeOp(&pb.RangeRequest{Key: from, RangeEnd: end, KeysOnly: true}))
	if a.settled != nil {
		return ops
	}
	return append(ops, at.looks(a.batch)...)
}
