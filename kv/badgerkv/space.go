package badgerkv

import (
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// space is how many bytes a disk has, and how many of them we may still take.
type space struct{ free, total uint64 }

// mergeSpace is the most that a merge of level 0 takes for its output: what is
// on level 0 and the level below, if there is as much.
const mergeSpace = 3*memTable + 2*baseLevel

// checkSpace returns kv.ErrDiskFull unless there is room for a commit of a size
// and for what Badger will do by itself: write the memtables to tables, and
// merge tables. It does so through memory maps, where a full disk ends the
// process.
func (c *committer) checkSpace(size int) error {
	ask := diskSpace
	if c.hooks.free != nil {
		ask = c.hooks.free
	}
	disk, err := ask(c.dir.path)
	if err != nil {
		return fmt.Errorf("%w: the free space of the disk is unknown: %v", kv.ErrUnavailable, err)
	}
	need := min(c.reserve, disk.total/8) + uint64(size+c.wal.pending()) + min(c.tables.Load(), mergeSpace)
	if disk.free < need {
		return fmt.Errorf("%w: %d bytes are free, and %d are needed", kv.ErrDiskFull, disk.free, need)
	}
	return nil
}
