package etcdkv

import (
	"context"
	"log/slog"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// epochNow returns the epoch as last read, and what the next commit is to write if it
// begins another, which it does once it knows of as many commits as an epoch has.
func (s *Store) epochNow() (e epoch, next []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count-s.epoch.Start >= epochSize(s.limits.CommitIDs) {
		next = encode(s.epoch.next(s.count))
	}
	return s.epoch, next
}

// learn takes the epoch that was read. Error: kv.ErrCorrupt.
func (s *Store) learn(found *mvccpb.KeyValue) error {
	e, err := decodeEpoch(found)
	if err != nil {
		return err
	}
	s.enter(e)
	return nil
}

func (s *Store) enter(e epoch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.revision > s.epoch.revision {
		s.epoch = e
		s.count = max(s.count, e.Start)
	}
}

// rolled notes that a commit of ours began an epoch, and drops the IDs of those that do
// not count any more.
func (s *Store) rolled(a *attempt, revision int64) {
	if err := s.learn(&mvccpb.KeyValue{Value: a.next, ModRevision: revision}); err != nil {
		return
	}
	if number := a.epoch.Number + 1; number > keptEpochs {
		s.tidying.Go(func() { s.tidy(number + 1 - keptEpochs) })
	}
}

// tidyPage is how many IDs are deleted at once: etcd does nothing else meanwhile.
const tidyPage = 1000

// tidy deletes the IDs of all epochs before one, in the background. Whoever begins the
// next epoch deletes what it leaves.
func (s *Store) tidy(oldest uint64) {
	end := s.at.idsFrom(oldest)
	for from, more := s.at.idsFrom(0), true; more; {
		limited, cancel := context.WithTimeout(s.life, s.db.set.wait)
		response, err := s.db.read(limited, &pb.TxnRequest{Success: []*pb.RequestOp{
			rangeOp(&pb.RangeRequest{Key: from, RangeEnd: end, KeysOnly: true, Limit: tidyPage}),
		}})
		cancel()
		if err != nil {
			s.untidy(err)
			return
		}
		page := response.Responses[0].GetResponseRange()
		if len(page.Kvs) == 0 {
			return
		}
		next := after(page.Kvs[len(page.Kvs)-1].Key)
		if _, err := s.db.write(s.life, &pb.TxnRequest{Success: []*pb.RequestOp{deleteOp(from, next)}}); err != nil {
			s.untidy(err)
			return
		}
		from, more = next, page.More
	}
}

func (s *Store) untidy(err error) {
	if !s.isClosed() {
		s.db.set.logger.Warn("commit IDs that are not needed any more are left until the next time", slog.Any("error", err))
	}
}
