package roomkeyfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/group"
)

var update = flag.Bool("update", false, "write the seeds of the fuzz targets to testdata/fuzz")

// corpora are the seeds of each fuzz target: the cases of the other tests. They are
// committed as files, which plain go test replays.
func corpora(t testing.TB) map[string]string {
	all := map[string]string{}
	add := func(target, name, value string) {
		if len(value) < 10_000 {
			name = strings.NewReplacer(" ", "-", ",", "", "^", "-").Replace(name)
			all[filepath.Join("testdata", "fuzz", target, name)] = "go test fuzz v1\n" + value + "\n"
		}
	}
	k := newKey(t, 1)
	bytesOf := func(b string) string { return "[]byte(" + strconv.Quote(b) + ")" }
	for name, b := range forms(t, [2]group.RoomKey{k, newKey(t, 2)}) {
		add("FuzzReader", "accept "+name, bytesOf(string(b)))
	}
	for name, c := range badFiles(t) {
		add("FuzzReader", "refuse "+name, bytesOf(c.file))
	}
	for name, c := range keyCases(t, k) {
		add("FuzzKeys", name, "string("+strconv.Quote("["+entry(t, k, c.change)+"]")+")")
	}
	for i, text := range []string{"", "{}", "[", "[] []", "[1 2]", "[null,7,[[]]]", "\n[\t]\r ", `[{"room_id":"!r"},"\u0000"]`} {
		add("FuzzKeys", fmt.Sprint("text ", i), "string("+strconv.Quote(text)+")")
	}
	return all
}

// TestCorpusIsCommitted fails when a seed is missing or differs from its file.
func TestCorpusIsCommitted(t *testing.T) {
	for path, text := range corpora(t) {
		if *update {
			must(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)))
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%s is not the seed that it was made from, %v (go test -update writes it)", path, err)
		}
	}
}

// FuzzReader: whatever is in a file, it is read or refused, and what is read is written
// and read again as it was.
func FuzzReader(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil || r.Rounds() > 10 {
			return
		}
		if err := r.Unlock(t.Context(), passphrase); err != nil {
			return
		}
		again(t, r)
	})
}

// FuzzKeys: whatever an honest file has in it, keys are read or refused one by one.
func FuzzKeys(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		r, err := NewReader(bytes.NewReader(file(text)))
		must(t, err)
		err = r.Unlock(t.Context(), passphrase)
		var array []json.RawMessage
		valid := json.Unmarshal([]byte(text), &array) == nil && strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "[")
		if valid != (err == nil) {
			t.Fatalf("%q is an array: %v, and the file says %v", text, valid, err)
		}
		if err == nil && len(array) != r.Count() {
			t.Fatalf("%d keys of %d", r.Count(), len(array))
		}
		if err == nil {
			again(t, r)
		}
	})
}

func again(t *testing.T, r *Reader) {
	keys, _, err := all(r)
	must(t, err)
	var out bytes.Buffer
	w, err := newWriter(&out, fixed(1), passphrase, 1)
	must(t, err)
	for _, k := range keys {
		must(t, w.Add(k))
	}
	must(t, w.Close())
	once, refused, err := read(out.Bytes())
	if err != nil || len(refused) > 0 || !slices.EqualFunc(once, keys, func(a, b group.RoomKey) bool { return same(a, b) }) {
		t.Fatalf("%d of %d keys come again, refused %v, %v", len(once), len(keys), refused, err)
	}
}
