package files

import (
	"os"
	"path/filepath"
	"testing"
)

// TestResolveWhileItIsMade: a directory that another process makes meanwhile is no
// link.
func TestResolveWhileItIsMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				os.Mkdir(path, 0o700)
				os.Remove(path)
			}
		}
	}()
	for range 20_000 {
		if _, err := Resolve(path); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	<-done
}
