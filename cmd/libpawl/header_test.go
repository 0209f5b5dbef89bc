package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/calls"
)

func header(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../include/pawl.h")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(string(b), "")
}

var declaration = regexp.MustCompile(`(?m)^\w+ (pawl_\w+)\([^;]*\);`)

// declared are the functions of the header.
func declared(t *testing.T) []string {
	var all []string
	for _, m := range declaration.FindAllStringSubmatch(header(t), -1) {
		all = append(all, m[1])
	}
	if len(all) < 10 {
		t.Fatalf("the header declares %q", all)
	}
	slices.Sort(all)
	return all
}

// TestHeaderHasTheNumbers: each code has its number in the header, and no other has one.
func TestHeaderHasTheNumbers(t *testing.T) {
	want := map[string]string{}
	for _, c := range calls.Codes() {
		want["PAWL_"+strings.ToUpper(string(c.Name))] = strconv.Itoa(int(c.Number))
	}
	for _, own := range []string{"PAWL_OK 0", "PAWL_ABI_VERSION 1", "PAWL_LOG_INFO 0", "PAWL_LOG_WARN 4", "PAWL_LOG_ERROR 8"} {
		name, number, _ := strings.Cut(own, " ")
		want[name] = number
	}
	has := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^#define (PAWL_\w+) (\d+)$`).FindAllStringSubmatch(header(t), -1) {
		has[m[1]] = m[2]
	}
	for name := range maps.Keys(want) {
		if has[name] != want[name] {
			t.Errorf("include/pawl.h has %s as %q, want %q", name, has[name], want[name])
		}
	}
	for name := range has {
		if want[name] == "" {
			t.Errorf("include/pawl.h has %s, which there is not", name)
		}
	}
}

// TestForkedTextIsTheError: a forked process gets the text from C, which cannot ask Go.
func TestForkedTextIsTheError(t *testing.T) {
	source, err := os.ReadFile("enter.c")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?s)static const char text\[\] =(.*?);\n`).FindSubmatch(source)
	if text == nil {
		t.Fatal("enter.c has no text")
	}
	var said string
	for _, part := range regexp.MustCompile(`"(?:[^"\\]|\\.)*"`).FindAllString(string(text[1]), -1) {
		s, err := strconv.Unquote(part)
		if err != nil {
			t.Fatal(err)
		}
		said += s
	}
	want := fmt.Sprintf(`{"v":1,"code":"forked","number":%d,"remedy":"none","message":%q}`, calls.Number(calls.ErrForked), calls.ErrForked)
	if said != want {
		t.Errorf("C says\n%s, want\n%s", said, want)
	}
}

// TestEveryFunctionAsksForTheProcess: each that enters Go compares the process first.
func TestEveryFunctionAsksForTheProcess(t *testing.T) {
	source, err := os.ReadFile("enter.c")
	if err != nil {
		t.Fatal(err)
	}
	defined := regexp.MustCompile(`(?ms)^\w+ (pawl_\w+)\([^{;]*\{(.*?)\}\n`).FindAllStringSubmatch(string(source), -1)
	var names []string
	for _, d := range defined {
		names = append(names, d[1])
		asks, enters := strings.Index(d[2], "forked()"), strings.Index(d[2], "goPawl")
		if enters >= 0 && (asks < 0 || asks > enters) {
			t.Errorf("%s enters Go before it has compared the process", d[1])
		}
	}
	slices.Sort(names)
	if want := declared(t); !slices.Equal(names, want) {
		t.Errorf("enter.c defines\n%q, and the header declares\n%q", names, want)
	}
}
