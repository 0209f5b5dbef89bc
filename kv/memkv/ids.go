package memkv

import "github.com/pawlkv/pawl/kv"

// fate is what became of the batch with an ID.
type fate int

const (
	applied fate = iota
	refused      // although it came with Again
)

// idLog remembers the newest commit IDs that were applied or refused.
type idLog struct {
	known   map[kv.CommitID]recorded
	ring    []kv.CommitID // in the order recorded, from next round to next
	next    int
	dropped kv.Version // of the newest ID that was dropped
	size    int
}

// recorded is what is known of an ID.
type recorded struct {
	version kv.Version
	was     fate
}

func newIDLog(size int) *idLog {
	return &idLog{known: make(map[kv.CommitID]recorded), size: size}
}

// resolve returns the version at which the ID was applied, kv.ErrRefused if it
// was refused for good, 0 if it certainly was neither, and kv.ErrExpired if it
// may have been dropped: an attempt is recorded at a later version than it began,
// so one that began at the newest dropped version or after it cannot be among
// the dropped.
func (l *idLog) resolve(id kv.CommitID) (kv.Version, error) {
	r, known := l.known[id]
	switch {
	case known && r.was == refused:
		return 0, kv.ErrRefused
	case known:
		return r.version, nil
	case id.Began < l.dropped:
		return 0, kv.ErrExpired
	}
	return 0, nil
}

func (l *idLog) add(id kv.CommitID, version kv.Version, was fate) {
	l.known[id] = recorded{version, was}
	if len(l.ring) < l.size {
		l.ring = append(l.ring, id)
		return
	}
	oldest := l.ring[l.next]
	l.dropped = l.known[oldest].version
	delete(l.known, oldest)
	l.ring[l.next] = id
	l.next = (l.next + 1) % l.size
}
