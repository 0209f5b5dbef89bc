package client_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document is what this package is told in.
const document = "../../docs/client.md"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocumentIsThisCode: the code in docs/client.md is these files, which the other
// tests compile and run.
func TestDocumentIsThisCode(t *testing.T) {
	blocks := strings.Split(read(t, document), "```go\n")[1:]
	files := []string{"loop.go", "deliver.go", "say.go"}
	if len(blocks) != len(files) {
		t.Fatalf("%s has %d blocks of Go, want %d", document, len(blocks), len(files))
	}
	for i, name := range files {
		if block, _, _ := strings.Cut(blocks[i], "```"); block != read(t, name) {
			t.Errorf("block %d of %s is not %s: copy the file there", i+1, document, name)
		}
	}
}

// calls are those whose outcomes the document tells, by the files that have them.
var calls = map[string][]string{
	"sync.go":     {"NextSync", "ReceiveSync"},
	"requests.go": {"OutgoingRequests", "MarkSent", "MarkFailed"},
	"rooms.go":    {"ShareRoomKey", "EncryptRoomEvent"},
	"roomkeys.go": {"DecryptRoomEvent"},
	"events.go":   {"WaitForRoomKey", "Events"},
	"decrypt.go":  {"Acknowledge"},
}

// outcome is an error as a comment or the document names it.
var outcome = regexp.MustCompile(`\b(?:[a-z]+\.)?(?:Err[A-Z]\w*|[A-Z]\w*Error)\b`)

// TestDocumentNamesAllErrors: each error that the documentation of these calls names
// is told in docs/client.md.
func TestDocumentNamesAllErrors(t *testing.T) {
	told := outcome.FindAllString(read(t, document), -1)
	found := 0
	for file, methods := range calls {
		tree, err := parser.ParseFile(token.NewFileSet(), "../../"+file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !slices.Contains(methods, f.Name.Name) {
				continue
			}
			found++
			for _, name := range outcome.FindAllString(f.Doc.Text(), -1) {
				if !slices.Contains(told, name) {
					t.Errorf("%s may fail with %s, of which %s tells nothing", f.Name.Name, name, document)
				}
			}
		}
	}
	if found != 11 {
		t.Errorf("found %d calls, want 11", found)
	}
}
