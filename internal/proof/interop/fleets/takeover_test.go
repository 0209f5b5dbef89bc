//go:build linux

package fleets

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/internal/proof/fleet"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv/etcdtest"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// takeovers is how many are measured: make failover.
var takeovers = flag.Int("fleet.takeovers", 1, "failovers of each engine that are timed beside its bare client")

// writer writes one thing after the other, and the same again when it is not sure.
type writer struct {
	name string

	mu    sync.Mutex
	acks  int
	last  time.Time
	said  error // by the last call
	wrong error // no failover is behind it
}

// pauseOf is how long who was refused waits, Pawl's and the bare client alike.
const pauseOf = 5 * time.Millisecond

// run calls write, which says whether its error may pass, until the context ends.
func (w *writer) run(ctx context.Context, write func(context.Context) (passes bool, err error)) {
	for ctx.Err() == nil {
		passes, err := write(ctx)
		w.mu.Lock()
		w.said = err
		switch {
		case err == nil:
			w.acks++
			w.last = time.Now()
		case !passes && ctx.Err() == nil:
			w.wrong = err
		}
		w.mu.Unlock()
		if err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(pauseOf):
		}
	}
}

// after returns when it had its first acknowledgement after a moment.
func (w *writer) after(t *testing.T, moment time.Time) time.Time {
	t.Helper()
	var said error
	for late := time.Now().Add(ends); time.Now().Before(late); {
		w.mu.Lock()
		last, wrong := w.last, w.wrong
		said = w.said
		w.mu.Unlock()
		if wrong != nil {
			t.Fatal(wrong)
		}
		if last.After(moment) {
			return last
		}
		<-time.After(time.Millisecond / 4)
	}
	t.Fatalf("nothing of %s is acknowledged %v after the failover: %v", w.name, ends, said)
	return moment
}

// commitsOf writes with a store, one commit after the other; a batch whose outcome is not
// known goes out again until it is.
func commitsOf(store kv.Store) func(context.Context) (bool, error) {
	var b *kv.Batch
	var version kv.Version
	return func(ctx context.Context) (bool, error) {
		if b == nil {
			b = &kv.Batch{ID: kv.NewCommitID(version), Sync: true, Writes: []kv.Write{{Key: "key", Value: make([]byte, 500)}}}
		}
		v, err := store.Commit(ctx, b)
		switch kv.OutcomeOf(err) {
		case kv.Applied:
			version, b = v, nil
			return true, nil
		case kv.Unknown:
			b.Again = true
			return true, err
		}
		return errors.Is(err, kv.ErrUnavailable), err
	}
}

// timed fails over again and again while both write, and prints how long each waited.
func timed(t *testing.T, engine string, pawl, bare func(context.Context) (bool, error), fail func() time.Time, again func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var both sync.WaitGroup
	ours, theirs := &writer{name: "Pawl"}, &writer{name: "the bare client"}
	both.Go(func() { ours.run(ctx, pawl) })
	both.Go(func() { theirs.run(ctx, bare) })
	defer both.Wait()
	defer cancel()
	var waits [2][]time.Duration
	for n := range *takeovers {
		for _, w := range []*writer{ours, theirs} { // all is well
			w.after(t, time.Now())
		}
		killed := fail()
		a, b := ours.after(t, killed).Sub(killed), theirs.after(t, killed).Sub(killed)
		t.Logf("%s, failover %d: %.0f ms with Pawl, %.0f ms with the bare client", engine, n+1, a.Seconds()*1000, b.Seconds()*1000)
		waits[0], waits[1] = append(waits[0], a), append(waits[1], b)
		again()
	}
	a, b := median(waits[0]), median(waits[1])
	t.Logf("%s, medians of %d failovers: %.0f ms with Pawl, %.0f ms with the bare client: %.2f x", engine, *takeovers, a.Seconds()*1000, b.Seconds()*1000, a.Seconds()/b.Seconds())
}

// besides runs a test beside others if its times do not matter.
func besides(t *testing.T) {
	t.Helper()
	if *takeovers == 1 {
		t.Parallel()
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// TestTakeoverOfPostgres times from the death of a primary to the next commit on the
// standby that is promoted at once, beside a bare UPDATE through the same kind of pool.
func TestTakeoverOfPostgres(t *testing.T) {
	besides(t)
	network := fleet.NewOfProxies(t)
	r := &replicated{
		site: &site{T: t, engine: postgres, network: network}, host: make(map[*pgtest.Server]*fleet.Host),
		settings: []string{"synchronous_standby_names=ANY 1 (*)", "wal_retrieve_retry_interval=100ms", "wal_receiver_timeout=2s"},
	}
	var hosts []string
	for _, name := range []string{"one", "two", "three"} {
		hosts = append(hosts, fmt.Sprintf("%s:%d", r.server(name).Address, pgtest.Port))
	}
	r.primary = pgtest.StartAt(t, placeOf(r.servers[0]), r.settings...)
	r.host[r.primary] = r.servers[0]
	for _, h := range r.servers[1:] {
		r.addStandby(h)
	}
	url := urlAt(strings.Join(hosts, ",")) + "&target_session_attrs=read-write&connect_timeout=2"
	store, err := openPostgres(processes.Setup{URL: url, Dir: t.TempDir(), Synchronous: true, Patience: patienceOf})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	r.primary.SQL(t, "CREATE TABLE bare (id int PRIMARY KEY, value bytea)", "INSERT INTO bare VALUES (1, '')")
	bare := func(ctx context.Context) (bool, error) {
		within, cancel := context.WithTimeout(ctx, patienceOf)
		defer cancel()
		_, err := pool.Exec(within, "UPDATE bare SET value = $1 WHERE id = 1", make([]byte, 500))
		return true, err
	}
	var old *pgtest.Server
	timed(t, postgres, commitsOf(store), bare, func() time.Time {
		old = r.primary
		old.Kill()
		killed := time.Now()
		r.promote()
		return killed
	}, func() {
		old.Remove()
		r.addStandby(r.host[old])
	})
}

// patienceOf is how long a call waits for an answer, Pawl's and the bare client's.
const patienceOf = 5 * time.Second

// TestTakeoverOfEtcd times from the death of the leader to the next commit under another
// one, beside the same transaction of a bare client with etcd's defaults.
func TestTakeoverOfEtcd(t *testing.T) {
	besides(t)
	cluster := etcdtest.Start(t, etcdtest.Newest(), members)
	store, err := openEtcd(processes.Setup{URL: strings.Join(cluster.Endpoints(), ","), Dir: t.TempDir(), Patience: patienceOf})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	client := cluster.Connect(t)
	var last int64
	bare := func(ctx context.Context) (bool, error) {
		within, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), patienceOf)
		defer cancel()
		done, err := client.Txn(within).If(clientv3.Compare(clientv3.ModRevision("bare"), "=", last)).
			Then(clientv3.OpPut("bare id", ""), clientv3.OpPut("bare", string(make([]byte, 500)))).Else(clientv3.OpGet("bare")).Commit()
		switch {
		case err != nil:
			return true, err
		case done.Succeeded:
			last = done.Header.Revision
		default: // the one that was not sure was applied
			last = done.Responses[0].GetResponseRange().Kvs[0].ModRevision
		}
		return true, nil
	}
	var dead *etcdtest.Member
	timed(t, etcd, commitsOf(store), bare, func() time.Time {
		dead = cluster.Leader(t)
		dead.Kill()
		return time.Now()
	}, func() {
		dead.Run(t)
		cluster.Await(t)
	})
}
