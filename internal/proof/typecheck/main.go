// Command typecheck type-checks all packages of a module, tests too, for other
// systems than this one; or some of its packages, without their tests. Run it at the
// top of the module:
//
//	go run ./internal/proof/typecheck [-tags TAGS] [-C DIR] [-only PACKAGES] SYSTEM/ARCHITECTURE ...
//
// It finds what a build for that system would: a file that is not built there and
// is needed, a call that the system has not, a number too large for an int. It
// reads sources, of the standard library and of dependencies only what they
// declare, so it takes seconds where "go vet" compiles everything once a system.
// What it cannot find is what an assembler or a linker refuses. Files with import
// "C" are left out, as with CGO_ENABLED=0. It exits with 1 if anything is wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
)

func main() {
	tags := flag.String("tags", "", "build tags, with commas between")
	dir := flag.String("C", ".", "the module's directory")
	only := flag.String("only", "", "packages, with commas between, and not their tests; empty: all, and their tests")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	failed := flag.NArg() == 0
	for _, target := range flag.Args() {
		packages, err := list(ctx, *dir, *tags, *only, target)
		if err == nil {
			err = check(packages, target)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "for %s:\n%v\n", target, err)
			failed = true
			continue
		}
		fmt.Printf("type-checked for %s: %d packages with what they import\n", target, len(packages))
	}
	if failed {
		os.Exit(1)
	}
}

// listed is a package as "go list" tells of it.
type listed struct {
	ImportPath, Name, Dir string
	GoFiles               []string
	ImportMap             map[string]string
	DepOnly               bool
	Module                *struct{ GoVersion string }
	Error                 *struct{ Err string }
}

// list lists the packages of a module for a system, each after all that it
// imports.
func list(ctx context.Context, dir, tags, only, target string) (all []listed, err error) {
	known, err := exec.CommandContext(ctx, "go", "tool", "dist", "list").Output()
	if err != nil {
		return nil, fmt.Errorf("go tool dist list: %w", err)
	}
	if !slices.Contains(strings.Fields(string(known)), target) {
		return nil, fmt.Errorf("%q is not SYSTEM/ARCHITECTURE, such as windows/arm64", target)
	}
	system, architecture, _ := strings.Cut(target, "/")
	what := []string{"-test", "./..."}
	if only != "" {
		what = strings.Split(only, ",")
	}
	c := exec.CommandContext(ctx, "go", append([]string{"list", "-deps", "-tags", tags,
		"-json=ImportPath,Name,Dir,GoFiles,ImportMap,DepOnly,Module,Error"}, what...)...)
	c.Dir, c.Stderr = dir, os.Stderr
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+architecture)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return nil, err
	}
	answers := json.NewDecoder(out)
	for {
		var p listed
		switch err := answers.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, c.Wait()
		case err != nil:
			return nil, errors.Join(fmt.Errorf("what go list says: %w", err), c.Wait())
		case p.Error != nil:
			return nil, errors.Join(fmt.Errorf("%s: %s", p.ImportPath, p.Error.Err), c.Wait())
		}
		all = append(all, p)
	}
}
