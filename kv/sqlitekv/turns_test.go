package sqlitekv

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// tries is how often a test is made that must be over before a turn is.
const tries = 20

// inTurn runs a test until it is done within the life of a turn, and says so.
func inTurn(t *testing.T, test func() (problem string)) {
	t.Helper()
	problem := ""
	for range tries {
		began := time.Now()
		problem = test()
		if problem == "" || time.Since(began) < kv.EmbeddedTurnLife {
			break
		}
	}
	if problem != "" {
		t.Error(problem)
	}
}

// begin calls f and tells when it is done.
func begin(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	return done
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// waitFor waits for what comes soon.
func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// TestAWholeTurnAmongProcesses: a commit that another process has on its way when
// the turn is granted waits behind it, although it asked before.
func TestAWholeTurnAmongProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	a, b := openStore(t, path), openStore(t, path)
	between := newGate(path)
	t.Cleanup(between.close)
	inTurn(t, func() string {
		if err := <-between.ask(); err != nil {
			t.Fatal(err)
		}
		late := begin(func() { commitTo(t, b, "late") })
		waitFor(t, "the commit of the other process", func() bool { return b.committer.gate.waits() })

		var turn kv.Turn
		granted := begin(func() {
			var err error
			if turn, err = a.Turn(t.Context()); err != nil {
				t.Error(err)
			}
		})
		waitFor(t, "the turn", func() bool { return b.turns.taken() })
		problem := ""
		if isDone(granted) {
			problem = "the turn was granted while a process has the gate"
		}
		between.release()
		<-granted
		if isDone(late) {
			problem = "the commit of the other process went before the turn"
		}
		b := &kv.Batch{ID: kv.NewCommitID(0), Turn: turn.ID, Writes: []kv.Write{{Key: "holder"}}}
		if _, err := a.Commit(t.Context(), b); err != nil {
			t.Error(err)
		}
		if isDone(late) {
			problem = "the commit of the other process went before the holder's"
		}
		turn.Release()
		<-late
		return problem
	})
}

// TestAWholeTurnWaitsForNobodyWhoIsStopped: a process that has the gate and does
// nothing holds up the turn no longer than a turn lasts.
func TestAWholeTurnWaitsForNobodyWhoIsStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	stopped := newGate(path)
	t.Cleanup(stopped.close)
	if err := <-stopped.ask(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	turn, err := s.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	turn.Release()
	if waited := time.Since(began); waited < kv.EmbeddedTurnLife {
		t.Errorf("granted after %v, beside a process that may be committing", waited)
	}
	stopped.release()
	commitTo(t, s, "k")
}

func commitTo(t *testing.T, s *Store, key string) {
	t.Helper()
	if _, err := s.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key}}}); err != nil {
		t.Error(err)
	}
}

// waits reports whether somebody waits for the gate.
func (g *gate) waits() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.busy && g.asked != nil
}
