package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pawlkv/pawl/examples/internal/person"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

const alice = matrix.UserID("@alice:example.org")

// asBridge makes the test's program the bridge.
const asBridge = "PAWL_TEST_AS_BRIDGE"

func TestMain(m *testing.M) {
	if os.Getenv(asBridge) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is a bridge that runs, and its other side.
type process struct {
	t *testing.T
	*exec.Cmd
	in  io.Writer
	out *json.Decoder
}

func start(t *testing.T, s *hs.Server, store, address string, ghosts int) process {
	t.Helper()
	p := process{t: t, Cmd: exec.Command(os.Args[0], "-homeserver", s.URL(), "-store", store, "-listen", address,
		"-domain", "example.org", "-ghosts", fmt.Sprint(ghosts))}
	p.Env = append(os.Environ(), asBridge+"=1", "PAWL_AS_TOKEN=as", "PAWL_HS_TOKEN=hs")
	p.Stderr = os.Stderr
	in, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, json.NewDecoder(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = p.Process.Kill(), p.Wait() }) // it may have ended
	return p
}

// hears wants the other side to be told of a text of Alice's.
func (p process) hears(room matrix.RoomID, body string) {
	p.t.Helper()
	var l line
	if err := p.out.Decode(&l); err != nil {
		p.t.Fatalf("waiting for %q: %v", body, err)
	}
	if l.Event == "" || l.Room != room || l.User != alice || l.Body != body {
		p.t.Errorf("%+v comes out, want %q", l, body)
	}
}

// says lets a ghost say something, as often as it is told.
func (p process) says(l line, times int) {
	p.t.Helper()
	for range times {
		if err := json.NewEncoder(p.in).Encode(l); err != nil {
			p.t.Fatal(err)
		}
	}
}

// pushes makes the server push what there is, again and again, until the test ends.
func pushes(t *testing.T, s *hs.Server, service hs.Service) {
	ctx, ended := t.Context(), make(chan error)
	go func() {
		for ctx.Err() == nil {
			next, err := s.Transaction(service)
			if err != nil {
				ended <- err
				return
			}
			for ctx.Err() == nil && s.Push(ctx, next) != nil {
				time.Sleep(10 * time.Millisecond) // as a server does that gets no answer
			}
		}
		ended <- nil
	}()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

var most = flag.Int("bridge.ghosts", 1000, "how many devices the bridge has, 20 with -short")

func ghost(i int) matrix.UserID { return matrix.UserID(fmt.Sprintf("@bridge_%d:example.org", i)) }

// TestBridge: 1,000 devices in one store. Some are in a room, where what Alice says
// comes out, and what comes in is said once, encrypted; a bridge that is killed goes on
// with the same devices; and the server never runs out of anybody's keys.
func TestBridge(t *testing.T) {
	ghosts := *most
	if testing.Short() {
		ghosts = min(ghosts, 20)
	}
	s, err := hs.Start("example.org")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for i := range ghosts {
		s.AddUser(ghost(i), "")
	}
	service := hs.Service{URL: "http://" + free(t), ServerToken: "hs", Token: "as", Prefix: "@bridge_"}
	s.Register(service)
	a, store := person.Login(t, s, alice), filepath.Join(t.TempDir(), "bridge.pawl")
	p := start(t, s, store, service.URL[len("http://"):], ghosts)
	pushes(t, s, service)
	some := []matrix.UserID{ghost(0), ghost(ghosts / 2), ghost(ghosts - 1)}
	room := a.Room(some...)
	until(t, func() bool {
		members, err := a.Members(t.Context(), room)
		return err == nil && len(members) == 1+len(some)
	})
	talk := func(n int) {
		t.Helper()
		for i, g := range some {
			body := fmt.Sprintf("%d to %s", n, g)
			a.Says(room, body, body)
			p.hears(room, body)
			body = fmt.Sprintf("%d from %s", n, g)
			p.says(line{Room: room, User: g, Body: body, Event: matrix.EventID(fmt.Sprint(n, " ", i))}, 2)
			if got, want := a.Hears(), (person.Heard{Room: room, Sender: g, Body: body}); got != want {
				t.Fatalf("Alice reads %v, want %v", got, want)
			}
		}
	}
	talk(1)
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // it was killed
	p = start(t, s, store, service.URL[len("http://"):], ghosts)
	talk(2)
	for i := range ghosts {
		until(t, func() bool { return s.KeyCount(ghost(i), "BRIDGE") == 50 })
	}
	for _, e := range s.Timeline(room) {
		if e.Type == "m.room.message" {
			t.Errorf("%s says %s to everybody", e.Sender, e.Content)
		}
	}
}

// until waits for something that others do.
func until(t *testing.T, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for !done() {
		if ctx.Err() != nil {
			t.Fatal("it does not come")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// free is an address of this machine where nobody listens.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
