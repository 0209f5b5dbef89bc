package pickletest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

var update = flag.Bool("update", false, "write the seeds of the fuzz targets to testdata/fuzz")

// Corpus fails the test unless the seeds of a fuzz target are committed as files, which
// plain go test replays.
func Corpus(t *testing.T, target string, seeds map[string][]byte) {
	t.Helper()
	dir := filepath.Join("testdata", "fuzz", target)
	for name, content := range seeds {
		path, text := filepath.Join(dir, name), fmt.Sprintf("go test fuzz v1\n[]byte(%s)\n", strconv.Quote(string(content)))
		if *update {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%s is not the seed, %v (go test -update writes it)", path, err)
		}
	}
}
