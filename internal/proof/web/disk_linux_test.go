package web

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestFullDisk: the profile is on a file system of 80 MB that fills up while counters run,
// and is emptied again. Skipped without the rights to mount one.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("none", disk, "tmpfs", 0, "size=80m"); errors.Is(err, os.ErrPermission) {
		t.Skip("no file system of 80 MB: mounting one takes root")
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	profile := filepath.Join(disk, "profile")
	s := newScene(t, profile, seedOfFaults(t))
	t.Cleanup(func() { s.browser.Quit() })
	for range roundsOfFaults() {
		s.instant(s.stay[0])
		filler := filepath.Join(disk, "filler")
		if err := fill(filler); err != nil {
			t.Fatal(err)
		}
		before := s.ledger.failed(s.staying())
		s.ledger.until("a full disk: calls do not end", func() bool {
			for tab, n := range s.ledger.failedNow(s.staying()) {
				if n == before[tab] {
					return false
				}
			}
			return true
		})
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		s.goOn("room again")
	}
	s.judge()
	s.report(roundsOfFaults())
}

// fill makes a file that takes all the room that there is.
func fill(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for size := 1 << 20; size > 0; {
		if _, err = file.Write(make([]byte, size)); err == nil {
			continue
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		size /= 2
	}
	return nil
}
