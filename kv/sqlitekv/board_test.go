package sqlitekv

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
	"github.com/pawlkv/pawl/kv/internal/watch"
)

// FuzzBoard: whatever the file holds, it is read without a panic, and what is
// taken for notes is what encoding them gives.
func FuzzBoard(f *testing.F) {
	s := boardState{last: 9, notes: []note{{ticket: 3, process: 4, until: 5, granted: true, keys: []uint64{6, 7}}, {ticket: 9}}}
	f.Add(s.encode())
	f.Add((&boardState{}).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := decodeBoard(b)
		if !ok {
			return
		}
		again := s.encode()
		if back, ok := decodeBoard(again); !ok || cmp.Diff(s, back, cmp.AllowUnexported(boardState{}, note{})) != "" {
			t.Fatalf("%+v reads back as %+v", s, back)
		}
	})
}

// FuzzChanges: the same for the record of what a commit changed.
func FuzzChanges(f *testing.F) {
	f.Add(watch.EncodeChanges([]kv.Write{{Key: "a"}, {Key: "b/c", Delete: true}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		writes, err := watch.DecodeChanges(b)
		if err != nil {
			if !errors.Is(err, kv.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if back, err := watch.DecodeChanges(watch.EncodeChanges(writes)); err != nil || cmp.Diff(writes, back) != "" {
			t.Fatalf("%+v reads back as %+v, %v", writes, back, err)
		}
	})
}

// TestBoardGrantsInOrder: among processes turns are granted to whoever is first
// among those that share a key with it, and to no other.
func TestBoardGrantsInOrder(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		path := filepath.Join(dir, fmt.Sprint(time.Now().UnixNano()))
		var boards []*board
		for range 3 {
			b, err := openBoard(path)
			if err != nil {
				r.Fatal(err)
			}
			defer b.close()
			boards = append(boards, b)
		}
		type asked struct {
			board  *board
			ticket uint64
			keys   []string
		}
		var waiting []asked
		for range rapid.IntRange(1, 6).Draw(r, "turns") {
			keys := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 2).Draw(r, "keys")
			b := rapid.SampledFrom(boards).Draw(r, "process")
			waiting = append(waiting, asked{b, b.join(keys), keys})
		}
		for len(waiting) > 0 {
			first := waiting[0]
			for i, w := range waiting {
				free := true
				for _, earlier := range waiting[:i] {
					free = free && !turns.Meet(turns.Hashes(earlier.keys), turns.Hashes(w.keys))
				}
				if got := w.board.grant(w.ticket, w.keys); got != free {
					r.Fatalf("ticket %d is granted: %v, want %v", w.ticket, got, free)
				}
			}
			first.board.leave(first.ticket)
			waiting = waiting[1:]
		}
		if !boards[0].empty() {
			r.Fatal("notes are left after all have gone")
		}
	})
}

// TestBoardIsAdvice: a file that is not readable grants every turn.
func TestBoardIsAdvice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	b, err := openBoard(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	b.join([]string{"k"})
	if _, err := b.file.WriteAt(bytes.Repeat([]byte{0xff}, 100), 0); err != nil {
		t.Fatal(err)
	}
	if !b.grant(b.join([]string{"k"}), []string{"k"}) {
		t.Error("a turn is not granted because of a file that is not readable")
	}
}

// TestDeadProcessesExpire: what a process that died has asked for holds nobody
// up for long.
func TestDeadProcessesExpire(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	dead, err := openBoard(path)
	if err != nil {
		t.Fatal(err)
	}
	granted, waits := dead.join([]string{"k"}), dead.join([]string{"k"})
	if !dead.grant(granted, []string{"k"}) || dead.grant(waits, []string{"k"}) {
		t.Fatal("the first of two should be granted")
	}
	dead.close()
	s := openStore(t, path)
	began := time.Now()
	turn, err := s.Turn(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	turn.Release()
	if took := time.Since(began); took > kv.EmbeddedTurnLife+waitLife {
		t.Errorf("a turn after %v", took)
	}
}
