//go:build unix

package demo

import (
	"syscall"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/effort"
)

// TestStrike: the victim is stopped when the other begins, and goes on after.
func TestStrike(t *testing.T) {
	effort.Processes(t)
	c := config(t, SQLite, nil)
	nse := &process{name: "NSE", command: c.Process, open: request{Op: opOpen, Engine: SQLite, Dir: c.Dir, Design: "none"}}
	if err := nse.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := game{bob: [2]*process{nil, nse}}
	start, began := time.Now(), false
	_, err := g.strike(t.Context(), round{fate: stop, victim: 1}, func() waiting {
		began = true
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(nse.life().cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
			t.Errorf("the status of the NSE is %v, %v: it is not stopped", status, err)
		}
		return nothing
	})
	if err != nil || !began || time.Since(start) < stopFor {
		t.Fatalf("strike = %v after %v", err, time.Since(start))
	}
	if _, err := nse.must(request{Op: opRegister}); err != nil {
		t.Error(err)
	}
	if err := nse.life().exit(); err != nil {
		t.Error(err)
	}
}
