package roomkeyfile

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/proof/heap"
)

// rewritten is a file that somebody changes between two passes.
type rewritten struct {
	*bytes.Reader
	passes int
	change map[int][]byte // what it is from a pass on
}

// Seek implements io.Seeker. Each pass begins with it.
func (r *rewritten) Seek(offset int64, whence int) (int64, error) {
	if b, ok := r.change[r.passes]; ok {
		r.Reader = bytes.NewReader(b)
	}
	r.passes++
	return r.Reader.Seek(offset, whence)
}

// TestChangedBetweenPasses: what was verified is not believed of another content: a
// file that is written to while it is read is an error, if not at once then at its end.
func TestChangedBetweenPasses(t *testing.T) {
	keys := []group.RoomKey{newKey(t, 1), newKey(t, 2)}
	file := write(t, 1, keys...)
	shorter, other := write(t, 1, keys[0]), write(t, 1, keys[1], keys[0])
	flipped := slices.Clone(file)
	flipped[len(file)/2] ^= 2 // in the JSON, behind the first key
	for pass := 1; pass <= 3; pass++ {
		for name, now := range map[string][]byte{
			"shorter": shorter, "another": other, "a character": flipped, "cut": file[:len(file)/2], "gone": nil,
		} {
			in := &rewritten{bytes.NewReader(file), 0, map[int][]byte{pass: now}}
			r, err := NewReader(in)
			must(t, err)
			err = r.Unlock(t.Context(), passphrase)
			if err == nil && pass > 2 {
				_, _, err = all(r)
			}
			if pass == 1 && name == "another" {
				continue // that is the file, then
			}
			known := slices.ContainsFunc([]error{ErrChanged, ErrPassphrase, ErrFormat, ErrCut}, func(e error) bool { return errors.Is(err, e) })
			if !known || pass > 1 && name == "a character" && !errors.Is(err, ErrChanged) {
				t.Errorf("%s in pass %d: %v", name, pass, err)
			}
		}
	}
}

// TestUnlockEnds: with its context, while it reads, too.
func TestUnlockEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in := &counting{ReadSeeker: bytes.NewReader(write(t, 1, newKey(t, 1))), after: 1, then: cancel}
	r, err := NewReader(in)
	must(t, err)
	if err := r.Unlock(ctx, passphrase); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// counting is a file that does something when it was rewound.
type counting struct {
	io.ReadSeeker
	after int
	then  func()
}

// Seek implements io.Seeker.
func (c *counting) Seek(offset int64, whence int) (int64, error) {
	if c.after--; c.after < 0 {
		c.then()
	}
	return c.ReadSeeker.Seek(offset, whence)
}

// most is what reading or writing a file may hold, however large it is.
const most = 1 << 20

// whole makes the test of memory take as much as the bound speaks of.
//
//	go test ./roomkeyfile -run Holds -whole
var whole = flag.Bool("whole", false, "a file of 30 MB")

// TestHoldsLittle: a file is never held as a whole, neither written nor read.
func TestHoldsLittle(t *testing.T) {
	size := 3 << 20
	if *whole {
		size = 30 << 20
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "keys.txt"))
	must(t, err)
	defer f.Close()
	some := make([]group.RoomKey, 100)
	for i := range some {
		some[i] = newKey(t, uint32(i))
	}
	m := heap.Start()
	look := func(i int) {
		if i%1000 == 0 {
			m.Look()
		}
	}
	w, err := newWriter(f, rand.Reader, passphrase, 10)
	must(t, err)
	for written := int64(0); written < int64(size); written, err = f.Seek(0, io.SeekCurrent) {
		must(t, err)
		must(t, w.Add(some[w.Count()%len(some)]))
		look(w.Count())
	}
	must(t, w.Close())
	must(t, second(f.Seek(0, io.SeekStart)))
	r, err := NewReader(f)
	must(t, err)
	must(t, r.Unlock(t.Context(), passphrase))
	n := 0
	for k, err := range r.Keys() {
		if err != nil || !same(k, some[n%len(some)]) {
			t.Fatalf("key %d: %v", n, err)
		}
		n++
		look(n)
	}
	if n != w.Count() || m.Peak() > most {
		t.Errorf("%d of %d keys; %d bytes are held, want %d at most", n, w.Count(), m.Peak(), most)
	}
	info, err := f.Stat()
	must(t, err)
	t.Logf("%d keys in %d bytes: %d are held", n, info.Size(), m.Peak())
}

// BenchmarkRead is reading a file of 10,000 keys, the passphrase aside.
func BenchmarkRead(b *testing.B) {
	var out bytes.Buffer
	w, err := newWriter(&out, rand.Reader, passphrase, 1)
	must(b, err)
	k := newKey(b, 1)
	for range 10_000 {
		must(b, w.Add(k))
	}
	must(b, w.Close())
	b.SetBytes(int64(out.Len()))
	for b.Loop() {
		if keys, _, err := read(out.Bytes()); err != nil || len(keys) != 10_000 {
			b.Fatal(len(keys), err)
		}
	}
}

// BenchmarkDerive is what one passphrase costs to try.
func BenchmarkDerive(b *testing.B) {
	for _, rounds := range []uint32{WeakRounds, Rounds} {
		b.Run(fmt.Sprint(rounds), func(b *testing.B) {
			for b.Loop() {
				if _, err := derive("correct horse", head{rounds: rounds}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
