//go:build unix

package openings

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/matrix"
)

// running are files that may be touched while a store is open: without them, or
// with others in their place, nothing is lost. What SQLite has open has tests of its
// own in kv/sqlitekv.
var running = map[string][]string{
	"badger": {"/pawl.format", "/pawl.lock", "/pawl.sock", "/pawl.witness", "/pawl.key", "/pawl.key.lock"},
	"sqlite": {"-gate", "-turns", ".witness", ".key", ".key.lock"},
}

// open is a store that two have open: on Badger its owner, and a guest.
type kept struct {
	engine
	path    string
	handles []*pawl.Store
	close   func() error
	made    int // accounts
}

func (e engine) keep(path string) (o *kept, err error) {
	o = &kept{engine: e, path: path, close: func() error { return nil }}
	for range 2 {
		s, err := e.open(path, longWait)
		if err != nil {
			return nil, errors.Join(err, o.close())
		}
		before := o.close
		o.close = func() error { return errors.Join(s.Close(), before()) } // the guest first
		opened, err := keyfile.Open(context.Background(), s, path+e.key)
		if err != nil {
			return nil, errors.Join(err, o.close())
		}
		o.handles = append(o.handles, opened)
	}
	return o, nil
}

func device(n int) matrix.DeviceID { return matrix.DeviceID(fmt.Sprint("D", n)) }

// goOn has each handle store something.
func (o *kept) goOn() (err error) {
	for i, s := range o.handles {
		if e := account(s, device(o.made), true); e != nil {
			err = errors.Join(err, fmt.Errorf("handle %d: %w", i, e))
			continue
		}
		o.made++
	}
	return err
}

// newcomer opens the store, and looks whether all accounts are there and may send.
func (o *kept) newcomer() (err error) {
	s, err := o.open(o.path, longWait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	opened, err := keyfile.Open(context.Background(), s, o.path+o.key)
	if err != nil {
		return err
	}
	for n := range o.made {
		m, err := opened.Machine(context.Background(), user, device(n))
		if err != nil {
			return err
		}
		if n == o.made-1 {
			if seen, err := m.Inspect(context.Background()); err != nil || seen.Recovery != "" {
				return fmt.Errorf("the account needs recovery (%s), %v", seen.Recovery, err)
			}
		}
	}
	return nil
}

// TestFilesWhileOpen: whatever becomes of a file beside a store while it is open, who
// has it open goes on, and newcomers find it, or one error that says that the key is
// not there; when all have closed it nothing is lost.
func TestFilesWhileOpen(t *testing.T) {
	for _, e := range engines {
		for _, file := range running[e.name] {
			t.Run(e.name+file, func(t *testing.T) {
				o, err := e.keep(e.path(t.TempDir()))
				if err != nil {
					t.Fatal(err)
				}
				for what, change := range changes {
					o.tryFile(t, file, what, change)
				}
				if err := errors.Join(o.close(), o.newcomer()); err != nil {
					t.Errorf("when all have closed it: %v", err)
				}
			})
		}
	}
}

func (o *kept) tryFile(t *testing.T, file, what string, change func(string) error) {
	name := o.path + file
	var kept []byte
	info, err := os.Lstat(name)
	switch {
	case err == nil && info.Mode().IsRegular():
		kept, err = os.ReadFile(name)
	case err == nil && info.Mode()&fs.ModeSocket != 0:
		if what == "cut" || what == "emptied" {
			return
		}
	default: // it is there when it is needed
		err = errors.Join(os.RemoveAll(name), os.WriteFile(name, nil, 0o600))
	}
	if err := errors.Join(err, change(name)); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if err := o.goOn(); err != nil {
		t.Errorf("%s: who has it open: %v", what, err)
	}
	err = o.newcomer()
	t.Logf("%s: %v", what, err)
	if file != o.key {
		if err != nil {
			t.Errorf("%s: a newcomer: %v", what, err)
		}
		return
	}
	if !errors.Is(err, pawl.ErrNoKey) || what == "for all" && !errors.Is(err, keyfile.ErrExposed) {
		t.Errorf("%s: a newcomer: %v, want %v", what, err, pawl.ErrNoKey)
	}
	if err := errors.Join(os.RemoveAll(name), os.WriteFile(name, kept, 0o600), o.newcomer()); err != nil {
		t.Errorf("when it is back after it was %s: %v", what, err)
	}
}

// TestWitnessWhileNothingIsStored: what is lost while nobody stores anything is there
// again when the store was closed.
func TestWitnessWhileNothingIsStored(t *testing.T) {
	for _, e := range engines {
		path := e.path(t.TempDir())
		name := path + witnessOf[e.name]
		for what, change := range changes {
			o, err := e.keep(path)
			if err == nil {
				err = o.goOn()
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(change(name), o.close(), o.newcomer()); err != nil {
				t.Errorf("%s: %s: %v", e.name, what, err)
			}
		}
	}
}

var witnessOf = map[string]string{"badger": "/pawl.witness", "sqlite": ".witness"}

// runningUser says in the environment of a process which store it is to have open, as
// a user who is not root.
const runningUser = "PAWL_OPENINGS_RUNNING"

// TestOwnersWhileOpen: a file that loses its rights, or becomes somebody else's, while
// the store is open: who has it open goes on, and newcomers find the store, or there
// is one error of a kind, and none where this user may mend it.
func TestOwnersWhileOpen(t *testing.T) {
	if what := strings.Split(os.Getenv(runningUser), "\n"); len(what) == 2 {
		for _, e := range engines {
			if e.name == what[0] {
				beOpen(t, e, what[1])
			}
		}
		return
	}
	dir, program := programOfNobody(t)
	for _, e := range engines {
		for i, file := range running[e.name] {
			inner := filepath.Join(dir, e.name+string(rune('a'+i)))
			if err := os.Mkdir(inner, 0o700); err != nil {
				t.Fatal(err)
			}
			own(t, inner)
			name := e.path(inner) + file
			without := func() error { return os.Chmod(name, 0) }
			given := func() error { return errors.Join(os.Chown(name, 0, 0), os.Chmod(name, 0o600)) }
			for what, change := range map[string]func() error{"no rights": without, "root's": given} {
				if what == "root's" && os.Geteuid() != 0 {
					continue
				}
				cmd := commandOfNobody(program, "^TestOwnersWhileOpen$", runningUser+"="+e.name+"\n"+e.path(inner))
				said, err := during(cmd, func() error {
					if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
						return nil // it is there when it is needed
					}
					return change()
				})
				refused := strings.Contains(said, "refused")
				if err != nil || refused && file != e.key && what == "no rights" {
					t.Errorf("%s%s, %s: %v\n%s", e.name, file, what, err, said)
				}
				t.Logf("%s%s, %s: refused: %v", e.name, file, what, refused)
				if err := os.Chmod(name, 0o600); err == nil {
					own(t, name)
				}
			}
		}
	}
}

// beOpen has a store open while its files are changed.
func beOpen(t *testing.T, e engine, path string) {
	o, err := e.keep(path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(isOpen)
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{o.goOn(), o.newcomer(), o.close(), o.newcomer()} {
		if err != nil && !isOfAKind(err) {
			t.Errorf("of no kind: %v", err)
		} else if err != nil {
			fmt.Printf("refused: %v\n", err)
		}
	}
}

const isOpen = "the store is open"

// during calls fn while a process has a store open, and returns what that says.
func during(cmd *exec.Cmd, fn func() error) (said string, err error) {
	in, e1 := cmd.StdinPipe()
	out, e2 := cmd.StdoutPipe()
	if err := errors.Join(e1, e2, cmd.Start()); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		said += lines.Text() + "\n"
		if lines.Text() == isOpen {
			err = fn()
			_, e := io.WriteString(in, "\n")
			err = errors.Join(err, e)
		}
	}
	return said, errors.Join(err, cmd.Wait())
}
