package sharetest

import (
	"os"
	"runtime"
	"time"
)

// nothingLeaks opens, uses and closes owners and guests, and counts what is
// left.
func nothingLeaks(t *trial) {
	dir := NewDir(t)
	use := func() {
		owner, guest := t.open(dir), t.open(dir)
		t.put(guest, "a", "1")
		view := guest.Snapshot()
		if _, err := view.Get(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := guest.Turn(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		for range guest.Watch(t.Context(), "", 0) {
			break
		}
		t.close(owner)
		t.put(guest, "a", "2")
		t.close(guest)
	}
	use()
	goroutines, files := t.steady(0, 0)
	for range 5 {
		use()
	}
	if g, f := t.steady(goroutines, files); g > goroutines || f > files {
		trace := make([]byte, 1<<20)
		t.Errorf("%d goroutines and %d files, before %d and %d\n%s", g, f, goroutines, files, trace[:runtime.Stack(trace, true)])
	}
}

// steady counts goroutines and open files until there are no more than
// wanted, or until nothing changes any more.
func (t *trial) steady(goroutines, files int) (int, int) {
	g, f, same := 0, 0, 0
	for late := time.Now().Add(20 * time.Second); time.Now().Before(late) && same < 50; {
		open, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Fatal(err)
		}
		if nextG, nextF := runtime.NumGoroutine(), len(open); nextG == g && nextF == f {
			same++
		} else {
			g, f, same = nextG, nextF, 0
		}
		if g <= goroutines && f <= files {
			break
		}
		<-time.After(time.Millisecond)
	}
	return g, f
}
