package sqlitekv

import (
	"fmt"
	"os"

	"github.com/pawlkv/pawl/kv"
)

// sides are the log and its index as a connection found them. SQLite removes
// neither while anybody is connected, so whoever finds others there knows that
// somebody else has: what is written to a removed log is nobody's, and two
// processes with two indexes write over each other in one log.
type sides struct{ log, index os.FileInfo }

// check makes sure that the files beside a path are the same as before. The first
// call that finds one remembers it.
func (s *sides) check(path string) (lostIndex bool, err error) {
	log, index := same(path+logSuffix, &s.log), same(path+indexSuffix, &s.index)
	if log && index {
		return false, nil
	}
	return !index, fmt.Errorf("%w: its log, or the index of that, was removed or replaced while it was open: close it in all processes, and open it again", kv.ErrUnusable)
}

func same(path string, before *os.FileInfo) bool {
	now, err := os.Stat(path)
	if *before == nil {
		if err == nil {
			*before = now
		}
		return true
	}
	return err == nil && os.SameFile(now, *before)
}

// checkSides is called before something is committed, and before the store is
// closed. With another index in place nothing must be brought to the database by
// what this process believes of the log.
func (c *committer) checkSides() error {
	if c.conn == nil {
		return nil
	}
	lostIndex, err := c.sides.check(c.path)
	if lostIndex && c.set.home != nil {
		c.set.home.astray.Store(true)
	}
	return err
}
