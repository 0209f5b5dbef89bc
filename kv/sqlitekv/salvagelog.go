package sqlitekv

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
)

// Layout of SQLite's log: a header, then frames of a header and a page each. See
// "The WAL File Format" in SQLite's documentation.
const (
	logHeaderSize   = 32
	frameHeaderSize = 24
	frameSize       = frameHeaderSize + pageSize

	atHeaderSalts = 16 // in the log's header, 8 bytes
	atHeaderSum   = 24
	atFramePage   = 0 // number of the page
	atFrameCommit = 4 // pages of the database after the commit that the frame ends, or 0
	atFrameSalts  = 8
	atFrameSum    = 16
)

// logSum is SQLite's checksum, which goes on from frame to frame.
type logSum [8]byte

// sum goes on over data, of which the words have the order that the log's header
// says.
func (order logOrder) sum(from logSum, parts ...[]byte) (to logSum) {
	one, two := binary.BigEndian.Uint32(from[:]), binary.BigEndian.Uint32(from[4:])
	for _, data := range parts {
		for ; len(data) > 0; data = data[8:] {
			one += order.Uint32(data) + two
			two += order.Uint32(data[4:]) + one
		}
	}
	binary.BigEndian.PutUint32(to[:], one)
	binary.BigEndian.PutUint32(to[4:], two)
	return to
}

type logOrder struct{ binary.ByteOrder }

func orderOf(log []byte) logOrder {
	if log[3]&1 == 1 {
		return logOrder{binary.BigEndian}
	}
	return logOrder{binary.LittleEndian}
}

// frame is one of the log that belongs to it.
type frame struct {
	page   uint32
	pages  uint32 // of the database after the commit that the frame ends
	commit bool
	data   []byte
	whole  bool
}

// overlay puts the pages of the log in the place of those of the file: of all
// frames that belong to the log up to the last that ends a commit. SQLite stops at
// the first frame whose checksum does not hold. Those behind it had been committed
// all the same, and each can be checked from the checksum of the one before it.
func (p *pages) overlay(log []byte) {
	if len(log) == 0 {
		return
	}
	if len(log) < logHeaderSize {
		p.log = fmt.Errorf("%w: its log is cut off in the header", kv.ErrCorrupt)
		return
	}
	frames, last, bad := framesOf(log)
	for _, f := range frames[:last] {
		if f.whole {
			p.good[f.page] = f.data
			delete(p.bad, f.page)
			delete(p.old, f.page)
		} else {
			bad++
			p.old[f.page] = true
		}
	}
	if bad > 0 {
		p.log = fmt.Errorf("%w: its log: %d of %d frames cannot be read", kv.ErrCorrupt, bad, last)
	}
}

// checkLog refuses a log of which some frame is bad and that holds behind it what
// was committed and synced: SQLite would take what is before it for all, and remove
// the rest. What was not synced may be lost by a power failure, in part too.
// Nobody commits meanwhile; where somebody is at it, or the store is in use, it was
// looked at before.
func checkLog(path string, noted kv.Version) error {
	lock := flock.New(path+gateSuffix, flock.SetFlag(files.LockFlag), flock.SetPermissions(fileMode))
	defer lock.Close()
	if ok, err := lock.TryLock(); err != nil || !ok {
		return nil // whoever needs the gate will say why not
	}
	log, err := files.ReadRegular(path + logSuffix)
	if err != nil || len(log) < logHeaderSize {
		return nil // there is none
	}
	frames, last, bad := framesOf(log)
	if bad > 0 {
		frames = nil // SQLite reads nothing of it
	}
	for i := last - 1; i >= 0; i-- {
		if i < len(frames) && !frames[i].whole {
			frames = frames[:i]
			bad++
		}
	}
	if bad == 0 || last == 0 {
		return nil
	}
	if head, err := headBefore(path, frames[:min(len(frames), last)]); err != nil || head >= noted {
		return err
	}
	return fmt.Errorf("%w: its log: %d of %d frames cannot be read (see Salvage)", kv.ErrCorrupt, bad, last)
}

// headBefore returns the newest version of a database with some frames of its log.
func headBefore(path string, frames []frame) (kv.Version, error) {
	data, err := files.ReadRegular(path)
	if err != nil {
		return 0, translate(err)
	}
	for len(frames) > 0 && !frames[len(frames)-1].commit {
		frames = frames[:len(frames)-1]
	}
	p := readPages(data)
	for _, f := range frames {
		p.good[f.page] = f.data
	}
	return p.head(), nil
}

// framesOf returns the frames that belong to the log, how many of them end with
// the last commit, and 1 if the header is damaged.
func framesOf(log []byte) (frames []frame, last, bad int) {
	order := orderOf(log)
	salts := log[atHeaderSalts:atHeaderSum]
	sum := logSum(log[atHeaderSum:logHeaderSize])
	rest := log[logHeaderSize:]
	if order.sum(logSum{}, log[:atHeaderSum]) != sum {
		bad = 1
		if len(rest) >= frameSize {
			salts = rest[atFrameSalts:atFrameSum]
		}
	}
	stored, computed := sum, sum // of the frame before
	for ; len(rest) >= frameSize && bytes.Equal(rest[atFrameSalts:atFrameSum], salts); rest = rest[frameSize:] {
		head, data := rest[:frameHeaderSize], rest[frameHeaderSize:frameSize]
		f := frame{
			page:   binary.BigEndian.Uint32(head[atFramePage:]),
			pages:  binary.BigEndian.Uint32(head[atFrameCommit:]),
			commit: binary.BigEndian.Uint32(head[atFrameCommit:]) != 0, data: data,
		}
		own := logSum(head[atFrameSum:])
		next := order.sum(stored, head[:atFrameSalts], data)
		if next != own {
			next = order.sum(computed, head[:atFrameSalts], data)
		}
		f.whole = next == own // a page in the log has no checksum of its own yet
		stored, computed = own, next
		frames = append(frames, f)
		if f.whole && f.commit {
			last = len(frames)
		}
	}
	return frames, last, bad
}
