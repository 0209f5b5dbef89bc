package wire

import (
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// batch writes: began, random, sync, turn, reads, scans, writes, and from version
// 2 on, again.
func (o *out) batch(b *kv.Batch, version uint64) {
	o.version(b.ID.Began)
	o.bytes(b.ID.Random[:])
	o.bool(b.Sync)
	o.uint(uint64(b.Turn))
	o.reads(b.Reads)
	each(o, b.Scans, func(s kv.ScanRead) {
		o.list(2)
		o.string(s.Prefix)
		o.reads(s.Entries)
	})
	each(o, b.Writes, func(w kv.Write) {
		if w.Delete {
			o.list(1)
			o.string(w.Key)
			return
		}
		o.list(2)
		o.string(w.Key)
		o.bytes(w.Value)
	})
	if version >= versionAgain {
		o.bool(b.Again)
	}
}

func (o *out) reads(reads []kv.Read) {
	each(o, reads, func(r kv.Read) {
		o.list(2)
		o.string(r.Key)
		o.version(r.Version)
	})
}

func (i *in) batch(version uint64) *kv.Batch {
	b := &kv.Batch{}
	b.ID.Began = i.version()
	if random := i.bytes(); len(random) == len(b.ID.Random) {
		copy(b.ID.Random[:], random)
	} else {
		i.fail(fmt.Errorf("a commit ID of %d bytes", len(random)))
	}
	b.Sync = i.bool()
	b.Turn = kv.TurnID(i.uint())
	b.Reads = i.reads()
	b.Scans = all(i, func() kv.ScanRead {
		i.tuple(2, 2)
		return kv.ScanRead{Prefix: i.string(), Entries: i.reads()}
	})
	b.Writes = all(i, i.write)
	if version >= versionAgain {
		b.Again = i.bool()
	}
	return b
}

func (i *in) reads() []kv.Read {
	return all(i, func() kv.Read {
		i.tuple(2, 2)
		return kv.Read{Key: i.string(), Version: i.version()}
	})
}

func (i *in) write() kv.Write {
	deletes := i.tuple(1, 2) == 1
	w := kv.Write{Key: i.string(), Delete: deletes}
	if !w.Delete {
		w.Value = i.bytes()
	}
	return w
}

// entry writes: version, and if there is one, the value. The key is the asker's.
func (o *out) entry(e kv.Entry) {
	if !e.Exists() {
		o.list(1)
		o.uint(0)
		return
	}
	o.list(2)
	o.version(e.Version)
	o.bytes(e.Value)
}

func (i *in) entry(key string) kv.Entry {
	exists := i.tuple(1, 2) == 2
	e := kv.Entry{Key: key, Version: i.version()}
	if exists != e.Exists() {
		i.fail(fmt.Errorf("an entry of version %d, and a value: %v", e.Version, exists))
	}
	if exists {
		if e.Value = i.bytes(); e.Value == nil {
			e.Value = []byte{} // a value of no bytes is a value
		}
	}
	return e
}

// scanned writes: key, version, value.
func (o *out) scanned(e kv.Entry) {
	o.list(3)
	o.string(e.Key)
	o.version(e.Version)
	o.bytes(e.Value)
}

func (i *in) scanned() kv.Entry {
	i.tuple(3, 3)
	e := kv.Entry{Key: i.string(), Version: i.version(), Value: i.bytes()}
	if e.Value == nil {
		e.Value = []byte{}
	}
	return e
}

// change writes: key, version, head, resync.
func (o *out) change(c kv.Change) {
	o.list(4)
	o.string(c.Key)
	o.version(c.Version)
	o.version(c.Head)
	o.bool(c.Resync)
}

func (i *in) change() kv.Change {
	i.tuple(4, 4)
	return kv.Change{Key: i.string(), Version: i.version(), Head: i.version(), Resync: i.bool()}
}
