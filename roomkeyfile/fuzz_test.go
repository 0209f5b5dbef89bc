package roomkeyfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/testfiles"
)

// TestCorpusIsCommitted: the seeds of each fuzz target are the cases of the other tests.
func TestCorpusIsCommitted(t *testing.T) {
	k := newKey(t, 1)
	files := map[string][]byte{}
	for name, b := range forms(t, [2]group.RoomKey{k, newKey(t, 2)}) {
		files["accept "+name] = b
	}
	for name, c := range badFiles(t) {
		files["refuse "+name] = []byte(c.file)
	}
	maps.DeleteFunc(files, func(_ string, b []byte) bool { return len("[]byte()")+len(strconv.Quote(string(b))) >= 10_000 })
	testfiles.Corpus(t, "FuzzReader", files)
	keys := map[string]string{}
	for name, c := range keyCases(t, k) {
		keys[name] = "[" + entry(t, k, c.change) + "]"
	}
	for i, text := range []string{"", "{}", "[", "[] []", "[1 2]", "[null,7,[[]]]", "\n[\t]\r ", `[{"room_id":"!r"},"\u0000"]`} {
		keys[fmt.Sprint("text ", i)] = text
	}
	maps.DeleteFunc(keys, func(_, text string) bool { return len("string()")+len(strconv.Quote(text)) >= 10_000 })
	testfiles.Corpus(t, "FuzzKeys", keys)
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
