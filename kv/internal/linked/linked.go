// Package linked tells an engine whether the program that it is in was built
// with what the engine's promises were proven with. An engine rests on private
// behaviour of the modules below it, and the go.mod of a program decides on
// their versions: another module there may raise them without a word.
package linked

import (
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// Proven lists the versions that a module, by its path, was proven in.
type Proven map[string][]string

// Parse reads a list: a line is a module and a version, or a comment that begins
// with #. It panics on anything else, since lists are part of the program.
func Parse(text string) Proven {
	p := Proven{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0, strings.HasPrefix(line, "#"):
		case len(fields) == 2:
			p[fields[0]] = append(p[fields[0]], fields[1])
		default:
			panic(fmt.Sprintf("linked: %q is not a module and a version", line))
		}
	}
	return p
}

// Found is what a program says of the modules of a list.
type Found struct {
	Unproven []string // linked in another version, each as "module version"
	Untold   []string // the program does not say whether it links them
}

// Look compares. A nil program says nothing: not every build system tells what
// it linked, and the go command does not for tests.
func (p Proven) Look(program *debug.BuildInfo) (found Found) {
	for _, path := range slices.Sorted(maps.Keys(p)) {
		switch version, told := versionOf(program, path); {
		case !told:
			found.Untold = append(found.Untold, path)
		case !slices.Contains(p[path], version):
			found.Unproven = append(found.Unproven, path+" "+version)
		}
	}
	return found
}

// versionOf returns the version that a program links of a module. One that was
// replaced, be it by itself, is none that a list knows.
func versionOf(program *debug.BuildInfo, path string) (version string, told bool) {
	if program == nil {
		return "", false
	}
	at := slices.IndexFunc(program.Deps, func(m *debug.Module) bool { return m.Path == path })
	if at < 0 {
		return "", false
	}
	m := program.Deps[at]
	if by := m.Replace; by != nil {
		return strings.TrimSpace(fmt.Sprintf("%s => %s %s", m.Version, by.Path, by.Version)), true
	}
	return m.Version, true
}

// Refused returns why an engine must not open in a program, "" if it may: modules
// that are unproven and not accepted. option is what accepts them. A program that
// goes on with such, or does not say what it was built with, is told so in log.
func (p Proven) Refused(program *debug.BuildInfo, accepted []string, option string, log *slog.Logger) string {
	found := p.Look(program)
	if why := p.refusal(found, accepted, option); why != "" {
		return why
	}
	if len(found.Unproven) > 0 {
		log.Warn("goes on with what is not proven", slog.Any("modules", found.Unproven))
	}
	if len(found.Untold) > 0 {
		log.Warn("the program does not say in which versions it was built with what the store rests on",
			slog.Any("modules", found.Untold))
	}
	return ""
}

func (p Proven) refusal(found Found, accepted []string, option string) string {
	var refused, versions []string
	for _, one := range found.Unproven {
		if slices.Contains(accepted, one) {
			continue
		}
		path, _, _ := strings.Cut(one, " ")
		refused = append(refused, fmt.Sprintf("%s (proven: %s)", one, strings.Join(p[path], ", ")))
		versions = append(versions, fmt.Sprintf("%q", one))
	}
	if refused == nil {
		return ""
	}
	return fmt.Sprintf("%s; require a proven version, or go on anyway with %s(%s)",
		strings.Join(refused, ", "), option, strings.Join(versions, ", "))
}

// Program is what the running program says that it was built of, nil if it says
// nothing.
var Program = sync.OnceValue(func() *debug.BuildInfo {
	info, _ := debug.ReadBuildInfo()
	return info
})
