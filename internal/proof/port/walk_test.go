package port

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// placed is a row of docs/port/images.md: a file, that of SQLite where none is named, a
// place in it, and its bytes there.
var placed = regexp.MustCompile("(?m)^\\| (?:`([^`]+)` )?`0x([0-9a-f]+)` \\| `([0-9a-f ]+)` \\|")

// TestWalk: what the walks say stands in the images.
func TestWalk(t *testing.T) {
	found := placed.FindAllStringSubmatch(docs(t)["images.md"], -1)
	if len(found) < 20 {
		t.Fatalf("only %d places are named", len(found))
	}
	for _, m := range found {
		path := filepath.Join(images, "sqlite.db")
		if m[1] != "" {
			path = filepath.Join(images, "badger", m[1])
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at, err := strconv.ParseUint(m[2], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.ReplaceAll(m[3], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if int(at) > len(file) || !bytes.HasPrefix(file[at:], want) {
			t.Errorf("%s has at %#x not % x, but % x", path, at, want, file[min(int(at), len(file)):min(int(at)+len(want), len(file))])
		}
	}
}
