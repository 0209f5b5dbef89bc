package web

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// document is where people read what the programs weigh.
const document = mainModule + "/docs/web.md"

// TestDocumentedSizes: the table of programs has the sizes that were written down, which
// TestSizes holds against the programs.
func TestDocumentedSizes(t *testing.T) {
	written, _ := writtenSizes(t)
	for row, name := range map[string]string{`internal/proof/web/small`: "small", `pawl.wasm`: "pawl"} {
		said := rowOf(t, row, 3)
		for i, is := range []int{written[name].raw, written[name].gzip} {
			if want := float64(is) / 1e6; off(said[i], want) > 0.01 {
				t.Errorf("docs/web.md says that %s weighs %v MB, it is %.2f (web/dev/sizes.txt)", name, said[i], want)
			}
		}
	}
}

// TestDocumentedWeights: what docs/web.md says that each package adds to pawl.wasm is true
// within 3 %, before it is packed.
func TestDocumentedWeights(t *testing.T) {
	needDevTools(t)
	if _, by := writtenSizes(t); by != minorVersion() {
		t.Skipf("the weights were written with Go %s, this is %s", by, minorVersion())
	}
	file := filepath.Join(t.TempDir(), "names.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-o", file, "./cmd/pawlweb")
	cmd.Dir = mainModule
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build for js/wasm [build failed]: %v\n%s", err, said)
	}
	weighed, err := exec.Command("node", devTools+"/weigh.mjs", file, "50", "raw").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{
		"(constants, types, tables of functions)": "constants, types, tables of functions",
		"github.com_vmihailenco_msgpack_v5":       "`msgpack`",
	}
	compared := 0
	for line := range strings.Lines(string(weighed)) {
		words := regexp.MustCompile(`\s{2,}`).Split(strings.TrimSpace(line), -1)
		if len(words) != 3 || words[0] == "package" {
			continue
		}
		name, known := names[words[0]]
		if !known {
			name = "`" + strings.ReplaceAll(strings.TrimPrefix(words[0], "github.com_pawlkv_pawl_"), "_", "/") + "`"
		}
		is, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if !documented(t, name) {
			continue
		}
		compared++
		if said := rowOf(t, name, 2)[0]; off(said, is) > float64(mayGrow)/100 {
			t.Errorf("docs/web.md says that %s has %v KB of code, it is %.0f (make wasm prints the table)", name, said, is)
		}
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	rows := len(regexp.MustCompile(`(?m)^\| [^|]+ \| \d+ \| \d+ \|$`).FindAll(text, -1))
	if rows == 0 || compared != rows {
		t.Errorf("%d packages were compared, docs/web.md has %d", compared, rows)
	}
}

// off is by how much of what is true a figure is wrong.
func off(said, is float64) float64 { return max(said-is, is-said) / is }

func documented(t *testing.T, name string) bool {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(text), "\n| "+name+" | ")
}

// rowOf reads the figures of a row of a table, the one whose first cell has a text.
func rowOf(t *testing.T, text string, n int) (figures []float64) {
	t.Helper()
	all, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(all)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != n+1 || !strings.Contains(cells[0], text) {
			continue
		}
		for _, cell := range cells[1:] {
			var figure float64
			if _, err := fmt.Sscan(cell, &figure); err != nil {
				t.Fatalf("docs/web.md: %q: %v", line, err)
			}
			figures = append(figures, figure)
		}
		return figures
	}
	t.Fatalf("docs/web.md has no row of %s with %d figures", text, n)
	return nil
}
