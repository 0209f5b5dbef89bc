package etcdkv

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/pawlkv/pawl/kv"
)

// outcome returns what became of an attempt that etcd has answered, and whether it is made
// again, having been refused for something else than what was read.
func (s *Store) outcome(ctx context.Context, a *attempt, response *pb.TxnResponse) (version kv.Version, again bool, err error) {
	if response.Header.ClusterId != s.cluster {
		return 0, false, fmt.Errorf("%w: another etcd cluster has answered than it was opened in", kv.ErrUndecided)
	}
	if response.Succeeded {
		s.recorded(a, response.Responses, response.Header.Revision)
		return kv.Version(response.Header.Revision), false, nil
	}
	if err := s.check(a.seen, response.Header); err != nil {
		return 0, false, err
	}
	r := readRefusal(a, response.Responses)
	if err := s.checkHead(a.head, r.head); err != nil {
		return 0, false, err
	}
	switch {
	case r.epoch == nil:
		return 0, false, fmt.Errorf("%w: which commit IDs are kept (key e) is missing", kv.ErrCorrupt)
	case r.id != nil:
		version, err := fateOf(r.id)
		return version, false, err
	case r.epoch.ModRevision != a.epoch.revision:
		return 0, true, s.learn(r.epoch)
	case a.batch.ID.Began < a.epoch.Drop:
		return 0, false, kv.ErrExpired
	}
	if r.recorded != nil {
		s.recorded(a, r.recorded.Responses, response.Header.Revision)
	}
	stale := a.stale(s.at, r.looks)
	switch {
	case stale != nil && (!a.batch.Again || r.recorded != nil):
		return 0, false, stale
	case a.settled != nil && r.head.GetModRevision() != int64(a.settled.version):
		return 0, true, nil // something has changed since the view
	case a.known >= 0 && r.turns > a.known:
		err := s.turns.await(ctx, a.batch, response.Header.Revision)
		return 0, err == nil, err
	case stale != nil:
		return 0, false, fmt.Errorf("%w: etcd has not recorded a refusal", kv.ErrUnknown)
	}
	return 0, false, errUnexplained
}

// recorded notes what the answers to attempt.record tell.
func (s *Store) recorded(a *attempt, answers []*pb.ResponseOp, revision int64) {
	raise(&s.revision, revision)
	raise(&s.head, revision)
	count := answers[0].GetResponsePut().GetPrevKv().GetVersion() + 1
	s.mu.Lock()
	s.count = max(s.count, count)
	s.mu.Unlock()
	if a.next != nil {
		s.rolled(a, revision)
	}
}

// refusal is what the branch of a refusal has read.
type refusal struct {
	epoch, head *mvccpb.KeyValue
	id          *mvccpb.KeyValue // what is known of it, nil for nothing
	turns       int64            // revision of the newest
	looks       []*pb.ResponseOp
	recorded    *pb.TxnResponse // of the transaction that records it, nil where there was none or it did not
}

// readRefusal takes the answers in the order of attempt.failure.
func readRefusal(a *attempt, answers []*pb.ResponseOp) (r refusal) {
	r.epoch, r.head = first(answers[0]), first(answers[1])
	answers = answers[2:]
	for i := range a.ids {
		if found := first(answers[i]); found != nil {
			r.id = found
		}
	}
	answers = answers[len(a.ids):]
	for _, turn := range answers[0].GetResponseRange().GetKvs() {
		r.turns = max(r.turns, turn.ModRevision)
	}
	r.looks = answers[1:]
	if last := answers[len(answers)-1].GetResponseTxn(); last != nil {
		r.looks = r.looks[:len(r.looks)-1]
		if last.Succeeded {
			r.recorded = last
		}
	}
	return r
}

// fateOf returns the version at which an ID was applied, or kv.ErrRefused.
func fateOf(id *mvccpb.KeyValue) (kv.Version, error) {
	if string(id.Value) == string(refusedMark) {
		return 0, kv.ErrRefused
	}
	return kv.Version(id.ModRevision), nil
}

// afterFull returns what became of a commit of which etcd says that there is no room: it
// says so of one that it refused, and of one that it applied and that took the last of the
// room. A read after the answer sees which. What holds no more can not be recorded as
// refused.
func (s *Store) afterFull(ctx context.Context, tried *attempt, why error) (kv.Version, error) {
	unread := func(err error) error {
		return fmt.Errorf("%w: etcd has no room, and whether it took the commit could not be read: %w", kv.ErrUnknown, err)
	}
	b := tried.batch
	for range maxTries {
		before := tried.settled
		if before != nil {
			var err error
			if before, err = s.settle(ctx, b); err != nil {
				return 0, unread(err)
			}
		}
		a := s.attempt(b, before, 0)
		response, err := s.read(ctx, &pb.TxnRequest{Success: a.failure(s.at)})
		if err != nil {
			return 0, unread(err)
		}
		r := readRefusal(a, response.Responses)
		switch {
		case r.id != nil:
			return fateOf(r.id)
		case r.epoch != nil && r.epoch.ModRevision != a.epoch.revision:
			if err := s.learn(r.epoch); err != nil {
				return 0, err
			}
			continue
		case b.ID.Began < a.epoch.Drop:
			return 0, kv.ErrExpired
		}
		stale := a.stale(s.at, r.looks)
		switch {
		case stale != nil && b.Again:
			return 0, fmt.Errorf("%w: etcd has no room to record a refusal: %w", kv.ErrUnknown, why)
		case stale != nil:
			return 0, stale
		}
		return 0, fmt.Errorf("%w: etcd's quota is used up: compact its history, defragment its members and disarm the alarm: %w", kv.ErrDiskFull, why)
	}
	return 0, fmt.Errorf("%w: %w", kv.ErrUnknown, why)
}
