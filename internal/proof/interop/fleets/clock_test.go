//go:build linux

package fleets

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// clock is that of a server, which libfaketime reads from a file.
type clock struct {
	library, dir string
}

// newClock makes a clock that is right, or nil where there is no libfaketime.
func newClock(t *testing.T) *clock {
	t.Helper()
	libraries, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if len(libraries) == 0 {
		const missing = "without libfaketime: install libfaketime"
		if os.Getenv("PAWL_FLEET") == "1" {
			t.Fatal(missing)
		}
		t.Logf("NOT SHOWN: A CLOCK OF THE SERVER THAT IS OFF, %s", missing)
		return nil
	}
	dir, err := os.MkdirTemp("", "pawl-clock-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the server is somebody else
		t.Fatal(err)
	}
	c := &clock{library: libraries[0], dir: dir}
	c.set(t, 0)
	return c
}

func (c *clock) file() string { return filepath.Join(c.dir, "ahead") }

// env makes a process use the clock. How long something takes it is told rightly: a clock
// that is set does not change that.
func (c *clock) env() []string {
	return []string{
		"LD_PRELOAD=" + c.library, "FAKETIME_TIMESTAMP_FILE=" + c.file(),
		"FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_DISABLE_SHM=1",
	}
}

// set makes the clock jump to where it is so far ahead.
func (c *clock) set(t *testing.T, ahead time.Duration) {
	t.Helper()
	next := c.file() + ".next" // nobody reads half of it
	err := os.WriteFile(next, fmt.Appendf(nil, "%+d\n", int(ahead.Seconds())), 0o644)
	if err == nil {
		err = os.Rename(next, c.file())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// clockSet is a fault of a server: its clock jumps, and back again.
func (s *site) clockSet(server *pgtest.Server, c *clock, ahead time.Duration) fault {
	name := "clock of the server an hour ahead"
	if ahead < 0 {
		name = "clock of the server an hour behind"
	}
	return fault{name: name, lasts: true, strike: func(r *round) blow {
		c.set(s.T, ahead)
		if r == nil || r.alone { // beside another fault it may not say
			s.shown(server, ahead)
		}
		return blow{heal: func() { c.set(s.T, 0) }}
	}}
}

// shown checks that the server's clock is off.
func (s *site) shown(server *pgtest.Server, ahead time.Duration) {
	s.Helper()
	conn := server.Connect(s.T)
	defer conn.Close(s.Context())
	var seconds float64
	if err := conn.QueryRow(s.Context(), "SELECT extract(epoch FROM clock_timestamp())::float8").Scan(&seconds); err != nil {
		s.Fatal(err)
	}
	off := time.Duration(seconds-float64(time.Now().Unix())) * time.Second
	if miss := (off - ahead).Abs(); miss > ahead.Abs()/2 {
		s.Errorf("the server's clock is %v ahead, want %v", off, ahead)
	}
}
