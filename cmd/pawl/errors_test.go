package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// ranWith returns a command as if it had run with arguments.
func ranWith(t *testing.T, ctx context.Context, name string, args ...string) *cobra.Command {
	t.Helper()
	ran, _, err := newRoot().Find([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	if err := ran.Flags().Parse(args); err != nil {
		t.Fatal(err)
	}
	ran.SetContext(ctx)
	return ran
}

func TestExit(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(signaled{syscall.SIGINT})
	terminated, cancel := context.WithCancelCause(t.Context())
	cancel(signaled{syscall.SIGTERM})
	stopped := &txn.UnknownError{Err: context.Canceled}
	for _, c := range []struct {
		ctx    context.Context
		ran    string
		err    error
		status int
		line   string
	}{
		{t.Context(), "keys", nil, 0, ""},
		{t.Context(), "keys", errors.New("pawl: no such thing"), 1, "pawl: no such thing\n"},
		{t.Context(), "keys", errors.Join(errors.New("one"), errors.New("two")), 1, "pawl: one; two\n"},
		{t.Context(), "keys", errors.Join(errors.New("kv: one"), errors.New("one"), errors.New("ratchet: two: pawl: kv: one: two: three")), 1, "pawl: one; two: one: three\n"},
		{t.Context(), "keys", fmt.Errorf("keys: %w", cli.Usagef("--count %d", 7)), 2, "pawl: keys: --count 7\n"},
		{t.Context(), "keys", fmt.Errorf("badgerkv: %w", kv.ErrDiskFull), 1, "pawl: disk full (free some space and run the command again; the store is unharmed)\n"},
		{t.Context(), "check", kv.ErrCorrupt, 1, "pawl: store is damaged ('pawl repair a store' says what can be done; do not encrypt with an older copy of the store)\n"},
		{t.Context(), "encrypt", pawl.ErrNeedsRecovery, 1, "pawl: nothing is sent until the account is recovered (make sure that no other copy of it is in use, and run 'pawl recover a store')\n"},
		{t.Context(), "keys", context.Canceled, 1, "pawl: context canceled\n"},
		{ctx, "keys", errors.New("at the same time"), 1, "pawl: at the same time\n"},
		{ctx, "decrypt", context.Canceled, 130, "pawl: interrupted: what was printed is stored, and the rest can be given again\n"},
		{ctx, "encrypt", stopped, 130, "pawl: interrupted: no message was printed, and none that was made will ever be: encrypt again\n"},
		{terminated, "init", stopped, 143, "pawl: interrupted: the account was made if 'pawl inspect a store' shows it\n"},
		{ctx, "help", context.Canceled, 130, "pawl: interrupted: nothing was done\n"},
	} {
		var stderr bytes.Buffer
		if got := exit(&stderr, ranWith(t, c.ctx, c.ran, "a store"), c.err); got != c.status || stderr.String() != c.line {
			t.Errorf("exit(%v) = %d, %q; want %d, %q", c.err, got, stderr.String(), c.status, c.line)
		}
	}
}

// TestErrorOfLines: an error of several lines is one, which reads as it was meant.
func TestErrorOfLines(t *testing.T) {
	for text, want := range map[string]string{
		"one\ntwo": "one; two",
		"failed to connect to `db`:\n\tone: refused\n\ttwo: refused": "failed to connect to `db`: one: refused; two: refused",
		"two\r\n  \nthree": "two; three",
	} {
		if got := plainText(text); got != want {
			t.Errorf("%q is said as %q, want %q", text, got, want)
		}
	}
}

// commands are all that a user can run.
func commands() (all []*cobra.Command) {
	under := []*cobra.Command{newRoot()}
	for len(under) > 0 {
		c := under[0]
		under = append(under[1:], c.Commands()...)
		if !c.Hidden && c.Name() != "help" && c.Name() != "completion" {
			all = append(all, c)
		}
	}
	return all
}

// TestAdvice reads what is said about every code to every command: one line, and
// nothing that the command has not, or has just done.
func TestAdvice(t *testing.T) {
	quoted := regexp.MustCompile(`'pawl ([a-z]+)[^']*'`)
	flagged := regexp.MustCompile(`--[a-z-]+`)
	for _, ran := range commands() {
		for _, code := range pawl.Codes() {
			do := adviceFor(ran.Name(), code)
			t.Logf("%s: %s: %s", ran.Name(), code, do)
			if strings.ContainsAny(do, "\r\n") {
				t.Errorf("%s of %s: %q is not one line", code, ran.Name(), do)
			}
			for _, m := range quoted.FindAllStringSubmatch(do, -1) {
				if found, _, err := newRoot().Find(m[1:2]); err != nil || found.Name() == ran.Name() {
					t.Errorf("%s: %q sends to the command that was run, or to none", ran.Name(), do)
				}
			}
			for _, flag := range flagged.FindAllString(do, -1) {
				if ran.Flags().Lookup(flag[2:]) == nil {
					t.Errorf("%s: %q names a flag of another command", ran.Name(), do)
				}
			}
		}
		if interrupted[fullName(ran)] == "" {
			t.Errorf("nothing is said of %s when it is interrupted", ran.Name())
		}
	}
	for _, a := range advice {
		if a.code.Means() == "" {
			t.Errorf("advice on %q, which is no code", a.code)
		}
		for _, name := range a.commands {
			if found, _, err := newRoot().Find([]string{name}); err != nil || found.Name() != name {
				t.Errorf("advice for %q, which is no command", name)
			}
		}
	}
}

// TestPrefixes: no error of a package that the command links shows its prefix.
func TestPrefixes(t *testing.T) {
	text := regexp.MustCompile(`(?:errors\.New|fmt\.Errorf|unusable)\("([a-z0-9]+): `)
	found := 0
	list := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{.Dir}}", ".")
	linked, err := list.Output()
	for line := range strings.Lines(string(linked)) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(path, "github.com/pawlkv/pawl") || strings.Contains(path, "/bench/") {
			continue
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, m := range text.FindAllStringSubmatch(string(source), -1) {
				found++
				if !slices.Contains(prefixes, m[1]) && filepath.Base(dir) == m[1] {
					t.Errorf("%s: %q is shown to users: add it to prefixes", file, m[1])
				}
			}
		}
	}
	if err != nil || found < 50 {
		t.Errorf("%d errors were found: %v", found, err)
	}
}

// TestLineCodes pins the command's own codes, and what is the store's fault.
func TestLineCodes(t *testing.T) {
	for _, c := range []struct {
		want pawl.Code
		err  error
	}{
		{"too_long", errTooLong},
		{"sender_key", fmt.Errorf("%w: %w", errSenderKey, errBase64)},
		{"json", errJSON},
		{"base64", errBase64},
		{"corrupt", &txn.RecordError{Err: errors.New("a byte")}},
		{"newer", &txn.RecordError{Err: txn.ErrFormat}},
		{"mac", &pawl.UndecryptableError{Tried: 1, Err: ratchet.ErrMAC}},
		{"store", kv.ErrDiskFull},
		{"store", &txn.UnknownError{Err: kv.ErrCorrupt}},
		{"store", context.Canceled},
		{"store", errors.New("something else")},
	} {
		if got := lineCode(c.err); got != c.want {
			t.Errorf("lineCode(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}

// TestEndings says of every code of the library what it is on a line of a
// stream, and what it means for the lines that follow. A new code is to be put
// here.
func TestEndings(t *testing.T) {
	of := map[ending][]pawl.Code{
		goesOn: {
			"message_type", "version", "malformed", "sender_mismatch", "self", "already_processed", "unknown_one_time_key",
			"one_time_key_used", "session_pruned", "ratchet_key", "untried", "unknown_session", "key_gone", "gap", "unknown_chain",
			"zero_secret", "exhausted", "mac",
		},
		failsAtEnd: {"corrupt", "newer", "set_aside"},
		endsStream: {"retired"},
	}
	// No error of a message: the line has the code "store".
	ofStore := []pawl.Code{
		"undecided", "not_erased", "unknown", "starved", "no_session", "keyring", "foreign", "unsupported", "needs_recovery",
		"unwitnessed", "no_account", "account_exists", "moved_on", "not_empty", "copy_differs", "not_retired", "nothing_to_move",
		"passphrase", "cost", "no_key", "room_key_file", "room_key_file_changed", "room_key_file_use", "user_id", "device_id", "room_id", "event_id", "key_id", "key", "json", "signature", "unsigned",
		"key_count", "key_stage", "unknown_key_id", "keys_full", "keys_exhausted", "disk_full", "too_large", "in_use", "superseded", "deleted", "closed", "unusable",
		"invalid", "unavailable", "canceled", "deadline", "other",
		"format1", "identity", "no_request", "device_taken", "answer", "response", "event", "event_size", "not_olm",
		"not_for_us", "other_sender", "payload", "unencrypted", "not_shared", "rotate", "settings", "no_room_key",
		"too_early", "forgotten", "replay", "other_room", "other_user", "content", "algorithm", "session_id", "plain",
		"not_requested", "nobody_to_ask", "unsettled", "contradicts", "provenance", "forget_all", "extra",
		"import", "import_begun", "pickle_key", "pickle_version", "pickle_damaged",
	}
	var all []pawl.Code
	for want, codes := range of {
		all = append(all, codes...)
		for _, code := range codes {
			if got := endingOf(code); got != want || !slices.Contains(ofMessage, code) {
				t.Errorf("%q: ending %v, want %v; among the codes of a message: %v", code, got, want, slices.Contains(ofMessage, code))
			}
		}
	}
	if len(all) != len(ofMessage) {
		t.Errorf("%d codes of messages, want %d", len(ofMessage), len(all))
	}
	all = append(all, ofStore...)
	for _, code := range ofStore {
		if slices.Contains(ofMessage, code) {
			t.Errorf("%q is among the codes of a message", code)
		}
	}
	for _, code := range pawl.Codes() {
		if n := len(slices.DeleteFunc(slices.Clone(all), func(c pawl.Code) bool { return c != code })); n != 1 {
			t.Errorf("%q is here %d times", code, n)
		}
	}
	if len(all) != len(pawl.Codes()) {
		t.Errorf("%d codes are here, and the library has %d", len(all), len(pawl.Codes()))
	}
	if endingOf(storeFailed) != endsStream || lineCode(errors.New("some error")) != storeFailed {
		t.Error("what is no error of a message does not end the stream")
	}
}

// TestLineCodesArePawls: what goes on is not to be given again as it is.
func TestLineCodesArePawls(t *testing.T) {
	for _, code := range ofMessage {
		switch code.Remedy() {
		case pawl.RemedyNone, pawl.RemedyRepair, pawl.RemedyUpdate:
		default:
			t.Errorf("%q has the remedy %q", code, code.Remedy())
		}
	}
}

// TestInterruptedWithFlags: what is said of an interrupted command is true of what it
// was told to do: nobody who was telling of a body gives up others.
func TestInterruptedWithFlags(t *testing.T) {
	for line, want := range map[string]string{
		"keys S":                             "nothing was printed: run the command again. A body that was made meanwhile is lost, and 'pawl keys STORE --unknown --all' gives up its keys",
		"keys S --published":                 "the body can be told of again",
		"keys S --unknown --all":             "the same can be told again",
		"repair S":                           "nothing was changed",
		"repair S --yes":                     "what was repaired stays so: run the command again",
		"repair S --to N":                    "the old store is as it was: run the command again, to a place where there is nothing",
		"import S --from libolm F":           "nothing is sent from the account yet: run the command again, which goes on",
		"import S --from libolm F --dry-run": "nothing was changed",
	} {
		args := strings.Fields(line)
		ran, rest, err := newRoot().Find(args)
		if err != nil {
			t.Fatal(err)
		}
		if err := ran.ParseFlags(rest); err != nil {
			t.Fatal(err)
		}
		if got := whenInterrupted(ran); got != want {
			t.Errorf("pawl %s: %q, want %q", line, got, want)
		}
	}
	for name := range interrupted {
		command, flag, with := strings.Cut(name, " --")
		ran, _, err := newRoot().Find(strings.Fields(command))
		if name == "pawl" || err == nil && fullName(ran) == command && (!with || ran.Flags().Lookup(flag) != nil) {
			continue
		}
		t.Errorf("something is said of %q, which is no command", name)
	}
}
