package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestMeasure measures a call and finds what it must have run, and nothing of
// what came before it.
func TestMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the module with coverage")
	}
	program, err := build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ran, err := program.measure(t.Context(), cases[len(cases)-1])
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range map[function]bool{
		{"decrypt.go", "*Machine.Decrypt"}:      true,
		{"kv/memkv/commit.go", "*Store.Commit"}: true,
		{"encrypt.go", "*Machine.Encrypt"}:      false,
		{"store.go", "Open"}:                    false,
	} {
		if ran[f] != want {
			t.Errorf("%s of %s ran: %v, want %v", f.name, f.file, ran[f], want)
		}
	}
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	ran{{"a/x.go", "F"}: true, {"a/x.go", "A.B"}: true, {"a/y.go", "G"}: true, {"b.go", "H"}: true}.print(&out, "case", true)
	want := []string{
		"case: 4 functions in 3 files",
		"  .                              1 in  1",
		"    b.go: H",
		"  a                              3 in  2",
		"    x.go: A.B, F",
		"    y.go: G", "",
	}
	if got := out.String(); got != strings.Join(want, "\n") {
		t.Errorf("printed\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
