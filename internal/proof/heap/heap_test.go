package heap

import (
	"runtime"
	"testing"
)

func TestMeter(t *testing.T) {
	m := Start()
	kept := make([]byte, 8<<20)
	if got := m.Look(); got < 7<<20 || got > 9<<20 {
		t.Errorf("%d bytes are held of 8 MiB", got)
	}
	runtime.KeepAlive(kept)
	if got := m.Look(); got > 1<<20 || m.Peak() < 7<<20 {
		t.Errorf("%d bytes are held, and were %d", got, m.Peak())
	}
}

// TestLess: what is in use may become less than at the start, which is nothing held.
func TestLess(t *testing.T) {
	before := make([]byte, 8<<20)
	m := Start()
	runtime.KeepAlive(before)
	if got := m.Look(); got != 0 || m.Peak() != 0 {
		t.Errorf("%d bytes are held, and were %d", got, m.Peak())
	}
}
