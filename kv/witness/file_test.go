package witness

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
)

func TestFileKeepsTheGreatestMark(t *testing.T) {
	path := inTemp(t)
	loads(t, path, Mark{}, ErrNone)
	one, two := newFile(t, path), newFile(t, path)
	for _, m := range []struct {
		by   *File
		save Mark
		want Mark
	}{
		{one, at(5), at(5)},
		{two, at(3), at(5)},
		{one, at(4), at(5)},
		{two, at(9), at(9)},
		{one, at(8), at(9)},
		{two, Mark{storeA, 2, 1}, Mark{storeA, 2, 1}}, // an older state was accepted
		{one, at(100), Mark{storeA, 2, 1}},            // by a process that does not know
		{one, Mark{storeA, 2, 7}, Mark{storeA, 2, 7}},
		{two, Mark{storeB, 1, 2}, Mark{storeB, 1, 2}},
	} {
		save(t, m.by, m.save)
		loads(t, path, m.want, nil)
	}
}

// One process after the other, each with its own file, in all orders: what is
// loaded is the one mark that supersedes all that were saved.
func TestFileIsAJoinOfAllMarks(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, string(rune('a'+n%26))+time.Now().Format("150405.000000000"))
		files := make([]*File, 3)
		for i := range files {
			files[i] = newFile(t, path)
		}
		var want Mark
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			i := rapid.IntRange(0, 2).Draw(rt, "process")
			if rapid.IntRange(0, 5).Draw(rt, "restart") == 0 {
				files[i] = newFile(t, path)
			}
			m := Mark{storeA, rapid.Uint64Range(1, 3).Draw(rt, "generation"), kv.Version(rapid.Uint64Range(1, 50).Draw(rt, "head"))}
			save(t, files[i], m)
			if m.Supersedes(want) {
				want = m
			}
			if got, err := files[i].Load(t.Context()); err != nil || got != want {
				rt.Fatalf("load after %+v: %+v, %v, want %+v", m, got, err, want)
			}
		}
	})
}

// Processes that come and go, each replacing the file, while others write to it.
func TestNoMarkIsLostWhileTheFileIsReplaced(t *testing.T) {
	path := inTemp(t)
	save(t, newFile(t, path), at(1))
	const writers, openers, each = 4, 2, 300
	var group sync.WaitGroup
	for i := range writers {
		f := newFile(t, path)
		f.slot = func() int { return i }
		group.Go(func() {
			for n := range each {
				save(t, f, at(kv.Version(10+n*writers+i)))
			}
		})
	}
	for i := range openers {
		group.Go(func() {
			for range 30 {
				f := newFile(t, path)
				f.slot = func() int { return 100 + i }
				save(t, f, at(2))
			}
		})
	}
	group.Wait()
	loads(t, path, at(10+each*writers-1), nil)
}

// Who finds another at replacing the file uses the file as it is, and waits for
// nobody; what it saves is in the new file, too.
func TestOneAtATimeReplacesTheFile(t *testing.T) {
	if !renewable {
		return
	}
	path := inTemp(t)
	save(t, newFile(t, path), at(5))
	old, err := openPage(path, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	if mine, err := claim(old.file); err != nil || !mine {
		t.Fatalf("claim = %v, %v", mine, err)
	}
	other := newFile(t, path)
	save(t, other, at(7))
	if now, err := standingOf(old.file); err != nil || now.replaced {
		t.Fatalf("replaced = %v, %v, although the claim is another's", now.replaced, err)
	}
	if err := newFile(t, path).succeed(old, 5); err != nil {
		t.Fatal(err)
	}
	if now, err := standingOf(old.file); err != nil || !now.replaced {
		t.Fatalf("replaced = %v, %v, by who has the claim", now.replaced, err)
	}
	if err := old.file.Close(); err != nil {
		t.Fatal(err)
	}
	loads(t, path, at(7), nil)
	save(t, other, at(8))
	loads(t, path, at(8), nil)
}

// TestFirstFileIsNotReplaced: of two that find no file, the slower goes on with
// that of the faster.
func TestFirstFileIsNotReplaced(t *testing.T) {
	path := inTemp(t)
	first := newFile(t, path)
	save(t, first, at(9))
	if err := newFile(t, path).put(at(3), asFirst); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("a second first file: %v, want %v", err, fs.ErrExist)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	loads(t, path, at(9), nil)
}

// A mark that comes after the old file was read and before it is replaced.
func TestMarkSavedJustBeforeTheFileIsReplaced(t *testing.T) {
	path := inTemp(t)
	writer := newFile(t, path)
	save(t, writer, at(5))
	old, err := openPage(path, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer old.file.Close()
	save(t, writer, at(9))
	if err := newFile(t, path).succeed(old, 5); err != nil {
		t.Fatal(err)
	}
	loads(t, path, at(9), nil)
	save(t, writer, at(10))
	loads(t, path, at(10), nil)
}

func TestCopiesShow(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store", "witness")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	save(t, newFile(t, path), at(5))
	old := read(t, path)

	t.Run("elsewhere", func(t *testing.T) {
		elsewhere := inTemp(t)
		overwrite(t, elsewhere, old)
		loads(t, elsewhere, at(5), ErrCopied)
	})
	t.Run("moved", func(t *testing.T) { // a mount at another place is no copy
		moved := filepath.Join(dir, "moved")
		if err := os.Rename(filepath.Dir(path), moved); err != nil {
			t.Fatal(err)
		}
		loads(t, filepath.Join(moved, "witness"), at(5), nil)
		if err := os.Rename(moved, filepath.Dir(path)); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("put back after another opening", func(t *testing.T) {
		save(t, newFile(t, path), at(6))
		newer := read(t, path)
		overwrite(t, path, old) // in place, as cp does
		loads(t, path, at(5), ErrCopied)
		overwrite(t, path, newer)
		loads(t, path, at(6), nil)
	})
	t.Run("removed and put back", func(t *testing.T) {
		content := read(t, path)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		loads(t, path, Mark{}, ErrNone)
		overwrite(t, path, content)
		loads(t, path, at(6), ErrCopied)
	})
	t.Run("accepted", func(t *testing.T) {
		save(t, newFile(t, path), Mark{storeA, 2, 3})
		loads(t, path, Mark{storeA, 2, 3}, nil)
	})
}

// The store was restored while a process had it open: that process must not
// make the copy look like the original.
func TestRestoredFileIsNotBlessed(t *testing.T) {
	path := inTemp(t)
	live := newFile(t, path)
	save(t, live, at(5))
	restored := path + ".backup"
	overwrite(t, restored, read(t, path))
	if err := os.Rename(restored, path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := live.Save(t.Context(), at(6)); !errors.Is(err, ErrCopied) {
			t.Errorf("save over a copy: %v, want ErrCopied", err)
		}
	}
	loads(t, path, at(5), ErrCopied)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	save(t, live, at(7)) // a store behind that would show
	loads(t, path, at(7), nil)
}

// lose are ways in which a file may be lost.
var lose = map[string]func(path string) error{
	"removed": os.Remove,
	"emptied": func(path string) error { return os.Truncate(path, 0) },
	"cut":     func(path string) error { return os.Truncate(path, fileSize/2) },
	"grown":   func(path string) error { return os.Truncate(path, fileSize+1) },
	"replaced": func(path string) error {
		return errors.Join(os.Remove(path), os.WriteFile(path, []byte("something else"), 0o600))
	},
	"a directory": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
}

// TestLostFileIsMadeAgain: a file that is removed or damaged while processes save
// marks in it is there again with the greatest of them, after the next mark and after
// the last process has gone.
func TestLostFileIsMadeAgain(t *testing.T) {
	if !renewable {
		return // who has the file open keeps it
	}
	for how, lose := range lose {
		t.Run(how, func(t *testing.T) {
			path := inTemp(t)
			one, two := newFile(t, path), newFile(t, path)
			save(t, one, at(5))
			save(t, two, at(6))
			save(t, one, at(9))
			if err := lose(path); err != nil {
				t.Fatal(err)
			}
			save(t, one, at(8))
			loads(t, path, at(9), nil)
			for _, next := range []*File{two, one} {
				if err := lose(path); err != nil {
					t.Fatal(err)
				}
				save(t, next, at(7))
			}
			loads(t, path, at(9), nil)
			if err := lose(path); err != nil {
				t.Fatal(err)
			}
			for _, f := range []*File{one, two} {
				if err := errors.Join(f.Keep(), f.Close()); err != nil {
					t.Error(err)
				}
			}
			loads(t, path, at(9), nil)
		})
	}
}

// TestKeepLeavesWhatWasRestored: and makes no file where none was.
func TestKeepLeavesWhatWasRestored(t *testing.T) {
	path := inTemp(t)
	unused := newFile(t, path)
	if err := unused.Keep(); err != nil {
		t.Error(err)
	}
	loads(t, path, Mark{}, ErrNone)
	live := newFile(t, path)
	save(t, live, at(5))
	restored := path + ".backup"
	overwrite(t, restored, read(t, path))
	if err := os.Rename(restored, path); err != nil {
		t.Fatal(err)
	}
	if err := live.Keep(); err != nil {
		t.Error(err)
	}
	loads(t, path, at(5), ErrCopied)
}

// Whatever bytes change, no mark comes out that was not saved.
func TestDamageShows(t *testing.T) {
	path := inTemp(t)
	f := newFile(t, path)
	save(t, f, at(5))
	save(t, f, at(6))
	good := read(t, path)
	for i := 0; i < len(good); i += effort.Of(1, 7) {
		bad := slices.Clone(good)
		bad[i] ^= 1 << (i % 8)
		overwrite(t, path, bad)
		m, err := f.Load(t.Context())
		if i >= headerSize+volumeSize && i < firstSlot {
			if err != nil || m != at(6) {
				t.Fatalf("byte %d, which means nothing: %+v, %v", i, m, err)
			}
			continue
		}
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d: %+v, %v, want ErrDamaged", i, m, err)
		}
	}
	for _, n := range []int{0, 1, headerSize, firstSlot + 20, fileSize - 1} {
		overwrite(t, path, good[:n])
		if m, err := f.Load(t.Context()); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes: %+v, %v, want ErrDamaged", n, m, err)
		}
	}
	overwrite(t, path, append(slices.Clone(good), 0))
	if m, err := f.Load(t.Context()); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte too many: %+v, %v, want ErrDamaged", m, err)
	}
	save(t, newFile(t, path), at(3))
	loads(t, path, at(3), nil)
}

func TestFileIsPrivateAndLeavesNothing(t *testing.T) {
	path := inTemp(t)
	left, recent := path+".1.new", path+".2.new"
	overwrite(t, left, nil)
	overwrite(t, recent, nil)
	long := time.Now().Add(-2 * leftAlone)
	if err := os.Chtimes(left, long, long); err != nil {
		t.Fatal(err)
	}
	save(t, newFile(t, path), at(1))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{filepath.Base(path), filepath.Base(recent)}; !slices.Equal(names, want) {
		t.Errorf("the directory has %q, want %q", names, want)
	}
}

func TestSaveFails(t *testing.T) {
	f := NewFile(filepath.Join(t.TempDir(), "none", "witness"))
	if err := f.Save(t.Context(), at(1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: %v, want ErrNotExist", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Save(t.Context(), at(1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

func TestIdentity(t *testing.T) {
	for name, test := range map[string]struct {
		recorded, now identity
		same          bool
	}{
		"the same":                          {identity{1, 2, 0}, identity{1, 2, 0}, true},
		"another inode":                     {identity{1, 2, 0}, identity{3, 2, 0}, false},
		"an inode used again":               {identity{1, 2, 0}, identity{1, 3, 0}, false},
		"no times of birth":                 {identity{1, 0, 0}, identity{1, 0, 0}, true},
		"no times of birth, another":        {identity{1, 0, 0}, identity{2, 0, 0}, false},
		"no stable inodes":                  {identity{0, 2, 0}, identity{0, 2, 0}, true},
		"no stable inodes, another":         {identity{0, 2, 0}, identity{0, 3, 0}, false},
		"a system that tells more":          {identity{1, 0, 0}, identity{1, 2, 5}, true},
		"nothing known":                     {identity{}, identity{1, 2, 5}, true},
		"moved to where nothing is told":    {identity{1, 2, 0}, identity{}, false},
		"moved to where less, and no match": {identity{1, 0, 0}, identity{0, 2, 0}, false},
		"the same volume":                   {identity{1, 2, 5}, identity{1, 2, 5}, true},
		"a copy of the volume":              {identity{1, 2, 5}, identity{1, 2, 6}, false},
		"no volume any more":                {identity{1, 2, 5}, identity{1, 2, 0}, true},
		"a volume and nothing else":         {identity{0, 0, 5}, identity{0, 0, 6}, true},
	} {
		if got := test.recorded.is(test.now); got != test.same {
			t.Errorf("%s: %v, want %v", name, got, test.same)
		}
	}
}

func TestBlindness(t *testing.T) {
	for name, test := range map[string]struct {
		id     identity
		layers bool
		want   string // part of it
	}{
		"all is told":             {identity{1, 2, 0}, false, ""},
		"of layers":               {identity{1, 2, 0}, true, ""},
		"births alone":            {identity{0, 2, 0}, false, ""},
		"inodes alone":            {identity{1, 0, 0}, false, ""},
		"of layers, without time": {identity{1, 0, 0}, true, "containers that begin with one image are alike"},
		"nothing":                 {identity{}, false, "a file and its copy"},
		"nothing but a volume":    {identity{0, 0, 5}, false, "a file and its copy"},
	} {
		if got := test.id.blindness(test.layers); got != test.want && (test.want == "" || !strings.Contains(got, test.want)) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestFileSaysWhatItDoesNotSee, once it has a file.
func TestFileSaysWhatItDoesNotSee(t *testing.T) {
	path := inTemp(t)
	f := newFile(t, path)
	if why := f.Blind(); why != "" {
		t.Errorf("before there is a file: %q", why)
	}
	save(t, f, at(1))
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, want, err := identityOf(file); f.Blind() != want || err != nil {
		t.Errorf("%q, %v; want %q", f.Blind(), err, want)
	}
}

// TestVolume: a page says which volume it is in, or not, as pages from before.
func TestVolume(t *testing.T) {
	for _, volume := range []uint64{0, 1, 1<<64 - 1} {
		page := make([]byte, fileSize)
		h := header{storeA, 7, identity{1, 2, volume}}
		copy(page, h.encode())
		if got, err := decodeHeader(page); got != h || err != nil {
			t.Errorf("%+v, %v; want %+v", got, err, h)
		}
		if volume == 0 && !bytes.Equal(page[headerSize:], make([]byte, fileSize-headerSize)) {
			t.Error("a page without a volume is not what it was")
		}
		page[headerSize+3] ^= 4
		if got, err := decodeHeader(page); !errors.Is(err, ErrDamaged) {
			t.Errorf("damaged: %+v, %v; want ErrDamaged", got, err)
		}
	}
}
