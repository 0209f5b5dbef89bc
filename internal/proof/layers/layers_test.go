// Package layers holds the import table: which package of Pawl may import
// which. The arrows are the architecture; see docs/architecture.md.
package layers

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pawlkv/pawl"

// table maps a package to those of this module that its code may import,
// tests not counted. "/..." covers a folder's packages.
var table = map[string][]string{
	// Protocol column: pure values.
	"matrix":                       {},
	"internal/secret":              {},
	"internal/canonicaljson":       {},
	"internal/jsonobject":          {},
	"internal/unpadded":            {},
	"internal/record/...":          {"internal/record"},
	"internal/message":             {},
	"internal/message/messagetest": {},
	"internal/testfiles":           {},
	"internal/parallel":            {},
	"ratchet":                      {"internal/secret", "internal/unpadded", "internal/message"},
	"otk":                          {"ratchet", "internal/secret", "internal/record"},
	"session":                      {"ratchet", "internal/secret", "internal/record"},
	"account":                      {"matrix", "ratchet", "otk", "session", "internal/secret", "internal/record", "internal/canonicaljson", "internal/unpadded"},
	"device":                       {"matrix", "ratchet", "account", "internal/record", "internal/canonicaljson"},
	"group":                        {"matrix", "ratchet", "otk", "account", "internal/secret", "internal/record", "internal/message"},
	"internal/pickle":              {"internal/secret", "internal/message", "internal/unpadded", "ratchet", "otk", "account", "group"},
	"internal/pickle/libolm":       {"internal/pickle", "internal/secret", "ratchet", "otk", "account"},
	"internal/pickle/vodozemac":    {"internal/pickle", "internal/secret", "ratchet", "otk", "account", "group"},
	"internal/pickle/pickletest":   {"internal/pickle", "internal/message", "internal/unpadded", "ratchet", "group"},

	"roomkeyfile": {"matrix", "ratchet", "account", "group", "internal/secret", "internal/unpadded"},

	// Storage column: knows nothing of Olm.
	"kv":                       {},
	"kv/internal/turns":        {"kv"},
	"kv/internal/watch":        {"kv"},
	"kv/internal/views":        {"kv"},
	"kv/internal/linked":       {},
	"kv/memkv":                 {"kv", "kv/internal/turns", "kv/internal/watch"},
	"kv/sharekv/internal/wire": {"kv"},
	"kv/sharekv":               {"kv", "kv/internal/turns", "kv/internal/watch", "kv/sharekv/internal/wire", "internal/holder", "internal/files"},
	"kv/sharekv/sharetest":     {"kv", "kv/memkv", "kv/sharekv", "kv/kvtest/processes"},
	"kv/badgerkv/...":          {"kv", "kv/witness", "kv/sharekv", "kv/internal/grouping", "kv/internal/latest", "kv/internal/linked", "kv/badgerkv/...", "internal/files"},
	"kv/internal/grouping":     {"kv"},
	"kv/internal/latest":       {"kv"},
	"kv/sqlitekv":              {"kv", "kv/witness", "internal/files", "internal/files/private", "kv/internal/turns", "kv/internal/watch", "kv/internal/grouping", "kv/internal/latest", "kv/internal/views", "kv/internal/linked", "internal/holder"},
	"kv/etcdkv":                {"kv", "kv/witness", "kv/internal/turns"},
	"kv/idbkv":                 {"kv", "kv/internal/turns", "kv/internal/views", "kv/internal/watch", "kv/internal/grouping"},
	"kv/pgkv":                  {"kv", "kv/witness", "kv/internal/turns", "kv/internal/views", "kv/internal/watch", "kv/internal/grouping"},
	"kv/pgkv/pgtest":           {},
	"kv/witness":               {"kv", "internal/files"},
	"kv/copykv":                {"kv"},
	"vectors":                  {},
	"kv/kvtest/...":            {"kv", "kv/memkv", "kv/kvtest/...", "kv/internal/turns", "kv/internal/watch", "vectors"},
	"txn/seal":                 {"internal/secret", "internal/record"},
	"txn":                      {"kv", "internal/parallel"},

	"internal/proof/layers":    {},
	"internal/proof/mutants":   {},
	"internal/proof/effort":    {},
	"internal/proof/heap":      {},
	"internal/proof/upstream":  {},
	"internal/proof/typecheck": {},
	"internal/proof/prose":     {},
	"internal/proof/fleet":     {},
	"internal/proof/openings":  {},
	"internal/proof/port":      {},

	"internal/files":         {},
	"internal/files/private": {"internal/files"},
	"internal/holder":        {},

	"internal/hs":            {"matrix", "internal/canonicaljson"},
	"internal/proof/synapse": {"internal/hs", "matrix"},
	"internal/syncresponse":  {"matrix", "internal/jsonobject", "internal/parallel"},

	// Leaves of the command.
	"internal/cli":          {},
	"internal/cli/imported": {".", "matrix"},

	// Where they meet.
	"internal/machine":          {"internal/record", "matrix", "ratchet", "account", "kv", "txn", "txn/seal"},
	"internal/machine/records":  {"internal/machine", "internal/record", "internal/canonicaljson", "matrix", "account", "device", "ratchet", "otk", "session", "kv", "txn", "group"},
	"internal/machine/todevice": {"internal/machine", "internal/machine/records", "internal/secret", "internal/canonicaljson", "internal/jsonobject", "internal/parallel", "internal/unpadded", "matrix", "ratchet", "otk", "session", "account", "device", "kv", "txn"},
	"internal/machine/devices":  {"internal/machine", "internal/machine/records", "internal/machine/outbox", "internal/record", "matrix", "ratchet", "account", "device", "txn"},
	"internal/machine/outbox":   {"internal/machine", "internal/machine/records", "account", "txn"},
	"internal/machine/claims":   {"internal/machine", "internal/machine/records", "internal/machine/outbox", "internal/machine/todevice", "internal/record", "matrix", "ratchet", "session", "account", "device", "kv", "txn"},
	"internal/machine/events":   {"internal/machine", "internal/machine/records", "matrix", "group", "device", "kv", "txn"},
	"internal/machine/keys":     {"internal/machine", "internal/machine/records", "internal/machine/outbox", "matrix", "ratchet", "otk", "account", "txn"},
	"internal/machine/roomkeys": {"internal/machine", "internal/machine/records", "internal/record", "internal/secret", "internal/unpadded", "matrix", "ratchet", "account", "device", "group", "kv", "txn", "internal/jsonobject"},
	"internal/machine/rooms":    {"internal/machine", "internal/machine/records", "internal/machine/outbox", "internal/machine/todevice", "internal/machine/devices", "internal/machine/claims", "internal/machine/roomkeys", "internal/syncresponse", "internal/jsonobject", "internal/unpadded", "internal/record", "internal/parallel", "matrix", "ratchet", "session", "account", "device", "group", "kv", "txn"},
	"internal/machine/imports":  {"internal/machine", "internal/machine/records", "internal/machine/devices", "internal/machine/roomkeys", "internal/machine/rooms", "internal/secret", "matrix", "ratchet", "otk", "session", "account", "device", "group", "kv", "txn"},
	"internal/machine/upkeep":   {"internal/machine", "internal/machine/records", "internal/machine/lineage", "account", "kv", "txn", "txn/seal"},
	"internal/machine/lineage":  {"internal/machine", "internal/machine/records", "internal/record", "account", "kv", "kv/copykv", "kv/witness", "txn", "txn/seal"},
	"internal/machine/keyrequests": {
		"internal/machine", "internal/machine/records", "internal/machine/outbox", "internal/machine/todevice", "internal/machine/claims",
		"internal/machine/roomkeys", "internal/unpadded", "matrix", "ratchet", "account", "device", "group", "txn",
	},
	"internal/machine/unwedge": {
		"internal/machine", "internal/machine/records", "internal/machine/outbox", "internal/machine/todevice", "internal/machine/claims",
		"internal/machine/devices", "internal/machine/keyrequests", "internal/record", "matrix", "ratchet", "session", "account", "device", "group", "txn",
	},
	"internal/machine/receive": {
		"internal/machine", "internal/machine/records", "internal/machine/unwedge", "internal/machine/todevice", "internal/machine/devices", "internal/machine/keys",
		"internal/machine/roomkeys", "internal/machine/keyrequests", "internal/machine/rooms", "internal/syncresponse", "internal/jsonobject", "internal/parallel", "internal/record", "internal/secret", "internal/unpadded",
		"matrix", "ratchet", "session", "account", "device", "group", "kv", "txn",
	},

	".":                         {"internal/machine/...", "matrix", "ratchet", "otk", "session", "account", "device", "group", "roomkeyfile", "kv", "kv/witness", "txn", "txn/seal", "internal/secret", "internal/canonicaljson", "internal/pickle"},
	"bench/...":                 {".", "kv", "kv/memkv", "kv/badgerkv", "kv/sqlitekv", "txn", "txn/seal", "matrix", "ratchet", "otk", "session", "account", "group", "internal/cli", "bench/..."},
	"internal/proof/steadycall": {".", "kv", "kv/memkv", "kv/badgerkv", "kv/sqlitekv", "matrix", "ratchet"},
	"internal/proof/aftermath": {
		".", "kv", "kv/memkv", "kv/copykv", "kv/witness", "ratchet", "otk", "session",
	},
	"internal/proof/story": {
		".", "kv", "kv/memkv", "kv/kvtest/faulty", "txn", "ratchet", "otk", "session", "account", "bench/design",
	},
	"internal/proof/remote":            {".", "internal/calls", "internal/proof/story", "kv", "matrix", "ratchet", "otk", "session", "account"},
	"internal/calls":                   {".", "matrix", "ratchet", "otk", "session", "account", "device", "group", "roomkeyfile", "kv", "txn", "txn/seal", "internal/parallel", "internal/secret"},
	"internal/proof/port/transactions": {".", "internal/calls", "kv", "kv/memkv", "kv/kvtest/faulty", "matrix", "txn", "txn/seal"},
	"keyfile":                          {".", "kv", "internal/files", "internal/holder", "internal/secret"},
	"cmd/pawl":                         {".", "keyfile", "roomkeyfile", "internal/files/...", "kv", "kv/badgerkv", "kv/sqlitekv", "kv/pgkv", "kv/etcdkv", "kv/witness", "txn", "txn/seal", "internal/secret", "matrix", "ratchet", "otk", "account", "session", "internal/unpadded", "internal/cli/...", "group", "internal/pickle/...", "bench/command", "kv/kvtest/conform"},
	"mobile":                           {"internal/calls", "kv", "kv/memkv", "kv/sqlitekv"},
	"cmd/libpawl":                      {"internal/calls", "kv", "kv/memkv", "kv/badgerkv", "kv/sqlitekv"},
	"examples/client":                  {".", "matrix", "group"},
	"examples/bot":                     {".", "examples/client", "keyfile", "kv/badgerkv", "matrix"},
	"examples/bridge":                  {".", "examples/client", "keyfile", "kv/badgerkv", "matrix"},
	"examples/internal/person":         {".", "examples/client", "internal/hs", "kv/memkv", "matrix"},
	"cmd/pawlweb":                      {".", "internal/calls", "kv", "kv/idbkv", "kv/memkv", "kv/witness"},
}

// pure are the packages that do no I/O and know no clock, and what they may
// therefore not import from elsewhere.
var (
	pure      = []string{"matrix", "ratchet", "otk", "session", "account", "group", "device", "roomkeyfile", "internal/canonicaljson", "internal/unpadded", "internal/record", "internal/message", "internal/pickle", "internal/pickle/libolm", "internal/pickle/vodozemac"}
	forbidden = []string{"os", "net", "log", "log/slog", "go.uber.org/zap", "math/rand", "math/rand/v2"}
)

func TestImportsRunDownwards(t *testing.T) {
	pkgs := list(t)
	for _, p := range pkgs {
		allowed, known := lookup(p.name())
		if !known {
			t.Errorf("%s is not in the import table: add it to internal/proof/layers and to docs/architecture.md", p.name())
			continue
		}
		for _, imp := range p.Imports {
			name, ours := local(imp)
			if ours && !covers(allowed, name) {
				t.Errorf("%s may not import %s: move the code or change docs/architecture.md and this table", p.name(), name)
			}
		}
	}
	if len(pkgs) < 3 {
		t.Fatalf("go list found %d packages", len(pkgs))
	}
}

func TestProtocolColumnIsPure(t *testing.T) {
	for _, p := range list(t) {
		if !slices.Contains(pure, p.name()) {
			continue
		}
		for _, imp := range p.Imports {
			if slices.Contains(forbidden, imp) {
				t.Errorf("%s may not import %s: randomness, time and logging belong to the caller", p.name(), imp)
			}
		}
	}
}

// TestProtocolColumnKnowsNoClock finds calls that an import list cannot show.
func TestProtocolColumnKnowsNoClock(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc"}
	for _, p := range list(t) {
		if !slices.Contains(pure, p.name()) {
			continue
		}
		for _, file := range p.GoFiles {
			eachSelector(t, filepath.Join(p.Dir, file), func(pkg, name string) {
				if pkg == "time" && slices.Contains(clock, name) {
					t.Errorf("%s/%s calls time.%s: time is an argument here", p.name(), file, name)
				}
			})
		}
	}
}

func TestTableIsConsistent(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		for _, below := range table[name] {
			if _, known := lookup(below); !known && !strings.HasSuffix(below, "/...") {
				t.Errorf("%s may import %s, which is not in the table", name, below)
			}
			if below != name && covers(table[below], name) {
				t.Errorf("%s and %s may import each other", name, below)
			}
		}
	}
}

type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string

	IgnoredGoFiles []string // for other systems, and tests of those
}

func (p pkg) name() string {
	name, _ := local(p.ImportPath)
	return name
}

// local turns an import path into a name of the table.
func local(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

func lookup(name string) ([]string, bool) {
	if allowed, ok := table[name]; ok {
		return allowed, true
	}
	for pattern, allowed := range table {
		if covers([]string{pattern}, name) {
			return allowed, true
		}
	}
	return nil, false
}

func covers(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		folder, wild := strings.CutSuffix(p, "/...")
		return p == name || wild && (name == folder || strings.HasPrefix(name, folder+"/"))
	})
}

// eachSelector calls fn for every x.y in a file where x is a plain name.
func eachSelector(t *testing.T, path string, fn func(x, y string)) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok {
				fn(x.Name, sel.Sel.Name)
			}
		}
		return true
	})
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles,IgnoredGoFiles", module+"/...")
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}
