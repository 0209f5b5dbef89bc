// Command upstream runs the power, damage and conformance tests of the engines
// with the newest release of every dependency, and prints what has changed and
// what came of it. Before that it prints which methods and fields came and went in
// mautrix-go since the version that is pinned, and builds the module mautrix with it. Run it from the top of the repository, with a network:
//
//	go run ./internal/proof/upstream [-only module]
//
// The tree is not touched: the go command is given another go.mod. Everything is
// raised at once, and then alone what an engine's proven.txt names, as another
// program's go.mod may do; if a suite fails with everything, it is run with each
// raised module alone, which names the one that breaks it. What passes may go into
// go.mod, and a line into the proven.txt. It exits 1 if a suite fails.
//
// A new major version has another path, and is not looked for.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	only := flag.String("only", "", "raise only modules whose path contains this text")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	passed, err := all(ctx, os.Stdout, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
	}
	if err != nil || !passed {
		os.Exit(1)
	}
}

// all looks at mautrix-go, which the module mautrix implements interfaces of, and at
// what the engines rest on.
func all(ctx context.Context, w io.Writer, only string) (passed bool, err error) {
	dir, err := os.MkdirTemp("", "upstream")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	passed = true
	if strings.Contains(mautrixGo, only) {
		if passed, err = mautrix(ctx, w, dir); err != nil {
			return false, err
		}
	}
	others, err := run(ctx, w, dir, only)
	return passed && others, err
}

func run(ctx context.Context, w io.Writer, dir, only string) (passed bool, err error) {
	begin, err := copyModfile(dir, "all")
	if err != nil {
		return false, err
	}
	before, err := begin.used(ctx)
	if err != nil {
		return false, err
	}
	all := begin
	for _, path := range before.paths() {
		if !strings.Contains(path, only) {
			continue
		}
		if err := all.raise(ctx, path, "latest"); err != nil {
			fmt.Fprintf(w, "  %s %s: its newest release cannot be had: %v\n", path, before[path], err)
		}
	}
	after, err := all.used(ctx)
	if err != nil {
		return false, err
	}
	changes := before.changes(after)
	for _, c := range changes {
		fmt.Fprintf(w, "  %s %s -> %s\n", c.path, c.old, c.new)
	}
	if len(changes) == 0 {
		fmt.Fprintln(w, "nothing has changed")
		return true, nil
	}
	return judge(ctx, w, dir, all, changes)
}

// judge runs the suites with everything raised, and with single modules.
func judge(ctx context.Context, w io.Writer, dir string, all modfile, changes []change) (passed bool, err error) {
	rested, err := restedOn()
	if err != nil {
		return false, err
	}
	passed = true
	for _, s := range suites {
		r, err := s.run(ctx, all)
		if err != nil {
			return false, err
		}
		fmt.Fprintf(w, "with all of them, %s\n", r)
		passed = passed && r.passed()
		for i, c := range changes {
			if c.old == "" || r.passed() && !slices.Contains(rested, c.path) {
				continue
			}
			alone, err := copyModfile(dir, fmt.Sprintf("%s-%d", s.name, i))
			if err != nil {
				return false, err
			}
			if err := alone.raise(ctx, c.path, c.new); err != nil {
				return false, fmt.Errorf("raise %s alone: %w", c.path, err)
			}
			one, err := s.run(ctx, alone)
			if err != nil {
				return false, err
			}
			fmt.Fprintf(w, "with %s %s alone, %s\n", c.path, c.new, one)
			passed = passed && one.passed()
		}
	}
	return passed, nil
}

// restedOn returns the modules that the engines' lists name.
func restedOn() (paths []string, err error) {
	lists, err := filepath.Glob("kv/*/proven.txt")
	if err != nil || len(lists) == 0 {
		return nil, fmt.Errorf("no engine has a proven.txt: %v", err)
	}
	for _, name := range lists {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if path, _, ok := strings.Cut(line, " "); ok && path != "#" {
				paths = append(paths, path)
			}
		}
	}
	return paths, nil
}
