package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pawlkv/pawl/examples/internal/person"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

const (
	alice = matrix.UserID("@alice:example.org")
	robot = matrix.UserID("@bot:example.org")
)

// asBot makes the test's program the bot.
const asBot = "PAWL_TEST_AS_BOT"

func TestMain(m *testing.M) {
	if os.Getenv(asBot) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a bot that runs.
type process struct {
	t *testing.T
	*exec.Cmd
}

// start starts a bot with a store, as somebody would from a shell.
func start(t *testing.T, s *hs.Server, token, store string) process {
	t.Helper()
	p := process{t, exec.Command(os.Args[0], "-homeserver", s.URL(), "-store", store)}
	p.Env = append(os.Environ(), asBot+"=1", "PAWL_TOKEN="+token)
	p.Stderr = os.Stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() }) // it may have ended
	return p
}

// kill ends it where it is.
func (p process) kill() {
	p.t.Helper()
	if err := p.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.Wait() // it was killed
}

// interrupt ends it as Ctrl-C does.
func (p process) interrupt() {
	p.t.Helper()
	if err := p.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		p.t.Errorf("interrupted, the bot ends with %v", err)
	}
}

// TestBot: the bot comes when it is invited, and answers each message once,
// encrypted, however often it is killed over it. Interrupted, it ends well.
func TestBot(t *testing.T) {
	s, err := hs.Start("example.org")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.AddUser(robot, "secret")
	token, store := s.Login(robot, "BOT"), filepath.Join(t.TempDir(), "bot.pawl")
	a := person.Login(t, s, alice)
	bot := start(t, s, token, store)
	settle(t, s)
	room := a.Room(robot)
	settle(t, s)
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	for i := range rounds {
		said := fmt.Sprint("message ", i)
		a.Says(room, said, said)
		if i%2 == 1 { // over the answer, or before it, or behind it
			bot.kill()
			bot = start(t, s, token, store)
		}
		want := person.Heard{Room: room, Sender: robot, Body: "You said: " + said}
		if got := a.Hears(); got != want {
			t.Fatalf("the answer is %v, want %v", got, want)
		}
	}
	settle(t, s)
	bot.interrupt()
	answers := 0
	for _, e := range s.Timeline(room) {
		if e.Sender == robot && e.Type != "m.room.member" {
			answers++
			if e.Type != "m.room.encrypted" {
				t.Errorf("the bot says %s to everybody", e.Content)
			}
		}
	}
	if answers != rounds {
		t.Errorf("%d messages have %d answers", rounds, answers)
	}
}

// settle waits until the bot and Alice have handled all that happened.
func settle(t *testing.T, s *hs.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Settle(ctx, map[matrix.UserID]matrix.DeviceID{alice: "PHONE", robot: "BOT"}); err != nil {
		t.Fatalf("they do not come to rest: %v", err)
	}
}
