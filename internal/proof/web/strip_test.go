package web

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stripped is what web/dev/strip.mjs makes of a program, or what it says.
func stripped(t *testing.T, program []byte) (file, said string, err error) {
	t.Helper()
	in := filepath.Join(t.TempDir(), "in.wasm")
	if err := os.WriteFile(in, program, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.wasm")
	words, err := exec.Command("node", devTools+"/strip.mjs", in, out).CombinedOutput()
	return out, string(words), err
}

// TestStrip: a program does the same without what only traces need: what it recovers from and
// what it says of it, how its stack grows and is scanned, and the names in its traces.
func TestStrip(t *testing.T) {
	needDevTools(t)
	whole := Build(t, ".", "./traced", false)
	program, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	less, said, err := stripped(t, program)
	if err != nil {
		t.Fatal(said)
	}
	want, got := inNode(t, whole), inNode(t, less)
	if got != want {
		t.Errorf("stripped it prints\n%s\nand whole\n%s", got, want)
	}
	for _, line := range []string{
		"index method: runtime error: index out of range [3] with length 0",
		"slice wrapper: runtime error: slice bounds out of range [1:0]",
		"nil pointer: runtime error: invalid memory address or nil pointer dereference",
		"deeper from below", "frame main.main", "stack true",
	} {
		if !strings.Contains(want, line+"\n") {
			t.Errorf("it does not print %q:\n%s", line, want)
		}
	}
	if before, after := packed(t, whole), packed(t, less); after > before*95/100 {
		t.Errorf("packed it has %d bytes, %d before", after, before)
	}
}

// inNode is what a program prints in Node.
func inNode(t *testing.T, file string) string {
	t.Helper()
	run := nodeCommand(t, file)
	out, err := exec.Command(run[0], run[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func packed(t *testing.T, file string) int {
	t.Helper()
	program, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return gzipped(t, program)
}

// TestStripRefuses: a program that is not understood is refused in one sentence, and nothing
// is written.
func TestStripRefuses(t *testing.T) {
	needDevTools(t)
	program, err := os.ReadFile(Build(t, ".", "./hello", false))
	if err != nil {
		t.Fatal(err)
	}
	table := bytes.Index(program, []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8})
	if table < 0 {
		t.Fatal("no table of functions is found")
	}
	for name, damage := range map[string]func(p []byte) []byte{
		"empty":                      func(p []byte) []byte { return nil },
		"no WebAssembly":             func(p []byte) []byte { return []byte("<html>not found</html>") },
		"another version of it":      func(p []byte) []byte { p[4] = 2; return p },
		"cut off":                    func(p []byte) []byte { return p[:len(p)-10000] },
		"cut off after its head":     func(p []byte) []byte { return p[:8] },
		"a section without an end":   func(p []byte) []byte { return append(p[:8:8], 11, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) },
		"another table of functions": func(p []byte) []byte { p[table] = 0xf2; return p },
		"another size of pointers":   func(p []byte) []byte { p[table+7] = 4; return p },
		"its parts elsewhere":        func(p []byte) []byte { binary.LittleEndian.PutUint32(p[table+40:], 80); return p },
	} {
		out, said, err := stripped(t, damage(bytes.Clone(program)))
		if err == nil || !strings.Contains(said, "strip: ") || !strings.Contains(said, "ship it as it is") {
			t.Errorf("%s: %v, and it says %q", name, err, said)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
}

// TestStripIsClear: whatever one byte of the tables is, a program is stripped, or refused in
// one sentence.
func TestStripIsClear(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 60
	}
	for _, said := range inTools[[]string](t, startsWith+`
const program = readFileSync(given.file), table = program.indexOf(Buffer.from([0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8])), said = [];
for (let n = 1082702230, i = 0; i < given.rounds; i++) {
	n = (n * 48271) % 2147483647;
	const one = Buffer.from(program);
	one[table + (n % 400000)] ^= 1 << (n % 8);
	try { strip(one); } catch (err) { if (!err.message.startsWith("strip: ")) said.push(err.stack); }
}
console.log(JSON.stringify(said));`, map[string]any{"file": Build(t, ".", "./hello", false), "rounds": rounds}) {
		t.Error(said)
	}
}
