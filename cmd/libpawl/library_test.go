package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// need skips a test where a program is missing, or fails with PAWL_C=1.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("PAWL_C") != "" {
		t.Fatalf("%s is missing, and PAWL_C says that it must be there", program)
	}
	t.Skipf("without %s the C library is not tested; install it, and set PAWL_C=1 to require it", program)
	return ""
}

func run(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// builtIn names the folder that "make libpawl" builds in: "make test-c" sets it.
const builtIn = "PAWL_LIBPAWL"

// built returns the shared library of each flavour.
func built(t *testing.T) map[string]string {
	t.Helper()
	folder := os.Getenv(builtIn)
	if folder == "" {
		t.Skipf("make test-c builds the C library and tests it; %s names no folder with one", builtIn)
	}
	need(t, "gcc")
	all := map[string]string{}
	for _, flavour := range []string{"sqlite", "badger"} {
		path := filepath.Join(folder, flavour, "libpawl.so")
		if _, err := os.Stat(path); err == nil {
			all[flavour] = path
		} else if os.Getenv("PAWL_C") != "" {
			t.Fatalf("%v: both flavours are required", err)
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no library", folder)
	}
	return all
}

// TestExports: the shared library exports what the header declares, and nothing else.
func TestExports(t *testing.T) {
	nm := need(t, "nm")
	for flavour, path := range built(t) {
		var has []string
		for line := range strings.Lines(run(t, nil, nm, "-D", "--defined-only", path)) {
			if f := strings.Fields(line); len(f) == 3 {
				has = append(has, f[2])
			}
		}
		slices.Sort(has)
		if want := declared(t); !slices.Equal(has, want) {
			t.Errorf("of %s nm -D shows\n%q, and the header declares\n%q", flavour, has, want)
		}
	}
}

// TestInC plays C programs, with AddressSanitizer, on the shared library and on the
// archive: every call with bad arguments, callbacks, threads, signals and a fork; and
// every call with good ones.
func TestInC(t *testing.T) {
	script, err := filepath.Abs("ctest/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	for flavour, path := range built(t) {
		for name, library := range map[string]string{"shared": path, "archive": strings.TrimSuffix(path, "so") + "a"} {
			t.Run(flavour+"/"+name, func(t *testing.T) {
				playC(t, "calls.c", library, t.TempDir(), flavour)
				playC(t, "script.c", library, script, flavour, t.TempDir())
			})
		}
	}
}

// playC builds a program with a library, and wants it to say that all is well.
func playC(t *testing.T, source, library string, args ...string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	build := []string{"-g", "-fsanitize=address", "-Wall", "-Wextra", "-Werror", "-I../../include", "-o", program, "ctest/" + source}
	if library != "" {
		build = append(build, library)
	}
	run(t, nil, "gcc", append(build, "-lpthread", "-lm", "-ldl")...)
	out := run(t, []string{"LD_LIBRARY_PATH=" + filepath.Dir(library), "ASAN_OPTIONS=detect_leaks=1"}, program, args...)
	if out != "ok\n" {
		t.Errorf("%s says\n%s", source, out)
	}
}

// TestUnload: dlclose leaves the library where it is.
func TestUnload(t *testing.T) {
	for flavour, path := range built(t) {
		t.Run(flavour, func(t *testing.T) { playC(t, "unload.c", "", path) })
	}
}

// TestHeaderAlone: the header is C99, and needs no other.
func TestHeaderAlone(t *testing.T) {
	gcc := need(t, "gcc")
	source := filepath.Join(t.TempDir(), "alone.c")
	if err := os.WriteFile(source, []byte("#include \"pawl.h\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, nil, gcc, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-I../../include", "-fsyntax-only", source)
}

// TestInPython installs the wheel in a clean environment and runs the binding's tests.
func TestInPython(t *testing.T) {
	libraries := built(t)
	python := need(t, "python3")
	for flavour, path := range libraries {
		t.Run(flavour, func(t *testing.T) {
			wheels, err := filepath.Glob(filepath.Join(filepath.Dir(path), "pawl-*.whl"))
			if err != nil || len(wheels) != 1 {
				t.Fatalf("there are the wheels %q, %v: run make libpawl", wheels, err)
			}
			if !regexp.MustCompile(`-py3-none-manylinux_2_\d+_\w+\.whl$`).MatchString(wheels[0]) {
				t.Errorf("%s has no tag of a platform", wheels[0])
			}
			env := filepath.Join(t.TempDir(), "venv")
			run(t, nil, python, "-m", "venv", env)
			in := filepath.Join(env, "bin", "python")
			run(t, nil, in, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", wheels[0])
			header, err := filepath.Abs("../../include/pawl.h")
			if err != nil {
				t.Fatal(err)
			}
			calls, err := filepath.Abs("../../docs/calls.txt")
			if err != nil {
				t.Fatal(err)
			}
			test, err := os.ReadFile("../../bindings/python/test_pawl.py")
			if err != nil {
				t.Fatal(err)
			}
			alone := filepath.Join(t.TempDir(), "test_pawl.py") // where the sources are not found
			if err := os.WriteFile(alone, test, 0o644); err != nil {
				t.Fatal(err)
			}
			out := run(t, []string{"PAWL_HEADER=" + header, "PAWL_CALLS=" + calls}, in, alone)
			if !strings.Contains(out, "OK") || strings.Contains(out, "skipped") {
				t.Errorf("it says\n%s", out)
			}
		})
	}
}

// TestPythonIsSmall: the binding is a proof that the interface is small.
func TestPythonIsSmall(t *testing.T) {
	files, err := filepath.Glob("../../bindings/python/pawl/*.py")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		lines += strings.Count(string(b), "\n")
	}
	if len(files) < 4 || lines > 800 {
		t.Errorf("the binding has %d lines in %d files, at most 800", lines, len(files))
	}
}
