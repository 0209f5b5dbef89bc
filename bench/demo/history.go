package demo

import (
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/kv"
)

// history is who wrote which version of each of Bob's session records, as far
// as the processes lived to tell.
type history map[string][]write // in the order of versions

// write is one version, and the one that it was computed from.
type write struct {
	version, read kv.Version
	by            string
	round         int
}

// add notes what a process answered in a round.
func (h history) add(by string, round int, a answer) {
	for _, wrote := range a.Wrote {
		w := write{wrote.Version, versionOf(a.Read, wrote.Key), by, round}
		i, _ := slices.BinarySearchFunc(h[wrote.Key], w, func(a, b write) int { return int(int64(a.version) - int64(b.version)) })
		h[wrote.Key] = slices.Insert(h[wrote.Key], i, w)
	}
}

func versionOf(looks []look, key string) kv.Version {
	for _, l := range looks {
		if l.Key == key {
			return l.Version
		}
	}
	return 0
}

// explain says why a step of a process came to nothing, from the session that
// it wrote, or else from the one that was written last of those it read.
func (h history) explain(by string, a answer) []string {
	read, wrote, writes := h.concerning(a)
	for _, w := range writes {
		if w.version > read && (wrote == 0 || w.version < wrote) && w.by != by {
			return []string{
				fmt.Sprintf("The %s worked from its copy of the session%s (version %d).", by, fromRound(writes, read), read),
				fmt.Sprintf("The %s had moved it on in round %d (version %d).", w.by, w.round, w.version),
			}
		}
	}
	for i, w := range writes {
		if i > 0 && w.read < writes[i-1].version {
			over := writes[i-1]
			return []string{
				fmt.Sprintf("The %s worked from the session as it was stored, and that was no longer good: "+
					"in round %d the %s wrote what it made of version %d over the %s's version %d.", by, w.round, w.by, w.read, over.by, over.version),
			}
		}
	}
	return []string{"What led to it, no process lived to tell."}
}

// concerning returns the session that a step was about: the versions that were
// read and written, and all that is known to have been written.
func (h history) concerning(a answer) (read, wrote kv.Version, writes []write) {
	for _, l := range a.Wrote {
		return versionOf(a.Read, l.Key), l.Version, h[l.Key]
	}
	last := kv.Version(0)
	for _, l := range a.Read {
		if known := h[l.Key]; len(known) > 0 && known[len(known)-1].version > last {
			last = known[len(known)-1].version
			read, writes = l.Version, known
		}
	}
	return read, 0, writes
}

func fromRound(writes []write, v kv.Version) string {
	for _, w := range writes {
		if w.version == v {
			return fmt.Sprintf(" from round %d", w.round)
		}
	}
	return ""
}
