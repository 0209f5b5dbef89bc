package badgerkv

import (
	_ "embed"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/pawlkv/pawl/kv/internal/linked"
)

// provenText lists what the engine was proven with. It rests on what Badger does
// and nobody promises: which log a write goes to and when it is replaced (wal.go),
// how tables, logs and the manifest are laid out (internal/intact), and that the
// pages of a log are the file's own, which is ristretto's doing. A version gets a
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
var ErrUnproven = fmt.Errorf("badgerkv: %w: built with what its promises were not proven with", errors.ErrUnsupported)

// WithUnproven opens a store although the program was built with these versions
// of modules below the engine, each as [ErrUnproven] writes it. Whether
// what is acknowledged survives a power failure, and whether damage is seen, is
// then for the caller to find out; "make upstream" in Pawl's repository does.
func WithUnproven(versions ...string) Option {
	return func(s *settings) { s.unproven = append(s.unproven, versions...) }
}

// checkLinked refuses a program that was built with what is not proven.
func checkLinked(set *settings, program *debug.BuildInfo) error {
	if why := proven.Refused(program, set.unproven, "badgerkv.WithUnproven", set.logger); why != "" {
		return fmt.Errorf("%w: %s", ErrUnproven, why)
	}
	return nil
}
