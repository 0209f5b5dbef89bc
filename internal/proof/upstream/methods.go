package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mautrixGo is what the module mautrix implements interfaces of.
const mautrixGo = "maunium.net/go/mautrix"

// watched are the types of mautrix-go whose methods Pawl has, and the machine whose
// fields it honours or refuses: by folder.
var watched = map[string][]string{
	"":                {"CryptoHelper", "SyncStore"},
	"crypto":          {"Store", "StateStore", "OlmMachine"},
	"crypto/olm":      {"Account", "Session", "OutboundGroupSession", "InboundGroupSession"},
	"bridgev2/matrix": {"Crypto"},
}

// mautrix compares the pinned mautrix-go with its newest release, and builds the module
// mautrix with that.
func mautrix(ctx context.Context, w io.Writer, dir string) (passed bool, err error) {
	m, err := copyModfileOf("mautrix", dir, "mautrix")
	if err != nil {
		return false, err
	}
	pinned, err := m.release(ctx, "")
	if err != nil {
		return false, err
	}
	newest, err := m.release(ctx, "@latest")
	if err != nil {
		fmt.Fprintf(w, "  %s %s: its newest release cannot be had: %v\n", mautrixGo, pinned.Version, err)
		return true, nil
	}
	if newest.Version == pinned.Version {
		fmt.Fprintf(w, "%s %s is the newest release\n", mautrixGo, pinned.Version)
		return true, nil
	}
	fmt.Fprintf(w, "%s %s -> %s\n", mautrixGo, pinned.Version, newest.Version)
	changes, err := compared(pinned.Dir, newest.Dir)
	if err != nil {
		return false, err
	}
	for _, c := range changes {
		fmt.Fprintln(w, " ", c)
	}
	if err := m.raise(ctx, mautrixGo, newest.Version); err != nil {
		return false, fmt.Errorf("raise %s: %w", mautrixGo, err)
	}
	vet := m.command(ctx, "-C", "mautrix", "vet", "-tags", "goolm", "./...")
	vet.Env = append(vet.Env, "CGO_ENABLED=0")
	if said, err := vet.CombinedOutput(); err != nil {
		fmt.Fprintf(w, "mautrix with it: DOES NOT BUILD\n%s", said)
		return false, nil
	}
	fmt.Fprintln(w, "mautrix with it: builds")
	return true, nil
}

// release is a version of a module in the module cache.
type release struct{ Version, Dir string }

// release finds mautrix-go: as it is pinned, or another version.
func (m modfile) release(ctx context.Context, version string) (r release, err error) {
	out, err := m.output(ctx, "-C", "mautrix", "mod", "download", "-json", mautrixGo+version)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(out), &r)
}

// compared are the methods and fields of the watched types that came and went.
func compared(old, newer string) (changes []string, err error) {
	for folder, types := range watched {
		for _, name := range types {
			before, err := members(filepath.Join(old, folder), name)
			if err != nil {
				return nil, err
			}
			after, err := members(filepath.Join(newer, folder), name)
			if err != nil {
				return nil, err
			}
			title := filepath.Base(filepath.Join("mautrix", folder)) + "." + name
			for _, m := range before {
				if !slices.Contains(after, m) {
					changes = append(changes, title+" lost "+m)
				}
			}
			for _, m := range after {
				if !slices.Contains(before, m) {
					changes = append(changes, title+" got "+m)
				}
			}
		}
	}
	slices.Sort(changes)
	return changes, nil
}

// members are the methods of an interface, or the exported fields of a struct, as they
// are written. A type that is not there has none.
func members(dir, name string) (all []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, is := n.(*ast.TypeSpec); is && spec.Name.Name == name {
				all = append(all, written(set, spec.Type)...)
			}
			return true
		})
	}
	slices.Sort(all)
	return slices.Compact(all), nil // a file for each driver may declare it
}

// written are the members of a type in one line each.
func written(set *token.FileSet, t ast.Expr) (all []string) {
	var fields *ast.FieldList
	switch t := t.(type) {
	case *ast.InterfaceType:
		fields = t.Methods
	case *ast.StructType:
		fields = t.Fields
	default:
		return nil
	}
	for _, f := range fields.List {
		var of bytes.Buffer
		if printer.Fprint(&of, set, f.Type) != nil {
			continue // a type that was parsed is printed
		}
		shape := strings.Join(strings.Fields(of.String()), " ")
		if len(f.Names) == 0 {
			all = append(all, shape)
		}
		for _, n := range f.Names {
			if n.IsExported() {
				all = append(all, n.Name+" "+shape)
			}
		}
	}
	return all
}
