package peer

import (
	"errors"
	"testing"
)

func TestCountSyncs(t *testing.T) {
	const log = `12 fsync(3)                          = 0
12 fsync(-1)                         = -1 EBADF (Bad file descriptor)
12 fdatasync(5 <unfinished ...>
13 msync(0x7f0000000000, 4096, MS_SYNC) = 0
12 <... fdatasync resumed>)          = 0
13 msync(0x7f0000000000, 4096, MS_ASYNC) = 0
14 sync_file_range(7, 0, 0, SYNC_FILE_RANGE_WRITE) = 0
12 fsync(-1)                         = -1 EBADF (Bad file descriptor)
12 fdatasync(5)                      = 0
`
	if n, err := countSyncs(log); n != 3 || err != nil {
		t.Errorf("%d, %v, want 3", n, err)
	}
	for _, unmarked := range []string{"", "12 fsync(3) = 0\n", "12 fsync(-1) = -1 EBADF\n12 fsync(3) = 0\n"} {
		if _, err := countSyncs(unmarked); !errors.Is(err, errUntraced) {
			t.Errorf("%q: %v, want %v", unmarked, err, errUntraced)
		}
	}
}
