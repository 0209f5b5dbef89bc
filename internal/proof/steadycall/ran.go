package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/pawlkv/pawl"

// ownPackage is not part of the call.
const ownPackage = module + "/internal/proof/steadycall/"

// calls is the folder of what each measured call ran.
const calls = "calls"

// program is this one, built with coverage.
type program struct{ path string }

func build(ctx context.Context, dir string) (program, error) {
	path := filepath.Join(dir, "steadycall")
	cmd := exec.CommandContext(ctx, "go", "build", "-cover", "-covermode=atomic", "-coverpkg="+module+"/...", "-o", path, module+"/internal/proof/steadycall")
	cmd.Stderr = os.Stderr
	return program{path}, cmd.Run()
}

// function is one of the module's, by its file.
type function struct{ file, name string }

type ran map[function]bool

// measure plays a case and returns what ran in each of its calls.
func (p program) measure(ctx context.Context, c measurement) (ran, error) {
	dir, err := os.MkdirTemp(filepath.Dir(p.path), "case")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, p.path, dir)
	cmd.Env = append(os.Environ(), role+"="+c.name, "GOCOVERDIR="+filepath.Dir(p.path))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	var always ran
	for i := range measured {
		one, err := readRan(ctx, filepath.Join(dir, calls, strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		if always == nil {
			always = one
		}
		maps.DeleteFunc(always, func(f function, _ bool) bool { return !one[f] })
	}
	return always, nil
}

// readRan returns the functions of which a statement ran.
func readRan(ctx context.Context, dir string) (ran, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "covdata", "func", "-i="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go tool covdata: %w", err)
	}
	all := ran{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		// path/file.go:12:	Receiver.Name	85.7%
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || fields[2] == "0.0%" || strings.HasPrefix(fields[0], ownPackage) {
			continue
		}
		place, ours := strings.CutPrefix(fields[0], module+"/")
		file, _, _ := strings.Cut(place, ":")
		if ours {
			all[function{file, fields[1]}] = true
		}
	}
	return all, nil
}

// print writes how many functions ran and in how many files, folder by folder,
// and with list which.
func (r ran) print(w io.Writer, name string, list bool) {
	byFile := map[string][]string{}
	for f := range r {
		byFile[f.file] = append(byFile[f.file], f.name)
	}
	fmt.Fprintf(w, "%s: %d functions in %d files\n", name, len(r), len(byFile))
	files, functions := map[string]int{}, map[string]int{}
	for file, names := range byFile {
		files[filepath.Dir(file)]++
		functions[filepath.Dir(file)] += len(names)
	}
	for _, folder := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(w, "  %-28s %3d in %2d\n", folder, functions[folder], files[folder])
		for _, file := range slices.Sorted(maps.Keys(byFile)) {
			if list && filepath.Dir(file) == folder {
				slices.Sort(byFile[file])
				fmt.Fprintf(w, "    %s: %s\n", filepath.Base(file), strings.Join(byFile[file], ", "))
			}
		}
	}
}
