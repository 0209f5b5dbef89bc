package port

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs are the documents of the kit, by their names, and all of them together.
func docs(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, "docs/port/*.md"))
	if err != nil || len(paths) < 4 {
		t.Fatalf("found %q, %v", paths, err)
	}
	all := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = string(text)
	}
	return all
}

// runBy are the tests that run what is in each directory of vectors: all of it, and they
// fail where there is none.
var runBy = map[string]string{
	"images": "TestImages", "kv": "kv/kvtest", "records": "TestRecords", "sealing": "TestSealing", "transactions": "TestTransactions",
}

// TestEveryFileIsDescribed: docs/port names each file of vectors, and each field and
// outcome that stands in one. Scripts are described by their directories.
func TestEveryFileIsDescribed(t *testing.T) {
	all := docs(t)
	found := 0
	err := filepath.WalkDir(filepath.Join(root, "vectors"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		dir, name := filepath.Base(filepath.Dir(path)), filepath.Base(path)
		if top, _, below := strings.Cut(strings.TrimPrefix(filepath.ToSlash(path), root+"/vectors/"), "/"); below && runBy[top] == "" {
			t.Errorf("%s: no test runs the vectors of %s", path, top)
		}
		switch filepath.Ext(name) {
		case ".json":
			found++
			text := all[dir+".md"]
			wants(t, "docs/port/"+dir+".md", text, name)
			describes(t, path, dir+".md", text)
		case ".txt":
			found++
			if dir == "images" {
				wants(t, "docs/port/images.md", all["images.md"], name)
				return nil
			}
			wants(t, "docs/port/kv-scripts.md", all["kv-scripts.md"], dir)
		case ".go", ".py":
		default:
			if dir == "badger" || dir == "images" { // the files of a store, and what is printed of it
				found++
				wants(t, "docs/port/images.md", all["images.md"], name)
				return nil
			}
			t.Errorf("%s is no file of vectors that docs/port describes", path)
		}
		return nil
	})
	if err != nil || found < 50 {
		t.Errorf("%d files, %v", found, err)
	}
}

func wants(t *testing.T, doc, text, word string) {
	t.Helper()
	if !strings.Contains(text, "`"+word+"`") {
		t.Errorf("%s does not describe %q", doc, word)
	}
}

// describes looks at all fields of a file, and at its kind and outcomes.
func describes(t *testing.T, path, doc, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	wants(t, doc, text, file["kind"].(string))
	for _, outcome := range file["expect"].([]any) {
		wants(t, doc, text, outcome.(string))
	}
	words := map[string]bool{}
	fieldsOf(file, words)
	for word := range words {
		wants(t, doc, text, word)
	}
}

// ofOthers are fields whose own fields are none of a file's: paths, names of setups,
// and what docs/calls.txt describes.
var ofOthers = []string{"entries", "with", "writes", "params", "result"}

func fieldsOf(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			into[name] = true
			if !slices.Contains(ofOthers, name) {
				fieldsOf(value, into)
			}
		}
	case []any:
		for _, value := range v {
			fieldsOf(value, into)
		}
	}
}

// TestCallsAreDescribed: docs/port/conform.md has every call, field and error that
// passes between the suite and a program.
func TestCallsAreDescribed(t *testing.T) {
	text := docs(t)["conform.md"]
	found := 0
	for file, words := range map[string]*regexp.Regexp{
		"wire.go":  regexp.MustCompile(`json:"([a-z_]+)|^\t"([a-z_]+)": kv\.|"([a-z_]+)": (?:kv|context)\.`),
		"store.go": regexp.MustCompile(`Call: "([a-z]+)"`),
		"view.go":  regexp.MustCompile(`Call: "([a-z]+)"`),
	} {
		b, err := os.ReadFile(filepath.Join(root, "kv/kvtest/conform", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range words.FindAllStringSubmatch(string(b), -1) {
			found++
			wants(t, "docs/port/conform.md", text, strings.Join(m[1:], ""))
		}
	}
	if found < 60 {
		t.Errorf("only %d words found", found)
	}
}

var links = regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)]*))?\)`)

// TestLinksLead: a link of docs/port leads to a file, and to a heading of it where it
// names one.
func TestLinksLead(t *testing.T) {
	found := 0
	for name, text := range docs(t) {
		for _, m := range links.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			found++
			target := filepath.Join(root, "docs/port", name)
			if m[1] != "" {
				target = filepath.Join(root, "docs/port", m[1])
			}
			b, err := os.ReadFile(target)
			if err != nil {
				t.Errorf("%s: the link to %s leads nowhere", name, m[1])
				continue
			}
			if m[2] != "" && !anchored(string(b), m[2]) {
				t.Errorf("%s: %s has no heading %q", name, m[1], m[2])
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d links found", found)
	}
}

func anchored(text, anchor string) bool {
	for line := range strings.Lines(text) {
		heading, is := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if is && strings.HasPrefix(line, "#") && strings.ReplaceAll(strings.ToLower(strings.TrimSpace(heading)), " ", "-") == anchor {
			return true
		}
	}
	return false
}
