package aftermath

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/kv/witness"
)

// engine is where a life is lived: in a directory, with the files of the engine
// and the witness that the command would have there.
type engine struct {
	name    string
	witness string
	open    func(dir string) (kv.Store, error)
}

var engines = []engine{
	{"badger", "pawl.witness", func(dir string) (kv.Store, error) { return badgerkv.Open(dir) }},
	{"sqlite", "store.db.witness", func(dir string) (kv.Store, error) { return sqlitekv.Open(filepath.Join(dir, "store.db")) }},
}

func (e engine) witnessIn(dir string) *witness.File {
	return witness.NewFile(filepath.Join(dir, e.witness))
}

// remains are the files of a store whose processes were killed, or have closed
// it, after all of a life.
type remains struct {
	engine
	life  *Life
	kept  string // another name of the witness's file: a copy would be known as one
	files map[string]file
}

// file is one without the zeros at its end, of which there may be many.
type file struct {
	data []byte
	size int64
}

// leave lives a life on an engine and returns what is left of it if it is
// killed, and if it is closed.
func leave(t *testing.T, e engine) (killed, closed *remains) {
	t.Helper()
	home := scratch(t)
	dir := filepath.Join(home, "lived")
	if e.name == "sqlite" {
		must(t, os.Mkdir(dir, 0o700))
	}
	w := e.witnessIn(dir)
	store, err := e.open(dir)
	must(t, err)
	life, err := Begin(t.Context(), store, pawl.WithWitness(w))
	must(t, err)
	for call := range Calls {
		if call == Calls/2 { // from here on there are tables and a log
			must(t, store.Close())
			store, err = e.open(dir)
			must(t, err)
			must(t, life.Resume(store, pawl.WithWitness(w)))
		}
		must(t, life.Step())
	}
	kept := filepath.Join(home, "kept")
	must(t, os.Link(filepath.Join(dir, e.witness), kept))
	killed = &remains{e, life, kept, readAll(t, dir)}
	must(t, store.Close())
	must(t, w.Close())
	return killed, &remains{e, life, kept, readAll(t, dir)}
}

// scratch returns a directory in memory, if there is such: much is synced there.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "aftermath-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, dir string) map[string]file {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	files := make(map[string]file)
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue // the socket
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		must(t, err)
		size := int64(len(data))
		for blank := make([]byte, 4096); bytes.HasSuffix(data, blank); {
			data = data[:len(data)-len(blank)]
		}
		files[entry.Name()] = file{bytes.Clone(data), size}
	}
	return files
}

func (r *remains) names() []string { return slices.Sorted(maps.Keys(r.files)) }

// named returns the name of the only file that ends so.
func (r *remains) named(t *testing.T, suffix string) string {
	t.Helper()
	found := slices.DeleteFunc(r.names(), func(name string) bool {
		return !strings.HasSuffix(name, suffix) || len(r.files[name].data) == 0
	})
	if len(found) == 0 {
		t.Fatalf("no file %s among %q", suffix, r.names())
	}
	return found[len(found)-1]
}

// place writes the files down, one of them changed.
func (r *remains) place(dir, changed string, to file) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for name, f := range r.files {
		if name == changed {
			f = to
		}
		path := filepath.Join(dir, name)
		if name == r.witness {
			if err := os.Link(r.kept, path); err != nil {
				return err
			}
		}
		if err := os.WriteFile(path, f.data, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(path, f.size); err != nil {
			return err
		}
	}
	return nil
}

// judge opens the files, one of them changed, and asks the life about them.
func (r *remains) judge(t *testing.T, changed string, to file) (Verdict, error) {
	dir := filepath.Join(filepath.Dir(r.kept), "judged")
	defer os.RemoveAll(dir)
	if err := r.place(dir, changed, to); err != nil {
		return 0, err
	}
	store, err := r.open(dir)
	if err != nil {
		return r.refusal(changed, err)
	}
	w := r.witnessIn(dir)
	defer w.Close()
	defer store.Close()
	return r.life.Judge(context.WithoutCancel(t.Context()), store, r.life.Moments(), Terms{Witness: w})
}
