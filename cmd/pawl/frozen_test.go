//go:build linux || darwin

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// frozenBound is more than any command takes that waits for a process which is
// frozen (docs/waits.md); it tells such a command from one that does not end.
const frozenBound = 2 * time.Minute

// someKey is a peer's that nobody is.
const someKey = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo"

// commandsAt are all commands that open a store, with what they read, and whether
// they write.
func commandsAt(store, passphrase string) (args [][]string, stdins [][]byte, writes []bool) {
	message := []byte(`{"type":1,"body":"AwogAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQACIAAAAAAAAAAAA"}`)
	line := []byte(`{"sender_key":"` + someKey + `",` + string(message[1:]) + "\n")
	for _, c := range []struct {
		stdin  []byte
		writes bool
		args   []string
	}{
		{nil, true, []string{"init", store, "--user", "@bob:example.org", "--device", "OTHER"}},
		{nil, true, []string{"keys", store}},
		{[]byte("text"), true, []string{"encrypt", store, "--to", someKey, "--one-time-key", someKey}},
		{message, false, []string{"decrypt", store, "--from", someKey}},
		{line, false, []string{"decrypt", store, "--jsonl"}},
		{[]byte(strings.Repeat("0", 64) + "\n"), false, []string{"ack", store}}, // of no such receipt there is nothing to write
		{nil, false, []string{"inspect", store}},
		{nil, false, []string{"check", store}},
		{nil, false, []string{"repair", store, "--yes"}},
		{nil, true, []string{"sweep", store}},
		{nil, true, []string{"recover", store, "--force"}},
		{nil, true, []string{"passwd", store, "--new-passphrase-file", passphrase}},
		{nil, true, []string{"convert", store, store + ".new"}},
	} {
		args, stdins, writes = append(args, c.args), append(stdins, c.stdin), append(writes, c.writes)
	}
	return args, stdins, writes
}

// newPassphrase makes the passphrase that a store is to get.
func newPassphrase(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "new")
	if err := os.WriteFile(path, []byte("another passphrase\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFrozenOwner: a command has a store of Badger's open and is stopped. Every other
// command ends, and says that the store is not to be reached.
func TestFrozenOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	phone := filepath.Join(dir, "phone")
	run(t, "init", phone, "--user", "@alice:example.org", "--device", "PHONE")
	owner, guest := streaming(t, phone), streaming(t, phone)
	stop(t, owner.cmd)
	if _, err := guest.in.Write(lineOf(t)); err != nil {
		t.Fatal(err)
	}
	guest.in.Close()

	args, stdins, _ := commandsAt(phone, newPassphrase(t, dir))
	began := time.Now()
	for i, r := range atOnceFrom(t, stdins, args...) {
		named := fmt.Sprintf("unavailable: process %d has the store and has not answered for 5s: is it stopped?", owner.cmd.Process.Pid)
		if r.ok || !strings.Contains(r.stderr.String(), named) {
			t.Errorf("pawl %v while the owner is stopped: done: %v, %s; want: %s", args[i], r.ok, &r.stderr, named)
		}
	}
	if err := guest.cmd.Wait(); err == nil || !strings.Contains(guest.stderr.String(), "unavailable") {
		t.Errorf("a command that was reading lines: %v, %s", err, guest.stderr)
	}
	if took := time.Since(began); took > frozenBound {
		t.Errorf("all of them took %v", took)
	}
	goOn(t, owner)
	run(t, "check", phone)
}

// TestFrozenGate: a process is stopped inside its commit to an SQLite store. What
// only reads goes on, and what writes ends and says so.
func TestFrozenGate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	passphrase := newPassphrase(t, dir)
	var args [][]string
	var stdins [][]byte
	var writes []bool
	var phones []string
	var gates []*flock.Flock
	// Two commands that decide what a store is sealed under wait for each other, so
	// these have a store each.
	for _, deciding := range []string{"init", "passwd", "convert"} {
		path := filepath.Join(dir, deciding)
		phone := "sqlite:" + path
		run(t, "init", phone, "--user", "@alice:example.org", "--device", "PHONE")
		gate := flock.New(path + "-gate")
		if ok, err := gate.TryLock(); !ok || err != nil {
			t.Fatalf("the gate: %v, %v", ok, err)
		}
		phones, gates = append(phones, phone), append(gates, gate)
		all, inputs, write := commandsAt(phone, passphrase)
		for i, a := range all {
			decides := slices.Contains([]string{"init", "passwd", "convert"}, a[0])
			if a[0] == deciding || !decides && deciding == "passwd" {
				args, stdins, writes = append(args, a), append(stdins, inputs[i]), append(writes, write[i])
			}
		}
	}
	began := time.Now()
	for i, r := range atOnceFrom(t, stdins, args...) {
		if unavailable := strings.Contains(r.stderr.String(), "unavailable"); unavailable != writes[i] || unavailable && r.ok {
			t.Errorf("pawl %v while the gate is kept: done: %v, %s", args[i], r.ok, &r.stderr)
		}
	}
	if took := time.Since(began); took > frozenBound {
		t.Errorf("all of them took %v", took)
	}
	for i, phone := range phones {
		if err := gates[i].Close(); err != nil {
			t.Fatal(err)
		}
		run(t, "check", phone)
	}
}

// TestOwnerFrozenBeforeCommit: the owner is stopped after a guest has read and before
// it commits. Encrypt ends, with a context that does not, its message is withheld,
// and when the owner goes on no key is used twice.
func TestOwnerFrozenBeforeCommit(t *testing.T) {
	t.Parallel()
	phone := filepath.Join(t.TempDir(), "phone")
	run(t, "init", phone, "--user", "@alice:example.org", "--device", "PHONE")
	owner := streaming(t, phone)
	engine, err := badgerkv.Open(phone, badgerkv.WithPatience(500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	armed := false
	alice := machineOn(t, faulty.Wrap(engine, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if armed && call.Op == faulty.Commit {
			armed = false
			stop(t, owner.cmd)
		}
		return nil
	}}), keyIn(t, filepath.Join(phone, "pawl.key")), "@alice:example.org", "PHONE")
	bob := machineOn(t, memkv.New(), pawl.WithKey([32]byte{1}), "@bob:example.org", "PHONE")
	bobs, err := bob.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := pawl.WithOneTimeKey(oneTimeKeyOf(t, bob))

	armed = true
	began := time.Now()
	withheld, err := alice.Encrypt(context.Background(), bobs.Curve25519, []byte("withheld"), first)
	if !errors.Is(err, kv.ErrUnknown) || withheld.Message.Body != nil {
		t.Errorf("encrypt: %+v, %v, want kv.ErrUnknown and nothing else", withheld, err)
	}
	if took := time.Since(began); took > frozenBound {
		t.Errorf("encrypt took %v", took)
	}
	if err := owner.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	alices, err := alice.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		e, err := alice.Encrypt(t.Context(), bobs.Curve25519, []byte{byte(i)})
		if errors.Is(err, pawl.ErrNoSession) { // it was not applied
			e, err = alice.Encrypt(t.Context(), bobs.Curve25519, []byte{byte(i)}, first)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := bob.Decrypt(t.Context(), alices.Curve25519, e.Message)
		if err != nil || got.Duplicate || len(got.Plaintext) != 1 || got.Plaintext[0] != byte(i) {
			t.Errorf("message %d: %+v, %v", i, got, err)
		}
	}
	if broken, err := alice.Check(t.Context()); len(broken) > 0 || err != nil {
		t.Errorf("check: %q, %v", broken, err)
	}
	if err := engine.Close(); err != nil {
		t.Error(err)
	}
	goOn(t, owner)
}

func machineOn(t *testing.T, store kv.Store, key pawl.Option, user matrix.UserID, device matrix.DeviceID) *pawl.Machine {
	t.Helper()
	s, err := pawl.Open(t.Context(), store, key)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.OpenOrCreate(t.Context(), user, device)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func keyIn(t *testing.T, path string) pawl.Option {
	t.Helper()
	key, err := keyfile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return pawl.WithKey(key.Reveal())
}

func oneTimeKeyOf(t *testing.T, m *pawl.Machine) ratchet.PublicKey {
	t.Helper()
	u, err := m.KeysForUpload(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Keys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal(u.Body, &body); err != nil {
		t.Fatal(err)
	}
	for _, k := range body.Keys {
		return keyOf(t, k.Key)
	}
	t.Fatal("an upload without a key")
	return ratchet.PublicKey{}
}

// reader is a command that reads lines.
type reader struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	stderr *bytes.Buffer
}

// streaming starts a command that has the store open and waits for lines.
func streaming(t *testing.T, store string) reader {
	t.Helper()
	cmd := exec.Command("pawl", "decrypt", store, "--jsonl", "--batch", "1")
	in, out, stderr := pipes(t, cmd)
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if _, err := io.WriteString(in, "no message\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(answer, `"code":"json"`) {
		t.Fatalf("answer %q, %v", answer, err)
	}
	return reader{cmd, in, stderr}
}

// lineOf is a line for which the store must be asked.
func lineOf(t *testing.T) []byte {
	t.Helper()
	_, stdins, _ := commandsAt("", "")
	return stdins[4]
}

// stop stops a process and returns when it stands still.
func stop(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("it does not stop: %v, %v", status, err)
	}
}

// goOn lets a process go on, and end.
func goOn(t *testing.T, r reader) {
	t.Helper()
	err := errors.Join(r.cmd.Process.Signal(syscall.SIGCONT), r.in.Close(), r.cmd.Wait())
	if err != nil {
		t.Error(err)
	}
}
