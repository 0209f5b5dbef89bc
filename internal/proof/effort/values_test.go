package effort

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNothingRunsBesideValues: the packages that the Makefile leaves out where the race
// detector looks start no goroutine, in their tests neither.
func TestNothingRunsBesideValues(t *testing.T) {
	makefile, err := os.ReadFile("../../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(makefile), "\nVALUES := ")
	list, _, _ = strings.Cut(list, "\n")
	if len(strings.Fields(list)) < 10 {
		t.Fatalf("the Makefile's VALUES are %q", list)
	}
	for _, pkg := range strings.Fields(list) {
		names, err := filepath.Glob(filepath.Join("../../..", pkg, "*.go"))
		if err != nil || len(names) == 0 {
			t.Errorf("%s has no files, %v", pkg, err)
		}
		for _, name := range names {
			for _, at := range beside(t, name) {
				t.Errorf("%s: something runs beside the rest: take %s out of VALUES in the Makefile", at, pkg)
			}
		}
	}
}

// beside are the places in a file where something begins that runs beside the rest.
func beside(t *testing.T, name string) (places []token.Position) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			places = append(places, files.Position(n.Pos()))
		case *ast.SelectorExpr: // of sync.WaitGroup, testing.T and testing.B
			if n.Sel.Name == "Go" || n.Sel.Name == "Parallel" || n.Sel.Name == "RunParallel" {
				places = append(places, files.Position(n.Pos()))
			}
		}
		return true
	})
	return places
}

func TestBesideIsSeen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.go")
	text := "package x\nfunc f() { go f(); wait.Go(f); t.Parallel(); f() }\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := beside(t, name); len(got) != 3 {
		t.Errorf("seen are %v, want three places", got)
	}
}
