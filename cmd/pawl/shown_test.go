package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// hostile are a user and a device that others may have chosen: historical, or
// meant for the terminal of who looks at them.
const (
	hostileUser   = "@Al ice\x1b[2J\x7f\u009b31m\u202e/../x\n:example.org"
	hostileDevice = "My Laptop\r/\x1b]0;pwned\x07"
)

// outputOf runs a command and returns what it prints, on both streams, in which
// there is nothing that moves a cursor.
func outputOf(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	root := newRoot()
	var out, errs bytes.Buffer
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errs)
	ran, err := root.ExecuteContextC(t.Context())
	status = exit(&errs, ran, err)
	for _, text := range []string{out.String(), errs.String()} {
		for _, r := range text {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("pawl %s prints %U: %q", args[0], r, text)
				break
			}
		}
	}
	return out.String(), errs.String(), status
}

// TestNamesOfOthers: an account with the names that Matrix allows is used like any
// other, and none of them reaches the terminal as it is.
func TestNamesOfOthers(t *testing.T) {
	dir := t.TempDir()
	store := "sqlite:" + filepath.Join(dir, "store.db")
	good := func(args ...string) string {
		t.Helper()
		stdout, stderr, status := outputOf(t, "", args...)
		if status != 0 {
			t.Fatalf("pawl %q: %d, %s", args, status, stderr)
		}
		return stdout
	}
	var made struct{ User, Device string }
	if err := json.Unmarshal([]byte(good("init", store, "--user", hostileUser, "--device", hostileDevice)), &made); err != nil ||
		made.User != hostileUser || made.Device != hostileDevice {
		t.Fatalf("made %q, %v", made, err)
	}
	good("init", store, "--user", "@:example.org", "--device", " ")
	const shown = `@Al ice\u001b[2J\u007f\u009b31m\u202e/../x\u000a:example.org/My Laptop\u000d/\u001b]0;pwned\u0007`
	for _, args := range [][]string{
		{"inspect", store}, {"inspect", store, "--json"}, {"check", store}, {"check", store, "--json"}, {"recover", store}, {"sweep", store},
	} {
		if got := good(args...); args[0] != "sweep" && len(args) == 2 && !strings.Contains(got, shown+"\n") && !strings.Contains(got, shown+":") {
			t.Errorf("pawl %q prints %s", args, got)
		}
	}
	body := good("keys", store, "--account", hostileUser+"/"+hostileDevice)
	var upload struct {
		DeviceKeys struct {
			User string            `json:"user_id"`
			Keys map[string]string `json:"keys"`
		} `json:"device_keys"`
	}
	if err := json.Unmarshal([]byte(body), &upload); err != nil || upload.DeviceKeys.User != hostileUser || upload.DeviceKeys.Keys["ed25519:"+hostileDevice] == "" {
		t.Errorf("the body is %s, %v", body, err)
	}
	if stdout, stderr, status := outputOf(t, body, "keys", store, "--account", hostileDevice, "--published"); status != 0 {
		t.Errorf("marking it published: %d, %s%s", status, stdout, stderr)
	}
	if _, stderr, status := outputOf(t, "", "keys", store); status != 1 || !strings.Contains(stderr, shown) {
		t.Errorf("with two accounts: %d, %s", status, stderr)
	}
	if _, stderr, status := outputOf(t, "", "keys", store, "--account", "\x1b[31m"); status != 1 || strings.Count(stderr, "\n") != 1 {
		t.Errorf("with no such account: %d, %s", status, stderr)
	}
}
