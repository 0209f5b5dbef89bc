package design

import (
	"context"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/kv/memkv"
)

// TestBigLockExcludes: within a process one thing happens at a time, so that
// even its cache, which checks nothing, loses nothing.
func TestBigLockExcludes(t *testing.T) {
	const routines, each = 4, 25
	d, _ := Find(NameBigLock)
	engine := memkv.New()
	p := start(d, engine, "app")
	var all sync.WaitGroup
	for range routines {
		all.Go(func() {
			for range each {
				if err := p.count(t.Context(), Decrypting, "a"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := stored(t, d, engine, "a"); got != routines*each {
		t.Errorf("the counter is %d, want %d", got, routines*each)
	}
}

// TestBigLockWaits: a call waits until the one before it is over, counts that
// it had to, and waits no longer than its context.
func TestBigLockWaits(t *testing.T) {
	lock := NewBigLock(memkv.New())
	release, err := lock.Hold(t.Context(), Encrypting)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lock.Hold(ended, Decrypting); err != context.Canceled {
		t.Errorf("Hold = %v, want %v", err, context.Canceled)
	}
	if got := lock.Refused(); got != 1 {
		t.Errorf("it was refused %d times, want 1", got)
	}
	release()
	release, err = lock.Hold(t.Context(), Decrypting)
	if err != nil {
		t.Fatal(err)
	}
	release()
}
