package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
)

// atMost is how many errors of one system are told.
const atMost = 20

// checker type-checks packages in the order of their imports.
type checker struct {
	files   *token.FileSet
	sizes   types.Sizes
	checked map[string]*types.Package
	wrong   []error
}

// check type-checks packages, each of which comes after all that it imports.
func check(packages []listed, target string) error {
	_, architecture, _ := strings.Cut(target, "/")
	c := &checker{files: token.NewFileSet(), sizes: types.SizesFor("gc", architecture), checked: map[string]*types.Package{"unsafe": types.Unsafe}}
	if c.sizes == nil {
		return fmt.Errorf("%s: there is no such architecture", architecture)
	}
	for _, p := range packages {
		if err := c.check(p); err != nil {
			return err
		}
	}
	return errors.Join(c.wrong...)
}

// check type-checks one package. Errors of the types are kept, and an error is
// returned where a file cannot be read or parsed.
func (c *checker) check(p listed) error {
	if p.ImportPath == "unsafe" || strings.HasSuffix(p.ImportPath, ".test") {
		return nil // a test's main function is generated
	}
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(c.files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	conf := types.Config{
		Importer: imports{c, p.ImportMap}, Sizes: c.sizes,
		IgnoreFuncBodies: p.DepOnly, FakeImportC: true,
		Error: func(err error) { c.tell(p, err) },
	}
	if p.Module != nil && p.Module.GoVersion != "" {
		conf.GoVersion = "go" + p.Module.GoVersion
	}
	// Its error is the first of those that were told.
	c.checked[p.ImportPath], _ = conf.Check(path(p.ImportPath), c.files, files, nil)
	return nil
}

// tell keeps an error. Dependencies are others' business: where one has an error
// that matters, what uses it has one too.
func (c *checker) tell(p listed, err error) {
	if !p.DepOnly && len(c.wrong) < atMost {
		c.wrong = append(c.wrong, err)
	}
}

// path is the path of a package without what "go list" says of the test that it
// is built for.
func path(listed string) string {
	path, _, _ := strings.Cut(listed, " ")
	return path
}

// imports finds what a package imports among what is checked already.
type imports struct {
	c  *checker
	of map[string]string // by the path in the source; where it is missing, the same
}

// Import implements types.Importer.
func (i imports) Import(path string) (*types.Package, error) {
	if other, ok := i.of[path]; ok {
		path = other
	}
	if p := i.c.checked[path]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s is not built for this system", path)
}
