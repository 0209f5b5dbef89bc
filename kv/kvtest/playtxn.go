package kvtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// transaction is what one of a script's has read and means to write.
type transaction struct {
	snap  kv.Snapshot
	batch kv.Batch
	gone  bool       // its view is
	made  bool       // the batch is made, and what comes next is another transaction
	began kv.Version // one at which all stood that it has read
	first kv.Version // at which it was applied
}

func (t *transaction) close() { t.snap.Close() }

// txn returns a transaction, a new one if it has not begun.
func (p *player) txn(who string) *transaction {
	if t := p.txns[who]; t == nil || t.made {
		p.txns[who] = &transaction{snap: p.store.Snapshot(), batch: kv.Batch{Sync: true}}
	}
	return p.txns[who]
}

// made returns a transaction whose batch is made.
func (p *player) made(who string) *transaction {
	p.Helper()
	if t := p.txns[who]; t == nil || !t.made {
		p.Fatalf("%s: %s has made no batch", p.where, who)
	}
	return p.txns[who]
}

// readIn makes a call on a transaction's view, and asks for its version at once: it
// is one at which all that was read stands.
func (p *player) readIn(t *transaction, read func() error) error {
	if t.gone {
		return kv.ErrConflict
	}
	err := read()
	if err == nil {
		t.began, err = t.snap.Version(p.ctx)
	}
	t.gone = errors.Is(err, kv.ErrConflict)
	return err
}

func (p *player) get(s step) {
	p.Helper()
	t := p.txn(s.who)
	var got []string
	err := p.readIn(t, func() error {
		entries, err := t.snap.Get(p.ctx, s.args...)
		for _, entry := range entries {
			t.batch.Reads = append(t.batch.Reads, kv.Read{Key: entry.Key, Version: entry.Version})
			got = append(got, shown(entry))
		}
		return err
	})
	p.expectWords(s, got, err)
}

func (p *player) scan(s step) {
	p.Helper()
	t := p.txn(s.who)
	entries, err := p.scanIn(t, s.args[0], -1)
	if err == nil {
		t.batch.Scans = append(t.batch.Scans, kv.ScanRead{Prefix: s.args[0], Entries: readsOf(entries)})
	}
	p.expectWords(s, pairs(entries), err)
}

// first reads no more than so many entries. What they are is checked, and not
// that there are no others.
func (p *player) first(s step) {
	p.Helper()
	t := p.txn(s.who)
	entries, err := p.scanIn(t, s.args[1], p.quantity(s.args[0]))
	t.batch.Reads = append(t.batch.Reads, readsOf(entries)...)
	p.expectWords(s, pairs(entries), err)
}

func (p *player) count(s step) {
	p.Helper()
	entries, err := p.scanIn(p.txn(s.who), s.args[0], -1)
	if err != nil || len(entries) != p.quantity(s.want[0][0]) {
		p.Fatalf("%s: %d entries, %v, want %s", p.where, len(entries), err, s.want[0][0])
	}
}

// scanIn reads the entries with a prefix, all of them or up to a number.
func (p *player) scanIn(t *transaction, prefix string, most int) (entries []kv.Entry, err error) {
	err = p.readIn(t, func() error {
		for entry, err := range t.snap.Scan(p.ctx, prefix) {
			if err != nil {
				return err
			}
			if entries = append(entries, entry); len(entries) == most {
				break
			}
		}
		return nil
	})
	return entries, err
}

func (p *player) put(s step) {
	t := p.txn(s.who)
	t.batch.Writes = append(t.batch.Writes, puts(s.args)...)
}

func (p *player) del(s step) {
	t := p.txn(s.who)
	for _, key := range s.args {
		t.batch.Writes = append(t.batch.Writes, del(key))
	}
}

const (
	absentKey  = "nobody/writes/this"
	fillPrefix = "fill/"
)

// fillUp makes the batch as large as it may be in one respect, or one more.
func (p *player) fillUp(s step) {
	t, n := p.txn(s.who), p.quantity(s.args[0])
	switch strings.TrimSuffix(s.args[0], "+1") {
	case "writes":
		for i := len(t.batch.Writes); i < n; i++ {
			t.batch.Writes = append(t.batch.Writes, put(fmt.Sprintf(fillPrefix+"%06d", i), ""))
		}
	case "bytes":
		w := put(fillPrefix+"bytes", "")
		w.Value = []byte(strings.Repeat("x", n-t.batch.Size()-len(w.Key)))
		t.batch.Writes = append(t.batch.Writes, w)
	case "checks":
		more := slices.Repeat([]kv.Read{{Key: absentKey}}, n-t.batch.Checks())
		t.batch.Reads = append(t.batch.Reads, more...)
	}
}

// as gives the batch the ID of another, which decides what becomes of it.
func (p *player) as(s step) {
	t, other := p.txn(s.who), p.made(s.args[0])
	t.batch.ID, t.first = other.batch.ID, other.first
}

func (p *player) under(s step) { p.txn(s.who).batch.Turn = p.calls[s.args[0]].granted.ID }

func (p *player) unsynced(s step) { p.txn(s.who).batch.Sync = false }

// hold makes the batch.
func (p *player) hold(s step) {
	p.Helper()
	t := p.txn(s.who)
	if t.began == 0 && !t.gone {
		t.began, _ = t.snap.Version(p.ctx) // of one that has read nothing
	}
	if t.batch.ID == (kv.CommitID{}) {
		t.batch.ID = kv.NewCommitID(t.began)
	}
	t.made = true
	t.snap.Close()
}

func (p *player) commit(s step) {
	p.Helper()
	p.hold(s)
	p.send(s)
}

// send commits the batch that was made, as it is or as one that comes again.
func (p *player) send(s step) {
	p.Helper()
	t := p.made(s.who)
	if t.gone {
		p.expectWords(s, nil, kv.ErrConflict)
		return
	}
	b := t.batch
	b.Again = len(s.args) > 0
	version, err := p.store.Commit(p.ctx, &b)
	p.expect(s, fmt.Sprintf("version %d, %v", version, err), func(want []string) error {
		return cameTo(want, len(b.Writes) > 0, t.first, version, err)
	})
	if err == nil && t.first == 0 && len(b.Writes) > 0 {
		t.first = version
		p.changed(b.Writes, version)
	}
}

// cameTo returns an error unless a commit came to what is wanted.
func cameTo(want []string, writes bool, first, version kv.Version, err error) error {
	ok := false
	switch want[0] {
	case "ok":
		ok = err == nil && (version > 0 && version != first || !writes)
	case "same":
		ok = err == nil && version == first
	case "conflict":
		return checkNames(err, want[1:])
	case "refused":
		ok = errors.Is(err, kv.ErrConflict)
	default:
		ok = word(err) == want[0]
	}
	if !ok {
		return fmt.Errorf("want %s", want[0])
	}
	return nil
}

// checkNames returns an error unless err is a *kv.ConflictError that names one
// of the names at least and nothing else. A prefix is named with a star.
func checkNames(err error, names []string) error {
	var conflict *kv.ConflictError
	if !errors.As(err, &conflict) {
		return fmt.Errorf("%v: not a *kv.ConflictError", err)
	}
	got := slices.Clone(conflict.Keys)
	for _, prefix := range conflict.Prefixes {
		got = append(got, prefix+"*")
	}
	if len(got) == 0 {
		return fmt.Errorf("a conflict that names nothing, want some of %q", names)
	}
	for _, name := range got {
		if !slices.Contains(names, name) {
			return fmt.Errorf("a conflict over %q, want only some of %q", got, names)
		}
	}
	return nil
}

func readsOf(entries []kv.Entry) []kv.Read {
	var reads []kv.Read
	for _, entry := range entries {
		reads = append(reads, kv.Read{Key: entry.Key, Version: entry.Version})
	}
	return reads
}

func puts(words []string) []kv.Write {
	var writes []kv.Write
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		writes = append(writes, put(key, unquoted(value)))
	}
	return writes
}

// unquoted is a word of a script, "" being the empty one.
func unquoted(word string) string {
	if word == `""` {
		return ""
	}
	return word
}

func pairs(entries []kv.Entry) []string {
	got := []string{}
	for _, entry := range entries {
		got = append(got, entry.Key+"="+shown(entry))
	}
	return got
}

func shown(entry kv.Entry) string {
	switch {
	case !entry.Exists():
		return "-"
	case len(entry.Value) == 0:
		return `""`
	}
	return string(entry.Value)
}
