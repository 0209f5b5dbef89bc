package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdExits is "exits STATUS COMMAND...": the command ends with that status and
// with one line on standard error, or none for 0.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND...")
	}
	status := 0
	err := ts.Exec(args[1], args[2:]...)
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		status = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("it exits with %d, want %s", status, args[0])
	}
	lines := strings.Count(ts.ReadFile("stderr"), "\n")
	if status == 0 && lines != 0 || status != 0 && lines != 1 {
		ts.Fatalf("%d lines on standard error with status %d", lines, status)
	}
}

// cmdJSONGet is "jsonget FILE PATH NAME": it sets a variable to what is at a
// path such as a.0.b of a JSON file; * is the first of an object's members, and
// count the length of a list.
func cmdJSONGet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: jsonget FILE PATH NAME")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	for _, step := range strings.Split(args[1], ".") {
		v = descend(v, step)
	}
	if v == nil {
		ts.Fatalf("there is no %s in %s", args[1], args[0])
	}
	ts.Setenv(args[2], fmt.Sprint(v))
}

func descend(v any, step string) any {
	switch v := v.(type) {
	case map[string]any:
		if step == "*" && len(v) > 0 {
			step = slices.Sorted(maps.Keys(v))[0]
		}
		return v[step]
	case []any:
		if step == "count" {
			return len(v)
		}
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return nil
}

// cmdAlter is "alter FILE OUT flip N" or "alter FILE OUT keep N": it changes
// the Nth byte of a message's body (from the end if negative), or keeps N bytes.
func cmdAlter(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: alter FILE OUT flip|keep N")
	}
	var m map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &m))
	body, err := base64.RawStdEncoding.DecodeString(m["body"].(string))
	ts.Check(err)
	n, err := strconv.Atoi(args[3])
	ts.Check(err)
	if n < 0 {
		n += len(body)
	}
	if args[2] == "keep" {
		body = body[:n]
	} else {
		body[n] ^= 1
	}
	m["body"] = base64.RawStdEncoding.EncodeToString(body)
	out, err := json.Marshal(m)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), append(out, '\n'), 0o600))
}

// cmdLine is "line N FILE OUT": it copies the Nth line of a file, from 1.
func cmdLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: line N FILE OUT")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	lines := strings.SplitAfter(ts.ReadFile(args[1]), "\n")
	if n < 1 || n > len(lines) {
		ts.Fatalf("%s has %d lines", args[1], len(lines))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(lines[n-1]), 0o600))
}

// cmdLonger is "longer FILE N": it puts a line of N bytes before a file's.
func cmdLonger(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: longer FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := strings.Repeat("x", n) + "\n" + ts.ReadFile(args[0])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// cmdMode is "mode FILE MODE", in octal digits.
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode FILE MODE")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}
