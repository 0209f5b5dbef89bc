package clients

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/mautrixbot"
	"github.com/pawlkv/pawl/matrix"
)

// kindVariable tells this program which client it is, if it is one.
const kindVariable = "PAWL_PROOF_CLIENT"

func TestMain(m *testing.M) {
	switch kind := os.Getenv(kindVariable); kind {
	case "":
		os.Exit(m.Run())
	case "mautrix":
		if err := bot.Serve(context.Background(), os.Stdin, os.Stdout, mautrixbot.Open); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "no client", kind)
		os.Exit(2)
	}
}

// patience is for clients on a busy machine.
const patience = 2 * time.Minute

// device is a client that is logged in.
type device struct {
	t *testing.T
	*bot.Process
	user matrix.UserID
	ctx  context.Context
}

// start starts a client of a kind, logs it in and lets it sync.
func start(t *testing.T, s *hs.Server, kind string, user matrix.UserID, id matrix.DeviceID) *device {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	// The test's own context ends before the client is asked to quit.
	cmd := program(context.WithoutCancel(ctx), t, kind)
	log, err := os.Create(filepath.Join(t.TempDir(), string(id)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	p, err := bot.Start(kind+" "+string(id), cmd)
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t, p, user, ctx}
	t.Cleanup(func() {
		if t.Failed() {
			text, err := os.ReadFile(log.Name())
			t.Logf("%s %s said %s %v", kind, id, text, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(p.Quit(ctx), log.Close()); err != nil {
			t.Error(err)
		}
	})
	d.do(bot.Command{Name: "login", Homeserver: s.URL(), Store: t.TempDir(), User: string(user), Device: string(id), Token: s.Login(user, id)})
	d.do(bot.Command{Name: "start"})
	d.await("its first sync", func(e bot.Event) bool { return e.Name == "synced" })
	return d
}

// program is a client's: this one as another process, or a script that Node runs.
func program(ctx context.Context, t *testing.T, kind string) *exec.Cmd {
	t.Helper()
	if kind == "node" {
		cmd := exec.CommandContext(ctx, "node", "bot.mjs")
		cmd.Dir = "nodebot"
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
	if !slices.Contains(kinds, "node") {
		return
	}
	_, err := os.Stat("nodebot/node_modules")
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

func (d *device) do(c bot.Command) bot.Answer {
	d.t.Helper()
	a, err := d.Do(d.ctx, c)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

func (d *device) await(what string, is func(bot.Event) bool) bot.Event {
	d.t.Helper()
	e, err := d.Wait(d.ctx, is)
	if err != nil {
		d.t.Fatalf("waiting for %s: %v", what, err)
	}
	return e
}

func server(t *testing.T) *hs.Server {
	t.Helper()
	s, err := hs.Start("example.org")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) // after the clients, who were started later
	return s
}

// settle waits until devices have processed all that the server told them.
func settle(t *testing.T, s *hs.Server, of map[matrix.UserID]matrix.DeviceID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Settle(ctx, of); err != nil {
		t.Fatalf("the clients do not settle: %v", err)
	}
}

// encryptedRoom makes a room that anybody may join.
func encryptedRoom(t *testing.T, s *hs.Server, token string) string {
	t.Helper()
	body := `{"preset":"public_chat","initial_state":[{"type":"m.room.encryption","state_key":"","content":{"algorithm":"m.megolm.v1.aes-sha2"}}]}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/_matrix/client/v3/createRoom", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	for _, e := range s.Exchanges("createRoom") {
		if e.Status == http.StatusOK {
			return strings.Split(string(e.Answer), `"`)[3]
		}
	}
	t.Fatal("no room was made")
	return ""
}

// TestPeersAmongThemselves is the control of all that follows: clients that are not
// Pawl's understand each other on this server, and it sees nothing in the clear.
func TestPeersAmongThemselves(t *testing.T) {
	for _, kinds := range [][2]string{{"mautrix", "mautrix"}, {"mautrix", "node"}, {"node", "node"}} {
		t.Run(kinds[0]+" and "+kinds[1], func(t *testing.T) {
			needKinds(t, kinds[:]...)
			talk(t, kinds)
		})
	}
}

func talk(t *testing.T, kinds [2]string) {
	s := server(t)
	const alice, bob, admin = matrix.UserID("@alice:example.org"), matrix.UserID("@bob:example.org"), matrix.UserID("@admin:example.org")
	for _, user := range []matrix.UserID{alice, bob, admin} {
		s.AddUser(user, "secret")
	}
	room := encryptedRoom(t, s, s.Login(admin, "ADMIN"))
	both := []*device{start(t, s, kinds[0], alice, "PHONE"), start(t, s, kinds[1], bob, "LAPTOP")}
	for _, d := range both {
		d.do(bot.Command{Name: "join", Room: room})
	}
	settle(t, s, map[matrix.UserID]matrix.DeviceID{alice: "PHONE", bob: "LAPTOP"})
	for i := range 10 {
		from, to := both[i%2], both[1-i%2]
		body := fmt.Sprint("message ", i)
		sent := from.do(bot.Command{Name: "send", Room: room, Body: body})
		got := to.await(body, func(e bot.Event) bool { return e.Event == sent.Event && e.Name == "message" })
		if got.Body != body || got.Sender != string(from.user) || !got.Encrypted {
			t.Errorf("message %d is %+v", i, got)
		}
		read := to.do(bot.Command{Name: "read", Room: room, Event: sent.Event, Timeout: 10_000})
		if read.Body != body || read.Sender != string(from.user) {
			t.Errorf("fetched, message %d is %+v", i, read)
		}
	}
	for _, e := range s.Timeline(matrix.RoomID(room)) {
		if e.Type == "m.room.message" || strings.Contains(string(e.Content), "message 0") {
			t.Errorf("in the clear: %s %s", e.Type, e.Content)
		}
	}
}
