package report

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDocument: what is between the marks is replaced, what is around them stays,
// a plot from before goes, and doing it again changes nothing.
func TestDocument(t *testing.T) {
	dir := t.TempDir()
	path, folder := filepath.Join(dir, "figures.md"), filepath.Join(dir, "figures")
	put(t, path, "# Figures\n"+beginMark+"old ones\n"+endMark+"What they do not show.\n")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(folder, "gone.svg"), "<svg/>")
	if err := Document(path, madeUp()); err != nil {
		t.Fatal(err)
	}
	first := get(t, path)
	for _, want := range []string{"# Figures\n" + beginMark + "\n**Without a cache", "[All figures](figures/README.md)", endMark + "What they do not show.\n"} {
		if !strings.Contains(first, want) {
			t.Errorf("%q is missing", want)
		}
	}
	all := get(t, filepath.Join(folder, "README.md"))
	for _, want := range []string{"# Figures\n", "\n**Without a cache", "![What goes wrong when processes share a store](faults.svg)", "\n## All figures\n"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in the page beside the plots", want)
		}
	}
	if strings.Contains(first, "old ones") {
		t.Error("the old results are still there")
	}
	expectFiles(t, folder)
	if err := Document(path, madeUp()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, get(t, path)); diff != "" {
		t.Errorf("the second time: %s", diff)
	}
	stored, err := os.Open(filepath.Join(folder, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	if r, err := Read(stored); err != nil || !cmp.Equal(r, madeUp()) {
		t.Errorf("the result beside it is another one: %v", err)
	}
}

// TestPublished: the document of this repository, its plots and its figures are what
// its stored result gives.
func TestPublished(t *testing.T) {
	const docs = "../../docs"
	path := filepath.Join(t.TempDir(), "benchmarks.md")
	put(t, path, get(t, filepath.Join(docs, "benchmarks.md")))
	stored, err := os.Open(filepath.Join(docs, "benchmarks", "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	r, err := Read(stored)
	if err != nil {
		t.Fatal(err)
	}
	if err := Document(path, r); err != nil {
		t.Fatal(err)
	}
	if get(t, path) != get(t, filepath.Join(docs, "benchmarks.md")) {
		t.Error("docs/benchmarks.md has another answer than its result gives")
	}
	drawn, published := filesIn(t, strings.TrimSuffix(path, ".md")), filesIn(t, filepath.Join(docs, "benchmarks"))
	for name, text := range drawn {
		if published[name] != text {
			t.Errorf("docs/benchmarks/%s is not what the result gives: pawl bench report docs/benchmarks/result.json --document docs/benchmarks.md", name)
		}
	}
	if len(drawn) != len(published) {
		t.Errorf("docs/benchmarks has %d files, want %d", len(published), len(drawn))
	}
}

func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range all {
		files[f.Name()] = get(t, filepath.Join(dir, f.Name()))
	}
	return files
}

func expectFiles(t *testing.T, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(plotNames) {
		t.Errorf("%d plots, want %d: %q", len(files), len(plotNames), files)
	}
	for _, name := range plotNames {
		if svg := get(t, filepath.Join(folder, name+".svg")); !strings.Contains(svg, "prefers-color-scheme:dark") {
			t.Errorf("%s does not follow light and dark", name)
		}
	}
}

// TestProse: a line for each sentence, none over 100 columns with its prefix.
func TestProse(t *testing.T) {
	long := strings.Repeat("word ", 30)
	got := prose("> ", "One. "+long+"end. Three 1.5 x.")
	want := "> One.\n> " + strings.TrimSpace(strings.Repeat("word ", 19)) + "\n> " + strings.Repeat("word ", 11) + "end.\n> Three 1.5 x."
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestDocumentWithoutMarks is left as it is.
func TestDocumentWithoutMarks(t *testing.T) {
	for _, text := range []string{"", beginMark, endMark + beginMark, "prose\n"} {
		path := filepath.Join(t.TempDir(), "figures.md")
		put(t, path, text)
		if err := Document(path, madeUp()); !errors.Is(err, ErrNoMarks) {
			t.Errorf("%q: %v", text, err)
		}
		if got := get(t, path); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
