package testfiles

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the seeds of the fuzz targets to testdata/fuzz")

// Corpus fails unless the seeds of a fuzz target of the package under test are
// committed as files, which plain go test replays, so that fuzzing starts from every
// case of the formats.
func Corpus[V []byte | string](t *testing.T, target string, seeds map[string]V) {
	t.Helper()
	dir := filepath.Join("testdata", "fuzz", target)
	for name, seed := range seeds {
		path := filepath.Join(dir, strings.NewReplacer(" ", "-", ",", "", "^", "-").Replace(name))
		text := fmt.Sprintf("go test fuzz v1\n%T(%s)\n", seed, strconv.Quote(string(seed)))
		text = strings.Replace(text, "[]uint8", "[]byte", 1)
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

// Seed is an input of a decoder: what it shows, and what must come of it.
type Seed struct {
	Name string
	In   []byte
	Want error // nil: accepted
}

// Named are seeds by their names, which say what comes of them.
func Named[S ~struct {
	Name string
	In   []byte
	Want error
}](seeds []S) map[string][]byte {
	named := map[string][]byte{}
	for _, s := range seeds {
		outcome := "accept "
		if Seed(s).Want != nil {
			outcome = "refuse "
		}
		named[outcome+Seed(s).Name] = Seed(s).In
	}
	return named
}
