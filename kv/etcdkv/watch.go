package etcdkv

import (
	"context"
	"errors"
	"iter"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/kv"
)

// Watch implements kv.Store. It goes on from any revision that etcd has not compacted; from
// an older one it begins with a resync mark. While etcd cannot be reached it waits.
func (s *Store) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		w := &watcher{store: s, prefix: prefix, after: int64(after), yield: yield}
		if err := w.run(ctx); err != nil {
			yield(kv.Change{}, err)
		}
	}
}

// watcher is one sequence of Watch.
type watcher struct {
	store  *Store
	prefix string
	after  int64 // all changes up to here were told, but for those in listed
	yield  func(kv.Change, error) bool

	// What was read when it began: the latest changes of the keys that are there, up to a
	// revision. Of changes up to that only deletions are still to be told, of other keys.
	upTo   int64
	listed map[string]struct{}
}

// errEnough: whoever ranges over the sequence has enough.
var errEnough = errors.New("etcdkv: nobody listens any more")

// run returns why the sequence ends, nil if its reader has ended it.
func (w *watcher) run(ctx context.Context) error {
	if err := w.store.ended(ctx); err != nil {
		return err
	}
	limited, cancel := w.store.untilClosed(ctx)
	defer cancel()
	for try := 0; ; try++ {
		began := w.after
		err := w.follow(limited)
		switch {
		case errors.Is(err, errEnough):
			return nil
		case w.store.ended(ctx) != nil:
			return w.store.ended(ctx)
		case errors.Is(err, kv.ErrUnusable), errors.Is(err, kv.ErrForeign):
			return err
		case w.after > began:
			try = 0
		}
		pause(limited, try)
	}
}

// follow tells what has changed and what changes, until it cannot go on.
func (w *watcher) follow(ctx context.Context) error {
	head, err := w.list(ctx)
	if err != nil {
		return err
	}
	next := max(w.after, w.store.created) + 1
	if head <= w.after { // nothing has changed since, whatever others have in etcd
		next = w.upTo + 1
	}
	watching, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	from, end := w.store.at.entries(w.prefix)
	for said := range w.store.db.client.Watch(watching, string(from), clientv3.WithRange(string(end)), clientv3.WithRev(next)) {
		if err := said.Err(); err != nil {
			if errors.Is(err, rpctypes.ErrCompacted) {
				return w.resync(ctx)
			}
			return err
		}
		if err := w.tell(said.Events); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// list tells the latest changes of the keys that are there, and returns the store's version.
func (w *watcher) list(ctx context.Context) (head int64, err error) {
	from, end := w.store.at.entries(w.prefix)
	before := w.store.head.Load()
	response, err := w.store.read(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{
		getOp(w.store.at.head()),
		rangeOp(&pb.RangeRequest{Key: from, RangeEnd: end, KeysOnly: true, MinModRevision: w.after + 1}),
	}})
	if err != nil {
		return 0, err
	}
	found := first(response.Responses[0])
	if err := w.store.checkHead(before, found); err != nil {
		return 0, err
	}
	if found != nil {
		head = found.ModRevision
	}
	w.upTo, w.listed = response.Header.Revision, make(map[string]struct{})
	if w.after > head { // of another past than the store's
		w.after = head
		return head, w.say(kv.Change{Resync: true, Head: kv.Version(head)})
	}
	for _, one := range response.Responses[1].GetResponseRange().Kvs {
		key := w.store.at.keyOf(one.Key)
		w.listed[key] = struct{}{}
		if err := w.say(kv.Change{Key: key, Version: kv.Version(one.ModRevision), Head: kv.Version(w.after)}); err != nil {
			return 0, err
		}
	}
	return head, nil
}

// resync tells that what changed cannot be told, and goes on from now.
func (w *watcher) resync(ctx context.Context) error {
	snapshot := w.store.Snapshot()
	defer snapshot.Close()
	head, err := snapshot.Version(ctx)
	if err != nil {
		return err
	}
	w.after = int64(head)
	return w.say(kv.Change{Resync: true, Head: head})
}

// tell yields changes that came together, the latest of each key, in the order of
// revisions. Whoever has seen one has seen all that is older than the next.
func (w *watcher) tell(events []*clientv3.Event) error {
	if len(events) == 0 {
		return nil
	}
	latest := make(map[string]*clientv3.Event, len(events))
	for _, event := range events {
		latest[string(event.Kv.Key)] = event
	}
	var news []*clientv3.Event
	for _, event := range events {
		if latest[string(event.Kv.Key)] == event && w.isNews(event) {
			news = append(news, event)
		}
	}
	last := events[len(events)-1].Kv.ModRevision
	for i, event := range news {
		head := last
		if i+1 < len(news) {
			head = news[i+1].Kv.ModRevision - 1
		}
		w.after = max(w.after, head)
		change := kv.Change{Key: w.store.at.keyOf(event.Kv.Key), Head: kv.Version(w.after)}
		if event.Type == mvccpb.Event_PUT {
			change.Version = kv.Version(event.Kv.ModRevision)
		}
		if err := w.say(change); err != nil {
			return err
		}
	}
	w.after = max(w.after, last)
	return nil
}

// isNews reports whether a change is not one that was listed, or is older than that.
func (w *watcher) isNews(event *clientv3.Event) bool {
	if event.Kv.ModRevision > w.upTo {
		return true
	}
	_, there := w.listed[w.store.at.keyOf(event.Kv.Key)]
	return event.Type == mvccpb.Event_DELETE && !there
}

func (w *watcher) say(change kv.Change) error {
	if w.store.isClosed() {
		return kv.ErrClosed
	}
	if !w.yield(change, nil) {
		return errEnough
	}
	return nil
}
