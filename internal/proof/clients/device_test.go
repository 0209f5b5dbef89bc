package clients

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/oracle"
	"github.com/pawlkv/pawl/matrix"
)

// patience is for clients on a busy machine.
const patience = 2 * time.Minute

// device is a client that is logged in, or one process of it.
type device struct {
	t *testing.T
	*bot.Process
	oracle.Device
	name string
	log  *os.File
	gone bool // ended by the test

	noted int                     // how many of its events were looked at
	read  map[matrix.EventID]bool // what it has read when it was asked to
}

// launch starts a client's program.
func launch(t *testing.T, kind, name string, of oracle.Device) *device {
	t.Helper()
	cmd := program(t, kind)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	p, err := bot.Start(kind+" "+name, cmd)
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t: t, Process: p, Device: of, name: kind + " " + name, log: log, read: map[matrix.EventID]bool{}}
	t.Cleanup(d.end)
	return d
}

// end ends a process that still runs, as a user does.
func (d *device) end() {
	text, err := os.ReadFile(d.log.Name())
	if bytes.Contains(text, []byte("DATA RACE")) {
		d.t.Errorf("%s has a data race", d.name)
	}
	if d.t.Failed() {
		d.t.Logf("%s said %s %v", d.name, text, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if !d.gone {
		err = errors.Join(err, d.Quit(ctx))
	}
	if err := errors.Join(err, d.log.Close()); err != nil {
		d.t.Error(err)
	}
}

// start starts a client of a kind, logs it in and lets it sync.
func start(t *testing.T, s hs.Homeserver, kind string, user matrix.UserID, id matrix.DeviceID) *device {
	t.Helper()
	d := launch(t, kind, string(id), oracle.Device{User: user, ID: id})
	d.login(s, t.TempDir(), s.Login(user, id))
	d.begin()
	return d
}

func (d *device) login(s hs.Homeserver, store, token string) {
	d.t.Helper()
	d.do(bot.Command{Name: "login", Homeserver: s.URL(), Store: store, User: string(d.User), Device: string(d.ID), Token: token})
}

// begin lets it sync, and waits for the first one.
func (d *device) begin() {
	d.t.Helper()
	d.do(bot.Command{Name: "start"})
	d.await("its first sync", func(e bot.Event) bool { return e.Name == "synced" })
}

// program is a client's: this one as another process, or a script that Node runs.
func program(t *testing.T, kind string) *exec.Cmd {
	t.Helper()
	// The test's own context ends before the client is asked to quit.
	ctx := context.WithoutCancel(t.Context())
	if kind == "node" || kind == storedNode {
		args := []string{"bot.mjs"}
		if kind == storedNode {
			args = []string{"--import", "fake-indexeddb/auto", "bot.mjs"}
		}
		cmd := exec.CommandContext(ctx, "node", args...)
		cmd.Dir = "nodebot"
		return cmd
	}
	if kind == pythonKind {
		cmd := exec.CommandContext(ctx, "python3", "pybot/bot.py")
		cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join("..", "..", "..", "bindings", "python"))
		return cmd
	}
	if engine, is := strings.CutPrefix(kind, exampleKind); is {
		return exec.CommandContext(ctx, example(t), "-engine="+engine)
	}
	if kind == stockKind || kind == stockTwice {
		return exec.CommandContext(ctx, stock(t))
	}
	if *withRace && strings.HasPrefix(kind, "pawl-") {
		name, err := raced()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(ctx, name, kind)
		cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1") // so that the test sees it end
		return cmd
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), kindVariable+"="+kind)
	return cmd
}

// needKinds skips a test whose clients this machine cannot run, or fails it where
// they are required: Node 20 and what "npm ci" puts into nodebot.
func needKinds(t *testing.T, kinds ...string) {
	t.Helper()
	if !slices.Contains(kinds, "node") && !slices.Contains(kinds, storedNode) {
		return
	}
	_, err := os.Stat("nodebot/node_modules/fake-indexeddb") // the last that was added
	if err == nil {
		_, err = exec.LookPath("node")
	}
	switch {
	case err == nil:
	case os.Getenv("PAWL_NODE") != "":
		t.Fatalf("matrix-sdk-crypto cannot be run: %v; have Node 20 or newer, and run npm ci in nodebot", err)
	default:
		t.Skipf("without matrix-sdk-crypto: %v; have Node 20 or newer, and run npm ci in nodebot", err)
	}
}

// try sends a command that may fail.
func (d *device) try(c bot.Command) (bot.Answer, error) {
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	return d.Do(ctx, c)
}

func (d *device) do(c bot.Command) bot.Answer {
	d.t.Helper()
	a, err := d.try(c)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

func (d *device) await(what string, is func(bot.Event) bool) bot.Event {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	e, err := d.Wait(ctx, is)
	if err != nil {
		d.t.Fatalf("waiting for %s: %v", what, err)
	}
	return e
}

// join enters a room.
func (d *device) join(room string) {
	d.t.Helper()
	d.do(bot.Command{Name: "join", Room: room})
}
