package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a module of the files given by name.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.org/m\n\ngo 1.26\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestFinds: what a build for another system would find is found, in packages and
// in their tests, and nothing where there is nothing.
func TestFinds(t *testing.T) {
	const use = "package m\n\nimport \"fmt\"\n\nfunc F() { fmt.Println(pid()) }\n"
	const pid = "package m\n\nfunc pid() int { return 1 }\n"
	for name, c := range map[string]struct {
		files  map[string]string
		target string
		want   string // in the error; empty where there is none
	}{
		"whole":                  {map[string]string{"m.go": use, "pid.go": pid}, "windows/arm64", ""},
		"there":                  {map[string]string{"m.go": use, "pid_linux.go": pid}, "android/arm64", ""},
		"a file is missing":      {map[string]string{"m.go": use, "pid_linux.go": pid}, "windows/arm64", "undefined: pid"},
		"a call is missing":      {map[string]string{"m.go": "package m\n\nimport \"syscall\"\n\nvar F = syscall.Flock\n"}, "windows/arm64", "undefined: syscall.Flock"},
		"too large for an int":   {map[string]string{"m.go": "package m\n\nvar N int = 1 << 40\n"}, "linux/386", "overflows"},
		"large enough":           {map[string]string{"m.go": "package m\n\nvar N int = 1 << 40\n"}, "linux/amd64", ""},
		"in a test":              {map[string]string{"m.go": "package m\n", "m_test.go": "package m\n\nvar _ = missing\n"}, "linux/amd64", "undefined: missing"},
		"in a test from outside": {map[string]string{"m.go": "package m\n", "m_test.go": "package m_test\n\nimport \"example.org/m\"\n\nvar _ = m.Missing\n"}, "linux/amd64", "undefined: m.Missing"},
		"what a test exports":    {map[string]string{"m.go": "package m\n", "e_test.go": "package m\n\nvar E = 1\n", "m_test.go": "package m_test\n\nimport \"example.org/m\"\n\nvar _ = m.E\n"}, "linux/amd64", ""},
		"no such system":         {map[string]string{"m.go": "package m\n"}, "beos/arm64", "is not SYSTEM/ARCHITECTURE"},
		"no target":              {map[string]string{"m.go": "package m\n"}, "windows", "is not SYSTEM/ARCHITECTURE"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := list(t.Context(), module(t, c.files), "", "", c.target)
			if err == nil {
				err = check(all, c.target)
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("finds %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("finds %v, want %s", err, c.want)
			}
		})
	}
}

// TestOnly: of a module that is wrong as a whole, the packages that are named.
func TestOnly(t *testing.T) {
	dir := module(t, map[string]string{"m.go": "package m\n", "m_test.go": "package m\n\nvar _ = missing\n"})
	for only, want := range map[string]string{".": "", "": "undefined: missing", "./absent": "exit status 1"} {
		all, err := list(t.Context(), dir, "", only, "js/wasm")
		if err == nil {
			err = check(all, "js/wasm")
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("-only %q: %v, want %q", only, err, want)
		}
	}
}
