//go:build linux

package fleets

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// acquaintance is a client of one server alone, with a connection that is open when the
// server dies, and what it has read there: the newest, until another server is the primary.
type acquaintance struct {
	opened postgresStore
	store  *pgkv.Store
	read   kv.Read
	url    string
}

func (a *acquaintance) close() { _ = a.opened.Close() }

// fenced is the space of those who are led to an old primary, and what is in it.
const (
	fenced    = "fenced"
	fencedKey = "k"
)

// questions are how many are asked of an old primary at once, each by a connection.
const questions = 4

// dialFrom makes a pool of the test's process, which is on none of the hosts, dial from the
// first host of processes, and use what is open without asking whether it lives. It has
// places for what is asked by open connections and then by new ones: those that are lost
// keep theirs for a while.
func (r *replicated) dialFrom(config *pgxpool.Config) {
	from := r.clients[0]
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		late, _ := ctx.Deadline()
		return from.Dial(net.Dialer{Deadline: late}, network, address)
	}
	config.MaxConns = 4 * questions
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
}

// openAt opens the fenced space by an URL.
func (r *replicated) openAt(url string) (opened postgresStore, store *pgkv.Store) {
	r.Helper()
	setup := processes.Setup{URL: url, Dir: r.clients[0].dir, Patience: 2 * short, Synchronous: r.synchronous}
	s, err := openReached(func() (kv.Store, error) { return openPostgresBy(setup, r.dialFrom) })
	if err != nil {
		r.Fatal(err)
	}
	opened = s.(postgresStore)
	return opened, opened.db.Store(fenced)
}

// write commits the key until that is certain, and returns where it is now.
func (r *replicated) write(store kv.Store) (now kv.Read) {
	r.Helper()
	within(r.T, "a commit", func() {
		for now.Key == "" {
			view := store.Snapshot()
			entries, err := view.Get(r.Context(), fencedKey)
			view.Close()
			if err != nil {
				continue
			}
			version := entries[0].Version
			b := &kv.Batch{ID: kv.NewCommitID(version), Sync: true, Reads: []kv.Read{{Key: fencedKey, Version: version}}, Writes: []kv.Write{{Key: fencedKey, Value: []byte("text")}}}
			for version, err = store.Commit(r.Context(), b); errors.Is(err, kv.ErrUnknown) || errors.Is(err, kv.ErrUnavailable); version, err = store.Commit(r.Context(), b) {
				b.Again = true
			}
			if err != nil {
				r.Errorf("a commit of the only one who writes: %v", err)
				return
			}
			now = kv.Read{Key: fencedKey, Version: version}
		}
	})
	return now
}

// acquaint makes a client of a server, which has written and read there.
func (r *replicated) acquaint(s *pgtest.Server) *acquaintance {
	r.Helper()
	a := &acquaintance{url: urlAt(r.clients[0].Door(r.T, r.host[s], pgtest.Port)) + "&connect_timeout=1"}
	a.opened, a.store = r.openAt(a.url)
	a.read = r.write(a.store)
	a.connect(r.T)
	return a
}

// connect opens a connection for each question.
func (a *acquaintance) connect(t *testing.T) {
	t.Helper()
	for range questions {
		conn, err := a.opened.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
	}
}

// overtake commits, at the new primary, what makes old what the client has read.
func (r *replicated) overtake(a *acquaintance) {
	r.Helper()
	opened, store := r.openAt(r.clients[0].url)
	defer opened.Close()
	if now := r.write(store); now.Version <= a.read.Version {
		r.Errorf("the new primary has committed %v, after %v", now, a.read)
	}
}

// ask asks the old primary for all that changes nothing, by the connection that is open and
// by new ones, and returns what it has answered. What it has not is kv.ErrUnavailable.
func (r *replicated) ask(a *acquaintance) (answered []string) {
	r.Helper()
	ctx := r.Context()
	view := func(read func(kv.Snapshot) error) func() error {
		return func() error {
			view := a.store.Snapshot()
			defer view.Close()
			return read(view)
		}
	}
	all := map[string]func() error{
		"a read": view(func(s kv.Snapshot) error {
			_, err := s.Get(ctx, fencedKey)
			return err
		}),
		"a scan": view(func(s kv.Snapshot) (err error) {
			for _, err = range s.Scan(ctx, "") {
				break
			}
			return err
		}),
		"a watch": func() (err error) {
			for _, err = range a.store.Watch(ctx, "", 0) {
				break
			}
			return err
		},
		"a batch without writes": func() error {
			_, err := a.store.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(a.read.Version), Reads: []kv.Read{a.read}})
			return err
		},
	}
	for _, connection := range []string{"open", "new"} {
		if connection == "new" {
			a.opened.pool.Reset()
		}
		answers := make(map[string]chan error)
		for name, question := range all {
			answers[name] = make(chan error, 1)
			go func(answer chan error) { answer <- question() }(answers[name])
		}
		for name, answer := range answers {
			switch err := <-answer; {
			case err == nil:
				answered = append(answered, name+" by a connection that is "+connection)
			case !errors.Is(err, kv.ErrUnavailable):
				r.Errorf("%s of the old primary by a connection that is %s: %v, want %v", name, connection, err, kv.ErrUnavailable)
			}
		}
	}
	setup := processes.Setup{URL: a.url, Dir: r.clients[0].dir, Patience: short}
	switch s, err := openPostgresBy(setup, r.dialFrom); {
	case err == nil:
		answered = append(answered, "opening")
		_ = s.Close()
	case !errors.Is(err, kv.ErrUnavailable):
		r.Errorf("a client that opens a store of the old primary: %v, want %v", err, kv.ErrUnavailable)
	}
	slices.Sort(answered)
	return answered
}

// TestOldPrimaryAnswers: without the fence an old primary that has stood still answers
// everything, by connections that were open and by new ones. What a client finds there is
// older than what was acknowledged, and is validated there: a failure that follows from it
// would be a false one. So the fence is what refuses, and nothing else does.
func TestOldPrimaryAnswers(t *testing.T) {
	t.Parallel()
	r := newReplicated(t, true)
	old := r.primary
	client := r.acquaint(old)
	defer client.close()
	old.Freeze()
	r.promote()
	r.overtake(client)
	old.Continue()
	want := []string{
		"a batch without writes by a connection that is new", "a batch without writes by a connection that is open",
		"a read by a connection that is new", "a read by a connection that is open",
		"a scan by a connection that is new", "a scan by a connection that is open",
		"a watch by a connection that is new", "a watch by a connection that is open",
		"opening",
	}
	if answered := r.ask(client); !slices.Equal(answered, want) {
		t.Errorf("the old primary without a fence answers %q, want %q", answered, want)
	}
	r.fence(old)
	if answered := r.ask(client); len(answered) > 0 {
		t.Errorf("the old primary, fenced, answers %q", answered)
	}
}
