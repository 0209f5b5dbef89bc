package web

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var writeSizes = flag.Bool("web.sizes", false, "write the sizes of the programs as they are")

const (
	// sizesFile has what the programs weigh, by one version of Go: what another one's
	// linker adds is no growth of ours.
	sizesFile = devTools + "/sizes.txt"
	// mayGrow is by how many parts of a hundred a program may.
	mayGrow = 3
)

// size is what a program weighs, in bytes.
type size struct{ raw, gzip int }

// TestSizes: neither what web/ ships nor the least program of Pawl grows by 3 % over the size
// that was written down, which -web.sizes does anew.
func TestSizes(t *testing.T) {
	needDevTools(t)
	programs := []struct{ name, dir, pkg string }{{"small", ".", "./small"}, {"pawl", mainModule, "./cmd/pawlweb"}}
	minor := minorVersion()
	var now strings.Builder
	fmt.Fprintf(&now, "# Bytes of the programs for a browser, raw and after gzip -9: go test -run TestSizes . -web.sizes\ngo %s\n", minor)
	is := make(map[string]size)
	for _, p := range programs {
		is[p.name] = sizeOf(t, p.dir, p.pkg)
		fmt.Fprintf(&now, "%s %d %d\n", p.name, is[p.name].raw, is[p.name].gzip)
	}
	if *writeSizes {
		if err := os.WriteFile(sizesFile, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, by := writtenSizes(t)
	if by != minor {
		t.Skipf("the sizes were written with Go %s, this is %s: run this test with -web.sizes", by, minor)
	}
	for _, p := range programs {
		was, known := written[p.name]
		if !known {
			t.Fatalf("%s does not have %s", sizesFile, p.name)
		}
		for what, grown := range map[string][2]int{"raw": {was.raw, is[p.name].raw}, "after gzip -9": {was.gzip, is[p.name].gzip}} {
			if tooLarge(grown[0], grown[1]) {
				t.Errorf("%s has %d bytes %s, %d were written down: it has grown by more than %d %%; see what weighs (make wasm), or run this test with -web.sizes and say why", p.name, grown[1], what, grown[0], mayGrow)
			}
		}
	}
	t.Logf("%s", &now)
}

// TestGrowth: a program of exactly 3 % more passes, and one of a byte more does not.
func TestGrowth(t *testing.T) {
	for is, want := range map[int]bool{900: false, 1000: false, 1030: false, 1031: true} {
		if got := tooLarge(1000, is); got != want {
			t.Errorf("of 1000 bytes %d is too large: %v", is, got)
		}
	}
}

// minorVersion is the version of Go that builds, without its patches.
func minorVersion() string {
	parts := strings.SplitN(strings.TrimPrefix(runtime.Version(), "go"), ".", 3)
	return parts[0] + "." + parts[1]
}

func tooLarge(was, is int) bool { return is*100 > was*(100+mayGrow) }

// sizeOf builds a program as it is shipped.
func sizeOf(t *testing.T, dir, pkg string) size {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s for js/wasm [build failed]: %v\n%s", pkg, err, said)
	}
	if said, err := exec.Command("node", devTools+"/strip.mjs", file, file).CombinedOutput(); err != nil {
		t.Fatalf("%s", said)
	}
	program, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return size{len(program), gzipped(t, program)}
}

func gzipped(t *testing.T, program []byte) int {
	t.Helper()
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(program)
	w.Close()
	return packed.Len()
}

// writtenSizes reads the sizes that were written down, and by which Go.
func writtenSizes(t *testing.T) (map[string]size, string) {
	t.Helper()
	text, err := os.ReadFile(sizesFile)
	if err != nil {
		t.Fatal(err)
	}
	all, by := make(map[string]size), ""
	for line := range strings.Lines(string(text)) {
		switch words := strings.Fields(line); {
		case len(words) == 2 && words[0] == "go":
			by = words[1]
		case len(words) == 3 && words[0] != "#":
			var s size
			if _, err := fmt.Sscan(words[1]+" "+words[2], &s.raw, &s.gzip); err != nil {
				t.Fatalf("%s: %q: %v", sizesFile, line, err)
			}
			all[words[0]] = s
		}
	}
	return all, by
}
