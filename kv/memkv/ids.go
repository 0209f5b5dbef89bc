package memkv

import "github.com/pawlkv/pawl/kv"

// idLog remembers the newest commit IDs that were applied.
type idLog struct {
	versions map[kv.CommitID]kv.Version
	ring     []kv.CommitID // in the order applied, from next round to next
	next     int
	dropped  kv.Version // of the newest ID that was dropped
	size     int
}

func newIDLog(size int) *idLog {
	return &idLog{versions: make(map[kv.CommitID]kv.Version), size: size}
}

// resolve returns the version at which the ID was applied, 0 if it certainly
// was not, and kv.ErrExpired if it may have been dropped: an attempt is applied
// at a later version than it began, so one that began at the newest dropped
// version or after it cannot be among the dropped.
func (l *idLog) resolve(id kv.CommitID) (kv.Version, error) {
	if version, applied := l.versions[id]; applied {
		return version, nil
	}
	if id.Began < l.dropped {
		return 0, kv.ErrExpired
	}
	return 0, nil
}

func (l *idLog) add(id kv.CommitID, version kv.Version) {
	l.versions[id] = version
	if len(l.ring) < l.size {
		l.ring = append(l.ring, id)
		return
	}
	oldest := l.ring[l.next]
	l.dropped = l.versions[oldest]
	delete(l.versions, oldest)
	l.ring[l.next] = id
	l.next = (l.next + 1) % l.size
}
