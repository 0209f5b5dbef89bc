package sqlitekv

import (
	_ "embed"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/pawlkv/pawl/kv/internal/linked"
)

// provenText lists what the engine was proven with. SQLite keeps what it promises,
// but the driver is its file system: what it locks and when it syncs is nobody's
// promise, nor are the ways in which it reads a page that is cut and verifies
// checksums, which damage is seen by (wholepages.go, conn.trust). A version gets a
// line when the power, damage and conformance tests have passed with it ("make
// upstream").
//
//go:embed proven.txt
var provenText string

var proven = linked.Parse(provenText)

// ErrUnproven: the program was built with a version of a module below this
// engine that its promises were not proven with. Nothing was touched. Require a
// proven version in go.mod, or go on anyway with [WithUnproven]; the error says
// which.
var ErrUnproven = fmt.Errorf("sqlitekv: %w: built with what its promises were not proven with", errors.ErrUnsupported)

// WithUnproven opens a store although the program was built with these versions
// of modules below the engine, each as [ErrUnproven] writes it. Whether
// what is acknowledged survives a power failure, and whether damage is seen, is
// then for the caller to find out; "make upstream" in Pawl's repository does.
func WithUnproven(versions ...string) Option {
	return func(s *settings) { s.unproven = append(s.unproven, versions...) }
}

// checkLinked refuses a program that was built with what is not proven.
func checkLinked(set *settings, program *debug.BuildInfo) error {
	if why := proven.Refused(program, set.unproven, "sqlitekv.WithUnproven", set.logger); why != "" {
		return fmt.Errorf("%w: %s", ErrUnproven, why)
	}
	return nil
}
