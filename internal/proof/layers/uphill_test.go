package layers

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root = "../../.."
	// order is the document whose table names the folders from bottom to top.
	order = "docs/architecture.md"
	// maxUphill is how many import statements may go up. Go allows no circle, so
	// there is an order without any; one that readers find natural may have few.
	maxUphill = 10
)

// row is a line of the table. Its folders stand side by side.
type row []string

// covers returns how well a row fits a package, 0 if it does not: a folder stands
// for those within that have no row of their own.
func (r row) covers(name string) int {
	best := 0
	for _, folder := range r {
		if folder == name || folder != "." && strings.HasPrefix(name, folder+"/") {
			best = max(best, len(folder))
		}
	}
	return best
}

// TestFewImportsGoUp: who reads the folders in the order of the document has met
// almost everything that a folder builds on.
func TestFewImportsGoUp(t *testing.T) {
	rows := readOrder(t)
	var up []string
	for _, p := range list(t) {
		from := height(rows, p.name())
		if from < 0 {
			t.Errorf("%s is in no row of the table of %s", p.name(), order)
			continue
		}
		for _, imp := range statements(t, p) {
			if to := height(rows, imp.name); to > from {
				up = append(up, fmt.Sprintf("%s imports %s", imp.file, imp.name))
			}
		}
	}
	if len(up) > maxUphill {
		t.Errorf("%d imports go up in the order of %s, at most %d may: move the code, or the row\n%s",
			len(up), order, maxUphill, strings.Join(up, "\n"))
	}
	t.Logf("%d imports go up\n%s", len(up), strings.Join(up, "\n"))
}

// height returns the number of the row that fits a package best.
func height(rows []row, name string) int {
	at, best := -1, 0
	for i, r := range rows {
		if fit := r.covers(name); fit > best {
			at, best = i, fit
		}
	}
	return at
}

// readOrder reads the rows of the document's first table.
func readOrder(t *testing.T) (rows []row) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, order))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(string(text)) {
		first, isRow := strings.CutPrefix(line, "| `")
		switch {
		case isRow:
			first, _, _ = strings.Cut("`"+first, " |")
			var r row
			for _, match := range named.FindAllStringSubmatch(first, -1) {
				r = append(r, folderOf(t, match[1]))
			}
			rows = append(rows, r)
		case len(rows) > 0:
			checkRows(t, rows)
			return rows
		}
	}
	t.Fatalf("%s has no table of folders", order)
	return nil
}

// folderOf returns the name of a folder that is there.
func folderOf(t *testing.T, name string) string {
	t.Helper()
	if name == "pawl" {
		return "."
	}
	if info, err := os.Stat(filepath.Join(root, name)); err != nil || !info.IsDir() {
		t.Errorf("%s has a row for %s, which is no folder", order, name)
	}
	return name
}

func checkRows(t *testing.T, rows []row) {
	t.Helper()
	all := slices.Concat(rows...)
	slices.Sort(all)
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			t.Errorf("%s has two rows for %s", order, all[i])
		}
	}
}

// statement is an import of this module in a file.
type statement struct{ file, name string }

// statements returns the imports of a package's files, of those for other systems
// too.
func statements(t *testing.T, p pkg) (all []statement) {
	t.Helper()
	for _, file := range slices.Concat(p.GoFiles, p.IgnoredGoFiles) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if name, ours := local(path); ours && !strings.HasSuffix(file, "_test.go") {
				all = append(all, statement{filepath.Join(p.name(), file), name})
			}
		}
	}
	return all
}

func TestHeight(t *testing.T) {
	rows := []row{{"kv"}, {"kv/memkv", "kv/sqlitekv"}, {"txn"}, {"."}, {"kv/kvtest"}}
	for name, want := range map[string]int{
		"kv": 0, "kv/internal/turns": 0, "kv/memkv": 1, "kv/sqlitekv/inner": 1, "kvx": -1,
		"txn/seal": 2, ".": 3, "cmd/pawl": -1, "kv/kvtest/broken": 4,
	} {
		if at := height(rows, name); at != want {
			t.Errorf("%s stands in row %d, want %d", name, at, want)
		}
	}
}
