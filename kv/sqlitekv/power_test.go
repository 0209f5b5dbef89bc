package sqlitekv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
)

// played is a store that was written to on a disk that notes everything.
type played struct {
	begin   map[string][]byte
	ops     []op
	synced  []bool // by version - 1
	refused map[int]*kv.Batch
	witness [][]byte // the file after each commit, by version
}

const playedCommits = 40

// play commits keys k/1, k/2 and so on, each at the version of its number, some
// of them without a sync, and once closes and opens the files. Now and then a
// batch is refused for good, at a version of its own, and what was in its way
// goes with the next.
func play(t *testing.T) played {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	openStore(t, path).Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, name := newDisk(t)
	s := openStore(t, path, func(s *settings) { s.vfs = name })
	gate, _ := os.ReadFile(path + gateSuffix)
	p := played{begin: map[string][]byte{"store.db": data}, witness: [][]byte{gate}, refused: make(map[int]*kv.Batch)}
	for i := range playedCommits {
		sync := i%4 != 1
		if n := i + 1; n%8 == 3 {
			p.refused[n] = playRefusal(t, s, n)
			sync = true
		} else if version, err := s.Commit(t.Context(), playedBatch(n, sync)); err != nil || int(version) != n {
			t.Fatalf("commit %d: version %d, %v", n, version, err)
		}
		d.note(op{kind: "mark", mark: i + 1})
		gate, err := os.ReadFile(path + gateSuffix)
		if err != nil {
			t.Fatal(err)
		}
		p.synced, p.witness = append(p.synced, sync), append(p.witness, gate)
		if i == playedCommits/2 {
			if err := s.Yield(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.ops = d.ops[:d.count()]
	return p
}

// playedBatch writes a key, and sets what will be in the way of a refusal, or
// takes it away.
func playedBatch(n int, sync bool) *kv.Batch {
	b := &kv.Batch{ID: kv.NewCommitID(kv.Version(n - 1)), Sync: sync, Writes: []kv.Write{
		{Key: fmt.Sprintf("k/%d", n), Value: []byte(strings.Repeat("v", n*100-99))},
	}}
	if n%8 == 2 || n%8 == 4 {
		b.Writes = append(b.Writes, kv.Write{Key: "in the way", Delete: n%8 == 4})
	}
	return b
}

// playRefusal has a batch refused although it comes again, unsynced as it is.
func playRefusal(t *testing.T, s *Store, n int) *kv.Batch {
	t.Helper()
	b := playedBatch(n, false)
	b.Reads = []kv.Read{{Key: "in the way"}}
	later := *b
	later.Again = true
	if _, err := s.Commit(t.Context(), &later); !errors.Is(err, kv.ErrConflict) {
		t.Fatalf("a batch that comes again at version %d: %v, want it refused", n-1, err)
	}
	return b
}

// TestPowerFailure: wherever the power fails, and whatever was not synced is
// lost, each synced commit that was acknowledged is there, and of the others
// none without all that came before it.
func TestPowerFailure(t *testing.T) {
	p := play(t)
	rng := rand.New(rand.NewPCG(5, 6))
	sample := effort.Of(1, 4)
	for n := range p.ops {
		if n%5 != 0 && p.ops[n].kind != "sync" && p.ops[n].kind != "mark" || n%sample != 0 {
			continue
		}
		last, safe := 0, 0
		for _, o := range p.ops[:n+1] {
			if o.kind != "mark" {
				continue
			}
			if last = o.mark; p.synced[last-1] {
				safe = last
			}
		}
		for what, keep := range loses(rng) {
			image := crash(p.begin, p.ops[:n+1], keep)
			gate := map[string][]byte{"store.db" + gateSuffix: p.witness[last]}
			p.checkImage(t, writeImage(t, image, gate), fmt.Sprintf("after operation %d, losing %s", n, what), safe)
		}
	}
	t.Logf("%d operations", len(p.ops))
}

// checkImage opens a store after a power failure: it has the commits up to some
// version, which is at least safe, and what was refused by then stays refused.
func (p *played) checkImage(t *testing.T, path, what string, safe int) {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	snap := s.Snapshot()
	defer snap.Close()
	head, err := snap.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if int(head) < safe {
		t.Fatalf("%s: the store is at version %d, %d was acknowledged", what, head, safe)
	}
	for i := 1; i <= playedCommits; i++ {
		entries, err := snap.Get(t.Context(), fmt.Sprintf("k/%d", i))
		if err != nil {
			t.Fatal(err)
		}
		if want := i <= int(head) && p.refused[i] == nil; entries[0].Exists() != want {
			t.Fatalf("%s: at version %d, commit %d is there: %v", what, head, i, !want)
		}
	}
	for n, b := range p.refused {
		if n > int(head) {
			continue
		}
		if _, err := s.Commit(t.Context(), b); !errors.Is(err, kv.ErrConflict) {
			t.Fatalf("%s: at version %d, the first try of the batch refused at %d: %v", what, head, n, err)
		}
	}
}

// TestAcknowledgedAfterSync: between the last write to the log and the answer to
// a synced commit there is a sync of the log.
func TestAcknowledgedAfterSync(t *testing.T) {
	p := play(t)
	dirty, unsynced := false, 0
	for _, o := range p.ops {
		switch {
		case o.kind == "mark" && dirty && p.synced[o.mark-1]:
			t.Errorf("commit %d was acknowledged before a sync", o.mark)
		case o.kind == "mark" && dirty:
			unsynced++
		case o.file == "store.db"+logSuffix:
			dirty = o.kind == "write"
		}
	}
	if unsynced == 0 {
		t.Error("every commit was synced, also those that need not be")
	}
}

// TestFailedSync: a commit whose sync fails is of unknown outcome, until the
// same batch is committed again; others are refused meanwhile.
func TestFailedSync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	openStore(t, path).Close()
	d, name := newDisk(t)
	s := openStore(t, path, func(s *settings) { s.vfs = name })
	mustPut(t, s, "k", "before")
	d.fail(syscall.EIO)
	b := &kv.Batch{ID: kv.NewCommitID(1), Sync: true, Writes: []kv.Write{{Key: "k", Value: []byte("unsure")}}}
	for range 2 {
		if _, err := s.Commit(t.Context(), b); !errors.Is(err, kv.ErrUnknown) || errors.Is(err, kv.ErrExpired) {
			t.Fatalf("a commit whose sync fails: %v, want %v", err, kv.ErrUnknown)
		}
		if _, err := putOne(s, "other", "v", true); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("another commit meanwhile: %v, want %v", err, kv.ErrUnavailable)
		}
	}
	d.fail(nil)
	version, err := s.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if e := getOne(t, s, "k"); e.Version != version || string(e.Value) != "unsure" {
		t.Errorf("key k is %q at version %d, want the batch's at %d", e.Value, e.Version, version)
	}
	if again, err := s.Commit(t.Context(), b); again != version || err != nil {
		t.Errorf("the batch once more: version %d, %v, want %d", again, err, version)
	}
	mustPut(t, s, "other", "v")
}
