package pgkv

import (
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// groupCall is the statement that commits a group.
func groupCall(s *Store, group []*grouping.Request) *call {
	lineage, accepted := s.lineage.known()
	c := newCall("commit", s.space).number(int64(s.db.set.mode)).text(lineage).add(appendFlag(nil, accepted)).number(int64(s.db.keep))
	of := func(appendItem func([]byte, *grouping.Request) []byte) { c.add(array(group, appendItem)) }
	of(func(to []byte, r *grouping.Request) []byte { return appendValue(to, r.Batch.ID.Random[:]) })
	of(func(to []byte, r *grouping.Request) []byte { return appendVersion(to, r.Batch.ID.Began) })
	of(func(to []byte, r *grouping.Request) []byte { return appendFlag(to, r.Batch.Again) })
	of(func(to []byte, r *grouping.Request) []byte { return appendNumber(to, s.turns.ticket(r.Batch.Turn)) })
	of(func(to []byte, r *grouping.Request) []byte { return appendNumber(to, max(r.Note, 0)) })
	of(func(to []byte, r *grouping.Request) []byte { return appendNumber(to, len(r.Batch.Reads)) })
	of(func(to []byte, r *grouping.Request) []byte { return appendNumber(to, len(r.Batch.Scans)) })
	of(func(to []byte, r *grouping.Request) []byte { return appendNumber(to, len(r.Batch.Writes)) })

	batches := make([]*kv.Batch, len(group))
	var writes []kv.Write
	for i, r := range group {
		batches[i] = r.Batch
		writes = append(writes, r.Batch.Writes...)
	}
	addChecks(c, batches...)
	c.add(array(writes, func(to []byte, w kv.Write) []byte { return appendKey(to, w.Key) }))
	c.add(array(writes, func(to []byte, w kv.Write) []byte {
		switch {
		case w.Delete:
			return appendValue(to, nil)
		case w.Value == nil:
			return appendValue(to, []byte{})
		}
		return appendValue(to, w.Value)
	}))
	return c
}

// addChecks adds what batches have read and scanned.
func addChecks(c *call, batches ...*kv.Batch) *call {
	var reads, yields []kv.Read
	var scans []kv.ScanRead
	for _, b := range batches {
		reads = append(reads, b.Reads...)
		scans = append(scans, b.Scans...)
	}
	for _, s := range scans {
		yields = append(yields, s.Entries...)
	}
	key := func(to []byte, r kv.Read) []byte { return appendKey(to, r.Key) }
	version := func(to []byte, r kv.Read) []byte { return appendVersion(to, r.Version) }
	c.add(array(reads, key)).add(array(reads, version))
	c.add(array(scans, func(to []byte, s kv.ScanRead) []byte { return appendKey(to, s.Prefix) }))
	c.add(array(scans, func(to []byte, s kv.ScanRead) []byte { return appendKey(to, after(s.Prefix)) }))
	c.add(array(scans, func(to []byte, s kv.ScanRead) []byte { return appendNumber(to, len(s.Entries)) }))
	return c.add(array(yields, key)).add(array(yields, version))
}

// after is a key behind all with a prefix, and before all others that come after those.
func after(prefix string) string {
	for end := len(prefix); end > 0; end-- {
		if last := prefix[end-1]; last < 0xff {
			return prefix[:end-1] + string([]byte{last + 1})
		}
	}
	return strings.Repeat("\xff", kv.MaxKey+1) // longer than any key
}

// answer is what became of one batch of a group.
type answer struct {
	version kv.Version
	err     error
}

// standsBehind says that a commit waits for turns up to a ticket.
type standsBehind struct{ ticket int64 }

// Error implements error.
func (s *standsBehind) Error() string { return fmt.Sprintf("pgkv: waits for turns up to %d", s.ticket) }

// readAnswers reads the rows that the function commit answers with.
func readAnswers(rows []row, batches int) (answers []answer, err error) {
	var stale kv.ConflictError
	for _, r := range rows {
		kind, err := r.number(0)
		if err != nil {
			return nil, err
		}
		version, err := r.number(1)
		if err != nil {
			return nil, err
		}
		a := answer{version: kv.Version(version)}
		switch kind {
		case 1:
		case 2:
			a = answer{err: kv.ErrRefused}
		case 3:
			a = answer{err: kv.ErrExpired}
		case 4:
			conflict := stale
			stale = kv.ConflictError{}
			a = answer{err: &conflict}
		case 5:
			a = answer{err: &standsBehind{version}}
		case 11, 12:
			name, err := r.bytes(2)
			if err != nil {
				return nil, err
			}
			if kind == 11 {
				stale.Keys = append(stale.Keys, name)
			} else {
				stale.Prefixes = append(stale.Prefixes, name)
			}
			continue
		default:
			return nil, fmt.Errorf("%w: the function commit answers with %d, which this program does not know", kv.ErrNewer, kind)
		}
		answers = append(answers, a)
	}
	if len(answers) != batches {
		return nil, fmt.Errorf("%w: %d answers for %d commits", kv.ErrCorrupt, len(answers), batches)
	}
	return answers, nil
}
