package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Program is a peer program and what it can measure.
type Program struct {
	Name    string
	Path    string
	Catalog Catalog
	Missing string // why it cannot be run, or ""
}

// listPatience is for a program that hangs.
const listPatience = time.Minute

// NotBuilt is why a program is missing that nobody built.
const NotBuilt = "not built: run 'make peers'"

// Find looks for the programs of names in a directory. All are returned; those
// that are not there, or do not answer, say so.
func Find(ctx context.Context, dir string, names ...string) []Program {
	programs := make([]Program, len(names))
	for i, name := range names {
		programs[i] = find(ctx, dir, name)
	}
	return programs
}

func find(ctx context.Context, dir, name string) Program {
	p := Program{Name: name, Path: filepath.Join(dir, name)}
	if runtime.GOOS == "windows" {
		p.Path += ".exe"
	}
	if _, err := os.Stat(p.Path); errors.Is(err, fs.ErrNotExist) {
		p.Missing = NotBuilt
		return p
	}
	ctx, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	out, err := output(exec.CommandContext(ctx, p.Path, "list"))
	if err == nil {
		p.Catalog, err = decodeCatalog(out)
	}
	if err != nil {
		p.Missing = err.Error()
	}
	return p
}

// Run does a task once.
func (p Program) Run(ctx context.Context, t Task) (Outcome, error) {
	out, err := output(exec.CommandContext(ctx, p.Path, t.args()...))
	if err != nil {
		return Outcome{}, err
	}
	return decodeOutcome(out)
}

// output is what a command prints, or the last line of what it complains of.
func output(cmd *exec.Cmd) ([]byte, error) {
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	if said := strings.TrimSpace(complaint.String()); said != "" {
		return nil, fmt.Errorf("%w: %s", err, said[strings.LastIndexByte(said, '\n')+1:])
	}
	return nil, err
}
