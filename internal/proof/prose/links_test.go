package prose

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	links = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	codes = regexp.MustCompile("`([^`]+)`")
)

// TestLinks: a link within the repository leads to something, in the generated
// document too.
func TestLinks(t *testing.T) {
	found := 0
	for _, path := range append(documents(t), generated...) {
		for _, m := range links.FindAllStringSubmatch(read(t, path), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			found++
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", path, m[1])
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d links found", found)
	}
}

// TestReadingTheSource: the files that README.md tells to read are there.
func TestReadingTheSource(t *testing.T) {
	_, section, _ := strings.Cut(read(t, "README.md"), "## Reading the source\n")
	section, _, _ = strings.Cut(section, "\nDocuments:")
	names := codes.FindAllStringSubmatch(section, -1)
	if len(names) < 6 {
		t.Fatalf("README.md names %q to read", names)
	}
	for _, m := range names {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("README.md says to read %s, which is not there", m[1])
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
