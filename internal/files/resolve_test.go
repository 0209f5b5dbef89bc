package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestResolve: whatever names lead to a file or directory, it has one name.
func TestResolve(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(top)
	if err := os.MkdirAll("real/dir", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("real/dir/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		"absolute": filepath.Join(top, "real", "dir"), "relative": "real", "real/up": "../relative/dir", "chain": "absolute/../up",
		"file": "real/dir/file", "self": "self", "one": "two", "two": "one", "gone": "none/file", "nowhere": "real/none",
		"jump": "real/dir",
	} {
		if err := os.Symlink(to, link); err != nil {
			t.Logf("no links here: %v", err)
			return
		}
	}
	file := filepath.Join(top, "real", "dir", "file")
	for path, want := range map[string]string{
		"real/dir/file": file, "absolute/file": file, "relative/dir/file": file, "relative/./up/../dir/file": file, "chain/file": file, "file": file,
		filepath.Join(top, "absolute", "file"): file, "real": filepath.Join(top, "real"), "relative": filepath.Join(top, "real"),
		"real/up/../dir/file": file, "jump/../dir/file": file, "relative/new/": filepath.Join(top, "real", "new"),
		"relative/new": filepath.Join(top, "real", "new"), "relative/no/new": filepath.Join(top, "real", "no", "new"), "new": filepath.Join(top, "new"),
	} {
		if got, err := Resolve(path); err != nil || got != want {
			t.Errorf("%s is %s, %v, want %s", path, got, err, want)
		}
	}
	for _, path := range []string{"gone", "nowhere", "nowhere/file"} {
		if got, err := Resolve(path); !errors.Is(err, ErrDangling) {
			t.Errorf("%s is %s, %v, want %v", path, got, err, ErrDangling)
		}
	}
	for _, path := range []string{"missing/../new", "relative/missing/..", "real/missing/../../new"} { // as the system says
		if got, err := Resolve(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is %s, %v, want %v", path, got, err, fs.ErrNotExist)
		}
	}
	for _, path := range []string{"self", "one", "two/file", "file/below"} {
		if got, err := Resolve(path); err == nil || errors.Is(err, ErrDangling) {
			t.Errorf("%s is %s, %v", path, got, err)
		}
	}
}
