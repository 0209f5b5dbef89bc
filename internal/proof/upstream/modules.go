package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// modfile is a go.mod that stands in for the tree's.
type modfile string

// copyModfile copies the tree's go.mod and go.sum into a folder of that name.
func copyModfile(dir, name string) (modfile, error) { return copyModfileOf(".", dir, name) }

// copyModfileOf does so with those of a module within the tree.
func copyModfileOf(module, dir, name string) (modfile, error) {
	dir = filepath.Join(dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(module, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			return "", fmt.Errorf("copy %s (run this from the top of the repository): %w", name, err)
		}
	}
	return modfile(filepath.Join(dir, "go.mod")), nil
}

// command returns a go command, of which those that it starts use the file too.
func (m modfile) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), strings.TrimSpace("GOFLAGS="+os.Getenv("GOFLAGS")+" -mod=mod -modfile="+string(m)))
	return cmd
}

func (m modfile) output(ctx context.Context, args ...string) (string, error) {
	cmd := m.command(ctx, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		// The last line says why; those before it, what was downloaded.
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return "", errors.New(strings.TrimSpace(lines[len(lines)-1]))
	}
	return string(out), nil
}

// versions are modules' by path.
type versions map[string]string

func (v versions) paths() []string { return slices.Sorted(maps.Keys(v)) }

// used returns the modules that the tree is built and tested with.
func (m modfile) used(ctx context.Context) (versions, error) {
	out, err := m.output(ctx, "list", "-deps", "-test", "-f", "{{with .Module}}{{.Path}} {{.Version}}{{end}}", "./...")
	if err != nil {
		return nil, err
	}
	all := versions{}
	for line := range strings.Lines(out) {
		if path, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok && version != "" {
			all[path] = version
		}
	}
	return all, nil
}

// raise requires a version of a module, and what that requires.
func (m modfile) raise(ctx context.Context, path, version string) error {
	_, err := m.output(ctx, "get", path+"@"+version)
	return err
}

// change is another version of a module than before.
type change struct{ path, old, new string }

// changes returns those of the modules that are still used, by path.
func (v versions) changes(after versions) (all []change) {
	for _, path := range after.paths() {
		if v[path] != after[path] {
			all = append(all, change{path, v[path], after[path]})
		}
	}
	return all
}
