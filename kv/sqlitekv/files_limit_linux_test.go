package sqlitekv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/processes"
)

func init() { roles["few"] = openWithFewFiles }

// openWithFewFiles opens the store where ever more files may be open, until it can
// be opened, and fails if the error is ever another than that they are too many.
func openWithFewFiles(path string, _ []string) error {
	var most unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &most); err != nil {
		return err
	}
	first, err := os.Open("/proc/self/stat") // the runtime opens its poller with the first file,
	if err != nil {                          // and a program that has no place for that ends
		return err
	}
	first.Close()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	refused := 0
	for limit := uint64(len(entries)); limit < uint64(len(entries))+50; limit++ {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: most.Max}); err != nil {
			return err
		}
		s, err := Open(path)
		switch {
		case err == nil:
			if refused < 5 {
				return errors.Join(s.Close(), fmt.Errorf("refused %d times: nothing was tested", refused))
			}
			return s.Close()
		case !errors.Is(err, kv.ErrUnavailable) || !errors.Is(err, syscall.EMFILE) || strings.Contains(err.Error(), "do the file and its directory exist"):
			return err
		}
		refused++
	}
	return errors.New("never opened")
}

// TestTooManyFiles: whichever of its files cannot be opened because too many are, the
// store is unavailable for that reason, which passes.
func TestTooManyFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	openStore(t, path).Close()
	processes.Start(t, "few", path).Finish()
}
