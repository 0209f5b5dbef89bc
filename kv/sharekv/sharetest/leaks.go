package sharetest

import (
	"os"
	"runtime"
	"time"
)

// nothingLeaks opens, uses and closes owners and guests, and counts what is
// left.
func nothingLeaks(k *kit) {
	dir := NewDir(k)
	use := func() {
		owner, guest := k.open(dir), k.open(dir)
		k.put(guest, "a", "1")
		view := guest.Snapshot()
		if _, err := view.Get(k.Context(), "a"); err != nil {
			k.Fatal(err)
		}
		if _, err := guest.Turn(k.Context(), "a"); err != nil {
			k.Fatal(err)
		}
		for range guest.Watch(k.Context(), "", 0) {
			break
		}
		k.close(owner)
		k.put(guest, "a", "2")
		k.close(guest)
	}
	use()
	goroutines, files := k.settled(0, 0)
	for range 5 {
		use()
	}
	if g, f := k.settled(goroutines, files); g > goroutines || f > files {
		trace := make([]byte, 1<<20)
		k.Errorf("%d goroutines and %d files, before %d and %d\n%s", g, f, goroutines, files, trace[:runtime.Stack(trace, true)])
	}
}

// settled counts goroutines and open files until there are no more than
// wanted, or until nothing changes any more.
func (k *kit) settled(goroutines, files int) (int, int) {
	g, f, same := 0, 0, 0
	for late := time.Now().Add(20 * time.Second); time.Now().Before(late) && same < 50; {
		open, err := os.ReadDir("/dev/fd")
		if err != nil {
			k.Fatal(err)
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
