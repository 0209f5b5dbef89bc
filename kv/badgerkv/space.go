package badgerkv

import (
	"fmt"
	"os"
	"strings"

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
	disk, err := c.diskSpace(c.dir.Path)
	if err != nil {
		return err
	}
	need := min(c.reserve, disk.total/8) + uint64(size+c.wal.pending()) + min(c.tables.Load(), mergeSpace)
	return disk.check(need)
}

// openRoom is more than the files take that Badger makes when it is opened.
const openRoom = 1 << 20

// checkRoom returns kv.ErrDiskFull unless there is room for opening Badger, which
// makes files, and writes the logs that it finds to tables, through memory maps
// too. It asks for no more than commits have left free.
func (d *database) checkRoom() error {
	disk, err := d.diskSpace(d.dir.Path)
	if err != nil {
		return err
	}
	files, err := os.ReadDir(d.dir.Path)
	if err != nil {
		return kv.OfSystem(err)
	}
	need := uint64(openRoom)
	for _, file := range files {
		if strings.HasSuffix(file.Name(), ".mem") {
			need += memTable
		}
	}
	return disk.check(min(need, d.reserve, disk.total/8))
}

func (s *settings) diskSpace(dir string) (space, error) {
	ask := diskSpace
	if s.hooks.free != nil {
		ask = s.hooks.free
	}
	disk, err := ask(dir)
	if err != nil {
		return space{}, fmt.Errorf("the free space of the disk is unknown: %w", kv.OfSystem(err))
	}
	return disk, nil
}

// check returns kv.ErrDiskFull if less is free than needed.
func (s space) check(need uint64) error {
	if s.free < need {
		return fmt.Errorf("%w: %d bytes are free, and %d are needed", kv.ErrDiskFull, s.free, need)
	}
	return nil
}
