package web

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// primitives are the calls that docs/web.md has natively and in WebAssembly: a name, and the
// benchmark in a package that makes it.
var primitives = []struct{ name, pkg, bench string }{
	{"X25519", "ratchet", "SharedSecret"},
	{"X25519 of the base point: a key pair", "ratchet", "KeyPair"},
	{"Ed25519, sign", "account", "Sign"},
	{"Ed25519, verify", "account", "Verify"},
	{"SHA-256 of 1 KiB", "internal/message", "SHA256"},
	{"HMAC-SHA-256 of 1 KiB", "internal/message", "HMAC"},
	{"HKDF-SHA-256, 80 bytes", "internal/message", "HKDF"},
	{"AES-256-CBC, encrypt 1 KiB", "internal/message", "CBCEncrypt"},
	{"HMAC and AES-256-CBC, open 1 KiB", "internal/message", "CBCOpen"},
	{"Megolm, a step", "group", "Step"},
	{"Megolm, encrypt 1 KiB, record to record", "group", "Encrypt"},
	{"Megolm, decrypt 1 KiB, record to record", "group", "Decrypt"},
	{"Olm, encrypt 1 KiB", "ratchet", "EncryptHeld"},
	{"Olm, decrypt 1 KiB", "ratchet", "DecryptHeld"},
	{"Olm, decrypt 1 KiB with a new ratchet key", "ratchet", "DecryptTurn"},
	{"XChaCha20-Poly1305, seal 350 bytes", "txn/seal", "Seal"},
	{"XChaCha20-Poly1305, open 350 bytes", "txn/seal", "Open"},
	{"blind a name", "txn/seal", "Blind"},
	{"msgpack, encode a session", "session", "SessionRecord/encode"},
	{"msgpack, decode a session", "session", "SessionRecord/decode"},
}

// TestPrimitives prints for each primitive how many microseconds its first call takes in a
// process, and one of those after 1,000: natively, and in WebAssembly in Node. Each is the
// least of several processes, which says most where others use the machine too.
func TestPrimitives(t *testing.T) {
	if testing.Short() {
		t.Skip("with make primitives, and make web")
	}
	needDevTools(t)
	t.Log("| call | native, first | after 1,000 | wasm, first | after 1,000 | times |")
	for _, p := range primitives {
		var took []float64
		for _, run := range [][]string{{native(t, p.pkg)}, nodeCommand(t, Build(t, mainModule, "./"+p.pkg, true))} {
			first, warm := microseconds(t, run, p.bench, 1, 1, 7), microseconds(t, run, p.bench, 1000, 3, 2)
			took = append(took, first, warm)
		}
		t.Logf("| %s | %.3g | %.3g | %.3g | %.3g | %.2g |", p.name, took[0], took[1], took[2], took[3], took[3]/took[1])
	}
}

// native builds the tests of a package for this machine.
func native(t *testing.T, pkg string) string {
	t.Helper()
	file := filepath.Join(built.dir, "native-"+strings.ReplaceAll(pkg, "/", "-"))
	if _, err := os.Stat(file); err == nil {
		return file
	}
	cmd := exec.Command("go", "test", "-c", "-o", file, "./"+pkg)
	cmd.Dir = mainModule
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the tests of %s [build failed]: %v\n%s", pkg, err, said)
	}
	return file
}

// nodeCommand is the command that runs a program in Node.
func nodeCommand(t *testing.T, file string) []string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"node", filepath.Join(strings.TrimSpace(string(root)), "lib/wasm/wasm_exec_node.js"), file}
}

var nanoseconds = regexp.MustCompile(`([0-9.]+) ns/op`)

// microseconds runs a benchmark in new processes, a number of calls as often as counts says,
// and returns the least that a call took, after the first of the counts if there are more.
func microseconds(t *testing.T, run []string, bench string, calls, counts, processes int) float64 {
	t.Helper()
	exact := "^Benchmark" + strings.ReplaceAll(bench, "/", "$/^") + "$"
	args := []string{"-test.run=^$", "-test.bench=" + exact, fmt.Sprintf("-test.benchtime=%dx", calls), fmt.Sprint("-test.count=", counts)}
	least := math.Inf(1)
	for range processes {
		out, err := exec.Command(run[0], slices.Concat(run[1:], args)...).CombinedOutput()
		found := nanoseconds.FindAllStringSubmatch(string(out), -1)
		if err != nil || len(found) != counts {
			t.Fatalf("%s: %v, %d figures, want %d:\n%s", bench, err, len(found), counts, out)
		}
		for _, figure := range found[min(1, counts-1):] {
			nano, err := strconv.ParseFloat(figure[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			least = min(least, nano/1000)
		}
	}
	return least
}

// TestDocumentedPrimitives: docs/web.md has a row of each, whose last figure is what the two
// before it say.
func TestDocumentedPrimitives(t *testing.T) {
	for _, p := range primitives {
		is := rowOf(t, p.name, 5)
		if times := is[3] / is[1]; off(is[4], times) > 0.06 {
			t.Errorf("docs/web.md: %s takes %v times as long in WebAssembly, its figures say %.2g", p.name, is[4], times)
		}
	}
}
