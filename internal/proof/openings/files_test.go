//go:build unix

package openings

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pawlkv/pawl/keyfile"
)

// changes are what becomes of a file.
var changes = map[string]func(path string) error{
	"missing":  os.RemoveAll,
	"emptied":  func(path string) error { return os.Truncate(path, 0) },
	"cut":      cut,
	"for all":  func(path string) error { return os.Chmod(path, 0o666) },
	"a folder": func(path string) error { return errors.Join(os.RemoveAll(path), os.Mkdir(path, 0o700)) },
	"a folder with a file": func(path string) error {
		return errors.Join(os.RemoveAll(path), os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "file"), nil, 0o600))
	},
	"another file": func(path string) error {
		return errors.Join(os.RemoveAll(path), os.WriteFile(path, []byte(strings.Repeat("text ", 1000)), 0o600))
	},
	"a link that leads nowhere": func(path string) error {
		return errors.Join(os.RemoveAll(path), os.Symlink(filepath.Join(filepath.Dir(path), "none"), path))
	},
	"a pipe": func(path string) error { return errors.Join(os.RemoveAll(path), syscall.Mkfifo(path, 0o600)) },
}

func cut(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, info.Size()/2)
}

// mends are the files of which another is made, whatever becomes of one while
// nobody has the store open. Without its witness the account needs recovery.
var mends = map[string]bool{
	"/pawl.lock": true, "/pawl.sock": true, "/pawl.witness": true, "/pawl.key.lock": true,
	"/KEYREGISTRY": true, "/DISCARD": true, "/LOCK": true,
	"-gate": true, "-turns": true, "-new": true, ".witness": true, ".key.lock": true,
}

// TestFiles: whatever becomes of a file of a store at rest, the store opens, or
// there is one error of a kind that says what to do; when the file is back, it
// opens.
func TestFiles(t *testing.T) {
	for _, e := range engines {
		for _, file := range e.file {
			t.Run(e.name+file, func(t *testing.T) {
				path := e.path(t.TempDir())
				if err := e.use(path, true); err != nil {
					t.Fatal(err)
				}
				for what, change := range changes {
					e.tryFile(t, path, file, what, change)
				}
			})
		}
	}
}

func (e engine) tryFile(t *testing.T, path, file, what string, change func(string) error) {
	name := path + file
	kept, err := os.ReadFile(name)
	there := err == nil
	if !there {
		err = os.WriteFile(name, nil, 0o600)
	}
	if err == nil {
		err = change(name)
	}
	if err != nil {
		t.Fatal(err)
	}
	err = e.use(path, false)
	t.Logf("%s: %v", what, err)
	if err != nil && (mends[file] || !isOfAKind(err)) {
		t.Errorf("%s: %v, want the store or an error of a kind", what, err)
	}
	if file == e.key && what == "for all" && !errors.Is(err, keyfile.ErrExposed) {
		t.Errorf("%s: %v, want %v", what, err, keyfile.ErrExposed)
	}
	if info, e := os.Lstat(name); err == nil && (e != nil || info.Mode().IsRegular()) {
		return // another was made, or is when it is needed
	}
	err = os.RemoveAll(name)
	if there {
		err = errors.Join(err, os.WriteFile(name, kept, 0o600))
	}
	if err := errors.Join(err, e.use(path, false)); err != nil {
		t.Fatalf("when it is back after it was %s: %v", what, err)
	}
}

// otherUser says in the environment of a process what it is to open, as a user
// who is not root.
const otherUser = "PAWL_OPENINGS_USER"

// nobody is a user of whom nothing else is.
const nobody = 65534

// TestOwners: files that this user may not read, or that are somebody else's, are
// mended or one error of a kind. Root is held up by neither, and has another user
// open the store; who is not root has none, and tries modes only.
func TestOwners(t *testing.T) {
	if what := strings.Split(os.Getenv(otherUser), "\n"); len(what) == 3 {
		for _, e := range engines {
			if e.name == what[0] {
				if err := e.use(what[1], what[2] == "new"); err != nil && !isOfAKind(err) {
					t.Fatalf("of no kind: %v", err)
				} else if err != nil {
					t.Logf("refused: %v", err)
				}
			}
		}
		return
	}
	dir, use := asNobody(t)
	for _, e := range engines {
		for i, file := range append([]string{"."}, e.file...) {
			inner := filepath.Join(dir, e.name+string(rune('a'+i)))
			path := e.path(inner)
			name := path + file
			if file == "." {
				name = path
			}
			if err := os.Mkdir(inner, 0o700); err != nil {
				t.Fatal(err)
			}
			own(t, inner)
			use(t, e, path, "new")
			if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
				if err := os.WriteFile(name, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				own(t, name)
			}
			if err := os.Chmod(name, 0); err != nil {
				t.Fatal(err)
			}
			if out := use(t, e, path, "there"); mends[file] && strings.Contains(out, "refused") {
				t.Errorf("%s%s for nobody: %s", e.name, file, out)
			}
			if os.Geteuid() != 0 {
				continue
			}
			if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
				continue // it is not there between two openings
			}
			if err := errors.Join(os.Chmod(name, 0o600), os.Chown(name, 0, 0)); err != nil {
				t.Fatal(err)
			}
			use(t, e, path, "there")
		}
	}
}

func own(t *testing.T, path string) {
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

// asNobody returns a directory and how stores in it are opened by another user than
// root, who is this one if it is not root.
func asNobody(t *testing.T) (dir string, use func(*testing.T, engine, string, string) (out string)) {
	dir, program := programOfNobody(t)
	return dir, func(t *testing.T, e engine, path, how string) string {
		t.Helper()
		out, err := commandOfNobody(program, "^TestOwners$", otherUser+"="+e.name+"\n"+path+"\n"+how).CombinedOutput()
		if err != nil {
			t.Errorf("%s, %s: %v\n%s", path, how, err, out)
		}
		return string(out)
	}
}

// programOfNobody returns a directory, and this program where another user may run
// it.
func programOfNobody(t *testing.T) (dir, program string) {
	dir = t.TempDir()
	program = os.Args[0]
	if os.Geteuid() == 0 {
		text, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		program = filepath.Join(dir, "program")
		if err := errors.Join(os.WriteFile(program, text, 0o755), os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	return dir, program
}

// commandOfNobody runs a test in a process of another user than root, who is this
// one if it is not root.
func commandOfNobody(program, test, what string) *exec.Cmd {
	cmd := exec.Command(program, "-test.run="+test, "-test.v")
	cmd.Env = append(os.Environ(), what, "TMPDIR=/tmp")
	cmd.Dir = "/"
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}
