package clients

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/holder"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/internal/proof/clients/oracle"
	"github.com/pawlkv/pawl/internal/proof/clients/pawlbot"
)

// roles are the processes of a phone's client, which share one device.
var roles = []string{"app", "extension", "share sheet"}

// subject is the device under test: Pawl's has several processes on one store and
// one access token, any other client one.
type subject struct {
	t      *testing.T
	server hs.Homeserver
	kind   string
	oracle.Device
	store, token string
	processes    []*device
	all          []*device // also those that were killed
	turn         int
	killed       int
}

// newSubject logs the device in and starts no process.
func newSubject(t *testing.T, s hs.Homeserver, kind string) *subject {
	t.Helper()
	d := oracle.Device{User: alice, ID: "PHONE"}
	m := &subject{t: t, server: s, kind: kind, Device: d, token: s.Login(d.User, d.ID)}
	m.store = filepath.Join(t.TempDir(), strings.TrimPrefix(kind, "pawl-"))
	m.processes = make([]*device, 1)
	if m.shares() {
		m.processes = make([]*device, len(roles))
	} else if kind == stockTwice {
		m.processes = make([]*device, 2)
	} else if kind == mixedKind {
		m.processes = make([]*device, len(mixed))
	}
	return m
}

// shares tells whether the client's processes may share a device.
func (m *subject) shares() bool { return strings.HasPrefix(m.kind, "pawl-") }

// open starts all processes, which all log in at once, and lets them sync.
func (m *subject) open() {
	m.t.Helper()
	for i := range m.processes {
		m.launch(i)
	}
	m.each(func(d *device) error { return m.login(d) })
	for _, d := range m.processes {
		d.begin()
	}
}

// each does something with all processes at once.
func (m *subject) each(do func(*device) error) {
	m.t.Helper()
	ended := make(chan error)
	for _, d := range m.processes {
		go func() { ended <- do(d) }()
	}
	for range m.processes {
		if err := <-ended; err != nil {
			m.t.Error(err)
		}
	}
	if m.t.Failed() {
		m.t.FailNow()
	}
}

func (m *subject) launch(i int) *device {
	m.t.Helper()
	kind, role := m.kind, roles[i%len(roles)]
	if kind == mixedKind {
		kind, role = mixed[i], fmt.Sprint("process ", i)
	}
	m.processes[i] = launch(m.t, kind, role, m.Device)
	m.all = append(m.all, m.processes[i])
	return m.processes[i]
}

func (m *subject) login(d *device) error {
	_, err := d.try(bot.Command{
		Name: "login", Homeserver: m.server.URL(), Store: m.store, User: string(m.User), Device: string(m.ID), Token: m.token,
	})
	return err
}

// kill ends a process where it is.
func (m *subject) kill(i int) {
	m.t.Helper()
	d := m.processes[i]
	if err := d.Ended(); err != nil && !d.gone {
		m.t.Errorf("by itself: %v", err)
	}
	_ = d.Kill() // how it ended is known
	d.gone = true
	m.killed++
}

// revive starts a process that was killed, from where the device stopped. Meanwhile
// time has passed: what it was about to send is left to it for so long.
func (m *subject) revive(i int) {
	m.t.Helper()
	if m.shares() {
		m.later(pawl.RequestLease)
	}
	d := m.launch(i)
	if err := m.login(d); err != nil {
		m.t.Fatal(err)
	}
	d.begin()
}

// restart kills all processes and starts them again.
func (m *subject) restart() {
	m.t.Helper()
	for i := range m.processes {
		m.kill(i)
	}
	for i := range m.processes {
		m.revive(i)
	}
}

// next is one process after the other.
func (m *subject) next() *device {
	m.turn++
	return m.processes[m.turn%len(m.processes)]
}

// any is a process by chance.
func (m *subject) any(r *rand.Rand) int { return r.IntN(len(m.processes)) }

// owners are the processes that have locked a file of the store: while one of them is
// stopped the others wait for it.
func (m *subject) owners() (all []*device) {
	m.t.Helper()
	err := filepath.WalkDir(m.store, func(path string, e os.DirEntry, err error) error {
		pid := holder.Of(path)
		for _, d := range m.processes {
			if d.PID() == pid && !slices.Contains(all, d) {
				all = append(all, d)
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was removed meanwhile
		}
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}

// later moves the device's clock. Only Pawl's has one.
func (m *subject) later(by time.Duration) {
	m.t.Helper()
	if !m.shares() {
		m.t.Skipf("a client of %s has no clock that can be moved", m.kind)
	}
	was, _ := os.ReadFile(m.clock()) // none: it was not moved
	offset, _ := time.ParseDuration(string(was))
	if err := os.WriteFile(m.clock()+".new", []byte((offset + by).String()), 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(m.clock()+".new", m.clock()); err != nil {
		m.t.Fatal(err)
	}
}

// clock is a file that says how far the clock is ahead. It is beside the store.
func (m *subject) clock() string { return m.store + ".clock" }

// check looks whether all is well in the store, in one process after the other. Only
// the clients of package pawlbot and of pybot can tell.
func (m *subject) check() {
	m.t.Helper()
	if _, can := pawlbot.Engines[m.kind]; can || m.kind == mixedKind {
		m.next().do(bot.Command{Name: "check"})
	}
}
