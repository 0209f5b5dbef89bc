package gobind

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const facade = "github.com/pawlkv/pawl/mobile"

// functions are those that each language is to have.
var functions = []string{"open", "call", "stream", "next", "close", "token", "cancel"}

func TestGobind(t *testing.T) {
	out := t.TempDir()
	if said, err := exec.CommandContext(t.Context(), "go", "tool", "gobind", "-lang=go,java,objc", "-outdir", out, facade).CombinedOutput(); err != nil {
		t.Fatalf("gobind: %v\n%s", err, said)
	}
	java, objc := read(t, out, "java/mobile/Mobile.java"), read(t, out, "src/gobind/Mobile.objc.h")
	for _, f := range functions {
		if !strings.Contains(java, " "+f+"(") && !strings.Contains(java, " "+f+"_(") {
			t.Errorf("Java has no %s:\n%s", f, java)
		}
		if name := "Mobile" + strings.ToUpper(f[:1]) + f[1:] + "("; !strings.Contains(objc, name) {
			t.Errorf("Objective-C has no %s:\n%s", name, objc)
		}
	}
	for system, file := range map[string]string{"android": "seq_android.go", "ios": "seq_darwin.go"} {
		fset := token.NewFileSet()
		var files []*ast.File
		var imports []string
		for _, name := range []string{"go_main.go", "go_mobilemain.go", "seq.go", file} {
			f, err := parser.ParseFile(fset, filepath.Join(out, "src/gobind", name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
			for _, i := range f.Imports {
				if path := strings.Trim(i.Path.Value, `"`); path != "C" {
					imports = append(imports, path)
				}
			}
		}
		config := types.Config{FakeImportC: true, Importer: importer.ForCompiler(fset, "gc", exported(t, imports))}
		if _, err := config.Check("main", fset, files, nil); err != nil {
			t.Errorf("for %s: %v", system, err)
		}
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exported finds what the compiler wrote of packages.
func exported(t *testing.T, packages []string) importer.Lookup {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Export"}, packages...)...)
	list.Stderr = os.Stderr
	text, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(text))); ; {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}
